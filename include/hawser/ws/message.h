// A received message.
#pragma once

#include <hawser/base/buffer.h>
#include <hawser/base/bytes.h>
#include <hawser/base/clock.h>
#include <hawser/core/notes.h>
#include <hawser/core/opcode.h>

#include <memory>
#include <string>
#include <string_view>

HAWSER_BEGIN

/// A message, or with `in_parts` a part of one. A handler gets it borrowed: it and its views are good until the handler
/// returns. `take()` makes it owned: then it is good for as long as it is kept, on any one thread.
class HAWSER_API message {
 public:
  message() noexcept = default;  ///< An empty text.

  [[nodiscard]] bool is_text() const noexcept { return op_ == opcode::text; }  ///< Text or binary.
  /// The payload as text: UTF-8, already checked, when `is_text()`; plain bytes otherwise. A part may begin and end
  /// inside a character.
  [[nodiscard]] std::string_view text() const& noexcept HAWSER_LIFETIME_BOUND { return as_text(payload_); }
  std::string_view text() const&& = delete;
  /// The payload, text or not. Valid as long as `text`.
  [[nodiscard]] byte_view bytes() const& noexcept HAWSER_LIFETIME_BOUND { return payload_; }
  byte_view bytes() const&& = delete;
  [[nodiscard]] std::size_t size() const noexcept { return payload_.size(); }  ///< Bytes of the payload.

  /// With `in_parts`: whether this is the first and the last part of its message. Whole messages are both.
  [[nodiscard]] bool first() const noexcept { return first_; }
  [[nodiscard]] bool last() const noexcept { return last_; }

  /// When the first and the last byte of the message were received.
  [[nodiscard]] tick first_byte() const noexcept { return first_byte_; }
  [[nodiscard]] tick last_byte() const noexcept { return last_byte_; }

  /// What an agreed extension found with this message, by the extension's name; empty for nothing. Its page says what
  /// it means: `ext::trace::of`, for example, reads it. Valid as long as the message's views.
  [[nodiscard]] byte_view note(std::string_view extension) const& noexcept HAWSER_LIFETIME_BOUND {
    return notes_ ? notes_->find(extension) : byte_view();
  }
  byte_view note(std::string_view extension) const&& = delete;

  /// The message as an owned one. Free when it owns its bytes already (large messages do), a copy otherwise. Loop
  /// thread.
  [[nodiscard]] message take() const;

 private:
  friend class session;
  friend class connection;
  friend class server;

  /// As a message of its own: not when it is a part of a text that is cut inside a character.
  [[nodiscard]] bool may_be_sent() const noexcept { return op_ != opcode::text || (first_ && last_) || is_utf8(); }
  [[nodiscard]] bool is_utf8() const noexcept;

  void borrow_notes(const core::notes* from) noexcept { notes_ = {std::shared_ptr<const core::notes>(), from}; }

  byte_view payload_;
  mutable buffer owner_;          // Not empty: the payload lies in it.
  buffer* lent_owner_ = nullptr;  // A borrowed message's buffer, which `take` shares.
  buffer_pool* pool_ = nullptr;
  tick first_byte_{};
  tick last_byte_{};
  opcode op_ = opcode::text;
  bool first_ = true;
  bool last_ = true;
  // Shared by the copies of an owned message; without a count, and the connection's, for a borrowed one.
  std::shared_ptr<const core::notes> notes_;
};

HAWSER_END
