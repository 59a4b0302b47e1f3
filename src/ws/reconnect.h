// When a client tries again: full jitter, a cap, a reset. Pure: time and randomness come in.
#pragma once

#include <hawser/base/clock.h>
#include <hawser/ws/options.h>

#include <cstdint>

HAWSER_BEGIN

/// Counts the attempts of one client.
class reconnect_count {
 public:
  explicit reconnect_count(const reconnect_policy& policy) noexcept : policy_(policy) {}

  /// Which attempt is under way, from 1.
  [[nodiscard]] unsigned attempt() const noexcept { return attempt_; }

  /// A connection that was up for `up` has ended; zero for one that never was. A stable one starts the count anew.
  void ended(ticks up) noexcept;
  /// True when the policy allows another attempt.
  [[nodiscard]] bool may_retry() const noexcept;
  /// How long to wait before the next attempt, for a `random` number of all 32 bits: 0 to a bound that begins at twice
  /// `first` and doubles up to `cap`. `least` is what the peer asked for (Retry-After), heeded up to ten caps. Counts
  /// the attempt.
  ticks next_wait(std::uint32_t random, ticks least = {}) noexcept;

 private:
  reconnect_policy policy_;
  unsigned attempt_ = 1;
};

HAWSER_END
