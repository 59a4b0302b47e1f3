#include <gtest/gtest.h>
#include <hawser/net/random.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

namespace {

TEST(system_random, fills_everything_and_repeats_nothing) {
  hawser::net::system_random random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) {
    std::uint64_t value = 0;
    random.fill(std::as_writable_bytes(std::span(&value, 1)));
    EXPECT_TRUE(seen.insert(value).second);
  }
  // Sizes around the block that it keeps: not a byte may be left as it was.
  for (const std::size_t size : {0U, 1U, 3U, 1023U, 1024U, 1025U, 5000U}) {
    std::vector<std::byte> left(size, std::byte{0xFF});
    for (int round = 0; round < 8; ++round) {
      std::vector<std::byte> bytes(size);
      random.fill(bytes);
      for (std::size_t i = 0; i < size; ++i)
        left[i] &= bytes[i] ^ std::byte{0xFF};
      for (std::size_t i = 0; i < size; ++i)
        if (bytes[i] != std::byte{0}) left[i] = std::byte{0};
    }
    for (const std::byte b : left)
      EXPECT_EQ(b, std::byte{0});
  }
}

}  // namespace
