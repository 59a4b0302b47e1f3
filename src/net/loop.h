// One thread's event loop: completions, timers, posted calls, and the end of each batch.
#pragma once

#include "net/driver.h"
#include "net/timer.h"

#include <hawser/base/buffer.h>
#include <hawser/base/clock.h>
#include <hawser/base/function.h>
#include <hawser/base/log.h>
#include <hawser/base/random.h>
#include <hawser/base/result.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace net {

/// Reads the clock. The only place in the library that does, beside the log.
class clock_source {
 public:
  virtual ~clock_source() = default;
  virtual tick now() noexcept;  ///< The system's monotonic clock unless overridden.
};

/// Random bytes of the kernel, buffered.
class system_random final : public random_source {
 public:
  void fill(byte_span out) noexcept override;
};

/// Something with work left for the end of the batch, once however often it was marked. Intrusive.
class dirty {
 public:
  /// Flush what was queued. May mark others; they are flushed in the same batch.
  virtual void on_batch_end() = 0;

 protected:
  ~dirty() = default;

 private:
  friend class loop;
  dirty* next_dirty_ = nullptr;  // Itself: last in the list. Null: not in it.
};

/// Something that dies at the end of the batch, when nothing on the stack can refer to it any more.
class mortal {
 public:
  virtual ~mortal() = default;

 private:
  friend class loop;
  mortal* next_dead_ = nullptr;
};

struct loop_options {
  std::size_t receive_area = std::size_t{512}
                             << 10;                  ///< Bytes received at once, shared by all connections of the loop.
  std::size_t kept_buffers = std::size_t{64} << 20;  ///< Free memory kept for reuse.
  std::unique_ptr<driver> (*make_driver)(loop&) = make_epoll_driver;  ///< Tests put a fake one here.
  clock_source* clock = nullptr;                                      ///< Null: the system's. Must outlive the loop.
  random_source* random = nullptr;                                    ///< Null: the kernel's. Must outlive the loop.
  log_sink* log = nullptr;                                            ///< Null: silent. Must outlive the loop.
};

class loop {
 public:
  /// Errors: `out_of_resources`.
  static result<std::unique_ptr<loop>> create(const loop_options& options = {});
  ~loop();
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;

  /// Runs until `stop`. Errors: `wrong_state` when it already runs.
  result<void> run();
  /// One batch: waits for completions at most until `deadline`, delivers them, then timers, posted calls, the dirty
  /// list, the dead.
  void run_once(tick deadline);
  /// Ends `run` after the batch in hand. Any thread, also before `run`, any number of times.
  void stop() noexcept;

  /// Queues `call` for the loop's thread and wakes it once a batch. Any thread. Calls still queued when the loop is
  /// destroyed are destroyed uncalled.
  void post(function<void()> call);

  /// The loop that runs on this thread, or null.
  static loop* current() noexcept;
  /// True on the loop's own thread, and on any thread while it does not run.
  [[nodiscard]] bool on_own_thread() const noexcept;

  /// The time of this batch, read once.
  [[nodiscard]] tick now() const noexcept { return now_; }
  /// Reads the clock again: after a call of the user's that may have taken long.
  tick refresh_now() noexcept;

  [[nodiscard]] driver& io() noexcept { return *driver_; }
  [[nodiscard]] timer_wheel& timers() noexcept { return timers_; }
  [[nodiscard]] buffer_pool& pool() noexcept { return pool_; }
  [[nodiscard]] random_source& random() noexcept { return *random_; }
  [[nodiscard]] log_sink* log() const noexcept { return log_; }
  /// Where bytes are received; 64 writable bytes lie in front of it.
  [[nodiscard]] byte_span receive_area() noexcept;

  /// Calls `item.on_batch_end()` at the end of this batch.
  void mark_dirty(dirty& item) noexcept;
  /// Forgets a dirty item that is about to go.
  void forget(dirty& item) noexcept;
  /// Destroys `item` at the end of this batch.
  void bury(std::unique_ptr<mortal> item) noexcept;

 private:
  explicit loop(const loop_options& options);

  tick now_;
  std::unique_ptr<driver> driver_;
  timer_wheel timers_;
  buffer_pool pool_;
  random_source* random_;
  log_sink* log_;
};

}  // namespace net
HAWSER_END
