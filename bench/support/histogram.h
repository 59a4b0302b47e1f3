#pragma once
/// A latency histogram of fixed size: each power of two is cut into 64 equal steps, so a figure is off by 0.8 % at
/// most.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace bench {

class histogram {
 public:
  void add(std::uint64_t nanoseconds, std::uint64_t times) {
    counts_[slot_of(nanoseconds)] += times;
    total_ += times;
  }

  [[nodiscard]] bool empty() const { return total_ == 0; }

  /// The middle of the step that holds the given share (0 to 1) of the samples, in microseconds; 0 without samples.
  [[nodiscard]] double percentile_us(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t passed = 0;
    for (std::size_t slot = 0; slot < counts_.size(); ++slot) {
      passed += counts_[slot];
      if (passed > wanted) return middle_of(slot) / 1000.0;
    }
    return 0;
  }

 private:
  static constexpr unsigned step_bits = 6;
  static constexpr std::uint64_t steps = 1U << step_bits;

  // Values below 64 have a slot each; above, `scale` halvings bring a value into 64..127.
  static std::size_t slot_of(std::uint64_t value) {
    if (value < steps) return value;
    const auto scale = static_cast<unsigned>(std::bit_width(value)) - step_bits - 1;
    return scale * steps + (value >> scale);
  }
  static double middle_of(std::size_t slot) {
    if (slot < 2 * steps) return static_cast<double>(slot);
    const std::size_t scale = slot / steps - 1;
    const std::uint64_t low = (slot - scale * steps) << scale;
    return static_cast<double>(low) + static_cast<double>(std::uint64_t{1} << scale) / 2;
  }

  std::array<std::uint64_t, (64 - step_bits + 1) * steps> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace bench
