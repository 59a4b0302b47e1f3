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

/// The key for the bytes that follow after `n` bytes were masked with `key`.
constexpr std::uint32_t advance_key(std::uint32_t key, std::uint64_t n) noexcept {
  const int turn = static_cast<int>(8 * (n & 3));
  if constexpr (std::endian::native == std::endian::little) return std::rotr(key, turn);
  return std::rotl(key, turn);
}

namespace detail {
/// From this size on the wide registers of the machine are used, chosen once at run time.
inline constexpr std::size_t wide_mask_size = 64;

HAWSER_API void mask_wide(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept;

/// Sixteen bytes: one register of every 64-bit machine.
using mask_word16 = std::uint64_t __attribute__((vector_size(16)));

template <class Word>
inline Word repeat_key(std::uint32_t key) noexcept {
  const std::uint64_t twice = std::uint64_t{key} << 32 | key;
  if constexpr (sizeof(Word) == 16)
    return Word{twice, twice};
  else
    return static_cast<Word>(twice);
}

/// Masks `n` bytes by their first and their last `sizeof(Word)`, which cover them together. Both are read before either
/// is written.
template <class Word>
inline void mask_ends(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept {
  const std::size_t last = n - sizeof(Word);
  Word front;
  Word back;
  std::memcpy(&front, in, sizeof front);
  std::memcpy(&back, in + last, sizeof back);
  front ^= repeat_key<Word>(key);
  back ^= repeat_key<Word>(advance_key(key, last));
  std::memcpy(out, &front, sizeof front);
  std::memcpy(out + last, &back, sizeof back);
}

/// The quickest way for what is shorter than a cache line.
inline void mask_short(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept {
  constexpr std::size_t step = sizeof(mask_word16);
  for (; n > 2 * step; n -= step, in += step, out += step) {
    mask_word16 word;
    std::memcpy(&word, in, step);
    word ^= repeat_key<mask_word16>(key);
    std::memcpy(out, &word, step);
  }
  if (n >= step) return mask_ends<mask_word16>(out, in, n, key);
  if (n >= 8) return mask_ends<std::uint64_t>(out, in, n, key);
  if (n >= 4) return mask_ends<std::uint32_t>(out, in, n, key);
  const auto bytes = std::bit_cast<std::array<std::byte, 4>>(key);
  for (std::size_t i = 0; i < n; ++i)
    out[i] = in[i] ^ bytes[i];
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

}  // namespace core
HAWSER_END
