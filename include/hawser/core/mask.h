// Masking: XOR with a key of four bytes. RFC 6455, 5.3.
#pragma once

#include <hawser/base/bytes.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

HAWSER_BEGIN
namespace core {

namespace detail {
/// From this size on the wide registers of the machine are used, chosen once at run time.
inline constexpr std::size_t wide_mask_size = 64;

HAWSER_API void mask_wide(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept;

/// Masks the next `sizeof(Word)` bytes with the first bytes of `key`.
template <class Word>
inline void mask_word(std::byte*& out, const std::byte*& in, Word key) noexcept {
  Word word;
  std::memcpy(&word, in, sizeof word);
  word = static_cast<Word>(word ^ key);
  std::memcpy(out, &word, sizeof word);
  in += sizeof word;
  out += sizeof word;
}

/// Word by word: the quickest way for what is shorter than a cache line.
inline void mask_short(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept {
  const std::uint64_t twice = std::uint64_t{key} << 32 | key;
  for (; n >= 8; n -= 8)
    mask_word(out, in, twice);
  if ((n & 4) != 0) mask_word(out, in, key);
  const auto bytes = std::bit_cast<std::array<std::uint8_t, 4>>(key);
  for (std::size_t i = 0; i < (n & 3); ++i)
    mask_word(out, in, bytes[i]);
}
}  // namespace detail

/// Copies `in` to `out`, masked, in one pass. `out` has room for `in.size()` bytes; it may overlap `in` only when
/// `out <= in.data()` (moving towards the front).
inline void mask_copy(std::byte* out, byte_view in, std::uint32_t key) noexcept {
  if (in.size() >= detail::wide_mask_size) return detail::mask_wide(out, in.data(), in.size(), key);
  detail::mask_short(out, in.data(), in.size(), key);
}

/// XORs `data` with `key` in place. Byte i meets byte i % 4 of `key` as it lies in memory. The same call masks and
/// unmasks.
inline void mask(byte_span data, std::uint32_t key) noexcept { mask_copy(data.data(), data, key); }

/// The key for the bytes that follow after `n` bytes were masked with `key`.
constexpr std::uint32_t advance_key(std::uint32_t key, std::uint64_t n) noexcept {
  const int turn = static_cast<int>(8 * (n & 3));
  if constexpr (std::endian::native == std::endian::little) return std::rotr(key, turn);
  return std::rotl(key, turn);
}

}  // namespace core
HAWSER_END
