// The code that docs/ext/*.md show, as it stands there, at work between a client and a server.
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ext/ack.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/deflate.h>
#include <hawser/ext/trace.h>
#include <hawser/ext/zstd.h>
#include <hawser/ws/client.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using hawser::test::journal;
using hawser::test::running_server;

constexpr std::string_view context_of_server = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::string_view context_of_client = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What docs/ext/trace.md calls by this name is the tracing library of its reader.
namespace my_tracer {
std::optional<hawser::ext::trace_context> current() { return hawser::ext::trace_context::parse(context_of_client); }
journal begun;
void begin(std::string_view what, const std::string& from) { begun.add(std::string(what) + " " + from); }
}  // namespace my_tracer

/// Text that a codec makes shorter.
std::string long_text() {
  std::string made;
  for (int i = 0; i < 40; ++i)
    made += "the rope holds the ship and the ship holds the rope, " + std::to_string(i) + " times; ";
  return made;
}

/// A server that echoes and writes down what came and what was agreed on.
struct echoing : running_server {
  explicit echoing(hawser::any_factory one) {
    it().extensions().add(std::move(one));
    it().route("/")
        .on_connect([this](hawser::connection, const hawser::handshake& h) {
          for (const hawser::active_extension& e : h.extensions)
            agreed.add(e.text());
        })
        .on_message([this](hawser::connection c, const hawser::message& m) {
          came.add(std::string(m.text()));
          c.send(m);
        });
    start();
  }
  journal agreed;
  journal came;
};

/// Sends one text and waits for its echo; what the two ends agreed on.
std::string one_echo(hawser::client& ws, echoing& server) {
  ws.on_connect([](hawser::connection c, const hawser::handshake&) { c.send(long_text()); });
  ws.on_message([](hawser::connection c, const hawser::message& m) {
    EXPECT_EQ(m.text(), long_text());
    c.close();
  });
  EXPECT_EQ(ws.run_forever(), 0);
  EXPECT_EQ(server.came.lines(), std::vector<std::string>{long_text()});
  return server.agreed.text();
}

// ---- docs/ext/ack.md

// The server ends the first connection with the first message: it came, nobody knows that, and both are sent again.
TEST(pages, ack_sends_again_what_was_not_acknowledged) {
  journal came;
  int connections = 0;
  running_server server;
  server->extensions().add(hawser::ext::ack());
  server->route("/")
      .on_connect([&](hawser::connection c, const hawser::handshake&) {
        if (++connections == 1) c.send("begin");
      })
      .on_message([&](hawser::connection c, const hawser::message& m) {
        came.add(m.is_text() ? std::string(m.text()) : "bytes");
        if (connections == 1) {
          c.terminate();
          return;
        }
        if (!m.is_text()) c.send("end");
      });
  server.start();
  hawser::client_options options;
  options.reconnect.first = options.reconnect.cap = std::chrono::milliseconds(1);
  hawser::client ws(server.url(), options);
  ws.on_message([](hawser::connection c, const hawser::message& m) {
    if (m.text() == "end") {
      c.close();
      return;
    }
    EXPECT_EQ(c.send("text"), hawser::errc::ok);
    EXPECT_EQ(c.send(hawser::as_bytes("some bytes")), hawser::errc::ok);
  });

  std::vector<hawser::ext::sent_message> again;
  ws.extensions().require(hawser::ext::ack().on_ended(
      [&](std::uint64_t, std::vector<hawser::ext::sent_message> left) { again = std::move(left); }));
  ws.on_connect([&](hawser::connection c, const hawser::handshake&) {
    for (const auto& m : std::exchange(again, {}))
      m.is_text() ? c.send(m.text()) : c.send(m.bytes());
  });

  EXPECT_EQ(ws.run_forever(), 0);
  server.stop();
  EXPECT_EQ(came.text(), "text text bytes");
}

// ---- docs/ext/checksum.md

TEST(pages, checksum) {
  echoing server{hawser::ext::checksum()};
  hawser::client ws(server.url());

  ws.extensions().add(hawser::ext::checksum());

  EXPECT_EQ(one_echo(ws, server), "x-hawser-checksum");
}

// ---- docs/ext/deflate.md

TEST(pages, deflate_each_message_alone) {
  echoing server{hawser::ext::deflate()};
  hawser::client ws(server.url());

  ws.extensions().add(hawser::ext::deflate());  // each message alone

  EXPECT_EQ(one_echo(ws, server).rfind("permessage-deflate; ", 0), 0U);
}

TEST(pages, deflate_by_a_preset) {
  echoing server{hawser::ext::deflate(hawser::ext::deflate_preset::balanced)};
  hawser::client ws(server.url());

  ws.extensions().add(hawser::ext::deflate(hawser::ext::deflate_preset::balanced));  // or with what came before

  EXPECT_EQ(one_echo(ws, server), "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12");
}

TEST(pages, deflate_with_values_beside_the_preset) {
  echoing server{hawser::ext::deflate(hawser::ext::deflate_preset::fast)};
  hawser::client ws(server.url());

  hawser::ext::deflate_options o(hawser::ext::deflate_preset::balanced);
  o.server_no_context_takeover = true;  // what the server sends is compressed message by message
  o.client_max_window_bits = 10;
  o.threshold = 256;
  ws.extensions().add(hawser::ext::deflate(o));

  EXPECT_EQ(one_echo(ws, server),
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits=10");
}

// What a handler sends so goes without the bit, and what it sends otherwise with it.
TEST(pages, deflate_leaves_out_a_message) {
  running_server server;
  server->extensions().add(hawser::ext::deflate());
  server->route("/").on_message([](hawser::connection c, const hawser::message& m) {
    const std::string text = long_text();
    if (m.text() == "compressed") {
      c.send(text);
    } else {
      c.send(text, {.compress = false});
    }
  });
  server.start();
  hawser::test::raw_peer peer(server.at());
  peer.upgrade("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  peer.text("plain");
  hawser::test::raw_frame got = peer.frame();
  EXPECT_EQ(got.first, 0x81);
  EXPECT_EQ(got.payload, long_text());
  peer.text("compressed");
  got = peer.frame();
  EXPECT_EQ(got.first, 0xC1);
  EXPECT_LT(got.payload.size(), long_text().size() / 2);
}

// ---- docs/ext/trace.md

TEST(pages, trace_in_both_directions) {
  journal at_server;
  running_server server;
  server->extensions().add(hawser::ext::trace().sent_with(
      [](std::uint64_t) { return hawser::ext::trace_context::parse(context_of_server); }));
  server->route("/")
      .on_connect([](hawser::connection c, const hawser::handshake&) { c.send("ask"); })
      .on_message([&](hawser::connection, const hawser::message& m) {
        if (auto from = hawser::ext::trace::of(m)) at_server.add(from->traceparent());
      });
  server.start();
  hawser::client ws(server.url());
  ws.on_connect([](hawser::connection c, const hawser::handshake&) { c.send("hello"); });

  ws.extensions().add(hawser::ext::trace().sent_with([](std::uint64_t) -> std::optional<hawser::ext::trace_context> {
    return my_tracer::current();  // or nothing
  }));
  ws.on_message([](hawser::connection, const hawser::message& m) {
    if (auto from = hawser::ext::trace::of(m)) my_tracer::begin("message", from->traceparent());
  });

  ASSERT_TRUE(ws.start());
  EXPECT_TRUE(my_tracer::begun.wait_for("message " + std::string(context_of_server)));
  EXPECT_TRUE(at_server.wait_for(context_of_client));
  ws.stop();
}

// ---- docs/ext/zstd.md

TEST(pages, zstd_without_a_dictionary) {
  if (!hawser::ext::zstd::available()) GTEST_SKIP() << "built without it";
  echoing server{hawser::ext::zstd()};
  hawser::client ws(server.url());

  ws.extensions().add(hawser::ext::zstd());

  EXPECT_EQ(one_echo(ws, server), "x-hawser-zstd; window=18");
}

TEST(pages, zstd_with_a_dictionary) {
  if (!hawser::ext::zstd::available()) GTEST_SKIP() << "built without it";
  const std::string text = long_text();
  const hawser::byte_view my_dictionary = hawser::as_bytes(text);
  const auto same = hawser::ext::zstd().dictionary(my_dictionary);
  echoing server(same);
  hawser::client ws(server.url());

  ws.extensions().add(hawser::ext::zstd().dictionary(my_dictionary));  // bytes that both ends have

  EXPECT_EQ(one_echo(ws, server), "x-hawser-zstd; window=18; dictionary=" + std::to_string(same.dictionary_id()));
}

}  // namespace
