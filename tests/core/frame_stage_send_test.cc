// Connections with stages on frames: what waits to be framed is counted and bounded, and a close frame is sent whatever
// waits before it. A11, F-10, F-12.
#include "core/frame_stage_kit.h"

namespace hawser {
namespace {

using core::settings;
using test::both_roles;
using test::channels;
using test::content;
using test::core_end;
using test::frame_writer;
using test::frames_of;
using test::mixing;
using test::on_channel;
using test::other;
using test::raw_frame;

void expect_ended(core_end& end, errc why, close_code code) {
  const test::seen_event* last = end.closed();
  ASSERT_NE(last, nullptr) << "it did not end";
  EXPECT_EQ(last->error, why) << describe(last->error);
  EXPECT_EQ(last->code, code) << last->payload;
}

// What a send costs does not depend on how many messages wait: if it did, this would take minutes.
TEST(frame_stage_send, a_send_costs_the_same_however_many_messages_wait) {
  settings obey;
  obey.bounds.write_soft = obey.bounds.write_hard = std::size_t{64} << 20;
  core_end end(role::server, obey);
  end->attach(mixing(channels()), end.now);
  std::size_t taken = 0;
  constexpr std::size_t count = 400'000;
  end.turn([&](core::connection& c) {
    for (std::size_t i = 0; i < count; ++i)
      taken += c.send(opcode::binary, as_bytes("x")) == errc::ok ? 1U : 0U;
  });
  EXPECT_EQ(taken, count);
  EXPECT_EQ(end->queued(), 0U);
}

// Each costs memory, also without a payload.
TEST(frame_stage_send, messages_without_a_payload_are_a_backlog_too_A11) {
  core_end end(role::server);
  end->attach(mixing(channels()), end.now);
  end.takes = [](std::size_t) { return std::size_t{0}; };
  std::size_t taken = 0;
  errc last = errc::ok;
  for (int i = 0; i < 100 && last == errc::ok; ++i)
    end.turn([&](core::connection& c) {
      for (int j = 0; j < 1000 && (last = c.send(opcode::binary, byte_view())) == errc::ok; ++j)
        ++taken;
    });
  EXPECT_EQ(last, errc::would_block);
  EXPECT_GT(taken, 1000U);
  EXPECT_EQ(frames_of(end).size(), 0U);
  end.takes = {};
  end.writable();
  EXPECT_EQ(frames_of(end).size(), taken);
  EXPECT_EQ(end->queued(), 0U);
}

// The figure stands in docs/ext/priority.md.
TEST(frame_stage_send, a_burst_of_one_byte_messages_in_one_turn_meets_the_soft_limit_A11) {
  core_end end(role::server);
  end->attach(mixing(channels()), end.now);
  std::size_t taken = 0;
  end.turn([&](core::connection& c) {
    while (c.send(opcode::text, as_bytes("x")) == errc::ok)
      ++taken;
  });
  EXPECT_EQ(taken, settings().bounds.write_soft / (1 + core::max_frame_header) + 1);
  EXPECT_EQ(frames_of(end).size(), taken) << "and all of it goes at its end";
  end.turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("x")), errc::ok); });
}

TEST(frame_stage_send, a_send_refused_inside_a_message_in_parts_does_not_change_its_urgency) {
  core_end end(role::server);
  end->attach(mixing(channels()), end.now);
  end.takes = [](std::size_t) { return std::size_t{0}; };
  end.turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::binary, as_bytes(content(60'000))), errc::ok); });
  end.turn([](core::connection& c) {
    EXPECT_EQ(c.send(opcode::binary, as_bytes("second"), {.priority = 100}), errc::ok);
    EXPECT_EQ(c.begin_message(opcode::binary, {.priority = 200}), errc::ok);
    EXPECT_EQ(c.send(opcode::binary, as_bytes("x"), {.priority = 1}), errc::wrong_state);
    EXPECT_EQ(c.send(opcode::binary, buffer(), {.priority = 1}), errc::wrong_state);
    EXPECT_EQ(c.begin_message(opcode::binary, {.priority = 1}), errc::wrong_state);
    EXPECT_EQ(c.send_part(as_bytes("first"), true), errc::ok);
  });
  end.takes = {};
  end.writable();
  std::vector<std::string> order;
  for (const raw_frame& f : frames_of(end))
    if (f.payload.size() < 10) order.push_back(f.payload.substr(1));
  EXPECT_EQ(order, (std::vector<std::string>{"first", "second"}));
}

std::vector<raw_frame> closes_of(core_end& end) {
  std::vector<raw_frame> closes;
  for (raw_frame& f : frames_of(end))
    if (f.op() == 8) closes.push_back(std::move(f));
  return closes;
}

// A plain connection says so as well: control frames may stand between the frames of a message (RFC 6455, 5.4).
TEST(frame_stage_send, a_close_inside_a_message_in_parts_goes_behind_the_parts_F_10) {
  for (const role side : both_roles) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{100'000}}) {
      core_end end(side);
      end->attach(mixing(channels()), end.now);
      end.takes = [](std::size_t) { return std::size_t{0}; };
      const std::string part = content(size);
      end.turn([&](core::connection& c) {
        EXPECT_EQ(c.begin_message(opcode::text), errc::ok);
        EXPECT_EQ(c.send_part(as_bytes(part), false), errc::ok);
        EXPECT_EQ(c.close(close_code::normal, {}, end.now), errc::ok);
      });
      end.takes = {};
      end.writable();
      const std::vector<raw_frame> sent = frames_of(end);
      ASSERT_FALSE(sent.empty());
      EXPECT_EQ(test::close_code_of(sent.back()), 1000U);
      std::string gone;
      for (const raw_frame& f : sent)
        if (f.op() != 8) gone += f.payload.substr(1);
      EXPECT_EQ(gone, part);
      EXPECT_EQ(closes_of(end).size(), 1U);
      end.receive(frame_writer(other(side)).close(1000).bytes());
      expect_ended(end, errc::ok, close_code::normal);
    }
  }
}

TEST(frame_stage_send, a_failure_while_a_close_waits_is_told_to_the_peer_F_10_F_12) {
  for (const role side : both_roles) {
    for (const bool violation : {true, false}) {
      auto held = channels();
      held->quota = [](const frame&, context&) { return std::uint64_t{0}; };
      core_end end(side);
      end->attach(mixing(held), end.now);
      end.turn([&](core::connection& c) {
        EXPECT_EQ(c.send(opcode::text, as_bytes("waits")), errc::ok);
        EXPECT_EQ(c.close(close_code::normal, {}, end.now), errc::ok);
      });
      EXPECT_TRUE(end.out.empty());
      if (violation)
        end.receive(frame_writer(other(side)).frame(0x83, on_channel(0, "x")).bytes());
      else
        end.turn([&](core::connection& c) { c.fail(close_code::internal_error, errc::handler_threw, {}, end.now); });
      ASSERT_EQ(closes_of(end).size(), 1U);
      EXPECT_EQ(frames_of(end).size(), 1U) << "what waited is given up";
      EXPECT_EQ(test::close_code_of(closes_of(end)[0]), violation ? 1002U : 1011U);
      expect_ended(end, violation ? errc::reserved_opcode : errc::handler_threw,
                   violation ? close_code::protocol_error : close_code::internal_error);
    }
  }
}

// Once it is said it is not said again.
TEST(frame_stage_send, a_failure_behind_a_close_sends_no_second_one_F_10) {
  core_end end(role::server);
  end->attach(mixing(channels()), end.now);
  end.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, {}, end.now), errc::ok); });
  end.receive(frame_writer(role::client).frame(0x83, on_channel(0, "x")).bytes());
  EXPECT_EQ(closes_of(end).size(), 1U);
  EXPECT_EQ(test::close_code_of(closes_of(end)[0]), 1000U);
}

}  // namespace
}  // namespace hawser
