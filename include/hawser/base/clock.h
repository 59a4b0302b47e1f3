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

HAWSER_END
