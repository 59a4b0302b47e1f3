// Which frames a connection takes and which it refuses: RFC 6455, 5. The verdicts come from a table of their own.
#include "core/connection_kit.h"

#include <gtest/gtest.h>
#include <hawser/core/frame.h>

#include <initializer_list>

namespace hawser {
namespace {

using namespace test;
using core::kind;
using core::settings;

// ---- C12: every first byte, masked or not, in both roles, alone and inside an unfinished message

struct header_case {
  unsigned rsv = 0;
  unsigned op = 0;
  bool fin = true;
  bool masked = true;
  role side = role::server;
  bool inside = false;  // A message was begun and not finished.
};

std::ostream& operator<<(std::ostream& out, const header_case& c) {
  return out << "rsv " << c.rsv << " opcode " << c.op << (c.fin ? " fin" : "") << (c.masked ? " masked" : "")
             << " at the " << test::name_of(c.side) << (c.inside ? " inside a message" : "");
}

enum class expected { refused, message, unfinished, ping, pong, close };

// RFC 6455, 5.1 (masking), 5.2 (RSV, opcodes), 5.4 (fragments), 5.5 (control frames); no extension is negotiated.
expected oracle(const header_case& c) {
  const bool from_client = c.side == role::server;
  if (c.masked != from_client) return expected::refused;
  if (c.rsv != 0) return expected::refused;
  switch (c.op) {
    case 0:
      if (!c.inside) return expected::refused;
      return c.fin ? expected::message : expected::unfinished;
    case 1:
    case 2:
      if (c.inside) return expected::refused;
      return c.fin ? expected::message : expected::unfinished;
    case 8:
      return c.fin ? expected::close : expected::refused;
    case 9:
      return c.fin ? expected::ping : expected::refused;
    case 10:
      return c.fin ? expected::pong : expected::refused;
    default:
      return expected::refused;
  }
}

test::byte_string wire_of(const header_case& c) {
  frame_writer wire(other(c.side));
  if (c.inside) wire.frame(0x02, "0123456789abcdef");
  wire.masking(c.masked);
  return wire.frame((c.fin ? 0x80U : 0U) | c.rsv << 4 | c.op, "\x0C\x0D").take();
}

void judge(const header_case& c, core_end& end) {
  const expected verdict = oracle(c);
  if (verdict == expected::refused) {
    ASSERT_NE(end.closed(), nullptr);
    expect_failed(end, end.events.back().error, close_code::protocol_error);
    EXPECT_EQ(std::error_code(end.events.back().error), fault::peer_violation);
    EXPECT_EQ(end.events.size(), 1U);
    return;
  }
  if (verdict == expected::unfinished) {
    EXPECT_TRUE(end.events.empty());
    EXPECT_TRUE(end.out.empty());
    EXPECT_TRUE(end->is_open());
    return;
  }
  ASSERT_EQ(end.events.size(), 1U);
  const kind kinds[] = {kind::none, kind::message, kind::none, kind::ping, kind::pong, kind::closed};
  EXPECT_EQ(end.events[0].what, kinds[static_cast<std::size_t>(verdict)]);
  std::vector<test::raw_frame> answer;
  if (verdict == expected::ping) answer = {{0x8A, "\x0C\x0D"}};
  if (verdict == expected::close) answer = {{0x88, "\x0C\x0D"}};
  EXPECT_EQ(end.sent().frames, answer);
  if (verdict == expected::message) {
    EXPECT_EQ(end.events[0].payload, c.inside ? "0123456789abcdef\x0C\x0D" : "\x0C\x0D");
  }
}

// F-01, F-02, F-03, F-08, C12: 2,048 cases, whole and byte by byte.
TEST(connection_frame, every_first_byte_in_both_roles) {
  test::loop_parts parts;
  int refused = 0;
  int cases = 0;
  for (unsigned bits = 0; bits < 2048; ++bits) {
    const header_case c{bits & 7,
                        bits >> 3 & 15,
                        (bits >> 7 & 1) != 0,
                        (bits >> 8 & 1) != 0,
                        both_roles[bits >> 9 & 1],
                        (bits >> 10 & 1) != 0};
    SCOPED_TRACE(testing::Message() << c);
    ++cases;
    refused += oracle(c) == expected::refused ? 1 : 0;
    for (const bool whole : {true, false}) {
      const test::byte_string wire = wire_of(c);
      core_end end(c.side, {}, &parts);
      for (std::size_t at = 0; at < wire.size();) {
        const std::size_t n = whole ? wire.size() : 1;
        end.receive(byte_view(wire).subspan(at, n));
        at += n;
      }
      judge(c, end);
      EXPECT_EQ(end.sent().fault, "");
    }
    if (HasFailure()) return;
  }
  EXPECT_EQ(cases, 2048);
  // By hand: alone 7 kinds of first byte are good in each role, inside a message 5.
  EXPECT_EQ(refused, 2048 - 2 * 7 - 2 * 5);
}

// ---- lengths

// A13, F-03: control frames of 0 to 130 bytes; over 125 they are refused at the header.
TEST(connection_frame, control_frames_end_at_125_bytes) {
  for (const role side : both_roles) {
    for (const unsigned op : {0x8U, 0x9U, 0xAU, 0xBU, 0xFU}) {
      for (const std::uint64_t size : {std::uint64_t{126}, std::uint64_t{127}, std::uint64_t{65535},
                                       std::uint64_t{65536}, std::uint64_t{1} << 62}) {
        SCOPED_TRACE(testing::Message() << op << " with " << size);
        const errc why = op > 0xA ? errc::reserved_opcode : errc::control_too_long;
        expect_failure(side, frame_writer(other(side)).header(0x80 | op, size).bytes(), why,
                       close_code::protocol_error);
      }
    }
    for (const std::size_t size : {0U, 1U, 124U, 125U}) {
      const std::string payload = content(size);
      in_every_cut(side, frame_writer(other(side)).ping(payload).pong(payload).bytes(), {}, [&](core_end& end) {
        EXPECT_EQ(end.events, (std::vector{seen_control(kind::ping, payload), seen_control(kind::pong, payload)}));
        EXPECT_EQ(end.sent().frames, (std::vector{test::raw_frame{0x8A, payload}}));
      });
    }
  }
}

// A13: every length at a boundary of its form, written in its form and in each that is not the shortest.
TEST(connection_frame, lengths_at_the_boundaries_of_their_forms) {
  settings obey;
  obey.bounds.max_message = 70000;
  for (const role side : both_roles) {
    for (const std::size_t size : {0U, 1U, 125U, 126U, 127U, 65534U, 65535U, 65536U, 65537U, 69999U, 70000U}) {
      SCOPED_TRACE(size);
      const std::string payload = content(size);
      in_every_cut(side, frame_writer(other(side)).text(payload).bytes(), obey,
                   [&](core_end& end) { EXPECT_EQ(end.events, std::vector{seen_message(payload)}); });
      if (size < 126)
        expect_failure(side, frame_writer(other(side)).header(0x81, size, 2).bytes(), errc::length_invalid,
                       close_code::protocol_error);
      if (size < 65536)
        expect_failure(side, frame_writer(other(side)).header(0x81, size, 8).bytes(), errc::length_invalid,
                       close_code::protocol_error);
    }
  }
}

// A2, A5, A7: all 256 first bytes of the longest form, and the four lengths that wrap; with and without a limit.
TEST(connection_frame, huge_lengths_are_refused_before_anything_is_reserved) {
  test::loop_parts parts;
  for (const std::uint64_t limit : {std::uint64_t{1} << 20, std::uint64_t{1} << 62, ~std::uint64_t{0}}) {
    settings obey;
    obey.bounds.max_message = limit;
    for (const role side : both_roles) {
      for (std::uint64_t first = 0; first < 256; ++first) {
        for (const std::uint64_t rest : {std::uint64_t{0x0001000000000000}, std::uint64_t{0x00FFFFFFFFFFFFFF}}) {
          const std::uint64_t length = first << 56 | rest;
          SCOPED_TRACE(length);
          core_end end(side, obey, &parts);
          end.receive(frame_writer(other(side)).header(0x82, length, 8).bytes());
          EXPECT_EQ(end.parts().pool.used_bytes(), 0U);
          if (first >= 128)
            expect_failed(end, errc::length_invalid, close_code::protocol_error);
          else if (length > std::uint64_t{1} << 62)
            expect_failed(end, errc::frame_too_big, close_code::message_too_big);
          else if (length > std::min(limit, std::uint64_t{1} << 60))
            expect_failed(end, errc::message_too_big, close_code::message_too_big);
          else
            EXPECT_TRUE(end->is_open());
        }
      }
      for (std::uint64_t k = 0; k < 16; ++k) {
        core_end end(side, obey, &parts);
        end.receive(frame_writer(other(side)).header(0x82, ~k, 8).bytes());
        expect_failed(end, errc::length_invalid, close_code::protocol_error);
      }
    }
  }
}

// A1, A9: the second length would overflow the sum.
TEST(connection_frame, the_sum_of_two_lengths_cannot_overflow) {
  settings obey;
  obey.bounds.max_message = obey.bounds.max_frame = ~std::uint64_t{0};
  for (const role side : both_roles) {
    for (std::uint64_t k = 0; k <= 64; ++k) {
      SCOPED_TRACE(k);
      const std::uint64_t second = (std::uint64_t{1} << 63) - 1 - k;
      expect_failure(side, frame_writer(other(side)).frame(0x02, content(20)).header(0x00, second).bytes(),
                     errc::message_too_big, close_code::message_too_big, {}, obey);
    }
  }
}

// ---- fragments

// F-04, F-06, RFC 6455 5.4: control frames between the fragments are handled at once and change nothing.
TEST(connection_frame, control_frames_between_fragments) {
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.frame(0x01, "one ").ping("p1").frame(0x00, "two ").pong("p2").ping().frame(0x00, "").frame(0x80, "three");
    wire.text("next");
    in_every_cut(side, wire.bytes(), {}, [](core_end& end) {
      EXPECT_EQ(end.events,
                (std::vector{seen_control(kind::ping, "p1"), seen_control(kind::pong, "p2"), seen_control(kind::ping),
                             seen_message("one two three"), seen_message("next")}));
      EXPECT_EQ(end.sent().frames, (std::vector{test::raw_frame{0x8A, "p1"}, test::raw_frame{0x8A, ""}}));
    });
  }
}

// F-05: a second message inside an unfinished one, a continuation of nothing, one more after the last.
TEST(connection_frame, interleaving_is_refused) {
  for (const role side : both_roles) {
    const auto from = other(side);
    for (const unsigned second : {0x01U, 0x02U, 0x81U, 0x82U}) {
      expect_failure(side, frame_writer(from).frame(0x01, content(20)).frame(second, "b").bytes(),
                     errc::expected_continuation, close_code::protocol_error);
      expect_failure(side, frame_writer(from).frame(0x02, content(20)).ping().frame(second, "b").bytes(),
                     errc::expected_continuation, close_code::protocol_error, {seen_control(kind::ping)});
    }
    for (const unsigned lone : {0x00U, 0x80U}) {
      expect_failure(side, frame_writer(from).frame(lone, "a").bytes(), errc::unexpected_continuation,
                     close_code::protocol_error);
      expect_failure(side, frame_writer(from).text("whole").frame(lone, "a").bytes(), errc::unexpected_continuation,
                     close_code::protocol_error, {seen_message("whole")});
      expect_failure(side, frame_writer(from).fragments(1, {"a", "b"}).frame(lone, "c").bytes(),
                     errc::unexpected_continuation, close_code::protocol_error, {seen_message("ab")});
    }
  }
}

// A14: every sequence of three frames out of the ones a message can be made of, judged by a little machine.
TEST(connection_frame, every_sequence_of_three_frames) {
  constexpr unsigned firsts[] = {0x01, 0x81, 0x02, 0x82, 0x00, 0x80, 0x89, 0x88};
  for (const role side : both_roles) {
    for (unsigned n = 0; n < 512; ++n) {
      const unsigned sequence[] = {firsts[n & 7], firsts[n >> 3 & 7], firsts[n >> 6 & 7]};
      std::vector<seen_event> want;
      frame_writer wire(other(side));
      std::string message;
      unsigned open = 0;
      bool over = false;
      for (const unsigned first : sequence) {
        const unsigned op = first & 15;
        const std::string part = op == 8 ? std::string() : std::string(16, static_cast<char>('a' + want.size()));
        wire.frame(first, part);
        if (over) continue;
        if (op == 9) {
          want.push_back(seen_control(kind::ping, part));
          continue;
        }
        const bool bad = op == 0 ? open == 0 : op < 8 && open != 0;
        if (op == 8 || bad) {
          seen_event end;
          end.what = kind::closed;
          end.op = opcode::close;
          end.code = bad ? close_code::protocol_error : close_code::no_status;
          end.error = !bad ? errc::ok : op == 0 ? errc::unexpected_continuation : errc::expected_continuation;
          end.payload = bad ? describe(end.error) : "";
          want.push_back(end);
          over = true;
          continue;
        }
        if (op != 0) open = op;
        message += part;
        if ((first & 0x80) == 0) continue;
        want.push_back(seen_message(message, static_cast<opcode>(open)));
        open = 0;
        message.clear();
      }
      SCOPED_TRACE(n);
      in_every_cut(
          side, wire.bytes(), {}, [](core_end&) {}, [&](core_end& end) { ASSERT_EQ(end.events, want); }, 1);
      if (HasFailure()) return;
    }
  }
}

// F-14: the answer carries the very bytes, not text.
TEST(connection_frame, pongs_carry_the_bytes_of_the_ping) {
  std::string all;
  for (int i = 0; i < 125; ++i)
    all.push_back(static_cast<char>(255 - 2 * i));
  in_every_cut(role::server, frame_writer(role::client).ping(all).bytes(), {}, [&](core_end& end) {
    EXPECT_EQ(end.sent().frames, (std::vector{test::raw_frame{0x8A, all}}));
  });
}

// The times of a message are those of its first and last byte.
TEST(connection_frame, messages_carry_the_time_of_their_first_and_last_byte) {
  using namespace std::chrono_literals;
  const test::byte_string wire = frame_writer(role::client).fragments(1, {"abcdefghijklmnopq", "r"}).take();
  for (const std::size_t first_piece : {1U, 2U, 6U, 7U, 23U, 24U}) {
    core_end end(role::server);
    end.receive(byte_view(wire).first(first_piece));
    end.now += 3s;
    end.receive(byte_view(wire).subspan(first_piece));
    ASSERT_EQ(end.events.size(), 1U);
    EXPECT_EQ(end.events[0].first_byte, test::clock_start) << first_piece;
    EXPECT_EQ(end.events[0].last_byte, test::clock_start + 3s);
    end.now += 2s;
    end.receive(frame_writer(role::client).text("x").bytes());
    EXPECT_EQ(end.events[1].first_byte, test::clock_start + 5s);
  }
}

}  // namespace
}  // namespace hawser
