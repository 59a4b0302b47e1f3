// Huffman codes of DEFLATE (RFC 1951, 3.2.2), as tables to look up by the next bits of the input.
#pragma once

#include <hawser/base/config.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

HAWSER_BEGIN
namespace ext::detail {

/// What the next bits of the input mean.
struct code_entry {
  std::uint8_t what;    ///< One of `code::`.
  std::uint8_t bits;    ///< How many of them that takes: the code, or the part of it for this table, and what is added.
  std::uint16_t value;  ///< Of a literal; the least of a length or distance; where a second table begins.
};

namespace code {
inline constexpr std::uint8_t literal = 0;
inline constexpr std::uint8_t base = 0x10;     ///< And, in the low four bits, how many more are to be added to `value`.
inline constexpr std::uint8_t end = 0x20;      ///< Of the block.
inline constexpr std::uint8_t unknown = 0x40;  ///< No code, or one that has no meaning.
inline constexpr std::uint8_t link = 0x80;  ///< And, in the low four bits, how many the second table is looked up by.
inline constexpr std::uint8_t low = 0x0F;
}  // namespace code

inline constexpr std::size_t most_literals = 288;
inline constexpr std::size_t most_distances = 32;
inline constexpr std::size_t precode_symbols = 19;
inline constexpr unsigned literal_bits = 10;
inline constexpr unsigned distance_bits = 8;
inline constexpr unsigned precode_bits = 7;

// The first table and the most that second ones can take beside it, found by going through all sets of code lengths.
using literal_table = std::array<code_entry, 1334>;
using distance_table = std::array<code_entry, 402>;

// Each builds a table from the length of every symbol's code. False: there are more codes than bits can tell apart, or
// fewer. Where a block has one distance, or none, a single code of one bit, or no code, is a set as well.
bool build_literals(literal_table& table, std::span<const std::uint8_t> lengths) noexcept;
bool build_distances(distance_table& table, std::span<const std::uint8_t> lengths) noexcept;
/// The code in which those lengths come; it fits where a table of distances does.
bool build_precode(distance_table& table, std::span<const std::uint8_t, precode_symbols> lengths) noexcept;

/// The codes of a block that brings none. RFC 1951, 3.2.6
struct fixed_codes {
  literal_table literals;
  distance_table distances;

  static const fixed_codes& get() noexcept;
};

}  // namespace ext::detail
HAWSER_END
