// `client::stop`: from any thread, twice, bounded in time; what it answers, and that a start may follow.

#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hawser::test {
namespace {

using namespace std::chrono_literals;

/// A server that answers every message with itself and a ping.
struct echo : running_server {
  echo() {
    it().route("/").on_message([](connection c, const message& m) {
      c.ping(as_bytes("p"));
      c.send(m);
    });
    start();
  }
};

TEST(client_stop, waits_for_the_end_and_a_start_may_follow_at_once) {
  echo server;
  client it(server.url());
  std::string seen;  // Written on the client's thread; read here after `stop` has said that there is none.
  it.on_connect([&](connection c, const handshake&) { c.send("hello"); });
  std::promise<void>* got = nullptr;
  it.on_message([&](connection, const message&) { got->set_value(); });
  it.on_close([&](close_code code, std::string_view) { seen += std::to_string(static_cast<unsigned>(code)) + " "; });
  it.on_disconnect([&](const disconnect&) { seen += "end "; });
  EXPECT_TRUE(it.stop()) << "it does not run yet";
  for (int i = 0; i < 20; ++i) {
    std::promise<void> reached;
    got = &reached;
    const result<void> started = it.start();
    ASSERT_TRUE(started) << started.error().message() << " in round " << i;
    reached.get_future().wait();
    EXPECT_TRUE(it.stop());
    EXPECT_EQ(seen, "1001 end ");
    EXPECT_FALSE(it.current().is_open());
    EXPECT_TRUE(it.stop()) << "twice";
    seen.clear();
  }
}

// Also when it has hardly begun: whatever the attempt is at, it ends, and nothing of it is heard afterwards.
TEST(client_stop, right_after_start) {
  echo server;
  std::atomic<int> ends{0};
  client it(server.url());
  it.on_disconnect([&](const disconnect& d) {
    EXPECT_FALSE(d.will_retry);
    ++ends;
  });
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(it.start());
    EXPECT_TRUE(it.stop());
    const int now = ends;
    EXPECT_LE(now, i + 1) << "at most one for each attempt";
  }
}

TEST(client_stop, from_several_threads_at_once) {
  echo server;
  client it(server.url());
  for (int i = 0; i < 20; ++i) {
    std::promise<void> open;
    it.on_connect([&](connection, const handshake&) { open.set_value(); });
    ASSERT_TRUE(it.start());
    open.get_future().wait();
    std::vector<std::thread> stoppers;
    for (int n = 0; n < 4; ++n)
      stoppers.emplace_back([&] { EXPECT_TRUE(it.stop()); });
    for (std::thread& t : stoppers)
      t.join();
  }
}

TEST(client_stop, of_a_client_in_the_foreground_waits_for_run_forever_to_have_ended_its_loop) {
  echo server;
  client it(server.url());
  std::promise<void> open;
  std::atomic<bool> ended{false};
  it.on_connect([&](connection, const handshake&) { open.set_value(); });
  it.on_disconnect([&](const disconnect&) { ended = true; });
  std::thread runner([&] { EXPECT_EQ(it.run_forever(), 0); });
  open.get_future().wait();
  EXPECT_TRUE(it.stop());
  EXPECT_TRUE(ended);
  runner.join();
}

TEST(client_stop, a_peer_that_does_not_answer_holds_it_up_for_the_close_timeout_only) {
  raw_listener listener;
  client_options options;
  options.close_timeout = 100ms;
  client it(listener.url(), options);
  std::promise<void> open;
  std::string seen;
  it.on_connect([&](connection, const handshake&) { open.set_value(); });
  it.on_error([&](const failure&) { seen += "error "; });
  it.on_close([&](close_code code, std::string_view) { seen += std::to_string(static_cast<unsigned>(code)) + " "; });
  it.on_disconnect([&](const disconnect&) { seen += "end"; });
  ASSERT_TRUE(it.start());
  raw_peer peer = listener.accept();
  peer.accept_upgrade();
  open.get_future().wait();
  EXPECT_TRUE(it.stop());
  EXPECT_TRUE(seen.ends_with("1006 end")) << seen;
}

// In each handler: the answer is no, the client ends nevertheless, and the row of the table is told to its end.
TEST(client_stop, in_a_handler_it_cannot_wait_and_says_so) {
  for (const std::string_view where : {"connect", "message", "ping", "pong", "close", "disconnect"}) {
    SCOPED_TRACE(where);
    echo server;
    client it(server.url());
    journal seen;
    std::atomic<int> refused{0};
    const auto see = [&](std::string_view name) {
      if (name == where) {
        EXPECT_FALSE(it.stop());
        EXPECT_FALSE(it.stop());
        EXPECT_EQ(to_errc(it.start().error()), errc::wrong_state);
        ++refused;
      }
      seen.add(std::string(name));
    };
    it.on_connect([&](connection c, const handshake&) {
      see("connect");
      c.ping(as_bytes("x"));
      c.send("x");
    });
    it.on_message([&](connection c, const message&) {
      see("message");
      if (where == "close" || where == "disconnect") c.close();
    });
    it.on_ping([&](connection, byte_view) { see("ping"); });
    it.on_pong([&](connection, byte_view) { see("pong"); });
    it.on_close([&](close_code, std::string_view) { see("close"); });
    it.on_disconnect([&](const disconnect&) { see("disconnect"); });
    ASSERT_TRUE(it.start());
    ASSERT_TRUE(seen.wait_for("disconnect"));
    EXPECT_TRUE(it.stop()) << "from outside it waits for what the handler has begun";
    EXPECT_GE(refused, 1);
    EXPECT_EQ(seen.lines().back(), "disconnect");
    ASSERT_TRUE(it.start()) << "and it runs again";
    it.stop();
  }
}

TEST(client_stop, in_on_error_too) {
  client_options options;
  options.reconnect.first = options.reconnect.cap = 1h;
  client it("ws://127.0.0.1:1/", options);
  journal seen;
  it.on_error([&](const failure&) { seen.add(it.stop() ? "waited" : "no"); });
  it.on_disconnect([&](const disconnect& d) { seen.add(d.will_retry ? "again" : "end"); });
  ASSERT_TRUE(it.start());
  ASSERT_TRUE(seen.wait_for("end"));
  EXPECT_TRUE(it.stop());
  EXPECT_EQ(seen.text(), "no end");
}

// Who stops while a handler waits for it gets an answer in the end, not a deadlock.
TEST(client_stop, a_handler_that_waits_for_who_stops_is_not_waited_for_without_end) {
  echo server;
  client_options options;
  options.close_timeout = 1ms;
  client it(server.url(), options);
  std::promise<void> in_handler;
  std::promise<void> stopped;
  it.on_connect([&](connection, const handshake&) {
    in_handler.set_value();
    stopped.get_future().wait();
  });
  ASSERT_TRUE(it.start());
  in_handler.get_future().wait();
  EXPECT_FALSE(it.stop());
  stopped.set_value();
  EXPECT_TRUE(it.stop());
}

}  // namespace
}  // namespace hawser::test
