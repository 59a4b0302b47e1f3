// Messages out: through the stages, into frames, into the outbox. RFC 6455, 5 and 6.1.

#include "core/assembly.h"
#include "core/fast_path.h"
#include "core/pipeline_begin.h"

#include <hawser/core/connection.h>
#include <hawser/core/frame.h>
#include <hawser/core/mask.h>

#include <algorithm>
#include <array>
#include <cstring>

HAWSER_BEGIN
namespace core {

namespace {

constexpr std::size_t copy_below = fast_path::copy_below;
constexpr std::size_t block_copy_limit = std::size_t{64} << 10;  // Longer copies get a buffer of their own.
constexpr std::uint8_t fin_bit = 0x80;

bool lies_in(byte_view part, byte_view whole) noexcept {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// A whole message as its stages are to see it.
head head_of(opcode op, std::size_t size, send_options how) noexcept {
  constexpr std::uint32_t no_compression = head_flag::no_compression;
  constexpr std::uint32_t shared = head_flag::shared;
  const std::uint32_t flags = (how.compress ? 0U : no_compression) | (how.shared ? shared : 0U);
  return whole_head(static_cast<unsigned>(op), size, how.priority, flags);
}

}  // namespace

// A message is always taken when nothing waits; otherwise the backlog decides.
errc connection::admit(std::size_t size) const noexcept {
  if (state_ != state::open) return errc::closed;
  if (sending_held()) return pipeline_->is_asking() ? errc::wrong_state : errc::would_block;
  if (framed_) return admit_framed(size);
  const std::size_t waiting = out_.backlog();
  if (waiting == 0 || !out_.blocked()) return errc::ok;
  const limits& l = settings_->bounds;
  if (waiting >= l.write_soft || waiting >= l.write_hard || size > l.write_hard - waiting) return errc::would_block;
  return errc::ok;
}

errc connection::admit_message(opcode op, std::size_t size) {
  if (const errc e = admit(size); e != errc::ok) return e;
  return check_message(op);
}

errc connection::check_message(opcode op) const {
  if (state_ != state::open) return errc::closed;
  if (sending_parts_ || (pipeline_ && pipeline_->is_asking())) return errc::wrong_state;
  if (op == opcode::text || op == opcode::binary) return errc::ok;
  const auto number = static_cast<unsigned>(op);
  const bool own = pipeline_ && number < 8 && (pipeline_->wants().own_opcodes >> number & 1U) != 0;
  return own ? errc::ok : errc::invalid_argument;
}

// `fast_path::put` for a client.
void connection::put_masked(std::byte* to, std::uint8_t first, byte_view payload) noexcept {
  const std::uint32_t key = res_->keys_.next();
  const std::size_t header = write_frame_header(to, static_cast<std::uint8_t>(fin_bit | first), payload.size(), key);
  mask_copy(to + header, payload, key);
  out_.commit_block(res_->block_, header + payload.size());
  ++messages_out_;
}

// A message that stages are to be asked about. Nearly always a short one for which there is room in the block, at a
// time when they have nothing else to do, and which they let be.
[[gnu::always_inline]] inline errc connection::send_asked(opcode op, byte_view payload, send_options how) {
  std::byte* to = nullptr;
  if (in_hot_state_ && !pipeline_->sending_held())
    to = fast_path::room_for(*this, static_cast<std::uint8_t>(op), payload.size());
  if (to == nullptr) return send_slow(op, payload, how);
  working();
  head h = head_of(op, payload.size(), how);
  if (!pipeline_->lets_be<direction::out>(h, res_->now_)) {
    if (!began()) return errc::closed;
    if (!pipeline_->bypassed(direction::out)) {
      send_first_ = first_byte(h);
      return push_staged(payload, true);
    }
  }
  fast_path::put(*this, to, first_byte(h), payload);
  return errc::ok;
}

errc fast_path::ask(connection& c, opcode op, byte_view payload) { return c.send_asked(op, payload, send_options()); }

errc connection::send(opcode op, byte_view payload) {
  if (pipeline_ && fast_path::concerns_stages(*this, static_cast<std::uint8_t>(op), payload.size()))
    return fast_path::ask(*this, op, payload);
  return fast_path::send(*this, op, payload) ? errc::ok : send_slow(op, payload, send_options());
}

errc connection::send(opcode op, byte_view payload, send_options how) {
  if (pipeline_ && fast_path::concerns_stages(*this, static_cast<std::uint8_t>(op), payload.size()))
    return send_asked(op, payload, how);
  return fast_path::send(*this, op, payload) ? errc::ok : send_slow(op, payload, how);
}

errc connection::send_slow(opcode op, byte_view payload, send_options how) {
  if (framed_ && !sending_parts_) announce(head_of(op, payload.size(), how));
  const errc e = admit_message(op, payload.size());
  return e == errc::ok ? send_promised(op, payload, how) : e;
}

errc connection::send_promised(opcode op, byte_view payload, send_options how) {
  if (const errc e = check_message(op); e != errc::ok) return e;
  if (pipeline_) {
    head h = head_of(op, payload.size(), how);
    return done_outside(send_staged(h, payload, nullptr));
  }
  put_message(static_cast<std::uint8_t>(op), payload, true);
  return errc::ok;
}

errc connection::send(opcode op, buffer payload, send_options how) {
  if (framed_ && !sending_parts_) announce(head_of(op, payload.size(), how));
  if (const errc e = admit_message(op, payload.size()); e != errc::ok) return e;
  if (pipeline_) {
    head h = head_of(op, payload.size(), how);
    return done_outside(send_staged(h, payload.view(), &payload));
  }
  put_message(static_cast<std::uint8_t>(op), std::move(payload), true);
  return errc::ok;
}

errc connection::begin_message(opcode op, send_options how) {
  head h = head_of(op, 0, how);
  h.sized = 0;
  if (framed_ && !sending_parts_) announce(h);
  if (const errc e = admit_message(op, 0); e != errc::ok) return e;
  if (pipeline_) {
    drain_out();
    tell_room();
    if (state_ != state::open) return errc::closed;
    if (framed_) announce(h);  // Anew: what was drained had an urgency of its own.
    if ((out_opcodes_ >> h.opcode & 1U) != 0 && !begin_out(h)) return errc::closed;
    parts_staged_ = (out_opcodes_ >> h.opcode & 1U) != 0 && !pipeline_->bypassed(direction::out);
  }
  send_first_ = first_byte(h);
  sending_parts_ = true;
  return errc::ok;
}

errc connection::send_part(byte_view payload, bool fin) {
  if (const errc e = admit(payload.size()); e != errc::ok) return e;
  if (!sending_parts_) return errc::wrong_state;
  if (parts_staged_) {
    if (const errc e = push_staged(payload, fin); e != errc::ok) return e;
  } else {
    put_message(send_first_, payload, fin);
    send_first_ = 0;  // Continuations: opcode 0 and no bits (RFC 6455, 5.4).
  }
  if (!fin) return errc::ok;
  sending_parts_ = parts_staged_ = false;
  if (pipeline_) drain_out();
  return done_outside(errc::ok);
}

errc connection::send_frames(const buffer& frames, std::uint32_t messages) {
  if (state_ != state::open) return errc::closed;
  if (sending_parts_) return errc::wrong_state;
  const limits& l = settings_->bounds;
  const std::size_t waiting = out_.backlog();
  if (out_.blocked() && waiting > 0 && (waiting >= l.write_hard || frames.size() > l.write_hard - waiting))
    return errc::would_block;
  // While the peer does not read, few bytes must not keep the many alive that they were collected with.
  if (frames.size() < copy_below && (out_.holds(res_->block_) || out_.blocked())) {
    if (!frames.empty())
      std::memcpy(out_.reserve(res_->block_, res_->pool_, frames.size()), frames.data(), frames.size());
    out_.commit(res_->block_, frames.size());
  } else if (!frames.empty()) {
    out_.append(res_->block_, frames);
  }
  messages_out_ += messages;
  return errc::ok;
}

void connection::frames_written(const buffer& frames, std::size_t from, std::size_t done, std::uint32_t messages) {
  messages_out_ += messages;
  bytes_out_ += done;
  const std::size_t rest = frames.size() - from - done;
  if (rest > 0) out_.append_rest(res_->pool_, frames.slice(from, done + rest), done, rest < copy_below);
}

errc connection::ping(byte_view payload) {
  if (state_ != state::open) return errc::closed;
  if (payload.size() > 125) return errc::invalid_argument;
  return put_control(static_cast<std::uint8_t>(opcode::ping), payload) ? errc::ok : errc::would_block;
}

errc connection::pong(byte_view payload) {
  if (state_ != state::open) return errc::closed;
  if (payload.size() > 125) return errc::invalid_argument;
  put_control(static_cast<std::uint8_t>(opcode::pong), payload);
  return errc::ok;
}

// ---- frames

// Sends a message, or a part of one. `first` is 0 for all parts but the first that bears bytes.
void connection::put_message(std::uint8_t first, byte_view payload, bool fin) {
  if (framed_ || (inband_ && first != 0)) {
    buffer copy = res_->pool_.take(payload.size());
    if (!payload.empty()) std::memcpy(copy.data(), payload.data(), payload.size());
    return put_message(first, std::move(copy), fin);
  }
  if (payload.size() <= settings_->bounds.max_outgoing_frame)
    put_frame(static_cast<std::uint8_t>(first | (fin ? fin_bit : 0)), payload);
  else
    put_frames(first, payload, fin);
  messages_out_ += fin ? 1U : 0U;
}

void connection::put_message(std::uint8_t first, buffer payload, bool fin) {
  if (inband_ && first != 0) return put_inband(first, std::move(payload), fin);
  put_frames(first, std::move(payload), fin);
  messages_out_ += fin ? 1U : 0U;
}

void connection::put_frames(std::uint8_t first, byte_view payload, bool fin) {
  const std::uint64_t most = std::max<std::uint64_t>(settings_->bounds.max_outgoing_frame, 1);
  while (payload.size() > most) {
    put_frame(first, payload.first(static_cast<std::size_t>(most)));
    payload = payload.subspan(static_cast<std::size_t>(most));
    first = 0;
  }
  put_frame(static_cast<std::uint8_t>(first | (fin ? fin_bit : 0)), payload);
}

void connection::put_frames(std::uint8_t first, buffer payload, bool fin) {
  if (framed_) return queue_framed(first, std::move(payload), fin);
  if (payload.size() < copy_below || payload.size() > settings_->bounds.max_outgoing_frame)
    return put_frames(first, payload.view(), fin);
  put_frame(static_cast<std::uint8_t>(first | (fin ? fin_bit : 0)), std::move(payload));
}

void connection::put_frame(std::uint8_t first, byte_view payload) {
  const std::size_t size = payload.size();
  if (!masked_out_) {
    if (size >= copy_below) return put_large(first, payload);
    std::byte* to = out_.reserve(res_->block_, res_->pool_, size + 4);
    const std::size_t header = write_frame_header(to, first, size);
    if (size > 0) std::memcpy(to + header, payload.data(), size);
    return out_.commit(res_->block_, header + size);
  }
  const std::uint32_t key = res_->keys_.next();
  const std::size_t header = frame_header_size(size, true);
  if (size <= block_copy_limit) {
    std::byte* to = out_.reserve(res_->block_, res_->pool_, header + size);
    write_frame_header(to, first, size, key);
    mask_copy(to + header, payload, key);
    return out_.commit(res_->block_, header + size);
  }
  buffer frame = res_->pool_.take(size);
  mask_copy(frame.data(), payload, key);
  frame.grow_front(header);
  write_frame_header(frame.data(), first, size, key);
  out_.append(res_->block_, std::move(frame));
}

// A large unmasked payload: referenced where this turn received it, else copied once into a buffer with room for the
// header in front. The header of an echo takes the place of the client's, which is four bytes longer.
void connection::put_large(std::uint8_t first, byte_view payload) {
  const std::size_t size = payload.size();
  const std::size_t header = frame_header_size(size, false);
  // Only the masking key goes: what is sent may reach beyond the message, and then need a longer header.
  if (masked_in_ && payload.data() == res_->headed_payload_ && header == 4 && lies_in(payload, res_->lent_)) {
    std::byte* front = res_->lent_.data() + (payload.data() - res_->lent_.data()) - header;
    write_frame_header(front, first, size);
    res_->headed_payload_ = nullptr;
    return out_.append_view(res_->block_, res_->pool_, {front, header + size});
  }
  const bool held = res_->held_ && lies_in(payload, res_->held_.view());
  if (held || lies_in(payload, res_->lent_)) {
    std::byte* to = out_.reserve(res_->block_, res_->pool_, max_frame_header);
    out_.commit(res_->block_, write_frame_header(to, first, size));
    if (!held) return out_.append_view(res_->block_, res_->pool_, payload);
    const auto at = static_cast<std::size_t>(payload.data() - res_->held_.data());
    return out_.append(res_->block_, res_->held_.slice(at, size));
  }
  buffer frame = res_->pool_.take(size);
  std::memcpy(frame.data(), payload.data(), size);
  frame.grow_front(header);
  write_frame_header(frame.data(), first, size);
  out_.append(res_->block_, std::move(frame));
}

void connection::put_frame(std::uint8_t first, buffer payload) {
  const std::size_t size = payload.size();
  const bool ours = payload.sole_owner() && payload.front_room() >= max_frame_header;
  if (masked_out_ && !ours) return put_frame(first, payload.view());
  if (!ours) {
    std::byte* to = out_.reserve(res_->block_, res_->pool_, max_frame_header);
    out_.commit(res_->block_, write_frame_header(to, first, size));
    return out_.append(res_->block_, std::move(payload));
  }
  std::uint32_t key = 0;
  if (masked_out_) {
    key = res_->keys_.next();
    mask(payload.span(), key);
  }
  const std::size_t header = frame_header_size(size, masked_out_);
  payload.grow_front(header);
  if (masked_out_)
    write_frame_header(payload.data(), first, size, key);
  else
    write_frame_header(payload.data(), first, size);
  out_.append(res_->block_, std::move(payload));
}

// A control frame goes out in order, or, while the system takes nothing, over the lane that overtakes data (D10).
// False: the lane is full.
bool connection::put_control(std::uint8_t op, byte_view payload) {
  if (state_ != state::open && !(state_ == state::close_sent && close_waits())) return true;
  std::array<std::byte, max_frame_header + 125> frame;
  const auto first = static_cast<std::uint8_t>(fin_bit | op);
  std::size_t header = 0;
  if (masked_out_) {
    const std::uint32_t key = res_->keys_.next();
    header = write_frame_header(frame.data(), first, payload.size(), key);
    mask_copy(frame.data() + header, payload, key);
  } else {
    header = write_frame_header(frame.data(), first, payload.size());
    if (!payload.empty()) std::memcpy(frame.data() + header, payload.data(), payload.size());
  }
  const byte_view bytes{frame.data(), header + payload.size()};
  if (!out_.blocked()) {
    std::memcpy(out_.reserve(res_->block_, res_->pool_, bytes.size()), bytes.data(), bytes.size());
    out_.commit(res_->block_, bytes.size());
  } else if (op == static_cast<std::uint8_t>(opcode::pong)) {
    out_.overtake_with_pong(bytes);
  } else if (!out_.overtake(res_->pool_, bytes)) {
    return false;
  }
  if (op == static_cast<std::uint8_t>(opcode::ping) && pings_out_ < 0xFF) ++pings_out_;
  return true;
}

}  // namespace core
HAWSER_END
