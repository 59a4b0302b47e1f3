// Masking: XOR with a key of four bytes. RFC 6455, 5.3.
#pragma once

#include <hawser/base/bytes.h>

#include <bit>
#include <cstddef>
#include <cstdint>

HAWSER_BEGIN
namespace core {

/// XORs `data` with `key` in place. Byte i meets byte i % 4 of `key` as it lies in memory. The same call masks and
/// unmasks. The widest registers of the machine are chosen once at run time; short payloads stay scalar.
HAWSER_API void mask(byte_span data, std::uint32_t key) noexcept;

/// Copies `in` to `out`, masked, in one pass. `out` has room for `in.size()` bytes; it may overlap `in` only when
/// `out <= in.data()` (moving towards the front).
HAWSER_API void mask_copy(std::byte* out, byte_view in, std::uint32_t key) noexcept;

/// The key for the bytes that follow after `n` bytes were masked with `key`.
constexpr std::uint32_t advance_key(std::uint32_t key, std::uint64_t n) noexcept {
  const int turn = static_cast<int>(8 * (n & 3));
  if constexpr (std::endian::native == std::endian::little) return std::rotr(key, turn);
  return std::rotl(key, turn);
}

}  // namespace core
HAWSER_END
