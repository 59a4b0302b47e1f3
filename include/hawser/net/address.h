// Where a socket is: IPv4, IPv6 or a Unix path.
#pragma once

#include <hawser/base/result.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

HAWSER_BEGIN
namespace net {

/// The address of one end of a connection. A value; any thread.
class HAWSER_API address {
 public:
  /// What an address names.
  enum class kind : std::uint8_t { none, ipv4, ipv6, unix_path };

  address() noexcept = default;  ///< No address.

  /// An IP literal ("127.0.0.1", "::1") and a port. Errors: `address_invalid`.
  static result<address> ip(std::string_view literal, std::uint16_t port);

  /// A Unix socket. A path that begins with '@' is in the abstract name space. Errors: `address_invalid` when empty or
  /// too long.
  static result<address> unix_socket(std::string_view path);

  /// "HOST:PORT", "[V6]:PORT", "unix:PATH"; HOST is a literal or "localhost". Errors: `address_invalid`; `why`, when
  /// given, gets a sentence.
  static result<address> parse(std::string_view text, std::string* why = nullptr);

  [[nodiscard]] kind family() const noexcept { return kind_; }         ///< Which kind this is.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }  ///< 0 for Unix sockets.
  [[nodiscard]] bool loopback() const noexcept;                        ///< 127.0.0.0/8, ::1, or a Unix socket.
  [[nodiscard]] std::string host() const;                              ///< The literal without brackets, or the path.
  [[nodiscard]] std::string text() const;                              ///< What `parse` reads.

  /// The bytes that name the host: 4, 16 or the path. What per-host limits count by (IPv6 by its /64).
  [[nodiscard]] std::string_view host_bytes() const noexcept HAWSER_LIFETIME_BOUND;

  /// The same kind, host and port.
  bool operator==(const address& other) const noexcept;

 private:
  friend struct address_access;
  kind kind_ = kind::none;
  std::uint16_t port_ = 0;
  std::uint8_t length_ = 0;
  char bytes_[108] = {};
};

}  // namespace net
HAWSER_END
