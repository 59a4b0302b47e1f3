// What a handle answers on another thread while its connection closes.

#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/server.h>

#include <future>

namespace hawser::test {
namespace {

void expect_closed(connection c) {
  EXPECT_FALSE(c.is_open());
  EXPECT_EQ(c.send("x"), errc::closed);
  EXPECT_EQ(c.send(as_bytes("x")), errc::closed);
  EXPECT_EQ(c.publish("t", "x"), errc::closed);
  EXPECT_EQ(c.subscribe("t"), errc::closed);
  EXPECT_EQ(c.unsubscribe("t"), errc::closed);
  EXPECT_EQ(c.close(), errc::closed);
}

struct opened_server : running_server {
  explicit opened_server(server_options options = {}) : running_server(std::move(options)) {
    it().route("/")
        .on_connect([this](connection c, const handshake&) { opened_.set_value(c); })
        .on_close([this](connection, close_code, std::string_view) { seen.add("close"); });
    start();
  }
  ~opened_server() { stop(); }
  connection opened() { return opened_.get_future().get(); }
  journal seen;

 private:
  std::promise<connection> opened_;
};

// The close frame is out, the peer has not answered: nothing is taken any more that could never be sent.
TEST(handles, after_a_close_from_this_end_other_threads_hear_closed_before_the_peer_answers) {
  opened_server server;
  raw_peer peer(server.at());
  peer.upgrade();
  const connection c = server.opened();
  EXPECT_TRUE(c.is_open());
  EXPECT_EQ(c.send("before"), errc::ok);
  EXPECT_EQ(c.close(), errc::ok);
  EXPECT_EQ(peer.frame().payload, "before");
  EXPECT_EQ(close_code_of(peer.frame_of(8)), 1000U);
  expect_closed(c);
  EXPECT_TRUE(server.seen.lines().empty()) << "it has not ended yet";
  // What does not send still reaches it.
  std::promise<void> called;
  EXPECT_EQ(c.post([&] { called.set_value(); }), errc::ok);
  called.get_future().wait();
  EXPECT_EQ(c.terminate(), errc::ok);
  ASSERT_TRUE(server.seen.wait_for("close"));
}

// The peer has closed and does not hang up: the transport is there for a while, the connection is not.
TEST(handles, after_a_close_of_the_peer_other_threads_hear_closed_before_the_transport_is_gone) {
  opened_server server;
  raw_peer peer(server.at());
  peer.upgrade();
  const connection c = server.opened();
  peer.out().close(1000);
  peer.flush();
  ASSERT_TRUE(server.seen.wait_for("close"));
  expect_closed(c);
  EXPECT_EQ(close_code_of(peer.frame_of(8)), 1000U);
}

TEST(handles, the_place_of_one_that_was_closed_serves_the_next_one) {
  for (int i = 0; i < 3; ++i) {
    opened_server server;
    raw_peer peer(server.at());
    peer.upgrade();
    const connection c = server.opened();
    EXPECT_TRUE(c.is_open()) << "connection " << i;
    EXPECT_EQ(c.send("x"), errc::ok);
    EXPECT_EQ(c.close(), errc::ok);
    EXPECT_EQ(peer.frame().payload, "x");
  }
}

}  // namespace
}  // namespace hawser::test
