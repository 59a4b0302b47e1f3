// Durations as long as their type allows mean "never": nothing comes at once because a sum wrapped round.

#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>
#include <poll.h>

#include <string>
#include <string_view>

namespace hawser::test {
namespace {

template <class Options>
Options patient() {
  Options options;
  options.handshake_timeout = options.close_timeout = ticks::max();
  options.alive.ping_interval = no_keepalive / 2 - ticks(1);
  options.alive.pong_timeout = ticks::max();
  options.bounds.rate_grace = ticks::max();
  return options;
}

// A deadline that wrapped round would be over within two granules of the timer wheel: nothing may come of it.
void expect_silence(const raw_peer& peer) {
  pollfd end{peer.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, 100), 0) << "the connection ended before the peer answered";
}

TEST(durations, with_the_longest_ones_a_client_waits_for_the_response_and_for_the_answer_to_its_close) {
  raw_listener listener;
  auto options = patient<client_options>();
  options.connect_timeout = ticks::max();
  options.reconnect.enabled = false;
  journal seen;
  client it(listener.url(), options);
  it.on_connect([&](connection c, const handshake&) {
    seen.add("connect");
    EXPECT_EQ(c.close(), errc::ok);
  });
  it.on_error([&](const failure& f) { seen.add(f.what()); });
  it.on_close([&](close_code code, std::string_view) { seen.add(std::to_string(static_cast<unsigned>(code))); });
  it.on_disconnect([&](const disconnect&) { seen.add("disconnect"); });
  ASSERT_TRUE(it.start());
  raw_peer peer = listener.accept();
  const std::string asked = peer.until("\r\n\r\n");
  expect_silence(peer);
  peer.send(raw_peer::agreement(asked));
  EXPECT_EQ(close_code_of(peer.frame_of(8)), 1000U);
  expect_silence(peer);
  peer.out().close(1000);
  peer.flush().hang_up();
  ASSERT_TRUE(seen.wait_for("disconnect"));
  EXPECT_EQ(seen.text(), "connect 1000 disconnect");
}

TEST(durations, with_the_longest_close_timeout_stop_waits_for_the_peers_answer) {
  running_server server(patient<server_options>());
  journal opened;
  journal closed;
  server->route("/")
      .on_connect([&](connection, const handshake&) { opened.add("connect"); })
      .on_error([&](connection, const failure& f) { closed.add(f.what()); })
      .on_close([&](connection, close_code code, std::string_view) {
        closed.add(std::to_string(static_cast<unsigned>(code)));
      });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  ASSERT_TRUE(opened.wait(1));
  server->stop();
  const raw_frame asked = peer.frame_of(8);
  EXPECT_EQ(close_code_of(asked), 1001U);
  expect_silence(peer);
  peer.out().close(1001);
  peer.flush().to_end();
  peer.hang_up();
  server.stop();
  EXPECT_EQ(closed.text(), "1001");
}

}  // namespace
}  // namespace hawser::test
