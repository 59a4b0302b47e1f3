#include "ext/inflate_codes.h"

#include <algorithm>
#include <bit>
#include <cassert>

HAWSER_BEGIN
namespace ext::detail {

namespace {

constexpr unsigned longest_code = 15;

constexpr code_entry based(unsigned least, unsigned extra) noexcept {
  return {static_cast<std::uint8_t>(code::base | extra), static_cast<std::uint8_t>(extra),
          static_cast<std::uint16_t>(least)};
}

// Lengths of 3 to 257, distances of 1 to 32,768: each symbol stands for the least of a row, and some bits more say
// which.
constexpr std::array<code_entry, most_literals> literal_symbols = [] {
  std::array<code_entry, most_literals> all{};
  for (unsigned i = 0; i < 256; ++i)
    all[i] = {code::literal, 0, static_cast<std::uint16_t>(i)};
  all[256] = {code::end, 0, 0};
  unsigned length = 3;
  for (unsigned i = 0; i < 28; ++i) {
    const unsigned extra = i < 8 ? 0 : i / 4 - 1;
    all[257 + i] = based(length, extra);
    length += 1U << extra;
  }
  all[285] = {code::base, 0, 258};
  all[286] = all[287] = {code::unknown, 0, 0};
  return all;
}();

constexpr std::array<code_entry, most_distances> distance_symbols = [] {
  std::array<code_entry, most_distances> all{};
  unsigned distance = 1;
  for (unsigned i = 0; i < 30; ++i) {
    const unsigned extra = i < 4 ? 0 : i / 2 - 1;
    all[i] = based(distance, extra);
    distance += 1U << extra;
  }
  all[30] = all[31] = {code::unknown, 0, 0};
  return all;
}();

constexpr std::array<code_entry, precode_symbols> precode_meanings = [] {
  std::array<code_entry, precode_symbols> all{};
  for (unsigned i = 0; i < precode_symbols; ++i)
    all[i] = {code::literal, 0, static_cast<std::uint16_t>(i)};
  return all;
}();

// Codes come first bit first, so a table is looked up by a code turned round: the next one of the same length.
unsigned following(unsigned turned, unsigned length) noexcept {
  const unsigned zeros = turned ^ ((1U << length) - 1U);
  if (zeros == 0) return turned;
  const unsigned carry = std::bit_floor(zeros);
  return (turned & (carry - 1U)) | carry;
}

class builder {
 public:
  builder(std::span<code_entry> table, unsigned first_bits, std::span<const code_entry> symbols) noexcept
      : table_(table), first_bits_(first_bits), symbols_(symbols) {}

  bool build(std::span<const std::uint8_t> lengths, bool may_have_gaps) noexcept {
    if (!count(lengths, may_have_gaps)) return false;
    sort(lengths);
    fill_first();
    fill_second();
    return true;
  }

 private:
  bool count(std::span<const std::uint8_t> lengths, bool may_have_gaps) noexcept {
    // Many lengths are alike: in one row of counters each would wait for the one before it.
    std::array<std::array<std::uint16_t, longest_code + 1>, 4> rows{};
    for (std::size_t i = 0; i < lengths.size(); ++i)
      ++rows[i % rows.size()][lengths[i]];
    for (std::size_t length = 0; length <= longest_code; ++length)
      for (const auto& row : rows)
        left_[length] = static_cast<std::uint16_t>(left_[length] + row[length]);
    int free = 1;
    unsigned longest = 0;
    for (unsigned length = 1; length <= longest_code; ++length) {
      free = free * 2 - left_[length];
      if (free < 0) return false;
      if (left_[length] != 0) longest = length;
    }
    return free == 0 || (may_have_gaps && longest <= 1);
  }

  // By length; those that have no code come first, so that none of them needs a question.
  void sort(std::span<const std::uint8_t> lengths) noexcept {
    std::array<std::uint16_t, longest_code + 2> at{};
    for (unsigned length = 0; length <= longest_code; ++length)
      at[length + 1] = static_cast<std::uint16_t>(at[length] + left_[length]);
    for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol)
      sorted_[at[lengths[symbol]]++] = static_cast<std::uint16_t>(symbol);
    used_ = left_[0];
  }

  code_entry next(unsigned bits) noexcept {
    code_entry e = symbols_[sorted_[used_++]];
    e.bits = static_cast<std::uint8_t>(e.bits + bits);
    return e;
  }

  // What is there of codes up to a length is doubled for those that are a bit longer.
  void fill_first() noexcept {
    table_[0] = table_[1] = {code::unknown, 1, 0};
    for (unsigned length = 1; length <= first_bits_; ++length) {
      for (; left_[length] != 0; --left_[length]) {
        table_[turned_] = next(length);
        turned_ = following(turned_, length);
      }
      const std::size_t filled = std::size_t{1} << length;
      if (length < first_bits_)
        std::copy_n(table_.begin(), filled, table_.begin() + static_cast<std::ptrdiff_t>(filled));
    }
  }

  // Codes too long for the first table go on in others, one for each beginning.
  void fill_second() noexcept {
    std::size_t end = std::size_t{1} << first_bits_;
    const std::size_t mask = end - 1;
    std::size_t beginning = end;
    std::size_t begin = end;
    for (unsigned length = first_bits_ + 1; length <= longest_code; ++length) {
      const unsigned beyond = length - first_bits_;
      for (; left_[length] != 0; --left_[length]) {
        if ((turned_ & mask) != beginning) {
          beginning = turned_ & mask;
          begin = end;
          const unsigned bits = bits_of_second(length);
          end += std::size_t{1} << bits;
          assert(end <= table_.size());
          table_[beginning] = {static_cast<std::uint8_t>(code::link | bits), static_cast<std::uint8_t>(first_bits_),
                               static_cast<std::uint16_t>(begin)};
        }
        const code_entry e = next(beyond);
        for (std::size_t at = begin + (turned_ >> first_bits_); at < end; at += std::size_t{1} << beyond)
          table_[at] = e;
        turned_ = following(turned_, length);
      }
    }
  }

  // The codes that are left, shortest first, fill it up.
  [[nodiscard]] unsigned bits_of_second(unsigned length) const noexcept {
    unsigned bits = length - first_bits_;
    for (unsigned codes = left_[length]; codes < 1U << bits; codes = codes * 2 + left_[first_bits_ + bits])
      ++bits;
    return bits;
  }

  std::span<code_entry> table_;
  unsigned first_bits_;
  std::span<const code_entry> symbols_;
  std::array<std::uint16_t, longest_code + 1> left_{};  // Codes of each length that are not in the table yet.
  std::array<std::uint16_t, most_literals> sorted_;
  std::size_t used_ = 0;
  unsigned turned_ = 0;
};

}  // namespace

bool build_literals(literal_table& table, std::span<const std::uint8_t> lengths) noexcept {
  return builder(table, literal_bits, literal_symbols).build(lengths, true);
}

bool build_distances(distance_table& table, std::span<const std::uint8_t> lengths) noexcept {
  return builder(table, distance_bits, distance_symbols).build(lengths, true);
}

bool build_precode(distance_table& table, std::span<const std::uint8_t, precode_symbols> lengths) noexcept {
  return builder(table, precode_bits, precode_meanings).build(lengths, false);
}

const fixed_codes& fixed_codes::get() noexcept {
  static const fixed_codes all = [] {
    fixed_codes made;
    std::array<std::uint8_t, most_literals> lengths{};
    for (std::size_t i = 0; i < lengths.size(); ++i)
      lengths[i] = static_cast<std::uint8_t>(i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8);
    build_literals(made.literals, lengths);
    std::array<std::uint8_t, most_distances> five{};
    five.fill(5);
    build_distances(made.distances, five);
    return made;
  }();
  return all;
}

}  // namespace ext::detail
HAWSER_END
