// The fake driver's own promises: a test that stands on it must be able to trust it.

#include "support/fake_driver.h"

#include "support/recorder.h"
#include "support/seeded_random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hawser::test {
namespace {

using net::address;
using namespace std::chrono_literals;

class fake : public ::testing::Test {
 protected:
  fake_driver& io() { return fake_driver::of(*l_); }
  void settle() {
    for (int i = 0; i < 1000 && !io().idle(); ++i)
      l_->run_once(no_deadline);
    l_->run_once(l_->now());
    EXPECT_TRUE(io().idle());
  }

  manual_clock clock_;
  std::unique_ptr<net::loop> l_ = make_fake_loop(clock_);
};

TEST_F(fake, time_moves_only_to_what_comes_next) {
  const tick start = l_->now();
  io().script.lateness = [] { return ticks(5s); };
  const auto [mine, own] = io().make_pair();
  recorder r(*l_, mine);
  io().put(own, as_bytes("late"));
  l_->run_once(start + 1s);
  EXPECT_EQ(l_->now(), start + 1s);
  EXPECT_EQ(r.received, "");
  l_->run_once(no_deadline);
  EXPECT_EQ(l_->now(), start + 5s);
  EXPECT_EQ(r.received, "late");
}

TEST_F(fake, the_tests_own_end_speaks_and_listens) {
  const auto [mine, own] = io().make_pair();
  recorder r(*l_, mine);
  r.send("question");
  EXPECT_EQ(io().take(own), "question");
  EXPECT_EQ(io().take(own), "");
  io().put(own, as_bytes("answer"));
  io().finish(own);
  settle();
  EXPECT_EQ(r.received, "answer");
  EXPECT_EQ(r.events, "re");
  EXPECT_FALSE(io().ended(own));
  r.close();
  EXPECT_TRUE(io().ended(own));
  EXPECT_FALSE(io().broken(own));
  io().hang_up(own, false);
  EXPECT_EQ(io().open_handles(), 0U);
}

TEST_F(fake, both_kinds_of_the_end_reach_either_side) {
  {
    const auto [mine, own] = io().make_pair();
    recorder r(*l_, mine);
    io().hang_up(own, true);
    settle();
    EXPECT_EQ(r.events, "x");
    EXPECT_EQ(r.error, errc::connection_lost);
  }
  const auto [mine, own] = io().make_pair();
  recorder r(*l_, mine);
  r.close(true);
  EXPECT_TRUE(io().broken(own));
}

// Late completions of a closed stream go nowhere; the memory that they own lives until they come.
TEST_F(fake, completions_after_a_close_are_swallowed) {
  io().script.lateness = [] { return ticks(1s); };
  io().script.late_writes = true;
  const auto [mine, own] = io().make_pair();
  auto r = std::make_unique<recorder>(*l_, mine);
  buffer into = l_->pool().take(100);
  buffer held = into;
  io().read_into(*r, std::move(into), 0, 100);
  io().put(own, as_bytes("x"));
  r->send("y");
  r.reset();
  EXPECT_EQ(io().swallowed(), 0U);
  EXPECT_FALSE(held.sole_owner()) << "the operation owns its buffer until it completes";
  settle();
  EXPECT_EQ(io().swallowed(), 2U);
  EXPECT_TRUE(held.sole_owner());
  EXPECT_EQ(held.data()[99], std::byte{0xAA}) << "written to after the close, as a kernel may";
  EXPECT_EQ(io().take(own), "y") << "what the system took goes out all the same";
}

TEST_F(fake, streams_overtake_each_other_but_never_themselves) {
  seeded_random random(7);
  io().script.lateness = [&] { return ticks(static_cast<ticks::rep>(random.below(1'000'000))); };
  io().script.receive_size = [&] { return random.between(1, 3); };
  std::string order;
  std::vector<std::unique_ptr<recorder>> streams;
  std::vector<int> own;
  for (char name = 'a'; name < 'i'; ++name) {
    const auto [mine, other] = io().make_pair();
    own.push_back(other);
    streams.push_back(std::make_unique<recorder>(*l_, mine));
    streams.back()->when_received = [&, name](byte_span) { order += name; };
  }
  for (int round = 0; round < 20; ++round)
    for (const int o : own)
      io().put(o, as_bytes("0123456789"));
  settle();
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::string expected;
  for (int round = 0; round < 20; ++round)
    expected += "0123456789";
  for (const auto& s : streams)
    EXPECT_EQ(s->received, expected);
}

TEST_F(fake, writes_are_as_short_as_the_script_wants) {
  io().script.write_size = [] { return std::size_t{3}; };
  const auto [mine, own] = io().make_pair();
  recorder r(*l_, mine);
  r.send("0123456789");
  EXPECT_EQ(r.kept, "3456789");
  settle();
  EXPECT_EQ(io().take(own), "0123456789");
  EXPECT_EQ(r.events, "www");
}

TEST_F(fake, a_late_write_takes_nothing_at_once_and_says_later_how_much) {
  io().script.late_writes = true;
  io().script.write_size = [] { return std::size_t{6}; };
  const auto [mine, own] = io().make_pair();
  recorder r(*l_, mine);
  r.send("0123456789");
  EXPECT_EQ(r.kept.size(), 10U);
  EXPECT_EQ(io().take(own), "");
  settle();
  EXPECT_EQ(r.events, "ww");
  EXPECT_EQ(r.kept, "");
  EXPECT_EQ(io().take(own), "0123456789");
}

TEST_F(fake, a_full_way_makes_the_writer_wait_until_the_peer_takes) {
  io().script.room = 4;
  const auto [mine, own] = io().make_pair();
  recorder r(*l_, mine);
  r.send("0123456789");
  settle();
  EXPECT_TRUE(r.waiting);
  EXPECT_EQ(r.events, "");
  EXPECT_EQ(io().take(own), "0123");
  settle();
  EXPECT_EQ(io().take(own), "4567");
  settle();
  EXPECT_EQ(io().take(own), "89");
  EXPECT_FALSE(r.waiting);
}

TEST_F(fake, blocks_until_it_is_woken_when_there_is_nothing_to_wait_for) {
  std::thread other([&] { l_->post([&] { l_->stop(); }); });
  EXPECT_TRUE(l_->run());
  other.join();
}

TEST_F(fake, a_listener_that_stops_takes_nobody_any_more) {
  class host final : public net::acceptor {
   public:
    void on_accepted(int, const address&) override { ADD_FAILURE(); }
  } server;
  address bound;
  ASSERT_EQ(io().listen(server, address::parse("127.0.0.1:0").value(), {}, bound), errc::ok);
  recorder client(*l_);
  ASSERT_EQ(io().connect(client, bound), errc::ok);
  io().stop_listening(server);
  settle();
  io().start_reading(client);
  settle();
  EXPECT_EQ(client.events, "cx");
}

// A request and its answer in pieces, with every operation failing in turn: each failure is heard, at least by one of
// the two, nothing hangs, and nothing is left open.
TEST_F(fake, the_nth_operation_fails_for_every_n) {
  std::uint64_t n = 0;
  for (bool passed = false; !passed; ++n) {
    ASSERT_LT(n, 200U);
    const std::uint64_t before = io().operations();
    io().script.fail_at = before + n + 1;
    io().script.write_size = [] { return std::size_t{7}; };
    io().script.receive_size = [] { return std::size_t{5}; };
    const auto [one, two] = io().make_pair();
    recorder client(*l_, one);
    recorder server(*l_, two);
    server.when_received = [&](byte_span) {
      if (server.received.size() == 30) server.send(std::string(40, 'a'));
    };
    for (recorder* r : {&client, &server})
      r->when_error = [r] { r->close(); };
    client.send(std::string(30, 'q'));
    settle();
    passed = client.received.size() == 40;
    const bool heard = client.error != errc::ok || server.error != errc::ok || client.write_error != errc::ok ||
                       server.write_error != errc::ok;
    EXPECT_NE(passed, heard) << "operation " << n + 1;
    EXPECT_EQ(passed, io().operations() < io().script.fail_at) << "operation " << n + 1;
    client.close();
    server.close();
    settle();
    EXPECT_EQ(io().open_handles(), 0U);
  }
  EXPECT_GT(n, 20U) << "the sweep must have met something";
}

}  // namespace
}  // namespace hawser::test
