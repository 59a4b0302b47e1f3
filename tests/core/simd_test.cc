#include "core/dispatch.h"
#include "support/seeded_random.h"

#include <gtest/gtest.h>
#include <hawser/core/mask.h>
#include <hawser/core/simd.h>
#include <hawser/core/utf8.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using hawser::errc;
using hawser::core::can_use_simd;
using hawser::core::name_of;
using hawser::core::simd_level;
using hawser::core::simd_levels;
using hawser::core::simd_now;
using hawser::core::use_simd;

/// Leaves the level as it was.
struct simd : ::testing::Test {
  ~simd() override { EXPECT_EQ(use_simd(name_of(before)), errc::ok); }
  simd_level before = simd_now().masking;
};

TEST_F(simd, every_level_that_this_machine_has_can_be_chosen) {
  for (const simd_level level : simd_levels) {
    if (!can_use_simd(level)) continue;
    ASSERT_EQ(use_simd(name_of(level)), errc::ok);
    EXPECT_EQ(simd_now().masking, level);
  }
}

TEST_F(simd, scalar_is_always_there) { EXPECT_TRUE(can_use_simd(simd_level::scalar)); }

TEST_F(simd, a_level_that_does_not_exist_changes_nothing) {
  for (const char* name : {"", "avx", "AVX2", "avx2 ", "avx5120", "best"}) {
    EXPECT_EQ(use_simd(name), errc::invalid_argument) << name;
    EXPECT_EQ(simd_now().masking, before);
  }
}

TEST_F(simd, a_level_that_this_machine_lacks_changes_nothing) {
  for (const simd_level level : simd_levels) {
    if (can_use_simd(level)) continue;
    EXPECT_EQ(use_simd(name_of(level)), errc::not_supported);
    EXPECT_EQ(simd_now().masking, before);
  }
}

#ifdef HAWSER_X86_KERNELS
// What the processor has is what can be chosen: nothing is left out by mistake.
TEST_F(simd, the_levels_are_those_of_the_processor) {
  EXPECT_EQ(can_use_simd(simd_level::avx2), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(can_use_simd(simd_level::avx512), __builtin_cpu_supports("avx512f") != 0);
}

// The best one, unless HAWSER_SIMD names another. 512-bit registers are worth it from VBMI on.
TEST_F(simd, the_level_that_is_asked_for_is_in_use) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
  const char* asked = std::getenv("HAWSER_SIMD");
  const char* best = __builtin_cpu_supports("avx512vbmi") != 0 ? "avx512"
                     : __builtin_cpu_supports("avx2") != 0     ? "avx2"
                                                               : "scalar";
  EXPECT_EQ(name_of(before), asked != nullptr && *asked != '\0' ? asked : best);
}

TEST_F(simd, utf8_follows) {
  ASSERT_EQ(use_simd("scalar"), errc::ok);
  EXPECT_EQ(simd_now().utf8, "fallback");
  if (use_simd("avx2") == errc::ok) {
    EXPECT_EQ(simd_now().utf8, "haswell");
  }
  const bool icelake = __builtin_cpu_supports("avx512vbmi2") != 0;
  if (use_simd("avx512") == errc::ok) {
    EXPECT_EQ(simd_now().utf8, icelake ? "icelake" : "haswell");
  }
}
#endif

// Long enough for the wide code, which answers the same at every level.
TEST_F(simd, the_answers_do_not_depend_on_the_level) {
  hawser::test::seeded_random random(7);
  const std::vector<std::byte> plain = random.bytes(5000);
  std::vector<std::byte> masked(plain.size());
  hawser::core::detail::mask_short(masked.data(), plain.data(), plain.size(), 0xA1B2C3D4);
  std::string text;
  while (text.size() < 1000)
    text += "a\xC3\xA4\xE4\xBD\xA0\xF0\x9F\x98\x80";
  for (const simd_level level : simd_levels) {
    if (use_simd(name_of(level)) != errc::ok) continue;
    std::vector<std::byte> out(plain.size());
    hawser::core::mask_copy(out.data(), plain, 0xA1B2C3D4);
    EXPECT_EQ(out, masked) << name_of(level);
    EXPECT_TRUE(hawser::core::valid_utf8(hawser::as_bytes(text))) << name_of(level);
    EXPECT_FALSE(hawser::core::valid_utf8(hawser::as_bytes(text + "\xED\xA0\x80"))) << name_of(level);
  }
}

// The level may change while others mask.
TEST_F(simd, it_can_be_changed_while_others_work) {
  std::thread other([] {
    for (int i = 0; i < 200; ++i) {
      for (const simd_level level : simd_levels)
        static_cast<void>(use_simd(name_of(level)));
    }
  });
  const std::string text(500, 'x');
  const std::vector<std::byte> plain = hawser::test::seeded_random(11).bytes(500);
  std::vector<std::byte> data = plain;
  for (int i = 0; i < 2001; ++i) {  // An odd number: masked at the end.
    hawser::core::mask(data, 0x01020304);
    EXPECT_TRUE(hawser::core::valid_utf8(hawser::as_bytes(text)));
  }
  other.join();
  std::vector<std::byte> masked(plain.size());
  hawser::core::detail::mask_short(masked.data(), plain.data(), plain.size(), 0x01020304);
  EXPECT_EQ(data, masked);
}

}  // namespace
