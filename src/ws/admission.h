// How many may come in: connections in all, from one host, in one second, and half-open ones.
#pragma once

#include <hawser/base/clock.h>
#include <hawser/net/address.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

HAWSER_BEGIN

struct admission_limits {
  std::size_t connections = 0;
  std::size_t per_host = 0;
  std::size_t rate = 0;
  std::size_t handshakes = 0;
  bool limit_loopback = false;  ///< `per_host` and `rate` hold for peers on this machine too.
};

/// Shared by all loops of a server. Any thread.
class admission {
 public:
  /// One host's count. A peer keeps a pointer to it for as long as it is connected; null: not counted by host.
  using host_count = std::pair<const std::string, std::size_t>;

  explicit admission(const admission_limits& limits) : limits_(limits) {}

  /// Lets a peer in, or says no. Each yes is followed by one `handshake_done` and by one `left` with the same `host`.
  bool admit(const net::address& peer, tick now, host_count*& host);
  /// Its opening handshake is over.
  void handshake_done() noexcept { handshakes_.fetch_sub(1, std::memory_order_relaxed); }
  void left(host_count* host);

  [[nodiscard]] std::size_t connections() const noexcept { return connections_.load(std::memory_order_relaxed); }

 private:
  bool admit_host(const net::address& peer, tick now, host_count*& host);

  admission_limits limits_;
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> handshakes_{0};
  std::mutex lock_;
  std::unordered_map<std::string, std::size_t> hosts_;
  tick second_{};
  std::size_t this_second_ = 0;
};

HAWSER_END
