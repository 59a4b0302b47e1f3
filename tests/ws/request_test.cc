// The request and what was agreed, asked of a handle when `on_connect` is long over.

#include "ws/on_loop.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>

#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace hawser::test {
namespace {

using kept_request = result<std::shared_ptr<const handshake>>;

server_options keeping() {
  server_options options;
  options.keep_request = true;
  return options;
}

TEST(request, a_server_keeps_it_for_as_long_as_anybody_wants_it) {
  running_server server(keeping());
  std::promise<connection> who;
  std::promise<std::shared_ptr<const handshake>> found;
  server->extensions().add(ext::message_extension("x-same", rsv::one).encode([](byte_span) {}));
  server->route("/chat")
      .subprotocols({"v1"})
      .on_connect([&](connection c, const handshake& h) {
        const kept_request r = c.request();
        ASSERT_TRUE(r);
        EXPECT_EQ((*r)->target, h.target) << "it is there already";
        who.set_value(c);
      })
      .on_close([&](connection c, close_code, std::string_view) { found.set_value(c.request().value_or(nullptr)); });
  server.start();
  raw_peer peer(server.at());
  const std::string head = peer.upgrade("/chat?room=7",
                                        "X-Token: abc\r\nSec-WebSocket-Protocol: v0, v1\r\n"
                                        "Sec-WebSocket-Extensions: x-same\r\n");
  ASSERT_NE(head.find(" 101 "), std::string::npos);
  const connection c = who.get_future().get();
  EXPECT_EQ(c.request().error(), errc::wrong_thread);
  peer.reset();
  const std::shared_ptr<const handshake> h = found.get_future().get();
  ASSERT_NE(h, nullptr) << "still there at its end";
  ASSERT_TRUE(comes_true(server.it(), [](worker& w) { return w.sessions().empty(); }));
  EXPECT_EQ(c.request().error(), errc::closed);
  // Its copy is good without the connection.
  EXPECT_EQ(h->path(), "/chat");
  EXPECT_EQ(h->target, "/chat?room=7");
  EXPECT_EQ(h->peer.fields.find("X-Token").value_or(""), "abc");
  EXPECT_TRUE(h->peer.fields.find("Host").has_value());
  EXPECT_EQ(h->subprotocol, "v1");
  EXPECT_EQ(h->extensions_header, "x-same");
  EXPECT_EQ(h->remote.host(), "127.0.0.1");
}

TEST(request, it_is_not_kept_unless_asked_for) {
  running_server server;
  std::promise<std::error_code> said;
  server->route("/").on_message([&](connection c, const message&) { said.set_value(c.request().error()); });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.text("go");
  EXPECT_EQ(said.get_future().get(), errc::not_kept);
  EXPECT_EQ(connection().request().error(), errc::closed);
}

TEST(request, a_client_keeps_the_answer_of_the_server) {
  running_server server;
  server->route("/chat").subprotocols({"v1"}).on_connect([](connection c, const handshake&) { c.send("hello"); });
  server.start();
  client_options options;
  options.keep_request = true;
  options.subprotocols = {"v1"};
  client peer(server.url("/chat?x"), options);
  std::promise<kept_request> said;
  peer.on_message([&](connection c, const message&) { said.set_value(c.request()); });
  ASSERT_TRUE(peer.start());
  const kept_request r = said.get_future().get();
  ASSERT_TRUE(r);
  EXPECT_EQ((*r)->target, "/chat?x");
  EXPECT_EQ((*r)->subprotocol, "v1");
  EXPECT_EQ((*r)->peer.status, 101);
}

}  // namespace
}  // namespace hawser::test
