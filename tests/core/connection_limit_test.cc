// What a peer may cost: sizes, counts, memory before proof. A11, B1 to B7 of the failures, D9, D20.
#include "core/connection_kit.h"

#include <gtest/gtest.h>

#include <deque>

namespace hawser {
namespace {

using namespace test;
using core::settings;
using namespace std::chrono_literals;

// ---- sizes

// The limit is exact to the byte: as one frame, in fragments, in parts, and however it is cut.
TEST(connection_limit, max_message_is_exact) {
  for (const std::uint64_t limit : {0U, 1U, 125U, 126U, 5000U, 70000U}) {
    for (const bool in_parts : {false, true}) {
      settings obey;
      obey.bounds.max_message = limit;
      obey.in_parts = in_parts;
      const std::string fits = content(limit);
      const std::string over = content(limit + 1);
      for (const role side : both_roles) {
        SCOPED_TRACE(testing::Message() << limit << (in_parts ? " in parts" : ""));
        const auto from = other(side);
        const std::size_t half = limit / 2;
        frame_writer good(from);
        good.text(fits).frame(0x01, fits.substr(0, half)).frame(0x80, fits.substr(half));
        in_every_cut(side, good.bytes(), obey, [&](core_end& end) {
          std::string all;
          for (const auto& e : end.events)
            all += e.payload;
          EXPECT_EQ(all, fits + fits);
          EXPECT_EQ(end->stats().messages_in, 2U);
          EXPECT_TRUE(end->is_open());
        });
        // At the header: not a byte of the payload is waited for.
        expect_failure(side, frame_writer(from).header(0x81, limit + 1).bytes(), errc::message_too_big,
                       close_code::message_too_big, {}, obey);
        for (const std::size_t cut : {std::size_t{0}, half, static_cast<std::size_t>(limit)}) {
          core_end end(side, obey);
          end.receive(frame_writer(from).frame(0x01, over.substr(0, cut)).header(0x80, over.size() - cut).bytes());
          expect_failed(end, errc::message_too_big, close_code::message_too_big);
        }
      }
    }
  }
}

// B7: the default is 1 MiB.
TEST(connection_limit, the_default_is_1_mib) {
  for (const role side : both_roles) {
    core_end end(side);
    const std::string largest(1 << 20, 'x');
    end.receive(frame_writer(other(side)).text(largest).bytes());
    ASSERT_EQ(end.events.size(), 1U);
    EXPECT_EQ(end.events[0], seen_message(largest));
    end.receive(frame_writer(other(side)).header(0x81, (1 << 20) + 1).bytes());
    expect_failed(end, errc::message_too_big, close_code::message_too_big);
  }
}

// B6: a frame has a limit of its own, and many frames below it still make a message that has one.
TEST(connection_limit, frames_and_messages_have_separate_limits) {
  settings obey;
  obey.bounds.max_frame = 1000;
  obey.bounds.max_message = 100000;
  obey.bounds.max_fragments = 20000;
  for (const role side : both_roles) {
    expect_failure(side, frame_writer(other(side)).text(content(1000)).header(0x82, 1001).bytes(), errc::frame_too_big,
                   close_code::message_too_big, {seen_message(content(1000))}, obey);
    core_end end(side, obey);
    frame_writer wire(other(side));
    wire.frame(0x01, content(1000));
    std::size_t frames = 1;
    for (; frames < 10000 && end->is_open(); ++frames)
      end.receive(wire.frame(0x00, content(1000)).take());
    EXPECT_EQ(frames, 101U);
    expect_failed(end, errc::message_too_big, close_code::message_too_big);
  }
}

// ---- counts

// B3, B4, B5: the number of frames is limited, empty ones count, in both roles.
TEST(connection_limit, fragments_are_counted_also_when_they_are_empty) {
  settings obey;
  obey.bounds.max_fragments = 100;
  obey.bounds.max_glitches = 1'000'000;
  for (const role side : both_roles) {
    for (const char* part : {"", "x"}) {
      frame_writer wire(other(side));
      std::string message;
      for (int i = 0; i < 100; ++i) {
        wire.frame((i == 0 ? 1U : 0U) | (i == 99 ? 0x80U : 0U), part);
        message += part;
      }
      in_every_cut(side, wire.bytes(), obey,
                   [&](core_end& end) { EXPECT_EQ(end.events, std::vector{seen_message(message)}); });
      frame_writer more(other(side));
      for (int i = 0; i < 101; ++i)
        more.frame(i == 0 ? 1U : 0U, part);
      expect_failure(side, more.bytes(), errc::too_many_fragments, close_code::policy_violation, {}, obey);
    }
  }
}

// B4: ten million empty continuations, and it is over after the limit.
TEST(connection_limit, endless_empty_continuations_end_soon) {
  for (const role side : both_roles) {
    core_end end(side);
    frame_writer wire(other(side));
    wire.frame(0x01, content(100));
    for (int i = 0; i < 10'000'000 && end->is_open(); i += 100) {
      for (int k = 0; k < 100; ++k)
        wire.frame(0x00, "");
      end.receive(wire.take());
    }
    ASSERT_NE(end.closed(), nullptr);
    EXPECT_EQ(end.closed()->code, close_code::policy_violation);
    EXPECT_LT(end->stats().bytes_in, 10000U);
  }
}

// The fast path never counts the one frame of a message: 0 is no other limit than 1, however the bytes are cut.
TEST(connection_limit, no_fragments_still_means_one_frame) {
  settings obey;
  for (const std::uint32_t limit : {0U, 1U}) {
    obey.bounds.max_fragments = limit;
    for (const role side : both_roles) {
      const byte_string whole = frame_writer(other(side)).text("whole").take();
      in_every_cut(side, whole, obey, [](core_end& end) { EXPECT_EQ(end.events, std::vector{seen_message("whole")}); });
      expect_failure(side, frame_writer(other(side)).fragments(1, {content(20), "x"}).bytes(), errc::too_many_fragments,
                     close_code::policy_violation, {}, obey);
    }
  }
}

// B3: a message of one-byte fragments costs its bytes, not its pieces.
TEST(connection_limit, memory_follows_the_bytes_not_the_pieces) {
  settings obey;
  obey.bounds.max_fragments = obey.bounds.max_glitches = 10'000'000;
  for (const role side : both_roles) {
    core_end end(side, obey);
    frame_writer wire(other(side));
    for (std::size_t i = 0; i < 100'000; ++i) {
      end.receive(wire.frame(i == 0 ? 1U : 0U, "x").take());
      ASSERT_LE(end.parts().pool.used_bytes(), 2 * (i + 1) + 256) << i;
    }
    // The same bytes, one at a time in one frame.
    core_end slow(side, obey);
    slow.receive(wire.header(0x81, 100'000).take());
    for (std::size_t i = 0; i < 99'999; ++i) {
      slow.receive(wire.masked("x").take());
      ASSERT_LE(slow.parts().pool.used_bytes(), std::min<std::size_t>(5 * (i + 1) + 256, 2 * 100'000)) << i;
    }
  }
}

// D20: what conformance suites and busy peers do is no glitch.
TEST(connection_limit, empty_messages_and_pings_are_no_glitches) {
  for (const role side : both_roles) {
    core_end end(side);
    frame_writer wire(other(side));
    for (int i = 0; i < 5000; ++i)
      wire.text("").ping().frame(0x82, "x").frame(0x01, content(16)).frame(0x80, "");
    end.receive(wire.bytes());
    EXPECT_TRUE(end->is_open());
    EXPECT_EQ(end.events.size(), 20000U);
  }
}

// D20: short frames that are not final, 10 a second for free, a thousand at once too many.
TEST(connection_limit, glitches_decay_and_end_at_a_thousand) {
  for (const role side : both_roles) {
    for (const char* part : {"", "fifteen bytes.."}) {
      const auto burst = [&](core_end& end, int n) {
        frame_writer wire(other(side));
        for (int i = 0; i < n; ++i)
          wire.frame(0x01, part).frame(0x80, "");
        end.receive(wire.bytes());
      };
      core_end fast(side);
      burst(fast, 999);
      EXPECT_TRUE(fast->is_open());
      burst(fast, 1);
      expect_failed(fast, errc::too_many_glitches, close_code::policy_violation);

      core_end steady(side);
      for (int second = 0; second < 1000; ++second) {
        burst(steady, 10);
        steady.now += 1s;
      }
      EXPECT_TRUE(steady->is_open());
      burst(steady, 980);
      EXPECT_TRUE(steady->is_open());
      burst(steady, 30);
      EXPECT_FALSE(steady->is_open());
    }
  }
}

// 0 is no way to switch the score off: it is as strict as 1.
TEST(connection_limit, with_no_glitches_allowed_the_first_ends_the_connection) {
  for (const std::uint32_t most : {0U, 1U}) {
    for (const role side : both_roles) {
      settings obey;
      obey.bounds.max_glitches = most;
      core_end end(side, obey);
      end.receive(frame_writer(other(side)).text("fine").text("").ping().take());
      EXPECT_EQ(end.count, 3U);
      end.receive(frame_writer(other(side)).pong().take());
      expect_failed(end, errc::too_many_glitches, close_code::policy_violation);
    }
  }
}

// D20: pongs that answer no ping of ours, keepalive's or the application's.
TEST(connection_limit, pongs_nobody_asked_for_are_glitches) {
  for (const role side : both_roles) {
    core_end end(side);
    frame_writer wire(other(side));
    for (int i = 0; i < 999; ++i)
      wire.pong();
    end.receive(wire.take());
    EXPECT_EQ(end.events.size(), 999U);
    EXPECT_TRUE(end->is_open());
    end.receive(wire.pong().take());
    expect_failed(end, errc::too_many_glitches, close_code::policy_violation);

    core_end busy(side);
    for (int i = 0; i < 5000; ++i) {
      busy.turn([](core::connection& c) { EXPECT_EQ(c.ping({}), errc::ok); });
      busy.receive(wire.pong().take());
    }
    EXPECT_TRUE(busy->is_open());
  }
}

// ---- A11: memory before proof

// A thousand peers announce the largest message and send nothing, or a little: almost nothing is reserved for them.
TEST(connection_limit, announced_sizes_cost_nothing) {
  settings obey;
  obey.bounds.max_message = 16 << 20;
  for (const std::size_t sent : {0U, 1U, 100U, 4000U}) {
    test::loop_parts parts;
    std::deque<core_end> peers;
    frame_writer wire(role::client);
    const test::byte_string begin = wire.header(0x82, 16 << 20).masked(content(sent)).take();
    for (int i = 0; i < 1000; ++i)
      peers.emplace_back(role::server, obey, &parts).receive(begin);
    EXPECT_LE(parts.pool.used_bytes(), 1000 * (sent == 0 ? 0 : 6 * sent + 256)) << sent;
    peers.clear();
    EXPECT_EQ(parts.pool.used_bytes(), 0U);
  }
}

// All peers of a loop together: at most 64 MiB on their word alone.
TEST(connection_limit, unproven_reservations_of_a_loop_are_bounded) {
  settings obey;
  obey.bounds.max_message = 16 << 20;
  test::loop_parts parts;
  std::deque<core_end> peers;
  const std::size_t sent = 60000;
  const test::byte_string begin = frame_writer(role::client).header(0x82, 16 << 20).masked(content(sent)).take();
  std::size_t most = 0;
  for (int i = 0; i < 800; ++i) {
    peers.emplace_back(role::server, obey, &parts).receive(begin);
    most = std::max(most, parts.pool.used_bytes());
    // What came, rounded up as blocks are, and the bound.
    ASSERT_LE(parts.pool.used_bytes(), peers.size() * sent * 5 / 4 + (80 << 20)) << i;
  }
  EXPECT_GT(most, std::size_t{100} << 20) << "the bound was never near";
  // Given back, whichever way the message ends.
  for (std::size_t i = 0; i < peers.size(); ++i)
    if (i % 2 == 0) peers[i].end_of_input();
  peers.clear();
  core_end fresh(role::server, obey, &parts);
  fresh.receive(begin);
  EXPECT_GT(parts.pool.used_bytes(), 3 * sent) << "the bound is free again";
}

// ---- straight into the message's own buffer

// Once the message is proved the whole rest has its place, and what arrives there is not moved again.
TEST(connection_limit, the_rest_of_a_large_message_is_received_in_place) {
  const std::string message = content(900'000);
  for (const role side : both_roles) {
    core_end end(side);
    frame_writer wire(other(side));
    const test::byte_string bytes = wire.text(message).text("next").take();
    const std::size_t first = 250'000;
    end.receive(byte_view(bytes).first(first));
    const byte_span area = end->receive_area();
    ASSERT_GE(area.size(), bytes.size() - first - 16);
    std::size_t offset = 0;
    std::size_t room = 0;
    const buffer held = end->receive_buffer(offset, room);
    EXPECT_EQ(held.data() + offset, area.data());
    EXPECT_EQ(room, area.size());
    EXPECT_EQ(end.parts().pool.used_bytes() / 1000, 917U) << "one block, and it stays the same one";
    end.use_area = true;
    const std::byte* delivered = nullptr;
    buffer taken;
    end.on_event = [&](core_end&, core::event& e) {
      if (e.payload.size() < 1000) return;
      delivered = e.payload.data();
      ASSERT_NE(e.owner, nullptr);
      taken = std::move(*e.owner);
    };
    end.receive(byte_view(bytes).subspan(first));
    ASSERT_EQ(end.events.size(), 2U);
    EXPECT_EQ(end.events[0].payload, message);
    EXPECT_EQ(end.events[1].payload, "next");
    EXPECT_EQ(delivered, held.data());
    EXPECT_EQ(test::text_of(taken.view()), message) << "it lives on with its new owner";
    EXPECT_TRUE(end->receive_area().empty());
  }
}

// Owners make mistakes: more bytes than there was room for, or none, or no area at all.
TEST(connection_limit, wrong_counts_for_received_do_no_harm) {
  for (const role side : both_roles) {
    core_end end(side);
    end.turn([&](core::connection& c) { c.received(1000, end.now); });
    EXPECT_TRUE(end.events.empty());
    frame_writer wire(other(side));
    end.receive(wire.header(0x82, 300'000).masked(content(100'000)).take());
    end.turn([&](core::connection& c) { c.received(0, end.now); });
    const byte_span area = end->receive_area();
    ASSERT_EQ(area.size(), 200'000U);
    const test::byte_string rest = wire.masked(content(200'000)).take();
    std::copy(rest.begin(), rest.end(), area.begin());
    end.turn([&](core::connection& c) { c.received(~std::size_t{0}, end.now); });
    ASSERT_EQ(end.events.size(), 1U);
    EXPECT_EQ(end.events[0].payload, content(100'000) + content(200'000));
    EXPECT_EQ(end->stats().bytes_in, 300'000U + (side == role::server ? 14 : 10));
  }
}

// There is an area only for a plain message that is assembled and has enough to come.
TEST(connection_limit, there_is_no_area_where_it_would_not_help) {
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    core_end end(side);
    EXPECT_TRUE(end->receive_area().empty());
    end.receive(wire.header(0x82, 300'000).take());
    EXPECT_TRUE(end->receive_area().empty()) << "nothing is reserved yet";
    end.receive(wire.masked(content(299'000)).take());
    EXPECT_TRUE(end->receive_area().empty()) << "too little is missing";
    std::size_t offset = 0;
    std::size_t room = 1;
    EXPECT_FALSE(end->receive_buffer(offset, room));
    EXPECT_EQ(room, 0U);

    settings parts;
    parts.in_parts = true;
    core_end streaming(side, parts);
    streaming.receive(wire.header(0x82, 300'000).masked(content(100'000)).take());
    EXPECT_TRUE(streaming->receive_area().empty());

    core_end failing(side);
    failing.receive(wire.header(0x82, 300'000).masked(content(100'000)).take());
    EXPECT_FALSE(failing->receive_area().empty());
    failing->fail(close_code::internal_error, errc::handler_threw, "", failing.now);
    EXPECT_TRUE(failing->receive_area().empty());
  }
}

// ---- counters

TEST(connection_limit, statistics_count_bytes_and_messages) {
  for (const role side : both_roles) {
    core_end end(side);
    end.on_event = test::echo;
    frame_writer wire(other(side));
    wire.text("abc").fragments(2, {"a", "b", ""}).ping("p").text("");
    end.receive(wire.bytes());
    const core::statistics s = end->stats();
    EXPECT_EQ(s.bytes_in, wire.bytes().size());
    EXPECT_EQ(s.bytes_out, end.out.size());
    EXPECT_EQ(s.messages_in, 3U);
    EXPECT_EQ(s.messages_out, 3U);
    EXPECT_EQ(s.backlog, 0U);
  }
}

}  // namespace
}  // namespace hawser
