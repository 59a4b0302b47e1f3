// The long way of a connection alone: what the fast path must not differ from.
#pragma once

#include <hawser/core/connection.h>

HAWSER_BEGIN
namespace core {

struct plain_path {
  static kind next(connection& c) { return c.next_slow(); }

  static errc send(connection& c, opcode op, byte_view payload) {
    const errc e = c.admit_message(op, payload.size());
    return e == errc::ok ? c.send_promised(op, payload) : e;
  }
};

}  // namespace core
HAWSER_END
