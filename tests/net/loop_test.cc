#include "net/loop.h"

#include "support/manual_clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using hawser::errc;
using hawser::tick;
using hawser::net::dirty;
using hawser::net::loop;
using hawser::net::loop_options;
using hawser::net::mortal;
using namespace std::chrono_literals;

std::unique_ptr<loop> make_loop() { return std::move(loop::create()).value(); }

class item final : public dirty {
 public:
  explicit item(std::function<void()> flushed) : flushed_(std::move(flushed)) {}
  void on_batch_end() override { flushed_(); }

 private:
  std::function<void()> flushed_;
};

class body final : public mortal {
 public:
  explicit body(std::function<void()> died) : died_(std::move(died)) {}
  ~body() override { died_(); }

 private:
  std::function<void()> died_;
};

TEST(loop, is_current_only_while_it_runs_and_on_its_thread) {
  auto l = make_loop();
  EXPECT_EQ(loop::current(), nullptr);
  EXPECT_TRUE(l->on_own_thread()) << "anybody's while it does not run";
  bool inside = false;
  l->post([&] {
    EXPECT_EQ(loop::current(), l.get());
    EXPECT_TRUE(l->on_own_thread());
    std::thread([&] {
      EXPECT_EQ(loop::current(), nullptr);
      EXPECT_FALSE(l->on_own_thread());
    }).join();
    inside = true;
    l->stop();
  });
  EXPECT_TRUE(l->run());
  EXPECT_TRUE(inside);
  EXPECT_EQ(loop::current(), nullptr);
}

TEST(loop, running_twice_is_refused) {
  auto l = make_loop();
  l->post([&] {
    EXPECT_EQ(l->run().error(), errc::wrong_state);
    l->run_once(hawser::no_deadline);  // Returns at once: it is inside a batch already.
    std::thread([&] { EXPECT_EQ(l->run().error(), errc::wrong_state); }).join();
    l->stop();
  });
  EXPECT_TRUE(l->run());
}

TEST(loop, may_run_again_after_a_stop) {
  auto l = make_loop();
  for (int i = 0; i < 3; ++i) {
    l->post([&] { l->stop(); });
    EXPECT_TRUE(l->run());
  }
}

TEST(loop, a_stop_before_the_run_counts_once_and_calls_what_was_posted) {
  auto l = make_loop();
  int calls = 0;
  l->post([&] { ++calls; });
  l->stop();
  l->stop();
  EXPECT_TRUE(l->run());
  EXPECT_EQ(calls, 1);
}

TEST(loop, what_was_posted_before_a_stop_from_another_thread_is_called) {
  for (int round = 0; round < 200; ++round) {
    auto l = make_loop();
    bool called = false;
    std::thread other([&] {
      l->post([&] { called = true; });
      l->stop();
    });
    EXPECT_TRUE(l->run());
    other.join();
    EXPECT_TRUE(called);
  }
}

class counting_bell final : public hawser::net::bell {
 public:
  explicit counting_bell(std::function<void()> rung) : rung_(std::move(rung)) {}
  void on_ring() override { rung_(); }

 private:
  std::function<void()> rung_;
};

TEST(loop, a_bell_rings_once_behind_what_was_posted_before_and_may_be_rung_again) {
  std::string seen;
  counting_bell one([&] { seen += "one "; });
  counting_bell other([&] { seen += "other "; });
  const auto l = make_loop();
  l->post([&] { seen += "first "; });
  l->ring(one);
  l->ring(one);
  l->post([&] { seen += "second "; });
  l->run_once(tick{});
  EXPECT_EQ(seen, "first second one ");
  l->run_once(tick{});
  EXPECT_EQ(seen, "first second one ");
  seen.clear();
  l->ring(one);
  l->ring(other);
  l->run_once(tick{});
  EXPECT_EQ(seen.size(), std::string("one other ").size());
  EXPECT_NE(seen.find("one "), std::string::npos);
  EXPECT_NE(seen.find("other "), std::string::npos);
}

TEST(loop, a_bell_wakes_the_loop_from_any_thread) {
  loop* running = nullptr;
  std::atomic<int> rings{0};
  counting_bell stop([&] {
    ++rings;
    running->stop();
  });
  const auto l = make_loop();
  running = l.get();
  std::vector<std::thread> ringing;
  for (int t = 0; t < 4; ++t)
    ringing.emplace_back([&] { l->ring(stop); });
  ASSERT_TRUE(l->run());
  for (auto& t : ringing)
    t.join();
  EXPECT_GE(rings, 1);
  EXPECT_LE(rings, 4);
}

TEST(loop, what_is_rung_when_the_loop_goes_is_not_called) {
  counting_bell never([] { FAIL(); });
  const auto l = make_loop();
  l->ring(never);
}

TEST(loop, posted_calls_keep_their_order_and_may_post_more) {
  auto l = make_loop();
  std::vector<int> seen;
  l->post([&] {
    seen.push_back(1);
    l->post([&] {
      seen.push_back(3);
      l->stop();
    });
  });
  l->post([&] { seen.push_back(2); });
  EXPECT_TRUE(l->run());
  EXPECT_EQ(seen, (std::vector{1, 2, 3}));
}

TEST(loop, a_million_calls_from_four_threads_all_arrive_in_each_threads_order) {
  auto l = make_loop();
  constexpr int threads = 4;
  constexpr int each = 250'000;
  std::vector<int> next(threads);
  int left = threads * each;
  std::vector<std::thread> posting;
  for (int t = 0; t < threads; ++t)
    posting.emplace_back([&, t] {
      for (int i = 0; i < each; ++i)
        l->post([&, t, i] {
          EXPECT_EQ(next[static_cast<std::size_t>(t)]++, i);
          if (--left == 0) l->stop();
        });
    });
  EXPECT_TRUE(l->run());
  for (auto& t : posting)
    t.join();
  EXPECT_EQ(left, 0);
}

TEST(loop, wakes_once_a_batch_however_much_is_posted) {
  auto l = make_loop();
  std::thread([&] {
    for (int i = 0; i < 1000; ++i)
      l->post([] {});
  }).join();
  EXPECT_EQ(l->io().calls().wakes, 1U);
  l->run_once(l->now());
  EXPECT_EQ(l->io().calls().waits, 1U);
  std::thread([&] { l->post([] {}); }).join();
  EXPECT_EQ(l->io().calls().wakes, 2U);
  l->run_once(l->now());
  // And what woke it once does not go on to.
  const tick deadline = l->refresh_now() + 20ms;
  l->run_once(deadline);
  EXPECT_GE(l->now(), deadline);
}

TEST(loop, a_post_from_its_own_batch_needs_no_wake) {
  auto l = make_loop();
  int calls = 0;
  l->post([&] {
    for (int i = 0; i < 10; ++i)
      l->post([&] { ++calls; });
  });
  const std::uint64_t before = l->io().calls().wakes;
  l->run_once(l->now());
  l->run_once(hawser::no_deadline);  // Would hang if the calls were not looked for before the wait.
  EXPECT_EQ(calls, 10);
  EXPECT_EQ(l->io().calls().wakes, before);
}

// A call that posts another one when it is destroyed, `left` times over.
class posts_when_destroyed {
 public:
  posts_when_destroyed(loop& l, bool& called, std::shared_ptr<int> token, int left)
      : loop_(&l), called_(&called), token_(std::move(token)), left_(left) {}
  posts_when_destroyed(posts_when_destroyed&&) = default;
  posts_when_destroyed& operator=(posts_when_destroyed&&) = default;
  ~posts_when_destroyed() {
    if (token_ && left_ > 0) loop_->post(posts_when_destroyed(*loop_, *called_, token_, left_ - 1));
  }
  void operator()() const { *called_ = true; }

 private:
  loop* loop_;
  bool* called_;
  std::shared_ptr<int> token_;
  int left_;
};

TEST(loop, calls_still_queued_are_destroyed_uncalled_and_theirs_too) {
  auto l = make_loop();
  bool called = false;
  auto token = std::make_shared<int>(0);
  l->post(posts_when_destroyed(*l, called, token, 100));
  EXPECT_EQ(token.use_count(), 2);
  l.reset();
  EXPECT_FALSE(called);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(loop, the_dirty_are_flushed_in_order_once_and_may_mark_others) {
  auto l = make_loop();
  std::vector<int> seen;
  item third([&] { seen.push_back(3); });
  item second([&] {
    seen.push_back(2);
    l->mark_dirty(third);
  });
  item first([&] { seen.push_back(1); });
  l->post([&] {
    l->mark_dirty(first);
    l->mark_dirty(second);
    l->mark_dirty(first);
    seen.push_back(0);
  });
  l->run_once(l->now());
  EXPECT_EQ(seen, (std::vector{0, 1, 2, 3}));
  l->run_once(l->now());
  EXPECT_EQ(seen.size(), 4U);
}

TEST(loop, what_is_marked_outside_a_batch_is_not_slept_on) {
  auto l = make_loop();
  int flushed = 0;
  item one([&] { ++flushed; });
  l->mark_dirty(one);
  l->run_once(hawser::no_deadline);
  EXPECT_EQ(flushed, 1);
}

TEST(loop, forgets_a_dirty_item_wherever_it_stands) {
  for (int gone = 0; gone < 4; ++gone) {
    auto l = make_loop();
    std::multiset<int> seen;
    item a([&] { seen.insert(0); });
    item b([&] { seen.insert(1); });
    item c([&] { seen.insert(2); });
    item* const items[] = {&a, &b, &c};
    for (item* i : items)
      l->mark_dirty(*i);
    if (gone < 3) l->forget(*items[gone]);
    item d([&] { seen.insert(9); });
    l->mark_dirty(d);
    l->run_once(l->now());
    EXPECT_EQ(seen.size(), gone < 3 ? 3U : 4U);
    EXPECT_EQ(seen.count(gone), 0U);
    EXPECT_EQ(seen.count(9), 1U);
    l->forget(d);  // Not in the list: nothing happens.
  }
}

TEST(loop, the_dead_go_after_the_last_flush_and_take_others_along) {
  auto l = make_loop();
  std::vector<std::string> seen;
  item late([&] { seen.emplace_back("flush after a death"); });
  item flush([&] { seen.emplace_back("flush"); });
  l->post([&] {
    l->bury(std::make_unique<body>([&] {
      seen.emplace_back("death");
      l->mark_dirty(late);
      l->bury(std::make_unique<body>([&] { seen.emplace_back("death of a death"); }));
    }));
    l->mark_dirty(flush);
    seen.emplace_back("call");
  });
  l->run_once(l->now());
  EXPECT_EQ(seen, (std::vector<std::string>{"call", "flush", "death", "flush after a death", "death of a death"}));
}

TEST(loop, its_end_takes_the_dead_with_it) {
  auto l = make_loop();
  int deaths = 0;
  l->bury(std::make_unique<body>([&] { ++deaths; }));
  l.reset();
  EXPECT_EQ(deaths, 1);
}

TEST(loop, the_clock_is_read_once_a_batch) {
  class counting_clock final : public hawser::test::manual_clock {
   public:
    tick now() noexcept override {
      ++reads;
      return manual_clock::now();
    }
    int reads = 0;
  };
  counting_clock clock;
  loop_options options;
  options.clock = &clock;
  auto l = std::move(loop::create(options)).value();
  clock.reads = 0;
  for (int i = 0; i < 5; ++i)
    l->post([&] { EXPECT_EQ(l->now(), tick(24h)); });
  l->run_once(l->now());
  EXPECT_EQ(clock.reads, 1);
  clock.advance(1s);
  EXPECT_EQ(l->now(), tick(24h));
  EXPECT_EQ(l->refresh_now(), tick(24h) + 1s);
  EXPECT_EQ(l->now(), tick(24h) + 1s);
}

TEST(loop, a_timer_wakes_it) {
  class waker final : public hawser::net::timed {
   public:
    explicit waker(loop& l) : loop_(l) {}
    void on_timer(tick now) override {
      at = now;
      loop_.stop();
    }
    tick at{};

   private:
    loop& loop_;
  };
  auto l = make_loop();
  waker w(*l);
  const tick due = l->refresh_now() + 20ms;
  l->timers().schedule(w, due);
  EXPECT_TRUE(l->run());
  EXPECT_GE(w.at, due);
  EXPECT_LE(l->io().calls().waits, 3U) << "it slept, it did not ask over and over";
}

TEST(loop, the_receive_area_has_writable_bytes_in_front) {
  auto l = make_loop();
  const hawser::byte_span area = l->receive_area();
  EXPECT_EQ(area.size(), 512U * 1024);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(area.data()) % 64, 0U);
  for (std::size_t i = 1; i <= loop::area_headroom; ++i)
    area.data()[-static_cast<std::ptrdiff_t>(i)] = std::byte{1};
  area.back() = std::byte{1};
}

}  // namespace
