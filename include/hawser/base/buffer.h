// The one owned buffer of the library, and the pool it comes from.
#pragma once

#include <hawser/base/bytes.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

HAWSER_BEGIN

class buffer_pool;

namespace detail {
struct pool_core;

/// The memory behind one or more `buffer`s: this header, then `capacity` bytes.
struct block {
  /// Buffers that refer to it; plain loads and stores until it is shared.
  std::atomic<std::uint32_t> count;
  /// Seen by more than one thread: counted atomically, goes home through the pool's return list.
  std::atomic<bool> shared;
  std::uint8_t size_class;
  std::size_t capacity;
  pool_core* home;
  block* next;

  std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

HAWSER_API void release(block* b) noexcept;
}  // namespace detail

/// A slice of a counted block: {block, offset, length}. Copying it shares the bytes, never copies them. Large receives,
/// owned messages, fan-out frames and backlog all use it. Counting belongs to one thread until `share()` is called.
class buffer {
 public:
  /// Bytes that every fresh buffer keeps free in front of its content, so that a frame header can be written there.
  static constexpr std::size_t headroom = 16;

  buffer() noexcept = default;  ///< Refers to no block.
  buffer(const buffer& other) noexcept : block_(other.block_), offset_(other.offset_), length_(other.length_) {
    retain();
  }
  buffer(buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        offset_(std::exchange(other.offset_, 0)),
        length_(std::exchange(other.length_, 0)) {}
  buffer& operator=(buffer other) noexcept {
    swap(other);
    return *this;
  }
  ~buffer() {
    if (block_ != nullptr) drop();
  }

  /// Exchanges what the two refer to.
  void swap(buffer& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(offset_, other.offset_);
    std::swap(length_, other.length_);
  }

  /// True when it refers to a block, also when its content is empty.
  explicit operator bool() const noexcept { return block_ != nullptr; }
  [[nodiscard]] std::size_t size() const noexcept { return length_; }  ///< Bytes of the content.
  [[nodiscard]] bool empty() const noexcept { return length_ == 0; }   ///< True when the content has no bytes.

  /// The content; good as long as some buffer refers to the block. Whoever writes must be the only owner, or nobody
  /// else may look yet.
  [[nodiscard]] std::byte* data() noexcept HAWSER_LIFETIME_BOUND { return block_->bytes() + offset_; }
  [[nodiscard]] const std::byte* data() const noexcept HAWSER_LIFETIME_BOUND { return block_->bytes() + offset_; }
  [[nodiscard]] byte_view view() const noexcept HAWSER_LIFETIME_BOUND {
    return block_ ? byte_view{data(), length_} : byte_view{};
  }
  [[nodiscard]] byte_span span() noexcept HAWSER_LIFETIME_BOUND {
    return block_ ? byte_span{data(), length_} : byte_span{};
  }

  /// Bytes free in front of and behind the content.
  [[nodiscard]] std::size_t front_room() const noexcept { return offset_; }
  [[nodiscard]] std::size_t back_room() const noexcept { return block_ ? block_->capacity - offset_ - length_ : 0; }

  /// Grows the content into the free bytes in front or behind (at most the room), or cuts it down. Bytes gained are not
  /// initialised.
  void grow_front(std::size_t n) noexcept {
    offset_ -= n;
    length_ += n;
  }
  void trim_front(std::size_t n) noexcept {
    offset_ += n;
    length_ -= n;
  }
  void resize(std::size_t n) noexcept { length_ = n; }

  /// The part [from, from + n) as another buffer on the same block.
  [[nodiscard]] buffer slice(std::size_t from, std::size_t n) const noexcept {
    buffer part = *this;
    part.offset_ += from;
    part.length_ = n;
    return part;
  }

  /// True when `next` lies directly behind the content of this one in the same block.
  [[nodiscard]] bool continues_with(const buffer& next) const noexcept {
    return block_ == next.block_ && offset_ + length_ == next.offset_;
  }

  /// True when no other buffer refers to the block. Not for an empty handle; the same for `data()`.
  [[nodiscard]] bool sole_owner() const noexcept { return block_->count.load(std::memory_order_acquire) == 1; }

  /// Call before the buffer, or a copy of it, is handed to another thread. From then on counting is atomic.
  void share() noexcept {
    if (block_ != nullptr) block_->shared.store(true, std::memory_order_relaxed);
  }

 private:
  friend class buffer_pool;
  buffer(detail::block* b, std::size_t offset, std::size_t length) noexcept
      : block_(b), offset_(offset), length_(length) {}

  void retain() noexcept {
    if (block_ == nullptr) return;
    if (block_->shared.load(std::memory_order_relaxed))
      block_->count.fetch_add(1, std::memory_order_relaxed);
    else
      block_->count.store(block_->count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void drop() noexcept {
    if (!block_->shared.load(std::memory_order_relaxed)) {
      const std::uint32_t left = block_->count.load(std::memory_order_relaxed) - 1;
      block_->count.store(left, std::memory_order_relaxed);
      if (left == 0) detail::release(block_);
    } else if (block_->count.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      detail::release(block_);
    }
  }

  detail::block* block_ = nullptr;
  std::size_t offset_ = 0;
  std::size_t length_ = 0;
};

/// Blocks by size class, kept for reuse: fresh pages from the system cost more than most messages. Belongs to one
/// thread; only the way home of a shared block is safe from others. Buffers may outlive their pool.
class HAWSER_API buffer_pool {
 public:
  /// Keeps at most `keep_bytes` of free blocks; what comes home beyond goes back to the system.
  explicit buffer_pool(std::size_t keep_bytes = std::size_t{32} << 20);
  ~buffer_pool();
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;

  /// A buffer with `size` bytes of content, not initialised, `buffer::headroom` bytes in front and at least `extra`
  /// behind. Throws `std::bad_alloc` when the system has no memory.
  [[nodiscard]] buffer take(std::size_t size, std::size_t extra = 0);

  /// Bytes of free blocks kept now; bytes of blocks in use, by capacity.
  [[nodiscard]] std::size_t kept_bytes() const noexcept;
  [[nodiscard]] std::size_t used_bytes() const noexcept;

 private:
  detail::pool_core* core_;
};

HAWSER_END
