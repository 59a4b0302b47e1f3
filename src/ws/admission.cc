#include "ws/admission.h"

HAWSER_BEGIN

bool admission::admit(const net::address& peer, tick now) {
  if (connections_.fetch_add(1, std::memory_order_relaxed) >= limits_.connections) {
    connections_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  if (handshakes_.fetch_add(1, std::memory_order_relaxed) < limits_.handshakes && admit_host(peer, now)) return true;
  handshakes_.fetch_sub(1, std::memory_order_relaxed);
  connections_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

bool admission::admit_host(const net::address& peer, tick now) {
  if (peer.loopback() && !limits_.limit_loopback) return true;
  const std::lock_guard guard(lock_);
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    this_second_ = 0;
  }
  if (this_second_ >= limits_.rate) return false;
  std::size_t& count = hosts_[std::string(peer.host_bytes())];
  if (count >= limits_.per_host) return false;
  ++count;
  ++this_second_;
  return true;
}

void admission::left(const net::address& peer) {
  connections_.fetch_sub(1, std::memory_order_relaxed);
  if (peer.loopback() && !limits_.limit_loopback) return;
  const std::lock_guard guard(lock_);
  const auto found = hosts_.find(std::string(peer.host_bytes()));
  if (found != hosts_.end() && --found->second == 0) hosts_.erase(found);
}

HAWSER_END
