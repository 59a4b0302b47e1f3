// Ctrl-C while a client runs in the foreground: only for the one call that promises it.
#pragma once

#include <hawser/base/function.h>

#include <thread>

HAWSER_BEGIN

/// While it lives, SIGINT and SIGTERM call `stop` on a thread of its own; the second one does what it did before. The
/// handlers that were there are put back afterwards, unless somebody has replaced ours by then. A signal that the
/// program ignores stays ignored. One at a time; a second guard does nothing.
class interrupt_guard {
 public:
  explicit interrupt_guard(function<void()> stop);
  ~interrupt_guard();
  interrupt_guard(const interrupt_guard&) = delete;
  interrupt_guard& operator=(const interrupt_guard&) = delete;

 private:
  bool active_ = false;
  std::thread waiter_;
};

HAWSER_END
