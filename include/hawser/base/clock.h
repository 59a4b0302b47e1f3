// Time as an argument. Nothing below `net` reads a clock.
#pragma once

#include <hawser/base/config.h>

#include <chrono>

HAWSER_BEGIN

/// A point on the monotonic clock. Pure code receives it as an argument; only `net` reads the clock.
using tick = std::chrono::steady_clock::time_point;

/// A span of time on that clock. Durations in this library are never bare numbers.
using ticks = std::chrono::steady_clock::duration;

/// Never: the deadline of something that waits for no time.
inline constexpr tick no_deadline = tick::max();

/// `when + by`, and `no_deadline` where that is later than the clock can say: every deadline is computed by this, since
/// durations that a user gives may be as long as their type allows. A `by` below zero counts as zero.
constexpr tick later(tick when, ticks by) noexcept {
  if (by <= ticks::zero()) return when;
  return when > no_deadline - by ? no_deadline : when + by;
}

HAWSER_END
