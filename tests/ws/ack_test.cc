// x-hawser-ack on whole connections: the confirm part of the timings, back-pressure until the peer acknowledges, and a
// connection that is killed and comes back over TCP.
#include "ws/running_server.h"
#include "ws/timings_kit.h"

#include <gtest/gtest.h>
#include <hawser/ext/ack.h>
#include <hawser/ws/client.h>

#include <map>
#include <mutex>
#include <string>

namespace hawser::test {
namespace {

std::vector<core::agreed_extension> acknowledging(const ext::ack& how) {
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-hawser-ack", std::move(*any_factory(how).accept({{}}))});
  return stages;
}

std::string ack_frame(unsigned n) {
  const std::string payload = std::string(7, '\0') + static_cast<char>(n);
  return text_of(frame_writer(role::client).frame(0x8B, payload).take());
}

// ---- timings

TEST(ack_timings, confirm_is_from_in_the_kernel_until_the_acknowledgement_came) {
  timed_loop l;
  const auto [s, peer] = l.open(acknowledging(ext::ack()));
  const connection c = s->handle();
  EXPECT_FALSE(c.timings()->send.confirm.last) << "nothing was sent";
  EXPECT_EQ(c.send("one"), errc::ok);
  l.turn();
  EXPECT_EQ(l.take(peer).size(), 5U);
  l.clock.advance(7ms);
  EXPECT_EQ(c.send("two"), errc::ok);  // Joins the wait: not measured.
  l.turn();
  EXPECT_FALSE(c.timings()->send.confirm.last);
  l.clock.advance(2ms);
  l.put(peer, ack_frame(1));
  EXPECT_EQ(c.timings()->send.confirm.last, 9ms);
  EXPECT_EQ(c.timings()->send.confirm.count, 1U);
  l.put(peer, ack_frame(2));
  EXPECT_EQ(c.timings()->send.confirm.count, 1U);
  EXPECT_EQ(c.send("three"), errc::ok);
  l.turn();
  l.clock.advance(3ms);
  l.put(peer, ack_frame(3));
  EXPECT_EQ(c.timings()->send.confirm.last, 3ms);
  EXPECT_EQ(c.timings()->send.confirm.sum, 12ms);
  EXPECT_EQ(l.work.measures()->all.send.confirm.count(), 2U);
}

TEST(ack_timings, nothing_is_confirmed_without_proof) {
  timed_loop l;
  const auto [s, peer] = l.open();
  EXPECT_EQ(s->handle().send("one"), errc::ok);
  l.turn();
  l.put(peer, text_frame("answer"));
  EXPECT_FALSE(s->handle().timings()->send.confirm.last);
  EXPECT_TRUE(s->handle().timings()->send.send.last);
}

// ---- back-pressure

// The peer reads, and acknowledges nothing: sends are refused on every thread, and on_drain says when they are not.
TEST(ack_pressure, drain_comes_with_the_acknowledgement) {
  timed_loop l(false);
  int drained = 0;
  l.handlers.drain = [&](connection) { ++drained; };
  const auto [s, peer] = l.open(acknowledging(ext::ack().keep(650)));
  const connection c = s->handle();
  int taken = 0;
  while (c.send("m") == errc::ok)
    ASSERT_LT(++taken, 100);
  EXPECT_EQ(taken, 10);
  mailbox* mine = std::exchange(current_mailbox, nullptr);
  EXPECT_EQ(c.send("from another thread"), errc::would_block);
  current_mailbox = mine;
  l.turn();
  EXPECT_EQ(l.take(peer).size(), 30U);
  EXPECT_EQ(drained, 0) << "the system has taken all, and still";
  l.put(peer, ack_frame(2));
  EXPECT_EQ(drained, 0);
  EXPECT_EQ(c.send("m"), errc::would_block);
  l.put(peer, ack_frame(6));
  EXPECT_EQ(drained, 1);
  EXPECT_EQ(c.send("m"), errc::ok);
  mine = std::exchange(current_mailbox, nullptr);
  EXPECT_EQ(c.send("from another thread"), errc::ok);
  current_mailbox = mine;
}

// ---- a connection that is killed

// The server resets the first connection in the midst of the messages. The client sends again what was not
// acknowledged, on the connection that follows.
TEST(ack_reconnect, what_was_acknowledged_came_once_and_everything_came) {
  constexpr int messages = 500;
  std::mutex lock;
  std::map<std::uint64_t, std::vector<int>> came;  // By connection.
  std::vector<std::uint64_t> order;
  running_server server;
  server->extensions().add(ext::ack());
  server->route("/")
      .on_connect([&](connection c, const handshake&) {
        const std::lock_guard guard(lock);
        order.push_back(c.id());
      })
      .on_message([&](connection c, const message& m) {
        const int n = std::stoi(std::string(m.text()));
        std::size_t so_far = 0;
        bool first = false;
        {
          const std::lock_guard guard(lock);
          came[c.id()].push_back(n);
          so_far = came[c.id()].size();
          first = order.size() == 1;
        }
        if (first && so_far == 250) c.send("more");
        if (first && so_far == 333) c.terminate();
        if (!first && n == messages - 1) c.send("all");
      });
  server.start();

  client_options options;
  options.reconnect.first = options.reconnect.cap = 1ms;
  client ws(server.url(), options);
  std::vector<ext::sent_message> again;
  std::vector<std::uint64_t> acknowledged;  // On the first connection.
  int connected = 0;
  ws.extensions().add(
      ext::ack()
          .on_acknowledged([&](std::uint64_t, std::uint64_t n) {
            if (connected == 1) acknowledged.push_back(n);
          })
          .on_ended([&](std::uint64_t, std::vector<ext::sent_message> left) { again = std::move(left); }));
  const auto send = [](connection c, int from, int to) {
    for (int i = from; i < to; ++i)
      EXPECT_EQ(c.send(std::to_string(i)), errc::ok);
  };
  ws.on_connect([&](connection c, const handshake&) {
    if (++connected == 1) return send(c, 0, 250);
    for (const ext::sent_message& m : again)
      EXPECT_EQ(c.send(m.text()), errc::ok);
  });
  ws.on_message([&](connection c, const message& m) {
    if (m.text() == "more") return send(c, 250, messages);
    c.close();
  });
  EXPECT_EQ(ws.run_forever(), 0);
  server.stop();

  ASSERT_EQ(connected, 2);
  ASSERT_EQ(order.size(), 2U);
  ASSERT_FALSE(acknowledged.empty());
  const auto known = static_cast<int>(acknowledged.back());
  EXPECT_GE(known, 240) << "what came before \"more\" was acknowledged with it, but for a last few";
  EXPECT_LE(known, 333);
  for (int i = 0; i < known; ++i)
    ASSERT_EQ(came[order[0]].at(static_cast<std::size_t>(i)), i);
  std::vector<int> rest;
  for (int i = known; i < messages; ++i)
    rest.push_back(i);
  EXPECT_EQ(came[order[1]], rest) << "all that was not acknowledged, in order, and nothing that was";
  EXPECT_TRUE(again.empty()) << "the second connection ended with nothing open";
}

}  // namespace
}  // namespace hawser::test
