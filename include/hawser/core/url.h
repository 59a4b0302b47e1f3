// ws:// and wss:// URLs. RFC 6455, 3; RFC 3986.
#pragma once

#include <hawser/base/result.h>

#include <cstdint>
#include <string>
#include <string_view>

HAWSER_BEGIN

/// A WebSocket URL, taken apart.
struct url {
  bool secure = false;      ///< wss.
  std::string host;         ///< Lower case; an IPv6 address without its brackets.
  std::uint16_t port = 80;  ///< 80 and 443 when the URL names none.
  std::string target;       ///< Path and query as they go into the request line; begins with "/".
  bool ipv6 = false;        ///< The host is an IPv6 literal: brackets go around it in Host.

  /// The value of the Host header: the port only when it is not the scheme's own.
  [[nodiscard]] HAWSER_API std::string authority() const;
};

/// Reads `text`. Errors: `invalid_url`, `unsupported_scheme` (http, https and others); `why`, when given, gets a
/// sentence with the place and the mend. Fragments are refused (RFC 6455, 3), user information too; bytes outside the
/// URL alphabet and control characters are refused, never stripped (E6); non-ASCII bytes of the path and query are
/// percent-encoded.
HAWSER_API result<url> parse_url(std::string_view text, std::string* why = nullptr);

HAWSER_END
