// Which connection a handle means: one process-wide table of slots that never move and are never freed, so that a
// handle can be checked on any thread for ever.
#pragma once

#include "net/loop.h"

#include <hawser/base/function.h>

#include <atomic>
#include <cstdint>
#include <mutex>

HAWSER_BEGIN

class session;

/// The way to a loop from other threads. Never freed: a handle may post long after the loop has gone; the box is then
/// empty, or serves another loop, where the generation check turns the call away.
class mailbox {
 public:
  /// Queues `call` on the loop, or destroys it and says false when there is none.
  bool post(function<void()> call);

  void attach(net::loop& owner);
  /// No post reaches the loop afterwards.
  void detach();

 private:
  std::mutex lock_;
  net::loop* loop_ = nullptr;
};

/// The mailbox of the loop that runs on this thread, or null.
inline thread_local mailbox* current_mailbox = nullptr;

/// Takes a mailbox for a new loop; gives it back when the loop has gone.
mailbox& acquire_mailbox();
void release_mailbox(mailbox& box);

struct slot {
  std::atomic<std::uint32_t> generation{1};
  std::atomic<mailbox*> box{nullptr};
  session* who = nullptr;  // Only for the thread of `box`.
  std::uint32_t next_free = 0;
};

struct slot_key {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
};

/// Throws `std::bad_alloc` when there are no more slots (4 million).
slot_key acquire_slot(mailbox& box, session& who);
/// From now on every handle of this slot answers `errc::closed`.
void release_slot(std::uint32_t index) noexcept;
/// The slot of an index that was handed out; never null for those.
slot* find_slot(std::uint32_t index) noexcept;

HAWSER_END
