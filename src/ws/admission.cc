#include "ws/admission.h"

HAWSER_BEGIN

bool admission::admit(const net::address& peer, tick now, host_count*& host) {
  if (connections_.fetch_add(1, std::memory_order_relaxed) >= limits_.connections) {
    connections_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  if (handshakes_.fetch_add(1, std::memory_order_relaxed) < limits_.handshakes && admit_host(peer, now, host))
    return true;
  handshakes_.fetch_sub(1, std::memory_order_relaxed);
  connections_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

bool admission::admit_host(const net::address& peer, tick now, host_count*& host) {
  host = nullptr;
  if (peer.loopback() && !limits_.limit_loopback) return true;
  const std::lock_guard guard(lock_);
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    this_second_ = 0;
  }
  if (this_second_ >= limits_.rate) return false;
  host_count& entry = *hosts_.try_emplace(std::string(peer.host_bytes()), 0).first;
  if (entry.second >= limits_.per_host) return false;
  host = &entry;
  ++entry.second;
  ++this_second_;
  return true;
}

void admission::left(host_count* host) {
  connections_.fetch_sub(1, std::memory_order_relaxed);
  if (host == nullptr) return;
  const std::lock_guard guard(lock_);
  if (--host->second == 0) hosts_.erase(host->first);
}

HAWSER_END
