#include "core/dispatch.h"

#include <hawser/core/mask.h>

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

HAWSER_BEGIN
namespace core::detail {

namespace {

#if defined(__x86_64__)

[[gnu::target("avx2")]] void mask_avx2(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept {
  const __m256i keys = _mm256_set1_epi32(static_cast<int>(key));
  const auto step = [&](std::size_t at) __attribute__((target("avx2"), always_inline)) {
    const __m256i word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + at));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + at), _mm256_xor_si256(word, keys));
  };
  for (; n >= 128; n -= 128, in += 128, out += 128) {
    step(0);
    step(32);
    step(64);
    step(96);
  }
  for (; n >= 32; n -= 32, in += 32, out += 32)
    step(0);
  mask_short(out, in, n, key);
}

// The first `n` bytes, at most 64, in one masked load and store.
[[gnu::target("avx512f,avx512bw")]] inline void mask_part_avx512(std::byte* out, const std::byte* in, std::size_t n,
                                                                 __m512i keys) noexcept {
  const __mmask64 part = n >= 64 ? ~__mmask64{0} : (__mmask64{1} << n) - 1;
  const __m512i bytes = _mm512_maskz_loadu_epi8(part, in);
  _mm512_mask_storeu_epi8(out, part, _mm512_xor_si512(bytes, keys));
}

[[gnu::target("avx512f,avx512bw")]] void mask_avx512(std::byte* out, const std::byte* in, std::size_t n,
                                                     std::uint32_t key) noexcept {
  // A register is a cache line here, so every store that is not aligned would touch two of them.
  const std::size_t head = std::min(n, -reinterpret_cast<std::uintptr_t>(out) % 64);
  mask_part_avx512(out, in, head, _mm512_set1_epi32(static_cast<int>(key)));
  n -= head, in += head, out += head;
  const __m512i keys = _mm512_set1_epi32(static_cast<int>(advance_key(key, head)));
  for (; n >= 64; n -= 64, in += 64, out += 64)
    _mm512_store_si512(out, _mm512_xor_si512(_mm512_loadu_si512(in), keys));
  mask_part_avx512(out, in, n, keys);
}

#endif

simd_level best_level() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // The processors before VBMI lower their clock for 512-bit registers, which costs more than the wider XOR gains.
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi")) return simd_level::avx512;
  if (__builtin_cpu_supports("avx2")) return simd_level::avx2;
#endif
  return simd_level::scalar;
}

}  // namespace

mask_kernel mask_kernel_at(simd_level level) noexcept {
#if defined(__x86_64__)
  if (level == simd_level::avx512 && __builtin_cpu_supports("avx512bw")) return mask_avx512;
  if (level == simd_level::avx2 && __builtin_cpu_supports("avx2")) return mask_avx2;
#endif
  return level == simd_level::scalar ? mask_short : nullptr;
}

void mask_wide(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept {
  static const mask_kernel kernel = mask_kernel_at(best_level());
  kernel(out, in, n, key);
}

}  // namespace core::detail
HAWSER_END
