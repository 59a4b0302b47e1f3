// What goes out as text is UTF-8 (RFC 6455, 5.6 and 8.1), whichever way it is sent; anything else is refused to the
// caller, and nothing of it is sent.

#include "ws/on_loop.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/server.h>

#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {
namespace {

constexpr std::string_view euro = "\xE2\x82\xAC";

byte_view part(std::string_view text) { return as_bytes(text); }

/// Runs `act` in `on_connect`, where what it begins must outlive the opening's memory, or in a handler later.
void see_sent(bool at_once, std::vector<raw_frame> expected, void (*act)(connection)) {
  SCOPED_TRACE(at_once ? "in on_connect" : "in on_message");
  running_server server;
  if (at_once)
    server->route("/").on_connect([act](connection c, const handshake&) { act(c); });
  else
    server->route("/").on_message([act](connection c, const message&) { act(c); });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  if (!at_once) peer.text("go");
  for (const raw_frame& frame : expected)
    EXPECT_EQ(peer.frame(), frame);
  peer.out().ping("end");
  EXPECT_EQ(peer.flush().frame(), (raw_frame{0x8A, "end"})) << "nothing else was sent";
}

void see_sent(std::vector<raw_frame> expected, void (*act)(connection)) {
  see_sent(true, expected, act);
  see_sent(false, expected, act);
}

TEST(text_out, parts_may_cut_a_character_anywhere) {
  see_sent({{0x01, "a\xE2"}, {0x00, ""}, {0x00, "\x82"}, {0x80, "\xAC"}}, [](connection c) {
    EXPECT_EQ(c.begin_text(), errc::ok);
    EXPECT_EQ(c.send_part(part("a\xE2"), false), errc::ok);
    EXPECT_EQ(c.send_part({}, false), errc::ok);
    EXPECT_EQ(c.send_part(part("\x82"), false), errc::ok);
    EXPECT_EQ(c.send_part(part("\xAC"), true), errc::ok);
  });
}

// A part that is refused is as if it had not been given: the message goes on from where it stood.
TEST(text_out, a_part_that_is_no_utf8_is_refused_and_the_message_goes_on) {
  see_sent({{0x01, "a\xE2"}, {0x80, "\x82\xAC."}}, [](connection c) {
    EXPECT_EQ(c.begin_text(), errc::ok);
    EXPECT_EQ(c.send_part(part("\x80"), false), errc::invalid_utf8);
    EXPECT_EQ(c.send_part(part("\xC0\xAF"), true), errc::invalid_utf8);
    EXPECT_EQ(c.send_part(part("a\xE2"), false), errc::ok);
    EXPECT_EQ(c.send_part(part("b"), false), errc::invalid_utf8) << "does not go on with the character";
    EXPECT_EQ(c.send_part(part("\x82"), true), errc::invalid_utf8) << "the message ends inside a character";
    EXPECT_EQ(c.send_part({}, true), errc::invalid_utf8);
    EXPECT_EQ(c.send_part(part("\x82\xAC."), true), errc::ok);
  });
}

TEST(text_out, the_next_message_begins_anew_and_binary_ones_are_not_judged) {
  see_sent({{0x01, "\xE2"}, {0x80, "\x82\xAC"}, {0x82, "\xE2"}, {0x81, "z"}}, [](connection c) {
    EXPECT_EQ(c.begin_text(), errc::ok);
    EXPECT_EQ(c.send_part(part("\xE2"), false), errc::ok);
    EXPECT_EQ(c.send_part(part("\x82\xAC"), true), errc::ok);
    EXPECT_EQ(c.send_part(part("\xFF"), true), errc::wrong_state);
    EXPECT_EQ(c.begin_binary(), errc::ok);
    EXPECT_EQ(c.send_part(part("\xE2"), true), errc::ok);
    EXPECT_EQ(c.begin_text(), errc::ok);
    EXPECT_EQ(c.send_part(part("z"), true), errc::ok);
  });
}

/// Sends and publishes every part it gets as a message of its own, and tells what that was answered.
struct part_forwarder : running_server {
  part_forwarder() : running_server(in_parts()) {
    it().route("/")
        .on_connect([](connection c, const handshake&) { c.subscribe("t"); })
        .on_message([this](connection c, const message& m) {
          const errc sent = c.send(m);
          const errc kept = c.send(m.take());
          const errc published = c.publish("t", m);
          const errc by_server = it().publish("t", m);
          EXPECT_EQ(kept, sent);
          EXPECT_EQ(published, sent);
          EXPECT_EQ(by_server, sent);
          seen.add(sent == errc::ok ? "ok" : sent == errc::invalid_utf8 ? "invalid_utf8" : "other");
        });
  }
  ~part_forwarder() { stop(); }
  static server_options in_parts() {
    server_options options;
    options.in_parts = true;
    return options;
  }
  journal seen;
};

// A part of a text that was received is text only when it is cut between characters.
TEST(text_out, a_received_part_cut_inside_a_character_is_not_sent_on_as_a_message) {
  part_forwarder server;
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.out().frame(0x01, "a\xE2").frame(0x00, "\x82\xAC").frame(0x00, euro).frame(0x80, "b");
  peer.out().frame(0x02, "\xE2").frame(0x80, "\x82").text("whole");
  peer.flush();
  ASSERT_TRUE(server.seen.wait(7));
  EXPECT_EQ(server.seen.text(), "invalid_utf8 invalid_utf8 ok ok ok ok ok");
  // Each that is taken comes three times: sent, sent again, published by the server.
  for (const raw_frame& expected : {raw_frame{0x81, std::string(euro)}, raw_frame{0x81, "b"}, raw_frame{0x82, "\xE2"},
                                    raw_frame{0x82, "\x82"}, raw_frame{0x81, "whole"}})
    for (int times = 0; times < 3; ++times)
      ASSERT_EQ(peer.frame(), expected);
}

}  // namespace
}  // namespace hawser::test
