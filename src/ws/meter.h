// What is measured: of one connection, and on one loop. Nothing of this exists where nobody asked for timings.
#pragma once

#include "net/loop.h"

#include <hawser/base/clock.h>
#include <hawser/ws/metrics.h>
#include <hawser/ws/timings.h>

#include <cstdint>

HAWSER_BEGIN

/// A connection's side block.
struct connection_times {
  timings so_far;
  /// Opening: the end of the part before. Later: when `on_error` was called.
  tick step{};
  /// This end's request or response is in the kernel once the connection has sent so many bytes. 0: it is.
  std::uint64_t handshake_until = 0;
  /// How many messages had been sent when the last flush ended: more of them means that there is one to measure.
  std::uint64_t messages_seen = 0;
  /// When the flush that is being measured was given to the system; `no_deadline`: none is.
  tick write_began = no_deadline;
  /// That flush is in the kernel once the connection has sent so many bytes.
  std::uint64_t write_until = 0;
  /// Which message the peer is to prove, and since when it is in the kernel; `no_deadline`: none is waited for.
  std::uint64_t proof_of = 0;
  tick proof_from = no_deadline;
  /// How long that flush was prepared before.
  ticks preparing{};
};

/// A loop's: the clock, and the turn in hand.
class meter {
 public:
  /// `on` outlives it.
  explicit meter(net::loop& on) noexcept : clock_(on.clock()) {}

  [[nodiscard]] tick now() noexcept { return clock_.now(); }

  timing_histograms all;  // Of all connections of this loop.

  /// When the handler of the message that this turn measures was called; `no_deadline`: the turn has none.
  tick handler_began = no_deadline;
  /// When that handler returned, if nothing came behind its message: then the turn's flush follows at once.
  tick all_done = no_deadline;

 private:
  net::clock_source& clock_;
};

HAWSER_END
