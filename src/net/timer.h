// The lazy timer wheel: activity stores a tick, only an earlier deadline moves an entry.
#pragma once

#include <hawser/base/clock.h>

#include <array>
#include <chrono>
#include <cstdint>

HAWSER_BEGIN
namespace net {

class timed;

/// The place of an entry in the wheel. Apart from `timed` because a polymorphic class with a protected destructor may
/// have no friends.
class timer_link {
 public:
  timer_link() noexcept = default;
  timer_link(const timer_link&) = delete;
  timer_link& operator=(const timer_link&) = delete;

  [[nodiscard]] bool scheduled() const noexcept { return back_ != nullptr; }

 protected:
  ~timer_link() { unlink(); }

 private:
  friend class timer_wheel;
  void unlink() noexcept {
    if (back_ == nullptr) return;
    *back_ = next_;
    if (next_ != nullptr) next_->back_ = back_;
    next_ = nullptr;
    back_ = nullptr;
  }

  timer_link* next_ = nullptr;
  timer_link** back_ = nullptr;  // What points at this entry; null: not scheduled.
  tick due_{};
};

/// Something that can be woken at a time. Intrusive: the wheel allocates nothing. Removes itself when destroyed.
class timed : public timer_link {
 public:
  /// Called once at or after the scheduled time. The entry is then no longer scheduled; schedule it again from here if
  /// the real deadline has moved. May destroy any entry, itself included.
  virtual void on_timer(tick now) = 0;

 protected:
  ~timed() = default;
};

/// Entries by due time in slots. Scheduling, cancelling and expiry are O(1) each. One thread.
class HAWSER_API timer_wheel {
 public:
  /// How exact it is.
  static constexpr ticks granule = std::chrono::milliseconds(8);

  explicit timer_wheel(tick start) noexcept : start_(start) {}
  /// Entries that are still scheduled are forgotten.
  ~timer_wheel();
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  /// Wakes `entry` at or after `when`, at most one granule late; when it is late already, within a granule. An entry
  /// that is already scheduled earlier stays where it is: its `on_timer` comes early and schedules again. `no_deadline`
  /// leaves it unscheduled, or where it is.
  void schedule(timed& entry, tick when) noexcept {
    if (when == no_deadline || (entry.back_ != nullptr && entry.due_ <= when)) return;
    place(entry, when);
  }
  void cancel(timed& entry) noexcept { entry.unlink(); }

  /// Calls `on_timer` on everything due at `now`. What is scheduled meanwhile waits for a later call. Not to be called
  /// from `on_timer`.
  void expire(tick now);

  /// No entry is due before this; `no_deadline` when there is none. May be earlier than the earliest entry, never
  /// later.
  [[nodiscard]] tick next_due() const noexcept;

 private:
  // Level 0 has a slot a granule, each further level slots 64 times as wide. The last one reaches for 272 years.
  static constexpr unsigned bits = 6;
  static constexpr std::uint64_t slots = std::uint64_t{1} << bits;
  static constexpr unsigned levels = 7;

  struct level {
    std::uint64_t occupied = 0;  // A bit for each slot that may hold entries: unlinking does not clear it.
    std::array<timer_link*, slots> slot{};
  };

  void place(timer_link& entry, tick when) noexcept;
  void insert(timer_link& entry, std::uint64_t due) noexcept;
  void collect(std::uint64_t now, timer_link*& out) noexcept;
  [[nodiscard]] std::uint64_t first_granule(tick when) const noexcept;
  static void push(timer_link*& head, timer_link& entry) noexcept;

  tick start_;
  std::uint64_t current_ = 0;  // Granules since `start_` that have expired.
  std::array<level, levels> levels_{};
};

}  // namespace net
HAWSER_END
