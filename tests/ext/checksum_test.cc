// x-hawser-checksum: the kit, the vectors of docs/wire/checksum.md, and what damage does.
#include "core/pipeline_kit.h"
#include "support/pair.h"
#include "support/vectors.h"

#include <gtest/gtest.h>
#include <hawser/core/crc32c.h>
#include <hawser/ext/checksum.h>
#include <hawser/testkit/testkit.h>

namespace hawser {
namespace {

using test::head_of;
using test::passed;
using test::vector_row;

constexpr std::uint8_t mark = 1;  // RSV3

std::vector<core::agreed_extension> alone() {
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-hawser-checksum", std::move(*any_factory(ext::checksum()).confirm({}))});
  return stages;
}

struct checksum_test : ::testing::Test {
  buffer_pool pool;
  std::unique_ptr<core::pipeline> p;
  checksum_test() { make(); }
  void make() {
    p = std::make_unique<core::pipeline>(alone(), role::server, pool, core::pipeline_limits{});
    p->open(test::at_time(0));
  }
  passed in(const std::string& wire, const test::cuts& how = {}, bool sized = true) {
    make();
    return test::send(*p, direction::in, wire, how, head_of(wire, 2, mark, sized));
  }
};

TEST(checksum_kit_test, it_passes_the_kit) {
  testkit::options how;
  how.negotiation = {
      {role::server, "x-hawser-checksum", "x-hawser-checksum", false},
      {role::server, "x-hawser-checksum; x=1, x-hawser-checksum", "x-hawser-checksum", false},
      {role::server, "x-hawser-checksum; bits=32", "", false},
      {role::server, "X-Hawser-Checksum", "", false},  // N-15
      {role::client, "x-hawser-checksum; x", "", true},
  };
  for (const vector_row& row : test::vectors_of("checksum"))
    if (!row.has("fails")) how.wire.push_back({row.bytes("message"), row.bytes("wire"), mark, 2});
  ASSERT_GE(how.wire.size(), 7U);
  const testkit::report r = testkit::run(ext::checksum(), how);
  EXPECT_TRUE(r.passed()) << r.text();
}

TEST_F(checksum_test, the_vectors_in_every_cut) {
  for (const vector_row& row : test::vectors_of("checksum")) {
    for (const std::size_t chunk : {0U, 1U, 2U, 3U, 5U}) {
      for (const bool sized : {true, false}) {
        SCOPED_TRACE(row.text("name") + " in pieces of " + std::to_string(chunk));
        const passed got = in(row.bytes("wire"), {.chunk = chunk, .stash = true}, sized);
        EXPECT_EQ(got.failed, row.has("fails"));
        if (row.has("fails")) {
          EXPECT_EQ(static_cast<unsigned>(p->fail_code()), row.number("fails"));
          continue;
        }
        EXPECT_EQ(got.bytes, row.bytes("message"));
        EXPECT_TRUE(got.fin);
        EXPECT_EQ(got.h.rsv, 0);
      }
    }
  }
}

TEST_F(checksum_test, every_flipped_bit_is_found) {
  const std::string wire = test::vectors_of("checksum").at(1).bytes("wire");
  for (std::size_t bit = 0; bit < 8 * wire.size(); ++bit) {
    std::string bad = wire;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_TRUE(in(bad, {.chunk = 3}).failed) << bit;
    EXPECT_EQ(p->fail_code(), close_code::invalid_payload);
    EXPECT_EQ(p->fail_reason(), "checksum mismatch");
    EXPECT_EQ(p->fail_extension(), "x-hawser-checksum");
  }
}

// What is not marked is not looked at.
TEST_F(checksum_test, a_message_without_the_bit_passes_as_it_is_P_03) {
  head h = head_of("Hello", 1, 0);
  ASSERT_TRUE(p->begin(direction::in, h, test::at_time(0)));
  EXPECT_TRUE(p->bypassed(direction::in));
  EXPECT_EQ(p->wants().in_opcodes, 0);
  EXPECT_EQ(p->wants().rsv, mark);
}

// The bytes of a message are passed on where they lie.
TEST_F(checksum_test, it_copies_nothing) {
  const std::string text(5000, 'x');
  for (const direction way : {direction::out, direction::in}) {
    std::string wire = text;
    const std::uint32_t sum = core::crc32c(as_bytes(text));
    for (int shift = 24; way == direction::in && shift >= 0; shift -= 8)
      wire += static_cast<char>(sum >> shift & 0xFFU);
    head h = head_of(wire, 2, way == direction::in ? mark : 0);
    ASSERT_TRUE(p->begin(way, h, test::at_time(0)));
    EXPECT_FALSE(p->writes(way));
    byte_span chunk{reinterpret_cast<std::byte*>(wire.data()), wire.size()};
    p->push(way, chunk, true, test::at_time(0));
    byte_span piece;
    bool fin = false;
    ASSERT_EQ(p->pull(way, piece, fin), core::pipeline::pulled::piece);
    EXPECT_EQ(piece.data(), chunk.data());
    EXPECT_EQ(piece.size(), text.size());
    while (p->pull(way, piece, fin) == core::pipeline::pulled::piece) {
    }
    EXPECT_FALSE(p->failed());
  }
  EXPECT_EQ(p->charged(), 0U);
}

// Both directions have a sum of their own, also when messages in parts are under way in both at once.
TEST(checksum_connection_test, two_cores_in_every_cut_and_in_parts) {
  test::in_every_pair({}, [](test::core_pair& ends) {
    ends.client->attach(alone(), test::clock_start);
    ends.server->attach(alone(), test::clock_start);
    const std::string text(3000, 'p');
    const auto part = [&](test::core_end& end, std::size_t from, std::size_t n, bool last) {
      end.turn([&](core::connection& c) { EXPECT_EQ(c.send_part(as_bytes(text).subspan(from, n), last), errc::ok); });
    };
    for (test::core_end* end : {&ends.client, &ends.server})
      end->turn([](core::connection& c) { EXPECT_EQ(c.begin_message(opcode::text), errc::ok); });
    for (std::size_t at = 0; at < text.size(); at += 1000) {
      part(ends.client, at, 1000, at == 2000);
      part(ends.server, at, 1000, at == 2000);
      ends.run();
    }
    ends.client.turn([](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("short")), errc::ok); });
    ends.run();
    const std::vector<test::seen_event> both{test::seen_message(text), test::seen_message("short")};
    EXPECT_EQ(ends.server.events, both);
    EXPECT_EQ(ends.client.events, std::vector<test::seen_event>{test::seen_message(text)});
    EXPECT_EQ(std::to_integer<unsigned>(ends.client_wire.at(0)) & 0x70U, 0x10U);
  });
}

// Damage on the way ends the connection with 1007 at both ends, and nothing of the message is taken for good.
TEST(checksum_connection_test, damage_on_the_wire_is_1007) {
  test::core_pair ends;
  ends.client->attach(alone(), test::clock_start);
  ends.server->attach(alone(), test::clock_start);
  ends.client.turn([](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("Hello")), errc::ok); });
  ends.client.out.back() ^= std::byte{4};
  ends.run();
  ASSERT_FALSE(ends.server.events.empty());
  EXPECT_EQ(ends.server.events.back().code, close_code::invalid_payload);
  EXPECT_EQ(ends.server.events.back().error, errc::corrupt_data);
  EXPECT_EQ(ends.client.events.back().code, close_code::invalid_payload);
}

}  // namespace
}  // namespace hawser
