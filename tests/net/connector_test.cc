#include "net/connector.h"

#include "support/fake_driver.h"
#include "support/recorder.h"
#include "support/resolver_stand_in.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hawser::test {
namespace {

using net::address;
using net::connector;
using namespace std::chrono_literals;

address at(const std::string& text) { return address::parse(text).value(); }

// Connects by rules that a test sets, in virtual time, and writes down when each address was tried.
class connecting : public ::testing::Test, public net::acceptor {
 protected:
  connecting() {
    io().script.connect_to_nobody = [this](const address& to) {
      tried_.push_back(to.host() + "@" + std::to_string((l_->now() - start_) / 1ms));
      return rule_(to);
    };
  }
  ~connecting() override { io().stop_listening(*this); }

  fake_driver& io() { return fake_driver::of(*l_); }
  void listen(const std::string& text) {
    address bound;
    ASSERT_EQ(io().listen(*this, at(text), {}, bound), errc::ok);
  }
  void on_accepted(int handle, const address&) override { accepted_.push_back(handle); }

  connector::answer note() {
    return [this](result<int> handle, const address& peer) {
      ++answers_;
      peer_ = peer;
      answered_ = l_->now() - start_;
      if (handle)
        handle_ = *handle;
      else
        error_ = to_errc(handle.error());
    };
  }
  std::unique_ptr<connector> begin(const std::vector<std::string>& to, ticks deadline = 30s) {
    std::vector<address> addresses;
    for (const std::string& each : to)
      addresses.push_back(at(each));
    auto made = std::make_unique<connector>(*l_, std::move(addresses), start_ + deadline, note());
    EXPECT_EQ(answers_, 0) << "within the call";
    return made;
  }
  // Until it has answered; at most a virtual hour.
  void run() {
    while (answers_ == 0 && l_->now() < start_ + 1h)
      l_->run_once(start_ + 1h);
  }

  manual_clock clock_;
  std::unique_ptr<net::loop> l_ = make_fake_loop(clock_);
  tick start_ = l_->now();
  std::function<errc(const address&)> rule_ = [](const address&) { return errc::connection_refused; };
  std::vector<std::string> tried_;
  std::vector<int> accepted_;
  int answers_ = 0;
  std::optional<int> handle_;
  errc error_ = errc::ok;
  address peer_;
  ticks answered_{};
};

TEST_F(connecting, delivers_a_handle_that_another_stream_adopts) {
  listen("127.0.0.1:9001");
  const auto c = begin({"127.0.0.1:9001"});
  run();
  ASSERT_TRUE(handle_);
  EXPECT_EQ(peer_, at("127.0.0.1:9001"));
  recorder client(*l_, *handle_);
  while (accepted_.empty())
    l_->run_once(l_->now());
  recorder server(*l_, accepted_[0]);
  client.send("hello");
  for (int i = 0; i < 5; ++i)
    l_->run_once(l_->now());
  EXPECT_EQ(server.received, "hello");
}

TEST_F(connecting, a_refused_address_gives_way_to_the_next_at_once) {
  listen("127.0.0.3:1");
  const auto c = begin({"127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1"});
  run();
  ASSERT_TRUE(handle_);
  EXPECT_EQ(peer_, at("127.0.0.3:1"));
  EXPECT_EQ(tried_, (std::vector<std::string>{"127.0.0.1@0", "127.0.0.2@0"}));
  EXPECT_LT(answered_, connector::head_start);
  io().discard(*handle_);
}

// RFC 8305, 5: one that does not answer does not hold up the others, and is not given up for them.
TEST_F(connecting, a_silent_address_has_a_head_start_only) {
  rule_ = [](const address&) { return errc::ok; };
  listen("127.0.0.3:1");
  const auto c = begin({"127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1"});
  run();
  ASSERT_TRUE(handle_);
  EXPECT_EQ(peer_, at("127.0.0.3:1"));
  ASSERT_EQ(tried_.size(), 2U);
  EXPECT_EQ(tried_[0], "127.0.0.1@0");
  EXPECT_GE(answered_, 2 * connector::head_start);
  EXPECT_LE(answered_, 2 * connector::head_start + 20ms);
  for (int i = 0; i < 5; ++i)
    l_->run_once(l_->now());
  EXPECT_EQ(io().open_handles(), 2U) << "the losers are closed";
  io().discard(*handle_);
}

TEST_F(connecting, the_first_address_may_still_win_late) {
  // Answers after the second was begun.
  int connects = 0;
  io().script.lateness = [&] { return ++connects == 1 ? ticks(400ms) : ticks(10s); };
  listen("127.0.0.1:1");
  const auto c = begin({"127.0.0.1:1", "127.0.0.2:1"});
  run();
  ASSERT_TRUE(handle_);
  EXPECT_EQ(peer_, at("127.0.0.1:1"));
  EXPECT_EQ(tried_.size(), 1U);
  io().discard(*handle_);
}

// RFC 8305, 4.
TEST_F(connecting, families_take_turns) {
  const auto c = begin({"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "10.0.0.1:1", "10.0.0.2:1"});
  run();
  EXPECT_EQ(error_, errc::connection_refused);
  EXPECT_EQ(tried_,
            (std::vector<std::string>{"2001:db8::1@0", "10.0.0.1@0", "2001:db8::2@0", "10.0.0.2@0", "2001:db8::3@0"}));
}

TEST_F(connecting, the_deadline_holds_for_all_of_them_together) {
  rule_ = [](const address&) { return errc::ok; };
  const auto c = begin({"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}, 2s);
  run();
  EXPECT_EQ(error_, errc::connect_timeout);
  EXPECT_EQ(peer_, at("10.0.0.1:1"));
  EXPECT_GE(answered_, 2s);
  EXPECT_LE(answered_, 2s + 10ms);
  EXPECT_EQ(io().open_handles(), 0U);
}

TEST_F(connecting, a_hundred_silent_addresses_are_tried_a_few_at_a_time) {
  std::size_t most = 0;
  rule_ = [&](const address&) {
    most = std::max(most, io().open_handles());
    return errc::ok;
  };
  std::vector<std::string> many;
  for (int i = 1; i <= 100; ++i)
    many.push_back("10.0.0." + std::to_string(i) + ":1");
  const auto c = begin(many, 60s);
  run();
  EXPECT_EQ(error_, errc::connect_timeout);
  EXPECT_EQ(tried_.size(), 100U);
  EXPECT_EQ(most, connector::max_attempts);
}

TEST_F(connecting, the_error_is_that_of_the_preferred_address) {
  rule_ = [](const address& to) { return to == at("10.0.0.1:1") ? errc::connection_refused : errc::connection_lost; };
  const auto c = begin({"10.0.0.1:1", "10.0.0.2:1"});
  run();
  EXPECT_EQ(error_, errc::connection_refused);
  EXPECT_EQ(peer_, at("10.0.0.1:1"));
}

// A machine without IPv6 still hears "refused" from the IPv4 address, not "unreachable".
TEST_F(connecting, an_unreachable_family_does_not_hide_what_the_other_answered) {
  rule_ = [](const address& to) {
    return to.family() == address::kind::ipv6 ? errc::unreachable : errc::connection_refused;
  };
  const auto c = begin({"[2001:db8::1]:1", "10.0.0.1:1", "[2001:db8::2]:1"});
  run();
  EXPECT_EQ(error_, errc::connection_refused);
  EXPECT_EQ(peer_, at("10.0.0.1:1"));
}

TEST_F(connecting, errors_within_the_call_are_answered_after_it) {
  io().script.fail_at = 1;
  io().script.fail_with = errc::out_of_resources;
  const auto c = begin({"10.0.0.1:1"});
  run();
  EXPECT_EQ(error_, errc::out_of_resources);
  EXPECT_EQ(answers_, 1);
}

TEST_F(connecting, no_address_at_all_is_a_name_without_one) {
  const auto c = begin({});
  run();
  EXPECT_EQ(error_, errc::name_not_found);
  EXPECT_EQ(peer_, address());
}

TEST_F(connecting, a_unix_socket_like_any_other) {
  listen("unix:@hawser");
  const auto c = begin({"unix:@hawser"});
  run();
  ASSERT_TRUE(handle_);
  EXPECT_EQ(peer_, at("unix:@hawser"));
  io().discard(*handle_);
}

// H2: gone at any moment means silence, and nothing stays open.
TEST_F(connecting, destroyed_at_any_moment_it_answers_nothing_and_leaves_nothing_open) {
  rule_ = [](const address& to) { return to == at("10.0.0.2:1") ? errc::connection_refused : errc::ok; };
  io().script.lateness = [] { return ticks(100ms); };
  for (ticks when{}; when < 1s; when += 10ms) {
    auto c = std::make_unique<connector>(*l_, std::vector{at("10.0.0.1:1"), at("10.0.0.2:1"), at("10.0.0.3:1")},
                                         l_->now() + 900ms, note());
    const tick end = l_->now() + when;
    while (l_->now() < end && answers_ == 0)
      l_->run_once(end);
    const int answers = answers_;
    c.reset();
    for (int i = 0; i < 3; ++i)
      l_->run_once(l_->now() + 1s);
    EXPECT_EQ(answers_, answers);
    EXPECT_EQ(answers != 0, when >= 910ms) << when / 1ms;
    EXPECT_EQ(io().open_handles(), 0U);
    answers_ = 0;
  }
}

TEST_F(connecting, may_be_destroyed_from_its_own_answer) {
  listen("127.0.0.1:9001");
  for (const char* to : {"127.0.0.1:9001", "10.0.0.1:1"}) {
    answers_ = 0;
    std::unique_ptr<connector> c;
    c = std::make_unique<connector>(*l_, std::vector{at(to)}, l_->now() + 1s,
                                    [&](const result<int>& handle, const address& peer) {
                                      c.reset();
                                      EXPECT_EQ(peer, at(to));
                                      if (handle) io().discard(*handle);
                                      ++answers_;
                                    });
    run();
    EXPECT_EQ(answers_, 1);
  }
}

// By name, over the real resolver's threads: the loop is a real one.
class connecting_by_name : public ::testing::Test {
 protected:
  bool run_until(const std::function<bool()>& done) {
    const tick watchdog = l_->refresh_now() + 20s;
    while (!done() && l_->now() < watchdog)
      l_->run_once(watchdog);
    return done();
  }
  std::unique_ptr<net::loop> l_ = std::move(net::loop::create()).value();
};

TEST_F(connecting_by_name, localhost_is_reached_on_either_family) {
  class one final : public net::acceptor {
   public:
    explicit one(net::loop& l) : loop_(l) {}
    void on_accepted(int handle, const address&) override { loop_.io().discard(handle); }

   private:
    net::loop& loop_;
  };
  for (const char* where : {"127.0.0.1:0", "[::1]:0"}) {
    one server(*l_);
    address bound;
    ASSERT_EQ(l_->io().listen(server, at(where), {}, bound), errc::ok);
    std::optional<result<int>> got;
    connector c(*l_, "localhost", bound.port(), l_->refresh_now() + 10s,
                [&](result<int> handle, const address&) { got = std::move(handle); });
    EXPECT_EQ(c.resolved(), no_deadline);
    ASSERT_TRUE(run_until([&] { return got.has_value(); }));
    EXPECT_NE(c.resolved(), no_deadline);
    ASSERT_TRUE(*got) << got->error().message();
    l_->io().discard(**got);
    l_->io().stop_listening(server);
  }
}

TEST_F(connecting_by_name, a_name_without_address_says_so) {
  std::optional<result<int>> got;
  connector c(*l_, "hawser.invalid", 80, l_->refresh_now() + 30s,
              [&](result<int> handle, const address&) { got = std::move(handle); });
  ASSERT_TRUE(run_until([&] { return got.has_value(); }));
  EXPECT_EQ(got->error(), errc::name_not_found);
}

TEST_F(connecting_by_name, a_resolver_that_never_answers_ends_with_the_deadline) {
  latched_resolver system;
  std::optional<result<int>> got;
  connector c(*l_, "stuck.test", 80, l_->refresh_now() + 20ms,
              [&](result<int> handle, const address&) { got = std::move(handle); });
  ASSERT_TRUE(run_until([&] { return got.has_value(); }));
  EXPECT_EQ(got->error(), errc::connect_timeout);
}

}  // namespace
}  // namespace hawser::test
