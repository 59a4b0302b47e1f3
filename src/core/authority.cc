#include "core/authority.h"

#include "core/chars.h"

#include <hawser/core/http.h>

#include <algorithm>

HAWSER_BEGIN
namespace detail {
namespace {

bool parse_ipv4(std::string_view text, std::uint8_t* out) noexcept {
  std::size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at == text.size() || text[at++] != '.')) return false;
    const std::size_t start = at;
    unsigned value = 0;
    while (at < text.size() && at - start < 3 && is_char(text[at], digit_char)) {
      value = value * 10 + static_cast<unsigned>(text[at++] - '0');
    }
    const bool leading_zero = at - start > 1 && text[start] == '0';
    if (at == start || value > 255 || leading_zero) return false;
    out[part] = static_cast<std::uint8_t>(value);
  }
  return at == text.size();
}

unsigned hex_value(char c) noexcept {
  return static_cast<unsigned>(is_char(c, digit_char) ? c - '0' : lower(c) - 'a' + 10);
}

/// System resolvers read "127.1", "0x7f000001" and "017700000001" as addresses too; a filter that compares names does
/// not. Whatever ends like a number is therefore an address in full or nothing.
bool ends_like_a_number(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string_view last = host.substr(host.rfind('.') + 1);
  std::uint8_t digits = digit_char;
  if (last.size() > 1 && last[0] == '0' && lower(last[1]) == 'x') {
    last.remove_prefix(2);
    digits = hex_char;
  }
  return std::all_of(last.begin(), last.end(), [digits](char c) { return is_char(c, digits); });
}

const char* check_name(std::string_view host, std::size_t& at) noexcept {
  for (std::size_t i = 0; i < host.size(); ++i) {
    at = i;
    if (static_cast<unsigned char>(host[i]) >= 0x80) return "a host name is ASCII; write its xn-- form";
    if (!is_char(host[i], host_char)) return "this byte cannot stand in a host name";
    if (host[i] == '.' && (i == 0 || host[i - 1] == '.')) return "a host name has no empty parts; remove this dot";
  }
  at = 0;
  if (host.empty()) return "the host is missing";
  if (host.size() - (host.ends_with('.') ? 1U : 0U) > 253) return "a host name is at most 253 bytes";
  std::uint8_t ignored[4];
  if (ends_like_a_number(host) && !parse_ipv4(host, ignored)) {
    return "this is neither a name nor an IPv4 address of four decimal numbers up to 255";
  }
  return nullptr;
}

const char* parse_port(std::string_view text, authority& out) noexcept {
  unsigned value = 0;
  for (const char c : text) {
    if (!is_char(c, digit_char)) return "a port is a decimal number";
    value = std::min(value * 10 + static_cast<unsigned>(c - '0'), 65536U);
  }
  if (text.empty()) return nullptr;
  if (value == 0 || value > 65535) return "a port is a number from 1 to 65535";
  out.port = static_cast<std::uint16_t>(value);
  return nullptr;
}

const char* parse_literal(std::string_view text, authority& out) noexcept {
  out.ipv6 = true;
  out.host = text;
  if (text.find('%') != std::string_view::npos) return "an address with a zone means nothing to the other end";
  return parse_ipv6(text, out.address) ? nullptr : "this is no IPv6 address";
}

}  // namespace

bool parse_ipv6(std::string_view text, std::array<std::uint8_t, 16>& out) noexcept {
  out = {};
  std::size_t bytes = 0;
  constexpr std::size_t none = 17;
  std::size_t gap = none;
  std::size_t at = 0;
  if (text.starts_with("::")) {
    gap = 0;
    at = 2;
  }
  while (at < text.size()) {
    if (bytes == 16) return false;
    const std::size_t start = at;
    unsigned group = 0;
    while (at < text.size() && at - start < 4 && is_char(text[at], hex_char)) {
      group = group * 16 + hex_value(text[at++]);
    }
    if (at == start) return false;
    if (at < text.size() && text[at] == '.') {
      if (bytes > 12 || !parse_ipv4(text.substr(start), out.data() + bytes)) return false;
      bytes += 4;
      break;
    }
    out[bytes++] = static_cast<std::uint8_t>(group >> 8U);
    out[bytes++] = static_cast<std::uint8_t>(group & 0xFFU);
    if (at == text.size()) break;
    if (text[at++] != ':' || at == text.size()) return false;
    if (text[at] != ':') continue;
    if (gap != none) return false;
    gap = bytes;
    ++at;
  }
  if (gap == none) return bytes == 16;
  if (bytes > 14) return false;
  const std::size_t shift = 16 - bytes;
  for (std::size_t i = bytes; i-- > gap;)
    std::swap(out[i], out[i + shift]);
  return true;
}

const char* parse_authority(std::string_view text, authority& out, std::size_t& at) noexcept {
  out = {};
  at = 0;
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos) return "the bracket around the IPv6 address is not closed";
    if (const char* wrong = parse_literal(text.substr(1, end - 1), out)) return wrong;
    ++end;
    at = end;
    if (end < text.size() && text[end] != ':') return "only a port may follow the bracket";
  } else {
    end = std::min(text.find(':'), text.size());
    out.host = text.substr(0, end);
    if (end < text.size() && text.find(':', end + 1) != std::string_view::npos) {
      return "an IPv6 address stands in brackets: [::1]";
    }
    if (const char* wrong = check_name(out.host, at)) return wrong;
  }
  if (end == text.size()) return nullptr;
  at = end + 1;
  return parse_port(text.substr(at), out);
}

bool same_host(const authority& a, const authority& b) noexcept {
  if (a.ipv6 != b.ipv6) return false;
  return a.ipv6 ? a.address == b.address : equal_no_case(a.host, b.host);
}

}  // namespace detail
HAWSER_END
