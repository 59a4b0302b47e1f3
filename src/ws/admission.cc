#include "ws/admission.h"

#include <new>
#include <utility>

HAWSER_BEGIN

namespace {

constexpr auto first_host = static_cast<std::size_t>(admission_ticket::first_host);

// Takes one of `most`, if there is one left.
bool take(std::atomic<std::size_t>& used, std::size_t most) noexcept {
  if (used.fetch_add(1, std::memory_order_relaxed) < most) return true;
  used.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

}  // namespace

bool admission::admit(const net::address& peer, tick now, admission_ticket& ticket) {
  if (take(connections_, limits_.connections)) {
    if (take(handshakes_, limits_.handshakes)) {
      try {
        if (admit_host(peer, now, ticket)) return true;
      } catch (const std::bad_alloc&) {
        // Nobody to count it by: it is not let in.
      }
      handshakes_.fetch_sub(1, std::memory_order_relaxed);
    }
    connections_.fetch_sub(1, std::memory_order_relaxed);
  }
  ticket = take(refused_, limits_.handshakes) ? admission_ticket::refused : admission_ticket::uncounted;
  return false;
}

bool admission::admit_host(const net::address& peer, tick now, admission_ticket& ticket) {
  ticket = admission_ticket::no_host;
  const bool here = peer.loopback();
  const bool by_host = !here || limits_.per_host_on_loopback;
  const bool by_rate = !here || limits_.rate_on_loopback;
  if (!by_host && !by_rate) return true;
  const std::lock_guard guard(lock_);
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    this_second_ = 0;
  }
  if (by_rate && this_second_ >= limits_.rate) return false;
  if (by_host) {
    if (limits_.per_host == 0) return false;
    const std::size_t place = find_host(name_of(peer));
    if (hosts_[place].count >= limits_.per_host) return false;
    ++hosts_[place].count;
    ticket = static_cast<admission_ticket>(first_host + place);
  }
  if (by_rate) ++this_second_;
  return true;
}

std::size_t admission::find_host(std::string name) {
  if (const auto found = places_.find(name); found != places_.end()) return found->second;
  // Everything that needs memory first. `left` puts places back within what is reserved here.
  if (free_.empty()) {
    if (hosts_.size() == hosts_.capacity()) hosts_.reserve(2 * hosts_.size() + 16);
    free_.reserve(hosts_.capacity());
    free_.push_back(hosts_.size());
    hosts_.emplace_back();
  }
  const std::size_t place = free_.back();
  host fresh{name, 0};
  places_.emplace(std::move(name), place);
  hosts_[place] = std::move(fresh);
  free_.pop_back();
  return place;
}

std::string admission::name_of(const net::address& peer) {
  const std::string_view bytes = peer.host_bytes();
  return std::string(peer.family() == net::address::kind::ipv6 ? bytes.substr(0, 8) : bytes);
}

void admission::left(admission_ticket ticket) {
  if (ticket == admission_ticket::uncounted) return;
  if (ticket == admission_ticket::refused) {
    refused_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  connections_.fetch_sub(1, std::memory_order_relaxed);
  if (ticket == admission_ticket::no_host) return;
  const std::size_t place = static_cast<std::size_t>(ticket) - first_host;
  const std::lock_guard guard(lock_);
  if (--hosts_[place].count != 0) return;
  places_.erase(hosts_[place].name);
  free_.push_back(place);
}

HAWSER_END
