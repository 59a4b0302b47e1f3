// What clients and servers can be told. Every default is safe; what is insecure says so in its name.
#pragma once

#include <hawser/base/clock.h>
#include <hawser/base/log.h>
#include <hawser/core/http.h>
#include <hawser/core/settings.h>
#include <hawser/tls/options.h>
#include <hawser/ws/watch.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

HAWSER_BEGIN

/// Which way to the system a loop takes. `automatic` is the best one of this build, which is epoll as long as there is
/// no other. One that this build does not have is refused with `errc::not_supported` when the loops are made.
enum class driver : std::uint8_t { automatic, epoll };

/// Options of a server. Set before `listen`.
struct server_options {
  server_options() {}  // Not an aggregate: see docs/decisions.md, "options have constructors".

  limits bounds;                                  ///< What a peer may cost.
  keepalive alive;                                ///< When silence means death.
  http_limits http;                               ///< What a request may cost.
  ticks close_timeout = std::chrono::seconds(5);  ///< For the peer's answer to a close; then the connection is reset.
  ticks handshake_timeout = std::chrono::seconds(10);  ///< From accept to the whole request head, absolute.
  unsigned threads = 1;                                ///< Loops, each on a thread of its own.
  driver io = driver::automatic;                       ///< The way to the system.
  /// Busy polling: how long after the last thing that came (from a peer, or from another thread) each loop goes on to
  /// ask the system over and over before it blocks. What comes meanwhile is met awake, and calls from other threads
  /// need no system call to be noticed; timers and `stop` work as always. Each loop then keeps a core busy as long as
  /// there is traffic, and that much longer. For latency, where the cores are to spare and each loop, and its peers,
  /// have one of their own; useless or worse elsewhere. Not a matter of throughput. Zero or less: off.
  ticks busy_poll{};
  std::size_t max_connections = 0;        ///< 0: as many as the system's limit on open files leaves, less 64.
  std::size_t max_per_host = 256;         ///< Connections from one address (IPv6: from one /64); over it 503.
  std::size_t accept_rate = 1000;         ///< New connections a second; over it 503.
  std::size_t max_handshakes = 512;       ///< Opening handshakes under way; over it 503.
  bool max_per_host_on_loopback = false;  ///< `max_per_host` holds for peers on this machine too.
  bool accept_rate_on_loopback = false;   ///< `accept_rate` holds for peers on this machine too.
  std::vector<std::string>
      allowed_hosts;  ///< Host names served. Empty: on a loopback address its usual names, else all (421).
  std::vector<std::string> allowed_origins;  ///< Pages of these origins may connect, beside those of this host (403).
  bool insecure_any_origin = false;          ///< Pages of any site may connect with their users' cookies.
  bool in_parts = false;                     ///< Deliver messages as they come, in parts.
  bool keep_request = false;                 ///< `connection::request` answers for as long as the connection lives.
  bool timings = false;                      ///< `connection::timings` answers: see ws/timings.h.
  /// Serves the extensions to scripts in browsers too, inside the messages, to those who offer the subprotocol
  /// "ext1.hawser": docs/wire/inband.md. `on_connect` comes after that agreement, which the handshake timeout includes.
  bool inband_extensions = false;
  log_sink* log = nullptr;   ///< Must outlive the server.
  watcher* watch = nullptr;  ///< Is told what passes: see ws/watch.h. Must outlive the server.
};

/// How a client comes back. Full jitter: the wait is random between 0 and a bound that doubles up to `cap`.
struct reconnect_policy {
  bool enabled = true;                            ///< False: an attempt that ended is the last one.
  ticks first = std::chrono::milliseconds(500);   ///< The bound of the first wait (the very first retry: 0 to 1 s).
  ticks cap = std::chrono::seconds(30);           ///< The bound grows no further.
  ticks stable_after = std::chrono::seconds(30);  ///< A connection this old starts the count anew.
  /// Give up after so many attempts in a row without a connection; 0 as 1. By default after 4,294,967,295: never.
  unsigned max_attempts = std::numeric_limits<unsigned>::max();
};

/// Options of a client.
struct client_options {
  client_options() { bounds.max_message = std::uint64_t{16} << 20; }

  limits bounds;                                       ///< What the server may cost; `max_message` is 16 MiB.
  keepalive alive;                                     ///< When silence means death.
  http_limits http;                                    ///< What a response may cost.
  reconnect_policy reconnect;                          ///< Whether and when to try again.
  ticks connect_timeout = std::chrono::seconds(10);    ///< Name and TCP, all addresses together.
  ticks handshake_timeout = std::chrono::seconds(10);  ///< From connected to the whole response head.
  ticks close_timeout = std::chrono::seconds(5);  ///< For the server's answer to a close; then the connection is reset.
  driver io = driver::automatic;                  ///< The way to the system.
  ticks busy_poll{};                      ///< As `server_options::busy_poll`: the client's loop does not block at once.
  std::vector<std::string> subprotocols;  ///< In order of preference.
  client_tls tls;                         ///< For `wss://`.
  std::string unix_path;                  ///< Connect to this Unix socket; the URL's host goes into Host only.
  std::string origin;                     ///< Sent as Origin when not empty.
  bool strict_extensions_header = false;  ///< A response that splits Sec-WebSocket-Extensions fails (RFC 6455, 11.3.2).
  bool in_parts = false;                  ///< Deliver messages as they come, in parts.
  bool keep_request = false;              ///< `connection::request` answers for as long as the connection lives.
  bool timings = false;                   ///< `connection::timings` answers: see ws/timings.h.
  /// Offers the extensions inside the messages, as a script in a browser has to, in place of Sec-WebSocket-Extensions:
  /// for ways that drop that field, and for tests. What a server does that does not know "ext1.hawser" is as if none
  /// had been offered.
  bool inband_extensions = false;
  log_sink* log = nullptr;   ///< Must outlive the client.
  watcher* watch = nullptr;  ///< Is told what passes: see ws/watch.h. Must outlive the client.
};

HAWSER_END
