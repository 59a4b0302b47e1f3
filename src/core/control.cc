// Control frames in: ping, pong, close, and those of extensions. RFC 6455, 5.5.

#include "core/assembly.h"
#include "core/frame_layer.h"

#include <hawser/core/connection.h>
#include <hawser/core/mask.h>
#include <hawser/core/utf8.h>

#include <algorithm>
#include <cstring>

HAWSER_BEGIN
namespace core {

// Takes a control frame's payload, from the input where it lies or put together from pieces.
kind connection::read_control() {
  byte_span& in = input();
  const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), frame_left_));
  byte_span piece = in.first(take);
  in = in.subspan(take);
  frame_left_ -= take;
  if (frame_left_ > 0 || (assembly_ != nullptr && assembly_->control_size > 0)) {
    assembly& a = half_way();
    if (take > 0) std::memcpy(a.control + a.control_size, piece.data(), take);
    a.control_size = static_cast<std::uint8_t>(a.control_size + take);
    if (frame_left_ > 0) return kind::none;
    piece = byte_span(res_->control_).first(a.control_size);
    std::memcpy(piece.data(), a.control, a.control_size);
    a.control_size = 0;
  }
  in_frame_ = false;
  if (message_op_ == 0) drop_assembly();
  if (masked_in_) mask(piece, frame_key_);
  return take_control(static_cast<opcode>(frame_first_ & 0x0FU), piece);
}

kind connection::take_control(opcode op, byte_span payload) {
  event& e = res_->event_;
  e.payload = payload;
  e.owner = nullptr;
  e.op = op;
  e.first = e.fin = true;
  e.first_byte = e.last_byte = res_->now_;
  switch (op) {
    case opcode::ping:
      put_control(static_cast<std::uint8_t>(opcode::pong), payload);
      return kind::ping;
    case opcode::pong:
      // One that answers no ping of ours is pointless (D20).
      if (pings_out_ > 0)
        --pings_out_;
      else if (!glitch())
        return kind::none;
      return kind::pong;
    case opcode::close:
      return take_close(payload);
    default:
      working();
      tell_room(all_queued());
      pipeline_->control(static_cast<std::uint8_t>(op), payload, res_->now_);
      return kind::none;
  }
}

// The peer's close: judged, answered with its own code, and the end of all input. The table of close codes; D5, D6.
kind connection::take_close(byte_span payload) {
  auto code = static_cast<std::uint16_t>(close_code::no_status);
  std::string_view reason;
  if (!payload.empty()) {
    if (payload.size() == 1) {
      end(errc::bad_close_payload, close_code::protocol_error, {});
      return kind::none;
    }
    code =
        static_cast<std::uint16_t>(std::to_integer<unsigned>(payload[0]) << 8 | std::to_integer<unsigned>(payload[1]));
    reason = as_text(payload.subspan(2));
    if (!may_receive(code)) {
      end(errc::bad_close_payload, close_code::protocol_error, {});
      return kind::none;
    }
    if (!valid_utf8(payload.subspan(2))) {
      end(errc::bad_utf8, close_code::invalid_payload, {});
      return kind::none;
    }
  }
  if (state_ == state::open) {
    flush_stages();
    if (state_ == state::ending) return kind::none;
  }
  if (framed_) pipeline_->frames()->peer_closed = true;
  if (state_ == state::open) {
    // A server never says 1010 (N-21), and another code would be one that the peer did not give.
    put_close(may_send(code, side_) ? code : static_cast<std::uint16_t>(close_code::no_status), {});
    wake_ = no_deadline;
  }
  if (!reason.empty()) need_assembly().text_of_end = reason;
  state_ = close_waits() ? state::answering : state::ending;
  if (state_ == state::answering) wake_ = std::min(wake_, later(res_->now_, time_to_answer()));
  in_hot_state_ = false;
  closes_first_ = side_ == role::server;
  end_code_ = code;
  input() = {};
  return kind::none;
}

}  // namespace core
HAWSER_END
