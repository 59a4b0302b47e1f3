// Deadlines: sums of time that end at "never" instead of wrapping round.

#include <gtest/gtest.h>
#include <hawser/base/clock.h>

#include <chrono>

namespace hawser::test {
namespace {

using namespace std::chrono_literals;

constexpr tick noon{12h};

TEST(clock, later_adds) {
  EXPECT_EQ(later(noon, 5s), noon + 5s);
  EXPECT_EQ(later(noon, 0s), noon);
}

TEST(clock, later_ends_at_never) {
  EXPECT_EQ(later(noon, ticks::max()), no_deadline);
  EXPECT_EQ(later(noon, no_deadline - noon), no_deadline);
  EXPECT_EQ(later(noon, no_deadline - noon - ticks(1)), no_deadline - ticks(1));
  EXPECT_EQ(later(no_deadline, 1s), no_deadline);
  EXPECT_EQ(later(no_deadline, ticks::max()), no_deadline);
  static_assert(later(noon, ticks::max()) == no_deadline);
}

TEST(clock, what_is_below_zero_counts_as_zero) {
  EXPECT_EQ(later(noon, -1s), noon);
  EXPECT_EQ(later(noon, ticks::min()), noon);
  EXPECT_EQ(later(no_deadline, ticks::min()), no_deadline);
}

}  // namespace
}  // namespace hawser::test
