#include "net/system_error.h"

#include <cerrno>

HAWSER_BEGIN
namespace net {

errc errc_of(int error) noexcept {
  switch (error) {
    case 0:
      return errc::ok;
    case ECONNREFUSED:
      return errc::connection_refused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
      return errc::unreachable;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
      return errc::connection_lost;
    case EADDRINUSE:
      return errc::address_in_use;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case ENAMETOOLONG:
    case ENOTDIR:
    case ENOENT:
      return errc::address_invalid;
    case EACCES:
    case EPERM:
    case EROFS:
      return errc::permission_denied;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:
      return errc::out_of_resources;
    default:
      return errc::transport_error;
  }
}

errc connect_errc_of(int error) noexcept {
  switch (error) {
    case ETIMEDOUT:
      return errc::connect_timeout;
    case EADDRNOTAVAIL:  // No local port is left.
      return errc::out_of_resources;
    case ENOENT:    // No such Unix socket.
    case ENOTSOCK:  // Not a socket.
    case EAGAIN:    // The queue of a Unix listener is full, and nothing would tell when it is not.
    case ECONNRESET:
    case ECONNABORTED:
      return errc::connection_refused;
    case EAFNOSUPPORT:
      return errc::unreachable;
    default:
      return errc_of(error);
  }
}

}  // namespace net
HAWSER_END
