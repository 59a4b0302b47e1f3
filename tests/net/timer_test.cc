#include "net/timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace {

using hawser::no_deadline;
using hawser::tick;
using hawser::ticks;
using hawser::net::timed;
using hawser::net::timer_wheel;
using namespace std::chrono_literals;

constexpr ticks granule = timer_wheel::granule;
const tick start{3h};

class probe final : public timed {
 public:
  explicit probe(std::function<void(tick)> heard = {}) : heard_(std::move(heard)) {}
  void on_timer(tick now) override {
    ++calls;
    at = now;
    if (heard_) heard_(now);
  }
  int calls = 0;
  tick at{};

 private:
  std::function<void(tick)> heard_;
};

// Walks as a loop does: from one possible deadline to the next. Returns how many steps it took.
int run_until(timer_wheel& wheel, tick& now, tick end) {
  int steps = 0;
  while (now < end) {
    now = std::min(end, std::max(now + 1ns, wheel.next_due()));
    wheel.expire(now);
    ++steps;
  }
  return steps;
}

TEST(timer_wheel, wakes_at_or_after_the_time_and_within_a_granule) {
  for (const ticks after : {ticks(1ns), ticks(7ms), ticks(8ms), ticks(8ms + 1ns), ticks(511ms), ticks(512ms), ticks(5s),
                            ticks(33s), ticks(36min), ticks(40h), ticks(24h * 365)}) {
    timer_wheel wheel(start);
    probe p;
    wheel.schedule(p, start + after);
    tick now = start;
    const int steps = run_until(wheel, now, start + after + granule);
    EXPECT_EQ(p.calls, 1);
    EXPECT_GE(p.at, start + after);
    EXPECT_LE(p.at, start + after + granule);
    EXPECT_LE(steps, after <= 500ms ? 2 : 10) << "a lonely far timer may wake the loop once a level, not once a round";
    EXPECT_EQ(wheel.next_due(), no_deadline);
  }
}

TEST(timer_wheel, what_is_overdue_when_scheduled_comes_within_a_granule) {
  timer_wheel wheel(start);
  probe p;
  wheel.schedule(p, start - 1h);
  EXPECT_LE(wheel.next_due(), start + granule);
  wheel.expire(start + granule);
  EXPECT_EQ(p.calls, 1);
}

TEST(timer_wheel, an_earlier_place_is_kept_and_a_later_one_is_left) {
  timer_wheel wheel(start);
  probe p;
  wheel.schedule(p, start + 1s);
  wheel.schedule(p, start + 5s);  // Stays: comes early.
  wheel.schedule(p, no_deadline);
  wheel.expire(start + 1s);
  EXPECT_EQ(p.calls, 1);
  wheel.schedule(p, start + 9s);
  wheel.schedule(p, start + 2s);  // Earlier: moves.
  wheel.expire(start + 2s);
  EXPECT_EQ(p.calls, 2);
  wheel.expire(start + 1h);
  EXPECT_EQ(p.calls, 2);
}

TEST(timer_wheel, no_deadline_schedules_nothing) {
  timer_wheel wheel(start);
  probe p;
  wheel.schedule(p, no_deadline);
  EXPECT_EQ(wheel.next_due(), no_deadline);
  wheel.expire(start + 1000h);
  EXPECT_EQ(p.calls, 0);
}

// I3: the wheel knows no calendar. A jump of a day, such as after a suspend, takes one call and wakes everybody once.
TEST(timer_wheel, a_jump_of_a_day_wakes_everyone_once) {
  timer_wheel wheel(start);
  std::vector<std::unique_ptr<probe>> probes;
  for (int i = 0; i < 1000; ++i) {
    probes.push_back(std::make_unique<probe>());
    wheel.schedule(*probes.back(), start + i * 60s);
  }
  wheel.expire(start + 24h);
  for (const auto& p : probes)
    EXPECT_EQ(p->calls, 1);
  EXPECT_EQ(wheel.next_due(), no_deadline);
}

// A clock that stands or goes back, which a monotonic one does not, wakes nobody.
TEST(timer_wheel, time_that_does_not_advance_wakes_nobody) {
  timer_wheel wheel(start);
  probe p;
  wheel.schedule(p, start + 1s);
  wheel.expire(start);
  wheel.expire(start - 1h);
  wheel.expire(start + 999ms);
  wheel.expire(start + 500ms);
  EXPECT_EQ(p.calls, 0);
  wheel.expire(start + 1s);
  EXPECT_EQ(p.calls, 1);
}

// H6: a timer never fires for something that is gone or called off, also when it was due in the same turn.
TEST(timer_wheel, called_off_or_destroyed_by_one_that_is_due_with_it) {
  timer_wheel wheel(start);
  auto victim = std::make_unique<probe>();
  auto other = std::make_unique<probe>();
  const auto strike = [&](tick) {
    victim.reset();
    wheel.cancel(*other);
  };
  probe first(strike);
  probe last(strike);
  // Whatever the order of calls, one of the two strikes before or after its victims; none may be called afterwards.
  int calls_when_destroyed = 0;
  probe witness([&](tick) { calls_when_destroyed = other->calls; });
  wheel.schedule(first, start + 8ms);
  wheel.schedule(*victim, start + 16ms);
  wheel.schedule(*other, start + 16ms);
  wheel.expire(start + 8ms);
  EXPECT_EQ(victim, nullptr);
  wheel.schedule(witness, start + 1s);
  wheel.expire(start + 1h);
  EXPECT_EQ(calls_when_destroyed, 0);
  EXPECT_EQ(other->calls, 0);
}

TEST(timer_wheel, all_due_at_once_may_destroy_each_other) {
  timer_wheel wheel(start);
  std::vector<std::unique_ptr<probe>> probes(64);
  int calls = 0;
  for (auto& p : probes) {
    p = std::make_unique<probe>([&](tick) {
      ++calls;
      probes.clear();  // Itself included.
    });
    wheel.schedule(*p, start + 100ms);
  }
  wheel.expire(start + 100ms + granule);
  EXPECT_EQ(calls, 1);
  wheel.expire(start + 1h);
  EXPECT_EQ(calls, 1);
}

TEST(timer_wheel, scheduling_from_a_call_waits_for_a_later_turn) {
  timer_wheel wheel(start);
  probe* self = nullptr;
  probe p([&](tick now) { wheel.schedule(*self, now - 1s); });
  self = &p;
  wheel.schedule(p, start + 8ms);
  wheel.expire(start + 8ms);
  EXPECT_EQ(p.calls, 1);
  wheel.expire(start + 16ms);
  EXPECT_EQ(p.calls, 2);
}

TEST(timer_wheel, may_go_before_its_entries) {
  probe p;
  {
    timer_wheel wheel(start);
    wheel.schedule(p, start + 1s);
  }
  timer_wheel next(start);
  next.schedule(p, start + 2s);
  next.expire(start + 2s);
  EXPECT_EQ(p.calls, 1);
}

// A plain list that is searched from end to end.
class model {
 public:
  struct entry {
    bool scheduled = false;
    tick due{};
    tick since{};  // Nobody can be woken before it was asked for.
  };
  explicit model(std::size_t size) : entries(size) {}

  void schedule(std::size_t i, tick when, tick now) {
    if (entries[i].scheduled && entries[i].due <= when) return;
    entries[i] = {true, when, now};
  }
  [[nodiscard]] tick earliest() const {
    tick first = no_deadline;
    for (const entry& e : entries)
      if (e.scheduled) first = std::min(first, e.due);
    return first;
  }
  std::vector<entry> entries;
};

class model_test : public ::testing::TestWithParam<unsigned> {};

// 10^5 random operations against the model: nothing early, nothing later than a granule, nothing twice, nothing lost.
TEST_P(model_test, agrees_under_random_schedules) {
  std::mt19937_64 random(GetParam());
  SCOPED_TRACE(GetParam());
  constexpr std::size_t size = 200;
  timer_wheel wheel(start);
  model expected(size);
  tick now = start;
  std::vector<std::unique_ptr<probe>> probes;
  for (std::size_t i = 0; i < size; ++i)
    probes.push_back(std::make_unique<probe>([&, i](tick at) {
      ASSERT_EQ(at, now);
      ASSERT_TRUE(expected.entries[i].scheduled) << "called twice, or after it was called off";
      ASSERT_LE(expected.entries[i].due, at) << "called early";
      expected.entries[i].scheduled = false;
    }));

  const auto random_ticks = [&] {
    // Every magnitude from a nanosecond to months is as likely.
    return ticks(static_cast<ticks::rep>(random() >> (11 + random() % 52)));
  };
  for (int operation = 0; operation < 100'000 && !HasFatalFailure(); ++operation) {
    const std::size_t i = random() % size;
    switch (random() % 8) {
      case 0:
        wheel.cancel(*probes[i]);
        expected.entries[i].scheduled = false;
        break;
      case 1:
        now += random_ticks() % ticks(random() % 64 == 0 ? ticks(1000h) : ticks(2s));
        wheel.expire(now);
        for (const auto& e : expected.entries)
          ASSERT_FALSE(e.scheduled && std::max(e.due, e.since) + granule <= now) << "forgotten";
        break;
      default: {
        const tick when = now + random_ticks() - ticks(1ms);
        wheel.schedule(*probes[i], when);
        expected.schedule(i, when, now);
      }
    }
    if (expected.earliest() != no_deadline) {
      ASSERT_LE(wheel.next_due(), std::max(expected.earliest(), now) + granule) << "the loop would sleep past it";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, model_test, ::testing::Values(1U, 2U, 3U));

}  // namespace
