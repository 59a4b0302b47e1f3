// x-hawser-ack: the kit, the vectors of docs/wire/ack.md, when acknowledgements leave, what is kept and given back, and
// that a lost connection loses and doubles nothing that was acknowledged.
#include "support/pair.h"
#include "support/vectors.h"

#include <gtest/gtest.h>
#include <hawser/ext/ack.h>
#include <hawser/testkit/testkit.h>

#include <chrono>
#include <memory>

namespace hawser {
namespace {

using ext::sent_message;
using test::core_end;
using test::vector_row;
using namespace std::chrono_literals;

TEST(ack_kit_test, it_passes_the_kit) {
  testkit::options how;
  const std::string own = "x-hawser-ack; every=16; within=25";
  how.negotiation = {
      {role::server, own, own, false},
      {role::server, "x-hawser-ack", own, false},
      {role::server, "x-hawser-ack; every=4", "x-hawser-ack; every=4; within=25", false},
      {role::server, "x-hawser-ack; within=1; every=1024", "x-hawser-ack; every=16; within=1", false},
      {role::client, "x-hawser-ack; every=1; within=1", "", false},
      {role::client, "x-hawser-ack; every=17; within=25", "", true},
      {role::client, "x-hawser-ack; every=16; within=26", "", true},
      {role::client, "x-hawser-ack; every=16", "", true},
      {role::client, "x-hawser-ack", "", true},
  };
  for (const char* bad : {"every=0", "every=1025", "every=016", "every", "every=4x", "every=-1", "every=99999999999",
                          "within=0", "within=60001", "within=\"2.5\"", "window=4", "every=4; every=4"}) {
    how.negotiation.push_back({role::server, std::string("x-hawser-ack; ") + bad, "", false});
    how.negotiation.push_back({role::client, std::string("x-hawser-ack; within=1; ") + bad, "", true});
  }
  how.wire = {{"Hello", "Hello", 0, 1}, {"", "", 0, 2}};
  const testkit::report r = testkit::run(ext::ack(), how);
  EXPECT_TRUE(r.passed()) << r.text();
  const testkit::report often = testkit::run(ext::ack().every(1).within(1ms).keep(1000));
  EXPECT_TRUE(often.passed()) << often.text();
}

/// Two cores that acknowledge, and what the client's application hears.
struct acknowledging {
  std::vector<std::uint64_t> heard;
  std::vector<std::string> left;
  std::size_t ended = 0;
  test::core_pair ends;

  explicit acknowledging(ext::ack how = {}, core::settings obey = {}) : ends(obey) {
    const ext::ack telling = how.on_acknowledged([this](std::uint64_t, std::uint64_t n) { heard.push_back(n); })
                                 .on_ended([this](std::uint64_t, const std::vector<sent_message>& messages) {
                                   ++ended;
                                   for (const sent_message& m : messages)
                                     left.push_back(std::string(m.text()) + (m.is_text() ? "" : " binary"));
                                 });
    attach(ends.client, telling);
    attach(ends.server, how);
  }
  static void attach(core_end& end, const ext::ack& how) {
    std::vector<core::agreed_extension> stages;
    stages.push_back({"x-hawser-ack", std::move(*any_factory(how).accept({{}}))});
    std::string why;
    EXPECT_TRUE(core::compose(stages, {}, why)) << why;
    end->attach(std::move(stages), test::clock_start);
  }
  errc send(core_end& from, std::string_view text, opcode op = opcode::text) {
    errc outcome = errc::ok;
    from.turn([&](core::connection& c) { outcome = c.send(op, as_bytes(text)); });
    return outcome;
  }
  core_end& client() { return ends.client; }
  [[nodiscard]] std::size_t charged() { return client()->stages()->charged(); }
};

std::string ack_of(std::uint64_t n) {
  std::string bytes("\x8B\x08", 2);
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes += static_cast<char>(n >> shift & 0xFFU);
  return bytes;
}

// ---- when they leave

TEST(ack_test, many_messages_are_acknowledged_at_once_by_number) {
  test::in_every_pair({}, [](test::core_pair& ends) {
    const ext::ack how = ext::ack().every(4);
    acknowledging::attach(ends.client, how);
    acknowledging::attach(ends.server, how);
    for (int i = 0; i < 9; ++i)
      ends.client.turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("Hello")), errc::ok); });
    ends.run();
    EXPECT_EQ(test::text_of(ends.server_wire), ack_of(4) + ack_of(8));
    EXPECT_EQ(ends.server.events.size(), 9U);
    EXPECT_EQ(ends.client->stages()->charged(), 5U + 64U) << "the ninth is kept";
  });
}

TEST(ack_test, few_messages_are_acknowledged_by_time) {
  acknowledging a(ext::ack().within(40ms));
  a.send(a.client(), "one");
  a.send(a.client(), "two");
  a.ends.advance(39ms);
  EXPECT_TRUE(a.heard.empty());
  a.ends.advance(1ms);
  EXPECT_EQ(a.heard, std::vector<std::uint64_t>{2});
  EXPECT_EQ(a.charged(), 0U);
  const tick before = a.ends.server->deadline();
  a.ends.advance(1s);
  EXPECT_EQ(a.heard.size(), 1U) << "nothing came, nothing is said";
  EXPECT_EQ(a.ends.server->deadline(), before) << "and nobody waits";
}

// Both directions have their own count, and each message in parts counts once, with its last frame.
TEST(ack_test, both_ends_and_messages_in_parts) {
  acknowledging a(ext::ack().every(2));
  a.client().turn([](core::connection& c) {
    EXPECT_EQ(c.begin_message(opcode::text), errc::ok);
    for (int i = 0; i < 5; ++i)
      EXPECT_EQ(c.send_part(as_bytes("part"), i == 4), errc::ok);
  });
  a.ends.run();
  EXPECT_TRUE(a.heard.empty());
  a.send(a.ends.server, "down");
  a.send(a.client(), "whole");
  a.ends.run();
  EXPECT_EQ(a.heard, std::vector<std::uint64_t>{2});
  a.send(a.ends.server, "down");
  a.ends.run();
  EXPECT_EQ(a.ends.server->stages()->charged(), 0U);
}

// The handler has had the message before its acknowledgement leaves.
TEST(ack_test, what_the_handler_refused_is_not_acknowledged) {
  acknowledging a(ext::ack().every(1));
  a.ends.server.on_event = [](core_end& end, core::event& e) {
    if (as_text(e.payload) != "bad") return;
    end->fail(close_code::internal_error, errc::handler_threw, {}, end.now);
  };
  a.send(a.client(), "good");
  a.send(a.client(), "bad");
  a.ends.run();
  EXPECT_EQ(a.heard, std::vector<std::uint64_t>{1});
  EXPECT_EQ(a.left, std::vector<std::string>{"bad"});
}

TEST(ack_test, a_clean_close_leaves_nothing_open) {
  for (const bool client_closes : {true, false}) {
    acknowledging a;
    a.send(a.client(), "one");
    core_end& closing = client_closes ? a.client() : a.ends.server;
    if (!client_closes) a.ends.run();
    closing.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, {}, closing.now), errc::ok); });
    a.ends.run();
    a.client().turn([&](core::connection& c) { c.end_of_input(a.client().now); });
    EXPECT_EQ(a.heard, std::vector<std::uint64_t>{1}) << client_closes;
    EXPECT_EQ(a.ended, 1U);
    EXPECT_TRUE(a.left.empty());
    EXPECT_EQ(a.ends.client.events.back().code, close_code::normal);
  }
}

// ---- what a peer may say

TEST(ack_test, the_vectors_F_03) {
  for (const vector_row& row : test::vectors_of("ack")) {
    SCOPED_TRACE(row.text("name"));
    acknowledging a(ext::ack().keep(1 << 20));
    for (unsigned long i = 0; i < row.number("sent"); ++i)
      a.send(a.client(), "m");
    test::frame_writer peer(role::server);
    if (row.number("acknowledged") != 0) peer.frame(0x8B, ack_of(row.number("acknowledged")).substr(2));
    a.client().receive(peer.take());
    a.heard.clear();
    a.client().receive(peer.frame(0x8B, row.bytes("payload")).take());
    if (row.has("fails")) {
      ASSERT_FALSE(a.client().events.empty());
      EXPECT_EQ(static_cast<unsigned>(a.client().events.back().code), row.number("fails"));
      EXPECT_TRUE(a.heard.empty());
      EXPECT_EQ(a.left.size(), row.number("sent") - row.number("acknowledged"));
    } else {
      EXPECT_TRUE(a.client()->is_open());
      ASSERT_EQ(a.heard.size(), 1U);
      EXPECT_EQ(a.charged(), (row.number("sent") - a.heard[0]) * 65);
    }
  }
}

TEST(ack_test, what_is_no_acknowledgement_is_said) {
  const std::vector<std::pair<std::string, std::string>> bad{
      {"\1", "an acknowledgement is of 8 bytes"},
      {ack_of(2).substr(2), "acknowledgement of what was not sent or is acknowledged already"}};
  for (const auto& [payload, why] : bad) {
    acknowledging a;
    a.send(a.client(), "m");
    a.client().receive(test::frame_writer(role::server).frame(0x8B, payload).take());
    ASSERT_FALSE(a.client().events.empty()) << why;
    EXPECT_EQ(a.client().events.back().payload, "the peer broke the rules of the extension x-hawser-ack: " + why);
  }
}

// Fragments, bits and other opcodes are not acknowledgements: the core's rules hold for this frame too.
TEST(ack_test, an_acknowledgement_is_a_control_frame_F_01_F_03) {
  for (const unsigned first : {0x0BU, 0x9BU, 0xABU, 0xCBU, 0x8CU}) {
    acknowledging a;
    a.send(a.client(), "m");
    a.client().receive(test::frame_writer(role::server).frame(first, ack_of(1).substr(2)).take());
    ASSERT_FALSE(a.client().events.empty()) << first;
    EXPECT_EQ(a.client().events.back().code, close_code::protocol_error) << first;
  }
}

// An acknowledgement for each message, as often as a peer may, between the fragments of its own message.
TEST(ack_test, a_storm_of_acknowledgements_is_no_more_than_the_messages) {
  acknowledging a;
  for (int i = 0; i < 1000; ++i)
    a.send(a.client(), std::to_string(i));
  test::frame_writer peer(role::server);
  peer.frame(0x01, "be");
  for (std::uint64_t i = 1; i <= 1000; ++i)
    peer.frame(0x8B, ack_of(i).substr(2));
  peer.frame(0x80, "gun");
  a.client().receive(peer.take());
  EXPECT_EQ(a.heard.size(), 1000U);
  EXPECT_EQ(a.charged(), 0U);
  EXPECT_EQ(a.client().events, std::vector<test::seen_event>{test::seen_message("begun")});
  a.client().receive(peer.frame(0x8B, ack_of(1001).substr(2)).take());
  EXPECT_EQ(a.client().events.back().code, close_code::protocol_error);
}

// ---- what is kept

// A peer that never acknowledges is sent no more, and costs no more than was said.
TEST(ack_test, a_peer_that_never_acknowledges_is_bounded) {
  acknowledging a(ext::ack().keep(10'000));
  test::frame_writer peer(role::server);
  const std::string text(936, 'k');  // 1,000 with what keeping it costs.
  int taken = 0;
  while (a.send(a.client(), text) == errc::ok)
    ASSERT_LT(++taken, 100);
  EXPECT_EQ(taken, 10);
  EXPECT_EQ(a.send(a.client(), "short"), errc::would_block);
  EXPECT_TRUE(a.client()->sending_held());
  EXPECT_EQ(a.charged(), 10'000U);
  a.client().turn([](core::connection& c) { EXPECT_EQ(c.ping({}), errc::ok); });
  a.client().receive(peer.frame(0x8B, ack_of(4).substr(2)).take());
  EXPECT_EQ(a.send(a.client(), text), errc::would_block) << "not before half is free";
  a.client().receive(peer.frame(0x8B, ack_of(5).substr(2)).take());
  EXPECT_TRUE(a.client()->take_released());
  EXPECT_FALSE(a.client()->take_released());
  EXPECT_EQ(a.send(a.client(), text), errc::ok);
}

TEST(ack_test, more_than_the_memory_of_extensions_is_1008) {
  core::settings obey;
  obey.bounds.extension_memory = 5000;
  acknowledging a(ext::ack().keep(4000), obey);
  EXPECT_EQ(a.send(a.client(), std::string(3900, 'x')), errc::ok);
  a.send(a.client(), std::string(3900, 'y'));
  a.ends.run();
  EXPECT_EQ(a.client().events.back().code, close_code::policy_violation);
  EXPECT_EQ(a.client().events.back().payload,
            "the extension x-hawser-ack gave the connection up: more is not acknowledged than may be kept");
  EXPECT_EQ(a.left, std::vector<std::string>{std::string(3900, 'x')}) << "what could be kept is given back";
}

// A large message that owns its bytes is kept by reference.
TEST(ack_test, what_owns_its_bytes_is_not_copied) {
  core_end end(role::server);
  std::vector<sent_message> left;
  acknowledging::attach(end,
                        ext::ack().on_ended([&](std::uint64_t, std::vector<sent_message> m) { left = std::move(m); }));
  buffer large = end.parts().pool.take(100'000);
  std::fill_n(large.data(), large.size(), std::byte{'L'});
  const std::byte* where = large.data();
  end.turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::binary, std::move(large)), errc::ok); });
  end.turn([&](core::connection& c) { c.end_of_input(end.now); });
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].bytes().data(), where);
  EXPECT_FALSE(left[0].is_text());
}

// ---- a lost connection

// The line is cut at any byte. What was acknowledged was delivered; what was not is given back, in order: together they
// are what was sent, and none is in both.
TEST(ack_test, a_lost_connection_loses_and_doubles_nothing_that_was_acknowledged) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    test::seeded_random random(seed);
    SCOPED_TRACE("seed " + std::to_string(seed));
    acknowledging a(ext::ack().every(static_cast<std::uint32_t>(random.between(1, 8))).within(5ms));
    std::vector<std::string> all;
    const std::size_t messages = random.between(1, 60);
    for (std::size_t i = 0; i < messages; ++i) {
      all.push_back(std::to_string(i) + std::string(random.below(300), 'x'));
      a.send(a.client(), all.back());
      // What goes each way now: everything, a part of it, or nothing until later.
      if (random.one_in(3)) continue;
      if (random.one_in(4)) a.ends.advance(std::chrono::milliseconds(random.below(8)));
      a.ends.run();
    }
    byte_span rest(a.client().out);
    a.ends.server.receive(rest.first(random.below(rest.size() + 1)));
    const test::byte_string acks = std::exchange(a.ends.server.out, {});
    a.client().receive(byte_view(acks).first(random.below(acks.size() + 1)));
    a.client().turn([&](core::connection& c) { c.transport_failed(errc::connection_lost, a.client().now); });

    const std::size_t known = a.heard.empty() ? 0 : static_cast<std::size_t>(a.heard.back());
    ASSERT_EQ(a.ended, 1U);
    ASSERT_GE(a.ends.server.events.size(), known);
    for (std::size_t i = 0; i < known; ++i)
      ASSERT_EQ(a.ends.server.events[i].payload, all[i]);
    ASSERT_EQ(a.left, std::vector<std::string>(all.begin() + static_cast<std::ptrdiff_t>(known), all.end()));
    ASSERT_EQ(a.charged(), 0U);
  }
}

struct marker {
  static constexpr unsigned hooks = hook::none;
  verdict begin(direction, head&, context&) { return verdict::bypass; }
};

// It keeps what the application sent: nothing that marks messages may stand nearer to the application.
TEST(ack_test, it_stands_nearest_to_the_application) {
  for (const bool first : {true, false}) {
    core::agreed_extension other{"x-mark", {}};
    other.terms.uses.rsv = 1;
    other.terms.work = core::any_stage::of(marker{});
    std::vector<core::agreed_extension> stages;
    stages.push_back({"x-hawser-ack", std::move(*any_factory(ext::ack()).accept({{}}))});
    stages.insert(first ? stages.end() : stages.begin(), std::move(other));
    std::string why;
    EXPECT_EQ(core::compose(stages, {}, why), first);
    EXPECT_EQ(why.empty(), first);
  }
}

}  // namespace
}  // namespace hawser
