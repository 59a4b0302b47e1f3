#include "net/hot_calls.h"

#include <sys/syscall.h>
#include <unistd.h>

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

ssize_t hot_calls::receive(int fd, void* to, std::size_t size) const noexcept {
#if defined(SYS_recvfrom)
  if (direct_) return ::syscall(SYS_recvfrom, fd, to, size, 0, nullptr, nullptr);
#endif
  return ::recv(fd, to, size, 0);
}

ssize_t hot_calls::send(int fd, const void* from, std::size_t size, int flags) const noexcept {
#if defined(SYS_sendto)
  if (direct_) return ::syscall(SYS_sendto, fd, from, size, flags, nullptr, 0);
#endif
  return ::send(fd, from, size, flags);
}

ssize_t hot_calls::send(int fd, const msghdr& message, int flags) const noexcept {
#if defined(SYS_sendmsg)
  if (direct_) return ::syscall(SYS_sendmsg, fd, &message, flags);
#endif
  return ::sendmsg(fd, &message, flags);
}

int hot_calls::wait(int fd, epoll_event* events, int size, int timeout_ms) const noexcept {
#if defined(SYS_epoll_pwait)
  constexpr std::size_t signal_bytes = 8;
  if (direct_) return static_cast<int>(::syscall(SYS_epoll_pwait, fd, events, size, timeout_ms, nullptr, signal_bytes));
#endif
  return ::epoll_wait(fd, events, size, timeout_ms);
}

}  // namespace net
HAWSER_END
