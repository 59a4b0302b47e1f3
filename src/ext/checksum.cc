#include "ext/parameters.h"

#include <hawser/core/crc32c.h>
#include <hawser/ext/checksum.h>

#include <algorithm>

HAWSER_BEGIN
namespace ext {

namespace {

constexpr auto mark = static_cast<std::uint8_t>(rsv::three);

std::array<std::byte, 4> as_sent(std::uint32_t sum) noexcept {
  std::array<std::byte, 4> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(sum >> (24 - 8 * i) & 0xFFU);
  return bytes;
}

}  // namespace

namespace detail {

verdict checksum_stage::begin(direction way, head& h, context&) {
  sums_[static_cast<std::size_t>(way)] = 0;
  h.rsv ^= mark;  // Set on the way out; inwards only messages that have it come here.
  return verdict::observe.suffix(4);
}

void checksum_stage::observe(direction way, byte_view chunk, bool, context&) {
  std::uint32_t& sum = sums_[static_cast<std::size_t>(way)];
  sum = core::crc32c(chunk, sum);
}

void checksum_stage::suffix(direction way, byte_span sum, context& c) {
  const std::array<std::byte, 4> right = as_sent(sums_[static_cast<std::size_t>(way)]);
  if (way == direction::out)
    std::ranges::copy(right, sum.begin());
  else if (!std::ranges::equal(right, sum))
    c.fail(close_code::invalid_payload, "checksum mismatch");
}

}  // namespace detail

std::optional<accepted<detail::checksum_stage>> checksum::confirm(const params& terms, std::string& why) const {
  if (!detail::is_empty(terms, why)) return std::nullopt;
  claims uses;
  uses.rsv = mark;
  uses.in_needs_rsv = true;
  uses.idle_state = false;
  return accepted<detail::checksum_stage>{{}, uses, {}};
}

}  // namespace ext
HAWSER_END
