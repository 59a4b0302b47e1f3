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
#include <vector>

HAWSER_BEGIN

struct admission_limits {
  std::size_t connections = 0;
  std::size_t per_host = 0;
  std::size_t rate = 0;
  std::size_t handshakes = 0;
  bool per_host_on_loopback = false;  ///< `per_host` holds for peers on this machine too.
  bool rate_on_loopback = false;      ///< So does `rate`.
};

/// What a connection is counted by, in four bytes that it keeps for as long as it is there.
enum class admission_ticket : std::uint32_t {
  uncounted = 0,  ///< Nothing to be said at its end.
  no_host = 1,    ///< Let in, but not counted by its host.
  refused = 2,    ///< Not let in, only told so.
  first_host = 3,
};

/// Shared by all loops of a server. Any thread.
class admission {
 public:
  explicit admission(const admission_limits& limits) : limits_(limits) {}

  /// Lets a peer in, or says no: then with a ticket to hear the reason, or `uncounted`: there is nothing to be done but
  /// to hang up, so that who is refused costs no more than who is let in. Each yes is followed by one `handshake_done`,
  /// each ticket by one `left`.
  bool admit(const net::address& peer, tick now, admission_ticket& ticket);
  /// Its opening handshake is over.
  void handshake_done() noexcept { handshakes_.fetch_sub(1, std::memory_order_relaxed); }
  void left(admission_ticket ticket);

  [[nodiscard]] std::size_t connections() const noexcept { return connections_.load(std::memory_order_relaxed); }

 private:
  struct host {
    std::string name;
    std::size_t count = 0;
  };
  /// What a peer is counted by: its address, for IPv6 the network of 64 bits in which it can choose addresses.
  static std::string name_of(const net::address& peer);
  bool admit_host(const net::address& peer, tick now, admission_ticket& ticket);
  std::size_t find_host(std::string name);

  admission_limits limits_;
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> handshakes_{0};
  std::atomic<std::size_t> refused_{0};
  std::mutex lock_;
  std::unordered_map<std::string, std::size_t> places_;  // Of hosts with connections.
  std::vector<host> hosts_;
  std::vector<std::size_t> free_;
  tick second_{};
  std::size_t this_second_ = 0;
};

HAWSER_END
