// The option `busy_poll`: it reaches the loops of servers and clients.

#include "ws/on_loop.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>

#include <chrono>
#include <cstdint>
#include <memory>

namespace hawser::test {
namespace {

using namespace std::chrono_literals;

// How many of a hundred calls from this thread cost a wake-up.
std::uint64_t wakes_of_calls(ticks busy_poll) {
  server_options options;
  options.busy_poll = busy_poll;
  running_server served(options);
  served.start();
  const auto wakes = [&] { return on_loop(served.it(), [](worker& w) { return w.loop().io().calls().wakes.load(); }); };
  // Once the second one is answered the loop has gone round since the first one came.
  for (int i = 0; i < 3; ++i)
    wakes();
  const std::uint64_t before = wakes();
  for (int i = 0; i < 100; ++i)
    wakes();
  return wakes() - before;
}

TEST(busy_poll_option, a_server_whose_loop_polls_need_not_be_woken) { EXPECT_EQ(wakes_of_calls(ticks::max()), 0U); }

TEST(busy_poll_option, without_it_a_call_from_another_thread_wakes_the_loop) { EXPECT_GE(wakes_of_calls({}), 90U); }

ticks made_with{-1};

std::unique_ptr<net::driver> note_option(net::loop& owner) {
  made_with = owner.busy_poll();
  return net::make_epoll_driver(owner);
}

TEST(busy_poll_option, a_clients_loop_is_made_with_it) {
  client_options options;
  options.busy_poll = 70us;
  options.reconnect.enabled = false;
  client one("ws://127.0.0.1:1/", options);
  client_access::loop(one).make_driver = note_option;
  EXPECT_EQ(one.run_forever(), 1);
  EXPECT_EQ(made_with, 70us);
}

// An echo over a loop that never blocks, closed and stopped as always.
TEST(busy_poll_option, a_polling_server_serves_closes_and_stops) {
  server_options options;
  options.busy_poll = ticks::max();
  running_server served(options);
  served->route("/").on_message([](connection c, const message& m) { c.send(m); });
  served.start();
  raw_peer peer(served.at());
  peer.upgrade();
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(peer.text("round and round").frame().payload, "round and round");
  served->stop();
  EXPECT_EQ(close_code_of(peer.frame_of(8)), 1001U);
  peer.out().close(1001);
  peer.flush().finish();
  served.join();
}

}  // namespace
}  // namespace hawser::test
