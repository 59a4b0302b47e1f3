#include "support/cutter.h"

#include <gtest/gtest.h>

#include <vector>

namespace {

using hawser::byte_span;
using hawser::test::in_every_cutting;
using hawser::test::seeded_random;

// Every scenario of the suite trusts this helper, so it is itself tested.
TEST(cutter, every_cutting_is_the_same_bytes_without_empty_pieces) {
  const std::vector<std::byte> bytes = seeded_random(1).bytes(1000);
  std::vector<std::size_t> counts;
  in_every_cutting(bytes, [&](std::span<const byte_span> pieces) {
    std::vector<std::byte> joined;
    for (byte_span piece : pieces) {
      EXPECT_FALSE(piece.empty());
      joined.insert(joined.end(), piece.begin(), piece.end());
    }
    EXPECT_EQ(joined, bytes);
    counts.push_back(pieces.size());
  });
  ASSERT_EQ(counts.size(), 18U);
  EXPECT_EQ(counts[0], 1U);
  EXPECT_EQ(counts[1], bytes.size());
}

TEST(cutter, no_bytes_make_no_pieces) {
  in_every_cutting({}, [](std::span<const byte_span> pieces) { EXPECT_TRUE(pieces.empty()); });
}

// Published with the algorithm: the same seed gives the same run on every machine.
TEST(seeded_random, known_sequence) {
  seeded_random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317U);
  EXPECT_EQ(random.next(), 3203168211198807973U);
}

}  // namespace
