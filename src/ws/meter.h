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
  tick step{};  // Opening: the end of the part before.
  std::uint64_t handshake_until =
      0;                            // Its bytes of this end are in the kernel when so many have gone out; 0: they are.
  std::uint64_t messages_seen = 0;  // Of those sent.
  tick write_began = no_deadline;   // What is being measured was given to the system then ...
  std::uint64_t write_until = 0;    // ... and is in the kernel when so many bytes have gone out.
  ticks preparing{};                // How long it took before.
};

/// A loop's: the clock, and the turn in hand.
class meter {
 public:
  /// `on` outlives it.
  explicit meter(net::loop& on) noexcept : clock_(on.clock()) {}

  [[nodiscard]] tick now() noexcept { return clock_.now(); }

  timing_histograms all;  // Of all connections of this loop.

  tick handler_began = no_deadline;  // In this turn, for the message that is measured ...
  tick all_done = no_deadline;       // ... and it returned, and there was nothing behind it.

 private:
  net::clock_source& clock_;
};

HAWSER_END
