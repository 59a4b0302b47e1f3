#include "signals.h"

#include <pthread.h>

#include <utility>

namespace hawser_tool {

signal_waiter::signal_waiter() {
  sigemptyset(&set_);
  sigaddset(&set_, SIGINT);
  sigaddset(&set_, SIGTERM);
  sigaddset(&set_, SIGUSR1);  // From `leave`.
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
}

void signal_waiter::leave() {
  if (!thread_.joinable()) return;
  over_ = true;
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void signal_waiter::start(hawser::function<void(int)> on_signal) {
  thread_ = std::thread([this, call = std::move(on_signal)]() mutable { wait(call); });
}

void signal_waiter::wait(hawser::function<void(int)>& on_signal) {
  bool first = true;
  for (int got = 0; !over_; got = 0) {
    sigwait(&set_, &got);
    if (got != SIGINT && got != SIGTERM) continue;
    if (std::exchange(first, false)) {
      on_signal(got);
      continue;
    }
    signal(got, SIG_DFL);
    raise(got);  // Pending until it is let through.
    pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }
}

}  // namespace hawser_tool
