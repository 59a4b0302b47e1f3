#include "net/loop.h"

#include <algorithm>
#include <utility>

HAWSER_BEGIN
namespace net {

tick clock_source::now() noexcept { return std::chrono::steady_clock::now(); }

// Makes the loop the current one of this thread while it lives.
class loop::visit {
 public:
  explicit visit(loop& visited) noexcept : before_(std::exchange(current_, &visited)) {}
  ~visit() { current_ = before_; }
  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;

 private:
  loop* before_;
};

namespace {

// Undone however the scope is left: a call of the owner's may throw.
class running_mark {
 public:
  explicit running_mark(std::atomic<bool>& flag) noexcept
      : flag_(flag), taken_(!flag.exchange(true, std::memory_order_acq_rel)) {}
  ~running_mark() {
    if (taken_) flag_.store(false, std::memory_order_release);
  }
  running_mark(const running_mark&) = delete;
  running_mark& operator=(const running_mark&) = delete;
  [[nodiscard]] bool taken() const noexcept { return taken_; }

 private:
  std::atomic<bool>& flag_;
  bool taken_;
};

struct clear_at_end {
  explicit clear_at_end(std::vector<function<void()>>& calls) noexcept : calls_(calls) {}
  ~clear_at_end() { calls_.clear(); }
  clear_at_end(const clear_at_end&) = delete;
  clear_at_end& operator=(const clear_at_end&) = delete;

 private:
  std::vector<function<void()>>& calls_;
};

}  // namespace

loop::loop(const loop_options& options)
    : clock_(options.clock != nullptr ? options.clock : &own_clock_),
      now_(clock_->now()),
      // Not initialised: pages that no message reaches are never touched.
      memory_(std::make_unique_for_overwrite<std::byte[]>(options.receive_area + 2 * area_headroom)),
      pool_(options.kept_buffers),
      timers_(now_),
      random_(options.random != nullptr ? options.random : &own_random_),
      log_(options.log),
      busy_poll_(std::max(options.busy_poll, ticks::zero())) {
  void* start = memory_.get() + area_headroom;
  std::size_t room = options.receive_area + area_headroom;
  area_ = {static_cast<std::byte*>(std::align(area_headroom, options.receive_area, start, room)), options.receive_area};
  driver_ = options.make_driver(*this);
  io_ = driver_.get();
}

result<std::unique_ptr<loop>> loop::create(const loop_options& options) {
  std::unique_ptr<loop> made(new loop(options));
  if (made->driver_ == nullptr) return errc::out_of_resources;
  return made;
}

loop::~loop() {
  std::vector<function<void()>> uncalled;
  {
    const std::lock_guard lock(posted_lock_);
    deaf_ = true;
    uncalled.swap(posted_);
  }
  uncalled.clear();
  end_batch();
}

result<void> loop::run() {
  const running_mark mark(running_);
  if (!mark.taken()) return errc::wrong_state;
  while (!stopping_.load(std::memory_order_acquire))
    batch(no_deadline);
  // What was posted before the stop may have come after the last look.
  batch(now_);
  stopping_.store(false, std::memory_order_relaxed);
  return {};
}

void loop::run_once(tick deadline) {
  const running_mark mark(running_);
  if (mark.taken()) batch(deadline);
}

void loop::batch(tick deadline) {
  const visit here(*this);
  const bool polling = polls();  // Before the look at what was posted.
  const bool busy = polling || has_posted_.load(std::memory_order_seq_cst) ||
                    stopping_.load(std::memory_order_acquire) || first_dirty_ != nullptr || dead_ != nullptr;
  const bool came = driver_->wait(busy ? now_ : std::min(deadline, timers_.next_due()));
  timers_.expire(now_);
  const bool posted = has_posted_.load(std::memory_order_acquire);
  if (posted) call_posted();
  end_batch();
  if (busy_poll_ > ticks::zero()) note_polled(came || posted);
}

// Whether the next wait is to be none because something came not long ago. Ends the polling before `batch` looks at
// what was posted, as `post` looks at the polling after it has posted, all in one order for all threads: a call that
// comes while the loop is about to block is seen by the one, or wakes it by the other.
bool loop::polls() noexcept {
  const bool polls = now_ < polls_until_;
  if (polls != polling_.load(std::memory_order_relaxed)) polling_.store(polls, std::memory_order_seq_cst);
  return polls;
}

// The time counts from the first look that found nothing: then no batch of work is too long for it, and the clock need
// not be read once more.
void loop::note_polled(bool worked) noexcept {
  if (worked)
    polls_until_ = no_deadline;
  else if (polls_until_ == no_deadline)
    polls_until_ = later(now_, busy_poll_);
}

void loop::call_posted() {
  bool rung = false;
  {
    const std::lock_guard lock(posted_lock_);
    rung = rung_ != nullptr;
    calling_.swap(posted_);
    has_posted_.store(false, std::memory_order_release);
  }
  const clear_at_end clear(calling_);
  for (function<void()>& call : calling_) {
    // Destroyed with what it captured before the next one runs.
    const function<void()> mine = std::move(call);
    mine();
  }
  if (rung) answer_bells();
}

void loop::answer_bells() {
  for (;;) {
    bell_link* next = nullptr;
    {
      const std::lock_guard lock(posted_lock_);
      next = rung_;
      if (next == nullptr) return;
      rung_ = next->next_rung_ == next ? nullptr : next->next_rung_;
      next->next_rung_ = nullptr;
    }
    static_cast<bell*>(next)->on_ring();
  }
}

// Each flush may mark and bury more, and so may each death.
void loop::end_batch() {
  while (first_dirty_ != nullptr || dead_ != nullptr) {
    while (first_dirty_ != nullptr) {
      dirty& item = static_cast<dirty&>(*first_dirty_);
      first_dirty_ = &item == last_dirty_ ? nullptr : item.next_dirty_;
      if (first_dirty_ == nullptr) last_dirty_ = nullptr;
      item.next_dirty_ = nullptr;
      item.on_batch_end();
    }
    if (dead_ != nullptr) {
      const std::unique_ptr<mortal> item(dead_);
      dead_ = item->next_dead_;
    }
  }
}

void loop::forget(dirty& item) noexcept {
  if (item.next_dirty_ == nullptr) return;
  dirty_link* before = nullptr;
  for (dirty_link* at = first_dirty_; at != &item; at = at->next_dirty_)
    before = at;
  dirty_link* after = &item == last_dirty_ ? nullptr : item.next_dirty_;
  (before != nullptr ? before->next_dirty_ : first_dirty_) = after != nullptr ? after : before;
  if (after == nullptr) last_dirty_ = before;
  item.next_dirty_ = nullptr;
}

void loop::bury(std::unique_ptr<mortal> item) noexcept {
  item->next_dead_ = dead_;
  dead_ = item.release();
}

void loop::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  if (current_ != this) driver_->wake();
}

void loop::post(function<void()> call) {
  bool first = false;
  {
    const std::lock_guard lock(posted_lock_);
    if (deaf_) return;
    posted_.push_back(std::move(call));
    first = !has_posted_.exchange(true, std::memory_order_seq_cst);
  }
  if (first) wake_for_posted();
}

void loop::ring(bell& item) noexcept {
  bool first = false;
  {
    const std::lock_guard lock(posted_lock_);
    if (deaf_ || item.next_rung_ != nullptr) return;
    item.next_rung_ = rung_ != nullptr ? rung_ : &item;
    rung_ = &item;
    first = !has_posted_.exchange(true, std::memory_order_seq_cst);
  }
  if (first) wake_for_posted();
}

// Within its own batch the loop looks before it waits.
void loop::wake_for_posted() noexcept {
  if (current_ != this && !polling_.load(std::memory_order_seq_cst)) driver_->wake();
}

bool loop::on_own_thread() const noexcept { return current_ == this || !running_.load(std::memory_order_acquire); }

}  // namespace net
HAWSER_END
