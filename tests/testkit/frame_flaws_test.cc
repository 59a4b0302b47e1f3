// Mistakes of extensions that work on frames, each in a small one that makes it: the kit must find it, under the name
// of the check that is meant for it.
#include "testkit/flawed.h"

namespace hawser {
namespace {

using test::expect_found;

/// Marks each frame with its channel, as one that mixes fragments does; tests replace what it does.
struct frame_flaws {
  std::size_t reads = 1;
  std::uint64_t quota = ~std::uint64_t{0};
  std::uint32_t channel = 0;  // Added to the one that came.
  bool later_first = false;
};

struct marking_stage {
  static constexpr unsigned hooks = hook::frame | hook::quota | hook::urgency;
  frame_flaws f;
  std::uint32_t asked = 0;

  static verdict begin(direction, head&, context&) { return verdict::bypass; }
  std::size_t frame_in(frame& one, byte_view first, context&) const {
    if (!first.empty()) one.channel = std::to_integer<std::uint32_t>(first[0]) + f.channel;
    return f.reads;
  }
  static std::size_t frame_out(const frame& one, byte_span room, context&) {
    room[0] = static_cast<std::byte>(one.channel);
    return 1;
  }
  [[nodiscard]] std::uint64_t frame_quota(const frame&, context&) const { return f.quota; }
  std::uint32_t frame_urgency(const head& h, context&) { return f.later_first ? ++asked : h.priority; }
};

struct marking {
  frame_flaws f = {};

  static std::string_view name() { return "x-marks"; }
  static std::vector<params> offers() { return {{}}; }
  [[nodiscard]] std::optional<accepted<marking_stage>> accept(const std::vector<params>& all) const {
    return std::find(all.begin(), all.end(), params{}) == all.end() ? std::nullopt : confirm({});
  }
  [[nodiscard]] std::optional<accepted<marking_stage>> confirm(const params& p) const {
    if (!p.empty()) return std::nullopt;
    claims uses;
    uses.at = layer::frame;
    uses.opcodes_of_interest = 0;
    uses.ext_data_max = 2;
    uses.interleaves = true;
    return accepted<marking_stage>{{}, uses, {f, 0}};
  }
};

TEST(frame_flaws, one_without_a_mistake_passes) {
  const testkit::report r = testkit::run(marking(), test::quick());
  EXPECT_TRUE(r.passed()) << r.text();
}

TEST(frame_flaws, one_that_takes_more_than_it_put_there) {
  expect_found(marking{{.reads = 2}}, "messages cross a connection as they were");
}

TEST(frame_flaws, one_that_lets_nothing_go_for_ever) {
  expect_found(marking{{.quota = 0}}, "messages cross a connection as they were");
}

TEST(frame_flaws, one_that_lets_what_was_sent_later_overtake_what_is_as_urgent) {
  expect_found(marking{{.later_first = true}}, "short messages of one priority arrive in order");
}

TEST(frame_flaws, one_that_names_a_channel_that_does_not_exist) {
  expect_found(marking{{.channel = max_half_way}}, "the contract is kept");
}

}  // namespace
}  // namespace hawser
