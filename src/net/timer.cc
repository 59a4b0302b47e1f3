#include "net/timer.h"

#include <algorithm>
#include <bit>

HAWSER_BEGIN
namespace net {

timer_wheel::~timer_wheel() {
  for (level& l : levels_)
    for (timer_link* head : l.slot)
      while (head != nullptr) {
        timer_link* entry = head;
        head = entry->next_;
        entry->next_ = nullptr;
        entry->back_ = nullptr;
      }
}

void timer_wheel::push(timer_link*& head, timer_link& entry) noexcept {
  entry.next_ = head;
  if (head != nullptr) head->back_ = &entry.next_;
  entry.back_ = &head;
  head = &entry;
}

// Rounded up, so that nothing is woken early; the granule that has expired already is of no use to anybody.
std::uint64_t timer_wheel::first_granule(tick when) const noexcept {
  if (when <= start_) return current_ + 1;
  const ticks after = when - start_;
  const auto whole = static_cast<std::uint64_t>(after / granule);
  return std::max(whole + (after % granule != ticks::zero() ? 1 : 0), current_ + 1);
}

void timer_wheel::place(timer_link& entry, tick when) noexcept {
  entry.unlink();
  entry.due_ = when;
  insert(entry, first_granule(when));
}

void timer_wheel::insert(timer_link& entry, std::uint64_t due) noexcept {
  const std::uint64_t ahead = due - current_;
  const unsigned index = std::min((static_cast<unsigned>(std::bit_width(ahead)) - 1) / bits, levels - 1);
  const std::uint64_t slot = (due >> (bits * index)) % slots;
  levels_[index].occupied |= std::uint64_t{1} << slot;
  push(levels_[index].slot[slot], entry);
}

// Moves the entries of every slot that time has reached into `out`. Takes as long for a day as for a granule.
void timer_wheel::collect(std::uint64_t now, timer_link*& out) noexcept {
  for (unsigned index = 0; index < levels; ++index) {
    const std::uint64_t from = current_ >> (bits * index);
    const std::uint64_t to = now >> (bits * index);
    if (from == to) return;
    std::uint64_t reached = ~std::uint64_t{0};
    if (to - from < slots)
      reached = std::rotl((std::uint64_t{1} << (to - from)) - 1, static_cast<int>((from + 1) % slots));
    level& l = levels_[index];
    for (std::uint64_t left = l.occupied & reached; left != 0; left &= left - 1) {
      timer_link*& head = l.slot[static_cast<unsigned>(std::countr_zero(left))];
      while (head != nullptr) {
        timer_link& entry = *head;
        entry.unlink();
        push(out, entry);
      }
    }
    l.occupied &= ~reached;
  }
}

void timer_wheel::expire(tick now) {
  if (now < start_) return;
  const auto granules = static_cast<std::uint64_t>((now - start_) / granule);
  if (granules <= current_) return;
  timer_link* reached = nullptr;
  collect(granules, reached);
  current_ = granules;
  timer_link* due = nullptr;
  while (reached != nullptr) {
    timer_link& entry = *reached;
    entry.unlink();
    if (entry.due_ <= now)
      push(due, entry);
    else
      insert(entry, first_granule(entry.due_));
  }
  while (due != nullptr) {
    timer_link& entry = *due;
    entry.unlink();
    static_cast<timed&>(entry).on_timer(now);
  }
}

tick timer_wheel::next_due() const noexcept {
  std::uint64_t first = ~std::uint64_t{0};
  for (unsigned index = 0; index < levels; ++index) {
    const level& l = levels_[index];
    if (l.occupied == 0) continue;
    const std::uint64_t next = (current_ >> (bits * index)) + 1;
    const int ahead = std::countr_zero(std::rotr(l.occupied, static_cast<int>(next % slots)));
    first = std::min(first, (next + static_cast<unsigned>(ahead)) << (bits * index));
  }
  if (first == ~std::uint64_t{0}) return no_deadline;
  return start_ + granule * static_cast<ticks::rep>(first);
}

}  // namespace net
HAWSER_END
