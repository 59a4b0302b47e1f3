// Four bytes at the end of each message that tell whether it arrived as it was sent.
//
//   ws.extensions().add(hawser::ext::checksum());
//
// docs/ext/checksum.md says what for and at what cost, docs/wire/checksum.md how it looks on the wire.
#pragma once

#include <hawser/core/extension.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace ext {

namespace detail {

/// Sums the bytes of each message on their way, and writes or checks the sum at its end.
class HAWSER_API checksum_stage {
 public:
  static constexpr unsigned hooks = hook::observe | hook::suffix;

  verdict begin(direction way, head& h, context& c);
  void observe(direction way, byte_view chunk, bool fin, context& c);
  void suffix(direction way, byte_span sum, context& c);
  bool operator==(const checksum_stage&) const noexcept = default;

 private:
  std::array<std::uint32_t, 2> sums_{};
};

}  // namespace detail

/// `x-hawser-checksum`: each message ends in the CRC-32C of what comes before, and one that arrives with another sum
/// fails the connection with 1007. RSV3 marks such messages; those without it pass unchecked. Nothing is copied or
/// kept. It finds damage, not intent: whoever can change a message can change its sum.
class HAWSER_API checksum {
 public:
  /// What every factory has: see `hawser::factory`.
  [[nodiscard]] static std::string_view name() noexcept { return "x-hawser-checksum"; }
  [[nodiscard]] std::vector<params> offers() const { return {{}}; }
  [[nodiscard]] std::optional<accepted<detail::checksum_stage>> confirm(const params& terms, std::string& why) const;
};

}  // namespace ext
HAWSER_END
