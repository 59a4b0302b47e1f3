// What `hawser ext` says of an extension.
#include "ext.h"

#include "claims_in_words.h"
#include "commands.h"

#include <gtest/gtest.h>
#include <hawser/ext/message_extension.h>

namespace hawser_tool {
namespace {

std::string printed_test(const hawser::any_factory& one, int wanted_status) {
  hawser::testkit::options how;
  how.rounds = 3;
  testing::internal::CaptureStdout();
  EXPECT_EQ(test_extension(one, "x-mine;a", how), wanted_status);
  return testing::internal::GetCapturedStdout();
}

TEST(tool_ext_test, a_sound_extension_passes_with_status_0) {
  const std::string out = printed_test(hawser::ext::message_extension("x-mine"), done);
  EXPECT_EQ(out.rfind("testing x-mine;a: seed 6455, 3 rounds of each kind\n", 0), 0U) << out;
  EXPECT_NE(out.find("\nnegotiation\n  PASS  name is a token\n"), std::string::npos) << out;
  EXPECT_NE(out.find("x-mine;a passed: "), std::string::npos) << out;
  EXPECT_EQ(out.find("FAIL"), std::string::npos) << out;
}

TEST(tool_ext_test, a_flawed_one_fails_with_status_1_and_says_why) {
  const auto spoil = [](hawser::byte_span b) {
    if (!b.empty()) b[0] ^= std::byte{1};
  };
  const auto flawed =
      hawser::ext::message_extension("x-mine", hawser::rsv::two).encode(spoil).decode([](hawser::byte_span) {});
  const std::string out = printed_test(flawed, failed);
  const std::size_t at = out.find("  FAIL  messages arrive as they were\n        message ");
  ASSERT_NE(at, std::string::npos) << out;
  EXPECT_NE(out.find("(seed 64", at), std::string::npos) << out;
  EXPECT_NE(out.find("\nx-mine;a FAILED: "), std::string::npos) << out;
}

TEST(tool_claims_in_words_test, defaults_are_short) {
  const std::vector<std::string> wanted = {"works on messages", "no RSV bit"};
  EXPECT_EQ(claims_in_words({}), wanted);
  EXPECT_EQ(bits_in_words(0), "");
  EXPECT_EQ(bits_in_words(4), "RSV1");
  EXPECT_EQ(bits_in_words(7), "RSV1, RSV2, RSV3");
  EXPECT_EQ(hooks_in_words(hawser::hook::none), "none");
  EXPECT_EQ(hooks_in_words(hawser::hook::observe | hawser::hook::frame), "observe, frame");
  EXPECT_EQ(hooks_in_words(hawser::hook::quota | hawser::hook::urgency), "quota, urgency");
}

TEST(tool_claims_in_words_test, every_claim_has_a_line) {
  hawser::claims all;
  all.at = hawser::layer::frame;
  all.rsv = 1;
  all.opcodes = 1U << 3 | 1U << 11;
  all.ext_data_max = 1;
  all.adds_max = 2;
  all.trim_max = 4;
  all.per_frame = all.reorders = all.restores_order = all.ordered = all.replays = all.interleaves = all.unmasked = true;
  all.in_needs_rsv = true;
  all.opcodes_of_interest = 1U << 3;
  all.out_min_size = 64;
  all.idle_state = false;
  const std::vector<std::string> lines = claims_in_words(all);
  EXPECT_EQ(lines.size(), 17U);
  EXPECT_EQ(lines[2], "its own opcodes: 3, 11");
  EXPECT_EQ(lines[3], "at most 1 byte in front of each frame");
  EXPECT_EQ(lines[14], "only opcodes 3");
  all.opcodes_of_interest = 0;
  EXPECT_EQ(claims_in_words(all)[14], "messages do not concern it");
}

}  // namespace
}  // namespace hawser_tool
