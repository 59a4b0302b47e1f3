// Close codes: which may be received, which may be sent, what they mean. RFC 6455, 7.4.
#pragma once

#include <hawser/base/errc.h>
#include <hawser/core/opcode.h>

#include <cstdint>
#include <string_view>

HAWSER_BEGIN

/// Why a connection was closed. Any value in 3000-4999 is an application's own.
enum class close_code : std::uint16_t {
  normal = 1000,               ///< Its purpose is fulfilled.
  going_away = 1001,           ///< A server goes down, a page is left.
  protocol_error = 1002,       ///< A frame broke the rules.
  unsupported_data = 1003,     ///< A kind of data that this end does not take.
  no_status = 1005,            ///< The close frame had no code. Never on the wire.
  abnormal = 1006,             ///< No close frame came. Never on the wire.
  invalid_payload = 1007,      ///< Text that is not UTF-8, or data that cannot be decoded.
  policy_violation = 1008,     ///< Any other rule of this end was broken.
  message_too_big = 1009,      ///< Longer than this end takes.
  mandatory_extension = 1010,  ///< A client could not get an extension that it must have.
  internal_error = 1011,       ///< This end failed.
  service_restart = 1012,      ///< A server starts anew.
  try_again_later = 1013,      ///< A server has too much to do.
  bad_gateway = 1014,          ///< What stands behind a gateway failed.
  tls_handshake = 1015,        ///< Never on the wire.
};

/// A reason on the wire is at most this many bytes of UTF-8: 125 less the code. RFC 6455, 5.5.
inline constexpr std::size_t max_close_reason = 123;

/// True when a peer may put `code` in a close frame: 1000-1003, 1007-1014, 3000-4999. Anything else is a 1002.
HAWSER_API bool may_receive(std::uint16_t code) noexcept;

/// True when this end may put `code` on the wire: as received, and 1010 from a client only (N-20, N-21).
HAWSER_API bool may_send(std::uint16_t code, role side) noexcept;

/// The code that tells the peer about `error`: 1002 for broken framing, 1007 for bad data, 1009 for size ... `abnormal`
/// where nothing can be sent any more.
HAWSER_API close_code close_code_for(errc error) noexcept;

/// A few words for people: "going away". Empty for codes without a registered meaning. Static storage.
HAWSER_API std::string_view describe(close_code code) noexcept;

HAWSER_END
