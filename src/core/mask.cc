#include "core/dispatch.h"

#include <hawser/core/mask.h>

#include <atomic>

#ifdef HAWSER_X86_KERNELS
#include <immintrin.h>
#endif

HAWSER_BEGIN
namespace core::detail {

namespace {

#ifdef HAWSER_X86_KERNELS

// Both kernels load the first and the last register before anything is written and store them at the end. So the steps
// between them are aligned and whole, no length needs a tail, and an overlap towards the front does no harm.

[[gnu::target("avx2")]] void mask_avx2(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept {
  using word = __m256i;
  constexpr std::size_t size = sizeof(word);
  if (n < size) return mask_short(out, in, n, key);
  const auto keys_at = [key](std::size_t i) __attribute__((target("avx2"))) {
    return _mm256_set1_epi32(static_cast<int>(advance_key(key, i)));
  };
  const auto load = [in](std::size_t i) __attribute__((target("avx2"))) {
    return _mm256_loadu_si256(reinterpret_cast<const word*>(in + i));
  };
  const word first = _mm256_xor_si256(load(0), keys_at(0));
  const word last = _mm256_xor_si256(load(n - size), keys_at(n - size));
  std::size_t i = size - reinterpret_cast<std::uintptr_t>(out) % size;
  for (const word keys = keys_at(i); i + size < n; i += size)
    _mm256_store_si256(reinterpret_cast<word*>(out + i), _mm256_xor_si256(load(i), keys));
  _mm256_storeu_si256(reinterpret_cast<word*>(out), first);
  _mm256_storeu_si256(reinterpret_cast<word*>(out + n - size), last);
}

[[gnu::target("avx512f")]] void mask_avx512(std::byte* out, const std::byte* in, std::size_t n,
                                            std::uint32_t key) noexcept {
  using word = __m512i;
  constexpr std::size_t size = sizeof(word);
  if (n < size) return mask_short(out, in, n, key);
  const auto keys_at = [key](std::size_t i) __attribute__((target("avx512f"))) {
    return _mm512_set1_epi32(static_cast<int>(advance_key(key, i)));
  };
  const auto load = [in](std::size_t i) __attribute__((target("avx512f"))) { return _mm512_loadu_si512(in + i); };
  const word first = _mm512_xor_si512(load(0), keys_at(0));
  const word last = _mm512_xor_si512(load(n - size), keys_at(n - size));
  std::size_t i = size - reinterpret_cast<std::uintptr_t>(out) % size;
  for (const word keys = keys_at(i); i + size < n; i += size)
    _mm512_store_si512(out + i, _mm512_xor_si512(load(i), keys));
  _mm512_storeu_si512(out, first);
  _mm512_storeu_si512(out + n - size, last);
}

#endif

simd_level best_level() noexcept {
#ifdef HAWSER_X86_KERNELS
  __builtin_cpu_init();
  // The processors before VBMI lower their clock for 512-bit registers, which costs more than the wider XOR gains.
  if (__builtin_cpu_supports("avx512vbmi")) return simd_level::avx512;
  if (__builtin_cpu_supports("avx2")) return simd_level::avx2;
#endif
  return simd_level::scalar;
}

// Stands for the kernel until the first call, or `use_masking`, has chosen one.
void choose_and_mask(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept;

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): the machine is chosen for once a process
constinit std::atomic<mask_kernel> chosen{choose_and_mask};

void choose() noexcept {
  mask_kernel nobody = choose_and_mask;
  chosen.compare_exchange_strong(nobody, mask_kernel_at(best_level()), std::memory_order_relaxed);
}

void choose_and_mask(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept {
  choose();
  mask_wide(out, in, n, key);
}

}  // namespace

mask_kernel mask_kernel_at(simd_level level) noexcept {
#ifdef HAWSER_X86_KERNELS
  if (level == simd_level::avx512 && __builtin_cpu_supports("avx512f")) return mask_avx512;
  if (level == simd_level::avx2 && __builtin_cpu_supports("avx2")) return mask_avx2;
#endif
  return level == simd_level::scalar ? mask_short : nullptr;
}

void use_masking(simd_level level) noexcept { chosen.store(mask_kernel_at(level), std::memory_order_relaxed); }

simd_level masking_in_use() noexcept {
  choose();
  for (const simd_level level : simd_levels) {
    if (chosen.load(std::memory_order_relaxed) == mask_kernel_at(level)) return level;
  }
  return simd_level::scalar;
}

void mask_wide(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept {
  chosen.load(std::memory_order_relaxed)(out, in, n, key);
}

}  // namespace core::detail
HAWSER_END
