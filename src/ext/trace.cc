#include "ext/parameters.h"

#include <hawser/ext/trace.h>

#include <algorithm>
#include <limits>

HAWSER_BEGIN
namespace ext {

namespace {

constexpr auto mark = static_cast<std::uint8_t>(rsv::two);
constexpr std::uint8_t no_version = 0xFF;
constexpr std::uint8_t known_flags = trace_context::sampled_flag | trace_context::random_id_flag;
constexpr std::size_t text_size = 55;  // 2-32-16-2 digits with a dash between.

template <std::size_t N>
bool all_zero(const std::array<std::byte, N>& id) noexcept {
  return std::ranges::all_of(id, [](std::byte b) { return b == std::byte{0}; });
}

// Lower case only, as 3.2.2 wants it. Nothing else is a digit.
int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool read_hex(std::string_view text, byte_span to) noexcept {
  for (std::size_t i = 0; i < to.size(); ++i) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    to[i] = static_cast<std::byte>(high * 16 + low);
  }
  return true;
}

void write_hex(byte_view bytes, std::string& to) {
  constexpr char digits[] = "0123456789abcdef";
  for (const std::byte b : bytes) {
    to += digits[std::to_integer<unsigned>(b) >> 4];
    to += digits[std::to_integer<unsigned>(b) & 0xFU];
  }
}

}  // namespace

bool trace_context::valid() const noexcept { return !all_zero(trace_id) && !all_zero(parent_id); }

std::string trace_context::traceparent() const {
  std::string text = "00-";
  text.reserve(text_size);
  write_hex(trace_id, text);
  text += '-';
  write_hex(parent_id, text);
  text += '-';
  const std::byte known{static_cast<std::uint8_t>(flags & known_flags)};
  write_hex({&known, 1}, text);
  return text;
}

// 3.2.2: a later version may have more behind a dash; of this one there is no more.
std::optional<trace_context> trace_context::parse(std::string_view text) {
  if (text.size() < text_size || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  std::array<std::byte, detail::trace_size> wire;
  const byte_span bytes(wire);
  if (!read_hex(text, bytes.first(1)) || !read_hex(text.substr(3), bytes.subspan(1, 16)) ||
      !read_hex(text.substr(36), bytes.subspan(17, 8)) || !read_hex(text.substr(53), bytes.subspan(25, 1)))
    return std::nullopt;
  if (text.size() > text_size && (wire[0] == std::byte{0} || text[text_size] != '-')) return std::nullopt;
  return detail::from_wire(bytes);
}

namespace detail {

std::array<std::byte, trace_size> to_wire(const trace_context& c) noexcept {
  std::array<std::byte, trace_size> bytes{};  // The version is 0.
  std::ranges::copy(c.trace_id, bytes.begin() + 1);
  std::ranges::copy(c.parent_id, bytes.begin() + 17);
  bytes[25] = static_cast<std::byte>(c.flags & known_flags);
  return bytes;
}

std::optional<trace_context> from_wire(byte_view bytes) noexcept {
  if (bytes.size() != trace_size || bytes[0] == std::byte{no_version}) return std::nullopt;
  trace_context c;
  std::ranges::copy(bytes.subspan(1, 16), c.trace_id.begin());
  std::ranges::copy(bytes.subspan(17, 8), c.parent_id.begin());
  // What other bits will mean is not known yet; they are not to be passed on (3.2.2.5).
  c.flags = std::to_integer<std::uint8_t>(bytes[25]) & known_flags;
  return c.valid() ? std::optional(c) : std::nullopt;
}

verdict trace_stage::begin(direction way, head& h, context& c) {
  if (way == direction::out) {
    if (!source_) return verdict::bypass;
    const std::optional<trace_context> now = (*source_)(c.connection_id());
    if (!now || !now->valid()) return verdict::bypass;
    going_ = *now;
  }
  h.rsv ^= mark;  // Set on the way out; inwards only messages that have it come here.
  return verdict::observe.prefix(trace_size);
}

void trace_stage::prefix(direction way, byte_span bytes, context& c) {
  if (way == direction::out) {
    std::ranges::copy(to_wire(going_), bytes.begin());
    return;
  }
  if (!from_wire(bytes)) return c.fail(close_code::protocol_error, "malformed trace context");
  c.note(bytes);
}

}  // namespace detail

std::optional<accepted<detail::trace_stage>> trace::confirm(const params& terms, std::string& why) const {
  if (!detail::is_empty(terms, why)) return std::nullopt;
  claims uses;
  uses.rsv = mark;
  uses.in_needs_rsv = true;
  uses.idle_state = false;
  if (!source_) uses.out_min_size = std::numeric_limits<std::uint64_t>::max();
  return accepted<detail::trace_stage>{{}, uses, detail::trace_stage(source_)};
}

}  // namespace ext
HAWSER_END
