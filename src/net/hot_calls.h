// The system calls of every message. In a program with threads the C library wraps each of them into two atomic
// operations, for a thread cancellation that this library does not use: 37 ns of the 4 us that an echo costs. So they
// are made directly, unless somebody stands in between on purpose.
#pragma once

#include <hawser/base/config.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

HAWSER_BEGIN
namespace net {

/// `recv`, `send`, `sendmsg` and `epoll_wait`, `errno` included. A value; any thread.
class hot_calls {
 public:
  /// Through the C library when a library was preloaded (LD_PRELOAD), since it may be one that replaces these calls,
  /// such as a network stack in user space; and in builds with a sanitizer, which know the calls by their names only.
  hot_calls() noexcept;

  ssize_t receive(int fd, void* to, std::size_t size) const noexcept {
#if defined(SYS_recvfrom)
    if (direct_) return ::syscall(SYS_recvfrom, fd, to, size, 0, nullptr, nullptr);
#endif
    return ::recv(fd, to, size, 0);
  }

  ssize_t send(int fd, const void* from, std::size_t size, int flags) const noexcept {
#if defined(SYS_sendto)
    if (direct_) return ::syscall(SYS_sendto, fd, from, size, flags, nullptr, 0);
#endif
    return ::send(fd, from, size, flags);
  }

  ssize_t send(int fd, const msghdr& message, int flags) const noexcept {
#if defined(SYS_sendmsg)
    if (direct_) return ::syscall(SYS_sendmsg, fd, &message, flags);
#endif
    return ::sendmsg(fd, &message, flags);
  }

  int wait(int fd, epoll_event* events, int size, int timeout_ms) const noexcept;

 private:
  bool direct_;
};

}  // namespace net
HAWSER_END
