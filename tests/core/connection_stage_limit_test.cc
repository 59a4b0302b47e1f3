// What a peer may cost where stages are at work: the A rows of the failures once more, with bytes that pass through
// them.
#include "core/connection_kit.h"
#include "core/pipeline_kit.h"

#include <gtest/gtest.h>

#include <deque>

namespace hawser {
namespace {

using namespace test;
using core::settings;

/// Looks at every chunk.
struct looker {
  static constexpr unsigned hooks = hook::observe;
  verdict begin(direction, head&, context&) { return verdict::observe; }
  void observe(direction, byte_view, bool, context&) {}
};

/// Takes every message away, and lets it go on at once.
struct taker {
  static constexpr unsigned hooks = hook::whole;
  verdict begin(direction, head&, context&) { return verdict::whole; }
  void whole(direction way, const head& h, buffer body, context& c) { EXPECT_TRUE(c.forward(way, h, std::move(body))); }
};

void with_stages(core_end& end) {
  end->attach(stage_list().add("x-take", {}, taker{}).add("x-look", {}, looker{}).take(), end.now);
}

// A5, A7: lengths beyond all reason end the connection, and a length alone reserves nothing.
TEST(connection_stage_limit, huge_lengths_are_refused_before_anything_is_reserved) {
  loop_parts parts;
  const std::uint64_t limit = std::uint64_t{1} << 20;
  settings obey;
  obey.bounds.max_message = limit;
  for (const role side : both_roles) {
    for (std::uint64_t first = 0; first < 256; ++first) {
      const std::uint64_t length = first << 56 | 0x0001000000000000U;
      SCOPED_TRACE(length);
      core_end end(side, obey, &parts);
      with_stages(end);
      end.receive(frame_writer(other(side)).header(0x82, length, 8).bytes());
      EXPECT_EQ(parts.pool.used_bytes(), 0U);
      if (first >= 128)
        expect_failed(end, errc::length_invalid, close_code::protocol_error);
      else if (length > std::uint64_t{1} << 62)
        expect_failed(end, errc::frame_too_big, close_code::message_too_big);
      else
        expect_failed(end, errc::message_too_big, close_code::message_too_big);
    }
  }
}

// A1, A9: the second length would overflow the sum, also where stages may make less of the bytes.
TEST(connection_stage_limit, the_sum_of_two_lengths_cannot_overflow) {
  settings obey;
  obey.bounds.max_message = obey.bounds.max_frame = ~std::uint64_t{0};
  for (const role side : both_roles) {
    for (std::uint64_t k = 0; k <= 64; k += 8) {
      SCOPED_TRACE(k);
      const std::uint64_t second = (std::uint64_t{1} << 63) - 1 - k;
      const byte_string wire = frame_writer(other(side)).frame(0x02, content(20)).header(0x00, second).take();
      in_every_cut(side, wire, obey, with_stages,
                   [](core_end& end) { expect_failed(end, errc::message_too_big, close_code::message_too_big); });
    }
  }
}

// A11: a thousand peers announce the largest message and send nothing, or a little of it.
TEST(connection_stage_limit, announced_sizes_cost_nothing) {
  settings obey;
  obey.bounds.max_message = 16 << 20;
  for (const std::size_t sent : {0U, 1U, 100U, 4000U}) {
    loop_parts parts;
    std::deque<core_end> peers;
    const byte_string begin = frame_writer(role::client).header(0x82, 16 << 20).masked(content(sent)).take();
    for (int i = 0; i < 1000; ++i) {
      with_stages(peers.emplace_back(role::server, obey, &parts));
      peers.back().receive(begin);
    }
    EXPECT_LE(parts.pool.used_bytes(), 1000 * (sent == 0 ? 0 : 6 * sent + 256)) << sent;
    peers.clear();
    EXPECT_EQ(parts.pool.used_bytes(), 0U);
  }
}

// A4, C12: what is no frame ends the connection in the middle of a message that stages have in hand, and once.
TEST(connection_stage_limit, a_failure_inside_a_message_gives_back_what_stages_had) {
  for (const role side : both_roles) {
    const auto from = other(side);
    for (const unsigned first : {0x01U, 0x82U, 0x83U, 0x90U, 0x0BU}) {
      const byte_string wire = frame_writer(from).frame(0x02, content(20)).frame(first, "x").take();
      in_every_cut(side, wire, {}, with_stages, [](core_end& end) {
        ASSERT_NE(end.closed(), nullptr);
        EXPECT_EQ(end.closed()->code, close_code::protocol_error);
        EXPECT_EQ(end.events.size(), 1U);
      });
    }
    // Cut off in the middle: nothing is delivered, and 1006.
    core_end end(side);
    with_stages(end);
    end.receive(frame_writer(from).frame(0x02, content(20)).header(0x80, 50).masked("half").take());
    end.end_of_input();
    ASSERT_EQ(end.events.size(), 1U);
    EXPECT_EQ(end.closed()->code, close_code::abnormal);
    EXPECT_EQ(end.parts().pool.used_bytes(), 0U);
  }
}

}  // namespace
}  // namespace hawser
