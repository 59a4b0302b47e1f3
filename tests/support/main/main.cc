// The `main` of the tests that mask or check UTF-8: HAWSER_SIMD in the environment names the level they run at.

#include <gtest/gtest.h>
#include <hawser/core/simd.h>

#include <cstdio>
#include <cstdlib>

using hawser::errc;

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
  const char* level = std::getenv("HAWSER_SIMD");
  if (level != nullptr && *level != '\0' && hawser::core::use_simd(level) != errc::ok) {
    std::fprintf(stderr, "HAWSER_SIMD=%s: this machine has %s\n", level, hawser::core::simd_here().c_str());
    return 2;
  }
  if (!GTEST_FLAG_GET(list_tests)) {
    const hawser::core::simd_in_use now = hawser::core::simd_now();
    std::printf("masking by %s, UTF-8 by %s\n", name_of(now.masking).data(), now.utf8.c_str());
  }
  return RUN_ALL_TESTS();
}
