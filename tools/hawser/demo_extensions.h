// Two small extensions to try things out with: `hawser --extension x-rot13 --extension x-checksum`.
#pragma once

#include <hawser/core/extension.h>
#include <hawser/ext/message_extension.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace hawser::demo {

/// Turns every ASCII letter by thirteen places, which is its own inverse.
inline void rotate(byte_span message) {
  for (std::byte& b : message) {
    const auto c = std::to_integer<unsigned>(b);
    const unsigned small = c | 0x20U;
    if (small < 'a' || small > 'z') continue;
    b = static_cast<std::byte>(c - small + 'a' + (small - 'a' + 13) % 26);
  }
}

/// `x-rot13`: RSV2 marks messages whose ASCII letters are rotated. Depth 1: two functions on whole messages.
inline ext::message_extension rot13() {
  return ext::message_extension("x-rot13", rsv::two).encode(rotate).decode(rotate);
}

/// CRC-32 as in zlib and Ethernet, byte by byte.
class crc32 {
 public:
  void add(byte_view bytes) noexcept {
    for (const std::byte b : bytes)
      state_ = table[(state_ ^ std::to_integer<std::uint32_t>(b)) & 0xFFU] ^ (state_ >> 8);
  }
  [[nodiscard]] std::uint32_t value() const noexcept { return ~state_; }

 private:
  static constexpr std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < made.size(); ++i) {
      made[i] = i;
      for (int bit = 0; bit < 8; ++bit)
        made[i] = (made[i] >> 1) ^ ((made[i] & 1U) != 0 ? 0xEDB88320U : 0U);
    }
    return made;
  }();

  std::uint32_t state_ = 0xFFFFFFFFU;
};

/// Adds four bytes, the CRC-32 of the payload, and checks them at the other end. It only looks at the bytes on their
/// way, so it copies and keeps nothing.
class checksum_stage {
 public:
  static constexpr unsigned hooks = hook::observe | hook::suffix;
  static constexpr std::uint8_t bit = static_cast<std::uint8_t>(rsv::three);

  verdict begin(direction way, head& h, context&) {
    at(way) = crc32();
    h.rsv ^= bit;  // Set on the way out; it was set when a message comes here on its way in.
    return verdict::observe.suffix(4);
  }
  void observe(direction way, byte_view chunk, bool, context&) { at(way).add(chunk); }
  void suffix(direction way, byte_span bytes, context& c) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const auto expected = static_cast<std::byte>(at(way).value() >> (24 - 8 * i) & 0xFFU);
      if (way == direction::out)
        bytes[i] = expected;
      else if (bytes[i] != expected)
        return c.fail(close_code::invalid_payload, "checksum mismatch");
    }
  }

 private:
  crc32& at(direction way) { return running_[static_cast<std::size_t>(way)]; }
  std::array<crc32, 2> running_;
};

/// `x-checksum`: RSV3 marks messages that end in their CRC-32, big-endian. Depth 2: a stage.
struct checksum {
  [[nodiscard]] static std::string_view name() { return "x-checksum"; }
  [[nodiscard]] std::vector<params> offers() const { return {{}}; }
  [[nodiscard]] std::optional<accepted<checksum_stage>> confirm(const params& terms) const {
    if (!terms.empty()) return std::nullopt;
    claims uses;
    uses.rsv = checksum_stage::bit;
    uses.in_needs_rsv = true;
    return accepted<checksum_stage>{terms, uses, {}};
  }
};

}  // namespace hawser::demo
