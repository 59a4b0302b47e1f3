// x-hawser-priority over real sockets: what waits to be cut into frames goes on as the system and the peer take it, a
// close waits for it, and what is urgent does not.
#include "ws/on_loop.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ext/deflate.h>
#include <hawser/hawser.h>

#include <atomic>
#include <future>
#include <string>
#include <vector>

namespace hawser {
namespace {

using test::running_server;

std::string large(char what, std::size_t size = std::size_t{16} << 20) { return std::string(size, what); }

server_options for_large_messages() {
  server_options options;
  options.bounds.max_message = std::uint64_t{16} << 20;
  return options;
}

client_options once() {
  client_options options;
  options.reconnect.max_attempts = 1;
  return options;
}

// Compressed ones too: the frames are those of what deflate made.
void add_extensions(extension_list& list, bool compressed) {
  if (compressed) list.add(ext::checksum()).add(ext::deflate());
  list.add(ext::priority());
}

struct conversation {
  std::vector<std::string> at_server;
  std::vector<std::string> at_client;
  std::vector<unsigned> closes;
};

std::string in_short(const message& m) {
  return std::string(1, m.text().empty() ? '-' : m.text()[0]) + " " + std::to_string(m.text().size());
}

conversation converse(bool compressed) {
  conversation seen;
  running_server server(for_large_messages());
  add_extensions(server->extensions(), compressed);
  server->route("/").on_message([&](connection c, const message& m) {
    seen.at_server.push_back(in_short(m));
    if (seen.at_server.size() < 2) return;
    EXPECT_EQ(c.send(large('B')), errc::ok);
    EXPECT_EQ(c.send(large('b', 50'000), {.priority = 1}), errc::ok);
    EXPECT_EQ(c.send("small"), errc::ok);
    EXPECT_EQ(c.send(large('C', 1)), errc::ok);
    if (!compressed) {
      EXPECT_EQ(c.send(large('w', 5000)), errc::would_block) << "the drain that this asks for never comes";
    }
    EXPECT_EQ(c.close(), errc::ok);
  });
  server.start();

  client ws(server.url(), once());
  add_extensions(ws.extensions(), compressed);
  ws.on_connect([&](connection c, const handshake&) {
    EXPECT_EQ(c.extensions().value().back().name, "x-hawser-priority");
    EXPECT_EQ(c.send(large('A')), errc::ok);
    EXPECT_EQ(c.send("stop!", {.priority = 200}), errc::ok);
  });
  ws.on_message([&](connection, const message& m) { seen.at_client.push_back(in_short(m)); });
  ws.on_close([&](close_code code, std::string_view) { seen.closes.push_back(static_cast<unsigned>(code)); });
  ws.run_forever();
  server.stop();
  return seen;
}

TEST(priority_ws, a_small_message_overtakes_a_big_one_and_a_close_does_not) {
  for (const bool compressed : {false, true}) {
    SCOPED_TRACE(compressed);
    const conversation seen = converse(compressed);
    EXPECT_EQ(seen.at_server, (std::vector<std::string>{"s 5", "A 16777216"}));
    EXPECT_EQ(seen.at_client, (std::vector<std::string>{"b 50000", "s 5", "C 1", "B 16777216"}));
    EXPECT_EQ(seen.closes, std::vector<unsigned>{1000});
  }
}

// The lines of docs/ext/priority.md.
TEST(priority_ws, what_its_page_shows_works) {
  running_server server(for_large_messages());
  server->extensions().add(ext::priority());
  std::vector<std::string> came;
  server->route("/").on_message([&](connection c, const message& m) {
    came.push_back(in_short(m));
    if (came.size() == 2) c.close();
  });
  server.start();
  const std::string film = large('f');
  client ws(server.url(), once());
  ws.extensions().add(hawser::ext::priority());
  ws.on_connect([&](hawser::connection c, const hawser::handshake&) {
    c.send(film);
    c.send("stop!", {.priority = 200});
  });
  ws.run_forever();
  server.stop();
  EXPECT_EQ(came, (std::vector<std::string>{"s 5", "f 16777216"}));
}

/// Waits until the loop of `c` has done what was asked of it before.
void catch_up(connection c) {
  std::promise<void> done;
  ASSERT_EQ(c.post([&done] { done.set_value(); }), errc::ok);
  done.get_future().wait();
}

/// Sends from this thread until that is refused, also when the loop has done all that it was asked for. How often it
/// was taken; at most `most` times.
std::size_t sends_taken(connection to, const std::string& text, std::size_t most) {
  std::size_t taken = 0;
  for (int refused = 0; taken < most && refused < 20;) {
    if (to.send(text) == errc::ok) {
      ++taken;
      refused = 0;
    } else {
      ++refused;
      catch_up(to);
    }
  }
  return taken;
}

// What waits for a grant is in no frame, and still is a backlog.
TEST(priority_ws, other_threads_are_refused_while_the_peer_grants_nothing_and_hear_of_the_drain_D10) {
  std::promise<connection> at_server;
  std::promise<connection> at_client;
  std::atomic<int> drains{0};
  running_server server(for_large_messages());
  server->extensions().add(ext::priority());
  server->route("/")
      .on_connect([&](connection c, const handshake&) { at_server.set_value(c); })
      .on_drain([&](connection) { ++drains; });
  server.start();
  client ws(server.url(), once());
  ws.extensions().add(ext::priority());
  std::atomic<std::size_t> came{0};
  ws.on_connect([&](connection c, const handshake&) {
    EXPECT_EQ(c.pause(), errc::ok);
    at_client.set_value(c);
  });
  ws.on_message([&](connection, const message&) { ++came; });
  ASSERT_TRUE(ws.start());
  const connection reader = at_client.get_future().get();
  const connection writer = at_server.get_future().get();

  const std::string text = large('x', 65'536);
  const std::size_t sent = sends_taken(writer, text, 1000);
  EXPECT_GT(sent * text.size(), 196'608U) << "what the window lets go of large messages";
  EXPECT_LT(sent * text.size(), std::size_t{8} << 20) << "of 62 MiB";
  ASSERT_EQ(reader.post([reader] { EXPECT_EQ(reader.resume(), errc::ok); }), errc::ok);
  EXPECT_TRUE(test::comes_true(server.it(), [&](worker&) { return came == sent; }));
  EXPECT_TRUE(test::comes_true(server.it(), [&](worker&) { return drains > 0; }));
  EXPECT_TRUE(test::comes_true(server.it(), [&](worker&) { return writer.send("once more") == errc::ok; }));
  EXPECT_TRUE(test::comes_true(server.it(), [&](worker&) { return came > sent; }));
  ws.stop();
  server.stop();
}

}  // namespace
}  // namespace hawser
