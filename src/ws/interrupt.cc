#include "ws/interrupt.h"

#include "ws/quiet_thread.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <new>
#include <utility>

HAWSER_BEGIN

namespace {

constexpr std::array signals{SIGINT, SIGTERM};
constexpr std::uint64_t interrupted = 1;
constexpr std::uint64_t finished = std::uint64_t{1} << 32;

// What the signal handler can reach: an event's descriptor, -1 when no guard is active, and how many are about to use
// it. A handler counts itself before it looks; so who has taken the descriptor away and then counts none may close it.
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): a signal handler sees nothing else
std::atomic<int> event_handle{-1};
std::atomic<unsigned> in_handlers{0};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<unsigned>::is_always_lock_free);
std::array<struct sigaction, signals.size()> before;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

void put(int handle, std::uint64_t word) noexcept {
  [[maybe_unused]] const ssize_t n = ::write(handle, &word, sizeof word);
}

extern "C" void hawser_on_signal(int) {
  const int saved = errno;
  in_handlers.fetch_add(1);
  if (const int handle = event_handle.load(); handle >= 0) put(handle, interrupted);
  in_handlers.fetch_sub(1);
  errno = saved;
}

// A handler on another thread may be under way still, however long ago the old ones were put back.
void close_event() noexcept {
  const int handle = event_handle.exchange(-1);
  while (in_handlers.load() != 0)
    ::sched_yield();
  ::close(handle);
}

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

// What somebody has installed since over ours is theirs to undo.
void restore() noexcept {
  for (std::size_t i = 0; i < signals.size(); ++i) {
    struct sigaction now {};
    ::sigaction(signals[i], nullptr, &now);
    if (now.sa_handler == hawser_on_signal) ::sigaction(signals[i], &before[i], nullptr);
  }
}

void watch(int handle, const function<void()>& stop) {
  bool first = true;
  for (std::uint64_t word = 0; word < finished;) {
    if (::read(handle, &word, sizeof word) != sizeof word || word % finished == 0) continue;
    // Who presses twice wants out: from the second one on it does what it did before.
    if (std::exchange(first, false)) restore();
    stop();
  }
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
  try {
    waiter_ = quiet_thread([handle, call = std::move(stop)] { watch(handle, call); });
  } catch (const std::bad_alloc&) {
    // Then signals do what they did before, as without a thread.
  }
  active_ = waiter_.joinable();
  if (active_)
    install();
  else
    close_event();
}

interrupt_guard::~interrupt_guard() {
  if (!active_) return;
  restore();
  put(event_handle.load(), finished);
  waiter_.join();
  close_event();
}

HAWSER_END
