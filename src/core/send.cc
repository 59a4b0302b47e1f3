// Messages out: through the stages, into frames, into the outbox. RFC 6455, 5 and 6.1.

#include "core/assembly.h"

#include <hawser/core/connection.h>
#include <hawser/core/frame.h>
#include <hawser/core/mask.h>

#include <algorithm>
#include <array>
#include <cstring>

HAWSER_BEGIN
namespace core {

namespace {

constexpr std::size_t copy_below = 2048;                         // Shorter payloads are copied behind their header.
constexpr std::size_t block_copy_limit = std::size_t{64} << 10;  // Longer copies get a buffer of their own.
constexpr std::uint8_t fin_bit = 0x80;

bool lies_in(byte_view part, byte_view whole) noexcept {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

}  // namespace

// A message is always taken when nothing waits; otherwise the backlog decides (design: 4.6 of the limits).
errc connection::admit(std::size_t size) const noexcept {
  if (state_ != state::open) return errc::closed;
  const std::size_t waiting = out_.backlog();
  if (waiting == 0 || !out_.blocked()) return errc::ok;
  const limits& l = settings_->bounds;
  if (waiting >= l.write_soft || waiting >= l.write_hard || size > l.write_hard - waiting) return errc::would_block;
  return errc::ok;
}

errc connection::send(opcode op, byte_view payload) {
  if (const errc e = admit(payload.size()); e != errc::ok) return e;
  if (sending_parts_) return errc::wrong_state;
  const auto first = static_cast<std::uint8_t>(op);
  if ((out_opcodes_ >> first & 1U) != 0 && payload.size() >= pipeline_->wants().out_min_size) {
    head h;
    h.opcode = first;
    h.sized = 1;
    h.size = payload.size();
    if (!pipeline_->begin(direction::out, h, res_->now_)) {
      end_staged();
      return errc::closed;
    }
    ++messages_out_;
    return send_staged(h, payload, true);
  }
  ++messages_out_;
  put_message(first, payload);
  return errc::ok;
}

errc connection::send(opcode op, buffer payload) {
  const std::size_t size = payload.size();
  const auto first = static_cast<std::uint8_t>(op);
  const bool staged = (out_opcodes_ >> first & 1U) != 0 && size >= pipeline_->wants().out_min_size;
  if (staged || size < copy_below || size > settings_->bounds.max_outgoing_frame) return send(op, payload.view());
  if (const errc e = admit(size); e != errc::ok) return e;
  if (sending_parts_) return errc::wrong_state;
  ++messages_out_;
  put_frame(static_cast<std::uint8_t>(first | fin_bit), std::move(payload));
  return errc::ok;
}

errc connection::begin_message(opcode op) {
  if (const errc e = admit(0); e != errc::ok) return e;
  if (sending_parts_) return errc::wrong_state;
  head h;
  h.opcode = static_cast<std::uint8_t>(op);
  if ((out_opcodes_ >> h.opcode & 1U) != 0) {
    if (!pipeline_->begin(direction::out, h, res_->now_)) {
      end_staged();
      return errc::closed;
    }
    parts_staged_ = !pipeline_->bypassed(direction::out);
  }
  send_first_ = static_cast<std::uint8_t>(h.rsv << 4 | h.opcode);
  sending_parts_ = true;
  return errc::ok;
}

errc connection::send_part(byte_view payload, bool fin) {
  if (!sending_parts_) return state_ == state::open ? errc::wrong_state : errc::closed;
  if (const errc e = admit(payload.size()); e != errc::ok) return e;
  if (parts_staged_) {
    if (const errc e = push_staged(send_first_, payload, fin); e != errc::ok) return e;
  } else {
    put_frame(static_cast<std::uint8_t>(send_first_ | (fin ? fin_bit : 0)), payload);
    send_first_ = 0;  // Continuations: opcode 0 and no bits (RFC 6455, 5.4).
  }
  if (fin) {
    sending_parts_ = parts_staged_ = false;
    ++messages_out_;
  }
  return errc::ok;
}

errc connection::send_frames(const buffer& frames, std::uint32_t messages) {
  if (state_ != state::open) return errc::closed;
  if (sending_parts_) return errc::wrong_state;
  if (out_.blocked() && out_.backlog() + frames.size() > settings_->bounds.write_hard) return errc::would_block;
  if (frames.size() < copy_below && pending() == 0) {
    std::byte* to = out_.reserve(res_->block_, res_->pool_, frames.size());
    std::memcpy(to, frames.data(), frames.size());
    out_.commit(res_->block_, frames.size());
  } else {
    out_.append(res_->block_, frames);
  }
  messages_out_ += messages;
  return errc::ok;
}

errc connection::ping(byte_view payload) {
  if (state_ != state::open) return errc::closed;
  if (payload.size() > 125) return errc::invalid_argument;
  put_control(static_cast<std::uint8_t>(opcode::ping), payload);
  return errc::ok;
}

errc connection::pong(byte_view payload) {
  if (state_ != state::open) return errc::closed;
  if (payload.size() > 125) return errc::invalid_argument;
  put_control(static_cast<std::uint8_t>(opcode::pong), payload);
  return errc::ok;
}

// ---- through the stages

// Sends the message that the pipeline has begun; `h` is what its stages made of the head.
errc connection::send_staged(head& h, byte_view payload, bool fin) {
  const auto first = static_cast<std::uint8_t>(h.rsv << 4 | h.opcode);
  if (pipeline_->bypassed(direction::out)) {
    put_message(first, payload);
    return errc::ok;
  }
  send_first_ = first;
  return push_staged(first, payload, fin);
}

// Pushes bytes through the stages and frames what comes out: one frame a call, none when nothing came out of a part.
errc connection::push_staged(std::uint8_t first, byte_view payload, bool fin) {
  buffer copy;
  byte_span in{const_cast<std::byte*>(payload.data()), payload.size()};
  if (pipeline_->writes(direction::out)) {
    copy = res_->pool_.take(payload.size());
    if (!payload.empty()) std::memcpy(copy.data(), payload.data(), payload.size());
    in = copy.span();
  }
  pipeline_->push(direction::out, in, fin, res_->now_);
  buffer made;
  bool last = false;
  for (;;) {
    byte_span piece;
    const pipeline::pulled got = pipeline_->pull(direction::out, piece, last);
    if (got == pipeline::pulled::failed) {
      end_staged();
      return errc::closed;
    }
    if (got != pipeline::pulled::piece) break;
    if (last && !made && first == send_first_) {
      put_message(first, piece);
      break;
    }
    if (!made) made = res_->pool_.take(0, std::max<std::size_t>(piece.size(), payload.size()));
    append_to(made, piece);
    if (last) break;
  }
  if (made || (last && first != send_first_)) {
    const auto bits = static_cast<std::uint8_t>(send_first_ | (last ? fin_bit : 0));
    if (made)
      put_frame(bits, std::move(made));
    else
      put_frame(bits, byte_view{});
    send_first_ = 0;
  }
  in_hot_state_ = in_hot_state_ && !pipeline_->has_work();
  return errc::ok;
}

void connection::append_to(buffer& made, byte_view piece) {
  if (made.back_room() < piece.size()) {
    buffer grown = res_->pool_.take(made.size(), made.size() + piece.size());
    std::memcpy(grown.data(), made.data(), made.size());
    made = std::move(grown);
  }
  if (!piece.empty()) std::memcpy(made.data() + made.size(), piece.data(), piece.size());
  made.resize(made.size() + piece.size());
}

// Carries out what stages asked for, outwards; what goes inwards waits for its turn to be an event.
void connection::drain_work() {
  pipeline::work w;
  while (state_ == state::open && pipeline_->next_work(w)) {
    if (w.what == pipeline::work::kind::control) {
      put_control(w.opcode, w.body.view());
    } else if (w.way == direction::in) {
      need_assembly().waiting.push_back(std::move(w));
    } else if (pipeline_->begin_behind(w.stage, direction::out, w.message, res_->now_)) {
      ++messages_out_;
      send_staged(w.message, w.body.view(), true);
    }
    if (pipeline_->failed()) break;
  }
  if (pipeline_->failed()) end_staged();
}

// Work that stages have left: outwards at once, inwards one message at a time, between messages of the peer.
kind connection::next_work() {
  if (pipeline_->has_work() || pipeline_->failed()) drain_work();
  if (state_ == state::ending || assembly_ == nullptr || assembly_->waiting.empty() || message_op_ != 0)
    return kind::none;
  assembly& a = *assembly_;
  pipeline::work w = std::move(a.waiting.front());
  a.waiting.pop_front();
  if (!pipeline_->begin_behind(w.stage, direction::in, w.message, res_->now_)) {
    end_staged();
    return kind::none;
  }
  message_op_ = w.message.opcode;
  a.forwarded = std::move(w.body);
  if (pipeline_->bypassed(direction::in)) return take_piece(a.forwarded.span(), true);
  staged_ = true;
  a.pulling = true;
  pipeline_->push(direction::in, a.forwarded.span(), true, res_->now_);
  return kind::none;
}

// ---- frames

void connection::put_message(std::uint8_t first, byte_view payload) {
  const std::uint64_t most = settings_->bounds.max_outgoing_frame;
  while (payload.size() > most) {
    put_frame(first, payload.first(static_cast<std::size_t>(most)));
    payload = payload.subspan(static_cast<std::size_t>(most));
    first = 0;
  }
  put_frame(static_cast<std::uint8_t>(first | fin_bit), payload);
}

void connection::put_frame(std::uint8_t first, byte_view payload) {
  const std::size_t size = payload.size();
  if (side_ == role::server) {
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
// header in front.
void connection::put_large(std::uint8_t first, byte_view payload) {
  const std::size_t size = payload.size();
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
  put_frame(first, std::move(frame));
}

void connection::put_frame(std::uint8_t first, buffer payload) {
  const std::size_t size = payload.size();
  const bool ours = payload.sole_owner() && payload.front_room() >= max_frame_header;
  if (side_ == role::client && !ours) return put_frame(first, payload.view());
  if (!ours) {
    std::byte* to = out_.reserve(res_->block_, res_->pool_, max_frame_header);
    out_.commit(res_->block_, write_frame_header(to, first, size));
    return out_.append(res_->block_, std::move(payload));
  }
  std::uint32_t key = 0;
  if (side_ == role::client) {
    key = res_->keys_.next();
    mask(payload.span(), key);
  }
  const std::size_t header = frame_header_size(size, side_ == role::client);
  payload.grow_front(header);
  if (side_ == role::client)
    write_frame_header(payload.data(), first, size, key);
  else
    write_frame_header(payload.data(), first, size);
  out_.append(res_->block_, std::move(payload));
}

// A control frame goes out in order, or, while the system takes nothing, over the lane that overtakes data (D10).
void connection::put_control(std::uint8_t op, byte_view payload) {
  if (state_ != state::open) return;
  std::array<std::byte, max_frame_header + 125> frame;
  const auto first = static_cast<std::uint8_t>(fin_bit | op);
  std::size_t header = 0;
  if (side_ == role::client) {
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
  } else {
    out_.overtake(res_->pool_, bytes);
  }
}

}  // namespace core
HAWSER_END
