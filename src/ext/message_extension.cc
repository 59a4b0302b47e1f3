#include "ext/parameters.h"

#include <hawser/ext/message_extension.h>

#include <algorithm>
#include <cstring>
#include <string>

HAWSER_BEGIN
namespace ext {

bool byte_sink::append(byte_view bytes) {
  const std::size_t have = made_.size();
  if (over_ || bytes.size() > limit_ - have) {
    over_ = true;
    return false;
  }
  if (!made_ || made_.back_room() < bytes.size()) {
    const std::size_t need = have + bytes.size();
    buffer larger =
        context_.take_buffer(std::max(need, static_cast<std::size_t>(std::min<std::uint64_t>(2 * need, limit_))));
    if (have != 0) std::memcpy(larger.data(), made_.data(), have);
    larger.resize(have);
    made_ = std::move(larger);
  }
  made_.resize(have + bytes.size());
  if (!bytes.empty()) std::memcpy(made_.data() + have, bytes.data(), bytes.size());
  return true;
}

namespace detail {

namespace {

// The bytes of a message that nobody else looks at.
buffer unshared(buffer body, context& c) {
  if (body && body.sole_owner()) return body;
  buffer copy = c.take_buffer(body.size());
  std::ranges::copy(body.view(), copy.data());
  return copy;
}

std::string over_its_claim(std::size_t taken, std::uint64_t most) {
  return "its encode makes more than " + std::to_string(most) + " bytes of " + std::to_string(taken) +
         ": say what it adds by message_extension::adds";
}

}  // namespace

verdict message_stage::begin(direction way, head& h, context&) {
  if ((way == direction::out ? encode_ : decode_) == nullptr) return verdict::bypass;
  if (way == direction::in) h.rsv = static_cast<std::uint8_t>(h.rsv & ~bit_);
  return verdict::whole;
}

void message_stage::whole(direction way, const head& h, buffer body, context& c) {
  const coder& with = way == direction::out ? *encode_ : *decode_;
  if (!with.rewrites) body = unshared(std::move(body), c);
  const std::uint64_t claimed = way == direction::out ? claims::most_made(adds_, body.size()) : ~std::uint64_t{0};
  const std::uint64_t limit = c.limit(way);
  byte_sink out(c, std::min(limit, claimed));
  const bool ok = with.run(body.span(), out);
  if (out.over() && claimed < limit) return c.breach(over_its_claim(body.size(), claimed));
  if (out.over()) return c.fail(close_code::message_too_big, "message over the size limit");
  if (!ok && way == direction::in) return c.fail(close_code::invalid_payload, "the message cannot be decoded");
  if (!ok && bit_ == 0) return c.fail(close_code::internal_error, "the message cannot be encoded");
  head going = h;
  if (ok && with.rewrites) {
    body = out.take();
    if (!body) body = c.take_buffer(0);
  }
  if (ok && way == direction::out) going.rsv |= bit_;
  if (!c.forward(way, going, std::move(body))) c.fail(close_code::policy_violation, "too many messages wait");
}

}  // namespace detail

message_extension::message_extension(std::string name, rsv bit)
    : name_(std::move(name)), bit_(static_cast<std::uint8_t>(bit)) {}

message_extension message_extension::adds(std::uint16_t bytes) const {
  message_extension with = *this;
  with.adds_ = bytes;
  return with;
}

std::optional<accepted<detail::message_stage>> message_extension::confirm(const params& terms, std::string& why) const {
  if (!detail::is_empty(terms, why)) return std::nullopt;
  claims uses;
  uses.rsv = bit_;
  uses.in_needs_rsv = bit_ != 0;
  const bool rewrites = encode_ != nullptr && encode_->rewrites;
  uses.adds_max = adds_.value_or(rewrites ? claims::grows : std::uint16_t{0});
  uses.idle_state = false;
  return accepted<detail::message_stage>{terms, uses, {bit_, uses.adds_max, encode_, decode_}};
}

}  // namespace ext
HAWSER_END
