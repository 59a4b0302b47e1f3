// What stages may do by their context, and what becomes of those that break the contract.
#include "core/pipeline_kit.h"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>

namespace hawser {
namespace {

using core::pipeline;
using core::pipeline_limits;
using test::at_time;
using test::head_of;
using test::passed;
using test::send;
using test::stage_list;

/// A stage whose hooks a test writes; every call is noted in `calls`.
struct script {
  std::string name = "s";
  std::vector<std::string>* calls = nullptr;
  std::function<verdict(direction, head&, context&)> begin = {};
  std::function<void(direction, byte_view, context&)> observe = {};
  std::function<void(direction, byte_span, context&)> in_place = {};
  std::function<step(direction, byte_view, byte_span, bool, context&)> transform = {};
  std::function<void(direction, const head&, buffer, context&)> whole = {};
  std::function<void(direction, const head&, buffer, context&)> retained = {};
  std::function<void(context&)> edge = {};
  std::function<void(context&)> done = {};
  std::function<void(std::uint8_t, byte_view, context&)> control = {};
  std::function<void(context&)> timer = {};
  std::function<void(context&)> open = {};
  std::function<void(context&)> flush = {};
  std::function<void(context&)> closed = {};

  void note(const char* what) const {
    if (calls != nullptr) calls->push_back(name + "." + what);
  }
};

struct scripted {
  static constexpr unsigned hooks = hook::observe | hook::in_place | hook::transform | hook::whole | hook::retained |
                                    hook::prefix | hook::suffix | hook::done | hook::control | hook::timer |
                                    hook::open | hook::flush | hook::closed;
  std::shared_ptr<script> s;

  verdict begin(direction way, head& h, context& c) {
    return said("begin"), s->begin ? s->begin(way, h, c) : verdict::bypass;
  }
  void observe(direction way, byte_view b, bool, context& c) {
    said("observe"), s->observe ? s->observe(way, b, c) : void();
  }
  void in_place(direction way, byte_span b, bool, context& c) {
    said("in_place"), s->in_place ? s->in_place(way, b, c) : void();
  }
  step transform(direction way, byte_view i, byte_span o, bool fin, context& c) {
    return said("transform"), s->transform(way, i, o, fin, c);
  }
  void whole(direction way, const head& h, buffer b, context& c) { said("whole"), s->whole(way, h, std::move(b), c); }
  void retained(direction way, const head& h, buffer b, context& c) {
    said("retained"), s->retained ? s->retained(way, h, std::move(b), c) : void();
  }
  void prefix(direction, byte_span, context& c) { said("prefix"), act(s->edge, c); }
  void suffix(direction, byte_span, context& c) { said("suffix"), act(s->edge, c); }
  void done(direction, context& c) { said("done"), act(s->done, c); }
  void control(std::uint8_t op, byte_view b, context& c) {
    said("control"), s->control ? s->control(op, b, c) : void();
  }
  void timer(context& c) { said("timer"), act(s->timer, c); }
  void open(context& c) { said("open"), act(s->open, c); }
  void flush(context& c) { said("flush"), act(s->flush, c); }
  void closed(close_code, context& c) { said("closed"), act(s->closed, c); }

 private:
  void said(const char* what) const { s->note(what); }
  static void act(const std::function<void(context&)>& f, context& c) {
    if (f) f(c);
  }
};

using calls = std::vector<std::string>;

struct extension_test : ::testing::Test {
  buffer_pool pool;
  calls log;
  pipeline_limits limits;
  claims uses;
  std::unique_ptr<pipeline> p;
  std::shared_ptr<script> a = made("a");
  std::shared_ptr<script> b = made("b");

  std::shared_ptr<script> made(std::string name) {
    auto s = std::make_shared<script>();
    s->name = std::move(name);
    s->calls = &log;
    return s;
  }
  pipeline& make(bool both = false, role side = role::server) {
    stage_list stages;
    stages.add("x-a", uses, scripted{a});
    if (both) stages.add("x-b", claims{}, scripted{b});
    p = std::make_unique<pipeline>(stages.take(), side, pool, limits);
    p->open(at_time(1));
    return *p;
  }
  /// A breach ends in 1011, and its line names the extension.
  void expect_breach(std::string_view what) {
    EXPECT_TRUE(p->failed());
    EXPECT_EQ(p->fail_code(), close_code::internal_error);
    EXPECT_EQ(p->fail_error(), errc::extension_threw);
    EXPECT_EQ(p->fail_extension(), "x-a");
    EXPECT_EQ(p->fail_reason(), std::string("x-a: ").append(what));
    EXPECT_EQ(p->breaches(), 1U);
    p->closed(close_code::internal_error, at_time(2));
    EXPECT_EQ(pool.used_bytes(), 0U);
  }
};

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

TEST_F(extension_test, size_and_channel_are_the_librarys) {
  a->begin = [](direction, head& h, context&) {
    h.size = 99;
    h.sized = 0;
    h.channel = 7;
    return verdict::bypass;
  };
  const passed out = send(make(), direction::out, "abc");
  EXPECT_EQ(out.h.size, 3U);
  EXPECT_EQ(out.h.sized, 1);
  EXPECT_EQ(out.h.channel, 0U);
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

// ---- own control frames

TEST_F(extension_test, a_claimed_control_opcode_is_sent_and_received_F_03) {
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

TEST_F(extension_test, control_frames_that_may_not_be_are_a_breach) {
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

TEST_F(extension_test, an_opcode_of_nobody_reaches_nobody) {
  uses.opcodes = 1U << 11;
  pipeline& run = make(true);
  log.clear();
  run.control(12, {}, at_time(0));
  EXPECT_EQ(log, calls{});
}

// ---- forwards

TEST_F(extension_test, a_forward_waits_until_no_message_is_half_way_in_its_direction) {
  a->open = [](context& c) {
    EXPECT_TRUE(c.forward(direction::out, head_of("own"), c.take_buffer(3)));
    EXPECT_TRUE(c.forward(direction::in, head_of("own"), c.take_buffer(3)));
  };
  a->begin = [](direction, head&, context&) { return verdict::observe; };
  pipeline& run = make();
  head h = head_of("ab", 2, 0, false);
  ASSERT_TRUE(run.begin(direction::out, h, at_time(0)));
  run.occupy(direction::in, true);
  pipeline::work w;
  EXPECT_TRUE(run.has_work());
  EXPECT_FALSE(run.next_work(w));
  run.occupy(direction::in, false);
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

TEST_F(extension_test, what_is_held_nearer_to_the_end_is_not_overtaken) {
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

TEST_F(extension_test, the_work_list_is_bounded) {
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

TEST_F(extension_test, a_forward_over_the_limit_is_1009) {
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

TEST_F(extension_test, a_forward_with_a_foreign_bit_or_opcode_is_a_breach) {
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

TEST_F(extension_test, after_the_flush_nothing_more_goes_out_F_10_F_15) {
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

TEST_F(extension_test, room_falls_with_what_was_forwarded) {
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
  run.set_room(direction::out, 10);
  run.control(11, {}, at_time(0));
}

// ---- memory

TEST_F(extension_test, the_account_has_a_budget_and_is_zero_in_the_end) {
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

TEST_F(extension_test, to_keep_memory_after_closed_is_a_breach) {
  a->open = [](context& c) { EXPECT_TRUE(c.charge(7)); };
  make().closed(close_code::normal, at_time(0));
  EXPECT_EQ(p->breaches(), 1U);
  EXPECT_EQ(p->last_breach(), "x-a: kept 7 bytes on its account after closed");
  EXPECT_EQ(p->charged(), 0U);
}

TEST_F(extension_test, to_give_back_more_than_was_charged_is_a_breach) {
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

TEST_F(extension_test, each_stage_has_one_timer_and_it_runs_once) {
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

TEST_F(extension_test, a_context_knows_its_side) {
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
