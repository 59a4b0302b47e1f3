// The driver over epoll: level-triggered, one receive a readiness, waiting for room only while a write is pending.
#pragma once

#include "net/driver.h"
#include "net/epoll_listener.h"
#include "net/hot_calls.h"
#include "net/loop.h"
#include "net/socket.h"

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

HAWSER_BEGIN
namespace net {

class alignas(64) epoll_driver final : public driver {
 public:
  explicit epoll_driver(loop& owner);
  ~epoll_driver() override;

  /// False when the system had no descriptors left.
  [[nodiscard]] bool usable() const noexcept { return epoll_ && wake_ && spare_; }

  void adopt(stream& s, int handle) override;
  int release(stream& s) noexcept override;
  void discard(int handle) noexcept override;
  errc connect(stream& s, const address& to) override;

  void start_reading(stream& s) override;
  void stop_reading(stream& s) override;
  void read_into(stream& s, buffer into, std::size_t offset, std::size_t room) override;
  write_result write(stream& s, std::span<const byte_view> chunks) override;

  void shutdown_write(stream& s) noexcept override;
  void close(stream& s, bool reset = false) noexcept override;
  [[nodiscard]] bool is_open(const stream& s) const noexcept override { return handle_of(s) >= 0; }

  [[nodiscard]] address local_address(const stream& s) const override { return local_address_of(handle_of(s)); }
  [[nodiscard]] address remote_address(const stream& s) const override { return remote_address_of(handle_of(s)); }
  void set_user_timeout(stream& s, ticks after) noexcept override;
  [[nodiscard]] std::size_t unsent(const stream& s) const noexcept override;

  errc listen(acceptor& a, const address& on, const listen_options& options, address& bound) override;
  void stop_listening(acceptor& a) noexcept override;

  bool wait(tick deadline) override;
  void wake() noexcept override;

 private:
  friend class epoll_listener;

  // A `read_into` that waits for its bytes. Streams refer to it by index.
  struct armed_read {
    buffer into;
    std::size_t offset = 0;
    std::size_t room = 0;
  };

  void deliver(const epoll_event& event);
  void dispatch(stream& s, std::uint32_t events);
  write_result after_send(stream& s, write_result r);
  void receive(stream& s);
  void receive_into(stream& s);
  void end_reading(stream& s, ssize_t result);
  void finish_connect(stream& s);
  void fail(stream& s, errc what);
  void deliver_broken();

  bool watch(stream& s) noexcept;
  void relax(stream& s) noexcept;
  void detach(stream& s) noexcept;
  armed_read disarm(stream& s) noexcept;
  bool control(int operation, int fd, std::uint32_t events, std::uint64_t tag) noexcept;
  void forget_events(const void* target) noexcept;

  static constexpr std::uint64_t listener_tag = 1;  // In what epoll gives back, beside the address.

  loop& owner_;
  hot_calls system_;
  bool listener_stopped_ = false;
  int next_event_ = 0;
  int event_count_ = 0;
  unique_fd epoll_;
  unique_fd wake_;
  unique_fd spare_;  // Given up for a moment when descriptors run out, to answer one more peer.
  std::vector<armed_read> armed_;
  std::vector<std::uint32_t> free_armed_;
  std::vector<stream*> broken_;  // The system refused to watch them; they hear of it in the next batch.
  std::vector<std::unique_ptr<epoll_listener>> listeners_;
  std::array<epoll_event, 1024> events_;  // Not initialised: the system fills it.
};

}  // namespace net
HAWSER_END
