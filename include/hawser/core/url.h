// ws:// and wss:// URLs. RFC 6455, 3; RFC 3986.
#pragma once

#include <hawser/base/result.h>

#include <cstdint>
#include <string>
#include <string_view>

HAWSER_BEGIN

/// A WebSocket URL, taken apart.
struct url {
  bool secure = false;       ///< wss.
  std::string host;          ///< Lower case; an IPv6 address without its brackets.
  std::uint16_t port = 80;   ///< 80 and 443 when the URL names none.
  std::string target = "/";  ///< Path and query as they go into the request line; begins with "/".
  bool ipv6 = false;         ///< The host is an IPv6 literal: brackets go around it in Host.

  /// The value of the Host header: brackets around IPv6, the port only when it is not the scheme's own.
  [[nodiscard]] HAWSER_API std::string authority() const;
};

/// Reads `text` as a ws:// or wss:// URL. Errors: `invalid_url`, `unsupported_scheme` (http, https and others); `why`,
/// when given, gets one line with the place and the mend.
/// Nothing is ever stripped (E6): control bytes and ASCII outside the URL alphabet are refused, and so are fragments
/// (RFC 6455, 3), user information, port 0 and a percent sign without its two digits. Bytes beyond ASCII are
/// percent-encoded in path and query and refused in the host. A host that ends like a number must be an IPv4 address
/// in full, because resolvers read "127.1" and "0x7f000001" as addresses too.
HAWSER_API result<url> parse_url(std::string_view text, std::string* why = nullptr);

HAWSER_END
