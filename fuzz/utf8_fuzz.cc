// The first byte seeds the cuts, the rest is text: the whole check, the incremental one and a plain decoder must agree.

#include "support/require.h"
#include "support/seeded_random.h"

#include <hawser/core/utf8.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

using hawser::byte_view;
using hawser::core::utf8_validator;
using hawser::core::valid_utf8;
using hawser::fuzz::require;
using hawser::test::seeded_random;

namespace {

struct verdict {
  std::size_t first_bad;  // Index of the first impossible byte, or the size.
  bool whole;             // No bad byte, and the last character is complete.
};

// Bit by bit after RFC 3629: after each byte, the range of scalars that the character can still become must hold one
// that is allowed and whose shortest form has this many bytes.
verdict decode_plainly(byte_view text) {
  static constexpr std::uint32_t first_of_size[] = {0, 0, 0x80, 0x800, 0x10000};
  static constexpr std::uint32_t end_of_size[] = {0, 0x80, 0x800, 0x10000, 0x110000};
  std::uint32_t value = 0;
  std::size_t missing = 0;
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto b = std::to_integer<std::uint32_t>(text[i]);
    if (missing == 0) {
      if (b < 0x80) continue;
      size = b >> 5 == 6 ? 2 : b >> 4 == 14 ? 3 : b >> 3 == 30 ? 4 : 0;
      if (size == 0) return {i, false};
      value = b & (0x7FU >> size);
      missing = size - 1;
    } else {
      if (b >> 6 != 2) return {i, false};
      value = value << 6 | (b & 0x3F);
      --missing;
    }
    const std::uint32_t lowest = value << 6 * missing;
    const std::uint32_t highest = lowest | ((1U << 6 * missing) - 1);
    if (highest < first_of_size[size] || lowest >= end_of_size[size]) return {i, false};
    if (lowest >= 0xD800 && highest <= 0xDFFF) return {i, false};
  }
  return {text.size(), missing == 0};
}

void feed_in_cuts(byte_view text, const verdict& expected, std::uint64_t seed) {
  seeded_random random(seed);
  utf8_validator validator;
  const std::size_t longest = std::size_t{1} << random.between(0, 8);
  for (std::size_t fed = 0; fed < text.size();) {
    const std::size_t n = std::min(random.between(1, longest), text.size() - fed);
    // A piece of exactly its size, so that a read behind it is seen.
    const byte_view part = text.subspan(fed, n);
    const std::vector<std::byte> piece(part.begin(), part.end());
    fed += n;
    require(validator.feed(piece) == (fed <= expected.first_bad), "fails in the piece with the first bad byte");
  }
  require(validator.complete() == expected.whole, "knows whether the last character is complete");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // Eight blocks of the vector code; longer texts only make fewer of them.
  const std::size_t length = std::min<std::size_t>(size - 1, 512);
  const byte_view text(reinterpret_cast<const std::byte*>(data) + 1, length);
  const verdict expected = decode_plainly(text);
  bool whole = valid_utf8(text);
#ifdef HAWSER_PLANTED_BUG
  // A check that lets the first scalar behind U+10FFFF through.
  const auto beyond = {std::byte{0xF4}, std::byte{0x90}, std::byte{0x80}, std::byte{0x80}};
  whole = whole || std::search(text.begin(), text.end(), beyond.begin(), beyond.end()) != text.end();
#endif
  require(whole == expected.whole, "the check of the whole agrees with the plain decoder");
  feed_in_cuts(text, expected, data[0]);
  return 0;
}
