// The in-band mode: one byte in front of each message in place of the bits and the opcode of its frames.

#include "core/assembly.h"

#include <hawser/core/connection.h>
#include <hawser/core/extension_header.h>
#include <hawser/core/inband.h>
#include <hawser/core/mask.h>

#include <algorithm>
#include <cstring>
#include <utility>

HAWSER_BEGIN
namespace core {

// ---- the agreement

settings settings_of_agreement(settings later) noexcept {
  later.bounds.max_message = max_inband_agreement;
  later.in_parts = false;
  return later;
}

std::string format_inband_answer(const inband_answer& answer) {
  std::string text(inband_subprotocol);
  if (!answer.subprotocol.empty()) text += "; protocol=" + answer.subprotocol;
  if (!answer.extensions.empty()) text += ", " + answer.extensions;
  return text;
}

// No value of a parameter has a comma in it, quoted or not (N-02), so the first one ends the first element.
result<inband_answer> parse_inband_answer(std::string_view text, std::string& why) {
  const std::size_t comma = std::min(text.find(','), text.size());
  const result<std::vector<extension_element>> front = parse_extensions(text.substr(0, comma), &why);
  if (!front) {
    why.insert(0, "the in-band answer, ");
    return front.error();
  }
  const extension_element& own = front->front();
  const bool names = own.parameters.size() == 1 && own.parameters[0].name == "protocol" && own.parameters[0].value;
  if (own.name != inband_subprotocol || !(own.parameters.empty() || names)) {
    why = "an in-band answer begins with ext1.hawser, alone or with protocol=NAME";
    return errc::extension_header_malformed;
  }
  inband_answer answer;
  if (names) answer.subprotocol = *own.parameters[0].value;
  if (comma < text.size()) answer.extensions = text.substr(comma + 1);
  if (answer.extensions.find_first_not_of(" \t,") == std::string::npos) answer.extensions.clear();
  return answer;
}

// ---- messages

void connection::attach_inband(std::vector<agreed_extension> stages, tick now) {
  inband_ = true;
  set_to_work(std::move(stages), now);
}

// Takes the byte that says what the message is. False: it has not come, or the connection has failed.
bool connection::begin_inband() {
  byte_span& in = input();
  if (frame_left_ == 0) {
    in_frame_ = false;  // The byte comes in a later fragment.
    if ((frame_first_ & 0x80U) != 0) end(errc::inband_malformed, close_code::protocol_error, {});
    return false;
  }
  if (in.empty()) {
    half_way();
    return false;
  }
  if (masked_in_) {
    mask(in.first(1), frame_key_);
    frame_key_ = advance_key(frame_key_, 1);
  }
  const auto first = std::to_integer<unsigned>(in[0]);
  in = in.subspan(1);
  --frame_left_;
  inband_begins_ = false;
  const unsigned op = first & 0x0FU;
  const unsigned rsv = first >> 4;
  const bool own = (pipeline_->wants().own_opcodes >> op & 1U) != 0;
  const bool control = is_control(static_cast<opcode>(op));
  errc bad = errc::ok;
  if (control && rsv != 0)
    bad = errc::reserved_bits;
  else if (op == 0 || (op > 2 && !own))
    bad = errc::reserved_opcode;
  else if ((rsv & ~unsigned{pipeline_->wants().rsv}) != 0)
    bad = errc::reserved_bits;
  if (bad != errc::ok) {
    end(bad, close_code::protocol_error, {});
    return false;
  }
  if (!control) return begin_staged(op, rsv, (frame_first_ & 0x80U) != 0, frame_left_) && accept_size(frame_left_);
  message_op_ = static_cast<std::uint8_t>(op);
  return accept_size(frame_left_);
}

// A stage's own control frame travels as a message of its own, which may come in pieces.
kind connection::store_inband_control(byte_span piece, bool fin) {
  if (masked_in_) {
    mask(piece, frame_key_);
    frame_key_ = advance_key(frame_key_, piece.size());
  }
  if (!fin || assembly_ != nullptr) {
    assembly& a = half_way();
    reserve_for(a, piece.size());
    if (!piece.empty()) std::memcpy(a.body.data() + a.body.size(), piece.data(), piece.size());
    a.body.resize(a.body.size() + piece.size());
    if (!fin) return kind::none;
    piece = byte_span(res_->control_).first(a.body.size());
    std::copy_n(a.body.data(), piece.size(), piece.data());
  }
  const auto op = static_cast<opcode>(message_op_);
  end_message();
  return take_control(op, piece);
}

// A message, or its first part: `first` becomes its first byte. The byte goes in front of the payload where it lies
// when nobody else has it.
void connection::put_inband(std::uint8_t first, buffer payload, bool fin) {
  if (state_ != state::open) return;
  if (!payload.sole_owner() || payload.front_room() == 0) {
    buffer copy = res_->pool_.take(payload.size());
    if (!payload.empty()) std::memcpy(copy.data(), payload.data(), payload.size());
    payload = std::move(copy);
  }
  payload.grow_front(1);
  payload.data()[0] = static_cast<std::byte>(first);
  put_frames(static_cast<std::uint8_t>(opcode::binary), std::move(payload), fin);
  if (fin && !is_control(static_cast<opcode>(first & 0x0FU))) ++messages_out_;
}

// Own control frames are messages in-band: not among the parts of another, and bounded like all that is sent.
bool connection::controls_go() const noexcept {
  return !inband_ || (!sending_parts_ && (!out_.blocked() || out_.backlog() < settings_->bounds.write_soft));
}

}  // namespace core
HAWSER_END
