#pragma once
/// Unmasking (RFC 6455 5.3) while moving: the floor never touches a payload byte twice.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bench {

/// `key` turned so that it fits what follows after `n` payload bytes. Keys are held as the four bytes lie in memory.
constexpr std::uint32_t turn_key(std::uint32_t key, std::size_t n) {
  static_assert(std::endian::native == std::endian::little);
  return std::rotr(key, static_cast<int>(8 * (n % 4)));
}

/// The part of `unmask` for long payloads: 128 bytes at a time; returns how many bytes it did.
#if defined(__x86_64__)
__attribute__((target("avx2"))) inline std::size_t unmask_blocks_avx2(std::uint8_t* to, const std::uint8_t* from,
                                                                      std::size_t n, std::uint32_t key) {
  const __m256i keys = _mm256_set1_epi32(static_cast<int>(key));
  std::size_t i = 0;
  for (; i + 128 <= n; i += 128) {
    // All loads come before the stores: `to` may overlap what is read here.
    const auto* in = reinterpret_cast<const __m256i*>(from + i);
    const __m256i a = _mm256_loadu_si256(in);
    const __m256i b = _mm256_loadu_si256(in + 1);
    const __m256i c = _mm256_loadu_si256(in + 2);
    const __m256i d = _mm256_loadu_si256(in + 3);
    auto* out = reinterpret_cast<__m256i*>(to + i);
    _mm256_storeu_si256(out, _mm256_xor_si256(a, keys));
    _mm256_storeu_si256(out + 1, _mm256_xor_si256(b, keys));
    _mm256_storeu_si256(out + 2, _mm256_xor_si256(c, keys));
    _mm256_storeu_si256(out + 3, _mm256_xor_si256(d, keys));
  }
  return i;
}
#endif

/// XORs `n` bytes at `from` with `key` into `to`, which may lie at or before `from`.
inline void unmask(std::uint8_t* to, const std::uint8_t* from, std::size_t n, std::uint32_t key) {
  const std::uint64_t wide = static_cast<std::uint64_t>(key) << 32U | key;
  std::size_t i = 0;
#if defined(__x86_64__)
  if (n >= 256 && __builtin_cpu_supports("avx2")) i = unmask_blocks_avx2(to, from, n, key);
#endif
  for (; i + 8 <= n; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, from + i, sizeof word);
    word ^= wide;
    std::memcpy(to + i, &word, sizeof word);
  }
  for (; i < n; ++i)
    to[i] = static_cast<std::uint8_t>(from[i] ^ (key >> (8 * (i % 4))));
}

}  // namespace bench
