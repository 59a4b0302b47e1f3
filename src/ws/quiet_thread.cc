#include "ws/quiet_thread.h"

#include <pthread.h>

#include <csignal>
#include <utility>

HAWSER_BEGIN

std::thread quiet_thread(function<void()> body) noexcept {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread made;
  try {
    made = std::thread([run = std::move(body)] { run(); });
  } catch (...) {
    // No thread or no memory: not joinable says it.
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return made;
}

HAWSER_END
