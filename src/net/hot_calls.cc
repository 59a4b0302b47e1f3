#include "net/hot_calls.h"

#include <cstdlib>

HAWSER_BEGIN
namespace net {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer);
#else
constexpr bool sanitized = false;
#endif

}  // namespace

// NOLINTNEXTLINE(concurrency-mt-unsafe): read, never kept
hot_calls::hot_calls() noexcept : direct_(!sanitized && std::getenv("LD_PRELOAD") == nullptr) {}

int hot_calls::wait(int fd, epoll_event* events, int size, int timeout_ms) const noexcept {
#if defined(SYS_epoll_pwait)
  constexpr std::size_t signal_bytes = 8;
  if (direct_) return static_cast<int>(::syscall(SYS_epoll_pwait, fd, events, size, timeout_ms, nullptr, signal_bytes));
#endif
  return ::epoll_wait(fd, events, size, timeout_ms);
}

}  // namespace net
HAWSER_END
