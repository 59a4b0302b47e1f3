#include "core/dispatch.h"

#include <hawser/core/crc32c.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstring>

#ifdef HAWSER_X86_KERNELS
#include <immintrin.h>
#endif

HAWSER_BEGIN
namespace core {
namespace detail {

namespace {

constexpr std::uint32_t polynomial = 0x82F63B78;  // Bits reversed: the first bit of a byte is its lowest.

using table = std::array<std::uint32_t, 256>;

// Table n moves a byte over the n bytes of zeros behind it, so that eight bytes go in one step.
constexpr std::array<table, 8> make_tables() {
  std::array<table, 8> made{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ ((crc & 1U) != 0 ? polynomial : 0U);
    made[0][i] = crc;
  }
  for (std::size_t n = 1; n < 8; ++n)
    for (std::uint32_t i = 0; i < 256; ++i)
      made[n][i] = made[n - 1][i] >> 8 ^ made[0][made[n - 1][i] & 0xFFU];
  return made;
}

constexpr std::array<table, 8> tables = make_tables();

constexpr std::uint32_t add_byte(std::uint32_t state, std::uint32_t byte) noexcept {
  return state >> 8 ^ tables[0][(state ^ byte) & 0xFFU];
}

// The lowest byte is the first one, whatever the machine.
std::uint64_t load_word(const std::byte* p) noexcept {
  std::uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, p, sizeof word);
  } else {
    for (unsigned i = 0; i < 8; ++i)
      word |= std::to_integer<std::uint64_t>(p[i]) << 8 * i;
  }
  return word;
}

std::uint32_t crc32c_by_tables(std::uint32_t state, const std::byte* p, std::size_t n) noexcept {
  for (; n >= 8; n -= 8, p += 8) {
    std::uint64_t word = load_word(p) ^ state;
    state = 0;
    for (std::size_t i = 8; i > 0; --i, word >>= 8)
      state ^= tables[i - 1][word & 0xFFU];
  }
  for (; n > 0; --n, ++p)
    state = add_byte(state, std::to_integer<std::uint32_t>(*p));
  return state;
}

#ifdef HAWSER_X86_KERNELS

// The instruction takes three cycles and one can begin in each, so three lanes go side by side; the tables bring the
// sum of a lane over the lanes behind it.
constexpr std::size_t lane_size = 256;

constexpr std::array<table, 4> make_lane_tables() {
  std::array<std::uint32_t, 32> of_bit{};
  for (std::size_t bit = 0; bit < 32; ++bit) {
    std::uint32_t state = std::uint32_t{1} << bit;
    for (std::size_t i = 0; i < lane_size; ++i)
      state = add_byte(state, 0);
    of_bit[bit] = state;
  }
  std::array<table, 4> made{};
  for (std::size_t part = 0; part < 4; ++part)
    for (std::size_t i = 0; i < 256; ++i)
      for (std::size_t bit = 0; bit < 8; ++bit)
        if ((i >> bit & 1U) != 0) made[part][i] ^= of_bit[8 * part + bit];
  return made;
}

constexpr std::array<table, 4> lane_tables = make_lane_tables();

std::uint32_t over_a_lane(std::uint64_t state) noexcept {
  return lane_tables[0][state & 0xFFU] ^ lane_tables[1][state >> 8 & 0xFFU] ^ lane_tables[2][state >> 16 & 0xFFU] ^
         lane_tables[3][state >> 24 & 0xFFU];
}

[[gnu::target("sse4.2")]] std::uint32_t crc32c_by_instruction(std::uint32_t state, const std::byte* p,
                                                              std::size_t n) noexcept {
  std::uint64_t a = state;
  for (; n >= 3 * lane_size; n -= 3 * lane_size, p += 3 * lane_size) {
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    for (std::size_t i = 0; i < lane_size; i += 8) {
      a = _mm_crc32_u64(a, load_word(p + i));
      b = _mm_crc32_u64(b, load_word(p + i + lane_size));
      c = _mm_crc32_u64(c, load_word(p + i + 2 * lane_size));
    }
    a = over_a_lane(over_a_lane(a) ^ b) ^ c;
  }
  for (; n >= 8; n -= 8, p += 8)
    a = _mm_crc32_u64(a, load_word(p));
  state = static_cast<std::uint32_t>(a);
  for (; n > 0; --n, ++p)
    state = _mm_crc32_u8(state, std::to_integer<std::uint8_t>(*p));
  return state;
}

#endif

std::uint32_t choose_and_sum(std::uint32_t state, const std::byte* p, std::size_t n) noexcept;

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): the machine is chosen for once a process
constinit std::atomic<crc32c_kernel> chosen{choose_and_sum};

// Stands for the kernel until the first call, or `use_crc32c`, has chosen one. No wide registers are needed: every
// level but `scalar` has the same kernel, and a machine without those may have it too.
std::uint32_t choose_and_sum(std::uint32_t state, const std::byte* p, std::size_t n) noexcept {
  crc32c_kernel best = crc32c_by_tables;
#ifdef HAWSER_X86_KERNELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("sse4.2")) best = crc32c_by_instruction;
#endif
  crc32c_kernel nobody = choose_and_sum;
  chosen.compare_exchange_strong(nobody, best, std::memory_order_relaxed);
  return chosen.load(std::memory_order_relaxed)(state, p, n);
}

}  // namespace

crc32c_kernel crc32c_kernel_at(simd_level level) noexcept {
#ifdef HAWSER_X86_KERNELS
  if (level != simd_level::scalar && __builtin_cpu_supports("sse4.2")) return crc32c_by_instruction;
#endif
  static_cast<void>(level);
  return crc32c_by_tables;
}

void use_crc32c(simd_level level) noexcept { chosen.store(crc32c_kernel_at(level), std::memory_order_relaxed); }

}  // namespace detail

std::uint32_t crc32c(byte_view bytes, std::uint32_t before) noexcept {
  return ~detail::chosen.load(std::memory_order_relaxed)(~before, bytes.data(), bytes.size());
}

}  // namespace core
HAWSER_END
