// What is DEFLATE and what is not: what decompresses here against zlib, which has been asked more often than anybody.
// RFC 1951.
#include "ext/deflate_codec.h"
#include "ext/deflate_kit.h"
#include "support/seeded_random.h"
#include "support/zlib_oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace hawser::ext::detail {
namespace {

using test::decompressed_by;
using test::inflated;
using test::zlib_oracle;

/// A message bit by bit. RFC 1951, 3.1.1
class bits {
 public:
  bits& number(unsigned value, unsigned n) {
    for (unsigned i = 0; i < n; ++i)
      bit(value >> i & 1U);
    return *this;
  }
  bits& huffman(unsigned code, unsigned n) {
    while (n-- > 0)
      bit(code >> n & 1U);
    return *this;
  }
  /// The empty block that ends a message.
  [[nodiscard]] std::string ended() { return number(0, 3).bytes_; }

 private:
  void bit(unsigned b) {
    if (used_++ % 8 == 0) bytes_ += '\0';
    bytes_.back() = static_cast<char>(static_cast<unsigned char>(bytes_.back()) | b << (used_ - 1) % 8);
  }
  std::string bytes_;
  std::size_t used_ = 0;
};

using lengths = std::vector<unsigned>;

/// The header of a block with these code lengths, each written out in four bits. RFC 1951, 3.2.7
bits block(const lengths& literals, const lengths& distances) {
  bits b;
  b.number(0, 1).number(2, 2);
  b.number(static_cast<unsigned>(literals.size()) - 257, 5).number(static_cast<unsigned>(distances.size()) - 1, 5);
  b.number(15, 4).number(0, 9);  // No repetitions, ...
  for (int i = 0; i < 16; ++i)
    b.number(4, 3);  // ... and sixteen codes of four bits.
  for (const lengths& all : {literals, distances})
    for (const unsigned length : all)
      b.huffman(length, 4);
  return b;
}

/// Codes of the symbols named, none of the others.
lengths only(const std::vector<std::pair<std::size_t, unsigned>>& some, std::size_t size = 257) {
  lengths all(size, 0);
  for (const auto& [symbol, length] : some)
    all[symbol] = length;
  return all;
}

void expect_as_zlib(const std::string& wire, codec_status wanted) {
  EXPECT_EQ(zlib_oracle().message(wire).accepted, wanted == codec_status::done);
  for (const std::size_t room : {1U, 500U})
    for (const std::size_t chunk : {0U, 1U})
      EXPECT_EQ(decompressed_by(*decompressor::make(15), wire, {room, chunk, nullptr}).status, wanted)
          << room << ' ' << chunk;
}

// The sets of codes that there can be, and those that some decoders take as well.
TEST(inflate, sets_of_codes) {
  const lengths none{0};
  struct row {
    const char* what;
    lengths literals;
    lengths distances;
    codec_status status;
  };
  constexpr codec_status done = codec_status::done;
  constexpr codec_status corrupt = codec_status::corrupt;
  const row rows[] = {
      {"two codes of one bit", only({{0, 1}, {256, 1}}), none, done},
      {"the end alone", only({{256, 1}}), none, done},
      {"the end alone, in two bits", only({{256, 2}}), none, corrupt},
      {"no end", only({{0, 1}, {1, 1}}), none, corrupt},
      {"nothing", only({}), none, corrupt},
      {"three of four codes", only({{0, 2}, {1, 2}, {256, 2}}), none, corrupt},
      {"three codes of one bit", only({{0, 1}, {1, 1}, {256, 1}}), none, corrupt},
      {"a code too many at the end", only({{0, 1}, {1, 2}, {2, 2}, {256, 15}}), none, corrupt},
      {"distances: one of one bit", only({{0, 1}, {256, 1}}), {1}, done},
      {"distances: one of two bits", only({{0, 1}, {256, 1}}), {2}, corrupt},
      {"distances: three of four", only({{0, 1}, {256, 1}}), {2, 2, 2}, corrupt},
      {"distances: three of one bit", only({{0, 1}, {256, 1}}), {1, 1, 1}, corrupt},
      {"as many as there are", only({{0, 1}, {256, 1}}, 286), lengths(30, 5), corrupt},
      {"one length too many", only({{0, 1}, {256, 1}}, 287), none, corrupt},
      {"one distance too many", only({{0, 1}, {256, 1}}), only({{0, 1}, {1, 1}}, 31), corrupt},
  };
  for (const row& r : rows) {
    SCOPED_TRACE(r.what);
    // The code of the end is the last of its length.
    const unsigned n = r.literals[256];
    const bool alone =
        std::count(r.literals.begin(), r.literals.end(), 0U) + 1 == static_cast<std::ptrdiff_t>(r.literals.size());
    expect_as_zlib(block(r.literals, r.distances).huffman(alone ? 0 : (1U << n) - 1, n).ended(), r.status);
  }
}

// What a code without a meaning is refused for is that it is met.
TEST(inflate, codes_without_a_meaning) {
  // 0 is the end, 10 the letter a, 11 a length of three.
  const lengths abc = only({{'a', 2}, {256, 1}, {257, 2}}, 258);
  const auto after_a = [&abc](const lengths& distances) {
    bits b = block(abc, distances);
    return b.huffman(2, 2).huffman(3, 2);
  };
  expect_as_zlib(after_a({1}).huffman(0, 1).huffman(0, 1).ended(), codec_status::done);
  expect_as_zlib(after_a({1}).huffman(1, 1).huffman(0, 1).ended(), codec_status::corrupt);
  expect_as_zlib(after_a({0}).huffman(0, 1).huffman(0, 1).ended(), codec_status::corrupt);
  expect_as_zlib(after_a({1, 1}).huffman(1, 1).huffman(0, 1).ended(), codec_status::corrupt);  // Before the beginning.
  bits fixed;
  fixed.number(0, 1).number(1, 2).huffman(0x30 + 'a', 8);
  bits literal = fixed, distance = fixed;
  expect_as_zlib(literal.huffman(0xC6, 8).huffman(0, 7).ended(), codec_status::corrupt);
  expect_as_zlib(distance.huffman(1, 7).huffman(30, 5).huffman(0, 7).ended(), codec_status::corrupt);
}

// The code in which code lengths come: its own set, and its repetitions.
TEST(inflate, lengths_of_codes) {
  // In the order of RFC 1951: 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1.
  const auto header = [](const lengths& precode) {
    bits b;
    b.number(0, 1).number(2, 2).number(0, 5).number(0, 5).number(static_cast<unsigned>(precode.size()) - 4, 4);
    for (const unsigned length : precode)
      b.number(length, 3);
    return b;
  };
  const lengths some{2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};  // 0: 1, 10: 16, 11: 18.
  expect_as_zlib(header(some)
                     .huffman(3, 2)
                     .number(127, 7)
                     .huffman(3, 2)
                     .number(107, 7)
                     .huffman(0, 1)
                     .huffman(0, 1)
                     .huffman(0, 1)
                     .ended(),
                 codec_status::done);  // 138 + 118 times none, then 256 and a distance.
  expect_as_zlib(header(some).huffman(2, 2).number(0, 2).ended(), codec_status::corrupt);  // 16 has nothing to repeat.
  expect_as_zlib(header(some).huffman(3, 2).number(127, 7).huffman(3, 2).number(127, 7).ended(), codec_status::corrupt);
  expect_as_zlib(header({2, 0, 2, 0}).ended() + std::string(8, '\0'), codec_status::corrupt);
  expect_as_zlib(header({1, 1, 1, 0}).ended() + std::string(8, '\0'), codec_status::corrupt);
  expect_as_zlib(header({0, 0, 0, 0}).ended() + std::string(60, '\0'), codec_status::corrupt);
}

// Letters as often as the numbers of Fibonacci give codes of every length up to the longest.
TEST(inflate, the_longest_codes) {
  std::string text;
  std::size_t one = 1, two = 1;
  for (char letter = 'a'; letter < 'a' + 20; ++letter) {
    text.append(one, letter);
    two += std::exchange(one, two);
  }
  test::seeded_random random(3);
  for (std::size_t i = text.size() - 1; i > 0; --i)
    std::swap(text[i], text[random.below(i + 1)]);
  const std::string wire = test::zlib_message(text, 9, test::zlib_strategy::huffman_only);
  for (const std::size_t room : {3U, 300U, 50'000U}) {
    const inflated got = decompressed_by(*decompressor::make(15), wire, {room, room == 3 ? 1U : 0U, nullptr});
    EXPECT_EQ(got.status, codec_status::done);
    EXPECT_TRUE(got.text == text);
  }
}

// Streams of every kind, most of them damaged: accepted is what zlib accepts, and it says the same.
TEST(inflate, as_zlib_reads_it) {
  test::seeded_random random(1951);
  std::vector<std::string> whole;
  for (int i = 0; i < 60; ++i)
    whole.push_back(test::zlib_message(test::some_text(random, 6000), 1 + static_cast<int>(random.below(9)),
                                       static_cast<test::zlib_strategy>(random.below(5))));
  std::size_t accepted = 0;
  constexpr int rounds = 20'000;
  for (int i = 0; i < rounds; ++i) {
    std::string wire = whole[random.below(whole.size())];
    if (random.below(4) == 0) wire += whole[random.below(whole.size())];
    for (std::size_t damage = random.below(4); damage > 0 && !wire.empty(); --damage) {
      char& hit = wire[random.below(random.below(2) == 0 ? std::min<std::size_t>(wire.size(), 80) : wire.size())];
      hit = static_cast<char>(static_cast<unsigned char>(hit) ^ 1U << random.below(8));
    }
    if (random.below(10) == 0) wire.resize(random.below(wire.size() + 1));
    const test::zlib_oracle::answer wanted = zlib_oracle().message(wire);
    const inflated got = decompressed_by(*decompressor::make(15), wire, test::in_pieces(random));
    ASSERT_EQ(got.status == codec_status::done, wanted.accepted) << i << ' ' << test::as_hex(wire);
    if (!wanted.accepted) continue;
    ASSERT_TRUE(got.text == wanted.text) << i << ' ' << test::as_hex(wire);
    ++accepted;
  }
  EXPECT_GT(accepted, rounds / 5U);
  EXPECT_LT(accepted, rounds * 4U / 5U);
}

}  // namespace
}  // namespace hawser::ext::detail
