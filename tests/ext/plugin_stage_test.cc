// A plug-in's stage at work: each hook, each call of its context, and what becomes of one that lies.
#include "ext/plugin_kit.h"

#include <gtest/gtest.h>
#include <hawser/testkit/testkit.h>

#include <cstring>

namespace hawser {
namespace {

using test::at_time;
using test::head_of;
using test::passed;
using test::plugin_tables;
using test::plugin_world;

std::string text_of(const std::uint8_t* bytes, std::uint64_t size) {
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

struct plugin_stage_test : ::testing::Test {
  plugin_world world;
  plugin_tables tables;
  buffer_pool pool;
  std::unique_ptr<core::pipeline> p;

  plugin_stage_test() { test::world_now() = &world; }

  core::agreed_extension stage() {
    std::string why;
    result<ext::plugin> made = ext::plugin::from(&tables.plugin, {}, &why);
    EXPECT_TRUE(made) << why;
    core::agreed_extension e;
    e.name = "x-plug";
    e.terms = std::move(*made->accept({{}}, why));
    return e;
  }
  void open(role side = role::server) {
    world.accept = [](const hawser_params*, std::uint64_t, hawser_negotiation*, hawser_claims* uses, void**) {
      uses->rsv = HAWSER_RSV2;
      uses->opcodes = 1U << 11;
      uses->trim_max = 4;
      uses->adds_max = 65535;
      return 1;
    };
    std::vector<core::agreed_extension> stages;
    stages.push_back(stage());
    core::pipeline_limits limits;
    limits.memory = 1000;
    limits.max_message_in = 5000;
    p = std::make_unique<core::pipeline>(std::move(stages), side, pool, limits);
    p->open(at_time(7));
  }
  void verdict_is(std::uint32_t v) {
    world.begin = [v](std::uint32_t, hawser_head*, hawser_context*) { return v; };
  }
  passed out(const std::string& text, const test::cuts& how = {}) { return test::send(*p, direction::out, text, how); }

  /// What the connection fails with when `act` runs in the hook that closes nothing else.
  std::string breach_of(const std::function<void(hawser_context*)>& act) {
    world.act = nullptr;
    open();
    world.begin = [&](std::uint32_t, hawser_head*, hawser_context* c) {
      act(c);
      return HAWSER_BYPASS;
    };
    const bool failed = out("x").failed;
    EXPECT_EQ(failed, p->failed());
    if (!failed) return "nothing";
    EXPECT_EQ(p->fail_code(), close_code::internal_error);
    EXPECT_EQ(p->fail_error(), errc::extension_threw);
    EXPECT_EQ(p->fail_reason(), p->last_breach());
    return std::string(p->last_breach());
  }
};

// ---- what it gets

TEST_F(plugin_stage_test, a_head_says_what_is_known) {
  open();
  world.begin = [](std::uint32_t way, hawser_head* h, hawser_context*) {
    EXPECT_EQ(way, HAWSER_OUT);
    EXPECT_EQ(h->struct_size, sizeof(hawser_head));
    EXPECT_EQ(h->opcode, HAWSER_BINARY);
    EXPECT_EQ(h->sized, 1);
    EXPECT_EQ(h->size, 5U);
    EXPECT_EQ(h->priority, 3);
    EXPECT_EQ(h->flags, HAWSER_NO_COMPRESSION);
    h->rsv |= HAWSER_RSV2;
    h->size = 77;  // Not the stage's to change: ignored.
    return HAWSER_BYPASS;
  };
  head h = head_of("Hello");
  h.priority = 3;
  h.flags = head_flag::no_compression;
  const passed got = test::send(*p, direction::out, "Hello", {}, h);
  EXPECT_EQ(got.h.rsv, HAWSER_RSV2);
  EXPECT_EQ(got.h.size, 5U);
  EXPECT_EQ(got.bytes, "Hello");
}

TEST_F(plugin_stage_test, it_observes_and_has_edges) {
  open();
  verdict_is(HAWSER_OBSERVE | HAWSER_PREFIX(2) | HAWSER_SUFFIX(3));
  std::string seen;
  world.bytes = [&](const std::uint8_t* b, std::uint64_t n, hawser_context*) { seen += text_of(b, n); };
  world.edge = [](std::uint32_t, std::uint8_t* b, std::uint64_t n, hawser_context*) { std::memset(b, '.', n); };
  EXPECT_EQ(out("Hello", {.chunk = 2}).bytes, "..Hello...");
  EXPECT_EQ(seen, "Hello");
  world.edge = [&](std::uint32_t way, std::uint8_t* b, std::uint64_t n, hawser_context*) {
    EXPECT_EQ(way, HAWSER_IN);
    seen += text_of(b, n);
  };
  seen.clear();
  EXPECT_EQ(test::send(*p, direction::in, "<<Hello>>>", {.chunk = 1}).bytes, "Hello");
  EXPECT_EQ(seen, "<<Hello>>>");
  EXPECT_EQ(world.count("done"), 2U);
}

TEST_F(plugin_stage_test, it_changes_bytes_in_place) {
  open();
  verdict_is(HAWSER_IN_PLACE);
  world.in_place = [](std::uint8_t* b, std::uint64_t n, hawser_context*) {
    for (std::uint64_t i = 0; i < n; ++i)
      b[i] ^= 0x20;
  };
  EXPECT_EQ(out("Hello", {.chunk = 3}).bytes, "hELLO");
}

TEST_F(plugin_stage_test, it_transforms_in_steps_and_trims) {
  open();
  verdict_is(HAWSER_TRANSFORM);
  world.transform = [](const std::uint8_t* in, std::uint64_t n, std::uint8_t* to, std::uint64_t room, std::int32_t fin,
                       hawser_step* did, hawser_context*) {
    EXPECT_EQ(did->struct_size, sizeof(hawser_step));
    const std::uint64_t take = std::min<std::uint64_t>(n, room / 2);
    for (std::uint64_t i = 0; i < take; ++i)
      to[2 * i] = to[2 * i + 1] = in[i];
    did->consumed = take;
    did->produced = 2 * take;
    did->next = take < n ? HAWSER_FULL : fin != 0 ? HAWSER_DONE : HAWSER_MORE;
    if (did->next == HAWSER_DONE && take != 0) did->trim = 1;
  };
  EXPECT_EQ(out("Hello").bytes, "HHeellllo");
  EXPECT_EQ(out(std::string(30000, 'a')).bytes.size(), 59999U);
}

// ---- bodies

TEST_F(plugin_stage_test, it_takes_a_message_away_and_lets_it_go_on) {
  open();
  verdict_is(HAWSER_WHOLE);
  hawser_buffer held = 0;
  hawser_head held_head{};
  world.whole = [&](std::uint32_t, const hawser_head* h, hawser_buffer body, hawser_context* c) {
    held = body;
    held_head = *h;
    std::uint64_t size = 0;
    EXPECT_EQ(text_of(c->api->read_buffer(c, body, &size), 5), "Hello");
    EXPECT_EQ(size, 5U);
    c->api->arm(c, c->api->now(c) + 1'000'000);
  };
  EXPECT_TRUE(out("Hello", {.chunk = 2}).gone);
  EXPECT_EQ(p->deadline(), at_time(1));
  world.act = [&](const char*, hawser_context* c) {
    std::uint8_t* bytes = c->api->write_buffer(c, held);
    bytes[0] = 'J';
    EXPECT_EQ(c->api->cut_buffer(c, held, 6), 0) << "it is not so long";
    EXPECT_EQ(c->api->cut_buffer(c, held, 4), 1);
    held_head.rsv = HAWSER_RSV2;
    EXPECT_EQ(c->api->forward(c, HAWSER_OUT, &held_head, held), 1);
  };
  p->on_timeout(at_time(2));
  std::vector<passed> arrived;
  direction way{};
  ASSERT_TRUE(test::carry_out(*p, arrived, way));
  EXPECT_EQ(arrived.at(0).bytes, "Jell");
  EXPECT_EQ(arrived.at(0).h.rsv, HAWSER_RSV2);
  EXPECT_FALSE(p->failed()) << p->last_breach();
}

// Bytes that others look at are copied before they are written to: of two numbers for a body one stays as it was.
TEST_F(plugin_stage_test, shared_bytes_are_copied_when_they_are_written) {
  open();
  verdict_is(HAWSER_WHOLE);
  world.whole = [&](std::uint32_t, const hawser_head*, hawser_buffer body, hawser_context* c) {
    const hawser_buffer other = c->api->share_buffer(c, body);
    EXPECT_NE(other, body);
    EXPECT_EQ(c->api->read_buffer(c, other, nullptr), c->api->read_buffer(c, body, nullptr));
    c->api->write_buffer(c, other)[0] = 'J';
    EXPECT_EQ(text_of(c->api->read_buffer(c, body, nullptr), 5), "Hello");
    EXPECT_EQ(text_of(c->api->read_buffer(c, other, nullptr), 5), "Jello");
    c->api->release_buffer(c, body);
    c->api->release_buffer(c, other);
  };
  out("Hello");
  EXPECT_FALSE(p->failed()) << p->last_breach();
  EXPECT_EQ(pool.used_bytes(), 0U);
}

TEST_F(plugin_stage_test, it_originates_messages_and_controls) {
  open(role::client);
  world.begin = [](std::uint32_t, hawser_head*, hawser_context* c) {
    EXPECT_EQ(c->api->struct_size, sizeof(hawser_context_api));
    EXPECT_EQ(c->api->abi, HAWSER_PLUGIN_ABI);
    EXPECT_EQ(c->api->side(c), HAWSER_CLIENT);
    EXPECT_EQ(c->api->limit(c, HAWSER_IN), 5000U);
    EXPECT_GT(c->api->room(c, HAWSER_OUT), 1000U);
    const hawser_buffer mine = c->api->take_buffer(c, 3);
    std::memcpy(c->api->write_buffer(c, mine), "new", 3);
    hawser_head h{};
    h.struct_size = sizeof h;
    h.opcode = HAWSER_TEXT;
    EXPECT_EQ(c->api->forward(c, HAWSER_IN, &h, mine), 1);
    EXPECT_EQ(c->api->emit_control(c, 11, reinterpret_cast<const std::uint8_t*>("ack"), 3), 1);
    EXPECT_EQ(c->api->emit_control(c, 11, nullptr, 0), 1);
    return HAWSER_BYPASS;
  };
  EXPECT_EQ(out("Hello").bytes, "Hello");
  std::vector<passed> arrived;
  std::string controls;
  direction way{};
  world.begin = nullptr;
  while (test::carry_out(*p, arrived, way, &controls)) {
  }
  EXPECT_EQ(way, direction::in);
  EXPECT_EQ(arrived.at(0).bytes, "new");
  EXPECT_EQ(controls, "ack");
}

TEST_F(plugin_stage_test, it_leaves_notes_with_messages) {
  open();
  world.begin = [](std::uint32_t, hawser_head*, hawser_context* c) {
    EXPECT_EQ(c->api->connection_id(c), 0U) << "nobody gave it a number";
    c->api->note(c, reinterpret_cast<const std::uint8_t*>("seen"), 4);
    return HAWSER_BYPASS;
  };
  head h = head_of("Hello");
  ASSERT_TRUE(p->begin(direction::in, h, at_time(8)));
  EXPECT_EQ(as_text(p->noted().find("x-plug")), "seen");
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->note(c, nullptr, 1); }), "x-plug: left a note without its bytes");
}

TEST_F(plugin_stage_test, a_body_over_the_limit_fails_with_1009) {
  open();
  world.begin = [](std::uint32_t, hawser_head*, hawser_context* c) {
    hawser_head h{};
    h.struct_size = sizeof h;
    h.opcode = HAWSER_BINARY;
    const hawser_buffer body = c->api->take_buffer(c, 5001);
    EXPECT_EQ(c->api->forward(c, HAWSER_IN, &h, body), 0);
    EXPECT_NE(c->api->read_buffer(c, body, nullptr), nullptr) << "it was not taken";
    return HAWSER_BYPASS;
  };
  EXPECT_TRUE(out("x").failed);
  EXPECT_EQ(p->fail_code(), close_code::message_too_big);
}

TEST_F(plugin_stage_test, what_no_machine_has_is_not_given) {
  EXPECT_EQ(breach_of([](hawser_context* c) {
              EXPECT_EQ(c->api->take_buffer(c, ~std::uint64_t{0}), 0U);
              EXPECT_EQ(c->api->charge(c, 1001), 0);
              EXPECT_EQ(c->api->charge(c, 1000), 1);
            }),
            "nothing");
  EXPECT_EQ(p->charged(), 1000U);
}

// What it keeps for ever goes home when the connection ends, before the stage does.
TEST_F(plugin_stage_test, what_is_left_is_released_when_the_connection_ends) {
  open();
  verdict_is(HAWSER_RETAIN);
  EXPECT_EQ(out("Hello").bytes, "Hello");
  EXPECT_EQ(world.count("retained"), 1U);
  EXPECT_GT(pool.used_bytes(), 0U);
  p->closed(close_code::normal, at_time(9));
  EXPECT_EQ(pool.used_bytes(), 0U);
  EXPECT_EQ(world.count("closed"), 1U);
  EXPECT_EQ(world.count("destroy"), 0U);
  p = nullptr;
  EXPECT_EQ(world.count("destroy"), 1U);
}

TEST_F(plugin_stage_test, every_hook_of_its_life_is_called) {
  open();
  std::string payload;
  world.bytes = [&](const std::uint8_t* b, std::uint64_t n, hawser_context*) { payload = text_of(b, n); };
  p->control(11, as_bytes("abc"), at_time(8));
  EXPECT_EQ(payload, "abc");
  p->flush(at_time(8));
  p->closed(close_code::going_away, at_time(9));
  p = nullptr;
  EXPECT_EQ(world.calls, (std::vector<std::string>{"accept", "open", "control", "flush", "closed", "destroy"}));
}

// ---- what it does wrong

TEST_F(plugin_stage_test, it_fails_its_connection_in_its_own_words) {
  open();
  world.begin = [](std::uint32_t, hawser_head*, hawser_context* c) {
    c->api->fail(c, HAWSER_INVALID_PAYLOAD, "not for me");
    return HAWSER_REJECT;
  };
  EXPECT_TRUE(out("x").failed);
  EXPECT_EQ(p->fail_code(), close_code::invalid_payload);
  EXPECT_EQ(p->fail_reason(), "not for me");
  EXPECT_EQ(p->breaches(), 0U);
  open();
  world.begin = [](std::uint32_t, hawser_head*, hawser_context* c) {
    c->api->fail(c, 4000, nullptr);
    return HAWSER_REJECT;
  };
  EXPECT_TRUE(out("x").failed);
  EXPECT_EQ(static_cast<int>(p->fail_code()), 4000);
  EXPECT_EQ(p->fail_reason(), "");
}

TEST_F(plugin_stage_test, verdicts_that_are_none_are_1011) {
  for (const std::uint32_t v :
       {7U, 255U, 1U << 24, 0x80000001U, HAWSER_PREFIX(33) | HAWSER_OBSERVE, HAWSER_SUFFIX(255) | HAWSER_IN_PLACE,
        HAWSER_WHOLE | HAWSER_PREFIX(1), HAWSER_BYPASS | HAWSER_SUFFIX(1), HAWSER_REJECT}) {
    open();
    verdict_is(v);
    EXPECT_TRUE(out("x").failed) << v;
    EXPECT_EQ(p->fail_code(), close_code::internal_error);
    EXPECT_EQ(p->last_breach().substr(0, 18), "x-plug: its begin ") << p->last_breach();
  }
  EXPECT_EQ(breach_of([](hawser_context*) {}), "nothing");
}

TEST_F(plugin_stage_test, a_verdict_without_its_hook_is_1011) {
  tables.stage.hooks = HAWSER_HOOK_OBSERVE;
  const hawser_stage all = tables.stage;
  tables.stage = {};
  tables.stage.struct_size = sizeof(hawser_stage);
  tables.stage.hooks = HAWSER_HOOK_OBSERVE;
  tables.stage.begin = all.begin;
  tables.stage.observe = all.observe;
  world.accept = [](const hawser_params*, std::uint64_t, hawser_negotiation*, hawser_claims*, void**) { return 1; };
  for (const std::uint32_t v : {HAWSER_WHOLE, HAWSER_TRANSFORM, HAWSER_RETAIN, HAWSER_IN_PLACE}) {
    std::vector<core::agreed_extension> stages;
    stages.push_back(stage());
    p = std::make_unique<core::pipeline>(std::move(stages), role::server, pool, core::pipeline_limits{});
    p->open(at_time(0));
    verdict_is(v);
    EXPECT_TRUE(out("x").failed);
    EXPECT_EQ(p->last_breach(), "x-plug: its begin gave a verdict that it has no hook for");
    p->closed(close_code::normal, at_time(1));
  }
}

TEST_F(plugin_stage_test, lying_steps_are_1011) {
  struct row {
    hawser_step did;
    const char* said;
  };
  for (const row& r :
       {row{{0, HAWSER_DONE, 2, 0, 0, 0}, "its transform consumed more than it was given"},
        row{{0, HAWSER_DONE, ~std::uint64_t{0}, 0, 0, 0}, "its transform consumed more than it was given"},
        row{{0, HAWSER_DONE, 1, std::uint64_t{1} << 40, 0, 0}, "its transform produced more than there was room for"},
        row{{0, HAWSER_MORE, 0, 0, 0, 0}, "its transform wants more and left input behind"},
        row{{0, HAWSER_MORE, 1, 0, 0, 0}, "its transform wants more after the end of the message"},
        row{{0, HAWSER_FULL, 0, 0, 0, 0}, "its transform said full without progress"},
        row{{0, HAWSER_DONE, 1, 1, 2, 0}, "its transform trims more than it made"},
        row{{0, HAWSER_DONE, 1, 1, 256, 0}, "its transform trims more than it claimed"},
        row{{0, HAWSER_ERROR, 0, 0, 0, 0}, "its transform gave an error without calling fail"},
        row{{0, 4, 1, 0, 0, 0}, "its transform gave no known answer"},
        row{{0, 256, 1, 0, 0, 0}, "its transform gave no known answer"}}) {
    open();
    verdict_is(HAWSER_TRANSFORM);
    world.transform = [&](const std::uint8_t*, std::uint64_t, std::uint8_t*, std::uint64_t, std::int32_t,
                          hawser_step* did, hawser_context*) { *did = r.did; };
    EXPECT_TRUE(out("x").failed);
    EXPECT_EQ(p->fail_code(), close_code::internal_error);
    EXPECT_EQ(p->last_breach(), std::string("x-plug: ") + r.said);
  }
}

TEST_F(plugin_stage_test, bits_and_opcodes_of_others_are_1011) {
  for (int what = 0; what < 2; ++what) {
    open();
    world.begin = [what](std::uint32_t, hawser_head* h, hawser_context*) {
      what == 0 ? h->rsv |= HAWSER_RSV1 : h->opcode = 9;
      return HAWSER_BYPASS;
    };
    EXPECT_TRUE(out("x").failed);
    EXPECT_EQ(p->last_breach(), "x-plug: its begin changed the opcode or an RSV bit that is not its own");
  }
}

TEST_F(plugin_stage_test, calls_out_of_range_are_1011) {
  hawser_head h{};
  h.opcode = HAWSER_BINARY;
  const char* way = "x-plug: named a direction that is neither out nor in";
  EXPECT_EQ(breach_of([](hawser_context* c) { EXPECT_EQ(c->api->limit(c, 2), 0U); }), way);
  EXPECT_EQ(breach_of([](hawser_context* c) { EXPECT_EQ(c->api->room(c, 0xFFFFFFFFU), 0U); }), way);
  EXPECT_EQ(breach_of([&](hawser_context* c) { EXPECT_EQ(c->api->forward(c, 2, &h, 1), 0); }), way);
  EXPECT_EQ(breach_of([&](hawser_context* c) { c->api->forward(c, 0, &h, c->api->take_buffer(c, 1)); }),
            "x-plug: forwarded a message without a head");
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->forward(c, 0, nullptr, c->api->take_buffer(c, 1)); }),
            "x-plug: forwarded a message without a head");
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->emit_control(c, 11, nullptr, 1); }),
            "x-plug: emitted a control frame without an opcode or without its bytes");
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->emit_control(c, 256 + 11, nullptr, 0); }),
            "x-plug: emitted a control frame without an opcode or without its bytes");
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->emit_control(c, 12, nullptr, 0); }),
            "x-plug: emit_control of opcode 12, which it did not claim");
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->fail(c, 65536 + 1002, "?"); }),
            "x-plug: failed with a code that is none");
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->fail(c, 1006, "?"); }),
            "x-plug: fail with code 1006, which may not be sent");
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->charge(c, INT64_MIN); }),
            "x-plug: gave back more memory than it charged");
}

TEST_F(plugin_stage_test, bodies_that_are_not_its_own_are_1011) {
  const char* said = "x-plug: used a body that it gave away, gave back or never had";
  hawser_head h{};
  h.struct_size = sizeof h;
  h.opcode = HAWSER_BINARY;
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->release_buffer(c, 0); }), said);
  EXPECT_EQ(breach_of([](hawser_context* c) { EXPECT_EQ(c->api->read_buffer(c, 1, nullptr), nullptr); }), said);
  EXPECT_EQ(breach_of([](hawser_context* c) { EXPECT_EQ(c->api->write_buffer(c, ~hawser_buffer{0}), nullptr); }), said);
  EXPECT_EQ(breach_of([](hawser_context* c) {
              const hawser_buffer b = c->api->take_buffer(c, 1);
              c->api->release_buffer(c, b);
              c->api->release_buffer(c, b);
            }),
            said);
  EXPECT_EQ(breach_of([&](hawser_context* c) {
              const hawser_buffer b = c->api->take_buffer(c, 1);
              EXPECT_EQ(c->api->forward(c, HAWSER_OUT, &h, b), 1);
              EXPECT_EQ(c->api->take_buffer(c, 1) == b, false) << "numbers are not used again";
              c->api->cut_buffer(c, b, 0);
            }),
            said);
  hawser_buffer others = 0;
  EXPECT_EQ(breach_of([&](hawser_context* c) { others = c->api->take_buffer(c, 1); }), "nothing");
  const std::unique_ptr<core::pipeline> first = std::move(p);
  EXPECT_EQ(breach_of([&](hawser_context* c) { c->api->share_buffer(c, others); }), said);
}

// 1000 bytes may be charged. What was taken and is still there counts for the next; a single one may be of any size.
TEST_F(plugin_stage_test, who_takes_bodies_for_ever_gets_no_more) {
  const auto taken = [&](std::uint64_t size) {
    std::vector<hawser_buffer> all;
    std::size_t most = 0;
    EXPECT_EQ(breach_of([&](hawser_context* c) {
                while (all.size() < 100000 && (all.empty() || all.back() != 0))
                  all.push_back(c->api->take_buffer(c, size));
                most = pool.used_bytes();
              }),
              "nothing");
    EXPECT_LE(most, 2 * (1000 + size) + 64 * 16);
    return all.size() - 1;
  };
  EXPECT_EQ(taken(1'000'000), 1U);
  EXPECT_EQ(taken(400), 3U);
  EXPECT_LE(taken(0), 1000 / 64 + 1);
}

TEST_F(plugin_stage_test, what_was_given_back_or_forwarded_counts_no_more_and_what_was_copied_does) {
  const hawser_head h{sizeof h, 2, 0, 1, 0, 0, 0, 0};
  EXPECT_EQ(breach_of([&](hawser_context* c) {
              for (int i = 0; i < 50; ++i) {
                const hawser_buffer body = c->api->take_buffer(c, 2000);
                ASSERT_NE(body, 0U);
                if (i % 2 == 0)
                  c->api->release_buffer(c, body);
                else
                  ASSERT_EQ(c->api->forward(c, HAWSER_OUT, &h, body), 1);
              }
              const hawser_buffer body = c->api->take_buffer(c, 600);
              const hawser_buffer again = c->api->share_buffer(c, body);
              const hawser_buffer third = c->api->share_buffer(c, body);
              EXPECT_NE(third, 0U) << "no bytes of its own";
              EXPECT_NE(c->api->write_buffer(c, again), nullptr);
              EXPECT_EQ(c->api->write_buffer(c, third), nullptr) << "1200 bytes of its own are there";
              EXPECT_EQ(c->api->share_buffer(c, body), 0U);
              EXPECT_EQ(c->api->take_buffer(c, 1), 0U);
              c->api->release_buffer(c, again);
              EXPECT_NE(c->api->take_buffer(c, 1), 0U);
              EXPECT_EQ(c->api->charge(c, 900), 1);
              EXPECT_EQ(c->api->take_buffer(c, 1), 0U) << "what is charged counts, too";
              EXPECT_EQ(c->api->charge(c, -900), 1);
            }),
            "nothing");
}

TEST_F(plugin_stage_test, a_timer_without_its_hook_is_1011) {
  tables.stage.hooks &= ~HAWSER_HOOK_TIMER;
  tables.stage.timer = nullptr;
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->disarm(c); }), "nothing");
  EXPECT_EQ(breach_of([](hawser_context* c) { c->api->arm(c, 1); }), "x-plug: armed a timer and has no timer hook");
}

// A context is kept by somebody who should not, and used when no hook runs.
TEST_F(plugin_stage_test, a_context_out_of_its_time_does_nothing) {
  hawser_context* kept = nullptr;
  EXPECT_EQ(breach_of([&](hawser_context* c) { kept = c; }), "nothing");
  const hawser_context_api& api = *kept->api;
  std::uint64_t size = 7;
  hawser_head h{};
  api.fail(kept, 1002, "late");
  api.arm(kept, 1);
  api.disarm(kept);
  api.release_buffer(kept, 1);
  EXPECT_EQ(api.side(kept), HAWSER_CLIENT);
  EXPECT_EQ(api.now(kept), 0);
  EXPECT_EQ(api.limit(kept, 0) + api.room(kept, 9), 0U);
  EXPECT_EQ(api.charge(kept, 1) + api.emit_control(kept, 11, nullptr, 9) + api.forward(kept, 9, &h, 1), 0);
  EXPECT_EQ(api.take_buffer(kept, 1) + api.share_buffer(kept, 1), 0U);
  EXPECT_EQ(api.read_buffer(kept, 1, &size), nullptr);
  EXPECT_EQ(size, 0U);
  EXPECT_EQ(api.write_buffer(kept, 1), nullptr);
  EXPECT_EQ(api.cut_buffer(kept, 1, 0), 0);
  api.note(kept, nullptr, 1);
  EXPECT_EQ(api.connection_id(kept), 0U);
  api.fail(nullptr, 1002, "nobody");
  EXPECT_EQ(api.take_buffer(nullptr, 1), 0U);
  EXPECT_FALSE(p->failed());
  EXPECT_EQ(p->deadline(), no_deadline);
}

TEST_F(plugin_stage_test, a_context_of_an_earlier_hook_does_nothing_and_is_1011) {
  for (int between = 0; between < 6; ++between) {  // So many hooks lie between them.
    hawser_context* kept = nullptr;
    open();
    world.begin = [&](std::uint32_t, hawser_head*, hawser_context* c) {
      kept = c;
      return HAWSER_OBSERVE;
    };
    int hooks = 0;
    world.bytes = [&](const std::uint8_t*, std::uint64_t, hawser_context* c) {
      if (++hooks != between + 1) return;
      ASSERT_NE(c, kept);
      EXPECT_EQ(kept->api->take_buffer(kept, 1), 0U);
      EXPECT_EQ(kept->api->charge(kept, 1), 0);
      kept->api->arm(kept, 1);
      kept->api->fail(kept, 1002, "not now");
    };
    out(std::string(7, 'a'), {.chunk = 1});
    EXPECT_EQ(p->fail_code(), close_code::internal_error);
    EXPECT_EQ(p->last_breach(), "x-plug: used the context of a hook that was over: each hook is given its own");
    EXPECT_EQ(p->charged(), 0U);
    EXPECT_EQ(p->deadline(), no_deadline);
  }
}

// The stage, its connection and its bodies are gone; the plug-in is still there.
TEST_F(plugin_stage_test, a_context_of_a_connection_that_is_gone_does_nothing) {
  std::string why;
  std::optional<result<ext::plugin>> made = ext::plugin::from(&tables.plugin, {}, &why);
  std::vector<hawser_context*> kept;
  const auto connection = [&] {
    std::vector<core::agreed_extension> stages;
    stages.push_back({"x-plug", std::move(*(*made)->accept({{}}, why))});
    p = std::make_unique<core::pipeline>(std::move(stages), role::server, pool, core::pipeline_limits{});
    p->open(at_time(7));
  };
  world.begin = [&](std::uint32_t, hawser_head*, hawser_context* c) {
    kept.push_back(c);
    return HAWSER_BYPASS;
  };
  for (int i = 0; i < 100; ++i) {  // So many that contexts are used again.
    connection();
    out("Hello");
    for (hawser_context* c : kept) {
      EXPECT_EQ(c->api->take_buffer(c, 1), 0U);
      EXPECT_EQ(c->api->charge(c, 1), 0);
      c->api->fail(c, 1002, "late");
    }
    EXPECT_FALSE(p->failed());
    EXPECT_EQ(p->breaches(), 0U);
    p->closed(close_code::normal, at_time(8));
    EXPECT_EQ(p->breaches(), 1U) << "its author hears of it where nobody is hurt";
    EXPECT_EQ(p->last_breach(), "x-plug: used a context when no hook of its stage ran");
  }
  p = nullptr;
  for (hawser_context* c : kept)
    EXPECT_EQ(c->api->charge(c, 1), 0);
}

TEST_F(plugin_stage_test, the_kit_finds_a_context_that_is_kept) {
  hawser_context* kept = nullptr;
  world.begin = [&](std::uint32_t, hawser_head*, hawser_context* c) {
    if (kept != nullptr && kept != c) kept->api->fail(kept, 1007, "kept");
    kept = c;
    return HAWSER_BYPASS;
  };
  std::string why;
  testkit::options how;
  how.rounds = 5;
  how.company.clear();
  const testkit::report r = testkit::run(*ext::plugin::from(&tables.plugin, {}, &why), how);
  EXPECT_FALSE(r.passed());
  ASSERT_NE(r.find("the contract is kept"), nullptr);
  EXPECT_NE(r.find("the contract is kept")->detail.find("used a context when no hook of its stage ran"),
            std::string::npos)
      << r.text();
}

// C knows no exceptions; one out of C++ ends at the boundary, where it can.
TEST_F(plugin_stage_test, an_exception_out_of_a_hook_is_1011) {
  open();
  world.begin = [](std::uint32_t, hawser_head*, hawser_context*) -> std::uint32_t { throw std::string("C++"); };
  EXPECT_TRUE(out("x").failed);
  EXPECT_EQ(p->last_breach(), "x-plug: its begin threw");
  open();
  verdict_is(HAWSER_OBSERVE);
  world.bytes = [](const std::uint8_t*, std::uint64_t, hawser_context*) { throw 1; };
  EXPECT_TRUE(out("x").failed);
  EXPECT_EQ(p->last_breach(), "x-plug: its observe threw");
}

// ---- the kit

TEST_F(plugin_stage_test, a_sound_one_passes_the_kit) {
  world.accept = [](const hawser_params* all, std::uint64_t n, hawser_negotiation*, hawser_claims* uses, void**) {
    uses->flags = HAWSER_CLAIM_IN_NEEDS_RSV;
    for (std::uint64_t i = 0; i < n; ++i)
      if (all[i].count == 0) return 1;
    return 0;
  };
  world.confirm = [](const hawser_params* answer, hawser_negotiation*, hawser_claims* uses) {
    uses->flags = HAWSER_CLAIM_IN_NEEDS_RSV;
    return answer->count == 0 ? 1 : 0;
  };
  world.begin = [](std::uint32_t, hawser_head* h, hawser_context*) {
    h->rsv ^= HAWSER_RSV2;
    return HAWSER_WHOLE;
  };
  world.whole = [](std::uint32_t way, const hawser_head* h, hawser_buffer body, hawser_context* c) {
    std::uint64_t size = 0;
    c->api->read_buffer(c, body, &size);
    std::uint8_t* bytes = c->api->write_buffer(c, body);
    for (std::uint64_t i = 0; i < size; ++i)
      bytes[i] ^= 0xFF;
    if (c->api->forward(c, way, h, body) == 0) c->api->fail(c, HAWSER_POLICY_VIOLATION, "too many wait");
  };
  std::string why;
  const result<ext::plugin> made = ext::plugin::from(&tables.plugin, {}, &why);
  ASSERT_TRUE(made) << why;
  testkit::options how;
  how.rounds = 20;
  how.wire = {{"abc", "\x9E\x9D\x9C", 2}};
  const testkit::report r = testkit::run(*made, how);
  EXPECT_TRUE(r.passed()) << r.text();
}

}  // namespace
}  // namespace hawser
