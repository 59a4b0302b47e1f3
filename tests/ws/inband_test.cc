// Extensions inside the messages, from the opening handshake on: a server and a client, and peers spoken by hand.
#include "ws/raw_peer.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ws/client.h>

#include <algorithm>

namespace hawser {
namespace {

using test::journal;
using test::raw_frame;
using test::raw_listener;
using test::raw_peer;
using test::running_server;

void rotate(byte_span bytes) {
  for (std::byte& b : bytes) {
    const auto c = static_cast<unsigned char>(b);
    if (c >= 'a' && c <= 'z') b = static_cast<std::byte>('a' + (c - 'a' + 13) % 26);
  }
}
auto rot13() { return ext::message_extension("x-rot13", rsv::two).encode(rotate).decode(rotate); }

/// An echo server that serves its extensions in-band, and says what happens.
struct inband_server {
  explicit inband_server(server_options options = {}, bool required = false) : it(with_mode(std::move(options))) {
    it->extensions().add(rot13());
    if (required)
      it->extensions().require(ext::checksum());
    else
      it->extensions().add(ext::checksum());
    it->on_error([this](const failure& f) { told.add(f.what()); });
    it->route("/")
        .subprotocols({"chat", "v2.chat"})
        .on_connect([this](connection c, const handshake& h) {
          std::string line = h.inband ? "inband" : "plain";
          line += " [" + h.subprotocol + "] [" + h.extensions_header + "]";
          for (const active_extension& e : h.extensions)
            line += " " + e.text();
          told.add(line);
          static_cast<void>(c.subscribe("all"));
        })
        .on_message([](connection c, const message& m) { static_cast<void>(c.send(m)); })
        .on_close([this](connection, close_code code, std::string_view) {
          told.add("closed " + std::to_string(static_cast<int>(code)));
        });
    it.start();
  }
  static server_options with_mode(server_options o) {
    o.inband_extensions = true;
    return o;
  }
  journal told;
  running_server it;
};

constexpr std::string_view asks = "Sec-WebSocket-Protocol: ext1.hawser, chat\r\n";

/// A peer as a browser's script is one; its request has been agreed to.
raw_peer opened(inband_server& s, std::string_view extra = asks) {
  raw_peer peer(s.it.at());
  const std::string head = peer.upgrade("/", extra);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 101 ")) << head;
  EXPECT_NE(head.find("Sec-WebSocket-Protocol: ext1.hawser\r\n"), std::string::npos) << head;
  EXPECT_EQ(head.find("Sec-WebSocket-Extensions"), std::string::npos) << head;
  return peer;
}

void say(raw_peer& peer, std::string_view message) {
  peer.out().binary(as_bytes(message));
  peer.flush();
}

TEST(inband_server, a_script_agrees_and_talks) {
  inband_server s;
  // A browser offers this of itself; it is not taken up.
  raw_peer peer =
      opened(s, std::string(asks) + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
  EXPECT_TRUE(s.told.lines().empty()) << "on_connect came before the agreement";
  say(peer, "x-rot13, x-unknown; a=1, x-hawser-checksum");
  EXPECT_EQ(peer.frame(), (raw_frame{0x82, "ext1.hawser; protocol=chat, x-rot13, x-hawser-checksum"}));
  ASSERT_TRUE(s.told.wait_for("inband [chat] [x-rot13, x-hawser-checksum] x-rot13 x-hawser-checksum"));
  // "Hello" turned and summed, by the order of the answer; RSV2 and RSV3.
  const std::string wire = "\x31Hryyb\xe7\x45\x08\xfb";
  say(peer, wire);
  EXPECT_EQ(peer.frame(), (raw_frame{0x82, wire}));
}

TEST(inband_server, the_checksum_alone_by_the_vectors) {
  inband_server s;
  raw_peer peer = opened(s);
  say(peer, "x-hawser-checksum");
  EXPECT_EQ(peer.frame().payload, "ext1.hawser; protocol=chat, x-hawser-checksum");
  say(peer, "\x11Hello\x81\xd9\x0e\x1b");
  EXPECT_EQ(peer.frame(), (raw_frame{0x82, "\x11Hello\x81\xd9\x0e\x1b"}));
  say(peer, "\x02plain");
  EXPECT_EQ(peer.frame().payload.substr(0, 6), "\x12plain");
  say(peer, "\x11Hallo\x81\xd9\x0e\x1b");
  const raw_frame end = peer.frame();
  EXPECT_EQ(test::close_code_of(end), 1007U);
  EXPECT_EQ(end.payload.substr(2), "checksum mismatch");
  EXPECT_TRUE(s.told.wait_for("closed 1007"));
}

TEST(inband_server, what_is_declined_leaves_the_mode) {
  inband_server s;
  raw_peer peer = opened(s, "Sec-WebSocket-Protocol: ext1.hawser\r\n");
  say(peer, "x-unknown");
  EXPECT_EQ(peer.frame(), (raw_frame{0x82, "ext1.hawser"}));
  ASSERT_TRUE(s.told.wait_for("inband [] []"));
  say(peer, "\x01text");
  EXPECT_EQ(peer.frame(), (raw_frame{0x82, "\x01text"}));
}

// The offer may come in fragments, after pings, byte by byte, and with the first message right behind it.
TEST(inband_server, the_offer_in_every_cut) {
  inband_server s;
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    raw_peer peer(s.it.at());
    peer.out().ping("early").fragments(2, {"x-ro", "", "t13"}).binary(as_bytes("\x21nop"));
    const test::byte_string frames = peer.out().take();
    const std::string all = raw_peer::request("/", "127.0.0.1", asks) + test::text_of(frames);
    for (std::size_t at = 0; at < all.size(); at += chunk)
      peer.send(std::string_view(all).substr(at, chunk));
    EXPECT_TRUE(peer.until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    EXPECT_EQ(peer.frame(), (raw_frame{0x8A, "early"}));
    EXPECT_EQ(peer.frame(), (raw_frame{0x82, "ext1.hawser; protocol=chat, x-rot13"}));
    EXPECT_EQ(peer.frame(), (raw_frame{0x82, "\x21nop"}));
  }
}

// Which subprotocol comes first decides; a server without the option does not know the name.
TEST(inband_server, the_mode_is_one_of_the_subprotocols) {
  inband_server s;
  raw_peer later(s.it.at());
  const std::string head = later.upgrade("/", "Sec-WebSocket-Protocol: v2.chat, ext1.hawser\r\n");
  EXPECT_NE(head.find("Sec-WebSocket-Protocol: v2.chat\r\n"), std::string::npos) << head;
  EXPECT_TRUE(s.told.wait_for("plain [v2.chat] []"));
  raw_peer first = opened(s, "Sec-WebSocket-Protocol: other, ext1.hawser, v2.chat, chat\r\n");
  say(first, "x-rot13");
  EXPECT_EQ(first.frame().payload, "ext1.hawser; protocol=v2.chat, x-rot13");

  running_server off;
  off->extensions().add(rot13());
  off->route("/");
  off.start();
  raw_peer peer(off.at());
  EXPECT_EQ(peer.upgrade("/", asks).find("Sec-WebSocket-Protocol"), std::string::npos);
}

struct bad_offer {
  std::string name;
  void (*write)(test::frame_writer&);
  unsigned code;
  std::string told;  // How the line to the server's owner begins.
};

void PrintTo(const bad_offer& b, std::ostream* out) { *out << b.name; }

class inband_bad_offer : public ::testing::TestWithParam<bad_offer> {};

// Each ends with a close frame whose reason a person can read, one line for the server's owner, and no handler called.
TEST_P(inband_bad_offer, is_refused_in_words) {
  const bad_offer& b = GetParam();
  inband_server s({}, true);
  raw_peer peer = opened(s);
  b.write(peer.out());
  peer.flush();
  const raw_frame end = peer.frame();
  EXPECT_EQ(end.op(), 8U);
  EXPECT_EQ(test::close_code_of(end), b.code);
  EXPECT_GT(end.payload.size(), 20U) << "no reason";
  EXPECT_EQ(peer.to_end(), "");
  ASSERT_TRUE(s.told.wait(1));
  EXPECT_NE(s.told.lines()[0].find(b.told), std::string::npos) << s.told.text();
  EXPECT_EQ(s.told.text().find("Sec-WebSocket-Extensions"), std::string::npos) << "there is no such field";
  peer.hang_up();
  s.it.stop();
  EXPECT_EQ(s.told.lines().size(), 1U) << s.told.text();
}

INSTANTIATE_TEST_SUITE_P(
    all, inband_bad_offer,
    ::testing::Values(
        bad_offer{"text", [](test::frame_writer& w) { w.text("x-hawser-checksum"); }, 1003, "came as text"},
        bad_offer{"empty", [](test::frame_writer& w) { w.binary({}); }, 1002, "offer is empty"},
        bad_offer{"malformed", [](test::frame_writer& w) { w.binary(as_bytes("x-hawser-checksum;;=")); }, 1002,
                  "the in-band offer, byte 19: "},
        bad_offer{"a_list_of_nothing", [](test::frame_writer& w) { w.binary(as_bytes(" , ,")); }, 1002,
                  "the in-band offer, byte 5: it names no extension"},
        bad_offer{"zeros", [](test::frame_writer& w) { w.binary(as_bytes(std::string(100, '\0'))); }, 1002, "byte "},
        bad_offer{"nine_elements", [](test::frame_writer& w) { w.binary(as_bytes("a,b,c,d,e,f,g,h,i")); }, 1002,
                  "byte "},
        bad_offer{"too_long", [](test::frame_writer& w) { w.binary(as_bytes(std::string(4097, 'a'))); }, 1009,
                  "the in-band offer is longer than 4096 bytes"},
        bad_offer{"required_and_not_there", [](test::frame_writer& w) { w.binary(as_bytes("x-rot13")); }, 1008,
                  "x-hawser-checksum is required"},
        bad_offer{"not_masked", [](test::frame_writer& w) { w.masking(false).binary(as_bytes("x-rot13")); }, 1002,
                  "without a mask"},
        bad_offer{"a_bit", [](test::frame_writer& w) { w.frame(0xA2, "x-rot13"); }, 1002, "reserved bit"}),
    [](const auto& row) { return row.param.name; });

// An offer of exactly the limit is read, and answered.
TEST(inband_server, the_longest_offer_is_read) {
  inband_server s;
  raw_peer peer = opened(s);
  say(peer, "x-rot13," + std::string(4096 - 8, ' '));
  EXPECT_EQ(peer.frame().payload, "ext1.hawser; protocol=chat, x-rot13");
}

// Who closes instead of offering anything has done no wrong; who hangs up neither.
TEST(inband_server, who_leaves_before_the_offer_is_no_error) {
  inband_server s;
  raw_peer peer = opened(s);
  peer.out().close(1000);
  peer.flush();
  EXPECT_EQ(test::close_code_of(peer.frame()), 1000U);
  EXPECT_EQ(peer.to_end(), "");
  peer.hang_up();
  opened(s).hang_up();
  opened(s).reset();
  s.it.stop();
  EXPECT_TRUE(s.told.lines().empty()) << s.told.text();
}

TEST(inband_server, silence_ends_with_the_handshake_timeout) {
  server_options o;
  o.handshake_timeout = std::chrono::milliseconds(150);
  inband_server s(o);
  raw_peer peer = opened(s);
  peer.out().ping("still here");  // Being alive is not enough.
  peer.flush();
  EXPECT_EQ(peer.frame().op(), 10U);
  const raw_frame end = peer.frame();
  EXPECT_EQ(test::close_code_of(end), 1008U);
  EXPECT_NE(end.payload.find("no in-band offer came"), std::string::npos) << end.payload;
  ASSERT_TRUE(s.told.wait(1));
  EXPECT_NE(s.told.lines()[0].find("no in-band offer came"), std::string::npos);
}

TEST(inband_server, bad_messages_after_the_agreement) {
  const std::pair<test::raw_frame, unsigned> cases[] = {
      {{0x81, "\x01text"}, 1003},
      {{0x82, ""}, 1002},
      {{0x82, std::string("\0x", 2)}, 1002},
      {{0x82, "\x89"}, 1002},
      {{0x82, "\x08"}, 1002},
      {{0x82, "\x0b"}, 1002},
      {{0x82, "\x41x"}, 1002},
      {{0x82, "\x03x"}, 1002},
      {{0x82, "\x01\xff"}, 1007},
      {{0x8B, "x"}, 1002},
      {{0xA2, "\x21x"}, 1002},
      {{0x82,
        "\x11"
        "abc"},
       1002},
  };
  inband_server s;
  for (const auto& [bad, code] : cases) {
    raw_peer peer = opened(s);
    say(peer, "x-rot13, x-hawser-checksum");
    peer.frame();
    peer.out().frame(bad.first, bad.payload);
    peer.flush();
    const raw_frame end = peer.frame();
    EXPECT_EQ(test::close_code_of(end), code) << ::testing::PrintToString(bad);
    EXPECT_GT(end.payload.size(), 15U);
  }
}

// What is published reaches those who speak in-band and all others.
TEST(inband_server, a_topic_reaches_both_kinds) {
  inband_server s;
  raw_peer plain(s.it.at());
  plain.upgrade();
  ASSERT_TRUE(s.told.wait(1));
  raw_peer script = opened(s);
  say(script, "x-rot13");
  script.frame();
  ASSERT_TRUE(s.told.wait(2));
  const std::string_view words[] = {"to all", "again"};
  for (const std::string_view word : words)
    EXPECT_EQ(s.it->publish("all", word), errc::ok);
  EXPECT_EQ(plain.frame(), (raw_frame{0x81, "to all"}));
  EXPECT_EQ(plain.frame(), (raw_frame{0x81, "again"}));
  EXPECT_EQ(script.frame(), (raw_frame{0x82, "\x21gb nyy"}));
  EXPECT_EQ(script.frame(), (raw_frame{0x82, "\x21ntnva"}));
}

// ---- a client

/// A client that says what happens.
struct inband_client {
  explicit inband_client(const std::string& url, bool required = false, client_options options = {})
      : it(url, with_mode(std::move(options))) {
    if (required)
      it.extensions().require(rot13());
    else
      it.extensions().add(rot13());
    it.extensions().add(ext::checksum());
    it.on_connect([this](connection c, const handshake& h) {
      told.add((h.inband ? "inband [" : "plain [") + h.subprotocol + "] [" + h.extensions_header + "]");
      static_cast<void>(c.send("hello"));
    });
    it.on_message([this](connection, const message& m) { told.add("message " + std::string(m.text())); });
    it.on_error([this](const failure& f) { told.add("error " + f.what()); });
    it.on_disconnect([this](const disconnect&) { told.add("gone"); });
    EXPECT_TRUE(it.start());
  }
  static client_options with_mode(client_options o) {
    o.inband_extensions = true;
    o.reconnect.enabled = false;
    o.subprotocols = {"other", "chat"};
    return o;
  }
  journal told;
  client it;
};

TEST(inband_client, it_agrees_and_talks) {
  inband_server s;
  inband_client c(s.it.url());
  EXPECT_TRUE(c.told.wait_for("inband [chat] [ x-rot13, x-hawser-checksum]")) << c.told.text();
  EXPECT_TRUE(c.told.wait_for("message hello")) << c.told.text();
  EXPECT_TRUE(s.told.wait_for("inband [chat] [x-rot13, x-hawser-checksum] x-rot13 x-hawser-checksum"));
}

// The request has the subprotocol in place of the field, and what follows is masked as all is.
TEST(inband_client, what_it_says_on_the_wire) {
  raw_listener at;
  inband_client c(at.url());
  raw_peer server = at.accept();
  const std::string asked = server.accept_upgrade("Sec-WebSocket-Protocol: ext1.hawser\r\n");
  EXPECT_NE(asked.find("Sec-WebSocket-Protocol: ext1.hawser, other, chat\r\n"), std::string::npos) << asked;
  EXPECT_EQ(asked.find("Sec-WebSocket-Extensions"), std::string::npos) << asked;
  EXPECT_EQ(server.frame(), (raw_frame{0x82, "x-rot13, x-hawser-checksum"}));
  say(server, "ext1.hawser; protocol=other, x-rot13");
  EXPECT_EQ(server.frame(), (raw_frame{0x82, "\x21uryyb"}));
  EXPECT_TRUE(c.told.wait_for("inband [other] [ x-rot13]")) << c.told.text();
}

// A server that does not know it is as one that declined all; what is required is missing then (N-20).
TEST(inband_client, a_server_without_it) {
  for (const bool required : {false, true}) {
    raw_listener at;
    inband_client c(at.url(), required);
    raw_peer server = at.accept();
    server.accept_upgrade("Sec-WebSocket-Protocol: chat\r\n");
    if (required) {
      EXPECT_EQ(test::close_code_of(server.frame()), 1010U);
      continue;
    }
    EXPECT_EQ(server.frame(), (raw_frame{0x81, "hello"}));
    EXPECT_TRUE(c.told.wait_for("plain [chat] []")) << c.told.text();
  }
}

struct bad_answer {
  std::string name;
  void (*write)(test::frame_writer&);
  unsigned code;
  std::string told;
};

void PrintTo(const bad_answer& b, std::ostream* out) { *out << b.name; }

class inband_bad_answer : public ::testing::TestWithParam<bad_answer> {};

TEST_P(inband_bad_answer, fails_in_words) {
  const bad_answer& b = GetParam();
  raw_listener at;
  inband_client c(at.url(), true);
  raw_peer server = at.accept();
  server.accept_upgrade("Sec-WebSocket-Protocol: ext1.hawser\r\n");
  EXPECT_EQ(server.frame().op(), 2U);
  b.write(server.out());
  server.flush();
  const raw_frame end = server.frame();
  EXPECT_EQ(test::close_code_of(end), b.code);
  server.hang_up();
  EXPECT_TRUE(c.told.wait_for("gone"));
  const std::vector<std::string> lines = c.told.lines();
  ASSERT_EQ(lines.size(), 2U) << c.told.text();
  EXPECT_EQ(lines[0].find("server closed") != std::string::npos, b.name == "closed") << "who closed: " << lines[0];
  EXPECT_EQ(lines[0].find("Sec-WebSocket-Extensions"), std::string::npos) << "there is no such field: " << lines[0];
  EXPECT_NE(lines[0].find(b.told), std::string::npos) << lines[0];
}

INSTANTIATE_TEST_SUITE_P(
    all, inband_bad_answer,
    ::testing::Values(
        bad_answer{"text", [](test::frame_writer& w) { w.text("ext1.hawser"); }, 1003, "came as text"},
        bad_answer{"empty", [](test::frame_writer& w) { w.binary({}); }, 1002,
                   "the in-band answer, byte 1: it names no extension"},
        bad_answer{"list_behind_its_own", [](test::frame_writer& w) { w.binary(as_bytes("ext1.hawser, =")); }, 1002,
                   "the extensions in the in-band answer, byte 2: "},
        bad_answer{"a_bit", [](test::frame_writer& w) { w.frame(0xA2, "ext1.hawser"); }, 1002,
                   "in place of an in-band answer: The peer set a reserved bit"},
        bad_answer{"not_its_own", [](test::frame_writer& w) { w.binary(as_bytes("x-rot13")); }, 1002, "begins with"},
        bad_answer{"not_offered", [](test::frame_writer& w) { w.binary(as_bytes("ext1.hawser, x-other")); }, 1002,
                   "x-other, which was not offered"},
        bad_answer{"twice", [](test::frame_writer& w) { w.binary(as_bytes("ext1.hawser, x-rot13, x-rot13")); }, 1002,
                   "twice"},
        bad_answer{"parameters", [](test::frame_writer& w) { w.binary(as_bytes("ext1.hawser, x-rot13; a")); }, 1002,
                   "x-rot13"},
        bad_answer{"subprotocol",
                   [](test::frame_writer& w) { w.binary(as_bytes("ext1.hawser; protocol=ftp, x-rot13")); }, 1002,
                   "ftp, which was not offered"},
        bad_answer{"required", [](test::frame_writer& w) { w.binary(as_bytes("ext1.hawser, x-hawser-checksum")); },
                   1010, "x-rot13"},
        bad_answer{"too_long", [](test::frame_writer& w) { w.binary(as_bytes(std::string(4097, 'a'))); }, 1009,
                   "the in-band answer is longer than 4096 bytes"},
        bad_answer{"closed", [](test::frame_writer& w) { w.close(1008, "go away"); }, 1008,
                   "the server closed in place of an in-band answer: 1008 go away"}),
    [](const auto& row) { return row.param.name; });

TEST(inband_client, a_server_that_answers_nothing) {
  client_options o;
  o.handshake_timeout = std::chrono::milliseconds(150);
  raw_listener at;
  inband_client c(at.url(), false, o);
  raw_peer server = at.accept();
  server.accept_upgrade("Sec-WebSocket-Protocol: ext1.hawser\r\n");
  EXPECT_EQ(server.frame().op(), 2U);
  EXPECT_EQ(test::close_code_of(server.frame()), 1008U);
  server.hang_up();
  EXPECT_TRUE(c.told.wait_for("gone"));
  EXPECT_EQ(c.told.lines().size(), 2U) << c.told.text();
}

// The field of the handshake must not answer what was said in-band (N-08).
TEST(inband_client, a_field_in_the_response_fails) {
  raw_listener at;
  inband_client c(at.url());
  raw_peer server = at.accept();
  server.accept_upgrade("Sec-WebSocket-Protocol: ext1.hawser\r\nSec-WebSocket-Extensions: x-rot13\r\n");
  EXPECT_TRUE(c.told.wait_for("gone"));
  EXPECT_NE(c.told.lines()[0].find("in-band only"), std::string::npos) << c.told.text();
}

// With nothing to offer there is nothing to agree on.
TEST(inband_client, without_extensions_it_is_an_ordinary_client) {
  raw_listener at;
  client_options o = inband_client::with_mode({});
  client c(at.url(), o);
  ASSERT_TRUE(c.start());
  raw_peer server = at.accept();
  EXPECT_EQ(server.accept_upgrade().find("ext1.hawser"), std::string::npos);
}

// The blocking client takes the same option.
TEST(inband_client, blocking_calls_too) {
  inband_server s;
  extension_list list;
  list.add(ext::checksum());
  std::string why;
  auto ws = connect(s.it.url(), inband_client::with_mode({}), list, {}, &why);
  ASSERT_TRUE(ws) << why;
  EXPECT_TRUE(ws->agreed().inband);
  ASSERT_TRUE(ws->send("hello"));
  const result<message> m = ws->receive();
  ASSERT_TRUE(m);
  EXPECT_EQ(m->text(), "hello");
}

// docs/extensions.md, "Browsers".
TEST(inband_page, a_server_that_serves_it) {
  const auto custom_extension = rot13;
  hawser::server_options options;
  options.inband_extensions = true;
  hawser::server server(options);
  server.extensions().add(hawser::ext::checksum()).add(custom_extension());
  EXPECT_TRUE(server.listen("127.0.0.1", 0));
}

}  // namespace
}  // namespace hawser
