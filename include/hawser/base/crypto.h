// The two primitives of the opening handshake.
#pragma once

#include <hawser/base/bytes.h>

#include <array>
#include <cstddef>
#include <string>

HAWSER_BEGIN

/// SHA-1 of `in` (RFC 3174), for the accept key only; it protects nothing. The algorithm is fetched once per process.
/// All zero when libcrypto fails (no memory, SHA-1 forbidden by its configuration): no handshake succeeds with that.
HAWSER_API std::array<std::byte, 20> sha1(byte_view in) noexcept;

/// `in` in base64 with padding (RFC 4648, 4).
HAWSER_API std::string base64(byte_view in);

HAWSER_END
