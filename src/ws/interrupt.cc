#include "ws/interrupt.h"

#include "ws/quiet_thread.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

HAWSER_BEGIN

namespace {

constexpr std::array signals{SIGINT, SIGTERM};
constexpr std::uint64_t interrupted = 1;
constexpr std::uint64_t finished = std::uint64_t{1} << 32;

// What the signal handler can reach: an event's descriptor, -1 when no guard is active.
std::atomic<int> event_handle{-1};
std::array<struct sigaction, signals.size()> before;

void put(std::uint64_t word) noexcept {
  const int saved = errno;
  [[maybe_unused]] const ssize_t n = ::write(event_handle.load(std::memory_order_relaxed), &word, sizeof word);
  errno = saved;
}

extern "C" void hawser_on_signal(int) { put(interrupted); }

void install() noexcept {
  for (std::size_t i = 0; i < signals.size(); ++i) {
    ::sigaction(signals[i], nullptr, &before[i]);
    if (before[i].sa_handler == SIG_IGN) continue;
    struct sigaction ours {};
    ours.sa_handler = hawser_on_signal;
    ours.sa_flags = SA_RESTART;
    ::sigaction(signals[i], &ours, nullptr);
  }
}

void restore() noexcept {
  for (std::size_t i = 0; i < signals.size(); ++i)
    ::sigaction(signals[i], &before[i], nullptr);
}

}  // namespace

interrupt_guard::interrupt_guard(function<void()> stop) {
  const int handle = ::eventfd(0, EFD_CLOEXEC);
  int none = -1;
  if (handle < 0) return;
  if (!event_handle.compare_exchange_strong(none, handle)) {
    ::close(handle);
    return;
  }
  waiter_ = quiet_thread([handle, call = std::move(stop)] {
    bool first = true;
    for (std::uint64_t word = 0; word < finished;) {
      if (::read(handle, &word, sizeof word) != sizeof word || word % finished == 0) continue;
      // Who presses twice wants out: from the second one on it does what it did before.
      if (std::exchange(first, false)) restore();
      call();
    }
  });
  active_ = waiter_.joinable();
  if (active_)
    install();
  else
    ::close(event_handle.exchange(-1));
}

interrupt_guard::~interrupt_guard() {
  if (!active_) return;
  restore();
  put(finished);
  waiter_.join();
  ::close(event_handle.exchange(-1));
}

HAWSER_END
