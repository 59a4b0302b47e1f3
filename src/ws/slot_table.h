// Which connection a handle means: one process-wide table of slots that never move and are never freed, so that a
// handle can be checked on any thread for ever.
#pragma once

#include "net/loop.h"

#include <hawser/base/function.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

HAWSER_BEGIN

class session;

/// Bytes that other threads have queued and the loop has not taken up yet. Any thread.
class budget {
 public:
  /// Takes `n` bytes unless that would pass `most`; the first ones are always let in, however many.
  bool take(std::size_t n, std::size_t most) noexcept {
    std::size_t used = used_.load(std::memory_order_relaxed);
    do {
      if (used != 0 && (used >= most || n > most - used)) return false;
    } while (!used_.compare_exchange_weak(used, used + n, std::memory_order_relaxed));
    return true;
  }
  void give_back(std::size_t n) noexcept { used_.fetch_sub(n, std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> used_{0};
};

/// A part of a budget, given back when it goes. Travels with the queued call, which may run or be destroyed uncalled.
class loan {
 public:
  loan() noexcept = default;
  loan(loan&& other) noexcept : from_(std::exchange(other.from_, nullptr)), size_(other.size_) {}
  loan& operator=(loan&& other) noexcept {
    std::swap(from_, other.from_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~loan() {
    if (from_ != nullptr) from_->give_back(size_);
  }

  /// Takes `n` bytes, and what a queued call costs by itself, out of `from`, which outlives the loan.
  bool take(budget& from, std::size_t n, std::size_t most) noexcept {
    constexpr std::size_t call = 128;
    if (!from.take(n + call, most)) return false;
    from_ = &from;
    size_ = n + call;
    return true;
  }

 private:
  budget* from_ = nullptr;
  std::size_t size_ = 0;
};

/// The way to a loop from other threads. Never freed: a handle may post long after the loop has gone; the box is then
/// empty, or serves another loop, where the generation check turns the call away.
class mailbox {
 public:
  /// Bytes of publications that may wait for a loop: a thread that publishes faster than it sends hears `would_block`.
  static constexpr std::size_t most_published = std::size_t{16} << 20;

  /// Queues `call` on the loop, or destroys it and says false when there is none.
  bool post(function<void()> call);

  /// `sessions`: those of the loop, by the places that their slots name. Outlives the attachment.
  void attach(net::loop& owner, const std::vector<session*>& sessions);
  /// No post reaches the loop afterwards.
  void detach();

  /// The loop's thread.
  [[nodiscard]] session* session_at(std::uint32_t place) const noexcept { return (*sessions_)[place]; }

  [[nodiscard]] budget& published() noexcept { return published_; }

  /// While it serves no loop: the next one that does not. Guarded by the table.
  mailbox* next_free = nullptr;

 private:
  std::mutex lock_;
  net::loop* loop_ = nullptr;
  const std::vector<session*>* sessions_ = nullptr;
  budget published_;
};

/// The mailbox of the loop that runs on this thread, or null.
// One load wherever it is inlined, also in a shared library.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): a thread has one loop at most
inline constinit thread_local mailbox* current_mailbox __attribute__((tls_model("initial-exec"))) = nullptr;

/// The session of this thread whose messages are being delivered, or null: what its handlers send is found without the
/// table.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): as above
inline constinit thread_local session* current_speaker __attribute__((tls_model("initial-exec"))) = nullptr;

/// Makes a mailbox the current one of this thread while it lives.
class mailbox_visit {
 public:
  explicit mailbox_visit(mailbox& box) noexcept
      : outer_(std::exchange(current_mailbox, &box)), speaker_(std::exchange(current_speaker, nullptr)) {}
  ~mailbox_visit() {
    current_mailbox = outer_;
    current_speaker = speaker_;
  }
  mailbox_visit(const mailbox_visit&) = delete;
  mailbox_visit& operator=(const mailbox_visit&) = delete;

 private:
  mailbox* outer_;
  session* speaker_;
};

/// Takes a mailbox for a new loop; gives it back when the loop has gone.
mailbox& acquire_mailbox();
void release_mailbox(mailbox& box);

struct slot {
  /// Bytes of messages that other threads may have under way to one connection.
  static constexpr std::size_t most_sent = std::size_t{1} << 20;

  std::atomic<std::uint32_t> generation{1};
  std::uint32_t link = 0;  // Free: the next free slot. In use: where its loop finds the session; only for that thread.
  std::atomic<mailbox*> box{nullptr};

  // For senders on other threads. They are the slot's, not the connection's: whatever is under way when a connection
  // goes is given back by itself.
  budget sent;
  std::atomic<std::uint32_t> drain_asked{0};  // The generation that waits for `on_drain`; 0: none.
  std::atomic<bool> full{false};              // The backlog is over its soft limit.
  std::atomic<bool> shut{false};              // Nothing more can be sent on the connection.
};

// There is one for each connection that there ever was at a time.
static_assert(sizeof(slot) <= 32);

struct slot_key {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
};

/// Throws `std::bad_alloc` when there are no more slots (4 million).
slot_key acquire_slot(mailbox& box);
/// From now on every handle of this slot answers `errc::closed`.
void release_slot(std::uint32_t index) noexcept;
/// The slot of an index that was handed out; never null for those.
slot* find_slot(std::uint32_t index) noexcept;

HAWSER_END
