// no-masking over real sockets: TCP on loopback and Unix sockets are secure paths, and frames are then really bare.
#include "ws/raw_peer.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/hawser.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace hawser {
namespace {

using test::raw_listener;
using test::raw_peer;
using test::running_server;

constexpr std::string_view agreed = "Sec-WebSocket-Extensions: no-masking\r\n";

extension_list just() {
  extension_list list;
  list.add(ext::no_masking());
  return list;
}

ext::message_extension turned() {
  const auto turn = [](byte_span b) { std::ranges::for_each(b, [](std::byte& x) { x = ~x; }); };
  return ext::message_extension("x-not", rsv::two).encode(turn).decode(turn);
}

struct bare_echo : running_server {
  bare_echo() {
    it().extensions().add(ext::no_masking());
    it().route("/").on_message([](connection c, const message& m) { c.send(m); });
  }
};

TEST(no_masking_ws, a_client_on_loopback_offers_it_and_sends_bare_frames_F_08) {
  for (const std::string& at : {std::string("127.0.0.1:0"), "unix:@hawser-bare-" + std::to_string(::getpid())}) {
    raw_listener listener(at);
    std::string asked;
    std::thread peer([&] {
      raw_peer p = listener.accept();
      asked = p.accept_upgrade(agreed);
      EXPECT_NE(p.until("\x81\x05hello"), "");
      p.send(std::string_view("\x81\x02ok", 4));
      EXPECT_NE(p.until(std::string_view("\x88\x02\x03\xE8", 4)), "");
      p.send(std::string_view("\x88\x02\x03\xE8", 4));
    });
    client_options options;
    if (at.starts_with("unix:")) options.unix_path = at.substr(5);
    const std::string url = options.unix_path.empty() ? listener.url() : "ws://any.test/";
    auto c = connect(url, options, just());
    if (c) {
      EXPECT_TRUE(c->send("hello"));
      const auto m = c->receive();
      EXPECT_TRUE(m && m->text() == "ok");
      EXPECT_TRUE(c->close());
    }
    peer.join();
    EXPECT_TRUE(c) << at;
    EXPECT_NE(asked.find(agreed), std::string::npos) << asked;
  }
}

TEST(no_masking_ws, a_server_on_loopback_agrees_and_reads_bare_frames_only_F_08) {
  for (const std::string& at : {std::string("127.0.0.1:0"), "unix:@hawser-bare-" + std::to_string(::getpid())}) {
    bare_echo server;
    server.start(at);
    raw_peer bare(server.at());
    EXPECT_NE(bare.upgrade("/", agreed).find(agreed), std::string::npos);
    bare.send("\x81\x05hello");
    EXPECT_EQ(bare.frame().payload, "hello");

    raw_peer masks(server.at());
    masks.upgrade("/", agreed);
    masks.text("hello");
    EXPECT_EQ(test::close_code_of(masks.frame_of(8)), 1002U);

    raw_peer old(server.at());
    EXPECT_EQ(old.upgrade().find(agreed), std::string::npos);
    old.text("hello");
    EXPECT_EQ(old.frame().payload, "hello");
  }
}

// The server works with its answer already when the client finds that another extension is missing: the frame that says
// so looks as agreed. A masked one would be a 1002 to the server, and it would not hear what is missing (N-20).
TEST(no_masking_ws, the_close_that_names_what_is_missing_is_bare_where_that_was_agreed_N_20_F_08) {
  constexpr std::string_view why = "the server declined the extension x-not";
  extension_list wants = just();
  wants.require(turned());
  for (const bool bare : {true, false}) {
    raw_listener listener;
    std::string said;
    std::thread peer([&] {
      raw_peer p = listener.accept();
      p.accept_upgrade(bare ? agreed : "");
      said = p.to_end();
    });
    const auto c = connect(listener.url(), {}, wants);
    peer.join();
    EXPECT_FALSE(c);
    ASSERT_EQ(said.size(), why.size() + (bare ? 4 : 8));
    EXPECT_EQ(static_cast<unsigned char>(said[0]), 0x88);
    EXPECT_EQ(static_cast<unsigned char>(said[1]), why.size() + 2 + (bare ? 0 : 0x80));
    if (bare) {
      EXPECT_EQ(said.substr(2), "\x03\xF2" + std::string(why));
    }
  }
}

TEST(no_masking_ws, a_server_that_agreed_on_it_hears_what_its_client_misses_N_20) {
  test::journal closes;
  bare_echo server;
  server->route("/").on_close([&](connection, close_code code, std::string_view reason) {
    closes.add(std::to_string(static_cast<int>(code)) + " " + std::string(reason));
  });
  server.start();
  extension_list wants = just();
  wants.require(turned());
  const auto c = connect(server.url(), {}, wants);
  ASSERT_FALSE(c);
  EXPECT_EQ(c.error(), errc::extension_missing);
  EXPECT_TRUE(closes.wait_for("1010 the server declined the extension x-not")) << closes.text();
}

TEST(no_masking_ws, client_and_server_talk_on_it_beside_an_extension_that_sees_every_message) {
  bare_echo server;
  server->extensions().add(turned());
  server.start();
  extension_list both = just();
  both.add(turned());
  auto c = connect(server.url(), {}, both);
  ASSERT_TRUE(c);
  for (const std::size_t size : {0U, 5U, 3000U, 200'000U}) {
    const std::string text(size, 'x');
    ASSERT_TRUE(c->send(text));
    const auto m = c->receive();
    ASSERT_TRUE(m);
    EXPECT_EQ(m->text(), text);
  }
  EXPECT_TRUE(c->close());
}

}  // namespace
}  // namespace hawser
