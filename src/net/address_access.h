// Addresses as the system writes them.
#pragma once

#include <hawser/net/address.h>
#include <sys/socket.h>

HAWSER_BEGIN
namespace net {

/// A sockaddr of any of our families, and how much of it counts.
struct system_address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

struct address_access {
  /// `family() == none` gives `AF_UNSPEC`.
  static system_address to_system(const address& from) noexcept;
  /// An IPv4 address mapped into IPv6 becomes plain IPv4; an unknown family `kind::none`.
  static address from_system(const system_address& from) noexcept;
};

}  // namespace net
HAWSER_END
