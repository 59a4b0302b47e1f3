// Private to core: host and port, as URLs, Host and Origin share them. RFC 3986, 3.2.2 and 3.2.3.
#pragma once

#include <hawser/base/config.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

HAWSER_BEGIN
namespace detail {

/// A host and perhaps a port. Views the text it was read from.
struct authority {
  std::string_view host;  ///< As it came, so in any case; an IPv6 address without its brackets.
  bool ipv6 = false;
  std::array<std::uint8_t, 16> address{};  ///< Of an IPv6 literal, which has many spellings.
  std::optional<std::uint16_t> port;       ///< None for "host" and for "host:".
};

/// Reads `text` as a whole. Null when it is right, otherwise what is wrong and what to do, and `at` is the byte where.
const char* parse_authority(std::string_view text, authority& out, std::size_t& at) noexcept;

/// Reads an IPv6 address without brackets and without a zone.
bool parse_ipv6(std::string_view text, std::array<std::uint8_t, 16>& out) noexcept;

/// The same host: names without case, IPv6 addresses by value. Ports are not looked at.
bool same_host(const authority& a, const authority& b) noexcept;

}  // namespace detail
HAWSER_END
