// An extension with a stage of its own: four bytes behind each message, its CRC-32, big-endian.
#pragma once

#include <hawser/core/extension.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

// It only looks at the bytes as they pass; the library holds the edge, so nothing is copied.
class checksum_stage {
 public:
  static constexpr unsigned hooks = hawser::hook::observe | hawser::hook::suffix;

  hawser::verdict begin(hawser::direction way, hawser::head& h, hawser::context&) {
    if (way == hawser::direction::in && (h.rsv & 1U) == 0) return hawser::verdict::bypass;
    h.rsv ^= 1U;  // RSV3 marks what has a checksum: set on the way out, taken off on the way in.
    crc(way) = ~0U;
    return hawser::verdict::observe.suffix(4);
  }
  void observe(hawser::direction way, hawser::byte_view chunk, bool, hawser::context&) {
    for (const std::byte b : chunk) {
      crc(way) ^= std::to_integer<unsigned>(b);
      for (int bit = 0; bit < 8; ++bit)
        crc(way) = crc(way) >> 1 ^ ((crc(way) & 1U) != 0 ? 0xEDB88320U : 0U);
    }
  }
  void suffix(hawser::direction way, hawser::byte_span edge, hawser::context& cx) {
    std::array<std::byte, 4> sum{};
    for (unsigned i = 0; i < 4; ++i)
      sum[i] = static_cast<std::byte>(~crc(way) >> (24 - 8 * i) & 0xFFU);
    if (way == hawser::direction::out) std::copy(sum.begin(), sum.end(), edge.begin());
    if (way == hawser::direction::in && !std::equal(sum.begin(), sum.end(), edge.begin()))
      cx.fail(hawser::close_code::invalid_payload, "the checksum is wrong");
  }

 private:
  std::uint32_t& crc(hawser::direction way) { return crc_[static_cast<std::size_t>(way)]; }
  std::array<std::uint32_t, 2> crc_{};
};

// Offers x-checksum without parameters, and agrees to it only so.
struct checksum {
  static constexpr std::string_view name() { return "x-checksum"; }
  static std::vector<hawser::params> offers() { return {{}}; }
  static std::optional<hawser::accepted<checksum_stage>> confirm(const hawser::params& terms) {
    if (!terms.empty()) return std::nullopt;
    hawser::claims uses;
    uses.rsv = 1;
    uses.in_needs_rsv = true;
    uses.idle_state = false;
    return hawser::accepted<checksum_stage>{{}, uses, {}};
  }
};
