// One listening socket of the epoll driver, and its rest when descriptors run out.
#pragma once

#include "net/driver.h"
#include "net/socket.h"
#include "net/timer.h"

#include <sys/types.h>

#include <string>

HAWSER_BEGIN
namespace net {

class epoll_driver;

/// Accepts in bursts. When descriptors run out it answers one peer with a polite end, then rests, so that a full queue
/// of connections costs no time (I1). Owned by its driver.
class epoll_listener final : private timed {
 public:
  epoll_listener(epoll_driver& owner, acceptor& heard_by, unique_fd socket);
  ~epoll_listener();

  /// Begins to accept; false when the system refuses to watch the socket.
  bool start() noexcept;
  /// Connections wait: accepts some. The acceptor may stop it from its call-back.
  void on_ready();
  /// Ends it. The object may be on the stack, so its driver destroys it later.
  void stop() noexcept;

  [[nodiscard]] acceptor& heard_by() const noexcept { return acceptor_; }
  [[nodiscard]] bool stopped() const noexcept { return !socket_; }

 private:
  void on_timer(tick now) override;
  void rest(bool exhausted);
  void shed() noexcept;
  int accept_one(address& peer) noexcept;
  void remember_file(const address& at) noexcept;

  epoll_driver& owner_;
  acceptor& acceptor_;
  unique_fd socket_;
  ticks next_rest_;
  std::string file_;  // Of a Unix socket, and which file it was: another program may have put its own there since.
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace net
HAWSER_END
