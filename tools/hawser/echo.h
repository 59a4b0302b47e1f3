// Sending back what came, without losing a message to back-pressure.
#pragma once

#include <hawser/core/settings.h>
#include <hawser/ws/connection.h>
#include <hawser/ws/message.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

namespace hawser_tool {

/// Sends `m` back. When the peer does not read, the message waits and nothing more is received until it does.
inline void echo(hawser::connection c, const hawser::message& m) {
  if (c.send(m) != hawser::errc::would_block) return;
  c.set_data(std::make_unique<hawser::message>(m.take()));
  c.pause();
}

/// For `on_drain`: sends the message that waits, if there is room by now.
inline void echo_waiting(hawser::connection c) {
  const hawser::message* waiting = c.data<hawser::message>();
  if (waiting != nullptr && c.send(*waiting) == hawser::errc::would_block) return;
  c.set_data(std::unique_ptr<hawser::message>());
  c.resume();
}

/// Allows `most` frames a message. Who names a number means frames of any size, several such messages in a row too, so
/// the score of tiny frames must not end the connection first.
inline void set_fragments(hawser::limits& bounds, std::optional<std::uint32_t> most) {
  if (!most) return;
  if (*most >= bounds.max_glitches) {
    const std::uint64_t score = std::uint64_t{*most} * 16;
    bounds.max_glitches = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(score, bounds.max_glitches, std::numeric_limits<std::uint32_t>::max()));
  }
  bounds.max_fragments = *most;
}

}  // namespace hawser_tool
