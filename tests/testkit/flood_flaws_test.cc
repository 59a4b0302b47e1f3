// Extensions that send without end: for a control frame that a peer sends, by a timer, at the beginning and the end of
// a connection, or for each message. The kit finds them, and comes to an end with each.
#include "testkit/flawed.h"

#include <chrono>
#include <limits>
#include <string>

namespace hawser {
namespace {

using namespace test;

constexpr std::size_t small = 10;
constexpr std::size_t big = std::size_t{1} << 15;

/// Has an opcode of its own, and lets messages be.
flawed quiet() {
  flawed f;
  f.uses.rsv = 0;
  f.uses.opcodes = 1U << 11;
  f.stage.begin = [](direction, head&, context&) { return verdict::in_place; };
  return f;
}

bool one_control(context& c) { return c.emit_control(11, as_bytes(std::string(125, 'c'))); }

bool one_message(context& c, direction way, std::size_t size) {
  head h;
  h.opcode = 2;
  buffer b = c.take_buffer(size);
  std::fill_n(b.data(), b.size(), std::byte{'x'});
  return c.forward(way, h, std::move(b));
}

testkit::options short_run() {
  testkit::options o = quick();
  o.rounds = 1;
  return o;
}

void controls(context& c) {
  while (one_control(c)) {
  }
}

void messages(context& c, direction way, std::size_t size) {
  while (one_message(c, way, size)) {
  }
}

// ---- a control frame that a peer sends

TEST(flood_flaws, it_answers_each_control_frame_with_two) {
  flawed f = quiet();
  f.stage.control = [](byte_view, context& c) { one_control(c), one_control(c); };
  expect_found(f, "a control frame starts no flood", short_run());
}

TEST(flood_flaws, it_answers_each_control_frame_with_as_many_as_it_may) {
  flawed f = quiet();
  f.stage.control = [](byte_view, context& c) { controls(c); };
  expect_found(f, "a control frame starts no flood", short_run());
  // Also where only one end does it, so that it does come to rest.
  f.stage.control = [](byte_view, context& c) { c.side() == role::server ? controls(c) : void(); };
  expect_found(f, "a control frame starts no flood", short_run());
}

TEST(flood_flaws, it_makes_messages_of_each_control_frame) {
  for (const direction way : {direction::out, direction::in}) {
    for (const std::size_t size : {small, std::size_t{1} << 16, big}) {
      flawed f = quiet();
      f.stage.control = [way, size](byte_view, context& c) { messages(c, way, size); };
      expect_found(f, "a control frame starts no flood", short_run());
    }
  }
}

TEST(flood_flaws, it_wants_its_own_frame_before_it_floods) {
  flawed f = quiet();
  f.stage.begin = [](direction way, head&, context& c) {
    if (way == direction::in) c.emit_control(11, as_bytes("ack"));
    return verdict::in_place;
  };
  f.stage.control = [](byte_view b, context& c) {
    if (as_text(b) != "ack") return c.fail(close_code::policy_violation, "not an ack");
    if (c.side() == role::server) messages(c, direction::out, 1000);
  };
  expect_found(f, "a control frame starts no flood", short_run());
}

TEST(flood_flaws, a_reply_to_a_request_is_no_flood) {
  flawed f = quiet();
  f.stage.open = [](context& c) { c.emit_control(11, as_bytes("ask")); };
  f.stage.control = [](byte_view b, context& c) {
    if (as_text(b) == "ask") c.emit_control(11, as_bytes("told"));
  };
  const testkit::report r = testkit::run(f, quick());
  EXPECT_TRUE(r.passed()) << r.text();
}

// ---- the beginning, the end, and time

TEST(flood_flaws, it_opens_with_a_flood) {
  flawed f = quiet();
  f.stage.open = controls;
  expect_found(f, "it opens, waits and closes without a flood", short_run());
  f.stage.open = [](context& c) { messages(c, direction::out, big); };
  expect_found(f, "it opens, waits and closes without a flood", short_run());
}

TEST(flood_flaws, it_closes_with_a_flood) {
  flawed f = quiet();
  f.stage.flush = controls;
  expect_found(f, "it opens, waits and closes without a flood", short_run());
  f.stage.flush = [](context& c) { messages(c, direction::in, big); };
  expect_found(f, "it opens, waits and closes without a flood", short_run());
}

TEST(flood_flaws, its_timer_floods) {
  for (const std::size_t size : {small, big}) {
    flawed f = quiet();
    f.stage.open = [](context& c) { c.arm(c.now() + std::chrono::seconds(5)); };
    f.stage.timer = [size](context& c) {
      messages(c, direction::out, size);
      c.arm(c.now() + std::chrono::seconds(5));
    };
    expect_found(f, "it opens, waits and closes without a flood", short_run());
    f.stage.flush = f.stage.timer;
    expect_found(f, "it opens, waits and closes without a flood", short_run());
  }
}

TEST(flood_flaws, its_timer_is_armed_in_the_past) {
  for (const tick when : {tick::min(), tick{}}) {
    flawed f = quiet();
    f.stage.open = [when](context& c) { c.arm(when); };
    f.stage.timer = f.stage.open;
    expect_found(f, "timers do not storm", short_run());
  }
}

TEST(flood_flaws, its_timer_floods_and_never_lets_time_pass) {
  for (const std::size_t size : {small, std::size_t{1} << 16}) {
    flawed f = quiet();
    f.stage.open = [](context& c) { c.arm(tick{}); };
    f.stage.timer = [size](context& c) {
      messages(c, direction::out, size);
      c.arm(tick{});
    };
    f.stage.flush = f.stage.timer;
    expect_found(f, "it opens, waits and closes without a flood", short_run());
  }
}

// ---- for each message: the other end does the same, and so on

TEST(flood_flaws, it_makes_messages_of_each_message) {
  for (const std::size_t size : {small, big}) {
    flawed f = quiet();
    f.stage.done = [size](context& c) { one_message(c, direction::out, size); };
    expect_found(f, "it comes to rest", short_run());
    f.stage.done = [size](context& c) { messages(c, direction::out, size); };
    expect_found(f, "it comes to rest", short_run());
    f.stage.done = [size](context& c) { messages(c, direction::in, size); };
    expect_found(f, size == small ? "messages arrive as they were" : "it comes to rest", short_run());
    f.stage.done = nullptr;
    f.stage.begin = [size](direction, head&, context& c) {
      messages(c, direction::out, size);
      return verdict::in_place;
    };
    expect_found(f, "it comes to rest", short_run());
  }
}

TEST(flood_flaws, it_answers_messages_and_control_frames_with_control_frames) {
  flawed f = quiet();
  f.stage.done = [](context& c) { one_control(c); };
  f.stage.control = [](byte_view, context& c) { one_control(c), one_control(c); };
  expect_found(f, "it comes to rest", short_run());
  expect_found(f, "a control frame starts no flood", short_run());
}

}  // namespace
}  // namespace hawser
