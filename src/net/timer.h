// The lazy timer wheel: activity stores a tick, only an earlier deadline moves an entry.
#pragma once

#include <hawser/base/clock.h>

#include <array>
#include <cstdint>

HAWSER_BEGIN
namespace net {

class timer_wheel;

/// Something that can be woken at a time. Intrusive: the wheel allocates nothing. Removes itself when destroyed.
class timed {
 public:
  timed() noexcept = default;
  timed(const timed&) = delete;
  timed& operator=(const timed&) = delete;

  /// Called once at or after the scheduled time. The entry is then no longer scheduled; schedule it again from here if
  /// the real deadline has moved. May destroy any entry, itself included.
  virtual void on_timer(tick now) = 0;

 protected:
  ~timed() { unlink(); }

 private:
  friend class timer_wheel;
  void unlink() noexcept;
  timed* next_ = nullptr;
  timed** back_ = nullptr;  // What points at this entry; null: not scheduled.
  tick due_{};
};

/// Entries by due time in slots. Scheduling, cancelling and expiry are O(1) each. One thread.
class timer_wheel {
 public:
  explicit timer_wheel(tick start) noexcept;

  /// Wakes `entry` at or after `when`, at most one granule (8 ms) late. An entry that is already scheduled earlier
  /// stays where it is: its `on_timer` comes early and schedules again. `no_deadline` leaves it unscheduled, or where
  /// it is.
  void schedule(timed& entry, tick when) noexcept;
  void cancel(timed& entry) noexcept;

  /// Calls `on_timer` on everything due at `now`.
  void expire(tick now);

  /// No entry is due before this; `no_deadline` when there is none. May be earlier than the earliest entry, never
  /// later.
  [[nodiscard]] tick next_due() const noexcept;
};

}  // namespace net
HAWSER_END
