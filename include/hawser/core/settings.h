// Limits and times of a connection. Every one is bounded by default, every limit is a number.
#pragma once

#include <hawser/base/clock.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

HAWSER_BEGIN

/// What a peer may cost. Sizes in bytes.
struct limits {
  std::uint64_t max_message =
      std::uint64_t{1} << 20;  ///< Received, after all extensions, exact to the byte; over it 1009. Clients: 16 MiB.
  std::uint64_t max_frame = std::uint64_t{1} << 62;  ///< Received frame; over it 1009. `max_message` holds as well.
  std::uint64_t max_outgoing_frame = std::uint64_t{1} << 62;  ///< Longer messages are sent in frames of this size.
  /// Frames of one message, empty ones included; over it 1008. 0: like 1. Where the fragments of several messages mix,
  /// only frames under 4 KiB count: there every large message comes in many.
  std::uint32_t max_fragments = 1024;
  /// Score of pointless frames (not final and under 16 bytes, or a pong that nobody asked for), decaying by 10 a
  /// second; at it 1008. 0, like 1: the first such frame ends the connection.
  std::uint32_t max_glitches = 1000;
  std::size_t write_soft = std::size_t{64} << 10;    ///< Backlog at which `send` answers `would_block`.
  std::size_t write_resume = std::size_t{16} << 10;  ///< Backlog at which `on_drain` comes.
  std::size_t write_hard = std::size_t{1}
                           << 20;  ///< Backlog at which a subscriber that does not read is closed with 1013.
  std::uint64_t min_rate = 1024;   ///< Bytes a second that an unfinished message must keep up ...
  ticks rate_grace = std::chrono::seconds(30);          ///< ... after this long; else 1008.
  std::size_t extension_memory = std::size_t{8} << 20;  ///< What the stages of one connection may charge; over it 1008.
  std::size_t max_subscriptions = 128;  ///< Topics that a server's connection may be subscribed to at a time.
};

/// When silence means death.
struct keepalive {
  ticks ping_interval =
      std::chrono::seconds(20);  ///< Silence after which a ping is sent, give or take a tenth. `no_keepalive`: never.
  ticks pong_timeout = std::chrono::seconds(20);  ///< Silence after the ping that means `ping_timeout`.
};

/// As a `ping_interval`: no pings.
inline constexpr ticks no_keepalive = ticks::max();

namespace core {

/// What a connection obeys. Shared by many connections; must outlive them and not change. Every message asks for the
/// first limits: they share a line.
struct alignas(64) settings {
  limits bounds;                                  ///< What the peer may cost.
  keepalive alive;                                ///< When silence means death.
  ticks close_timeout = std::chrono::seconds(5);  ///< How long the peer may take to answer our close.
  bool in_parts = false;                          ///< Deliver messages as they come (`kind::part`), not whole.
};

}  // namespace core
HAWSER_END
