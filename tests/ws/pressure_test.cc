// Servers under peers that do not keep up: large messages, slow readers, subscribers that never read, and what is left
// in the pool afterwards.

#include "ws/on_loop.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ws/server.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {
namespace {

constexpr int small_window = 16 << 10;  // Of a peer that reads slowly: little fits into its system.

// Bytes that tell where a copy went wrong.
std::string pattern(std::size_t size, unsigned seed) {
  std::string made(size, '\0');
  std::uint32_t state = seed * 2654435761U + 1;
  for (char& c : made) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>(state >> 24);
  }
  return made;
}

bool pool_is_empty(server& of) {
  return comes_true(of, [](worker& w) { return w.loop().pool().used_bytes() == 0; });
}

TEST(pressure, a_message_of_16_mib_comes_back_byte_for_byte_through_a_narrow_window) {
  constexpr std::size_t size = std::size_t{16} << 20;
  server_options options;
  options.bounds.max_message = size;
  running_server server(options);
  server->route("/").on_message([](connection c, const message& m) { EXPECT_EQ(c.send(m), errc::ok); });
  server.start();
  raw_peer peer(server.at(), small_window);
  peer.upgrade();
  const std::string sent = pattern(size, 1);
  peer.out().binary(as_bytes(sent));
  peer.flush();
  ASSERT_TRUE(comes_true(server.it(), [](worker& w) { return w.loop().pool().used_bytes() >= size; }))
      << "what the peer does not read waits here";
  const raw_frame back = peer.frame();
  EXPECT_EQ(back.first, 0x82U);
  EXPECT_TRUE(back.payload == sent);
  // One byte more is refused, and nothing of it was stored.
  peer.out().header(0x82, size + 1);
  EXPECT_EQ(close_code_of(peer.flush().frame_of(8)), 1009U);
  EXPECT_TRUE(pool_is_empty(server.it()));
}

// Echoes by reference, and pauses while the peer does not read: the way the manual shows.
struct patient_echo : running_server {
  patient_echo() {
    it().route("/")
        .on_message([this](connection c, const message& m) {
          if (!waiting.empty() || c.send(m) == errc::would_block) {
            waiting.push_back(m.take());
            c.pause();
            ++pauses;
          }
        })
        .on_drain([this](connection c) {
          while (!waiting.empty() && c.send(waiting.front()) == errc::ok)
            waiting.pop_front();
          if (waiting.empty()) c.resume();
        });
  }
  ~patient_echo() { stop(); }
  std::deque<message> waiting;  // Of the loop's thread, as is the count.
  int pauses = 0;
};

TEST(pressure, an_echo_by_reference_waits_for_a_slow_reader_and_loses_nothing) {
  constexpr std::size_t size = std::size_t{16} << 10;
  constexpr unsigned count = 1000;
  patient_echo server;
  server.start();
  raw_peer peer(server.at(), small_window);
  peer.upgrade();
  frame_writer out(role::client);
  for (unsigned i = 0; i < count; ++i)
    out.binary(as_bytes(pattern(size, i)));
  // On a thread of its own: the server stops reading before all of it is written.
  const auto sender = std::async(std::launch::async, [&] { peer.send(out.bytes()); });
  ASSERT_TRUE(comes_true(server.it(), [&](worker&) { return server.pauses > 0; }))
      << "nothing of the peer's pace is felt";
  const std::size_t held = on_loop(server.it(), [](worker& w) { return w.loop().pool().used_bytes(); });
  EXPECT_LT(held, std::size_t{4} << 20) << "what waits is bounded, whatever the peer sends";
  for (unsigned i = 0; i < count; ++i) {
    const raw_frame back = peer.frame();
    ASSERT_EQ(back.first, 0x82U) << i;
    ASSERT_TRUE(back.payload == pattern(size, i)) << i;
  }
  sender.wait();
  EXPECT_TRUE(pool_is_empty(server.it()));
}

// The end of the stream does not overtake what was sent before it, and is not heard while receiving is paused.
TEST(pressure, a_fin_while_paused_is_heard_after_resume_behind_the_messages) {
  journal seen;
  std::promise<connection> who;
  running_server server;
  server->route("/")
      .on_message([&](connection c, const message& m) {
        seen.add(std::string(m.text()));
        if (m.text() != "first") return;
        EXPECT_EQ(c.pause(), errc::ok);
        who.set_value(c);
      })
      .on_error([&](connection, const failure& f) { seen.add(f.error() == errc::connection_lost ? "lost" : f.what()); })
      .on_close([&](connection, close_code code, std::string_view) {
        seen.add(std::to_string(static_cast<unsigned>(code)));
      });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.out().text("first").text("second");
  peer.flush();
  const connection c = who.get_future().get();
  peer.text(std::string(20'000, 'm')).text("last");
  peer.finish();
  const io_counts before = counts_of(server.it());
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(since(before, server.it()).receives, 0U) << "the system is not asked while receiving is paused";
  EXPECT_EQ(seen.text(), "first");
  ASSERT_EQ(c.post([c] { EXPECT_EQ(c.resume(), errc::ok); }), errc::ok);
  ASSERT_TRUE(seen.wait_for("1006"));
  EXPECT_EQ(seen.text(), "first second " + std::string(20'000, 'm') + " last lost 1006");
  peer.to_end();
  EXPECT_TRUE(pool_is_empty(server.it()));
}

// `extra` is what the one that does not read offers: with an extension its backlog is its own, without one it is
// shared.
void see_the_deaf_one_closed(std::string_view extra) {
  journal closed;
  running_server server;
  server->extensions().add(ext::message_extension("x-same", rsv::one).encode([](byte_span) {}));
  server->route("/")
      .on_connect([](connection c, const handshake&) {
        c.subscribe("t");
        c.send("in");
      })
      .on_error([&](connection, const failure& f) {
        if (f.error() == errc::slow_consumer) closed.add("slow");
      })
      .on_close([&](connection, close_code code, std::string_view) {
        closed.add(std::to_string(static_cast<unsigned>(code)));
      });
  server.start();
  raw_peer deaf(server.at(), small_window);
  deaf.upgrade("/", extra);
  EXPECT_EQ(deaf.frame().payload, "in");
  std::vector<std::unique_ptr<raw_peer>> readers;
  for (int i = 0; i < 3; ++i) {
    readers.push_back(std::make_unique<raw_peer>(server.at()));
    readers.back()->upgrade();
    EXPECT_EQ(readers.back()->frame().payload, "in");
  }
  unsigned published = 0;
  while (closed.lines().empty() && published < 2000) {
    const std::string block = pattern(50'000, published++);
    ASSERT_EQ(server->publish("t", as_bytes(block)), errc::ok);
    for (const auto& reader : readers)
      ASSERT_TRUE(reader->frame().payload == block) << published;
  }
  ASSERT_TRUE(closed.wait(2)) << "nobody was found to be slow";
  EXPECT_EQ(closed.text(), "slow 1013");
  // What it was sent before is whole: it finds the close frame behind it.
  unsigned heard = 0;
  raw_frame f = deaf.frame();
  for (; f.op() == 2; f = deaf.frame())
    ASSERT_TRUE(f.payload == pattern(50'000, heard++)) << heard;
  EXPECT_EQ(f.op(), 8U);
  EXPECT_EQ(close_code_of(f), 1013U);
  EXPECT_LT(heard, published);
  deaf.hang_up();
  // Those that read go on.
  ASSERT_EQ(server->publish("t", "still here"), errc::ok);
  for (const auto& reader : readers)
    EXPECT_EQ(reader->frame().payload, "still here");
  EXPECT_EQ(closed.lines().size(), 2U);
  EXPECT_TRUE(pool_is_empty(server.it()));
}

TEST(pressure, a_subscriber_that_does_not_read_is_closed_with_1013_and_the_others_get_everything) {
  see_the_deaf_one_closed({});
}

TEST(pressure, so_is_one_with_an_extension) { see_the_deaf_one_closed("Sec-WebSocket-Extensions: x-same\r\n"); }

// What waits for one that never reads is bounded by what was published, not by what it was collected in: also when each
// publication is small and comes in a batch of its own.
TEST(pressure, small_publications_to_one_that_does_not_read_take_bounded_memory) {
  for (const std::size_t size : {30U, 2100U}) {
    SCOPED_TRACE(size);
    std::atomic<bool> closed{false};
    server_options options;
    options.bounds.write_hard = std::size_t{256} << 10;
    running_server server(options);
    server->route("/")
        .on_connect([](connection c, const handshake&) {
          c.subscribe("t");
          c.send("in");
        })
        .on_close([&](connection, close_code code, std::string_view) {
          EXPECT_EQ(code, close_code::try_again_later);
          closed = true;
        });
    server.start();
    raw_peer deaf(server.at(), small_window);
    deaf.upgrade();
    EXPECT_EQ(deaf.frame().payload, "in");
    const std::string payload(size, 'm');
    std::size_t most = 0;
    std::size_t published = 0;
    while (!closed && published < 1'000'000) {
      const std::size_t used = on_loop(server.it(), [&](worker& w) {
        // Several batches that end one by one, without the way here and back for each.
        for (int i = 0; i < 50; ++i) {
          EXPECT_EQ(server->publish("t", payload), errc::ok);
          w.on_batch_end();
        }
        return w.loop().pool().used_bytes();
      });
      published += 50;
      most = std::max(most, used);
    }
    EXPECT_TRUE(closed) << "nobody was found to be slow";
    EXPECT_GT(most, options.bounds.write_hard / 2);
    EXPECT_LT(most, 4 * options.bounds.write_hard);
  }
}

// What waited behind a message in parts has gone when the last part is sent by a handler: whoever was refused meanwhile
// hears of it, though nothing had to wait for the system.
TEST(pressure, on_drain_follows_when_the_last_part_lets_go_what_waited_behind) {
  journal seen;
  std::promise<connection> opened;
  server_options options;
  options.bounds.write_soft = 1000;
  options.bounds.write_resume = 500;
  running_server server(options);
  server->route("/")
      .on_connect([&](connection c, const handshake&) {
        EXPECT_EQ(c.begin_text(), errc::ok);
        opened.set_value(c);
      })
      .on_message([](connection c, const message&) { EXPECT_EQ(c.send_part({}, true), errc::ok); })
      .on_drain([&](connection) { seen.add("drain"); });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  const connection c = opened.get_future().get();
  ASSERT_EQ(c.send(std::string(2000, 'm')), errc::ok);
  ASSERT_TRUE(comes_true(server.it(), [](worker& w) { return w.loop().pool().used_bytes() >= 2000; }));
  EXPECT_EQ(c.send("more"), errc::would_block);
  EXPECT_TRUE(comes_true(server.it(), [&](worker&) { return seen.lines().empty(); })) << "it still waits";
  peer.text("end it");
  EXPECT_EQ(peer.frame(), (raw_frame{0x81, ""}));
  EXPECT_EQ(peer.frame().payload, std::string(2000, 'm'));
  EXPECT_TRUE(seen.wait_for("drain"));
  EXPECT_EQ(c.send("again"), errc::ok);
  EXPECT_EQ(peer.frame().payload, "again");
}

// A part that was refused waits for the peer alone: not for what waits behind its message, which waits for it.
TEST(pressure, a_message_in_parts_goes_on_before_what_waits_behind_it) {
  std::promise<connection> opened;
  server_options options;
  options.bounds.write_resume = 1000;
  running_server server(options);
  server->route("/")
      .on_connect([&](connection c, const handshake&) {
        EXPECT_EQ(c.begin_binary(), errc::ok);
        opened.set_value(c);
      })
      .on_message([](connection c, const message&) {
        const std::string part = pattern(16'384, 1);
        errc e = errc::ok;
        for (int i = 0; i < 10'000 && e == errc::ok; ++i)
          e = c.send_part(as_bytes(part), false);
        EXPECT_EQ(e, errc::would_block);
      })
      .on_drain([](connection c) { EXPECT_EQ(c.send_part({}, true), errc::ok); });
  server.start();
  raw_peer peer(server.at(), small_window);
  peer.upgrade();
  const connection c = opened.get_future().get();
  ASSERT_EQ(c.send(std::string(2000, 'm')), errc::ok);
  ASSERT_TRUE(comes_true(server.it(), [](worker& w) { return w.loop().pool().used_bytes() >= 2000; }));
  peer.text("fill it");
  raw_frame f = peer.frame();
  while (!f.payload.empty() && f.first < 0x80)
    f = peer.frame();
  EXPECT_EQ(f, (raw_frame{0x80, ""}));
  EXPECT_EQ(peer.frame(), (raw_frame{0x81, std::string(2000, 'm')}));
  EXPECT_TRUE(pool_is_empty(server.it()));
}

// A peer that goes while much waits for it leaves nothing behind.
TEST(pressure, what_waits_for_a_peer_that_resets_goes_with_it) {
  running_server server;
  server->route("/").on_message([](connection c, const message& m) {
    while (c.send(m) == errc::ok) {
    }
  });
  server.start();
  auto peer = std::make_unique<raw_peer>(server.at(), small_window);
  peer->upgrade();
  peer->text(std::string(16'384, 'm'));
  ASSERT_TRUE(comes_true(server.it(), [](worker& w) { return w.loop().pool().used_bytes() > 0; }));
  peer->reset();
  EXPECT_TRUE(pool_is_empty(server.it()));
  EXPECT_TRUE(comes_true(server.it(), [](worker& w) { return w.sessions().empty(); }));
}

}  // namespace
}  // namespace hawser::test
