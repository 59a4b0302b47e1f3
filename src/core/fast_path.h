// The way of a short whole message, in and out: one piece of straight code that the core and the session share, so that
// nothing is called between the bytes and the handler. It takes what is plain and right; everything else it leaves
// untouched for the long way, which judges and explains.
#pragma once

#include <hawser/core/connection.h>
#include <hawser/core/frame.h>
#include <hawser/core/mask.h>
#include <hawser/core/utf8.h>

#include <bit>
#include <cstddef>
#include <cstring>

HAWSER_BEGIN
namespace core {

/// Opcode and bits of a message's first frame.
constexpr std::uint8_t first_byte(const head& h) noexcept { return static_cast<std::uint8_t>(h.rsv << 4 | h.opcode); }

static_assert(offsetof(head, sized) == 2 && offsetof(head, priority) == 3 && offsetof(head, flags) == 4 &&
                  offsetof(head, size) == 8,
              "whole_head makes it by shifts");

/// The head of a message whose size is known; made in registers, since stages are asked about it at once.
inline head whole_head(unsigned op, std::uint64_t size, std::uint8_t priority = 0, std::uint32_t flags = 0) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    const std::uint64_t front = op | 1U << 16 | unsigned{priority} << 24 | std::uint64_t{flags} << 32;
    head h;
    std::memcpy(static_cast<void*>(&h), &front, sizeof front);
    h.size = size;
    return h;
  }
  return {static_cast<std::uint8_t>(op), 0, 1, priority, flags, size};
}

struct fast_path {
  /// Shorter payloads are copied behind their header, which costs less than a reference to them.
  static constexpr std::size_t copy_below = 2048;

  /// A short whole message, where it was received.
  struct whole {
    byte_span payload;
    opcode op;
  };

  /// What `take_or_find` came to.
  enum class found : std::uint8_t { whole, event, nothing };

  /// `connection::next`, with the usual message told by `message` instead of an event.
  static found take_or_find(connection& c, whole& message, kind& event) {
    if (c.in_hot_state_ && c.res_->turn_ == &c) {
      if (c.res_->in_.empty()) return found::nothing;  // Hot: nothing is half-way and no stage has work.
      if (take(c, *c.res_, message)) return found::whole;
    }
    event = c.next_slow();
    return event == kind::none ? found::nothing : found::event;
  }

  /// `connection::next`.
  static kind next(connection& c) {
    whole message;
    kind event = kind::none;
    if (take_or_find(c, message, event) != found::whole) return event;
    core::event& e = c.res_->event_;
    e.payload = message.payload;
    e.owner = nullptr;
    e.first_byte = e.last_byte = c.res_->now_;
    e.op = message.op;
    e.first = e.fin = true;
    return c.settings_->in_parts ? kind::part : kind::message;
  }

  /// Puts a message into this turn's block. False: not taken, for any reason; the long way is to be asked.
  static bool send(connection& c, opcode op, byte_view payload) noexcept {
    const auto number = static_cast<std::uint8_t>(op);
    if (c.pipeline_ && (!c.in_hot_state_ || c.sending_held() || concerns_stages(c, number, payload.size())))
      return false;
    std::byte* to = room_for(c, number, payload.size());
    if (to == nullptr) return false;
    put(c, to, number, payload);
    return true;
  }

  /// Sends a message that stages are to be asked about, without any wishes, which are dear to pass on.
  [[gnu::noinline]] static errc ask(connection& c, opcode op, byte_view payload);

  /// True when a stage wants to be asked about a message to be sent.
  static bool concerns_stages(const connection& c, std::uint8_t number, std::size_t size) noexcept {
    return (c.out_opcodes_ >> number & 1U) != 0 && size >= c.pipeline_->wants().out_min_size;
  }

  /// Where `put` may put a short message of this opcode; null: not now, or not this message.
  static std::byte* room_for(connection& c, std::uint8_t number, std::size_t size) noexcept {
    if (c.state_ != connection::state::open || number - 1U > 1U || c.sending_parts_) return nullptr;
    if (size >= copy_below || size > c.settings_->bounds.max_outgoing_frame) return nullptr;
    return c.out_.block_room(c.res_->block_, size + max_frame_header);
  }

  /// Frames a message there. `first` is its opcode and the bits of its stages.
  static void put(connection& c, std::byte* to, std::uint8_t first, byte_view payload) noexcept {
    if (c.masked_out_) return c.put_masked(to, first, payload);
    const std::size_t size = payload.size();
    const std::size_t header = write_frame_header(to, static_cast<std::uint8_t>(0x80U | first), size);
    c.out_.commit_block(c.res_->block_, header + size);
    ++c.messages_out_;
    copy(to + header, payload.data(), size);
  }

  /// The frames of this turn when they lie in one piece; else null.
  static const byte_view* one_piece(connection& c) noexcept { return c.out_.one_piece(c.res_->block_); }
  /// All of it has been taken by the system.
  static void one_piece_sent(connection& c, std::size_t size) noexcept {
    c.bytes_out_ += size;
    outbox::one_piece_sent(c.res_->block_);
  }

  /// True while nothing is half-way that could want a time or a place of its own: neither `deadline` nor
  /// `receive_buffer` has changed since they were asked last, and no stage has let go of what it held.
  static bool settled(const connection& c) noexcept {
    return c.in_hot_state_ && c.state_ == connection::state::open &&
           (!c.pipeline_ || (c.pipeline_->deadline() == no_deadline && !c.pipeline_->sending_released()));
  }

 private:
  // A final frame of text or binary, complete, below 64 KiB, masked as it must be, within the limits, that every stage
  // lets be. RFC 6455, 5.2.
  static bool take(connection& c, resources& shared, whole& message) {
    const byte_span in = shared.in_;
    if (in.size() < 2) return false;
    const unsigned masked = c.masked_in_ ? 1 : 0;
    const auto* p = reinterpret_cast<const std::uint8_t*>(in.data());
    const unsigned op = p[0] ^ 0x80U;
    std::size_t length = p[1] ^ masked << 7;
    std::size_t header = 2 + 4 * masked;
    if (op - 1 > 1 || length > 126) return false;  // Also when the mask bit is not what it must be.
    if (length == 126) {
      if (in.size() < 4) return false;
      length = std::size_t{p[2]} << 8 | p[3];
      if (length < 126) return false;
      header += 2;
    }
    const limits& most = c.settings_->bounds;
    if (in.size() < header + length || length > most.max_message || length > most.max_frame) return false;
    if ((c.in_opcodes_ >> op & 1U) != 0 && !c.stages_let_be(op, header, length)) return false;
    const byte_span payload{in.data() + header, length};
    if (masked != 0) {
      std::uint32_t key;
      std::memcpy(&key, payload.data() - sizeof key, sizeof key);
      mask(payload, key);
    }
    shared.in_ = {payload.data() + length, in.size() - header - length};
    if (op == static_cast<unsigned>(opcode::text) && !valid_utf8(payload)) {
      c.end(errc::bad_utf8, close_code::invalid_payload, {});
      return false;
    }
    ++c.messages_in_;
    shared.headed_payload_ = payload.data();
    message = {payload, static_cast<opcode>(op)};
    return true;
  }

  // A short copy needs no call. With a key of 0 what masks, copies.
  static void copy(std::byte* to, const std::byte* from, std::size_t n) noexcept {
    if (n < detail::wide_mask_size) return detail::mask_short(to, from, n, 0);
    std::memcpy(to, from, n);
  }
};

}  // namespace core
HAWSER_END
