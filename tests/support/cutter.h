// The same bytes as the network may bring them: whole, byte by byte, and cut at random.
#pragma once

#include "support/seeded_random.h"

#include <gtest/gtest.h>
#include <hawser/base/bytes.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hawser::test {

/// A byte string in pieces. Every piece is an allocation of exactly its size, so that AddressSanitizer sees a step over
/// its end. No piece is empty.
struct cutting {
  std::string name;  ///< How it was cut, with the seed: printed when a test fails.
  std::vector<std::vector<std::byte>> pieces;
};

/// `bytes` in pieces of sizes that `next_size` chooses; what it returns is brought into [1, rest].
template <class NextSize>
cutting cut(byte_view bytes, std::string name, NextSize next_size) {
  cutting made{std::move(name), {}};
  while (!bytes.empty()) {
    const std::size_t n = std::clamp<std::size_t>(next_size(), 1, bytes.size());
    made.pieces.emplace_back(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    bytes = bytes.subspan(n);
  }
  return made;
}

/// `bytes` cut at random: some cuttings have many tiny pieces, some few large ones.
inline cutting cut_at_random(byte_view bytes, std::uint64_t seed) {
  seeded_random random(seed);
  const std::size_t longest = std::size_t{1} << random.between(1, 16);
  return cut(bytes, "cut at random with seed " + std::to_string(seed), [&] { return random.between(1, longest); });
}

/// Calls `run(std::span<const byte_span> pieces)` for `bytes` whole, byte by byte and cut at random in `random_cuts`
/// ways whose seeds are `first_seed` and the following. The pieces may be changed in place. `run` starts from a fresh
/// object each time; a failure inside it names the cutting.
template <class Run>
void in_every_cutting(byte_view bytes, Run&& run, int random_cuts = 16, std::uint64_t first_seed = 6455) {
  const auto with = [&](cutting made) {
    SCOPED_TRACE(made.name);
    std::vector<byte_span> spans(made.pieces.begin(), made.pieces.end());
    run(std::span<const byte_span>(spans));
  };
  with(cut(bytes, "whole", [&] { return bytes.size(); }));
  with(cut(bytes, "byte by byte", [] { return std::size_t{1}; }));
  for (int i = 0; i < random_cuts; ++i)
    with(cut_at_random(bytes, first_seed + static_cast<std::uint64_t>(i)));
}

}  // namespace hawser::test
