// Frames in: headers judged, payloads unmasked, messages put together. RFC 6455, 5.

#include "core/assembly.h"
#include "core/fast_path.h"
#include "core/pipeline_begin.h"

#include <hawser/core/connection.h>
#include <hawser/core/mask.h>
#include <hawser/core/utf8.h>

#include <algorithm>
#include <cstring>
#include <utility>

HAWSER_BEGIN
namespace core {

namespace {

constexpr std::size_t proof = std::size_t{64} << 10;           // So much of a message proves that it is meant (A11).
constexpr std::size_t unproven_limit = std::size_t{64} << 20;  // Reserved on peers' word, in all connections of a loop.
constexpr std::uint64_t max_control_payload = 125;
constexpr unsigned glitch_decay = 10;  // Points a second.

constexpr unsigned opcode_of(std::uint8_t first) noexcept { return first & 0x0FU; }
constexpr unsigned rsv_of(std::uint8_t first) noexcept { return first >> 4 & 0x07U; }
constexpr bool is_final(std::uint8_t first) noexcept { return (first & 0x80U) != 0; }

}  // namespace

// Takes the next header from the input, or keeps its first bytes. False: more input is needed, or the connection has
// failed.
bool connection::read_header() {
  byte_span& in = input();
  frame_header h{};
  parse_status status = parse_status::need_more;
  if (assembly_ == nullptr || assembly_->header_size == 0) {
    status = parse_frame_header(in, h);
    if (status == parse_status::ok) in = in.subspan(h.size);
  }
  if (status == parse_status::need_more) {
    assembly& a = half_way();
    while (status == parse_status::need_more && !in.empty()) {
      a.header[a.header_size++] = in.front();
      in = in.subspan(1);
      status = parse_frame_header({a.header, a.header_size}, h);
    }
    if (status == parse_status::need_more) return false;
    a.header_size = 0;
  }
  if (status == parse_status::length_invalid) {
    end(errc::length_invalid, close_code::protocol_error, {});
    return false;
  }
  return accept_header(h);
}

bool connection::accept_header(const frame_header& h) {
  if (h.masked != masked_in_) {
    end(h.masked ? errc::frame_masked : errc::frame_not_masked, close_code::protocol_error, {});
    return false;
  }
  const bool control = (h.first & 0x08U) != 0;
  if (!(control ? accept_control(h) : framed_ ? accept_framed(h) : accept_data(h))) return false;
  frame_first_ = h.first;
  frame_key_ = h.masking_key;
  frame_left_ = h.length;
  in_frame_ = true;
  return true;
}

// RFC 6455, 5.5. Bits on a control frame have no meaning for any stage (F-01, P-02).
bool connection::accept_control(const frame_header& h) {
  const unsigned op = opcode_of(h.first);
  const unsigned own = pipeline_ && !inband_ ? pipeline_->wants().own_opcodes : 0U;
  errc bad = errc::ok;
  if (rsv_of(h.first) != 0)
    bad = errc::reserved_bits;
  else if (op > 0xA && (own >> op & 1U) == 0)
    bad = errc::reserved_opcode;
  else if (h.length > max_control_payload)
    bad = errc::control_too_long;
  else if (!is_final(h.first))
    bad = errc::control_fragmented;
  if (bad != errc::ok) end(bad, close_code::protocol_error, {});
  return bad == errc::ok;
}

// RFC 6455, 5.2 and 5.4: the order of frames, their opcodes and bits.
bool connection::accept_data(const frame_header& h) {
  const unsigned op = opcode_of(h.first);
  const unsigned rsv = rsv_of(h.first);
  const bool staged = pipeline_ && !inband_;
  const unsigned claimed = staged ? pipeline_->wants().rsv : 0U;
  const unsigned own = staged ? pipeline_->wants().own_opcodes : 0U;
  const bool open = message_op_ != 0 || inband_begins_;
  errc bad = errc::ok;
  if (op > 2 && (own >> op & 1U) == 0)
    bad = errc::reserved_opcode;
  else if (op == 0 && !open)
    bad = errc::unexpected_continuation;
  else if (op != 0 && open)
    bad = errc::expected_continuation;
  else if ((rsv & ~claimed) != 0 || (op == 0 && rsv != 0))
    bad = errc::reserved_bits;
  if (bad != errc::ok) {
    end(bad, close_code::protocol_error, {});
    return false;
  }
  if (++fragments_ > std::max(settings_->bounds.max_fragments, 1U)) {
    end(errc::too_many_fragments, close_code::policy_violation, {});
    return false;
  }
  if (!is_final(h.first) && h.length < glitch_size && !glitch()) return false;
  if (inband_ && op == static_cast<unsigned>(opcode::text)) {
    end(errc::inband_malformed, close_code::unsupported_data, {});
    return false;
  }
  if (inband_ && (op != 0 || inband_begins_)) return inband_begins_ = true;
  return (op == 0 || begin_staged(op, rsv, is_final(h.first), h.length)) && accept_size(h.length);
}

// What the wire may bring: the message itself, or, with stages, what they make it of. Those have limits of their own;
// this one ends a message of which they make nothing. Compared by subtraction: the sum could overflow (A1).
bool connection::accept_size(std::uint64_t length) {
  const limits& l = settings_->bounds;
  if (length > l.max_frame) {
    end(errc::frame_too_big, close_code::message_too_big, {});
    return false;
  }
  const bool control = is_control(static_cast<opcode>(message_op_));  // In-band.
  const std::uint64_t most = control ? max_control_payload : most_on_wire(l.max_message, staged_);
  const std::uint64_t before = assembly_ != nullptr ? assembly_->wire : 0;
  if (before <= most && length <= most - before) return true;
  if (control) {
    end(errc::control_too_long, close_code::protocol_error, {});
    return false;
  }
  end(errc::message_too_big, close_code::message_too_big, {});
  return false;
}

// Starts a message: asks the stages that it concerns, if any. N-11, F-01.
bool connection::begin_staged(unsigned op, unsigned rsv, bool sized, std::uint64_t size) {
  message_op_ = static_cast<std::uint8_t>(op);
  staged_ = pipeline_ && ((in_opcodes_ >> message_op_ & 1U) != 0 || rsv != 0);
  if (staged_) {
    head m;
    m.opcode = message_op_;
    m.rsv = static_cast<std::uint8_t>(rsv);
    m.sized = sized ? 1 : 0;
    m.size = size;
    working();
    tell_room();
    if (!pipeline_->begin(direction::in, m, res_->now_)) {
      end_staged();
      return false;
    }
    if (m.rsv != 0) {
      end(errc::reserved_bits, close_code::protocol_error, {});
      return false;
    }
    staged_ = !pipeline_->bypassed(direction::in);
  }
  return true;
}

// Asks the stages about the plain message in front of the input: `fast_path`. True: all of them let it be, and nothing
// has changed. False: its header was worked in and the stages are to get it, or one of them failed.
bool connection::stages_let_be(unsigned op, std::size_t header, std::size_t length) {
  head m = whole_head(op, length);
  working();
  if (out_.blocked()) tell_room();
  if (pipeline_->lets_be<direction::in>(m, res_->now_)) [[likely]]
    return true;
  return let_be_after_all(op, header, length);
}

// What came of asking them.
bool connection::let_be_after_all(unsigned op, std::size_t header, std::size_t length) {
  if (pipeline_->failed()) {
    end_staged();
    return false;
  }
  const bool bypassed = pipeline_->bypassed(direction::in);
  if (pipeline_->has_work()) {
    in_hot_state_ = false;
    // What they send of themselves goes before what the message's handler sends.
    if (bypassed) drain_out();
    if (state_ == state::ending) return false;
  }
  if (bypassed) return true;
  byte_span& in = res_->in_;
  frame_first_ = std::to_integer<std::uint8_t>(in[0]);
  if (masked_in_) std::memcpy(&frame_key_, in.data() + header - sizeof frame_key_, sizeof frame_key_);
  frame_left_ = length;
  fragments_ = 1;
  message_op_ = static_cast<std::uint8_t>(op);
  in_frame_ = staged_ = true;
  in = in.subspan(header);
  return false;
}

// Takes what has come of a data frame's payload.
kind connection::read_payload() {
  if (inband_begins_ && !begin_inband()) return kind::none;
  byte_span& in = input();
  const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), frame_left_));
  if (take == 0 && frame_left_ > 0) {
    half_way();
    return kind::none;
  }
  const byte_span piece = in.first(take);
  in = in.subspan(take);
  frame_left_ -= take;
  const bool fin = frame_left_ == 0 && is_final(frame_first_);
  if (frame_left_ == 0) in_frame_ = false;

  const bool begun = assembly_ != nullptr && assembly_->wire > 0;
  if (!fin || begun) half_way().wire += take;
  if (is_control(static_cast<opcode>(message_op_))) return store_inband_control(piece, fin);
  if (!staged_ && !settings_->in_parts && !is_own() && (!fin || begun)) return store(piece, fin);

  if (masked_in_) {
    mask(piece, frame_key_);
    frame_key_ = advance_key(frame_key_, take);
  }
  if (!staged_) return take_piece(piece, fin);
  if (piece.empty() && !fin) return kind::none;
  half_way().pulling = true;
  pipeline_->push(direction::in, piece, fin, res_->now_);
  return pull_pieces();
}

// A plain message that comes in more than one piece moves into its own buffer, unmasked while it moves. When the piece
// was received there already (`receive_area`), it stays where it is.
kind connection::store(byte_span masked, bool fin) {
  assembly& a = *assembly_;
  // The piece may lie in the buffer that is exchanged here: it stays until the piece has moved.
  const buffer before = reserve_for(a, masked.size());
  std::byte* to = a.body.data() + a.body.size();
  if (masked_in_) {
    mask_copy(to, masked, frame_key_);
    frame_key_ = advance_key(frame_key_, masked.size());
  } else if (to != masked.data() && !masked.empty()) {
    std::memcpy(to, masked.data(), masked.size());
  }
  a.body.resize(a.body.size() + masked.size());
  a.size += masked.size();
  if (message_op_ == static_cast<std::uint8_t>(opcode::text) &&
      (!a.text.feed({to, masked.size()}) || (fin && !a.text.complete()))) {
    end(errc::bad_utf8, close_code::invalid_payload, {});
    return kind::none;
  }
  return fin ? deliver(a.body.span(), true) : kind::none;
}

kind connection::pull_pieces() {
  for (;;) {
    byte_span piece;
    bool fin = false;
    const pipeline::pulled got = pipeline_->pull(direction::in, piece, fin);
    if (got == pipeline::pulled::piece) {
      if (fin) {
        assembly_->pulling = false;
        settle_stages_ = true;
      }
      const kind k = take_piece(piece, fin);
      if (k != kind::none) return k;
      if (!fin && end_error_ == errc::ok) continue;
      if (assembly_ != nullptr) assembly_->pulling = false;
      return kind::none;
    }
    assembly_->pulling = false;
    if (got == pipeline::pulled::failed) end_staged();
    if (got == pipeline::pulled::gone) end_message();
    return kind::none;
  }
}

// Lets the pipeline give back the memory of a message whose last piece has been used.
void connection::settle_stages() {
  settle_stages_ = false;
  byte_span none;
  bool fin = false;
  pipeline_->pull(direction::in, none, fin);
}

// A piece of a message as the application is to see it. F-11: text is judged here, behind all stages. What the owner of
// an opcode lets pass is for nobody.
kind connection::take_piece(byte_span piece, bool fin) {
  if (is_own()) {
    if (fin) end_message();
    return kind::none;
  }
  const bool whole = fin && (assembly_ == nullptr || assembly_->size == 0);
  if (whole && piece.size() > settings_->bounds.max_message) {
    end(errc::message_too_big, close_code::message_too_big, {});
    return kind::none;
  }
  const bool text = message_op_ == static_cast<std::uint8_t>(opcode::text);
  if (whole) {
    if (!text || valid_utf8(piece)) return deliver(piece, true);
    end(errc::bad_utf8, close_code::invalid_payload, {});
    return kind::none;
  }
  assembly& a = need_assembly();
  if (piece.size() > settings_->bounds.max_message - a.size) {
    end(errc::message_too_big, close_code::message_too_big, {});
    return kind::none;
  }
  a.size += piece.size();
  if (text && (!a.text.feed(piece) || (fin && !a.text.complete()))) {
    end(errc::bad_utf8, close_code::invalid_payload, {});
    return kind::none;
  }
  if (settings_->in_parts) return piece.empty() && !fin ? kind::none : deliver(piece, fin);
  reserve_for(a, piece.size());
  if (!piece.empty()) std::memcpy(a.body.data() + a.body.size(), piece.data(), piece.size());
  a.body.resize(a.body.size() + piece.size());
  return fin ? deliver(a.body.span(), true) : kind::none;
}

// Fills the event of a message, or of a part of one, and forgets the message when it is over.
kind connection::deliver(byte_span payload, bool fin) {
  event& e = res_->event_;
  e.payload = payload;
  e.owner = nullptr;
  e.last_byte = res_->now_;
  e.first_byte = assembly_ != nullptr && assembly_->started != tick{} ? assembly_->started : res_->now_;
  e.op = static_cast<opcode>(message_op_);
  e.first = assembly_ == nullptr || !assembly_->parts;
  e.fin = fin;
  if (assembly_ != nullptr) assembly_->parts = true;
  if (fin) {
    ++messages_in_;
    // The payload may lie in the message's own buffer, which then lives until the turn ends.
    if (assembly_ != nullptr && assembly_->body && payload.data() == assembly_->body.data()) {
      res_->held_ = std::move(assembly_->body);
      e.owner = &res_->held_;
    }
    end_message();
  }
  return settings_->in_parts ? kind::part : kind::message;
}

void connection::end_message() noexcept {
  message_op_ = 0;
  if (!inband_begins_) fragments_ = 0;
  staged_ = false;
  drop_assembly();
}

// Room for `more` bytes behind the body. The declared size is reserved only when enough of it has come (A11); before
// that, at most four times what came, and only while the loop's reservations on peers' word stay bounded. Returns the
// buffer that had too little.
buffer connection::reserve_for(assembly& a, std::size_t more) {
  const std::size_t have = a.body.size();
  const std::size_t need = have + more;
  const std::uint64_t declared = need + (staged_ ? 0 : frame_left_);
  const bool proven = need >= std::min<std::uint64_t>(proof, declared / 4);
  // Once it is proven the rest gets its place at once: the less has come, the less has to move.
  if (a.body && have + a.body.back_room() >= (proven ? declared : need)) return {};
  res_->unproven_ -= std::exchange(a.unproven, 0);
  std::uint64_t room = proven ? declared : std::min<std::uint64_t>(declared, 4 * std::uint64_t{need});
  // More is to come, nobody knows how much.
  if (have > 0 && (staged_ || !is_final(frame_first_)))
    room = std::max(room, std::min<std::uint64_t>(settings_->bounds.max_message, 2 * std::uint64_t{have}));
  room = std::max<std::uint64_t>(room, need);
  if (!proven && room - need > unproven_limit - std::min(unproven_limit, res_->unproven_)) room = need;
  buffer grown = res_->pool_.take(have, static_cast<std::size_t>(room) - have);
  if (have > 0) std::memcpy(grown.data(), a.body.data(), have);
  if (!proven) a.unproven = static_cast<std::size_t>(room) - need;
  res_->unproven_ += a.unproven;
  return std::exchange(a.body, std::move(grown));
}

// Counts one pointless frame; false when there were too many (D20).
bool connection::glitch() {
  const auto second = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(res_->now_.time_since_epoch()).count());
  const std::uint64_t decayed = std::uint64_t{second - glitch_second_} * glitch_decay;
  glitches_ = static_cast<std::uint32_t>(glitches_ > decayed ? glitches_ - decayed : 0);
  glitch_second_ = second;
  if (++glitches_ < settings_->bounds.max_glitches) return true;
  end(errc::too_many_glitches, close_code::policy_violation, {});
  return false;
}

}  // namespace core
HAWSER_END
