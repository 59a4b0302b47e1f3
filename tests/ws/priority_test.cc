// x-hawser-priority over real sockets: what waits to be cut into frames goes on as the system and the peer take it, a
// close waits for it, and what is urgent does not.
#include "ws/on_loop.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ext/deflate.h>
#include <hawser/hawser.h>

#include <array>
#include <atomic>
#include <future>
#include <string>
#include <utility>
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

// ---- the peer closes

/// The frames of one end to its end, on channels; messages by their sizes, in the order of their last frames.
std::vector<std::size_t> sizes_to_the_close(test::raw_peer& peer, unsigned& code) {
  std::vector<std::size_t> told;
  std::array<std::size_t, max_half_way> half{};
  for (;;) {
    const test::raw_frame f = peer.frame();
    if (f.op() == 8) code = test::close_code_of(f);
    if (f.op() == 8 || f.payload.empty()) return told;
    if (f.op() > 7) continue;
    std::size_t& size = half.at(static_cast<unsigned char>(f.payload.at(0)));
    size += f.payload.size() - 1;
    if (f.fin()) told.push_back(std::exchange(size, 0));
  }
}

// Asked and closed in one breath, by one that may send nothing more at all behind it. The replies are more than the
// window, and than what the system takes of a peer that does not read yet.
TEST(priority_ws, what_was_sent_before_the_peers_close_arrives_and_then_the_answer_F_10) {
  for (const bool shuts_down : {false, true}) {
    SCOPED_TRACE(shuts_down);
    test::journal told;
    std::promise<connection> came;
    running_server server;
    server->extensions().add(ext::priority());
    server->route("/").on_message([&](connection c, const message& m) {
      if (m.text() == "one") {
        came.set_value(c);
        EXPECT_EQ(c.send(large('B', 8'000'000)), errc::ok);
      }
      EXPECT_EQ(c.send(large('r', 40'000), {.priority = 1}), errc::ok);
      EXPECT_EQ(c.send(m.text(), {.priority = 9}), errc::ok);
    });
    server->route("/").on_close([&](connection c, close_code code, std::string_view) {
      told.add(std::to_string(static_cast<unsigned>(code)) + (c.send("late") == errc::closed ? "" : " still open"));
    });
    server.start();

    test::raw_peer peer(server.at(), 8192);
    EXPECT_NE(peer.upgrade("/", "Sec-WebSocket-Extensions: x-hawser-priority\r\n").find("x-hawser-priority"),
              std::string::npos);
    peer.out().frame(0x81, std::string_view("\0one", 4)).frame(0x81, std::string_view("\0three", 6)).close(1001);
    peer.flush();
    if (shuts_down) peer.finish();
    // The answer has to wait for the peer; every thread hears that nothing more can be sent.
    const connection over = came.get_future().get();
    EXPECT_TRUE(test::comes_true(server.it(), [&](worker&) { return !over.is_open(); }));
    EXPECT_FALSE(over.is_open());
    EXPECT_EQ(over.send("late"), errc::closed);
    EXPECT_TRUE(told.lines().empty()) << "it is not over";
    unsigned code = 0;
    EXPECT_EQ(sizes_to_the_close(peer, code), (std::vector<std::size_t>{3, 5, 40'000, 40'000, 8'000'000}));
    EXPECT_EQ(code, 1001U);
    EXPECT_EQ(peer.to_end(), "");
    EXPECT_TRUE(told.wait(1));
    EXPECT_EQ(told.text(), "1001");
    server.stop();
  }
}

// The same of a client whose server closes: the server ends the transport, and the client hears of that at once.
TEST(priority_ws, a_client_says_all_before_it_answers_a_close_F_10) {
  for (const bool shuts_down : {false, true}) {
    SCOPED_TRACE(shuts_down);
    test::raw_listener listener;
    client ws(listener.url(), once());
    ws.extensions().add(ext::priority());
    std::vector<std::string> told;
    ws.on_message([&](connection c, const message&) {
      EXPECT_EQ(c.send(large('B', 3'000'000)), errc::ok);
      EXPECT_EQ(c.send("small"), errc::ok);
    });
    ws.on_error([&](const failure& f) { told.emplace_back(f.what()); });
    ws.on_close(
        [&](close_code code, std::string_view) { told.push_back(std::to_string(static_cast<unsigned>(code))); });
    auto ran = std::async(std::launch::async, [&] { ws.run_forever(); });

    test::raw_peer peer = listener.accept();
    peer.accept_upgrade("Sec-WebSocket-Extensions: x-hawser-priority\r\n");
    peer.out().frame(0x81, std::string_view("\0?", 2)).close(1000);
    peer.flush();
    if (shuts_down) peer.finish();
    unsigned code = 0;
    EXPECT_EQ(sizes_to_the_close(peer, code), (std::vector<std::size_t>{5, 3'000'000}));
    EXPECT_EQ(code, 1000U);
    if (!shuts_down) peer.hang_up();
    ran.get();
    EXPECT_EQ(told, std::vector<std::string>{"1000"});
  }
}

}  // namespace
}  // namespace hawser
