#include "core/frame_layer.h"
#include "core/pipeline_state.h"

#include <algorithm>

HAWSER_BEGIN

namespace {

constexpr std::size_t max_control = 125;  // RFC 6455, 5.5

bool bit_of(std::uint16_t set, std::uint8_t opcode) noexcept { return opcode < 16 && (set >> opcode & 1U) != 0; }

}  // namespace

role context::side() const noexcept { return owner_->state_->side; }
std::uint64_t context::connection_id() const noexcept { return owner_->state_->id; }
tick context::now() const noexcept { return owner_->state_->now; }
std::uint64_t context::limit(direction way) const noexcept { return owner_->state_->limit_behind(stage_, way); }

void context::arm(tick when) noexcept {
  core::pipeline::state& s = *owner_->state_;
  if (s.over) return;
  s.slots[stage_].deadline = when;
  s.refresh_deadline();
}

void context::disarm() noexcept { arm(no_deadline); }

bool context::emit_control(std::uint8_t opcode, byte_view payload) noexcept {
  core::pipeline::state& s = *owner_->state_;
  if (s.over || s.failed || !s.opened) return false;
  return s.attempt(stage_, [&] {
    if (opcode < 8 || !bit_of(s.slots[stage_].own_opcodes, opcode)) {
      s.breach(stage_, "emit_control of opcode " + std::to_string(opcode) + ", which it did not claim");
      return false;
    }
    if (payload.size() > max_control) {
      s.breach(stage_,
               "emit_control of " + std::to_string(payload.size()) + " bytes; a control frame holds at most 125");
      return false;
    }
    // A close frame that waits for queued messages has not gone yet: the peer may need a word to let them come.
    const bool closing = s.closing && (s.frames == nullptr || !s.frames->close_waits);
    if (closing || s.works.size() >= s.limits.work) return false;
    buffer body = s.pool->take(payload.size());
    std::copy(payload.begin(), payload.end(), body.span().begin());
    s.works.push_back({core::pipeline::work::kind::control, opcode, direction::out, stage_, {}, std::move(body), {}});
    return true;
  });
}

bool context::forward(direction way, const head& h, buffer body) noexcept {
  core::pipeline::state& s = *owner_->state_;
  if (s.over || s.failed || !s.opened) return false;
  std::uint8_t bits = 0;  // What may be set behind this stage. Inwards, a bit that nobody claims is the peer's fault.
  for (std::size_t i = 0; i <= stage_; ++i)
    bits |= s.slots[i].rsv;
  const bool own = way == direction::out && h.opcode < 8 && bit_of(s.slots[stage_].own_opcodes, h.opcode);
  const bool data = own || h.opcode == 1 || h.opcode == 2;
  if (!data || (way == direction::out && (h.rsv & ~bits) != 0)) {
    s.breach(stage_, "forward of a message with an opcode or RSV bit that is not its own");
    return false;
  }
  if (body.size() > s.limit_behind(stage_, way)) {
    s.fail(stage_, close_code::message_too_big, errc::message_too_big, "message over the size limit");
    return false;
  }
  if ((way == direction::out && s.closing) || s.works.size() >= s.limits.work || !s.may_forward(way)) return false;
  head going = h;
  going.sized = 1;
  going.size = body.size();
  return s.attempt(stage_, [&] {
    s.works.push_back({core::pipeline::work::kind::forward, h.opcode, way, stage_, going, std::move(body), {}});
    if (way == direction::in) s.works.back().noted = s.noted;  // Of the message that it was, if it was one.
    if (way == direction::out) s.room_out -= std::min(s.room_out, static_cast<std::size_t>(going.size));
    return true;
  });
}

void context::hold_sending(bool held) noexcept {
  core::pipeline::state& s = *owner_->state_;
  if (s.over || s.slots[stage_].holds == held) return;
  s.slots[stage_].holds = held;
  owner_->holding_ += held ? 1 : std::uint32_t{0} - 1;
  owner_->released_ = (owner_->holding_ & ~core::pipeline::asks) == 0;
}

void context::receipts(std::uint64_t sent, std::uint64_t proved) noexcept {
  owner_->state_->sent_on = sent;
  owner_->state_->proved = proved;
}

void context::note(byte_view bytes) noexcept {
  core::pipeline::state& s = *owner_->state_;
  if (s.over || s.failed) return;
  s.attempt(stage_, [&] {
    if (bytes.size() > max_note) {
      s.breach(stage_, "note of " + std::to_string(bytes.size()) + " bytes; it holds at most 32");
      return false;
    }
    s.noted.set(s.agreed[stage_].name, bytes);
    s.at(direction::in).used = true;  // There is something to forget with this message.
    return true;
  });
}

void context::fail(close_code code, std::string_view why) noexcept {
  core::pipeline::state& s = *owner_->state_;
  if (s.over || s.failed) return;
  if (code == close_code::mandatory_extension || !may_send(static_cast<std::uint16_t>(code), s.side)) {
    s.attempt(stage_, [&] {
      s.breach(stage_, "fail with code " + std::to_string(static_cast<unsigned>(code)) + ", which may not be sent");
      return true;
    });
    return;
  }
  errc error = errc::extension_failed;
  if (code == close_code::invalid_payload) error = errc::corrupt_data;
  if (code == close_code::message_too_big) error = errc::message_too_big;
  if (code == close_code::internal_error) error = errc::extension_threw;  // Nothing that the peer can mend.
  s.fail(stage_, code, error, why);
}

void context::breach(std::string_view what) noexcept { owner_->state_->breach(stage_, what); }

bool context::charge(std::ptrdiff_t bytes) noexcept {
  core::pipeline::state& s = *owner_->state_;
  std::size_t& mine = s.slots[stage_].charged;
  if (bytes < 0) {
    const std::size_t back = std::size_t{0} - static_cast<std::size_t>(bytes);
    if (back > mine) {
      s.breach(stage_, "gave back more memory than it charged");
      return false;
    }
    mine -= back;
    s.charged -= back;
    return true;
  }
  const auto more = static_cast<std::size_t>(bytes);
  if (more > s.limits.memory - s.charged) return false;
  mine += more;
  s.charged += more;
  return true;
}

std::size_t context::room(direction way) const noexcept {
  const core::pipeline::state& s = *owner_->state_;
  if (s.over || s.failed || (way == direction::out && s.closing)) return 0;
  if (way == direction::out) return s.room_out;
  return s.limits.memory - static_cast<std::size_t>(std::min<std::uint64_t>(s.limits.memory, s.waiting_in()));
}

buffer context::take_buffer(std::size_t size) { return owner_->state_->pool->take(size); }

void* context::take_from_shelf(const void* tag, std::uint64_t key) noexcept {
  core::shelf* lent = owner_->state_->lent;
  return lent != nullptr ? lent->take(tag, key) : nullptr;
}

void context::put_on_shelf(const core::shelf::object& o) noexcept {
  core::shelf* lent = owner_->state_->lent;
  if (lent != nullptr) return lent->put(o);
  o.destroy(o.what);
}

HAWSER_END
