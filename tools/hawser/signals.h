// SIGINT and SIGTERM as calls on a thread of their own.
#pragma once

#include <hawser/base/function.h>
#include <signal.h>

#include <atomic>
#include <thread>

namespace hawser_tool {

/// Blocks SIGINT and SIGTERM in every thread that is made from now on, and waits for them on one. The second one ends
/// the program as it would have without this.
class signal_waiter {
 public:
  signal_waiter();
  signal_waiter(const signal_waiter&) = delete;
  signal_waiter& operator=(const signal_waiter&) = delete;
  ~signal_waiter() { leave(); }

  /// Calls `on_signal` with the number of the first one, on the thread that waits. Once.
  void start(hawser::function<void(int)> on_signal);
  /// After it `on_signal` is not called any more.
  void leave();

 private:
  void wait(hawser::function<void(int)>& on_signal);

  sigset_t set_{};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace hawser_tool
