#include "ext/parameters.h"

#include <hawser/ext/ack.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

HAWSER_BEGIN
namespace ext {

namespace {

constexpr std::uint8_t opcode_of_ack = 11;
constexpr std::size_t each = 64;  // What keeping a message costs beside its bytes.

std::array<std::byte, 8> as_sent(std::uint64_t count) noexcept {
  std::array<std::byte, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(count >> (56 - 8 * i) & 0xFFU);
  return bytes;
}

std::uint64_t as_received(byte_view bytes) noexcept {
  std::uint64_t count = 0;
  for (const std::byte b : bytes)
    count = count << 8 | std::to_integer<std::uint64_t>(b);
  return count;
}

// Reads parameters into what this end would do by itself; 0 stands for one that is not there. False: there is one that
// is unknown, there twice, or out of range.
bool read(const params& from, std::uint32_t& every, std::uint32_t& within_ms, std::string& why) {
  every = within_ms = 0;
  for (const param& p : from) {
    const bool is_every = p.name == "every";
    if (!is_every && p.name != "within") {
      detail::say_unknown(p, why);
      return false;
    }
    if (!detail::is_first(from, p, why)) return false;
    const auto number = detail::number_of(p, 1, is_every ? ack::most_every : ack::most_within_ms, why);
    if (!number) return false;
    (is_every ? every : within_ms) = *number;
  }
  return true;
}

params written(const detail::ack_terms& t) {
  return {{"every", std::to_string(t.every)}, {"within", std::to_string(t.within_ms)}};
}

accepted<detail::ack_stage> agreed(const detail::ack_terms& terms) {
  claims uses;
  uses.opcodes = 1U << opcode_of_ack;
  uses.ordered = true;
  uses.replays = true;
  return {written(terms), uses, detail::ack_stage(terms)};
}

}  // namespace

namespace detail {

verdict ack_stage::begin(direction way, head&, context&) {
  return way == direction::out ? verdict::retain : verdict::observe;
}

// What is counted here reaches the handler before the acknowledgement leaves: nothing is sent inside a hook.
void ack_stage::observe(direction, byte_view, bool fin, context& c) {
  if (!fin) return;
  ++received_;
  if (received_ - told_ >= terms_.every) return tell(c);
  if (received_ - told_ == 1) c.arm(c.now() + std::chrono::milliseconds(terms_.within_ms));
}

void ack_stage::tell(context& c) {
  if (c.emit_control(opcode_of_ack, as_sent(received_))) {
    told_ = received_;
    return c.disarm();
  }
  if (!closing_) c.arm(c.now() + std::chrono::milliseconds(terms_.within_ms));  // What waits in front has to leave.
}

void ack_stage::timer(context& c) {
  if (received_ != told_) tell(c);
}

void ack_stage::flush(context& c) {
  closing_ = true;
  if (received_ != told_) tell(c);
}

void ack_stage::retained(direction, const head& h, buffer body, context& c) {
  const std::size_t bytes = body.size() + each;
  if (!c.charge(static_cast<std::ptrdiff_t>(bytes)))
    return c.fail(close_code::policy_violation, "more is not acknowledged than may be kept");
  kept_.push_back({static_cast<opcode>(h.opcode), std::move(body)});
  kept_bytes_ += bytes;
  ++sent_;
  c.receipts(sent_, proved_);
  if (kept_bytes_ >= terms_.keep) c.hold_sending(true);
}

void ack_stage::control(std::uint8_t, byte_view payload, context& c) {
  const std::uint64_t count = as_received(payload);
  if (payload.size() != sizeof count) return c.fail(close_code::protocol_error, "an acknowledgement is of 8 bytes");
  if (count <= proved_ || count > sent_)
    return c.fail(close_code::protocol_error, "acknowledgement of what was not sent or is acknowledged already");
  take_off(count - proved_, c);
  proved_ = count;
  c.receipts(sent_, proved_);
  if (kept_bytes_ <= terms_.keep / 2) c.hold_sending(false);
  if (terms_.acknowledged) (*terms_.acknowledged)(c.connection_id(), proved_);
}

// The oldest so many are let go. Their places are used again before there are many.
void ack_stage::take_off(std::uint64_t messages, context& c) {
  std::size_t bytes = 0;
  for (; messages > 0; --messages) {
    bytes += kept_[first_].payload.size() + each;
    kept_[first_++].payload = {};
  }
  kept_bytes_ -= bytes;
  c.charge(-static_cast<std::ptrdiff_t>(bytes));
  if (first_ == kept_.size()) {
    kept_.clear();
    first_ = 0;
  } else if (first_ > kept_.size() / 2) {
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void ack_stage::closed(close_code, context& c) {
  c.charge(-static_cast<std::ptrdiff_t>(kept_bytes_));
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(first_));
  for (sent_message& m : kept_)
    m.payload.share();  // It may go to another thread, or to another loop with the connection to come.
  std::vector<sent_message> left = std::exchange(kept_, {});
  kept_bytes_ = first_ = 0;
  if (terms_.ended) (*terms_.ended)(c.connection_id(), std::move(left));
}

}  // namespace detail

ack ack::every(std::uint32_t messages) const {
  ack with = *this;
  with.terms_.every = std::clamp<std::uint32_t>(messages, 1, most_every);
  return with;
}

ack ack::within(std::chrono::milliseconds time) const {
  ack with = *this;
  with.terms_.within_ms =
      static_cast<std::uint32_t>(std::clamp<std::chrono::milliseconds::rep>(time.count(), 1, most_within_ms));
  return with;
}

ack ack::keep(std::size_t bytes) const {
  ack with = *this;
  with.terms_.keep = std::max<std::size_t>(bytes, each);
  return with;
}

std::vector<params> ack::offers() const { return {written(terms_)}; }

std::optional<accepted<detail::ack_stage>> ack::accept(const std::vector<params>& all, std::string& why) const {
  for (const params& offer : all) {
    std::uint32_t every = 0;
    std::uint32_t within_ms = 0;
    if (!read(offer, every, within_ms, why)) continue;
    detail::ack_terms terms = terms_;
    if (every != 0) terms.every = std::min(terms.every, every);
    if (within_ms != 0) terms.within_ms = std::min(terms.within_ms, within_ms);
    return agreed(terms);
  }
  return std::nullopt;
}

// Both numbers must be there, and no larger than what was offered.
std::optional<accepted<detail::ack_stage>> ack::confirm(const params& answer, std::string& why) const {
  detail::ack_terms terms = terms_;
  if (!read(answer, terms.every, terms.within_ms, why) || !detail::keeps_to("every", terms.every, terms_.every, why) ||
      !detail::keeps_to("within", terms.within_ms, terms_.within_ms, why))
    return std::nullopt;
  return agreed(terms);
}

}  // namespace ext
HAWSER_END
