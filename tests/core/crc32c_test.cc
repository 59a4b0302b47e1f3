// CRC-32C against its definition, at every length, alignment and cut, by every kernel.
#include "core/dispatch.h"
#include "support/seeded_random.h"

#include <gtest/gtest.h>
#include <hawser/core/crc32c.h>

#include <vector>

namespace {

using hawser::byte_view;
using hawser::core::crc32c;
using hawser::core::name_of;
using hawser::core::simd_level;
using hawser::core::simd_levels;
using hawser::core::detail::crc32c_kernel_at;
using hawser::test::seeded_random;

// As it is defined: a division, bit by bit.
std::uint32_t summed_naively(byte_view bytes) {
  std::uint32_t state = ~0U;
  for (const std::byte b : bytes) {
    state ^= std::to_integer<std::uint32_t>(b);
    for (int bit = 0; bit < 8; ++bit)
      state = state >> 1 ^ ((state & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  return ~state;
}

std::uint32_t at_level(simd_level level, byte_view bytes) {
  return ~crc32c_kernel_at(level)(~0U, bytes.data(), bytes.size());
}

TEST(crc32c, examples_of_the_rfc) {
  EXPECT_EQ(crc32c(hawser::as_bytes("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32)), 0x8A9136AAU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0xFF})), 0x62A8AB43U);
  EXPECT_EQ(crc32c({}), 0U);
}

TEST(crc32c, every_length_and_alignment) {
  const std::vector<std::byte> plain = seeded_random(1).bytes(1800);
  for (std::size_t length = 0; length <= 1700; length += length < 300 ? 1 : 7) {
    const byte_view bytes = byte_view(plain).subspan(length % 17, length);
    const std::uint32_t expected = summed_naively(bytes);
    ASSERT_EQ(crc32c(bytes), expected) << length;
    for (const simd_level level : simd_levels)
      ASSERT_EQ(at_level(level, bytes), expected) << name_of(level) << " " << length;
  }
}

// Nothing beyond the span is read: seen by AddressSanitizer.
TEST(crc32c, exact_allocations) {
  seeded_random random(2);
  for (const std::size_t length : {1U, 7U, 8U, 9U, 767U, 768U, 769U, 1536U, 70000U}) {
    const std::vector<std::byte> bytes = random.bytes(length);
    for (const simd_level level : simd_levels)
      ASSERT_EQ(at_level(level, bytes), summed_naively(bytes)) << name_of(level) << " " << length;
  }
}

TEST(crc32c, pieces_sum_to_the_whole) {
  seeded_random random(3);
  const std::vector<std::byte> plain = random.bytes(5000);
  const std::uint32_t whole = summed_naively(plain);
  for (int i = 0; i < 200; ++i) {
    std::uint32_t sum = 0;
    for (byte_view left = plain; !left.empty();) {
      const std::size_t n = std::min<std::size_t>(left.size(), random.below(2000));
      sum = crc32c(left.first(n), sum);
      left = left.subspan(n);
    }
    ASSERT_EQ(sum, whole);
  }
}

#ifdef HAWSER_X86_KERNELS
// The instruction is used where there is one, and not at the level without.
TEST(crc32c, the_levels_differ) {
  if (__builtin_cpu_supports("sse4.2") == 0) return;
  EXPECT_NE(crc32c_kernel_at(simd_level::avx2), crc32c_kernel_at(simd_level::scalar));
}
#endif

}  // namespace
