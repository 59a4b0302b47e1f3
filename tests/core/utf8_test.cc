#include "support/cutter.h"
#include "support/sanitizers.h"

#include <gtest/gtest.h>
#include <hawser/core/utf8.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace {

using hawser::as_bytes;
using hawser::byte_span;
using hawser::byte_view;
using hawser::core::utf8_validator;
using hawser::core::valid_utf8;
using hawser::test::in_every_cutting;
using hawser::test::seeded_random;
using hawser::test::under_sanitizer;

constexpr std::uint32_t scalars_end = 0x110000;

constexpr bool is_scalar(std::uint32_t c) { return c < scalars_end && (c < 0xD800 || c > 0xDFFF); }

// RFC 3629, 3, as the table there says it. Returns how many bytes it made.
std::size_t encode(std::uint32_t c, std::byte* out) {
  const auto put = [out](std::size_t i, std::uint32_t value) { out[i] = static_cast<std::byte>(value); };
  if (c < 0x80) return put(0, c), 1;
  if (c < 0x800) return put(0, 0xC0 | c >> 6), put(1, 0x80 | (c & 0x3F)), 2;
  if (c < 0x10000) return put(0, 0xE0 | c >> 12), put(1, 0x80 | (c >> 6 & 0x3F)), put(2, 0x80 | (c & 0x3F)), 3;
  put(0, 0xF0 | c >> 18), put(1, 0x80 | (c >> 12 & 0x3F)), put(2, 0x80 | (c >> 6 & 0x3F)), put(3, 0x80 | (c & 0x3F));
  return 4;
}

// The reference knows no rule of UTF-8 but the encoder: it holds the encodings of all scalars and everything that one
// of them begins with.
class reference {
 public:
  static const reference& get() {
    static const reference made;
    return made;
  }

  // The index of the first byte that no UTF-8 text can have there, or the size.
  std::size_t first_bad(byte_view text) const {
    std::uint32_t seen = 1;  // A one in front of the bytes of the character so far: no two states look alike.
    for (std::size_t i = 0; i < text.size(); ++i) {
      seen = seen << 8 | std::to_integer<std::uint32_t>(text[i]);
      if (is_whole(seen)) {
        seen = 1;
      } else if (!begins_one(seen)) {
        return i;
      }
    }
    return text.size();
  }

  // True when the text, which is good so far, ends with a whole character.
  bool ends_whole(byte_view text) const {
    std::uint32_t seen = 1;
    for (const std::byte b : text) {
      seen = seen << 8 | std::to_integer<std::uint32_t>(b);
      if (is_whole(seen)) seen = 1;
    }
    return seen == 1;
  }

  bool valid(byte_view text) const { return first_bad(text) == text.size() && ends_whole(text); }

 private:
  reference() : whole_(std::size_t{1} << 25), begun_(std::size_t{1} << 25) {
    for (std::uint32_t c = 0; c < scalars_end; ++c) {
      if (!is_scalar(c)) continue;
      std::array<std::byte, 4> bytes{};
      const std::size_t size = encode(c, bytes.data());
      std::uint32_t seen = 1;
      for (std::size_t i = 0; i < size; ++i) {
        if (i > 0) begun_[seen] = true;
        seen = seen << 8 | std::to_integer<std::uint32_t>(bytes[i]);
      }
      if (size < 4) whole_[seen] = true;
    }
  }

  // Four bytes fill the word: too many for a table, so they are read as a number that must be written the same way.
  bool is_whole(std::uint32_t seen) const {
    if (seen < whole_.size()) return whole_[seen];
    const std::uint32_t c =
        (seen >> 24 & 7) << 18 | (seen >> 16 & 0x3F) << 12 | (seen >> 8 & 0x3F) << 6 | (seen & 0x3F);
    std::array<std::byte, 4> bytes{};
    if (!is_scalar(c) || encode(c, bytes.data()) != 4) return false;
    std::uint32_t again = 0;
    for (const std::byte b : bytes)
      again = again << 8 | std::to_integer<std::uint32_t>(b);
    return again == seen;
  }
  bool begins_one(std::uint32_t seen) const { return seen < begun_.size() && begun_[seen]; }

  std::vector<bool> whole_;
  std::vector<bool> begun_;
};

// Everything that must hold for `text`, with the incremental check fed in two pieces cut at every point and byte by
// byte. Returns an empty string, or what is wrong: half of 70 million assertions would be spent in the macros.
std::string disagreement(byte_view text) {
  const reference& known = reference::get();
  const std::size_t bad = known.first_bad(text);
  const bool whole = bad == text.size() && known.ends_whole(text);
  if (valid_utf8(text) != whole) return "the check of the whole says otherwise";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    utf8_validator validator;
    if (validator.feed(text.first(cut)) != (bad >= cut))
      return "wrong answer to the first piece, cut " + std::to_string(cut);
    if (bad >= cut && validator.complete() != known.ends_whole(text.first(cut)))
      return "wrong about the end of the first piece, cut " + std::to_string(cut);
    if (validator.feed(text.subspan(cut)) != (bad == text.size()))
      return "wrong answer to the second piece, cut " + std::to_string(cut);
    if (validator.complete() != whole) return "wrong about the end, cut " + std::to_string(cut);
  }
  utf8_validator validator;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (validator.feed(text.subspan(i, 1)) != (i < bad)) return "wrong answer to byte " + std::to_string(i);
  }
  return validator.complete() == whole ? "" : "wrong about the end, byte by byte";
}

std::string in_hex(byte_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const std::byte b : text) {
    out += digits[std::to_integer<unsigned>(b) >> 4];
    out += digits[std::to_integer<unsigned>(b) & 15];
    out += ' ';
  }
  return out;
}

#define EXPECT_AGREEMENT(text)                           \
  do {                                                   \
    const std::string wrong = disagreement(text);        \
    ASSERT_TRUE(wrong.empty()) << in_hex(text) << wrong; \
  } while (false)

// The bytes at which the rules change their mind, and one neighbour of each.
constexpr std::array<unsigned, 25> edges = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                            0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                            0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};

// D4: every scalar there is, cut at every point.
TEST(utf8, all_1112064_scalars) {
  seeded_random random(29);
  std::uint32_t tested = 0;
  for (std::uint32_t c = 0; c < scalars_end;
       c += under_sanitizer ? 1 + static_cast<std::uint32_t>(random.below(99)) : 1) {
    if (!is_scalar(c)) continue;
    std::array<std::byte, 4> bytes{};
    const byte_view text = byte_view(bytes).first(encode(c, bytes.data()));
    ASSERT_TRUE(valid_utf8(text)) << c;
    EXPECT_AGREEMENT(text);
    ++tested;
  }
  EXPECT_TRUE(under_sanitizer || tested == 1112064U) << tested;
}

// D4: the same in texts that are long enough for the vector code, each with one damaged byte as well.
TEST(utf8, all_scalars_in_long_texts) {
  const reference& known = reference::get();
  seeded_random random(43);
  std::vector<std::byte> text;
  for (std::uint32_t c = 0; c < scalars_end; ++c) {
    if (!is_scalar(c)) continue;
    std::array<std::byte, 4> bytes{};
    const std::size_t size = encode(c, bytes.data());
    text.insert(text.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    if (text.size() < 1000) continue;
    ASSERT_TRUE(valid_utf8(text)) << "up to " << c;
    for (int damage = 0; damage < 4; ++damage) {
      std::vector<std::byte> damaged = text;
      damaged[random.below(damaged.size())] = static_cast<std::byte>(random.below(256));
      ASSERT_EQ(valid_utf8(damaged), known.valid(damaged)) << "up to " << c;
    }
    text.clear();
  }
}

// D4: every sequence of one to three bytes, good or bad, cut at every point.
TEST(utf8, all_sequences_of_one_to_three_bytes) {
  seeded_random random(31);
  std::array<std::byte, 3> bytes{};
  for (unsigned a = 0; a < 256; ++a) {
    bytes[0] = static_cast<std::byte>(a);
    EXPECT_AGREEMENT(byte_view(bytes).first(1));
    for (unsigned b = 0; b < 256; ++b) {
      bytes[1] = static_cast<std::byte>(b);
      EXPECT_AGREEMENT(byte_view(bytes).first(2));
      for (unsigned c = 0; c < 256; c += under_sanitizer ? 1 + static_cast<unsigned>(random.below(200)) : 1) {
        bytes[2] = static_cast<std::byte>(c);
        EXPECT_AGREEMENT(byte_view(bytes));
      }
    }
  }
}

// D4: every sequence of four edge bytes, and every second byte behind every lead of four.
TEST(utf8, sequences_of_four_bytes) {
  seeded_random random(37);
  std::array<std::byte, 4> bytes{};
  for (unsigned a = 0xE0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      for (const unsigned c : edges) {
        for (const unsigned d : edges) {
          if (under_sanitizer && !random.one_in(100)) continue;
          bytes = {static_cast<std::byte>(a), static_cast<std::byte>(b), static_cast<std::byte>(c),
                   static_cast<std::byte>(d)};
          EXPECT_AGREEMENT(byte_view(bytes));
        }
      }
    }
  }
}

// The vector code works in blocks: every pair of edges and a few triples, at every place of two blocks.
TEST(utf8, bad_bytes_at_every_place_of_a_long_text) {
  seeded_random random(41);
  for (std::size_t at = 0; at < 140; ++at) {
    for (const unsigned a : edges) {
      for (const unsigned b : edges) {
        if (under_sanitizer && !random.one_in(20)) continue;
        std::string text(143, 'x');
        text[at] = static_cast<char>(a);
        text[at + 1] = static_cast<char>(b);
        text[at + 2] = static_cast<char>(edges[random.below(edges.size())]);
        const byte_view bytes = as_bytes(text);
        const reference& known = reference::get();
        ASSERT_EQ(valid_utf8(bytes), known.valid(bytes)) << at << " " << in_hex(bytes.subspan(at, 3));
        utf8_validator validator;
        ASSERT_EQ(validator.feed(bytes), known.first_bad(bytes) == bytes.size()) << at << " " << a << " " << b;
      }
    }
  }
}

// The inline path for short ASCII ends at 128 bytes and steps by eight.
TEST(utf8, one_bad_byte_in_ascii_of_every_length) {
  for (std::size_t length = 0; length <= 200; ++length) {
    std::string text(length, 'a');
    ASSERT_TRUE(valid_utf8(as_bytes(text))) << length;
    for (std::size_t at = 0; at < length; ++at) {
      text[at] = '\x80';
      ASSERT_FALSE(valid_utf8(as_bytes(text))) << length << " " << at;
      text[at] = 'a';
    }
  }
}

std::vector<std::byte> random_text(seeded_random& random, std::size_t characters) {
  std::vector<std::byte> text;
  constexpr std::array<std::uint32_t, 5> ends = {0x80, 0x800, 0xD800, 0x10000, scalars_end};
  while (characters-- > 0) {
    std::uint32_t c = 0;
    do {
      c = static_cast<std::uint32_t>(random.below(ends[random.below(ends.size())]));
    } while (!is_scalar(c));
    std::array<std::byte, 4> bytes{};
    const std::size_t size = encode(c, bytes.data());
    text.insert(text.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  }
  return text;
}

// D4, F-11: long texts, whole, byte by byte and in random cuts; a damaged one fails in the piece with the first bad
// byte.
TEST(utf8, long_texts_in_every_cutting) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("text from seed " + std::to_string(seed));
    seeded_random random(seed);
    std::vector<std::byte> text = random_text(random, 2000);
    if (seed % 2 == 0) text[random.below(text.size())] = static_cast<std::byte>(random.below(256));
    if (seed % 5 == 0) text.pop_back();
    const std::size_t bad = reference::get().first_bad(text);
    in_every_cutting(text, [&](std::span<const byte_span> pieces) {
      utf8_validator validator;
      std::size_t fed = 0;
      for (const byte_span piece : pieces) {
        fed += piece.size();
        ASSERT_EQ(validator.feed(piece), fed <= bad) << "after " << fed << " bytes, " << bad << " are good";
      }
      EXPECT_EQ(validator.complete(), reference::get().valid(text));
    });
  }
}

// Autobahn 6.4: the text is refused in the middle of the character, not at its end.
TEST(utf8_validator, fails_inside_a_character) {
  utf8_validator validator;
  EXPECT_TRUE(validator.feed(as_bytes("\xCE\xBA\xF4")));
  EXPECT_FALSE(validator.feed(as_bytes("\x90"))) << "nothing above U+10FFFF begins like this";
}

TEST(utf8_validator, stays_false_until_it_is_reset) {
  utf8_validator validator;
  EXPECT_FALSE(validator.feed(as_bytes("\xFF")));
  EXPECT_FALSE(validator.feed(as_bytes("good")));
  EXPECT_FALSE(validator.feed({}));
  EXPECT_FALSE(validator.complete());
  validator.reset();
  EXPECT_TRUE(validator.complete());
  EXPECT_TRUE(validator.feed(as_bytes("good")));
}

TEST(utf8_validator, is_four_bytes_that_can_be_copied) {
  static_assert(sizeof(utf8_validator) == 4);
  static_assert(std::is_trivially_copyable_v<utf8_validator>);
  utf8_validator half;
  ASSERT_TRUE(half.feed(as_bytes("\xE2\x82")));
  utf8_validator copy = half;
  EXPECT_TRUE(copy.feed(as_bytes("\xAC")));
  EXPECT_TRUE(copy.complete());
  EXPECT_FALSE(half.complete());
}

TEST(utf8_validator, empty_pieces_change_nothing) {
  utf8_validator validator;
  EXPECT_TRUE(validator.feed({}));
  EXPECT_TRUE(validator.complete());
  EXPECT_TRUE(validator.feed(as_bytes("\xF0\x9F")));
  EXPECT_TRUE(validator.feed({}));
  EXPECT_FALSE(validator.complete());
  EXPECT_TRUE(validator.feed(as_bytes("\x98\x80")));
  EXPECT_TRUE(validator.complete());
}

}  // namespace
