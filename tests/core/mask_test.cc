#include "core/dispatch.h"
#include "support/seeded_random.h"

#include <gtest/gtest.h>
#include <hawser/core/mask.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

using hawser::byte_span;
using hawser::byte_view;
using hawser::core::advance_key;
using hawser::core::mask;
using hawser::core::mask_copy;
using hawser::core::name_of;
using hawser::core::simd_level;
using hawser::core::simd_levels;
using hawser::core::detail::mask_kernel;
using hawser::core::detail::mask_kernel_at;
using hawser::test::seeded_random;

// RFC 6455, 5.3, as it is written there.
std::vector<std::byte> masked_naively(byte_view in, std::uint32_t key) {
  std::array<std::byte, 4> octets{};
  std::memcpy(octets.data(), &key, 4);
  std::vector<std::byte> out;
  for (std::size_t i = 0; i < in.size(); ++i)
    out.push_back(in[i] ^ octets[i % 4]);
  return out;
}

struct named_kernel {
  std::string_view name;
  mask_kernel run;
};

// The public call, which chooses by size and machine, and every kernel that this machine can run.
std::vector<named_kernel> kernels() {
  std::vector<named_kernel> all = {
      {"public", [](std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept {
         mask_copy(out, {in, n}, key);
       }}};
  for (const simd_level level : simd_levels) {
    if (const mask_kernel run = mask_kernel_at(level); run != nullptr) all.push_back({name_of(level), run});
  }
  return all;
}

constexpr std::uint32_t key = 0xA1B2C3D4;

TEST(mask, example_of_the_rfc) {
  std::uint32_t wire_key = 0;
  std::memcpy(&wire_key, "\x37\xFA\x21\x3D", 4);
  std::array<std::byte, 5> hello{};
  std::memcpy(hello.data(), "\x7F\x9F\x4D\x51\x58", 5);
  mask(hello, wire_key);
  EXPECT_EQ(hawser::as_text(hello), "Hello");
}

TEST(mask, every_machine_has_the_scalar_kernel) { EXPECT_NE(mask_kernel_at(simd_level::scalar), nullptr); }

// In place, every alignment and every length: nothing outside is touched.
TEST(mask, every_alignment_and_length) {
  seeded_random random(1);
  const std::vector<std::byte> plain = random.bytes(300);
  for (const named_kernel& kernel : kernels()) {
    for (std::size_t length = 0; length <= 300; ++length) {
      const std::vector<std::byte> expected = masked_naively(byte_view(plain).first(length), key);
      for (std::size_t offset = 0; offset < 64; offset += length < 140 ? 1 : 5) {
        alignas(64) std::array<std::byte, 448> area;
        area.fill(std::byte{0x5A});
        std::byte* at = area.data() + offset;
        std::copy_n(plain.begin(), length, at);
        kernel.run(at, at, length, key);
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), at)) << kernel.name << " " << offset << " " << length;
        const auto untouched = [](const std::byte* from, const std::byte* to) {
          return std::all_of(from, to, [](std::byte b) { return b == std::byte{0x5A}; });
        };
        ASSERT_TRUE(untouched(area.data(), at)) << kernel.name << " " << offset << " " << length;
        ASSERT_TRUE(untouched(at + length, area.data() + area.size())) << kernel.name << " " << offset << " " << length;
      }
    }
  }
}

// Reads and writes end with the span: seen by AddressSanitizer, for every kernel.
TEST(mask, exact_allocations) {
  seeded_random random(2);
  for (const named_kernel& kernel : kernels()) {
    for (std::size_t length = 1; length <= 300; ++length) {
      const std::vector<std::byte> plain = random.bytes(length);
      std::vector<std::byte> out(length);
      kernel.run(out.data(), plain.data(), length, key);
      ASSERT_EQ(out, masked_naively(plain, key)) << kernel.name << " " << length;
    }
  }
}

TEST(mask, a_payload_in_pieces_with_an_advanced_key) {
  seeded_random random(3);
  const std::vector<std::byte> plain = random.bytes(1000);
  const std::vector<std::byte> expected = masked_naively(plain, key);
  for (std::size_t first = 0; first <= 200; ++first) {
    std::vector<std::byte> data = plain;
    const std::size_t second = random.below(data.size() - first);
    std::uint32_t now = key;
    std::size_t at = 0;
    for (const std::size_t n : {first, second, data.size() - first - second}) {
      mask(byte_span(data).subspan(at, n), now);
      now = advance_key(now, n);
      at += n;
    }
    ASSERT_EQ(data, expected) << first << " " << second;
  }
}

TEST(mask, advance_key_is_modular) {
  static_assert(advance_key(key, 0) == key);
  for (std::uint64_t n = 0; n < 64; ++n) {
    EXPECT_EQ(advance_key(advance_key(key, n), 64 - n), key);
    EXPECT_EQ(advance_key(key, n), advance_key(key, n % 4));
    EXPECT_EQ(advance_key(key, (1ULL << 63) + n), advance_key(key, n));
  }
}

// A payload moves over its own header: towards the front by any distance, also less than one register.
TEST(mask_copy, overlap_towards_the_front) {
  seeded_random random(4);
  const std::vector<std::byte> plain = random.bytes(1200);
  for (const named_kernel& kernel : kernels()) {
    for (std::size_t distance = 0; distance <= 130; ++distance) {
      for (const std::size_t length : {1UL, 7UL, 31UL, 63UL, 64UL, 65UL, 127UL, 200UL, 511UL, 1000UL}) {
        std::vector<std::byte> area = plain;
        const std::vector<std::byte> expected = masked_naively(byte_view(plain).subspan(distance, length), key);
        kernel.run(area.data(), area.data() + distance, length, key);
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), area.begin()))
            << kernel.name << " " << distance << " " << length;
        ASSERT_TRUE(std::equal(area.begin() + static_cast<std::ptrdiff_t>(length), area.end(),
                               plain.begin() + static_cast<std::ptrdiff_t>(length)))
            << kernel.name << " wrote behind its output";
      }
    }
  }
}

TEST(mask, large_random_payloads) {
  seeded_random random(5);
  for (const named_kernel& kernel : kernels()) {
    for (int i = 0; i < 20; ++i) {
      const std::vector<std::byte> plain = random.bytes(random.between(1000, 100000));
      const auto random_key = static_cast<std::uint32_t>(random.next());
      const std::size_t skip = random.below(64);
      std::vector<std::byte> out(plain.size());
      kernel.run(out.data(), plain.data() + skip, plain.size() - skip, random_key);
      out.resize(plain.size() - skip);
      ASSERT_EQ(out, masked_naively(byte_view(plain).subspan(skip), random_key)) << kernel.name;
    }
  }
}

TEST(mask, nothing_to_do) {
  mask({}, key);
  mask_copy(nullptr, {}, key);
}

}  // namespace
