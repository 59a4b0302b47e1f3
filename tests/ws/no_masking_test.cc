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

TEST(no_masking_ws, client_and_server_talk_on_it_beside_an_extension_that_sees_every_message) {
  const auto other = [] {
    return ext::message_extension("x-not", rsv::two)
        .encode([](byte_span b) { std::ranges::for_each(b, [](std::byte& x) { x = ~x; }); })
        .decode([](byte_span b) { std::ranges::for_each(b, [](std::byte& x) { x = ~x; }); });
  };
  bare_echo server;
  server->extensions().add(other());
  server.start();
  extension_list both = just();
  both.add(other());
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
