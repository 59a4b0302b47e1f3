// Messages out through the stages of extensions, and what stages ask for of themselves.

#include "core/assembly.h"
#include "core/fast_path.h"
#include "core/pipeline_begin.h"

#include <hawser/core/connection.h>

#include <algorithm>
#include <cstring>
#include <utility>

HAWSER_BEGIN
namespace core {

// What stages may still queue outwards, by the measure of `admit`.
void connection::tell_room() noexcept { tell_room(framed_ || out_.blocked() ? queued() : 0); }

void connection::tell_room(std::size_t waiting) noexcept {
  const std::size_t most = settings_->bounds.write_hard;
  pipeline_->set_room(state_ == state::open ? most - std::min(most, waiting) : 0);
}

// Asks the stages about a message to be sent. False: one of them failed.
bool connection::begin_out(head& h) {
  working();
  tell_room();
  return pipeline_->lets_be<direction::out>(h, res_->now_) || began();
}

// What came of asking them, when something did. False: one of them failed.
bool connection::began() {
  if (pipeline_->has_work()) in_hot_state_ = false;
  if (!pipeline_->failed()) return true;
  end_staged();
  return false;
}

void connection::put_whole(std::uint8_t first, byte_view payload, buffer* owner) {
  if (owner != nullptr)
    put_message(first, std::move(*owner), true);
  else
    put_message(first, payload, true);
}

// Sends a whole message on a connection with stages. What they held goes first. `owner`, when there is one, is the
// payload's and may be taken.
errc connection::send_staged(head& h, byte_view payload, buffer* owner) {
  drain_out();
  if (state_ != state::open) return errc::closed;
  if (framed_) announce(h);
  if ((out_opcodes_ >> h.opcode & 1U) == 0 || payload.size() < pipeline_->wants().out_min_size) {
    put_whole(h.opcode, payload, owner);
    return errc::ok;
  }
  if (!begin_out(h)) return errc::closed;
  send_first_ = first_byte(h);
  if (pipeline_->bypassed(direction::out)) {
    put_whole(send_first_, payload, owner);
    return errc::ok;
  }
  if (owner == nullptr) return push_staged(payload, true);
  pipeline_->push_owned(direction::out, std::move(*owner), res_->now_);
  return put_staged();
}

// Pushes bytes through the stages; those that write get a copy.
errc connection::push_staged(byte_view payload, bool fin) {
  buffer copy;
  byte_span in{const_cast<std::byte*>(payload.data()), payload.size()};
  if (pipeline_->writes(direction::out)) {
    copy = res_->pool_.take(payload.size());
    if (!payload.empty()) std::memcpy(copy.data(), payload.data(), payload.size());
    in = copy.span();
  }
  pipeline_->push(direction::out, in, fin, res_->now_);
  return put_staged();
}

// Frames what comes out of the stages: one frame for what was pushed at once, none when nothing came out of a part.
errc connection::put_staged() {
  buffer made;
  bool fin = false;
  for (;;) {
    byte_span piece;
    const pipeline::pulled got = pipeline_->pull(direction::out, piece, fin);
    if (got == pipeline::pulled::failed) {
      end_staged();
      return errc::closed;
    }
    if (got != pipeline::pulled::piece) break;
    if (fin && !made) {
      put_message(send_first_, piece, true);
      continue;  // One more pull gives the stages' buffers back.
    }
    append_to(made, piece);
    if (fin) put_message(send_first_, std::exchange(made, {}), true);
  }
  if (made) {
    put_message(send_first_, std::move(made), false);
    send_first_ = 0;
  }
  if (pipeline_->has_work()) in_hot_state_ = false;
  return errc::ok;
}

void connection::append_to(buffer& made, byte_view piece) {
  const std::size_t have = made.size();
  if (!made || made.back_room() < piece.size()) {
    buffer grown = res_->pool_.take(have, std::max(piece.size(), have));
    if (have > 0) std::memcpy(grown.data(), made.data(), have);
    made = std::move(grown);
  }
  if (!piece.empty()) std::memcpy(made.data() + have, piece.data(), piece.size());
  made.resize(have + piece.size());
}

// Carries out what stages asked for, outwards; what goes inwards waits for `next`.
void connection::drain_out() {
  if (!pipeline_->has_work() && !pipeline_->failed()) return;
  next_work(false);
}

// Work that stages have left: outwards while it can be queued, inwards one message at a time, between messages of the
// peer.
kind connection::next_work(bool inwards) {
  pipeline::work w;
  const auto allowed = [this, inwards] {
    return work_allowed{controls_go(), !sending_parts_ || parts_staged_, inwards && (message_op_ == 0 || staged_)};
  };
  while (out_.lane_has_room() && pipeline_->next_work(w, allowed())) {
    if (w.what == pipeline::work::kind::control) {
      if (inband_)
        put_inband(w.opcode, std::move(w.body), true);
      else
        put_control(w.opcode, w.body.view());
    } else if (w.way == direction::out) {
      forward_out(w);
    } else {
      const kind found = forward_in(w);
      if (found != kind::none || (assembly_ != nullptr && assembly_->pulling)) return found;
    }
  }
  if (pipeline_->failed()) end_staged();
  return kind::none;
}

void connection::forward_out(pipeline::work& w) {
  if (state_ != state::open || !pipeline_->begin_behind(w.stage, direction::out, w.message, res_->now_)) return;
  send_first_ = first_byte(w.message);
  if (framed_) announce(w.message);
  if (pipeline_->bypassed(direction::out)) return put_message(send_first_, std::move(w.body), true);
  pipeline_->push_owned(direction::out, std::move(w.body), res_->now_);
  put_staged();
}

kind connection::forward_in(pipeline::work& w) {
  if (!pipeline_->begin_behind(w.stage, direction::in, w.message, res_->now_)) return kind::none;
  if (w.message.rsv != 0) {
    end(errc::reserved_bits, close_code::protocol_error, {});
    return kind::none;
  }
  message_op_ = w.message.opcode;
  assembly& a = need_assembly();
  if (!pipeline_->bypassed(direction::in)) {
    staged_ = true;
    a.pulling = true;
    pipeline_->push_owned(direction::in, std::move(w.body), res_->now_);
    return kind::none;
  }
  a.body = std::move(w.body);
  settle_stages_ = true;  // What was noted of it ends with it.
  return take_piece(a.body.span(), true);
}

}  // namespace core
HAWSER_END
