// What becomes of stages that fail or break the contract: 1011, a line for the author, and nothing passes.
#include "core/scripted_stage.h"

#include <stdexcept>

namespace hawser {
namespace {

using core::pipeline;
using test::at_time;
using test::calls;
using test::head_of;
using test::passed;
using test::scripted;
using test::send;
using test::stage_list;

using extension_test = test::scripted_test;

// ---- life

TEST_F(extension_test, open_flush_and_closed_go_from_the_application_to_the_network_once) {
  pipeline& run = make(true);
  run.flush(at_time(2));
  run.flush(at_time(2));
  run.closed(close_code::normal, at_time(3));
  run.closed(close_code::normal, at_time(3));
  EXPECT_EQ(log, (calls{"a.open", "b.open", "a.flush", "b.flush", "a.closed", "b.closed"}));
}

TEST_F(extension_test, nothing_is_closed_that_was_never_open) {
  stage_list stages;
  stages.add("x-a", uses, scripted{a});
  pipeline never(stages.take(), role::server, pool, limits);
  never.closed(close_code::abnormal, at_time(0));
  EXPECT_EQ(log, calls{});
}

TEST_F(extension_test, a_message_half_way_is_given_up_with_done_before_closed) {
  a->begin = b->begin = [](direction, head&, context&) { return verdict::observe; };
  pipeline& run = make(true);
  log.clear();
  head h = head_of("abc", 2, 0, false);
  ASSERT_TRUE(run.begin(direction::in, h, at_time(0)));
  std::byte chunk[3]{};
  run.push(direction::in, chunk, false, at_time(0));
  passed out;
  test::pull_all(run, direction::in, out);
  run.closed(close_code::abnormal, at_time(0));
  EXPECT_EQ(log, (calls{"b.begin", "a.begin", "b.observe", "a.observe", "b.done", "a.done", "a.closed", "b.closed"}));
}

TEST_F(extension_test, after_a_failure_nothing_runs_but_done_and_closed_F_12) {
  a->begin = b->begin = [](direction, head&, context&) { return verdict::observe; };
  b->observe = [](direction, byte_view, context& c) {
    c.fail(close_code::policy_violation, "first");
    c.fail(close_code::invalid_payload, "second");
    c.arm(at_time(0));
    EXPECT_FALSE(c.emit_control(11, {}));
    EXPECT_FALSE(c.forward(direction::out, head_of("x"), c.take_buffer(1)));
    EXPECT_EQ(c.room(direction::out), 0U);
  };
  pipeline& run = make(true);
  log.clear();
  EXPECT_TRUE(send(run, direction::in, "abc").failed);
  run.control(11, {}, at_time(0));
  run.on_timeout(at_time(9));
  run.flush(at_time(9));
  head h = head_of("abc");
  EXPECT_FALSE(run.begin(direction::out, h, at_time(0)));
  run.push(direction::in, {}, true, at_time(0));
  pipeline::work w;
  EXPECT_FALSE(run.next_work(w));
  EXPECT_EQ(log, (calls{"b.begin", "a.begin", "b.observe"}));
  run.closed(close_code::policy_violation, at_time(9));
  EXPECT_EQ(log, (calls{"b.begin", "a.begin", "b.observe", "b.done", "a.done", "a.closed", "b.closed"}));
  EXPECT_EQ(run.fail_code(), close_code::policy_violation);
  EXPECT_EQ(run.fail_error(), errc::extension_failed);
  EXPECT_EQ(run.fail_reason(), "first");
  EXPECT_EQ(run.fail_extension(), "x-b");
}

TEST_F(extension_test, a_failure_goes_with_the_message_that_caused_it) {
  a->begin = [](direction, head&, context&) { return verdict::observe; };
  a->done = [](context& c) { c.fail(close_code::invalid_payload, "late"); };
  const passed in = send(make(), direction::in, "abc");
  EXPECT_FALSE(in.fin);  // Fail closed: the last piece is not delivered.
  EXPECT_TRUE(in.failed);
}

TEST_F(extension_test, a_message_that_the_owner_leaves_half_way_is_given_up_by_the_next_one) {
  a->begin = [](direction, head&, context&) { return verdict::observe; };
  a->done = [](context& c) { c.fail(close_code::policy_violation, "half a message"); };
  pipeline& run = make();
  head h = head_of("abc");
  ASSERT_TRUE(run.begin(direction::in, h, at_time(0)));
  EXPECT_FALSE(run.begin(direction::in, h, at_time(0)));
  EXPECT_EQ(log, (calls{"a.open", "a.begin", "a.done"}));
}

TEST_F(extension_test, a_begin_that_fails_is_balanced_by_done_when_it_took_the_message) {
  a->begin = [](direction, head&, context& c) {
    c.fail(close_code::policy_violation, "no");
    return verdict::observe;
  };
  pipeline& run = make();
  EXPECT_TRUE(send(run, direction::in, "abc").failed);
  run.closed(close_code::policy_violation, at_time(0));
  EXPECT_EQ(log, (calls{"a.open", "a.begin", "a.done", "a.closed"}));
  log.clear();
  a->begin = [](direction, head&, context& c) {
    c.fail(close_code::policy_violation, "no");
    return verdict::reject;
  };
  EXPECT_TRUE(send(make(), direction::in, "abc").failed);
  p->closed(close_code::policy_violation, at_time(0));
  EXPECT_EQ(log, (calls{"a.open", "a.begin", "a.closed"}));
  EXPECT_EQ(p->breaches(), 0U);
}

// ---- reasons

TEST_F(extension_test, a_reason_is_cut_between_characters_and_is_always_UTF_8) {
  std::string long_one(122, 'x');
  long_one += "\xC3\xA4 and more";
  a->control = [&](std::uint8_t, byte_view, context& c) { c.fail(close_code::policy_violation, long_one); };
  uses.opcodes = 1U << 11;
  make().control(11, {}, at_time(0));
  EXPECT_EQ(p->fail_reason(), std::string(122, 'x'));
  a->control = [](std::uint8_t, byte_view, context& c) { c.fail(close_code::policy_violation, "\xFF\xC3 bad"); };
  make().control(11, {}, at_time(0));
  EXPECT_EQ(p->fail_reason(), "?? bad");
}

TEST_F(extension_test, codes_that_may_not_be_sent_are_a_breach_N_24_N_25) {
  uses.opcodes = 1U << 11;
  for (const role side : {role::client, role::server}) {
    for (const int code : {0, 999, 1004, 1005, 1006, 1010, 1015, 1016, 2999, 5000}) {
      a->control = [code](std::uint8_t, byte_view, context& c) { c.fail(static_cast<close_code>(code), "x"); };
      make(false, side).control(11, {}, at_time(0));
      expect_breach("fail with code " + std::to_string(code) + ", which may not be sent");
    }
    for (const int code : {1000, 1002, 1003, 1007, 1008, 1009, 1011, 3000, 4999}) {
      a->control = [code](std::uint8_t, byte_view, context& c) { c.fail(static_cast<close_code>(code), "x"); };
      make(false, side).control(11, {}, at_time(0));
      EXPECT_EQ(p->fail_code(), static_cast<close_code>(code));
    }
  }
}

// ---- breaches

TEST_F(extension_test, a_throw_from_any_hook_is_1011_and_the_data_does_not_pass) {
  const auto boom = [](auto&&...) { throw std::runtime_error("boom"); };
  const auto with = [](verdict v) { return [v](direction, head&, context&) { return v; }; };
  uses.opcodes = 1U << 11;

  a->begin = [](direction, head&, context&) -> verdict { throw std::runtime_error("boom"); };
  EXPECT_EQ(send(make(), direction::in, "abc").bytes, "");
  expect_breach("its begin threw");
  a->begin = with(verdict::observe);
  a->observe = boom;
  EXPECT_EQ(send(make(), direction::in, "abc").bytes, "");
  expect_breach("its observe threw");
  a->begin = with(verdict::in_place);
  a->in_place = boom;
  EXPECT_EQ(send(make(), direction::out, "abc").bytes, "");
  expect_breach("its in_place threw");
  a->begin = with(verdict::transform);
  a->transform = [](direction, byte_view, byte_span, bool, context&) -> step { throw std::runtime_error("boom"); };
  EXPECT_EQ(send(make(), direction::out, "abc").bytes, "");
  expect_breach("its transform threw");
  a->begin = with(verdict::whole);
  a->whole = boom;
  EXPECT_FALSE(send(make(), direction::out, "abc").gone);
  expect_breach("its whole threw");
  a->begin = with(verdict::retain);
  a->retained = boom;
  EXPECT_FALSE(send(make(), direction::out, "abc").fin);
  expect_breach("its retained threw");
  a->begin = with(verdict::bypass.prefix(0));
  a->control = boom;
  make().control(11, {}, at_time(0));
  expect_breach("its control threw");
  a->open = [](context& c) { c.arm(c.now()); };
  a->timer = boom;
  make().on_timeout(at_time(1));
  expect_breach("its timer threw");
  a->open = nullptr;
  a->flush = boom;
  make().flush(at_time(1));
  expect_breach("its flush threw");
  a->open = boom;
  make();
  expect_breach("its open threw");
}

TEST_F(extension_test, edges_that_throw_are_1011) {
  a->begin = [](direction, head&, context&) { return verdict::observe.prefix(1); };
  a->edge = [](context&) { throw std::runtime_error("boom"); };
  EXPECT_EQ(send(make(), direction::out, "abc").bytes, "");
  expect_breach("its prefix threw");
  a->begin = [](direction, head&, context&) { return verdict::observe.suffix(1); };
  EXPECT_FALSE(send(make(), direction::in, "abc").fin);
  expect_breach("its suffix threw");
}

TEST_F(extension_test, a_throw_at_the_end_is_counted) {
  a->closed = [](context&) { throw std::runtime_error("boom"); };
  make().closed(close_code::normal, at_time(0));
  EXPECT_EQ(p->breaches(), 1U);
  EXPECT_EQ(p->last_breach(), "x-a: its closed threw");
  EXPECT_FALSE(p->failed());
}

TEST_F(extension_test, to_touch_a_bit_or_opcode_of_another_is_a_breach) {
  const std::string line = "its begin changed the opcode or an RSV bit that is not its own";
  uses.rsv = 2;
  const auto expect = [&](direction way, std::uint8_t rsv, std::function<void(head&)> change, bool honest) {
    a->begin = [change](direction, head& h, context&) {
      change(h);
      return verdict::bypass;
    };
    const passed went = send(make(), way, "abc", {}, head_of("abc", 2, rsv));
    EXPECT_EQ(went.failed, !honest);
    if (!honest) expect_breach(line);
  };
  expect(
      direction::out, 0, [](head& h) { h.rsv |= 2; }, true);
  expect(
      direction::out, 0, [](head& h) { h.rsv |= 4; }, false);
  expect(
      direction::out, 4, [](head& h) { h.rsv = 2; }, false);
  expect(
      direction::out, 0, [](head& h) { h.opcode = 1; }, false);
  expect(
      direction::out, 0, [](head& h) { h.rsv = 0x80; }, false);
  expect(
      direction::in, 6, [](head& h) { h.rsv &= 5; }, true);
  expect(
      direction::in, 6, [](head& h) { h.rsv = 0; }, false);
  expect(
      direction::in, 0, [](head& h) { h.rsv |= 2; }, false);  // It would look like the peer's fault.
  expect(
      direction::in, 0, [](head& h) { h.opcode = 3; }, false);
}

TEST_F(extension_test, all_but_the_bits_of_a_head_is_the_librarys) {
  a->begin = [](direction, head& h, context&) {
    h.size = 99;
    h.sized = 0;
    h.priority = 7;
    h.flags = 7;
    return verdict::bypass;
  };
  const passed out = send(make(), direction::out, "abc");
  EXPECT_EQ(out.h.size, 3U);
  EXPECT_EQ(out.h.sized, 1);
  EXPECT_EQ(out.h.priority, 0);
  EXPECT_EQ(out.h.flags, 0U);
}

TEST_F(extension_test, verdicts_that_make_no_sense_are_a_breach) {
  const auto expect = [&](verdict v, std::string_view line) {
    a->begin = [v](direction, head&, context&) { return v; };
    EXPECT_TRUE(send(make(), direction::out, "abc").failed);
    expect_breach(line);
  };
  const std::string_view odd = "its begin asked for a prefix or suffix with another verdict than observe or in_place";
  expect(verdict::reject, "its begin rejected a message without calling fail");
  expect(verdict::observe.prefix(33), "its begin asked for a prefix or suffix over 32 bytes");
  expect(verdict::in_place.suffix(33), "its begin asked for a prefix or suffix over 32 bytes");
  expect(verdict::transform.prefix(1), odd);
  expect(verdict::whole.suffix(1), odd);
  expect(verdict::bypass.suffix(1), odd);
  expect({static_cast<verdict::kind>(99), 0, 0, 0}, "its begin gave no known verdict");
}

template <unsigned Kind>
struct hookless {
  static constexpr unsigned hooks = hook::none;
  verdict begin(direction, head&, context&) { return {static_cast<verdict::kind>(Kind), 0, 0, 0}; }
};

template <stage S>
std::string refusal_of(S work, buffer_pool& pool) {
  stage_list stages;
  stages.add("x-a", claims{}, work);
  pipeline run(stages.take(), role::server, pool, {});
  run.open(at_time(0));
  EXPECT_TRUE(send(run, direction::out, "abc").failed);
  return std::string(run.fail_reason());
}

struct prefix_without_hook {
  static constexpr unsigned hooks = hook::observe;
  verdict begin(direction, head&, context&) { return verdict::observe.prefix(1); }
  void observe(direction, byte_view, bool, context&) {}
};

TEST_F(extension_test, a_verdict_without_its_hook_is_a_breach) {
  using kind = verdict::kind;
  const std::string line = "x-a: its begin gave a verdict that it has no hook for";
  EXPECT_EQ(refusal_of(hookless<static_cast<unsigned>(kind::observe)>{}, pool), line);
  EXPECT_EQ(refusal_of(hookless<static_cast<unsigned>(kind::retain)>{}, pool), line);
  EXPECT_EQ(refusal_of(hookless<static_cast<unsigned>(kind::in_place)>{}, pool), line);
  EXPECT_EQ(refusal_of(hookless<static_cast<unsigned>(kind::transform)>{}, pool), line);
  EXPECT_EQ(refusal_of(hookless<static_cast<unsigned>(kind::whole)>{}, pool), line);
  EXPECT_EQ(refusal_of(prefix_without_hook{}, pool), "x-a: its begin asked for a prefix and it has no such hook");
}

TEST_F(extension_test, steps_that_cannot_be_are_a_breach) {
  a->begin = [](direction, head&, context&) { return verdict::transform; };
  const auto expect = [&](step did, std::string_view line) {
    a->transform = [did](direction, byte_view, byte_span, bool, context&) { return did; };
    limits.step = 8;
    EXPECT_TRUE(send(make(), direction::out, "abc", {.chunk = 0}).failed);
    expect_breach(line);
  };
  expect({0, 0, flow::full}, "its transform said full without progress");
  expect({4, 0, flow::done}, "its transform consumed more than it was given");
  expect({3, 9, flow::done}, "its transform produced more than there was room for");
  expect({2, 2, flow::done}, "its transform is done before the end of the message");
  expect({2, 2, flow::more}, "its transform wants more and left input behind");
  expect({3, 3, flow::more}, "its transform wants more after the end of the message");
  expect({3, 3, flow::error}, "its transform gave an error without calling fail");
  expect({1, 1, flow::full, 1}, "its transform trims before the message is done");
  expect({3, 3, flow::done, 1}, "its transform trims more than it claimed");
  expect({3, 3, static_cast<flow>(9)}, "its transform gave no known answer");
}

TEST_F(extension_test, done_before_the_last_chunk_is_a_breach) {
  a->begin = [](direction, head&, context&) { return verdict::transform; };
  a->transform = [](direction, byte_view in, byte_span, bool, context&) { return step{in.size(), 0, flow::done}; };
  EXPECT_TRUE(send(make(), direction::out, "abc", {.chunk = 1}).failed);
  expect_breach("its transform is done before the end of the message");
}

}  // namespace
}  // namespace hawser
