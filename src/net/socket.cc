#include "net/socket.h"

#include "net/address_access.h"
#include "net/system_error.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <string>

HAWSER_BEGIN
namespace net {

namespace {

bool is_ip(const address& a) noexcept { return a.family() == address::kind::ipv4 || a.family() == address::kind::ipv6; }

bool set_option(int fd, int level, int name, int value) noexcept {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// True when `path` was a socket file that nobody listens on, and it is gone now.
bool remove_stale_socket(const address& on) {
  const std::string path = on.host();
  struct stat file {};
  if (path.starts_with('@') || ::lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const unique_fd probe = make_socket(on);
  const system_address to = address_access::to_system(on);
  if (!probe || ::connect(probe.get(), to.get(), to.size) == 0 || errno != ECONNREFUSED) return false;
  return ::unlink(path.c_str()) == 0;
}

errc bind_to(int fd, const address& on, const listen_options& options) {
  const system_address at = address_access::to_system(on);
  if (::bind(fd, at.get(), at.size) == 0) return errc::ok;
  const int error = errno;
  const bool stale = error == EADDRINUSE && options.replace_unix_path && on.family() == address::kind::unix_path;
  if (stale && remove_stale_socket(on) && ::bind(fd, at.get(), at.size) == 0) return errc::ok;
  return errc_of(error);
}

}  // namespace

void unique_fd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

unique_fd make_socket(const address& a) noexcept {
  int family = AF_UNSPEC;
  if (a.family() == address::kind::ipv4) family = AF_INET;
  if (a.family() == address::kind::ipv6) family = AF_INET6;
  if (a.family() == address::kind::unix_path) family = AF_UNIX;
  unique_fd made(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (made && is_ip(a)) set_option(made.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return made;
}

errc make_listener(const address& on, const listen_options& options, unique_fd& out, address& bound) noexcept {
  unique_fd made = make_socket(on);
  if (!made) return errc_of(errno);
  if (is_ip(on)) {
    set_option(made.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reuse_port && !set_option(made.get(), SOL_SOCKET, SO_REUSEPORT, 1)) return errc_of(errno);
    // What is accepted inherits it.
    if (options.user_timeout > ticks::zero()) set_user_timeout(made.get(), options.user_timeout);
    // [::] stands for all addresses, whatever the machine's default is.
    if (on.family() == address::kind::ipv6) set_option(made.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  const errc error = bind_to(made.get(), on, options);
  if (error != errc::ok) return error;
  if (::listen(made.get(), options.backlog) != 0) return errc_of(errno);
  bound = local_address_of(made.get());
  out = std::move(made);
  return errc::ok;
}

void set_user_timeout(int fd, ticks after) noexcept {
  const auto wanted = std::chrono::ceil<std::chrono::milliseconds>(after).count();
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
             static_cast<int>(std::clamp<decltype(wanted)>(wanted, 0, std::numeric_limits<int>::max())));
}

address local_address_of(int fd) noexcept {
  system_address at;
  return ::getsockname(fd, at.get(), &at.size) == 0 ? address_access::from_system(at) : address();
}

address remote_address_of(int fd) noexcept {
  system_address at;
  return ::getpeername(fd, at.get(), &at.size) == 0 ? address_access::from_system(at) : address();
}

bool connected_to_itself(int fd) noexcept {
  const address here = local_address_of(fd);
  return here.family() != address::kind::unix_path && here == remote_address_of(fd);
}

}  // namespace net
HAWSER_END
