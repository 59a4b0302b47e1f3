// What is on its way out of a connection: this turn's block, and the backlog that the system has not taken yet. Not for
// users. Public all the same: a connection holds its outbox by value, so that the fast path reaches the block without
// another pointer to follow.
#pragma once

#include <hawser/base/buffer.h>
#include <hawser/base/bytes.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

HAWSER_BEGIN
namespace core {

class outbox;

/// The contiguous block that the connection whose turn it is writes its frames into, with references to large payloads
/// in between. One a loop; lent to one connection at a time.
class HAWSER_API turn_block {
 public:
  /// Room for `flush_at` bytes and one more frame that is copied.
  static constexpr std::size_t flush_at = std::size_t{512} << 10;
  static constexpr std::size_t capacity = flush_at + (std::size_t{80} << 10);

  turn_block();
  ~turn_block();
  turn_block(const turn_block&) = delete;
  turn_block& operator=(const turn_block&) = delete;

 private:
  friend class outbox;
  struct reference {
    std::size_t at;  // Where in the block it stands.
    byte_view bytes;
    buffer owner;  // Empty: a view that dies with the turn.
  };
  outbox* holder_ = nullptr;
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t size_ = 0;
  std::size_t referenced_ = 0;  // Bytes behind all references.
  std::size_t raw_ = 0;         // Bytes at the front that are not frames.
  std::size_t sent_ = 0;        // Bytes at the front that the system has taken.
  byte_view whole_;             // `gathered_` where there is no reference.
  std::vector<reference> references_;
  std::vector<byte_view> gathered_;
};

/// The bytes of one connection that are still to be sent, in order, and the control lane that may overtake them at a
/// frame boundary (D10: B10, D8, D11 of the failures). Holds no memory while there is nothing to send.
class HAWSER_API outbox {
 public:
  outbox() noexcept = default;
  ~outbox();
  outbox(const outbox&) = delete;
  outbox& operator=(const outbox&) = delete;

  // ---- whose turn it is
  /// Takes the block for this connection, when nobody has it and there is no backlog. Without it everything goes to the
  /// backlog.
  void begin_turn(turn_block& block) noexcept {
    if (block.holder_ == nullptr && queue_ == nullptr) block.holder_ = this;
  }
  /// Gives the block back; what `sent` did not cover has been moved to the backlog.
  void end_turn(turn_block& block, buffer_pool& pool) {
    if (block.holder_ != this) return;
    if (pending(block) > 0) return spill(block, pool, block.sent_);
    block.holder_ = nullptr;  // Empty: `sent` has reset it.
  }

  [[nodiscard]] bool holds(const turn_block& block) const noexcept { return block.holder_ == this; }

  // ---- frames in
  /// Room for `n` bytes in the block, when it is ours and it is not yet time to flush; then `commit_block(n)`. Null
  /// otherwise: use `reserve`.
  std::byte* block_room(turn_block& block, std::size_t n) noexcept {
    return block.holder_ == this && block.size_ + n <= turn_block::flush_at ? block.bytes_.get() + block.size_
                                                                            : nullptr;
  }
  void commit_block(turn_block& block, std::size_t n) noexcept { block.size_ += n; }
  /// A contiguous place for `n` bytes (n <= 64 KiB + 16); write them, then `commit(n)`.
  std::byte* reserve(turn_block& block, buffer_pool& pool, std::size_t n);
  void commit(turn_block& block, std::size_t n) noexcept;
  /// Appends bytes that stay where they are, counted.
  void append(turn_block& block, buffer bytes);
  /// Appends bytes that stay until the end of this turn; they are copied when they have to stay longer.
  void append_view(turn_block& block, buffer_pool& pool, byte_view bytes);
  /// Appends bytes that are not frames: an HTTP response. Only in front of everything else.
  void append_raw(turn_block& block, buffer_pool& pool, byte_view bytes);

  /// Appends frames of which the system has taken the first `done` bytes already; copies the rest when told to. Only
  /// when `idle`.
  void append_rest(buffer_pool& pool, const buffer& frames, std::size_t done, bool copy);

  // ---- the control lane
  /// True while the system takes nothing: set by the owner after a short write, cleared when it may write again.
  void set_blocked(bool blocked) noexcept { blocked_ = blocked; }
  [[nodiscard]] bool blocked() const noexcept { return blocked_; }
  /// While blocked: queues a control frame for the first frame boundary; false when the lane (4 KiB) is full.
  bool overtake(buffer_pool& pool, byte_view frame);
  /// While blocked: keeps this pong as the one that goes out, in place of an earlier one.
  void overtake_with_pong(byte_view frame);
  /// True when `overtake` would take any control frame, or none waits.
  [[nodiscard]] bool lane_has_room() const noexcept;
  /// What waits in the lane goes in front of everything that is appended from now on: before a close frame.
  void settle_lane(buffer_pool& pool);

  // ---- bytes out
  /// Everything that is to be sent now, at most 64 chunks, in order. Valid until the next call.
  std::span<const byte_view> gather(turn_block& block, buffer_pool& pool) {
    if (block.holder_ != this || !block.references_.empty()) return gather_chunks(block, pool);
    block.whole_ = {block.bytes_.get() + block.sent_, block.size_ - block.sent_};
    return {&block.whole_, block.whole_.empty() ? 0U : 1U};
  }
  /// The first `n` bytes of what `gather` gave were taken by the system.
  void sent(turn_block& block, buffer_pool& pool, std::size_t n) {
    if (block.holder_ == this && n == pending(block)) return reset(block);
    sent_part(block, pool, n);
  }

  /// The one chunk of `gather`, when it is all that this turn has to send; else null. Then, when the system has taken
  /// it whole, `one_piece_sent`.
  [[nodiscard]] const byte_view* one_piece(turn_block& block) const noexcept {
    if (block.holder_ != this || block.size_ + block.referenced_ == block.sent_) return nullptr;
    if (block.referenced_ == 0) {
      block.whole_ = {block.bytes_.get() + block.sent_, block.size_ - block.sent_};
    } else {
      if (block.size_ + block.sent_ != 0 || block.references_.size() != 1) return nullptr;
      block.whole_ = block.references_.front().bytes;
    }
    return &block.whole_;
  }
  static void one_piece_sent(turn_block& block) noexcept { reset(block); }

  /// Bytes to be sent: in the block, when it is ours, and in the backlog.
  [[nodiscard]] std::size_t pending(const turn_block& block) const noexcept {
    if (block.holder_ == this) return block.size_ + block.referenced_ - block.sent_;
    return queue_ == nullptr ? 0 : queued();
  }
  /// True outside a turn, when nothing waits.
  [[nodiscard]] bool idle(const turn_block& block) const noexcept {
    return queue_ == nullptr && !blocked_ && block.holder_ != this;
  }
  /// Bytes in the backlog.
  [[nodiscard]] std::size_t backlog() const noexcept { return queue_ == nullptr ? 0 : backlog_bytes(); }
  /// Throws everything away.
  void clear(turn_block& block) noexcept;

 private:
  struct queue;
  queue& need_queue();
  [[nodiscard]] std::size_t queued() const noexcept;
  [[nodiscard]] std::size_t backlog_bytes() const noexcept;
  static void reset(turn_block& block) noexcept {
    block.size_ = block.referenced_ = block.raw_ = block.sent_ = 0;
    if (!block.references_.empty()) block.references_.clear();
  }
  std::span<const byte_view> gather_chunks(turn_block& block, buffer_pool& pool);
  void sent_part(turn_block& block, buffer_pool& pool, std::size_t n);
  static void view_block(turn_block& block);
  void view_queue(turn_block& block) const;
  void spill(turn_block& block, buffer_pool& pool, std::size_t from);

  queue* queue_ = nullptr;  // The backlog; null when empty.
  bool blocked_ = false;
};

}  // namespace core
HAWSER_END
