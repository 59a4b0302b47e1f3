// What tests reach behind the doors of servers and clients: their loops, made of something else than the system's.
#pragma once

#include "net/loop.h"

#include <hawser/ws/client.h>
#include <hawser/ws/server.h>

#include <cstddef>

HAWSER_BEGIN

class worker;

struct server_access {
  /// What the loops are made of. Before `listen`.
  static net::loop_options& loops(server& of) noexcept;
  /// After `listen`.
  static worker& loop(server& of, std::size_t index = 0) noexcept;
};

struct client_access {
  /// What the loop is made of. Before it starts.
  static net::loop_options& loop(client& of) noexcept;
};

HAWSER_END
