// What is shipped, in-band between a client and a server over TCP: what applications see of it is what they see in
// frames.
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/core/stage.h>
#include <hawser/hawser.h>

#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <vector>

namespace hawser {
namespace {

using test::journal;
using test::running_server;

constexpr std::string_view context_of_client = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr std::string_view context_of_server = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

server_options inband(server_options o = {}) {
  o.inband_extensions = true;
  return o;
}
client_options inband_client() {
  client_options o;
  o.inband_extensions = true;
  o.reconnect.enabled = false;
  return o;
}

ext::trace traced(std::string_view context) {
  return ext::trace().sent_with([context](std::uint64_t) { return ext::trace_context::parse(context); });
}

std::string context_of(const message& m) {
  const auto found = ext::trace::of(m);
  return found ? found->traceparent() : "none";
}

TEST(inband_shipped, a_trace_context_comes_with_each_message_at_both_ends) {
  journal at_server;
  running_server server(inband());
  server->extensions().add(traced(context_of_server));
  server->route("/").on_message([&](connection c, const message& m) {
    at_server.add(context_of(m));
    c.send(m);
  });
  server.start();
  extension_list list;
  list.require(traced(context_of_client));
  auto ws = connect(server.url(), inband_client(), list);
  ASSERT_TRUE(ws);
  EXPECT_TRUE(ws->agreed().inband);
  for (const std::size_t size : {0U, 5U, 70'000U}) {
    ASSERT_TRUE(ws->send(std::string(size, 'x')));
    const auto m = ws->receive();
    ASSERT_TRUE(m);
    EXPECT_EQ(m->text().size(), size);
    EXPECT_EQ(context_of(*m), context_of_server);
  }
  EXPECT_EQ(at_server.lines(), std::vector<std::string>(3, std::string(context_of_client)));
}

// The first two are acknowledged; the server ends the connection with the third, which is handed back.
TEST(inband_shipped, what_was_acknowledged_is_known_and_the_rest_is_handed_back) {
  journal told;
  running_server server(inband());
  server->extensions().add(ext::ack().every(2));
  server->route("/").on_message([](connection c, const message& m) {
    if (m.text() == "three") c.terminate();
  });
  server.start();
  client ws(server.url(), inband_client());
  std::promise<connection> opened;
  ws.extensions().require(
      ext::ack()
          .within(std::chrono::seconds(60))
          .on_acknowledged([&](std::uint64_t, std::uint64_t n) { told.add("has " + std::to_string(n)); })
          .on_ended([&](std::uint64_t, std::vector<ext::sent_message> left) {
            for (const ext::sent_message& m : left)
              told.add("left " + std::string(m.text()));
          }));
  ws.on_connect([&](connection c, const handshake& h) {
    EXPECT_TRUE(h.inband);
    opened.set_value(c);
  });
  ASSERT_TRUE(ws.start());
  const connection c = opened.get_future().get();
  EXPECT_EQ(c.send("one"), errc::ok);
  EXPECT_EQ(c.send("two"), errc::ok);
  ASSERT_TRUE(told.wait_for("has 2")) << told.text();
  EXPECT_EQ(c.send("three"), errc::ok);
  EXPECT_TRUE(told.wait_for("left three")) << told.text();
  EXPECT_EQ(told.text(), "has 2 left three");
  ws.stop();
}

/// An echo server with one codec that takes messages of up to 100,000 bytes, and a client with the same codec.
struct compressed_pair {
  explicit compressed_pair(const any_factory& codec) : server(inband(bounded())) {
    server->extensions().add(codec);
    server->route("/").on_message([](connection c, const message& m) { c.send(m); });
    server.start();
    list.require(codec);
  }
  static server_options bounded() {
    server_options o;
    o.bounds.max_message = 100'000;
    return o;
  }
  running_server server;
  extension_list list;
};

TEST(inband_shipped, codecs_work_on_each_message_and_keep_its_limit_to_the_byte) {
  std::vector<any_factory> codecs = {ext::deflate(), ext::deflate(ext::deflate_preset::balanced),
                                     ext::deflate(ext::deflate_preset::fast)};
  if (ext::zstd::available()) codecs.emplace_back(ext::zstd());
  for (const any_factory& codec : codecs) {
    compressed_pair pair(codec);
    auto ws = connect(pair.server.url(), inband_client(), pair.list);
    ASSERT_TRUE(ws) << codec.name();
    for (const std::size_t size : {0U, 5U, 500U, 99'999U, 100'000U}) {
      ASSERT_TRUE(ws->send(std::string(size, 'x')));
      const auto m = ws->receive();
      ASSERT_TRUE(m) << codec.name() << ", " << size;
      EXPECT_EQ(m->text(), std::string(size, 'x'));
    }
    ASSERT_TRUE(ws->send(std::string(100'001, 'x')));
    const auto m = ws->receive();
    ASSERT_FALSE(m);
    EXPECT_NE(ws->farewell().find("1009"), std::string::npos) << codec.name() << ": " << ws->farewell();
  }
}

}  // namespace
}  // namespace hawser
