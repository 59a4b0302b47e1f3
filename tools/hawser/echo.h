// Sending back what came, without losing a message to back-pressure.
#pragma once

#include <hawser/ws/connection.h>
#include <hawser/ws/message.h>

#include <memory>
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

}  // namespace hawser_tool
