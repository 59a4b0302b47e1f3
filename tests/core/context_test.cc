// What stages may do by their context: own frames, forwards, memory, time.
#include "core/scripted_stage.h"

#include <limits>
#include <tuple>

namespace hawser {
namespace {

using core::pipeline;
using test::at_time;
using test::calls;
using test::head_of;
using test::passed;
using test::send;

using context_test = test::scripted_test;

// ---- own control frames

TEST_F(context_test, a_claimed_control_opcode_is_sent_and_received_F_03) {
  uses.opcodes = 1U << 11;
  std::string got;
  a->control = [&](std::uint8_t op, byte_view bytes, context& c) {
    EXPECT_EQ(op, 11);
    got = as_text(bytes);
    EXPECT_TRUE(c.emit_control(11, as_bytes("pong")));
    EXPECT_TRUE(c.emit_control(11, std::vector<std::byte>(125)));
  };
  pipeline& run = make();
  EXPECT_FALSE(run.has_work());
  run.control(11, as_bytes("ping"), at_time(0));
  EXPECT_EQ(got, "ping");
  pipeline::work w;
  ASSERT_TRUE(run.next_work(w));
  EXPECT_EQ(w.what, pipeline::work::kind::control);
  EXPECT_EQ(w.opcode, 11);
  EXPECT_EQ(as_text(w.body.view()), "pong");
  ASSERT_TRUE(run.next_work(w));
  EXPECT_EQ(w.body.size(), 125U);
  EXPECT_FALSE(run.next_work(w));
}

TEST_F(context_test, control_frames_that_may_not_be_are_a_breach) {
  uses.opcodes = 1U << 11;
  for (const int op : {0, 1, 3, 8, 9, 10, 12, 15, 16, 255}) {
    a->control = [op](std::uint8_t, byte_view, context& c) {
      EXPECT_FALSE(c.emit_control(static_cast<std::uint8_t>(op), {}));
    };
    make().control(11, {}, at_time(0));
    expect_breach("emit_control of opcode " + std::to_string(op) + ", which it did not claim");
  }
  a->control = [](std::uint8_t, byte_view, context& c) {
    EXPECT_FALSE(c.emit_control(11, std::vector<std::byte>(126)));
  };
  make().control(11, {}, at_time(0));
  expect_breach("emit_control of 126 bytes; a control frame holds at most 125");
}

TEST_F(context_test, an_opcode_of_nobody_reaches_nobody) {
  uses.opcodes = 1U << 11;
  pipeline& run = make(true);
  log.clear();
  run.control(12, {}, at_time(0));
  EXPECT_EQ(log, calls{});
}

// ---- forwards

TEST_F(context_test, a_forward_waits_until_no_message_is_half_way_in_its_direction) {
  a->open = [](context& c) {
    EXPECT_TRUE(c.forward(direction::out, head_of("own"), c.take_buffer(3)));
    EXPECT_TRUE(c.forward(direction::in, head_of("own"), c.take_buffer(3)));
  };
  a->begin = [](direction, head&, context&) { return verdict::observe; };
  pipeline& run = make();
  head h = head_of("ab", 2, 0, false);
  ASSERT_TRUE(run.begin(direction::out, h, at_time(0)));
  pipeline::work w;
  EXPECT_TRUE(run.has_work());
  EXPECT_FALSE(run.next_work(w, {.in = false})) << "the owner is half-way through one that all stages bypass";
  ASSERT_TRUE(run.next_work(w));
  EXPECT_EQ(w.way, direction::in);
  EXPECT_FALSE(run.next_work(w));
  passed out;
  test::feed(run, direction::out, "ab", out);
  ASSERT_TRUE(run.next_work(w));
  EXPECT_EQ(w.way, direction::out);
  EXPECT_EQ(w.stage, 0U);
  EXPECT_EQ(w.message.sized, 1);
  EXPECT_EQ(w.message.size, 3U);
  EXPECT_FALSE(run.has_work());
}

TEST_F(context_test, what_is_held_nearer_to_the_end_is_not_overtaken) {
  a->whole = b->whole = [](direction way, const head& h, buffer body, context& c) {
    EXPECT_TRUE(c.forward(way, h, std::move(body)));
  };
  const auto all = [](direction, head&, context&) { return verdict::whole; };
  const auto binary = [](direction, head& h, context&) { return h.opcode == 2 ? verdict::whole : verdict::bypass; };
  for (const direction way : {direction::out, direction::in}) {
    (way == direction::out ? a : b)->begin = all;
    (way == direction::out ? b : a)->begin = binary;
    pipeline& run = make(true);
    send(run, way, "one", {}, head_of("one", 2));
    send(run, way, "two", {}, head_of("two", 1));
    std::vector<passed> arrived;
    direction went{};
    while (test::carry_out(run, arrived, went)) {
    }
    ASSERT_EQ(arrived.size(), 2U);
    EXPECT_EQ(arrived[0].bytes, "one");
    EXPECT_EQ(arrived[1].bytes, "two");
  }
}

TEST_F(context_test, the_work_list_is_bounded) {
  limits.work = 3;
  uses.opcodes = 1U << 11;
  int taken = 0;
  a->control = [&](std::uint8_t, byte_view, context& c) {
    for (int i = 0; i < 4; ++i) {
      taken += c.emit_control(11, {}) ? 1 : 0;
      taken += c.forward(direction::out, head_of("x"), c.take_buffer(1)) ? 1 : 0;
    }
  };
  make().control(11, {}, at_time(0));
  EXPECT_EQ(taken, 3);
  EXPECT_FALSE(p->failed());
}

TEST_F(context_test, a_forward_over_the_limit_is_1009) {
  limits.max_message_out = 10;
  bool taken = true;
  a->open = [&](context& c) {
    EXPECT_EQ(c.limit(direction::out), 10U);
    EXPECT_TRUE(c.forward(direction::out, head_of("x"), c.take_buffer(10)));
    taken = c.forward(direction::out, head_of("x"), c.take_buffer(11));
  };
  make();
  EXPECT_FALSE(taken);
  EXPECT_EQ(p->fail_code(), close_code::message_too_big);
  EXPECT_EQ(p->fail_extension(), "x-a");
}

TEST_F(context_test, inwards_a_forward_may_be_longer_by_what_nearer_stages_can_take_off_P_22) {
  limits.max_message_in = 10;
  uses.adds_max = 3;
  for (const std::size_t over : {0U, 1U}) {
    b->open = [over](context& c) {
      EXPECT_EQ(c.limit(direction::out), std::uint64_t{1} << 62);
      EXPECT_EQ(c.limit(direction::in), 10U + 32 + 32 + 3);
      EXPECT_EQ(c.forward(direction::in, head_of("x"), c.take_buffer(77 + over)), over == 0);
    };
    a->open = [](context& c) { EXPECT_EQ(c.limit(direction::in), 10U); };
    EXPECT_EQ(make(true).failed(), over != 0);
  }
}

TEST_F(context_test, a_forward_with_a_foreign_bit_or_opcode_is_a_breach) {
  uses.rsv = 2;
  for (const auto& [opcode, rsv, good] : {std::tuple{2, 2, true},
                                          {1, 0, true},
                                          {2, 4, false},
                                          {0, 0, false},
                                          {3, 0, false},
                                          {8, 0, false},
                                          {11, 0, false}}) {
    a->open = [o = opcode, r = rsv](context& c) {
      const head h = head_of("x", static_cast<std::uint8_t>(o), static_cast<std::uint8_t>(r));
      static_cast<void>(c.forward(direction::out, h, c.take_buffer(1)));
    };
    make();
    EXPECT_EQ(p->failed(), !good) << opcode << ' ' << rsv;
    if (!good) expect_breach("forward of a message with an opcode or RSV bit that is not its own");
  }
}

TEST_F(context_test, after_the_flush_nothing_more_goes_out_F_10_F_15) {
  uses.opcodes = 1U << 11;
  int sent = 0;
  const auto act = [&](context& c) {
    sent += c.emit_control(11, {}) ? 1 : 0;
    sent += c.forward(direction::out, head_of("x"), c.take_buffer(1)) ? 1 : 0;
  };
  a->flush = act;
  a->control = [&](std::uint8_t, byte_view, context& c) {
    act(c);
    EXPECT_EQ(c.room(direction::out), 0U);
    EXPECT_TRUE(c.forward(direction::in, head_of("x"), c.take_buffer(1)));
  };
  a->closed = act;
  pipeline& run = make();
  run.flush(at_time(0));
  EXPECT_EQ(sent, 2);
  run.control(11, {}, at_time(0));
  run.closed(close_code::normal, at_time(0));
  EXPECT_EQ(sent, 2);
  EXPECT_FALSE(run.has_work());
  EXPECT_EQ(run.breaches(), 0U);
}

TEST_F(context_test, room_falls_with_what_was_forwarded) {
  a->open = [](context& c) { EXPECT_GT(c.room(direction::out), std::size_t{1} << 40); };
  uses.opcodes = 1U << 11;
  a->control = [](std::uint8_t, byte_view, context& c) {
    EXPECT_EQ(c.room(direction::out), 10U);
    EXPECT_TRUE(c.forward(direction::out, head_of("x"), c.take_buffer(4)));
    EXPECT_EQ(c.room(direction::out), 6U);
    EXPECT_TRUE(c.forward(direction::out, head_of("x"), c.take_buffer(9)));
    EXPECT_EQ(c.room(direction::out), 0U);
  };
  pipeline& run = make();
  run.set_room(10);
  run.control(11, {}, at_time(0));
}

// ---- memory

TEST_F(context_test, the_account_has_a_budget_and_is_zero_in_the_end) {
  limits.memory = 100;
  uses.opcodes = 1U << 11;
  a->control = [](std::uint8_t, byte_view, context& c) {
    EXPECT_TRUE(c.charge(60));
    EXPECT_FALSE(c.charge(41));
    EXPECT_TRUE(c.charge(40));
    EXPECT_TRUE(c.charge(-10));
    EXPECT_TRUE(c.charge(0));
  };
  a->closed = [](context& c) { EXPECT_TRUE(c.charge(-90)); };
  pipeline& run = make();
  run.control(11, {}, at_time(0));
  EXPECT_EQ(run.charged(), 90U);
  run.closed(close_code::normal, at_time(0));
  EXPECT_EQ(run.charged(), 0U);
  EXPECT_EQ(run.breaches(), 0U);
}

TEST_F(context_test, to_keep_memory_after_closed_is_a_breach) {
  a->open = [](context& c) { EXPECT_TRUE(c.charge(7)); };
  make().closed(close_code::normal, at_time(0));
  EXPECT_EQ(p->breaches(), 1U);
  EXPECT_EQ(p->last_breach(), "x-a: kept 7 bytes on its account after closed");
  EXPECT_EQ(p->charged(), 0U);
}

TEST_F(context_test, to_give_back_more_than_was_charged_is_a_breach) {
  a->open = [](context& c) {
    EXPECT_TRUE(c.charge(7));
    EXPECT_FALSE(c.charge(-8));
    EXPECT_FALSE(c.charge(std::numeric_limits<std::ptrdiff_t>::min()));
    EXPECT_TRUE(c.charge(-7));
  };
  make();
  EXPECT_EQ(p->breaches(), 2U);
  EXPECT_EQ(p->fail_reason(), "x-a: gave back more memory than it charged");
}

// ---- time

TEST_F(context_test, each_stage_has_one_timer_and_it_runs_once) {
  a->open = [](context& c) { c.arm(at_time(50)); };
  b->open = [](context& c) {
    c.arm(at_time(10));
    c.arm(at_time(20));
  };
  b->timer = [](context& c) {
    EXPECT_EQ(c.now(), at_time(25));
    c.arm(c.now());
  };
  pipeline& run = make(true);
  log.clear();
  EXPECT_EQ(run.deadline(), at_time(20));
  run.on_timeout(at_time(19));
  EXPECT_EQ(log, calls{});
  run.on_timeout(at_time(25));
  EXPECT_EQ(log, calls{"b.timer"});
  EXPECT_EQ(run.deadline(), at_time(25));  // Armed again inside: it is called once a turn, not in a loop.
  b->timer = [](context& c) { c.disarm(); };
  run.on_timeout(at_time(60));
  EXPECT_EQ(log, (calls{"b.timer", "a.timer", "b.timer"}));
  EXPECT_EQ(run.deadline(), no_deadline);
}

TEST_F(context_test, a_context_knows_its_side) {
  for (const role side : {role::client, role::server}) {
    a->open = [side](context& c) {
      EXPECT_EQ(c.side(), side);
      EXPECT_EQ(c.now(), at_time(1));
    };
    make(false, side);
  }
}

}  // namespace
}  // namespace hawser
