// Seeing what extensions do to messages: for people who look for a fault, not for programs.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/core/opcode.h>

#include <cstdint>
#include <string_view>

HAWSER_BEGIN

/// A frame on the wire, or a message between two extensions.
struct sighting {
  /// What is seen.
  enum class kind : std::uint8_t {
    frame,    ///< As it is on the wire, after all extensions (out) or before them (in); control frames too.
    message,  ///< On its way from one extension to the next: only where there are any that work on messages.
  };

  kind what = kind::frame;         ///< A frame or a message.
  direction way = direction::out;  ///< Which way it goes.
  std::uint64_t connection = 0;    ///< `connection::id`.
  /// Of a message: where it comes from, the name of the extension that it has just passed, or "application" (out) or
  /// "network" (in). Valid during the call.
  std::string_view from;
  std::uint8_t opcode = 0;  ///< 0 for the later frames of a message.
  std::uint8_t rsv = 0;     ///< As `rsv`.
  bool fin = true;          ///< Of a frame: the last one of its message.
  bool masked = false;      ///< Of a frame.
  std::uint64_t size = 0;   ///< Bytes of payload.
  byte_view begins;         ///< The first of them, unmasked, at most `sighting_bytes`. Valid during the call.
};

/// How many bytes of a payload a sighting shows.
inline constexpr std::size_t sighting_bytes = 128;

/// Is told what passes on every connection of a client or server whose options name it as `watch`. Each message is
/// looked at several times then: leave it off where speed counts. Off, it costs nothing.
class HAWSER_API watcher {
 public:
  watcher() = default;
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;
  virtual ~watcher() = default;

  /// A frame whose header and first bytes have come, or are about to be written; a message whose last byte has passed.
  /// Called on the connection's loop, on several at once when there are several loops, in the middle of the work: it
  /// may not call the connection.
  virtual void saw(const sighting& what) noexcept = 0;
};

HAWSER_END
