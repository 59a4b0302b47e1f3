#include "net/address_access.h"

#include <arpa/inet.h>
#include <hawser/net/address.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

HAWSER_BEGIN
namespace net {

namespace {

constexpr std::size_t v4_size = 4;
constexpr std::size_t v6_size = 16;  // The number of the interface follows, for link-local addresses.
constexpr std::size_t path_limit = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::string_view mapped_prefix("\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12);
constexpr std::string_view v6_loopback("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return !text.empty() && error == std::errc() && stop == end;
}

// An interface by number or name.
bool read_scope(std::string_view text, std::uint32_t& scope) {
  if (read_number(text, scope)) return true;
  if (text.empty() || text.size() >= IF_NAMESIZE) return false;
  scope = if_nametoindex(std::string(text).c_str());
  return scope != 0;
}

result<address> refuse(std::string* why, std::string_view sentence) {
  if (why != nullptr) *why = sentence;
  return errc::address_invalid;
}

}  // namespace

result<address> address::ip(std::string_view literal, std::uint16_t port) {
  std::uint32_t scope = 0;
  const std::size_t percent = literal.find('%');
  const std::string host(literal.substr(0, percent));
  if (percent != std::string_view::npos && !read_scope(literal.substr(percent + 1), scope))
    return errc::address_invalid;

  system_address system;
  auto& v4 = reinterpret_cast<sockaddr_in&>(system.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(system.storage);
  if (host.find('\0') != std::string::npos) return errc::address_invalid;
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_scope_id = scope;
    system.size = sizeof v6;
  } else if (percent == std::string_view::npos && inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    system.size = sizeof v4;
  } else {
    return errc::address_invalid;
  }
  return address_access::from_system(system);
}

result<address> address::unix_socket(std::string_view path) {
  const std::size_t limit = path.starts_with('@') ? path_limit + 1 : path_limit;
  if (path.empty() || path.size() > limit || path.find('\0') != std::string_view::npos) return errc::address_invalid;
  address made;
  made.kind_ = kind::unix_path;
  made.length_ = static_cast<std::uint8_t>(path.size());
  std::copy(path.begin(), path.end(), made.bytes_);
  return made;
}

result<address> address::parse(std::string_view text, std::string* why) {
  if (text.starts_with("unix:")) {
    const result<address> made = unix_socket(text.substr(5));
    return made ? made : refuse(why, "the path after unix: is empty or longer than 107 bytes");
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse(why, "there is no port: write HOST:PORT, such as 127.0.0.1:9001");
  std::uint16_t port = 0;
  if (!read_number(text.substr(colon + 1), port)) return refuse(why, "the port is not a number from 0 to 65535");

  std::string_view host = text.substr(0, colon);
  if (host.empty()) return refuse(why, "there is no host before the port: 0.0.0.0 and [::] stand for all addresses");
  if (host == "localhost") return ip("127.0.0.1", port);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed != (host.find(':') != std::string_view::npos))
    return refuse(why, "an IPv6 address stands in brackets, and nothing else does: [::1]:9001");
  const result<address> made = ip(host, port);
  return made ? made : refuse(why, "the host is neither an IP address nor localhost");
}

bool address::loopback() const noexcept {
  if (kind_ == kind::ipv6) return host_bytes() == v6_loopback;
  return kind_ == kind::unix_path || (kind_ == kind::ipv4 && bytes_[0] == 127);
}

std::string address::host() const {
  if (kind_ != kind::ipv4 && kind_ != kind::ipv6) return std::string(host_bytes());
  std::array<char, INET6_ADDRSTRLEN> literal{};
  inet_ntop(kind_ == kind::ipv4 ? AF_INET : AF_INET6, bytes_, literal.data(), literal.size());
  std::string made = literal.data();
  std::uint32_t scope = 0;
  std::memcpy(&scope, bytes_ + v6_size, sizeof scope);
  if (scope != 0) made += "%" + std::to_string(scope);
  return made;
}

std::string address::text() const {
  switch (kind_) {
    case kind::ipv4:
      return host() + ":" + std::to_string(port_);
    case kind::ipv6:
      return "[" + host() + "]:" + std::to_string(port_);
    case kind::unix_path:
      return "unix:" + host();
    case kind::none:
      break;
  }
  return {};
}

std::string_view address::host_bytes() const noexcept { return {bytes_, length_}; }

bool address::operator==(const address& other) const noexcept {
  return kind_ == other.kind_ && port_ == other.port_ && length_ == other.length_ &&
         std::memcmp(bytes_, other.bytes_, sizeof bytes_) == 0;
}

system_address address_access::to_system(const address& from) noexcept {
  system_address made;
  made.size = sizeof(sa_family_t);
  if (from.kind_ == address::kind::ipv4) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(made.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(from.port_);
    std::memcpy(&v4.sin_addr, from.bytes_, v4_size);
    made.size = sizeof v4;
  } else if (from.kind_ == address::kind::ipv6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(made.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(from.port_);
    std::memcpy(&v6.sin6_addr, from.bytes_, v6_size);
    std::memcpy(&v6.sin6_scope_id, from.bytes_ + v6_size, sizeof v6.sin6_scope_id);
    made.size = sizeof v6;
  } else if (from.kind_ == address::kind::unix_path) {
    auto& local = reinterpret_cast<sockaddr_un&>(made.storage);
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, from.bytes_, from.length_);
    const bool abstract = from.length_ != 0 && from.bytes_[0] == '@';
    if (abstract) local.sun_path[0] = '\0';
    // A name in the abstract space has no end mark: every byte counts.
    made.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + from.length_ + (abstract ? 0U : 1U));
  }
  return made;
}

address address_access::from_system(const system_address& from) noexcept {
  address made;
  if (from.storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from.storage);
    made.kind_ = address::kind::ipv4;
    made.port_ = ntohs(v4.sin_port);
    made.length_ = v4_size;
    std::memcpy(made.bytes_, &v4.sin_addr, v4_size);
  } else if (from.storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from.storage);
    const std::string_view bytes(reinterpret_cast<const char*>(&v6.sin6_addr), v6_size);
    const bool mapped = bytes.starts_with(mapped_prefix);
    made.kind_ = mapped ? address::kind::ipv4 : address::kind::ipv6;
    made.port_ = ntohs(v6.sin6_port);
    made.length_ = mapped ? v4_size : v6_size;
    std::memcpy(made.bytes_, bytes.data() + (mapped ? mapped_prefix.size() : 0), made.length_);
    if (!mapped) std::memcpy(made.bytes_ + v6_size, &v6.sin6_scope_id, sizeof v6.sin6_scope_id);
  } else if (from.storage.ss_family == AF_UNIX) {
    const auto& local = reinterpret_cast<const sockaddr_un&>(from.storage);
    made.kind_ = address::kind::unix_path;
    constexpr std::size_t before = offsetof(sockaddr_un, sun_path);
    std::size_t length = from.size > before ? from.size - before : 0;
    length = std::min(length, sizeof local.sun_path);
    const bool abstract = length != 0 && local.sun_path[0] == '\0';
    if (!abstract) length = strnlen(local.sun_path, length);
    made.length_ = static_cast<std::uint8_t>(length);
    std::memcpy(made.bytes_, local.sun_path, length);
    if (abstract) made.bytes_[0] = '@';
  }
  return made;
}

}  // namespace net
HAWSER_END
