// Which stages may stand together: every conflict has its row, and every row its reason.
#include "core/pipeline_kit.h"

#include <gtest/gtest.h>
#include <hawser/core/negotiate.h>

#include <functional>

namespace hawser {
namespace {

using test::agreed;

struct plain_stage {
  static constexpr unsigned hooks = hook::none;
  verdict begin(direction, head&, context&) { return verdict::bypass; }
};

struct control_stage {
  static constexpr unsigned hooks = hook::control;
  verdict begin(direction, head&, context&) { return verdict::bypass; }
  void control(std::uint8_t, byte_view, context&) {}
};

struct frame_stage {
  static constexpr unsigned hooks = hook::frame | hook::control;
  verdict begin(direction, head&, context&) { return verdict::bypass; }
  void control(std::uint8_t, byte_view, context&) {}
  std::size_t frame_in(frame&, byte_view, context&) { return 0; }
  std::size_t frame_out(const frame&, byte_span, context&) { return 0; }
};

using change = std::function<void(claims&)>;

template <stage S = control_stage>
core::agreed_extension made(std::string name, const change& set) {
  claims c;
  set(c);
  if (c.at == layer::frame) return agreed(std::move(name), c, frame_stage{});
  return agreed(std::move(name), c, S{});
}

/// Empty when the stages compose.
std::string refused(std::vector<core::agreed_extension> stages, bool secure = true) {
  std::string why;
  const bool both_roles = core::compose(stages, {role::client, secure}, why);
  std::string server_why;
  EXPECT_EQ(core::compose(stages, {role::server, secure}, server_why), both_roles);
  EXPECT_EQ(why, server_why);
  EXPECT_EQ(why.empty(), both_roles);
  return why;
}

std::string refused(const change& a) {
  std::vector<core::agreed_extension> stages;
  stages.push_back(made("x-a", a));
  return refused(std::move(stages));
}

std::string refused(const change& a, const change& b) {
  std::vector<core::agreed_extension> stages;
  stages.push_back(made("x-a", a));
  stages.push_back(made("x-b", b));
  return refused(std::move(stages));
}

void nothing(claims&) {}
void reorders(claims& c) { c.reorders = true; }
void ordered(claims& c) { c.ordered = true; }
void replays(claims& c) { c.replays = true; }
void compressor(claims& c) {
  c.rsv = 4;
  c.ordered = true;
}
void frames(claims& c) { c.at = layer::frame; }

TEST(compose_test, what_does_not_meet_works_together) {
  EXPECT_EQ(refused(std::vector<core::agreed_extension>{}), "");
  EXPECT_EQ(refused(nothing, nothing), "");
  EXPECT_EQ(refused([](claims& c) { c.rsv = 4; }, [](claims& c) { c.rsv = 3; }), "");
  EXPECT_EQ(refused([](claims& c) { c.opcodes = 1U << 11; }, [](claims& c) { c.opcodes = 1U << 12; }), "");
  EXPECT_EQ(refused(compressor, ordered), "");
}

TEST(compose_test, a_bit_or_opcode_has_one_owner_N_16_P_05) {
  for (int bit = 1; bit <= 4; bit *= 2) {
    const change claim = [bit](claims& c) { c.rsv = static_cast<std::uint8_t>(bit); };
    EXPECT_EQ(refused(claim, claim), std::string("x-a and x-b: both claim RSV") + (bit == 4   ? "1"
                                                                                   : bit == 2 ? "2"
                                                                                              : "3"));
  }
  const change two = [](claims& c) { c.opcodes = 1U << 11 | 1U << 13; };
  EXPECT_EQ(refused(two, [](claims& c) { c.opcodes = 1U << 13; }), "x-a and x-b: both claim opcode 13");
}

TEST(compose_test, three_stages_are_compared_pair_by_pair) {
  std::vector<core::agreed_extension> stages;
  stages.push_back(made("x-a", compressor));
  stages.push_back(made("x-b", nothing));
  stages.push_back(made("x-c", compressor));
  EXPECT_EQ(refused(std::move(stages)), "x-a and x-c: both claim RSV1");
}

TEST(compose_test, only_free_bits_and_opcodes_may_be_claimed) {
  EXPECT_NE(refused([](claims& c) { c.rsv = 8; }), "");
  for (unsigned op = 0; op < 16; ++op) {
    const std::string why = refused([op](claims& c) { c.opcodes = static_cast<std::uint16_t>(1U << op); });
    const bool free_control = op >= 11;
    const bool free_data = op >= 3 && op <= 7;
    EXPECT_EQ(why.empty(), free_control || free_data) << op;
  }
}

TEST(compose_test, claims_need_their_hooks) {
  std::vector<core::agreed_extension> stages;
  stages.push_back(made<plain_stage>("x-a", [](claims& c) { c.opcodes = 1U << 11; }));
  EXPECT_EQ(refused(std::move(stages)), "x-a claims a control opcode and has no control hook");
  std::vector<core::agreed_extension> none;
  none.emplace_back().name = "x-a";
  EXPECT_EQ(refused(std::move(none)), "x-a has no stage");
  claims at_frames;
  at_frames.at = layer::frame;
  std::vector<core::agreed_extension> hookless;
  hookless.push_back(agreed("x-a", at_frames, plain_stage{}));
  EXPECT_EQ(refused(std::move(hookless)), "x-a is a frame stage without frame hooks");
  std::vector<core::agreed_extension> astray;
  astray.push_back(agreed("x-a", claims{}, frame_stage{}));
  EXPECT_EQ(refused(std::move(astray)), "x-a has frame hooks and is no frame stage");
}

TEST(compose_test, claims_have_bounds) {
  EXPECT_NE(refused([](claims& c) { c.trim_max = 9; }), "");
  EXPECT_EQ(refused([](claims& c) { c.trim_max = 8; }), "");
  EXPECT_EQ(refused([](claims& c) { c.ext_data_max = 1; }), "x-a claims extension data and is no frame stage");
  EXPECT_EQ(refused([](claims& c) { frames(c), c.ext_data_max = 17; }),
            "x-a claims more than 16 bytes of extension data");
  const change nine = [](claims& c) { frames(c), c.ext_data_max = 9; };
  const change seven = [](claims& c) { frames(c), c.ext_data_max = 7; };
  EXPECT_EQ(refused(nine, seven), "");
  EXPECT_EQ(refused(nine, nine), "together they claim more than 16 bytes of extension data a frame");
  EXPECT_EQ(refused([](claims& c) { c.interleaves = true; }), "x-a claims to mix fragments and is no frame stage");
}

TEST(compose_test, message_stages_stand_before_frame_stages_P_06) {
  EXPECT_EQ(refused(frames, nothing),
            "x-a and x-b: the first works on frames and must stand behind all that work on messages");
  EXPECT_EQ(refused(nothing, frames), "");
}

TEST(compose_test, a_compressor_never_gets_frames_that_must_be_kept_P_06) {
  const std::string why = refused([](claims& c) { c.per_frame = true; }, compressor);
  EXPECT_EQ(why, "x-a and x-b: the first needs its frames kept and the second compresses them");
  EXPECT_NE(refused(compressor, [](claims& c) { c.per_frame = true; }), why);
}

TEST(compose_test, nothing_reorders_behind_a_stage_whose_state_spans_messages) {
  EXPECT_EQ(refused(ordered, reorders),
            "x-a and x-b: the first must see messages in order and the second lets them out in another");
  EXPECT_EQ(refused(reorders, ordered), "");
  EXPECT_EQ(refused(ordered, [](claims& c) { reorders(c), c.restores_order = true; }), "");
}

TEST(compose_test, what_is_sent_again_has_not_been_encoded_for_one_connection) {
  EXPECT_EQ(refused(ordered, replays),
            "x-a and x-b: the second sends messages again that the first has encoded for this connection only");
  EXPECT_EQ(refused(replays, ordered), "");
  EXPECT_EQ(
      refused([](claims& c) { c.rsv = 1; }, replays),
      "x-a and x-b: the second keeps messages to have them sent again, and must get them before the first changes "
      "them");
  EXPECT_EQ(refused(replays, [](claims& c) { c.rsv = 1; }), "");
}

TEST(compose_test, fragments_are_mixed_by_one_stage_and_not_beside_an_ordered_one_F_05) {
  const change mixes = [](claims& c) { frames(c), c.interleaves = true; };
  EXPECT_EQ(refused(mixes, mixes), "x-a and x-b: both let the fragments of several messages mix");
  EXPECT_EQ(refused(ordered, mixes),
            "x-a and x-b: one must see messages in order and the other lets their fragments mix");
}

TEST(compose_test, masking_is_not_taken_away_on_an_open_path_F_08) {
  std::vector<core::agreed_extension> stages;
  stages.push_back(made("x-a", [](claims& c) { c.unmasked = true; }));
  EXPECT_EQ(refused(std::move(stages), false), "x-a takes masking away on a path that is neither TLS nor loopback");
  EXPECT_EQ(refused([](claims& c) { c.unmasked = true; }), "");
}

}  // namespace
}  // namespace hawser
