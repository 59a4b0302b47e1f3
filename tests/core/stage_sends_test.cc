// What a stage sends by itself has a bound, whatever the peer reads; and who may send while a stage is being asked.
#include "core/scripted_stage.h"
#include "support/core_end.h"
#include "support/raw_frames.h"

#include <gtest/gtest.h>
#include <hawser/core/connection.h>

#include <memory>
#include <string>

namespace hawser {
namespace {

using test::byte_string;
using test::core_end;
using test::frame_writer;
using test::script;
using test::scripted;

constexpr unsigned own_control = 0xB;

head message() {
  head h;
  h.opcode = 1;
  return h;
}

struct stage_sends : ::testing::Test {
  std::shared_ptr<script> s = std::make_shared<script>();
  core::settings obey;
  std::size_t taken = 0;    ///< Forwards that were taken ...
  std::size_t refused = 0;  ///< ... and that were not.

  std::unique_ptr<core_end> opened() {
    auto end = std::make_unique<core_end>(role::server, obey);
    claims uses;
    uses.opcodes = 1U << own_control;
    end->turn(
        [&](core::connection& c) { c.attach(test::stage_list().add("x-s", uses, scripted{s}).take(), end->now); });
    return end;
  }
  void forward(context& c, direction way, std::size_t size) {
    buffer body = c.take_buffer(size);
    std::fill(body.span().begin(), body.span().end(), std::byte{'x'});
    ++(c.forward(way, message(), std::move(body)) ? taken : refused);
  }
  static byte_string controls(std::size_t n) {
    frame_writer peer(role::client);
    for (std::size_t i = 0; i < n; ++i)
      peer.frame(0x80 | own_control, "");
    return peer.take();
  }
};

// Many control frames in one turn, of a peer that reads nothing: what they make it send ends at `write_hard`.
TEST_F(stage_sends, what_a_peer_has_a_stage_send_ends_where_the_backlog_may) {
  s->control = [&](std::uint8_t, byte_view, context& c) { forward(c, direction::out, 50'000); };
  for (const bool blocked : {false, true}) {
    auto end = opened();
    if (blocked) end->takes = [](std::size_t) { return std::size_t{0}; };
    taken = refused = 0;
    for (int turn = 0; turn < 3; ++turn)
      end->receive(controls(500));
    const std::size_t most = obey.bounds.write_hard / 50'000 + 1;
    EXPECT_EQ(taken + refused, 1500U);
    EXPECT_EQ(taken, blocked ? most : 3 * most);
    EXPECT_LE(end->core().queued(), obey.bounds.write_hard + 51'000);
    EXPECT_TRUE(end->core().is_open());
  }
}

TEST_F(stage_sends, a_timer_that_sends_without_end_does_too) {
  s->open = [](context& c) { c.arm(c.now() + std::chrono::milliseconds(1)); };
  s->timer = [&](context& c) {
    forward(c, direction::out, 50'000);
    c.arm(c.now() + std::chrono::milliseconds(1));
  };
  auto end = opened();
  end->takes = [](std::size_t) { return std::size_t{0}; };
  end->advance(std::chrono::milliseconds(500));
  EXPECT_GE(refused, 400U);
  EXPECT_LE(end->core().queued(), obey.bounds.write_hard + 51'000);
  // Room comes back with the peer.
  end->takes = {};
  end->writable();
  const std::size_t before = taken;
  end->advance(std::chrono::milliseconds(1));
  EXPECT_EQ(taken, before + 1);
}

// What the application sends was admitted: a stage that hands it on needs no room.
TEST_F(stage_sends, what_the_application_was_let_send_goes_on) {
  s->begin = [](direction, head&, context&) { return verdict::whole; };
  s->whole = [&](direction way, const head& h, buffer body, context& c) {
    EXPECT_TRUE(c.forward(way, h, std::move(body)));
  };
  auto end = opened();
  end->takes = [](std::size_t) { return std::size_t{0}; };
  const std::string large(3 * obey.bounds.write_hard, 'x');
  end->turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes(large)), errc::ok); });
  end->turn([&](core::connection& c) { EXPECT_EQ(c.send_promised(opcode::text, as_bytes(large), {}), errc::ok); });
  EXPECT_EQ(end->core().send(opcode::text, as_bytes("more")), errc::would_block);
  end->takes = {};
  end->writable();
  EXPECT_EQ(end->sent().frames.size(), 2U);
}

// Inwards it is the memory of stages that bounds what waits for an application that reads nothing.
TEST_F(stage_sends, what_waits_for_the_application_is_bounded) {
  obey.bounds.extension_memory = 200'000;
  s->open = [](context& c) { c.arm(c.now() + std::chrono::milliseconds(1)); };
  s->timer = [&](context& c) {
    forward(c, direction::in, 50'000);
    c.arm(c.now() + std::chrono::milliseconds(1));
  };
  auto end = opened();
  end->core().input_paused(true, end->now);
  end->advance(std::chrono::milliseconds(40));
  EXPECT_EQ(taken, 4U);
  EXPECT_EQ(refused, 36U);
  end->core().input_paused(false, end->now);
  end->turn([](core::connection&) {});
  EXPECT_EQ(end->events.size(), 4U);
}

TEST_F(stage_sends, one_message_may_wait_for_the_application_whatever_the_memory) {
  obey.bounds.extension_memory = 0;
  s->begin = [](direction, head&, context&) { return verdict::whole; };
  s->whole = [&](direction way, const head& h, buffer body, context& c) {
    EXPECT_TRUE(c.forward(way, h, std::move(body)));
  };
  auto end = opened();
  end->receive(frame_writer(role::client).text("one").text("two").take());
  EXPECT_EQ(end->events, (std::vector{test::seen_message("one"), test::seen_message("two")}));
}

// A hook that runs what its user gave it finds the connection in the middle of that very message.
TEST_F(stage_sends, nobody_sends_or_closes_inside_a_hook_that_is_asked) {
  auto end = opened();
  std::vector<errc> said;
  const auto try_all = [&] {
    core::connection& c = end->core();
    said.push_back(c.send(opcode::text, as_bytes("inner")));
    said.push_back(c.send(opcode::text, end->parts().pool.take(5)));
    said.push_back(c.begin_message(opcode::text));
    said.push_back(c.send_promised(opcode::text, as_bytes("inner"), {}));
    said.push_back(c.close(close_code::normal, {}, end->now));
  };
  s->begin = [&](direction way, head&, context&) {
    if (way == direction::out) try_all();
    return verdict::bypass;
  };
  s->timer = [&](context&) { try_all(); };
  EXPECT_EQ(end->core().send(opcode::text, as_bytes("outside a turn")), errc::ok);
  end->turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("inside one")), errc::ok); });
  s->control = [](std::uint8_t, byte_view, context& c) { c.arm(c.now()); };
  end->receive(controls(1));
  end->advance(std::chrono::milliseconds(1));
  EXPECT_EQ(said, std::vector<errc>(15, errc::wrong_state));
  EXPECT_EQ(end->sent().frames.size(), 2U);
  EXPECT_TRUE(end->core().is_open());
}

// A hold is for all messages, those included that no stage wants to see.
TEST_F(stage_sends, what_no_stage_is_interested_in_is_held_too) {
  s->control = [](std::uint8_t, byte_view payload, context& c) { c.hold_sending(payload.empty()); };
  auto end = std::make_unique<core_end>(role::server, obey);
  claims uses;
  uses.opcodes = 1U << own_control;
  uses.out_min_size = 100;
  end->turn([&](core::connection& c) { c.attach(test::stage_list().add("x-s", uses, scripted{s}).take(), end->now); });
  end->receive(controls(1));
  const std::string large(100, 'x');
  end->turn([&](core::connection& c) {
    EXPECT_EQ(c.send(opcode::text, as_bytes("short")), errc::would_block);
    EXPECT_EQ(c.send(opcode::text, as_bytes(large)), errc::would_block);
  });
  end->receive(frame_writer(role::client).frame(0x80 | own_control, "go").take());
  EXPECT_TRUE(end->core().take_released());
  end->turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("short")), errc::ok); });
}

// The hold may begin and end inside the hook that is asked.
TEST_F(stage_sends, a_hold_that_ends_while_a_stage_is_asked_is_told) {
  s->begin = [](direction, head& h, context& c) {
    if (h.size == 4) c.hold_sending(true);
    if (h.size == 4) c.hold_sending(false);
    return verdict::bypass;
  };
  auto end = opened();
  EXPECT_EQ(end->core().send(opcode::text, as_bytes("four")), errc::ok);
  EXPECT_TRUE(end->core().take_released());
  EXPECT_FALSE(end->core().sending_held());
}

}  // namespace
}  // namespace hawser
