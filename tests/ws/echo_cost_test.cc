// What an echo costs a server: system calls by the driver's own counters, and memory by the program's operator new.

#include "ws/on_loop.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/server.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {
thread_local std::size_t allocations = 0;
}

// Replaced for the whole program; sanitizers have their own and are left alone.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
[[gnu::noinline]] void* operator new(std::size_t n) {
  ++allocations;
  if (void* p = std::malloc(n == 0 ? 1 : n)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
#define HAWSER_COUNTS_ALLOCATIONS 1
#endif

namespace hawser::test {
namespace {

server_options measuring(bool timings) {
  server_options options;
  options.timings = timings;
  return options;
}

struct echo_server : running_server {
  explicit echo_server(bool timings = false) : running_server(measuring(timings)) {
    it().route("/").on_message([](connection c, const message& m) { c.send(m); });
    start();
  }
  ~echo_server() { stop(); }
};

TEST(echo_cost, a_message_costs_one_receive_and_one_send) {
  echo_server server;
  raw_peer peer(server.at());
  peer.upgrade();
  for (const std::size_t size : {0U, 5U, 125U, 1000U, 8000U}) {
    SCOPED_TRACE(size);
    const std::string payload(size, 'm');
    const io_counts before = counts_of(server.it());
    for (int i = 0; i < 50; ++i)
      ASSERT_EQ(peer.text(payload).frame().payload, payload);
    const io_counts cost = since(before, server.it());
    EXPECT_EQ(cost.receives, 50U);
    EXPECT_EQ(cost.sends, 50U);
    EXPECT_EQ(cost.controls, 0U) << "nothing is asked of epoll on the way";
  }
}

TEST(echo_cost, messages_that_come_together_cost_one_receive_and_one_send_together) {
  echo_server server;
  raw_peer peer(server.at());
  peer.upgrade();
  const io_counts before = counts_of(server.it());
  for (int i = 0; i < 64; ++i)
    peer.out().text("message " + std::to_string(i));
  peer.flush();
  for (int i = 0; i < 64; ++i)
    ASSERT_EQ(peer.frame(), (raw_frame{0x81, "message " + std::to_string(i)}));
  const io_counts cost = since(before, server.it());
  EXPECT_EQ(cost.receives, 1U);
  EXPECT_EQ(cost.sends, 1U);
}

// Each connection has its own calls: what one costs does not grow with how many there are.
TEST(echo_cost, connections_cost_a_receive_and_a_send_each_however_many_there_are) {
  echo_server server;
  std::vector<std::unique_ptr<raw_peer>> peers;
  for (int i = 0; i < 40; ++i) {
    peers.push_back(std::make_unique<raw_peer>(server.at()));
    peers.back()->upgrade();
  }
  const io_counts before = counts_of(server.it());
  for (int round = 0; round < 5; ++round) {
    for (const auto& peer : peers)
      peer->text("to all");
    for (const auto& peer : peers)
      ASSERT_EQ(peer->frame().payload, "to all");
  }
  const io_counts cost = since(before, server.it());
  EXPECT_EQ(cost.receives, 200U);
  EXPECT_EQ(cost.sends, 200U);
}

// What an echo of each size allocates on the loop's thread, measured or not.
void expect_no_allocations(bool timings) {
  SCOPED_TRACE(timings ? "timings on" : "timings off");
  echo_server server(timings);
  raw_peer peer(server.at());
  peer.upgrade();
  const auto allocated = [&] { return on_loop(server.it(), [](worker&) { return allocations; }); };
  EXPECT_GT(allocated(), 0U) << "the counter is that of the loop's thread";
  for (const std::size_t size : {0U, 32U, 1000U, 3000U, 20'000U, 100'000U}) {
    SCOPED_TRACE(size);
    const std::string payload(size, 'm');
    // The system cuts a large message as it likes, and each way of coming fills its own reserve once: the best of some
    // rounds counts.
    std::size_t least = std::numeric_limits<std::size_t>::max();
    for (int round = 0; round < 10 && least > 0; ++round) {
      const std::size_t before = allocated();
      for (int i = 0; i < 100; ++i)
        ASSERT_EQ(peer.text(payload).frame().payload.size(), size);
      least = std::min(least, allocated() - before);
    }
    EXPECT_EQ(least, 0U) << "in a hundred messages";
  }
}

// Nothing that happens often allocates: not the receive, not the handler's call, not the send.
TEST(echo_cost, a_message_allocates_nothing_in_steady_state) {
#if !defined(HAWSER_COUNTS_ALLOCATIONS)
  GTEST_SKIP() << "this build has an operator new of its own";
#endif
  for (const bool timings : {false, true})
    expect_no_allocations(timings);
}

}  // namespace
}  // namespace hawser::test
