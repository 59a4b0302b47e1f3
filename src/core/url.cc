#include "core/authority.h"
#include "core/chars.h"
#include "core/printable.h"

#include <hawser/core/http.h>
#include <hawser/core/url.h>

#include <algorithm>

HAWSER_BEGIN
namespace {

constexpr std::uint16_t port_of(bool secure) noexcept { return secure ? 443 : 80; }

class url_reader {
 public:
  url_reader(std::string_view text, std::string* why) : text_(text), why_(why) {}

  result<url> read() {
    if (errc error = read_scheme(); error != errc::ok) return error;
    if (errc error = read_authority(); error != errc::ok) return error;
    if (errc error = read_target(); error != errc::ok) return error;
    return std::move(url_);
  }

 private:
  errc fail(errc error, std::string_view sentence) {
    if (why_ != nullptr) *why_ = sentence;
    return error;
  }

  errc fail_at(std::size_t at, std::string_view sentence) {
    return fail(errc::invalid_url, "byte " + std::to_string(at + 1) + " of the URL: " + std::string(sentence));
  }

  errc read_scheme() {
    const std::size_t end = text_.find("://");
    const std::string_view scheme = text_.substr(0, end);
    if (end == std::string_view::npos || !detail::is_scheme(scheme)) {
      return fail(errc::invalid_url, "a WebSocket URL looks like ws://host:port/path; write ws:// or wss:// first");
    }
    at_ = end + 3;
    url_.secure = equal_no_case(scheme, "wss");
    if (url_.secure || equal_no_case(scheme, "ws")) return errc::ok;
    return fail(errc::unsupported_scheme, equal_no_case(scheme, "https")  ? "https:// is for pages; write wss:// here"
                                          : equal_no_case(scheme, "http") ? "http:// is for pages; write ws:// here"
                                                                          : "only ws:// and wss:// are WebSocket URLs");
  }

  errc read_authority() {
    const std::size_t end = std::min(text_.find_first_of("/?#", at_), text_.size());
    const std::string_view part = text_.substr(at_, end - at_);
    if (const std::size_t sign = part.find('@'); sign != std::string_view::npos) {
      return fail_at(at_ + sign, "a WebSocket URL has no user and password; send an Authorization header instead");
    }
    detail::authority parsed;
    std::size_t where = 0;
    if (const char* wrong = detail::parse_authority(part, parsed, where)) return fail_at(at_ + where, wrong);
    url_.host = parsed.host;
    std::transform(url_.host.begin(), url_.host.end(), url_.host.begin(), detail::lower);
    url_.ipv6 = parsed.ipv6;
    url_.port = parsed.port.value_or(port_of(url_.secure));
    at_ = end;
    return errc::ok;
  }

  errc read_target() {
    const std::string_view rest = text_.substr(at_);
    url_.target.reserve(rest.size() + 1);
    url_.target.resize(rest.starts_with('/') ? 0 : 1);
    for (std::size_t i = 0; i < rest.size(); ++i) {
      if (errc error = take(rest, i); error != errc::ok) return error;
    }
    // The resource name has a "?" only when the query is not empty. RFC 6455, 3.
    if (url_.target.find('?') == url_.target.size() - 1) url_.target.pop_back();
    return errc::ok;
  }

  errc take(std::string_view rest, std::size_t i) {
    const char c = rest[i];
    if (detail::is_char(c, detail::path_char)) {
      url_.target += c;
      return errc::ok;
    }
    if (c == '%') {
      if (!is_hex(rest, i + 1) || !is_hex(rest, i + 2)) {
        return fail_at(at_ + i, "two hexadecimal digits follow a percent sign; write the sign itself as %25");
      }
      url_.target += c;
      return errc::ok;
    }
    if (c == '#') return fail_at(at_ + i, "a WebSocket URL has no fragment; write # as %23");
    if (static_cast<unsigned char>(c) >= 0x80) {
      url_.target += percent(c);
      return errc::ok;
    }
    std::string shown;
    detail::append_printable(shown, c);
    return fail_at(at_ + i, "\"" + shown + "\" cannot stand in a URL; write it as " + percent(c));
  }

  static bool is_hex(std::string_view text, std::size_t at) noexcept {
    return at < text.size() && detail::is_char(text[at], detail::hex_char);
  }

  static std::string percent(char c) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto value = static_cast<unsigned char>(c);
    return {'%', digits[value >> 4U], digits[value & 15U]};
  }

  std::string_view text_;
  std::string* why_;
  std::size_t at_ = 0;
  url url_;
};

}  // namespace

std::string url::authority() const {
  std::string out;
  out.reserve(host.size() + 8);
  if (ipv6) out += '[';
  out += host;
  if (ipv6) out += ']';
  if (port != port_of(secure)) {
    out += ':';
    out += std::to_string(port);
  }
  return out;
}

result<url> parse_url(std::string_view text, std::string* why) { return url_reader(text, why).read(); }

HAWSER_END
