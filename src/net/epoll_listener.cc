#include "net/epoll_listener.h"

#include "net/address_access.h"
#include "net/epoll_driver.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

HAWSER_BEGIN
namespace net {

namespace {

using namespace std::chrono_literals;

constexpr ticks first_rest = 100ms;
constexpr ticks longest_rest = 1s;
// More wait for the next batch, so that a flood of connections does not starve those that are there.
constexpr int burst = 64;

// The connection, or the network it came by, broke before it was accepted: the next one may be sound.
bool concerns_one_connection(int error) noexcept {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP:
    case EPERM:  // A firewall's rule.
      return true;
    default:
      return false;
  }
}

}  // namespace

epoll_listener::epoll_listener(epoll_driver& owner, acceptor& heard_by, unique_fd socket)
    : owner_(owner), acceptor_(heard_by), socket_(std::move(socket)), next_rest_(first_rest) {
  remember_file(local_address_of(socket_.get()));
}

epoll_listener::~epoll_listener() { stop(); }

void epoll_listener::remember_file(const address& at) noexcept {
  struct stat file {};
  if (at.family() != address::kind::unix_path || at.host().starts_with('@')) return;
  if (::lstat(at.host().c_str(), &file) != 0) return;
  file_ = at.host();
  device_ = file.st_dev;
  inode_ = file.st_ino;
}

bool epoll_listener::start() noexcept {
  const auto tag = reinterpret_cast<std::uintptr_t>(this) | epoll_driver::listener_tag;
  return owner_.control(EPOLL_CTL_ADD, socket_.get(), EPOLLIN, tag);
}

void epoll_listener::stop() noexcept {
  if (!socket_) return;
  owner_.owner_.timers().cancel(*this);
  owner_.control(EPOLL_CTL_DEL, socket_.get(), 0, 0);
  socket_.reset();
  struct stat file {};
  if (file_.empty() || ::lstat(file_.c_str(), &file) != 0) return;
  if (file.st_dev == device_ && file.st_ino == inode_) ::unlink(file_.c_str());
}

int epoll_listener::accept_one(address& peer) noexcept {
  system_address from;
  const int fd = ::accept4(socket_.get(), from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  ++owner_.calls_.accepts;
  if (fd >= 0) peer = address_access::from_system(from);
  return fd;
}

void epoll_listener::on_ready() {
  for (int left = burst; left > 0 && socket_; --left) {
    address peer;
    const int fd = accept_one(peer);
    if (fd >= 0) {
      next_rest_ = first_rest;
      acceptor_.on_accepted(fd, peer);
      continue;
    }
    const int error = errno;
    if (error == EAGAIN) return;
    if (concerns_one_connection(error)) continue;
    const bool exhausted = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    if (exhausted) shed();
    return rest(exhausted);
  }
}

// With the spare descriptor one peer learns at once that nobody will serve it.
void epoll_listener::shed() noexcept {
  if (owner_.spare_) {
    owner_.spare_.reset();
    address peer;
    unique_fd refused(accept_one(peer));
  }
  owner_.spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

void epoll_listener::rest(bool exhausted) {
  owner_.control(EPOLL_CTL_DEL, socket_.get(), 0, 0);
  owner_.owner_.timers().schedule(*this, owner_.owner_.now() + next_rest_);
  next_rest_ = std::min(2 * next_rest_, longest_rest);
  if (exhausted) acceptor_.on_exhausted();
}

void epoll_listener::on_timer(tick) {
  if (!start()) rest(true);
}

}  // namespace net
HAWSER_END
