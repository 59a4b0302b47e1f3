#include "ext/parameters.h"

#include <hawser/ext/priority.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <numeric>
#include <string>

HAWSER_BEGIN
namespace ext {

namespace {

constexpr std::uint8_t opcode_of_grant = 15;
constexpr std::uint64_t first_bytes = 16U << 10;  // Of each message: they count against nobody's memory.
constexpr std::uint64_t least_frame = 4096;       // Shorter ones count as fragments, and are not worth their headers.
constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
constexpr auto try_again = std::chrono::milliseconds(25);

constexpr std::uint64_t counted(std::uint64_t bytes) noexcept { return bytes - std::min(bytes, first_bytes); }

// What is not there is as by default. Nothing: one is unknown, there twice, or out of range.
std::optional<detail::priority_terms> read(const params& from, std::string& why) {
  detail::priority_terms terms;
  for (const param& p : from) {
    const bool is_window = p.name == "window";
    if (!is_window && p.name != "memory") {
      detail::say_unknown(p, why);
      return std::nullopt;
    }
    if (!detail::is_first(from, p, why)) return std::nullopt;
    const std::uint32_t least = is_window ? priority::least_window : priority::least_memory;
    const auto number = detail::number_of(p, least, priority::most, why);
    if (!number) return std::nullopt;
    (is_window ? terms.window : terms.memory) = *number;
  }
  return terms;
}

}  // namespace

namespace detail {

// ---- messages half-way

void half_way_bytes::add(std::uint32_t channel, std::uint64_t bytes, bool fin) noexcept {
  open_[channel] = !fin;
  passed_[channel] = fin ? 0 : passed_[channel] + bytes;
}

std::uint64_t half_way_bytes::beside() const noexcept {
  std::uint64_t all = 0;
  std::uint64_t largest = 0;
  for (const std::uint64_t bytes : passed_) {
    all += counted(bytes);
    largest = std::max(largest, counted(bytes));
  }
  return all - largest;
}

std::uint64_t half_way_bytes::room(std::optional<std::uint32_t> channel, std::uint64_t memory) const noexcept {
  std::uint64_t others = 0;
  std::uint64_t largest = 0;
  for (std::uint32_t n = 0; n < max_half_way; ++n) {
    if (n == channel) continue;
    others += counted(passed_[n]);
    largest = std::max(largest, counted(passed_[n]));
  }
  if (others <= memory) return unlimited;  // It may become the largest itself.
  const std::uint64_t taken = others - largest;
  const std::uint64_t up_to = first_bytes + (memory > taken ? memory - taken : 0);
  const std::uint64_t has = channel ? passed_[*channel] : 0;
  return up_to > has ? up_to - has : 0;
}

std::size_t half_way_bytes::count() const noexcept {
  return static_cast<std::size_t>(std::count(open_.begin(), open_.end(), true));
}

// ---- in

std::size_t priority_stage::frame_in(frame& f, byte_view first, context& c) {
  if (first.empty()) return 1;
  f.channel = std::to_integer<std::uint32_t>(first[0]);
  if (f.channel >= max_half_way) {
    f.channel = 0;
    c.fail(close_code::protocol_error, "no such channel");
    return 1;
  }
  const char* wrong = account(f, f.size - 1);
  if (wrong != nullptr)
    c.fail(close_code::protocol_error, wrong);
  else if (!charge_halves(c))
    c.fail(close_code::policy_violation, "more is half-way than may be kept");
  else if (unreported_ >= ours_.window / 4)
    grant(c);
  return 1;
}

// What a frame makes of the accounts. A text: why it must not. Behind our close frame, credit is not asked for.
const char* priority_stage::account(const frame& f, std::uint64_t size) {
  if (size > granted_ && !closing_) return "more than was granted";
  granted_ -= std::min(size, granted_);
  unreported_ += size;
  in_.add(f.channel, size, f.fin != 0);
  return in_.beside() > ours_.memory ? "too much half-way beside the largest message" : nullptr;
}

bool priority_stage::charge_halves(context& c) {
  const std::uint64_t now = in_.beside();
  if (!c.charge(static_cast<std::ptrdiff_t>(now) - static_cast<std::ptrdiff_t>(charged_))) return false;
  charged_ = now;
  return true;
}

void priority_stage::grant(context& c) {
  std::array<std::byte, 4> more;
  for (std::size_t i = 0; i < more.size(); ++i)
    more[i] = static_cast<std::byte>(unreported_ >> (24 - 8 * i) & 0xFFU);
  if (c.emit_control(opcode_of_grant, more)) {
    granted_ += unreported_;
    unreported_ = 0;
    return c.disarm();
  }
  if (!closing_) c.arm(c.now() + try_again);  // What waits in front has to leave.
}

void priority_stage::timer(context& c) {
  if (unreported_ > 0) grant(c);
}

void priority_stage::flush(context& c) {
  closing_ = true;
  c.disarm();
}

void priority_stage::closed(close_code, context& c) {
  c.charge(-static_cast<std::ptrdiff_t>(charged_));
  charged_ = 0;
}

// ---- out

std::size_t priority_stage::frame_out(const frame& f, byte_span room, context&) {
  credit_ -= std::min(credit_, f.size);
  out_.add(f.channel, f.size, f.fin != 0);
  room[0] = static_cast<std::byte>(f.channel);
  return 1;
}

// Large messages leave something for the small ones: a quarter of the window, and a channel. All wait for enough for a
// frame, which comes: what is missing then is on the way, and more than a quarter. From a peer that has closed nothing
// comes, and it lets everything come.
std::uint64_t priority_stage::frame_quota(const frame& f, context&) const noexcept {
  const bool is_small = (f.urgency & 1U) != 0;
  const bool begins = f.opcode != 0;
  if (begins && !is_small && out_.count() + 1 >= max_half_way) return 0;
  const std::uint64_t reserve = is_small ? 0 : theirs_.window / 4;
  const std::uint64_t room = out_.room(begins ? std::nullopt : std::optional(f.channel), theirs_.memory);
  const std::uint64_t credit = f.peer_closed != 0 ? unlimited : credit_;
  const std::uint64_t may = std::min(credit - std::min(credit, reserve), room);
  return may < std::min(f.size, least_frame) ? 0 : may;
}

// The sender's word first; then what is small. A size that is not known is not.
std::uint32_t priority_stage::frame_urgency(const head& h, context&) const noexcept {
  const bool is_small = h.sized != 0 && h.size <= small_;
  return h.priority * 2U + (is_small ? 1U : 0U);
}

void priority_stage::control(std::uint8_t, byte_view payload, context& c) {
  const std::uint64_t more =
      std::accumulate(payload.begin(), payload.end(), std::uint64_t{0},
                      [](std::uint64_t n, std::byte b) { return n << 8 | std::to_integer<std::uint64_t>(b); });
  if (payload.size() != 4 || more == 0 || more > theirs_.window - credit_)
    return c.fail(close_code::protocol_error, "a grant of what was not sent");
  credit_ += more;
}

}  // namespace detail

// ---- negotiation

priority priority::window(std::uint32_t bytes) const {
  priority with = *this;
  with.ours_.window = std::clamp(bytes, least_window, most);
  return with;
}

priority priority::memory(std::uint32_t bytes) const {
  priority with = *this;
  with.ours_.memory = std::clamp(bytes, least_memory, most);
  return with;
}

priority priority::small(std::uint64_t bytes) const {
  priority with = *this;
  with.small_ = bytes;
  return with;
}

std::vector<params> priority::offers() const {
  return {{{"window", std::to_string(ours_.window)}, {"memory", std::to_string(ours_.memory)}}};
}

std::optional<accepted<detail::priority_stage>> priority::confirm(const params& theirs, std::string& why) const {
  const std::optional<detail::priority_terms> terms = read(theirs, why);
  if (!terms) return std::nullopt;
  claims uses;
  uses.at = layer::frame;
  uses.opcodes = 1U << opcode_of_grant;
  uses.opcodes_of_interest = 0;
  uses.ext_data_max = 1;
  uses.per_frame = true;
  uses.interleaves = true;
  uses.reorders = true;
  return accepted<detail::priority_stage>{offers().front(), uses, detail::priority_stage(*terms, ours_, small_)};
}

}  // namespace ext
HAWSER_END
