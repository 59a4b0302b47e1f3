// Sockets as the drivers need them: non-blocking, closed on exec, without Nagle's delay.
#pragma once

#include "net/driver.h"

#include <hawser/base/errc.h>
#include <hawser/net/address.h>

#include <utility>

HAWSER_BEGIN
namespace net {

/// Owns a file descriptor.
class unique_fd {
 public:
  unique_fd() noexcept = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~unique_fd() { reset(); }

  explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// A new stream socket for the family of `a`, ready for a driver. On failure empty, with `errno`.
unique_fd make_socket(const address& a) noexcept;

/// A listening socket, and in `bound` the address with the port that was chosen. What it accepts inherits its options.
errc make_listener(const address& on, const listen_options& options, unique_fd& out, address& bound) noexcept;

/// TCP_USER_TIMEOUT, in whole milliseconds, rounded up.
void set_user_timeout(int fd, ticks after) noexcept;

/// The two ends of a connected socket; `kind::none` when there is none.
address local_address_of(int fd) noexcept;
address remote_address_of(int fd) noexcept;

/// True when both ends of a connected socket are itself: a loopback port of the range for outgoing connections can be
/// connected to itself when nobody listens on it.
bool connected_to_itself(int fd) noexcept;

}  // namespace net
HAWSER_END
