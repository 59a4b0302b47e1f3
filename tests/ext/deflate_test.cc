// permessage-deflate at work: the kit on every preset, limits, memory, and what the wire may bring. RFC 7692, 6
// and 7.2.
#include "core/connection_kit.h"
#include "core/pipeline_kit.h"
#include "ext/deflate_kit.h"
#include "support/pair.h"

#include <gtest/gtest.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/deflate.h>
#include <hawser/testkit/testkit.h>

#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using ext::deflate;
using ext::deflate_engine;
using ext::deflate_options;
using ext::deflate_preset;
using test::core_end;
using test::core_pair;
using test::from_hex;
using test::head_of;
using test::passed;

constexpr std::uint8_t mark = 4;  // RSV1

constexpr deflate_preset all_presets[] = {deflate_preset::fast, deflate_preset::balanced, deflate_preset::small,
                                          deflate_preset::low_memory};

deflate_options every_message(deflate_engine e, bool takeover) {
  deflate_options o(deflate_preset::small);
  o.engine = e;
  o.level = 1;
  o.threshold = 0;
  o.server_no_context_takeover = o.client_no_context_takeover = !takeover;
  return o;
}

/// Both ends' stages, agreed as two peers would.
struct both_ends {
  std::vector<core::agreed_extension> client;
  std::vector<core::agreed_extension> server;

  explicit both_ends(const extension_list& list) {
    std::string why;
    auto answer =
        core::answer_extensions(core::offer_extensions(list, {role::client, false}), list, {role::server, false}, why);
    EXPECT_TRUE(answer) << why;
    auto confirmed = core::confirm_extensions(answer->header, list, {role::client, false}, why);
    EXPECT_TRUE(confirmed) << why;
    client = std::move(confirmed->agreed);
    server = std::move(answer->agreed);
  }
};

both_ends agreed_on(const deflate& d) {
  extension_list list;
  list.add(d);
  return both_ends(list);
}

/// Two pipelines that face each other, on one loop.
struct two_pipelines {
  buffer_pool pool;
  core::shelf lent;
  std::unique_ptr<core::pipeline> client;
  std::unique_ptr<core::pipeline> server;

  explicit two_pipelines(const deflate& d, const core::pipeline_limits& limits = {}) {
    both_ends ends = agreed_on(d);
    client = std::make_unique<core::pipeline>(std::move(ends.client), role::client, pool, limits, 0, &lent);
    server = std::make_unique<core::pipeline>(std::move(ends.server), role::server, pool, limits, 0, &lent);
    client->open(test::at_time(0));
    server->open(test::at_time(0));
  }
  std::string over(std::string_view text, const test::cuts& how = {}) {
    const passed out = test::send(*client, direction::out, text, how);
    const passed in = test::send(*server, direction::in, out.bytes, how, head_of(out.bytes, 2, out.h.rsv));
    EXPECT_FALSE(out.failed || in.failed) << client->fail_reason() << server->fail_reason();
    return in.bytes;
  }
};

passed receive(core::pipeline& p, std::string_view wire, const test::cuts& how = {}) {
  return test::send(p, direction::in, wire, how, head_of(wire, 2, mark));
}

void run_kit(const deflate_options& o, std::size_t rounds) {
  testkit::options how;
  how.rounds = rounds;
  how.negotiation = {
      {role::server, "permessage-deflate; y=2", "", false},
      {role::client, "permessage-deflate; y=2", "", true},
  };
  how.free_values = {"client_max_window_bits", "server_max_window_bits"};
  const testkit::report r = testkit::run(deflate(o), how);
  EXPECT_TRUE(r.passed()) << r.text();
}

TEST(deflate_kit_test, every_preset_passes_the_kit) {
  for (const deflate_preset p : all_presets) {
    SCOPED_TRACE(static_cast<int>(p));
    run_kit(deflate_options(p), 20);
  }
}

TEST(deflate_kit_test, combinations_pass_the_kit) {
  for (const deflate_engine e : test::engines_here())
    for (const bool takeover : {true, false})
      for (const int bits : {8, 9, 15}) {
        SCOPED_TRACE(std::to_string(bits) + (takeover ? " takeover" : "") + (e == deflate_engine::zlib ? " zlib" : ""));
        deflate_options o = every_message(e, takeover);
        o.server_max_window_bits = o.client_max_window_bits = bits;
        o.memory_level = 1 + bits / 2;
        run_kit(o, 6);
      }
}

// P-01, P-03, P-18: short messages, empty ones and those whose sender says so go as they are, and touch no window.
TEST(deflate, what_is_compressed_and_what_is_not) {
  deflate_options o = every_message(deflate_engine::zlib, true);
  o.threshold = 10;
  two_pipelines p{deflate(o)};
  const auto rsv_of = [&](const std::string& text, std::uint32_t flags, bool sized) {
    head h = head_of(text, 1, 0, sized);
    h.flags = flags;
    const passed out = test::send(*p.client, direction::out, text, {}, h);
    const passed in = test::send(*p.server, direction::in, out.bytes, {}, head_of(out.bytes, 1, out.h.rsv));
    EXPECT_EQ(in.bytes, text);
    EXPECT_EQ(in.h.rsv, 0);
    return out.h.rsv;
  };
  EXPECT_EQ(rsv_of("ten bytes.", 0, true), mark);
  EXPECT_EQ(rsv_of("nine byte", 0, true), 0);
  EXPECT_EQ(rsv_of("", 0, true), 0);
  EXPECT_EQ(rsv_of("a secret of some length", head_flag::no_compression, true), 0);
  EXPECT_EQ(rsv_of("ten bytes.", 0, true), mark);
  EXPECT_EQ(rsv_of("?", 0, false), mark) << "nobody knows how long it will be";
  EXPECT_EQ(rsv_of("", 0, false), mark) << "RFC 7692, 7.2.3.6";
}

TEST(deflate, the_next_message_refers_to_the_one_before_only_with_takeover) {
  for (const deflate_engine e : test::engines_here()) {
    for (const bool takeover : {true, false}) {
      two_pipelines p{deflate(every_message(e, takeover))};
      test::seeded_random random(5);
      const std::string noise = test::some_noise(random, 500);
      const passed first = test::send(*p.client, direction::out, noise);
      const passed second = test::send(*p.client, direction::out, noise);
      EXPECT_GT(first.bytes.size(), 500U);
      EXPECT_EQ(second.bytes.size() < 100, takeover) << second.bytes.size();
      EXPECT_EQ(receive(*p.server, first.bytes).bytes, noise);
      EXPECT_EQ(receive(*p.server, second.bytes).bytes, noise);
    }
  }
}

// A client that asked for a window of 9 bits and was answered by a server that has but one reads that one.
TEST(deflate, the_second_offer_is_read_in_the_whole_window_P_17) {
  for (const deflate_engine e : test::engines_here()) {
    deflate_options o = every_message(e, true);
    o.server_max_window_bits = 9;
    auto agreed = any_factory(deflate(o)).confirm({});
    ASSERT_TRUE(agreed);
    std::vector<core::agreed_extension> one;
    one.push_back({"permessage-deflate", std::move(*agreed)});
    buffer_pool pool;
    core::shelf lent;
    core::pipeline client(std::move(one), role::client, pool, {}, 0, &lent);
    client.open(test::at_time(0));
    test::seeded_random random(9);
    const std::string noise = test::some_noise(random, 32768);
    EXPECT_EQ(receive(client, test::stored_blocks(noise, false)).bytes, noise);
    const passed copied = receive(client, test::copy_of_three(32768));
    EXPECT_FALSE(copied.failed) << client.fail_reason();
    EXPECT_EQ(copied.bytes, noise.substr(0, 3));
  }
}

// RFC 1951, 3.2.3: the type of the first block. Short messages that stand alone do without a code of their own.
TEST(deflate, fast_uses_the_fixed_code_for_short_messages_that_stand_alone) {
  if (!ext::detail::has_engine(deflate_engine::isal)) GTEST_SKIP() << "built without ISA-L";
  constexpr unsigned fixed = 1;
  constexpr unsigned own = 2;
  std::string text;
  for (int i = 0; text.size() < 2049; ++i)
    text += R"({"order":)" + std::to_string(i * 7919) + R"(,"state":"filled"},)";
  text.resize(2049);
  const auto type_of = [&text](bool takeover, std::size_t size, bool sized) {
    two_pipelines p{deflate([takeover] {
      deflate_options o(deflate_preset::fast);
      o.server_no_context_takeover = o.client_no_context_takeover = !takeover;
      return o;
    }())};
    const std::string said = text.substr(0, size);
    const passed out = test::send(*p.client, direction::out, said, {}, head_of(said, 1, 0, sized));
    EXPECT_EQ(receive(*p.server, out.bytes).bytes, said);
    EXPECT_EQ(p.client->charged() == 0, !takeover) << "what was charged goes back whichever it was";
    return static_cast<unsigned>(out.bytes[0]) >> 1 & 3U;
  };
  EXPECT_EQ(type_of(false, 2048, true), fixed);
  EXPECT_EQ(type_of(false, 2049, true), own);
  EXPECT_EQ(type_of(false, 2048, false), own) << "nobody knows how long it will be";
  EXPECT_EQ(type_of(true, 2048, true), own);
}

// P-21, RFC 7692, 7.2.2.
TEST(deflate, damage_fails_with_its_code_P_21) {
  for (const deflate_engine e : test::engines_here()) {
    for (const bool takeover : {true, false}) {
      for (const std::size_t chunk : {0U, 1U}) {
        const auto expect = [&](std::string_view hex, close_code code, errc error) {
          two_pipelines p{deflate(every_message(e, takeover))};
          EXPECT_TRUE(receive(*p.server, from_hex(hex), {.chunk = chunk}).failed) << hex;
          EXPECT_EQ(p.server->fail_code(), code) << hex;
          EXPECT_EQ(p.server->fail_error(), error) << hex;
          p.server->closed(code, test::at_time(1));
          EXPECT_EQ(p.server->charged(), 0U);
        };
        expect("06", close_code::invalid_payload, errc::corrupt_data);
        expect("f200110000", close_code::invalid_payload, errc::corrupt_data);
        expect("f248cdc9c9", close_code::protocol_error, errc::extension_failed);
        expect("", close_code::protocol_error, errc::extension_failed);
      }
    }
  }
}

// C4, C1, P-22: the limit is on what comes out, to the byte, before a byte too many is handed on.
TEST(deflate, bombs_stop_at_the_limit_P_22) {
  for (const deflate_engine e : test::engines_here()) {
    for (const std::uint64_t limit : {0U, 1U, 100U, 16'383U, 16'384U, 16'385U, 1'000'000U}) {
      for (const std::uint64_t over : {0U, 1U, 5'000'000U}) {
        SCOPED_TRACE(std::to_string(limit) + " and " + std::to_string(over));
        two_pipelines p{deflate(every_message(e, false)), {.max_message_in = limit}};
        const std::string bomb(limit + over, 'b');
        head unsized = head_of(bomb, 2, 0, false);
        const passed wire = test::send(*p.client, direction::out, bomb, {}, unsized);
        for (const std::size_t chunk : {0U, 7U}) {
          const passed got = receive(*p.server, wire.bytes, {.chunk = chunk});
          EXPECT_EQ(got.failed, over != 0);
          EXPECT_LE(got.bytes.size(), limit);
          EXPECT_TRUE(over != 0 || got.bytes == bomb);
        }
        EXPECT_EQ(p.server->fail_code(), over != 0 ? close_code::message_too_big : close_code::normal);
      }
    }
  }
}

/// The same work under another name and bit, to stand beside it.
struct second_deflate {
  deflate inner;
  [[nodiscard]] static std::string_view name() { return "x-second"; }
  [[nodiscard]] std::vector<params> offers() const { return inner.offers(); }
  struct stage : ext::detail::deflate_stage {
    explicit stage(ext::detail::deflate_stage&& s) : deflate_stage(std::move(s)) {}
    verdict begin(direction way, head& h, context& c) {
      head mine = h;
      mine.rsv = static_cast<std::uint8_t>((h.rsv & 2U) != 0 ? mark : 0);
      const verdict v = deflate_stage::begin(way, mine, c);
      h.rsv = static_cast<std::uint8_t>((h.rsv & 5U) | ((mine.rsv & mark) != 0 ? 2U : 0U));
      return v;
    }
  };
  static std::optional<accepted<stage>> moved(std::optional<accepted<ext::detail::deflate_stage>> a) {
    if (!a) return std::nullopt;
    a->uses.rsv = 2;
    return accepted<stage>{std::move(a->response), a->uses, stage(std::move(a->work))};
  }
  [[nodiscard]] std::optional<accepted<stage>> accept(const std::vector<params>& p) const {
    std::string why;
    return moved(inner.accept(p, why));
  }
  [[nodiscard]] std::optional<accepted<stage>> confirm(const params& p) const {
    std::string why;
    return moved(inner.confirm(p, why));
  }
};

TEST(deflate, a_bomb_within_a_bomb) {
  extension_list list;
  const deflate one(every_message(deflate_engine::zlib, false));
  list.add(one).add(second_deflate{one});
  constexpr std::uint64_t limit = 50'000;
  for (const std::uint64_t size : {limit, limit + 1, 100 * limit}) {
    both_ends ends(list);
    buffer_pool pool;
    core::pipeline client(std::move(ends.client), role::client, pool, {});
    core::pipeline server(std::move(ends.server), role::server, pool, {.max_message_in = limit});
    client.open(test::at_time(0));
    server.open(test::at_time(0));
    const std::string text(size, 'n');
    const passed wire = test::send(client, direction::out, text);
    ASSERT_EQ(wire.h.rsv, 6);
    EXPECT_LT(wire.bytes.size(), 1000U);
    const passed got = test::send(server, direction::in, wire.bytes, {}, head_of(wire.bytes, 2, 6));
    EXPECT_EQ(got.failed, size > limit);
    EXPECT_LE(got.bytes.size(), limit);
    EXPECT_EQ(server.fail_code(), size > limit ? close_code::message_too_big : close_code::normal);
  }
}

// A message of exactly the limit that does not compress still passes a stage between this one and the network.
TEST(deflate, noise_of_exactly_the_limit_beside_a_checksum) {
  for (const deflate_engine e : test::engines_here()) {
    extension_list list;
    list.add(deflate(every_message(e, false))).add(ext::checksum());
    both_ends ends(list);
    constexpr std::uint64_t limit = 1 << 20;
    buffer_pool pool;
    core::pipeline client(std::move(ends.client), role::client, pool, {});
    core::pipeline server(std::move(ends.server), role::server, pool, {.max_message_in = limit});
    client.open(test::at_time(0));
    server.open(test::at_time(0));
    test::seeded_random random(3);
    const std::string noise = test::some_noise(random, limit);
    const passed wire = test::send(client, direction::out, noise);
    EXPECT_GT(wire.bytes.size(), limit);
    const passed got = test::send(server, direction::in, wire.bytes, {}, head_of(wire.bytes, 2, wire.h.rsv));
    EXPECT_FALSE(got.failed) << server.fail_reason();
    EXPECT_TRUE(got.bytes == noise);
  }
}

// C9, D11: what waits keeps nothing without takeover; with it, what the account says, until the end.
TEST(deflate, memory_is_accounted_for_and_goes_back) {
  for (const deflate_preset preset : all_presets) {
    const deflate d(preset);
    two_pipelines p(d);
    EXPECT_EQ(p.client->charged() + p.server->charged(), 0U) << "nothing before the first message";
    EXPECT_EQ(p.lent.size(), 0U);
    const std::string text(3000, 'm');
    EXPECT_EQ(p.over(text), text);
    EXPECT_EQ(p.client->charged(), d.memory(role::client).compressing);
    EXPECT_EQ(p.server->charged(), d.memory(role::server).decompressing);
    EXPECT_EQ(p.lent.size(), preset == deflate_preset::low_memory ? 2U : 0U);
    const bool keeps = preset != deflate_preset::low_memory;
    EXPECT_EQ(p.client->charged() != 0, keeps);
    EXPECT_EQ(p.server->charged() != 0, keeps);
    for (core::pipeline* one : {p.client.get(), p.server.get()}) {
      one->closed(close_code::normal, test::at_time(1));
      EXPECT_EQ(one->charged(), 0U);
      EXPECT_EQ(one->breaches(), 0U) << one->last_breach();
    }
  }
}

TEST(deflate, connections_of_a_loop_share_what_they_need_one_at_a_time) {
  buffer_pool pool;
  core::shelf lent;
  std::vector<std::unique_ptr<core::pipeline>> ends;
  const deflate d(every_message(deflate_engine::zlib, false));
  for (int i = 0; i < 20; ++i) {
    ends.push_back(
        std::make_unique<core::pipeline>(agreed_on(d).server, role::server, pool, core::pipeline_limits{}, 0, &lent));
    ends.back()->open(test::at_time(0));
  }
  for (int round = 0; round < 3; ++round)
    for (const auto& end : ends) {
      EXPECT_EQ(test::send(*end, direction::out, "Hello").bytes, from_hex("f248cdc9c90700"));
      EXPECT_EQ(receive(*end, from_hex("f248cdc9c90700")).bytes, "Hello");
    }
  EXPECT_EQ(lent.size(), 2U) << "one for each direction";
  // Those that are half-way have their own; each comes back, also when its message is given up.
  for (const auto& end : ends) {
    head h = head_of("", 2, 0, false);
    ASSERT_TRUE(end->begin(direction::out, h, test::at_time(0)));
  }
  EXPECT_EQ(lent.size(), 1U);
  for (const auto& end : ends)
    end->closed(close_code::abnormal, test::at_time(1));
  EXPECT_GT(lent.size(), 10U) << "as many as the shelf holds";
  EXPECT_LE(lent.bytes(), core::shelf::most_bytes);
}

// Without memory for it a message goes out as it is; one that came cannot be read and ends the connection.
TEST(deflate, over_the_budget) {
  two_pipelines p{deflate(every_message(deflate_engine::zlib, true)), {.memory = 50'000}};
  const passed out = test::send(*p.client, direction::out, std::string(500, 'x'));
  EXPECT_EQ(out.h.rsv, 0);
  EXPECT_EQ(out.bytes, std::string(500, 'x'));
  EXPECT_EQ(receive(*p.server, from_hex("f248cdc9c90700")).bytes, "Hello") << "41 KB are there";
  two_pipelines less{deflate(every_message(deflate_engine::zlib, true)), {.memory = 30'000}};
  EXPECT_TRUE(receive(*less.server, from_hex("f248cdc9c90700")).failed);
  EXPECT_EQ(less.server->fail_code(), close_code::policy_violation);
}

// Where what compresses once for many has no room, what compresses for one may have.
TEST(deflate, over_the_budget_of_what_is_shared) {
  const deflate_options o = every_message(deflate_engine::zlib, false);
  const ext::detail::codec_config one{deflate_engine::zlib, 1, static_cast<std::uint8_t>(o.memory_level), 15, false};
  ext::detail::codec_config many = one;
  many.repeats = true;
  const std::string text(500, 'x');
  head h = head_of(text);
  h.flags = head_flag::shared;
  const std::size_t single = ext::detail::compressor_bytes(one);
  const std::size_t repeating = ext::detail::compressor_bytes(many);
  for (const auto& [memory, kept] :
       {std::pair{repeating, repeating}, std::pair{repeating - 1, single}, std::pair{single - 1, std::size_t{0}}}) {
    SCOPED_TRACE(memory);
    core::pipeline_limits limits;
    limits.memory = memory;
    two_pipelines p{deflate(o), limits};
    const passed out = test::send(*p.client, direction::out, text, {}, h);
    EXPECT_EQ(out.h.rsv, kept != 0 ? mark : 0);
    EXPECT_EQ(out.bytes == text, kept == 0);
    EXPECT_EQ(p.lent.bytes(), kept);
    EXPECT_EQ(p.client->charged(), 0U);
  }
}

// ---- on a connection

void attach_both(core_pair& pair, const deflate& d) {
  both_ends ends = agreed_on(d);
  pair.client->attach(std::move(ends.client), pair.client.now);
  pair.server->attach(std::move(ends.server), pair.server.now);
}

TEST(deflate, a_conversation_in_every_cut) {
  for (const deflate_preset preset : all_presets) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(preset)) + " seed " + std::to_string(seed));
      test::seeded_random random(seed);
      core_pair pair;
      attach_both(pair, deflate(preset));
      pair.server.on_event = test::echo;
      pair.next_size = [&] { return random.between(1, std::size_t{1} << random.below(12)); };
      std::vector<test::seen_event> expected;
      for (int i = 0; i < 30; ++i) {
        const std::string text = test::some_text(random, 6000);
        const send_options how{.compress = !random.one_in(4)};
        pair.client.turn(
            [&](core::connection& c) { EXPECT_EQ(c.send(opcode::binary, as_bytes(text), how), errc::ok); });
        expected.push_back(test::seen_message(text, opcode::binary));
        if (random.one_in(2)) pair.run();
      }
      pair.run();
      EXPECT_EQ(pair.client.events, expected);
    }
  }
}

// RFC 7692, 6.1 and 7.2.1: parts of a message share one stream, only the first frame is marked and only the end is
// stripped (P-02, P-18).
TEST(deflate, a_message_in_parts) {
  core_pair pair;
  attach_both(pair, deflate(every_message(deflate_engine::zlib, true)));
  test::seeded_random random(9);
  const std::string noise = test::some_noise(random, 60'000);
  pair.client.turn([&](core::connection& c) {
    ASSERT_EQ(c.begin_message(opcode::binary), errc::ok);
    for (std::size_t at = 0; at < noise.size(); at += 20'000)
      ASSERT_EQ(c.send_part(as_bytes(noise).subspan(at, 20'000), false), errc::ok);
    ASSERT_EQ(c.send_part({}, true), errc::ok);
  });
  pair.run();
  EXPECT_EQ(pair.server.events, std::vector{test::seen_message(noise, opcode::binary)});
  const test::stream_verdict wire = test::read_frames(pair.client_wire, role::client, 0x40);
  EXPECT_EQ(wire.fault, "");
  ASSERT_GT(wire.frames.size(), 1U);
  for (std::size_t i = 0; i < wire.frames.size(); ++i)
    EXPECT_EQ((wire.frames[i].first & 0x70U) != 0, i == 0);
}

// P-02, F-01: the bit where it must not be.
TEST(deflate, the_bit_belongs_to_the_first_frame_of_data_P_02) {
  const auto fails = [](test::frame_writer&& wire) {
    core_end end(role::server);
    end->attach(agreed_on(deflate()).server, end.now);
    end.receive(wire.take());
    test::expect_failed(end, errc::reserved_bits, close_code::protocol_error);
  };
  fails(std::move(test::frame_writer(role::client).frame(0xC9, "ping")));
  fails(std::move(test::frame_writer(role::client).frame(0x41, from_hex("f248")).frame(0xC0, from_hex("cdc9c90700"))));
  fails(std::move(test::frame_writer(role::client).frame(0xA1, "RSV2")));
}

// P-04: text is judged behind the decompressor.
TEST(deflate, text_is_checked_when_it_is_text_again_P_04) {
  for (const bool good : {true, false}) {
    core_end end(role::server);
    end->attach(agreed_on(deflate()).server, end.now);
    const std::string text = good ? "\xC3\xA4" : "\xC3(";
    end.receive(test::frame_writer(role::client).frame(0xC1, test::stored_blocks(text, false)).take());
    if (good)
      EXPECT_EQ(end.events, std::vector{test::seen_message(text)});
    else
      test::expect_failed(end, errc::bad_utf8, close_code::invalid_payload);
  }
}

// C7, C8: compressed and plain messages in one read, none writes into the other.
TEST(deflate, mixed_messages_in_one_read) {
  test::frame_writer wire(role::client);
  std::vector<test::seen_event> expected;
  for (int i = 0; i < 10; ++i) {
    wire.frame(0xC1, from_hex(i == 0 ? "f248cdc9c90700" : "f200110000"));
    wire.text("plain " + std::to_string(i)).ping("p");
    expected.push_back(test::seen_message("Hello"));
    expected.push_back(test::seen_message("plain " + std::to_string(i)));
    expected.push_back(test::seen_control(core::kind::ping, "p"));
  }
  const test::byte_string bytes = wire.take();
  for (const deflate_engine e : test::engines_here())
    test::in_every_cut(
        role::server, bytes, {},
        [&](core_end& end) { end->attach(agreed_on(deflate(every_message(e, true))).server, end.now); },
        [&](core_end& end) { EXPECT_EQ(end.events, expected); });
}

}  // namespace
}  // namespace hawser
