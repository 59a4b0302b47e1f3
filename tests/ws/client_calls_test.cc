// Blocking calls, the reconnect policy and Ctrl-C.

#include "ws/raw_peer.h"
#include "ws/reconnect.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>
#include <utility>

namespace hawser::test {
namespace {

using namespace std::chrono_literals;

TEST(blocking_calls, at_most_sixteen_messages_are_read_ahead_and_none_is_lost) {
  raw_listener listener;
  std::thread peer([&] {
    raw_peer it = listener.accept();
    it.accept_upgrade();
    for (int i = 0; i < 100; ++i)
      it.out().text(std::to_string(i));
    it.flush();
    EXPECT_EQ(close_code_of(it.frame_of(8)), 1000U);
    it.out().close(1000, "bye");
    it.flush();
  });
  result<blocking_connection> c = connect(listener.url());
  ASSERT_TRUE(c);
  for (int i = 0; i < 100; ++i) {
    const result<message> m = c->receive();
    ASSERT_TRUE(m);
    EXPECT_EQ(m->text(), std::to_string(i));
  }
  const result<close_code> code = c->close();
  ASSERT_TRUE(code);
  EXPECT_EQ(*code, close_code::normal);
  EXPECT_NE(c->farewell().find("bye"), std::string::npos);
  EXPECT_EQ(to_errc(c->send("x").error()), errc::closed);
  peer.join();
}

// What is unread must not hold up the closing handshake, and a message that was taken outlives the client.
TEST(blocking_calls, close_while_messages_are_unread_and_a_message_that_is_kept) {
  raw_listener listener;
  std::thread peer([&] {
    raw_peer it = listener.accept();
    it.accept_upgrade();
    for (int i = 0; i < 200; ++i)
      it.out().text("message " + std::to_string(i));
    it.flush();
    EXPECT_EQ(close_code_of(it.frame_of(8)), 1000U);
    it.out().close(1000);
    it.flush();
  });
  message kept;
  {
    result<blocking_connection> c = connect(listener.url());
    ASSERT_TRUE(c);
    kept = c->receive().value();
    const result<close_code> code = c->close();
    ASSERT_TRUE(code) << code.error().message();
    EXPECT_TRUE(c->receive()) << "what was read ahead is still there";
  }
  EXPECT_EQ(kept.text(), "message 0");
  peer.join();
}

TEST(blocking_calls, have_timeouts_and_say_what_is_wrong) {
  raw_listener listener;
  result<blocking_connection> c = errc::closed;
  std::thread peer([&] {
    raw_peer it = listener.accept();
    it.accept_upgrade();
    it.to_end();
  });
  client_options options;
  options.close_timeout = 100ms;
  c = connect(listener.url(), options);
  ASSERT_TRUE(c);
  EXPECT_EQ(to_errc(c->receive(10ms).error()), errc::read_timeout);
  EXPECT_EQ(to_errc(c->close(static_cast<close_code>(1006)).error()), errc::invalid_close_code);
  EXPECT_EQ(to_errc(c->close().error()), errc::close_timeout);
  blocking_connection moved = std::move(*c);
  EXPECT_EQ(to_errc(c->send("x").error()), errc::closed) << "of what was moved away";
  peer.join();
  std::string why;
  EXPECT_EQ(to_errc(connect("https://h.test/", {}, {}, {}, &why).error()), errc::unsupported_scheme);
  EXPECT_FALSE(why.empty());
  options.unix_path = std::string(200, 'p');
  EXPECT_EQ(to_errc(connect("ws://h.test/", options, {}, {}, &why).error()), errc::address_invalid);
}

TEST(reconnect, waits_are_random_below_a_bound_that_doubles_up_to_the_cap) {
  reconnect_policy policy;
  reconnect_count count(policy);
  const ticks bounds[] = {1s, 2s, 4s, 8s, 16s, 30s, 30s};
  for (const ticks bound : bounds) {
    reconnect_count least = count;
    EXPECT_EQ(least.next_wait(0), ticks::zero());
    const ticks most = count.next_wait(0xFFFFFFFF);
    EXPECT_LT(most, bound);
    EXPECT_GT(most, bound * 99 / 100);
  }
  count.ended(29s);
  EXPECT_EQ(count.attempt(), 8U);
  count.ended(30s);
  EXPECT_EQ(count.attempt(), 1U) << "a stable connection starts the count anew";
  EXPECT_EQ(count.next_wait(0, 100s), ticks(100s)) << "Retry-After";
  EXPECT_EQ(count.next_wait(0, 10h), ticks(300s)) << "within ten caps";
}

TEST(reconnect, gives_up_after_so_many_attempts_and_survives_extreme_policies) {
  reconnect_policy policy;
  policy.max_attempts = 2;
  reconnect_count count(policy);
  EXPECT_TRUE(count.may_retry());
  count.next_wait(1);
  EXPECT_FALSE(count.may_retry());
  policy.cap = ticks::max();
  reconnect_count endless(policy);
  for (int i = 0; i < 100; ++i)
    EXPECT_GE(endless.next_wait(0x80000000, 1s), ticks(1s));
  policy.first = policy.cap = ticks::zero();
  reconnect_count eager(policy);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(eager.next_wait(0xFFFFFFFF), ticks::zero());
}

// What this end closes is not tried again, whatever the code; what the peer closes with 1001 is.
TEST(reconnect, who_closed_decides) {
  raw_listener listener;
  std::thread peer([&] {
    raw_peer first = listener.accept();
    first.accept_upgrade();
    first.out().close(1001);
    first.flush().hang_up();
    raw_peer second = listener.accept();
    second.accept_upgrade();
    EXPECT_EQ(close_code_of(second.frame_of(8)), 1001U);
    second.out().close(1001);
    second.flush();
  });
  client_options options;
  options.reconnect.first = 1ms;
  client it(listener.url(), options);
  std::string seen;
  int connects = 0;
  it.on_connect([&](connection c, const handshake&) {
    if (++connects != 2) return;
    EXPECT_EQ(c.close(close_code::going_away), errc::ok);
  });
  it.on_disconnect([&](const disconnect& d) { seen += d.will_retry ? "again " : "end"; });
  EXPECT_EQ(it.run_forever(), 0);
  EXPECT_EQ(seen, "again end");
  peer.join();
}

// In a child process: a signal belongs to the whole of one.
TEST(run_forever, ctrl_c_closes_with_1001_and_ends_with_0) {
  raw_listener listener;
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGINT, SIG_DFL);  // Who starts the suite in the background may have it ignored.
    int status = 9;
    {
      client it(listener.url());
      status = it.run_forever();
    }
    struct sigaction now {};
    ::sigaction(SIGINT, nullptr, &now);
    ::_exit(now.sa_handler == SIG_DFL ? status : 8);
  }
  ASSERT_GT(child, 0);
  raw_peer peer = listener.accept();
  peer.accept_upgrade();
  peer.out().ping("are you there");
  peer.flush();
  EXPECT_EQ(peer.frame_of(10).payload, "are you there");
  ::kill(child, SIGINT);
  EXPECT_EQ(close_code_of(peer.frame_of(8)), 1001U);
  peer.out().close(1001);
  peer.flush();
  peer.hang_up();
  int how = 0;
  ASSERT_EQ(::waitpid(child, &how, 0), child);
  EXPECT_TRUE(WIFEXITED(how));
  EXPECT_EQ(WEXITSTATUS(how), 0);
}

}  // namespace
}  // namespace hawser::test
