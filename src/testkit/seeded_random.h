// Random numbers that are the same on every machine and with every standard library.
#pragma once

#include <hawser/base/bytes.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

HAWSER_BEGIN
namespace testkit {

/// A splitmix64 generator. Checks and tests print their seed, so that a failure can be run again.
class seeded_random {
 public:
  explicit seeded_random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31);
  }

  /// A number in [0, end). `end` is small against 2^64, so the bias does not matter here.
  std::size_t below(std::size_t end) noexcept { return static_cast<std::size_t>(next() % end); }

  /// A number in [from, to].
  std::size_t between(std::size_t from, std::size_t to) noexcept { return from + below(to - from + 1); }

  /// True once in `n` calls on average.
  bool one_in(std::size_t n) noexcept { return below(n) == 0; }

  std::vector<std::byte> bytes(std::size_t n) {
    std::vector<std::byte> out(n);
    for (std::byte& b : out)
      b = static_cast<std::byte>(next() & 0xFF);
    return out;
  }

 private:
  std::uint64_t state_;
};

}  // namespace testkit
HAWSER_END
