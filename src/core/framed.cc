// A connection with stages on frames: its frames in and out pass the frame layer. RFC 6455, 5.2 and 5.4.

#include "core/assembly.h"
#include "core/fast_path.h"
#include "core/frame_layer.h"

#include <hawser/core/connection.h>
#include <hawser/core/mask.h>

#include <algorithm>
#include <cstring>
#include <utility>

HAWSER_BEGIN
namespace core {

namespace {

constexpr std::size_t committed = std::size_t{32} << 10;  // Framed and not yet taken by the system: none overtakes it.
constexpr std::uint64_t worth_a_frame = 4096;  // Where fragments mix, what is so long is no fragment for its own sake.
constexpr std::size_t contiguous = std::size_t{64} << 10;

}  // namespace

// ---- in

// What does not depend on the message that the frame belongs to; that is known with its extension data.
bool connection::accept_framed(const frame_header& h) {
  const unsigned op = h.first & 0x0FU;
  const unsigned rsv = h.first >> 4 & 0x07U;
  const interest& wants = pipeline_->wants();
  errc bad = errc::ok;
  if (op > 2 && (wants.own_opcodes >> op & 1U) == 0)
    bad = errc::reserved_opcode;
  else if ((rsv & ~unsigned{wants.rsv}) != 0 || (op == 0 && rsv != 0))
    bad = errc::reserved_bits;
  if (bad != errc::ok) {
    end(bad, close_code::protocol_error, {});
    return false;
  }
  if (h.length > settings_->bounds.max_frame) {
    end(errc::frame_too_big, close_code::message_too_big, {});
    return false;
  }
  frame_layer& f = *pipeline_->frames();
  f.gathering = true;
  f.have = 0;
  f.need = static_cast<std::size_t>(std::min<std::uint64_t>(f.ext_max, h.length));
  f.note_wait(res_->now_, 0);
  return true;
}

kind connection::read_framed() {
  frame_layer& f = *pipeline_->frames();
  byte_span& in = input();
  if (f.gathering) {
    const std::size_t n = std::min(in.size(), f.need - f.have);
    if (n > 0) mask_copy(f.front.data() + f.have, in.first(n), frame_key_);
    frame_key_ = advance_key(frame_key_, n);
    in = in.subspan(n);
    frame_left_ -= n;
    f.have += n;
    f.note_wait(res_->now_, n);
    if (f.have < f.need || !begin_frame(f)) return kind::none;
  }
  half_message& h = f.in[f.channel];
  const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), frame_left_));
  f.append(h, in.first(take), frame_key_);
  frame_key_ = advance_key(frame_key_, take);
  in = in.subspan(take);
  frame_left_ -= take;
  f.note_wait(res_->now_, take);
  if (frame_left_ > 0) return kind::none;
  in_frame_ = false;
  return (frame_first_ & 0x80U) != 0 ? end_half_way(f) : kind::none;
}

// The front of a frame is here: its extension data goes to the stages, and says which message it belongs to (F-05,
// F-07).
bool connection::begin_frame(frame_layer& f) {
  f.gathering = false;
  const unsigned op = frame_first_ & 0x0FU;
  frame one;
  one.opcode = static_cast<std::uint8_t>(op);
  one.rsv = static_cast<std::uint8_t>(frame_first_ >> 4 & 0x07U);
  one.fin = (frame_first_ & 0x80U) != 0 ? 1 : 0;
  one.size = frame_left_ + f.need;
  tell_room();
  std::size_t used = 0;
  if (!pipeline_->take_ext(one, {f.front.data(), f.need}, used, res_->now_)) {
    end_staged();
    return false;
  }
  f.channel = one.channel;
  half_message& h = f.in[f.channel];
  if ((op != 0) == h.open) {
    end(h.open ? errc::expected_continuation : errc::unexpected_continuation, close_code::protocol_error, {});
    return false;
  }
  if (op != 0) {
    h = {};
    h.open = true;
    h.first = static_cast<std::uint8_t>(frame_first_ & 0x7FU);
    h.started = res_->now_;
  }
  if (!accept_part(h, one.size - used)) return false;
  f.append(h, byte_view(f.front).subspan(used, f.need - used), 0);
  return true;
}

// What one more frame makes of a message half-way: in how many pieces, and how long.
bool connection::accept_part(half_message& h, std::uint64_t size) {
  const limits& l = settings_->bounds;
  if (!pipeline_->frames()->interleaves || size < worth_a_frame) ++h.fragments;
  if (h.fragments > std::max(l.max_fragments, 1U)) {
    end(errc::too_many_fragments, close_code::policy_violation, {});
    return false;
  }
  if ((frame_first_ & 0x80U) == 0 && size < glitch_size && !glitch()) return false;
  const bool staged = (in_opcodes_ >> (h.first & 0x0FU) & 1U) != 0 || (h.first & 0x70U) != 0;
  const std::uint64_t most = most_on_wire(l.max_message, staged);
  if (size <= most && h.wire <= most - size) {
    h.wire += size;
    return true;
  }
  end(errc::message_too_big, close_code::message_too_big, {});
  return false;
}

// A message is whole on the wire: now the stages on messages get it, as if it had come in one frame.
kind connection::end_half_way(frame_layer& f) {
  half_message done = std::exchange(f.in[f.channel], {});
  f.settle_wait();
  if (!done.body) done.body = res_->pool_.take(0);
  if (!begin_staged(done.first & 0x0FU, done.first >> 4, true, done.body.size())) return kind::none;
  assembly& a = need_assembly();
  a.started = done.started;
  a.judged = res_->now_;
  if (!staged_) {
    a.body = std::move(done.body);
    return take_piece(a.body.span(), true);
  }
  a.pulling = true;
  pipeline_->push_owned(direction::in, std::move(done.body), res_->now_);
  return kind::none;
}

// ---- out

// Says how urgent the message is that comes next.
void connection::announce(const head& h) {
  frame_layer& f = *pipeline_->frames();
  if (f.open == nullptr) f.announced = pipeline_->urgency_of(h, res_->now_);
}

// By what would go out before the message, not by what it overtakes.
errc connection::admit_framed(std::size_t size) const noexcept {
  const frame_layer& f = *pipeline_->frames();
  const std::uint64_t waiting = f.waiting_before(f.announced);
  if (waiting == 0) return errc::ok;
  const limits& l = settings_->bounds;
  if (waiting >= l.write_soft || waiting >= l.write_hard || size > l.write_hard - waiting) return errc::would_block;
  return errc::ok;
}

void connection::queue_framed(std::uint8_t first, buffer payload, bool fin) {
  pipeline_->frames()->queue(first, std::move(payload), fin);
}

std::size_t connection::queued() const noexcept {
  return out_.backlog() + (framed_ ? static_cast<std::size_t>(pipeline_->frames()->bytes) : 0);
}

// This turn's block included: a peer may bring many control frames in one turn.
std::size_t connection::all_queued() const noexcept { return queued() - out_.backlog() + out_.pending(res_->block_); }

// Frames what may go, as long as there is little on the way out: what is urgent overtakes all that is not framed yet.
void connection::refill() {
  if (state_ == state::ending || state_ == state::over) return;
  frame_layer& f = *pipeline_->frames();
  frame_cut next;
  while (!f.idle() && out_.pending(res_->block_) < committed) {
    if (!pipeline_->cut(std::max<std::uint64_t>(settings_->bounds.max_outgoing_frame, 1), next, res_->now_)) break;
    put_cut(next);
  }
  if (pipeline_->failed()) return end_staged();
  if (!f.idle() || !f.close_waits) return;
  put_held_close();
  if (state_ == state::answering) state_ = state::ending;
}

void connection::put_held_close() {
  frame_layer& f = *pipeline_->frames();
  f.close_waits = false;
  out_.settle_lane(res_->pool_);
  put_frame(static_cast<std::uint8_t>(0x80U | static_cast<unsigned>(opcode::close)), byte_view(f.close));
}

void connection::put_cut(frame_cut& cut) {
  const std::size_t size = cut.payload.size();
  const std::size_t length = cut.ext_size + size;
  const byte_view ext(cut.ext.data(), cut.ext_size);
  const std::size_t header = frame_header_size(length, masked_out_);
  const bool copies = masked_out_ || size < fast_path::copy_below;
  if (copies && length > contiguous) {
    buffer all = res_->pool_.take(length);
    std::memcpy(all.data(), ext.data(), ext.size());
    std::memcpy(all.data() + ext.size(), cut.payload.data(), size);
    return put_frame(cut.first, std::move(all));
  }
  std::byte* to = out_.reserve(res_->block_, res_->pool_, header + ext.size() + (copies ? size : 0));
  const std::uint32_t key = masked_out_ ? res_->keys_.next() : 0;
  if (masked_out_)
    write_frame_header(to, cut.first, length, key);
  else
    write_frame_header(to, cut.first, length);
  to += header;
  if (!ext.empty()) mask_copy(to, ext, key);
  if (copies && size > 0) mask_copy(to + ext.size(), cut.payload.view(), advance_key(key, ext.size()));
  out_.commit(res_->block_, header + ext.size() + (copies ? size : 0));
  if (!copies) out_.append(res_->block_, std::move(cut.payload));
}

// The time of an answer that waited is over: what has not gone is given up.
void connection::answer_at_last() {
  pipeline_->frames()->drop_out();
  put_held_close();
  state_ = state::ending;
}

// A close frame waits for what was sent before it, not for the end of a message that nothing can be added to any more.
// True: it waits.
bool connection::hold_close(byte_view payload) {
  frame_layer& f = *pipeline_->frames();
  if (f.idle()) return false;
  f.close.assign(payload.begin(), payload.end());
  f.close_waits = true;
  return true;
}

// Until it has gone control frames may.
bool connection::close_waits() const noexcept { return framed_ && pipeline_->frames()->close_waits; }

}  // namespace core
HAWSER_END
