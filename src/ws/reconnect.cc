#include "ws/reconnect.h"

#include <algorithm>
#include <limits>

HAWSER_BEGIN

void reconnect_count::ended(ticks up) noexcept {
  if (up >= policy_.stable_after) attempt_ = 1;
}

bool reconnect_count::may_retry() const noexcept { return policy_.enabled && attempt_ < policy_.max_attempts; }

ticks reconnect_count::next_wait(std::uint32_t random, ticks least) noexcept {
  const ticks cap = std::max(policy_.cap, ticks::zero());
  ticks bound = std::clamp(policy_.first, ticks::zero(), cap);
  for (unsigned i = 0; i < attempt_ && bound > ticks::zero() && bound < cap; ++i)
    bound = bound > cap / 2 ? cap : 2 * bound;
  if (attempt_ < std::numeric_limits<unsigned>::max()) ++attempt_;
  const double part = static_cast<double>(random) / 4294967296.0;
  const auto wait = std::chrono::duration_cast<ticks>(bound * part);
  return std::max(wait, std::min(least, cap > ticks::max() / 10 ? cap : 10 * cap));
}

HAWSER_END
