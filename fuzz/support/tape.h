// The input of a fuzz target that makes decisions of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace hawser::fuzz {

/// The input, a byte at a time; zeros when it is used up, which every decision takes for "nothing special".
class tape {
 public:
  tape(const std::uint8_t* data, std::size_t size) noexcept : at_(data), end_(data + size) {}
  std::uint8_t next() noexcept { return at_ == end_ ? 0 : *at_++; }
  std::size_t below(std::size_t n) noexcept { return next() % n; }
  [[nodiscard]] bool done() const noexcept { return at_ == end_; }

  /// One of these.
  template <class T, std::size_t N>
  T pick(const std::array<T, N>& of) noexcept {
    return of[below(N)];
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

}  // namespace hawser::fuzz
