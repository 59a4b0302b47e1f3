// The control lane: answers to pings, what overtakes data and where, and that no frame is ever cut open: D10 of the
// design; B10, D1, D2, D8, D11 of the failures.
#include "core/connection_kit.h"
#include "support/sanitizers.h"

#include <gtest/gtest.h>
#include <pthread.h>

namespace hawser {
namespace {

using namespace test;

// The peer's pings as they come, while nothing is blocked: each is answered, in order, behind what was sent before.
TEST(connection_control, every_ping_is_answered_in_order) {
  for (const role side : both_roles) {
    for (const bool turns : {true, false}) {
      core_end end(side);
      end.turns = turns;
      frame_writer wire(other(side));
      std::vector<raw_frame> want;
      for (int i = 0; i < 1000; ++i) {
        wire.ping(std::to_string(i));
        want.push_back({0x8A, std::to_string(i)});
      }
      end.receive(wire.bytes());
      EXPECT_EQ(end.sent().frames, want);
    }
  }
}

// D2: a million pings in one read, on a stack that recursion would break.
TEST(connection_control, a_million_pings_in_one_read) {
  constexpr std::size_t count = 1'000'000;
  frame_writer wire(role::client);
  for (std::size_t i = 0; i < count; ++i)
    wire.ping();
  core_end end(role::server);
  end.keep_events = false;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 256 * 1024);
  pthread_t thread;
  std::pair<core_end*, const test::byte_string*> job(&end, &wire.bytes());
  const auto run = [](void* p) -> void* {
    auto& [core, bytes] = *static_cast<decltype(job)*>(p);
    core->receive(*bytes);
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &small, run, &job), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&small);
  EXPECT_EQ(end.count, count);
  EXPECT_EQ(end.out.size(), 2 * count);
  EXPECT_TRUE(end->is_open());
}

/// An end whose system has taken part of a big message and nothing more: `begun` of its bytes went out.
struct blocked_end {
  blocked_end(role side, std::size_t begun, std::size_t payload = 5000) : end(side) {
    end.takes = [begun](std::size_t) { return begun; };
    end.turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::binary, as_bytes(content(payload))), errc::ok); });
    EXPECT_TRUE(end.blocked);
    end.takes = {};
  }
  core_end end;
};

// D8, B10: while nothing goes out the newest pong is kept, and goes out at the first frame boundary, ahead of data that
// was queued long before it.
TEST(connection_control, the_newest_pong_overtakes_data_while_blocked) {
  for (const role side : both_roles) {
    for (const std::size_t begun : {0U, 1U, 2U, 3U, 13U, 14U, 100U, 5003U}) {
      SCOPED_TRACE(begun);
      blocked_end b(side, begun);
      ASSERT_EQ(b.end->send(opcode::text, as_bytes("queued behind")), errc::ok);
      for (int i = 0; i < 10; ++i)
        b.end.receive(frame_writer(other(side)).ping("p" + std::to_string(i)).bytes());
      EXPECT_EQ(b.end.count, 10U);
      b.end.writable();
      const auto sent = b.end.sent();
      EXPECT_EQ(sent.fault, "");
      std::vector<raw_frame> want = {{0x82, content(5000)}, {0x8A, "p9"}, {0x81, "queued behind"}};
      if (begun == 0) std::swap(want[0], want[1]);
      EXPECT_EQ(sent.frames, want);
      EXPECT_FALSE(b.end.blocked);
      // Not blocked any more: the next ones are all answered.
      b.end.receive(frame_writer(other(side)).ping("a").ping("b").bytes());
      EXPECT_EQ(b.end.sent().count(10), 3U);
    }
  }
}

// B10: ten thousand reads of pings without one write cost no memory.
TEST(connection_control, a_flood_of_pings_while_blocked_costs_nothing) {
  blocked_end b(role::server, 10);
  b.end.keep_events = false;
  const std::size_t before = b.end.parts().pool.used_bytes();
  const test::byte_string flood = [] {
    frame_writer wire(role::client);
    for (int i = 0; i < 100; ++i)
      wire.ping(content(125));
    return wire.take();
  }();
  for (int i = 0; i < 10000; ++i)
    b.end.receive(flood);
  EXPECT_EQ(b.end.count, 1'000'000U);
  EXPECT_EQ(b.end.parts().pool.used_bytes(), before);
  EXPECT_LT(b.end->pending(), 5000U + 200U);
  b.end.writable();
  EXPECT_EQ(b.end.sent().count(10), 1U);
}

// D10: other control frames wait in a lane of 4 KiB; over it `would_block`. They keep their order and go before the
// pong.
TEST(connection_control, the_lane_holds_4_kib) {
  for (const role side : both_roles) {
    blocked_end b(side, 10);
    std::vector<raw_frame> want = {{0x82, content(5000)}};
    std::size_t taken = 0;
    errc answer = errc::ok;
    for (int i = 0; i < 100 && answer == errc::ok; ++i) {
      const std::string payload = content(100) + std::to_string(i);
      answer = b.end->ping(as_bytes(payload));
      if (answer != errc::ok) break;
      want.push_back({0x89, payload});
      taken += payload.size() + (side == role::server ? 2 : 6);
    }
    EXPECT_EQ(answer, errc::would_block);
    EXPECT_LE(taken, 4096U);
    EXPECT_GT(taken, 3900U);
    b.end.receive(frame_writer(other(side)).ping("last").bytes());
    want.push_back({0x8A, "last"});
    EXPECT_EQ(b.end->send(opcode::text, as_bytes("data")), errc::ok);
    want.push_back({0x81, "data"});
    b.end.writable();
    EXPECT_EQ(b.end.sent().frames, want);
    EXPECT_EQ(b.end->ping(as_bytes("again")), errc::ok);
  }
}

// What is in the queue already is not overtaken by what came into the lane later.
TEST(connection_control, control_frames_keep_their_order_over_several_writes) {
  for (const role side : both_roles) {
    for (const std::size_t some : {0U, 1U, 3U}) {
      blocked_end b(side, 10, 100);
      std::vector<raw_frame> want = {{0x82, content(100)}};
      b.end.takes = [some](std::size_t) { return some; };
      for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(b.end->ping(as_bytes(std::to_string(i))), errc::ok);
        want.push_back({0x89, std::to_string(i)});
        b.end.write();
      }
      b.end.takes = {};
      b.end.writable();
      EXPECT_EQ(b.end.sent().fault, "");
      EXPECT_EQ(b.end.sent().frames, want);
    }
  }
}

// Nothing follows a close frame, whatever waited in the lane when it was queued, and whenever the system takes how
// much.
TEST(connection_control, a_close_frame_is_the_last_even_when_the_lane_was_full) {
  for (const role side : both_roles) {
    for (std::size_t step = 1; step < 40; ++step) {
      blocked_end b(side, 10, 100);
      b.end->ping(as_bytes("1"));
      // A part of the lane gets into the queue and goes out in part; then more waits in the lane.
      b.end.takes = [step](std::size_t) { return 90 + step; };
      b.end.write();
      b.end->ping(as_bytes("2"));
      b.end.receive(frame_writer(other(side)).ping("3").bytes());
      b.end->send(opcode::text, as_bytes("data"));
      b.end->close(close_code::normal, "bye", b.end.now);
      b.end.receive(frame_writer(other(side)).ping("4").bytes());
      b.end.takes = [step](std::size_t) { return step; };
      while (b.end->pending() > 0)
        b.end.write();
      const auto sent = b.end.sent();
      ASSERT_EQ(sent.fault, "") << step;
      ASSERT_EQ(sent.frames.back().op(), 8U);
      ASSERT_EQ(sent.count(9), 2U);
      ASSERT_EQ(sent.count(10), 1U);
      ASSERT_EQ(sent.count(1), 1U);
    }
  }
}

// ---- D11: short writes at every offset

// A conversation with everything in it: small and large messages, by copy, by reference, from a buffer, in parts, with
// control frames in between. `pause` is called between the steps.
template <class Pause>
void converse(core_end& end, Pause&& pause) {
  const auto step = [&](auto&& act) {
    end.turn(act);
    pause();
  };
  const role from = other(end->side());
  end.on_event = test::echo;
  step([](core::connection& c) { c.send(opcode::text, as_bytes("small")); });
  end.receive(frame_writer(from).binary(as_bytes(content(2500))).ping("a").text("tiny").bytes());
  pause();
  step([&](core::connection& c) {
    buffer whole = end.parts().pool.take(2300);
    std::memcpy(whole.data(), content(2300).data(), 2300);
    c.send(opcode::binary, whole);  // Shared: `whole` still refers to it.
    c.send(opcode::binary, std::move(whole));
  });
  step([](core::connection& c) {
    c.begin_message(opcode::text);
    c.send_part(as_bytes("part "), false);
    c.ping(as_bytes("b"));
    c.send_part(as_bytes(content(2100)), true);
  });
  end.receive(frame_writer(from).fragments(2, {content(1500), content(1500)}).ping("c").bytes());
  pause();
}

// What the application sent, in order, without the control frames, whose place depends on when the system is blocked.
std::vector<raw_frame> data_of(const test::stream_verdict& sent) {
  std::vector<raw_frame> data;
  for (const raw_frame& f : sent.frames)
    if (f.op() < 8) data.push_back(f);
  return data;
}

TEST(connection_control, short_writes_at_every_offset_keep_every_byte) {
  for (const role side : both_roles) {
    core_end whole(side);
    converse(whole, [] {});
    const std::vector<raw_frame> want = data_of(whole.sent());
    ASSERT_EQ(want.size(), 8U);
    const std::size_t stride = test::under_sanitizer ? 37 : 1;
    test::loop_parts parts;
    for (std::size_t offset = 0; offset <= whole.out.size(); offset += stride) {
      for (const bool turns : {true, false}) {
        SCOPED_TRACE(testing::Message() << test::name_of(side) << " blocked after " << offset << " bytes, turns "
                                        << turns);
        core_end end(side, {}, &parts);
        end.turns = turns;
        end.takes = [&](std::size_t) { return offset > end.out.size() ? offset - end.out.size() : 0; };
        converse(end, [] {});
        end.takes = {};
        end.writable();
        const auto sent = end.sent();
        ASSERT_EQ(sent.fault, "");
        ASSERT_EQ(sent.rest, 0U);
        ASSERT_EQ(data_of(sent), want);
        ASSERT_EQ(end->pending(), 0U);
        ASSERT_EQ(end->stats().bytes_out, end.out.size());
        ASSERT_EQ(end->stats().backlog, 0U);
        end.destroy();
        ASSERT_EQ(end.parts().pool.used_bytes(), 0U);
      }
    }
  }
}

// The system takes a few bytes at a time, now and then none at all, all the way.
TEST(connection_control, writes_of_every_small_size_keep_every_byte) {
  for (const role side : both_roles) {
    core_end whole(side);
    converse(whole, [] {});
    const std::vector<raw_frame> want = data_of(whole.sent());
    for (std::size_t most = 1; most <= 64; ++most) {
      for (const bool turns : {true, false}) {
        SCOPED_TRACE(testing::Message() << "at most " << most << " bytes at once");
        test::seeded_random random(most);
        core_end end(side);
        end.turns = turns;
        end.takes = [&](std::size_t) { return random.one_in(5) ? 0 : random.between(1, most); };
        converse(end, [&] {
          for (int i = 0; i < 3; ++i)
            end.writable();
        });
        for (int i = 0; i < 100000 && end->pending() > 0; ++i)
          end.writable();
        const auto sent = end.sent();
        ASSERT_EQ(sent.fault, "");
        ASSERT_EQ(data_of(sent), want);
        ASSERT_EQ(sent.rest, 0U);
      }
    }
  }
}

// An opening response in front of the first frame is no frame, and no control frame gets in between.
TEST(connection_control, bytes_in_front_of_all_frames) {
  const std::string head(300, 'H');
  for (const role side : both_roles) {
    for (std::size_t offset = 0; offset < 320; ++offset) {
      core_end end(side);
      end.takes = [&](std::size_t) { return offset; };
      end.turn([&](core::connection& c) {
        c.send_raw(as_bytes(head));
        c.send(opcode::text, as_bytes("first"));
      });
      end.receive(frame_writer(other(side)).ping("p").bytes());
      end->ping(as_bytes("q"));
      end.takes = {};
      end.writable();
      ASSERT_EQ(test::text_of(byte_view(end.out).first(300)), head);
      const auto sent = test::read_frames(byte_view(end.out).subspan(300), side);
      ASSERT_EQ(sent.fault, "");
      ASSERT_EQ(sent.frames.size(), 3U);
      ASSERT_EQ(sent.rest, 0U);
    }
  }
}

// F-03, D9: what is no control frame cannot be sent as one, and nothing of one payload shows in another.
TEST(connection_control, pings_and_pongs_of_our_own) {
  for (const role side : both_roles) {
    core_end end(side);
    end.turn([](core::connection& c) {
      EXPECT_EQ(c.ping(as_bytes(std::string(126, 'x'))), errc::invalid_argument);
      EXPECT_EQ(c.pong(as_bytes(std::string(126, 'x'))), errc::invalid_argument);
      EXPECT_EQ(c.ping(as_bytes(std::string(125, 'x'))), errc::ok);
      EXPECT_EQ(c.pong({}), errc::ok);
      EXPECT_EQ(c.ping({}), errc::ok);
    });
    EXPECT_EQ(end.sent().frames,
              (std::vector{raw_frame{0x89, std::string(125, 'x')}, raw_frame{0x8A, ""}, raw_frame{0x89, ""}}));
  }
}

}  // namespace
}  // namespace hawser
