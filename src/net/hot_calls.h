// The system calls of every message. In a program with threads the C library wraps each of them into two atomic
// operations, for a thread cancellation that this library does not use: 37 ns of the 4 us that an echo costs. So they
// are made directly, unless somebody stands in between on purpose.
#pragma once

#include <hawser/base/config.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstddef>

HAWSER_BEGIN
namespace net {

/// `recv`, `send`, `sendmsg` and `epoll_wait`, `errno` included. A value; any thread.
class hot_calls {
 public:
  /// Through the C library when a library was preloaded (LD_PRELOAD), since it may be one that replaces these calls,
  /// such as a network stack in user space; and in builds with a sanitizer, which know the calls by their names only.
  hot_calls() noexcept;

  ssize_t receive(int fd, void* to, std::size_t size) const noexcept;
  ssize_t send(int fd, const void* from, std::size_t size, int flags) const noexcept;
  ssize_t send(int fd, const msghdr& message, int flags) const noexcept;
  int wait(int fd, epoll_event* events, int size, int timeout_ms) const noexcept;

 private:
  bool direct_;
};

}  // namespace net
HAWSER_END
