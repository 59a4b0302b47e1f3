#include "ws/reconnect.h"

#include <algorithm>

HAWSER_BEGIN

void reconnect_count::ended(ticks up) noexcept {
  if (up >= policy_.stable_after) attempt_ = 1;
}

bool reconnect_count::may_retry() const noexcept {
  return policy_.enabled && (policy_.max_attempts == 0 || attempt_ < policy_.max_attempts);
}

ticks reconnect_count::next_wait(std::uint32_t random, ticks least) noexcept {
  ticks bound = policy_.first;
  for (unsigned i = 0; i < attempt_ && bound < policy_.cap; ++i)
    bound *= 2;
  bound = std::min(bound, policy_.cap);
  ++attempt_;
  const double part = static_cast<double>(random) / 4294967296.0;
  const auto wait = std::chrono::duration_cast<ticks>(bound * part);
  return std::max(wait, std::min(least, 10 * policy_.cap));
}

HAWSER_END
