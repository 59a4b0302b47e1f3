// What a sender may say about one message.
#pragma once

#include <hawser/base/config.h>

#include <cstdint>

HAWSER_BEGIN

/// Wishes for one message, for the extensions at work; without any they change nothing. Stages read them in `head`.
///
///     c.send(secret, {.compress = false});
struct send_options {
  /// False: no extension compresses this message. For secrets beside text that others can choose: the size of what
  /// compresses both together tells of the secret (CRIME and BREACH; RFC 7692, 8).
  bool compress = true;
  std::uint8_t priority = 0;  ///< Higher goes first, where an agreed extension orders messages by it.
  /// The same message goes to other connections of the loop as well: an extension may make once what it makes of it,
  /// and use it again. `publish` says so by itself.
  bool shared = false;

  friend bool operator==(const send_options&, const send_options&) noexcept = default;
};

HAWSER_END
