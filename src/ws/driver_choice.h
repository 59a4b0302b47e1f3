// Which way to the system the loops of a client or server take.
#pragma once

#include "net/loop.h"

#include <hawser/ws/options.h>

HAWSER_BEGIN

/// Makes `how` make its loops on the driver that was asked for. `automatic` leaves it as it is: the best one there is.
/// Errors: `not_supported` for one that is not part of this build.
inline errc choose_driver(driver wanted, net::loop_options& how) noexcept {
  switch (wanted) {
    case driver::automatic:
      return errc::ok;
    case driver::epoll:
      how.make_driver = net::make_epoll_driver;
      return errc::ok;
  }
  return errc::not_supported;
}

HAWSER_END
