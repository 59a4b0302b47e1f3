// Busy polling: how often the system is asked before the loop blocks, and that nothing waits because of it. Each look
// takes a microsecond of a clock that the tests move.

#include "net/loop.h"
#include "support/fake_driver.h"
#include "support/recorder.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <thread>

namespace hawser::test {
namespace {

using net::loop;
using namespace std::chrono_literals;

// Says how often it was read.
class counting_clock final : public net::clock_source {
 public:
  tick now() noexcept override {
    ++reads;
    return clock_source::now();
  }
  int reads = 0;
};

class alarm_bell final : public net::timed {
 public:
  void on_timer(tick now) override {
    ++rung;
    at = now;
  }
  int rung = 0;
  tick at{};
};

class busy_poll : public ::testing::Test {
 protected:
  static constexpr ticks far = 1h;

  void make(ticks how_long) {
    loop_ = make_fake_loop(clock_, how_long);
    const auto [ours, theirs] = io().make_pair();
    peer_ = theirs;
    heard_ = std::make_unique<recorder>(*loop_, ours);
  }
  [[nodiscard]] fake_driver& io() const { return fake_driver::of(*loop_); }
  void send(std::string_view what) { io().put(peer_, as_bytes(what)); }
  [[nodiscard]] std::uint64_t waits() const { return io().calls().waits; }
  [[nodiscard]] std::uint64_t wakes() const { return io().calls().wakes; }

  /// One batch. When it does not block it takes a microsecond.
  void look() {
    clock_.advance(1us);
    loop_->run_once(clock_.now() + far);
  }
  /// Batches until one blocks: how often the system was asked in vain before.
  std::uint64_t polls_until_it_blocks() {
    for (std::uint64_t polls = 0; polls < 100'000; ++polls) {
      const tick before = loop_->now();
      look();
      if (loop_->now() >= before + far) return polls;
    }
    return 100'000;
  }

  manual_clock clock_;
  std::unique_ptr<loop> loop_;
  std::unique_ptr<recorder> heard_;
  int peer_ = -1;
};

TEST_F(busy_poll, is_off_by_default_the_first_wait_after_an_event_blocks) {
  make({});
  EXPECT_EQ(net::loop_options().busy_poll, ticks::zero());
  send("hello");
  look();
  EXPECT_EQ(heard_->received, "hello");
  const std::uint64_t before = waits();
  EXPECT_EQ(polls_until_it_blocks(), 0U);
  EXPECT_EQ(waits(), before + 1);
}

TEST_F(busy_poll, below_zero_is_off) {
  make(-1s);
  send("hello");
  look();
  EXPECT_EQ(polls_until_it_blocks(), 0U);
}

TEST_F(busy_poll, does_not_begin_before_something_came) {
  make(50us);
  EXPECT_EQ(polls_until_it_blocks(), 0U);
}

TEST_F(busy_poll, after_an_event_the_system_is_asked_until_the_time_is_over) {
  make(50us);
  send("hello");
  look();
  EXPECT_EQ(heard_->received, "hello");
  // The first look in vain begins the time.
  EXPECT_EQ(polls_until_it_blocks(), 51U);
  EXPECT_EQ(polls_until_it_blocks(), 0U) << "once it has blocked it blocks until something comes";
}

TEST_F(busy_poll, each_event_begins_the_time_anew) {
  make(50us);
  for (int i = 0; i < 10; ++i) {
    send("x");
    for (int batches = 0; batches < 40; ++batches)
      look();
  }
  EXPECT_EQ(heard_->received, "xxxxxxxxxx");
  EXPECT_EQ(polls_until_it_blocks(), 51U - 39U);
}

TEST_F(busy_poll, what_comes_while_it_polls_is_heard_at_the_next_look) {
  make(50us);
  send("a");
  look();
  look();
  send("b");
  look();
  EXPECT_EQ(heard_->received, "ab");
}

// Only then is it possible that messages which take longer than the time are followed by any polling at all.
TEST_F(busy_poll, the_work_of_a_batch_does_not_count_as_waiting) {
  make(50us);
  send("x");
  loop_->post([this] { clock_.advance(10ms); });
  look();
  EXPECT_EQ(polls_until_it_blocks(), 51U);
}

TEST(busy_poll_clock, is_read_once_a_look) {
  counting_clock clock;
  net::loop_options options;
  options.busy_poll = ticks::max();
  options.clock = &clock;
  const std::unique_ptr<loop> l = std::move(loop::create(options)).value();
  l->post([] {});
  l->run_once(no_deadline);
  const int before = clock.reads;
  for (int i = 0; i < 20; ++i)
    l->run_once(no_deadline);
  EXPECT_EQ(clock.reads - before, 20);
}

TEST_F(busy_poll, timers_come_while_it_polls) {
  make(ticks::max());
  alarm_bell bell;
  send("hello");
  look();
  const tick due = loop_->now() + 20ms;
  loop_->timers().schedule(bell, due);
  const std::uint64_t before = waits();
  while (bell.rung == 0 && waits() < before + 100'000)
    look();
  EXPECT_EQ(bell.rung, 1);
  EXPECT_GE(bell.at, due);
  EXPECT_LE(bell.at, due + net::timer_wheel::granule + 1us);
  EXPECT_GE(waits() - before, 20'000U) << "it asked the system all the time";
}

TEST_F(busy_poll, the_longest_duration_means_for_ever) {
  make(ticks::max());
  send("hello");
  EXPECT_EQ(polls_until_it_blocks(), 100'000U);
}

TEST_F(busy_poll, posted_calls_are_seen_without_a_wake_up_while_it_polls_and_with_one_when_it_blocks) {
  make(50us);
  int calls = 0;
  const auto call = [&calls] { ++calls; };
  loop_->post(call);
  EXPECT_EQ(wakes(), 1U) << "it has nothing to poll for yet";
  look();
  EXPECT_EQ(calls, 1);
  look();
  loop_->post(call);
  EXPECT_EQ(wakes(), 1U) << "it polls, since that call came";
  look();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(polls_until_it_blocks(), 51U) << "a posted call is something that came";
  loop_->post(call);
  EXPECT_EQ(wakes(), 2U);
  look();
  EXPECT_EQ(calls, 3);
}

TEST_F(busy_poll, without_it_each_posted_call_wakes_the_loop) {
  make({});
  for (std::uint64_t i = 1; i <= 5; ++i) {
    loop_->post([] {});
    EXPECT_EQ(wakes(), i);
    look();
  }
}

// The watchdog of this one is the whole program's: a call that is lost is waited for in vain.
TEST(busy_poll_threads, no_call_is_lost_between_the_last_look_and_the_wait) {
  for (const ticks how_long : {ticks(1ns), ticks(1us), ticks(100us), ticks::max()}) {
    net::loop_options options;
    options.busy_poll = how_long;
    const std::unique_ptr<loop> l = std::move(loop::create(options)).value();
    std::thread runs([&l] { EXPECT_TRUE(l->run()); });
    std::atomic<int> called{0};
    for (int i = 1; i <= 5000; ++i) {
      l->post([&called] {
        called.fetch_add(1);
        called.notify_one();
      });
      for (int now = called.load(); now < i; now = called.load())
        called.wait(now);
      // Of all moments, the one in which it is about to block is to be met too.
      for (int spin = 0; spin < i % 4096; ++spin)
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    l->stop();
    runs.join();
    EXPECT_EQ(called.load(), 5000);
  }
}

TEST(busy_poll_threads, a_loop_that_polls_for_ever_stops) {
  net::loop_options options;
  options.busy_poll = ticks::max();
  const std::unique_ptr<loop> l = std::move(loop::create(options)).value();
  std::atomic<bool> runs{false};
  std::thread other([&l, &runs] {
    runs.wait(false);
    l->stop();
  });
  l->post([&runs] {
    runs = true;
    runs.notify_one();
  });
  EXPECT_TRUE(l->run());
  other.join();
}

}  // namespace
}  // namespace hawser::test
