// What a server's connection offers beside messages: statistics, data of the user's, messages in parts, lines for a
// log.

#include "ws/on_loop.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/server.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace hawser::test {
namespace {

// Asked in a turn of its own, after everything that was sent before.
core::statistics stats_of(connection c) {
  std::promise<core::statistics> said;
  EXPECT_EQ(c.post([&said, c] { said.set_value(c.stats().value()); }), errc::ok);
  return said.get_future().get();
}

TEST(connection_extras, statistics_are_exact) {
  std::promise<connection> who;
  running_server server;
  server->route("/")
      .on_connect([&](connection c, const handshake&) { who.set_value(c); })
      .on_message([](connection c, const message& m) {
        c.send(m);
        c.send("ok");
      });
  server.start();
  raw_peer peer(server.at());
  const std::size_t head = peer.upgrade().size();
  const connection c = who.get_future().get();
  core::statistics s = stats_of(c);
  EXPECT_EQ(s.bytes_in, 0U) << "the request is not part of the WebSocket's stream";
  EXPECT_EQ(s.bytes_out, head);
  EXPECT_EQ(s.messages_in, 0U);
  EXPECT_EQ(s.messages_out, 0U);

  // Masked frames in: 2 + 4 + 5, 4 + 4 + 1000; in fragments 2 * (2 + 4) + 6; a ping 2 + 4 + 3.
  peer.out().text("hello").text(std::string(1000, 'm')).fragments(1, {"two", "two"}).ping("png");
  peer.flush();
  for (const std::string& expected : {std::string("hello"), std::string("ok"), std::string(1000, 'm'),
                                      std::string("ok"), std::string("twotwo"), std::string("ok")})
    ASSERT_EQ(peer.frame_of(1).payload, expected);
  s = stats_of(c);
  EXPECT_EQ(s.bytes_in, 11U + 1008U + 18U + 9U);
  EXPECT_EQ(s.bytes_out, head + (2 + 5) + (4 + 1000) + (2 + 6) + 3 * (2 + 2) + (2 + 3));
  EXPECT_EQ(s.messages_in, 3U) << "three messages; control frames are none";
  EXPECT_EQ(s.messages_out, 6U);
  EXPECT_EQ(s.backlog, 0U);
}

TEST(connection_extras, publications_and_parts_count_as_messages) {
  std::promise<connection> who;
  running_server server;
  server->route("/").on_connect([&](connection c, const handshake&) {
    EXPECT_EQ(c.subscribe("t"), errc::ok);
    EXPECT_EQ(server->publish("t", "one"), errc::ok);
    EXPECT_EQ(server->publish("t", "two"), errc::ok);
    EXPECT_EQ(c.begin_text(), errc::ok);
    EXPECT_EQ(c.send_part(as_bytes(std::string_view("thr")), false), errc::ok);
    EXPECT_EQ(c.send_part(as_bytes(std::string_view("ee")), true), errc::ok);
    who.set_value(c);
  });
  server.start();
  raw_peer peer(server.at());
  const std::size_t head = peer.upgrade().size();
  EXPECT_EQ(peer.frame(), (raw_frame{0x81, "one"}));
  EXPECT_EQ(peer.frame(), (raw_frame{0x81, "two"}));
  EXPECT_EQ(peer.frame(), (raw_frame{0x01, "thr"}));
  EXPECT_EQ(peer.frame(), (raw_frame{0x80, "ee"}));
  const core::statistics s = stats_of(who.get_future().get());
  EXPECT_EQ(s.messages_out, 3U);
  EXPECT_EQ(s.bytes_out, head + 5 + 5 + 5 + 4);
}

// Tells the journal when it goes.
struct tracked {
  tracked(journal& to, std::string called) : seen(to), name(std::move(called)) {}
  tracked(const tracked&) = delete;
  tracked& operator=(const tracked&) = delete;
  ~tracked() { seen.add("~" + name); }
  journal& seen;
  std::string name;
};
struct other_type {
  int value = 7;
};

TEST(connection_extras, data_is_found_by_its_type_and_goes_when_replaced_and_with_the_connection) {
  journal seen;
  running_server server;
  server->route("/")
      .on_connect([&](connection c, const handshake&) {
        EXPECT_EQ(c.data<tracked>(), nullptr);
        EXPECT_EQ(c.set_data(std::make_unique<tracked>(seen, "first")), errc::ok);
        EXPECT_EQ(c.data<other_type>(), nullptr) << "there is none of this type";
        EXPECT_EQ(c.data<tracked>()->name, "first");
        EXPECT_EQ(c.set_data(std::make_unique<other_type>()), errc::ok);
        EXPECT_EQ(seen.text(), "~first") << "replaced, whatever its type";
        EXPECT_EQ(c.data<tracked>(), nullptr);
        EXPECT_EQ(c.data<other_type>()->value, 7);
        EXPECT_EQ(c.set_data(std::make_unique<tracked>(seen, "second")), errc::ok);
      })
      .on_message([&](connection c, const message&) { seen.add("message:" + c.data<tracked>()->name); })
      .on_close([&](connection c, close_code, std::string_view) { seen.add("close:" + c.data<tracked>()->name); });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.out().text("x").close(1000);
  peer.flush().finish();
  peer.to_end();
  ASSERT_TRUE(seen.wait(4));
  EXPECT_EQ(seen.text(), "~first message:second close:second ~second") << "to the very end it is there";
}

TEST(connection_extras, data_off_the_loop_is_refused_and_destroyed) {
  journal seen;
  std::promise<connection> who;
  server_options options;
  options.close_timeout = std::chrono::milliseconds(100);  // This peer never answers a close.
  running_server server(options);
  server->route("/").on_connect([&](connection c, const handshake&) {
    c.set_data(std::make_unique<tracked>(seen, "kept"));
    who.set_value(c);
  });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  const connection c = who.get_future().get();
  EXPECT_EQ(c.data<tracked>(), nullptr);
  EXPECT_EQ(c.set_data(std::make_unique<tracked>(seen, "refused")), errc::wrong_thread);
  EXPECT_EQ(seen.text(), "~refused");
  // Also what a server still holds at its own end goes.
  server.stop();
  EXPECT_EQ(seen.text(), "~refused ~kept");
  EXPECT_EQ(c.set_data(std::make_unique<tracked>(seen, "late")), errc::closed);
  EXPECT_EQ(seen.text(), "~refused ~kept ~late");
}

/// Keeps what a server says.
// A line for each failure, with its reason; nothing that the peer sent as payload, nothing above `info` by its doing.
TEST(connection_extras, the_log_hears_of_failures_without_payloads) {
  lines log;
  server_options options;
  options.log = &log;
  running_server server(options);
  server->route("/").on_message([](connection c, const message& m) { c.send(m); });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade("/", "Authorization: Bearer topsecret\r\n");
  peer.text("topsecret");
  EXPECT_EQ(peer.frame().payload, "topsecret");
  EXPECT_TRUE(log.kept.lines().empty()) << "all is well: " << log.kept.text();
  peer.out().frame(0x81, "topsecret\xFF");
  EXPECT_EQ(close_code_of(peer.flush().frame_of(8)), 1007U);
  ASSERT_TRUE(log.kept.wait(1));
  raw_peer second(server.at());
  second.upgrade();
  second.out().frame(0xF1, "topsecret");
  EXPECT_EQ(close_code_of(second.flush().frame_of(8)), 1002U);
  ASSERT_TRUE(log.kept.wait(2));
  peer.hang_up();
  second.hang_up();
  server.stop();
  const std::string info = std::to_string(static_cast<int>(log_level::info)) + " ";
  for (const std::string& line : log.kept.lines()) {
    EXPECT_TRUE(line.starts_with(info)) << line;
    EXPECT_EQ(line.find("topsecret"), std::string::npos) << line;
    EXPECT_EQ(line.find_first_of("\r\n\xFF"), std::string::npos) << line;
    EXPECT_GT(line.size(), 10U);
  }
  EXPECT_NE(log.kept.lines()[0].find("UTF-8"), std::string::npos) << log.kept.lines()[0];
}

// With `in_parts` a handler sees a message long before its end.
TEST(connection_extras, a_server_hears_messages_in_parts_while_they_come) {
  journal seen;
  server_options options;
  options.in_parts = true;
  options.bounds.max_message = 10'000'000;
  running_server server(options);
  std::size_t size = 0;  // Of the loop's thread.
  server->route("/").on_message([&](connection, const message& m) {
    if (m.first()) {
      size = 0;
      seen.add(m.is_text() ? "text" : "binary");
    }
    size += m.size();
    if (m.last()) seen.add(std::to_string(size));
  });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.out().text("short");
  peer.flush();
  ASSERT_TRUE(seen.wait_for("5"));
  // Its end is not sent before its beginning was heard.
  const std::string half(1'000'000, 'm');
  peer.out().header(0x82, 2 * half.size()).masked(half);
  peer.flush();
  ASSERT_TRUE(seen.wait_for("binary"));
  peer.out().masked(half);
  peer.flush();
  ASSERT_TRUE(seen.wait_for("2000000"));
  peer.out().fragments(1, {"a", "bc", ""});
  peer.flush();
  ASSERT_TRUE(seen.wait_for("3"));
  EXPECT_EQ(seen.text(), "text 5 binary 2000000 text 3");
  // The limit holds for the sum of the parts.
  peer.out().header(0x82, 10'000'001);
  EXPECT_EQ(close_code_of(peer.flush().frame_of(8)), 1009U);
}

TEST(connection_extras, a_message_is_sent_in_parts_frame_by_frame) {
  running_server server;
  server->route("/").on_message([](connection c, const message& m) {
    const auto part = [&](std::string_view text, bool last) { return c.send_part(as_bytes(text), last); };
    EXPECT_EQ(part("out of order", true), errc::wrong_state);
    EXPECT_EQ(m.is_text() ? c.begin_text() : c.begin_binary(), errc::ok);
    EXPECT_EQ(c.begin_text(), errc::wrong_state);
    EXPECT_EQ(part("first ", false), errc::ok);
    EXPECT_EQ(c.send("another"), errc::wrong_state) << "no message inside a message";
    EXPECT_EQ(c.ping(as_bytes(std::string_view("p"))), errc::ok) << "control frames may";
    EXPECT_EQ(part("", false), errc::ok);
    EXPECT_EQ(part(std::string(70'000, 'm'), false), errc::ok);
    EXPECT_EQ(part("last", true), errc::ok);
    EXPECT_EQ(c.send("behind"), errc::ok);
  });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  for (const unsigned op : {1U, 2U}) {
    peer.out().frame(fin_bit | op, "go");
    peer.flush();
    std::string whole;
    unsigned pings = 0;
    raw_frame f = peer.frame();
    EXPECT_EQ(f, (raw_frame{op, "first "}));
    for (f = peer.frame(); f.first != 0x80; f = peer.frame()) {
      ASSERT_TRUE(f.first == 0 || f.first == 0x89) << f.first;
      ASSERT_FALSE(peer.timed_out());
      pings += f.op() == 9 ? 1U : 0U;
      if (f.op() == 0) whole += f.payload;
    }
    EXPECT_EQ(whole + f.payload, std::string(70'000, 'm') + "last");
    EXPECT_EQ(pings, 1U);
    EXPECT_EQ(peer.frame(), (raw_frame{0x81, "behind"}));
  }
}

}  // namespace
}  // namespace hawser::test
