// What happens when a connection's last things go: posted calls that throw, and objects kept with it whose destructors
// reach for other connections.

#include "ws/on_loop.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/server.h>

#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace hawser::test {
namespace {

struct at_the_end {
  explicit at_the_end(std::function<void()> what) : call(std::move(what)) {}
  ~at_the_end() { call(); }
  at_the_end(const at_the_end&) = delete;
  at_the_end& operator=(const at_the_end&) = delete;
  std::function<void()> call;
};

// A session that is marked for the end of the batch and buried after that, both by the destructor of what another one
// kept, must not go before its mark is worked off. AddressSanitizer finds it where it does.
TEST(last_things, a_destructor_may_call_and_end_another_connection_that_is_closing) {
  journal seen;
  std::promise<connection> of_second;
  running_server server;
  server->route("/first").on_connect([&](connection c, const handshake&) {
    const connection second = of_second.get_future().get();
    EXPECT_EQ(c.set_data(std::make_unique<at_the_end>([&seen, second] {
      EXPECT_EQ(second.post([&seen] { seen.add("posted"); }), errc::ok);
      EXPECT_EQ(second.terminate(), errc::ok);
      EXPECT_EQ(second.terminate(), errc::closed);
      seen.add("destroyed");
    })),
              errc::ok);
  });
  server->route("/second")
      .on_connect([&](connection c, const handshake&) { of_second.set_value(c); })
      .on_close([&](connection, close_code, std::string_view) { seen.add("closed"); });
  server.start();
  raw_peer second(server.at());
  second.upgrade("/second");
  raw_peer first(server.at());
  first.upgrade("/first");
  // The second one closes but does not hang up: it lingers at the server.
  second.out().close(1000);
  second.flush();
  EXPECT_EQ(close_code_of(second.frame_of(8)), 1000U);
  ASSERT_TRUE(seen.wait_for("closed"));
  first.reset();
  ASSERT_TRUE(seen.wait_for("destroyed"));
  EXPECT_EQ(seen.text(), "closed posted destroyed");
  EXPECT_TRUE(comes_true(server.it(), [](worker& w) { return w.sessions().empty(); }));
}

// A throw in a posted call is that of a handler: 1011, a report, and no harm to anybody else.
TEST(last_things, a_posted_call_that_throws_closes_its_own_connection_only) {
  for (const bool from_the_loop : {false, true}) {
    journal seen;
    std::promise<connection> opened;
    running_server server;
    server->on_error([&](const failure& f) { seen.add(f.what()); });
    server->route("/thrower")
        .on_connect([&](connection c, const handshake&) { opened.set_value(c); })
        .on_message([](connection c, const message&) {
          static_cast<void>(c.post([]() -> void { throw std::runtime_error("on purpose"); }));
        })
        .on_error([&](connection, const failure& f) { seen.add(f.error() == errc::handler_threw ? "threw" : "other"); })
        .on_close([&](connection, close_code code, std::string_view) {
          seen.add(std::to_string(static_cast<unsigned>(code)));
        });
    server->route("/echo").on_message([](connection c, const message& m) { EXPECT_EQ(c.send(m), errc::ok); });
    server.start();
    raw_peer other(server.at());
    other.upgrade("/echo");
    raw_peer peer(server.at());
    peer.upgrade("/thrower");
    const connection c = opened.get_future().get();
    if (from_the_loop)
      peer.text("now");
    else
      EXPECT_EQ(c.post([]() -> void { throw std::runtime_error("on purpose"); }), errc::ok);
    EXPECT_EQ(close_code_of(peer.frame_of(8)), 1011U);
    ASSERT_TRUE(seen.wait_for("1011"));
    EXPECT_NE(seen.lines()[0].find("on purpose"), std::string::npos) << seen.lines()[0];
    EXPECT_EQ(seen.lines()[1], "threw");
    EXPECT_EQ(seen.lines().size(), 3U) << seen.text();
    other.text("still here");
    EXPECT_EQ(other.frame().payload, "still here");
  }
}

}  // namespace
}  // namespace hawser::test
