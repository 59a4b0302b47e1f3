// One thread's event loop: completions, timers, posted calls, and the end of each batch. What is exported here and
// beside is for ws, which is a library of its own in a shared build; users never see it.
#pragma once

#include "net/driver.h"
#include "net/timer.h"

#include <hawser/base/buffer.h>
#include <hawser/base/clock.h>
#include <hawser/base/function.h>
#include <hawser/base/log.h>
#include <hawser/base/random.h>
#include <hawser/base/result.h>
#include <hawser/net/random.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

HAWSER_BEGIN
namespace net {

/// Reads the clock. The only place in the library that does, beside the log.
class HAWSER_API clock_source {
 public:
  virtual ~clock_source() = default;
  virtual tick now() noexcept;  ///< The system's monotonic clock unless overridden.
};

/// The place of an item in the list of what is dirty.
class dirty_link {
 private:
  friend class loop;
  dirty_link* next_dirty_ = nullptr;  // Itself: last in the list. Null: not in it.
};

/// Something with work left for the end of the batch, once however often it was marked. Intrusive.
class dirty : public dirty_link {
 public:
  /// Flush what was queued. May mark others; they are flushed in the same batch.
  virtual void on_batch_end() = 0;

 protected:
  ~dirty() = default;
};

/// The place of a bell among those that were rung.
class bell_link {
 private:
  friend class loop;
  bell_link* next_rung_ = nullptr;  // Guarded by the loop's lock. Itself: last in the list. Null: not in it.
};

/// Something that any thread may have called on a loop's thread without allocating: for calls that must not fail. One
/// that is rung stays where it is for as long as the loop.
class bell : public bell_link {
 public:
  /// Called on the loop's thread, once however often it was rung since the last call.
  virtual void on_ring() = 0;

 protected:
  ~bell() = default;
};

/// Something that dies at the end of the batch, when nothing on the stack can refer to it any more.
class mortal {
 public:
  virtual ~mortal() = default;

 private:
  friend class loop;
  mortal* next_dead_ = nullptr;
};

/// What a loop is made of.
struct loop_options {
  /// Bytes received at once, shared by all connections of the loop.
  std::size_t receive_area = std::size_t{512} << 10;
  /// Free memory kept for reuse.
  std::size_t kept_buffers = std::size_t{64} << 20;
  /// Tests put a fake one here.
  std::unique_ptr<driver> (*make_driver)(loop&) = make_epoll_driver;
  /// How long after the last completion or posted call the loop goes on to ask the system without blocking. Zero or
  /// less: it blocks at once. See `server_options::busy_poll`.
  ticks busy_poll{};
  clock_source* clock = nullptr;    ///< Null: the system's. Must outlive the loop.
  random_source* random = nullptr;  ///< Null: the kernel's. Must outlive the loop.
  log_sink* log = nullptr;          ///< Null: silent. Must outlive the loop.
};

/// Everything but `post`, `ring`, `stop`, `current` and `on_own_thread` belongs to the loop's thread, or to any one
/// thread while it does not run. Whatever was made for the loop (streams, timers, dirty items) goes before it.
class HAWSER_API loop {
 public:
  /// Errors: `out_of_resources`.
  static result<std::unique_ptr<loop>> create(const loop_options& options = {});
  ~loop();
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;

  /// Runs until `stop`; may be called again after that. Errors: `wrong_state` when it already runs.
  result<void> run();
  /// One batch: waits for completions at most until `deadline`, delivers them, then timers, posted calls, the dirty
  /// list, the dead. While it polls (`loop_options::busy_poll`) it does not wait.
  void run_once(tick deadline);
  /// Ends `run` after the batch in hand; what was posted before this call is still called. Any thread, also before
  /// `run`, any number of times.
  void stop() noexcept;

  /// Queues `call` for the loop's thread and wakes it once a batch, unless it polls. Any thread. Calls still queued
  /// when the loop is destroyed are destroyed uncalled.
  void post(function<void()> call);
  /// Has `item.on_ring` called behind everything that was posted before. Any thread; never fails.
  void ring(bell& item) noexcept;

  /// The loop that runs on this thread, or null.
  static loop* current() noexcept { return current_; }
  /// True on the loop's own thread, and on any thread while it does not run.
  [[nodiscard]] bool on_own_thread() const noexcept;

  /// The time of this batch, read once.
  [[nodiscard]] tick now() const noexcept { return now_; }
  /// Reads the clock again: after a call of the user's that may have taken long. Drivers do after each wait.
  tick refresh_now() noexcept { return now_ = clock_->now(); }

  [[nodiscard]] driver& io() noexcept { return *io_; }
  [[nodiscard]] timer_wheel& timers() noexcept { return timers_; }
  [[nodiscard]] buffer_pool& pool() noexcept { return pool_; }
  [[nodiscard]] random_source& random() noexcept { return *random_; }
  [[nodiscard]] clock_source& clock() noexcept { return *clock_; }
  [[nodiscard]] log_sink* log() const noexcept { return log_; }
  [[nodiscard]] ticks busy_poll() const noexcept { return busy_poll_; }
  /// Where bytes are received; `area_headroom` writable bytes lie in front of it.
  [[nodiscard]] byte_span receive_area() noexcept { return area_; }
  static constexpr std::size_t area_headroom = 64;

  /// Calls `item.on_batch_end()` at the end of this batch, in the order of marking.
  void mark_dirty(dirty& item) noexcept {
    if (item.next_dirty_ != nullptr) return;
    item.next_dirty_ = &item;
    if (last_dirty_ != nullptr)
      last_dirty_->next_dirty_ = &item;
    else
      first_dirty_ = &item;
    last_dirty_ = &item;
  }
  /// Forgets a dirty item that is about to go. Takes as long as the list: what is buried need not be forgotten, since
  /// the dead go after the last flush.
  void forget(dirty& item) noexcept;
  /// Destroys `item` at the end of this batch.
  void bury(std::unique_ptr<mortal> item) noexcept;

 private:
  class visit;

  explicit loop(const loop_options& options);
  void batch(tick deadline);
  bool polls() noexcept;
  void wake_for_posted() noexcept;
  void note_polled(bool worked) noexcept;
  void call_posted();
  void answer_bells();
  void end_batch();

  // What every turn needs, in one line.
  alignas(64) clock_source own_clock_;
  clock_source* clock_;
  tick now_;
  driver* io_ = nullptr;  // `driver_`
  byte_span area_;
  dirty_link* first_dirty_ = nullptr;
  dirty_link* last_dirty_ = nullptr;
  mortal* dead_ = nullptr;
  std::unique_ptr<std::byte[]> memory_;
  buffer_pool pool_;
  timer_wheel timers_;
  system_random own_random_;
  random_source* random_;
  log_sink* log_;

  std::atomic<bool> running_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> has_posted_{false};  // Written under the lock.
  std::atomic<bool> polling_{false};     // The loop looks for posted calls before it blocks: no need to wake it.
  ticks busy_poll_;
  tick polls_until_ = tick::min();  // It does not block before that; `no_deadline`: nothing has been missing yet.
  std::mutex posted_lock_;
  std::vector<function<void()>> posted_;   // Guarded by the lock.
  bell_link* rung_ = nullptr;              // Guarded by the lock.
  bool deaf_ = false;                      // Guarded by the lock: the loop is going.
  std::vector<function<void()>> calling_;  // What is being called; kept for its memory.

  std::unique_ptr<driver> driver_;  // The first to go: its listeners have timers.

  // One load wherever it is inlined, also in a shared library.
  // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): a thread has one loop at most
  static inline thread_local loop* current_ __attribute__((tls_model("initial-exec"))) = nullptr;
};

}  // namespace net
HAWSER_END
