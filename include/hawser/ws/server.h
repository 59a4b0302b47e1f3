// A WebSocket server.
#pragma once

#include <hawser/base/function.h>
#include <hawser/base/result.h>
#include <hawser/core/extension.h>
#include <hawser/core/negotiate.h>
#include <hawser/net/address.h>
#include <hawser/tls/options.h>
#include <hawser/ws/connection.h>
#include <hawser/ws/failure.h>
#include <hawser/ws/handshake.h>
#include <hawser/ws/message.h>
#include <hawser/ws/metrics.h>
#include <hawser/ws/options.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN

struct route_handlers;

/// What happens on one path. Handlers are set before `listen`; they run on the connection's loop thread, on several
/// threads at once when there are several loops. A handler may close, send, destroy objects of its own, or throw: a
/// throw closes that connection with 1011 and is reported to its `on_error`.
///
/// For each connection: `on_connect` once; messages; then, if it did not end with a closing handshake, `on_error` once;
/// then `on_close` once, always last.
class HAWSER_API route {
 public:
  using connect_handler = function<void(connection, const handshake&)>;  ///< See `on_connect`.
  using message_handler = function<void(connection, const message&)>;    ///< See `on_message`.
  using payload_handler = function<void(connection, byte_view)>;         ///< See `on_ping` and `on_pong`.
  using drain_handler = function<void(connection)>;                      ///< See `on_drain`.
  using error_handler = function<void(connection, const failure&)>;      ///< See `on_error`.
  using close_handler = function<void(connection, close_code, std::string_view reason)>;  ///< See `on_close`.

  /// The connection is open: messages can be sent.
  route& on_connect(connect_handler h);
  /// A message came, or with `in_parts` a part of one; borrowed until the handler returns.
  route& on_message(message_handler h);
  route& on_ping(payload_handler h);  ///< A ping came, and is answered already.
  /// A pong came.
  route& on_pong(payload_handler h);
  route& on_drain(drain_handler h);  ///< After `would_block`: the backlog is down to `write_resume`.
  /// What went wrong, whose fault it was, what to do; then comes `on_close`.
  route& on_error(error_handler h);
  /// The end of every connection that was open: the peer's code and reason, 1006 when it was lost, or the code that we
  /// sent when we failed it.
  route& on_close(close_handler h);

  /// Subprotocols spoken here, in any order: the first of the client's that is among them is agreed (RFC 6455, 4.2.2).
  route& subprotocols(std::vector<std::string> names);

 private:
  friend class server;
  explicit route(route_handlers& h) noexcept : handlers_(&h) {}
  route_handlers* handlers_;
};

/// Accepts connections, routes them by path, runs their loops. Set up on one thread; `stop`, `use_tls`, `publish`,
/// `connections` and `metrics` may be called on others while it runs, as it is said there.
class HAWSER_API server {
 public:
  /// What is wrong with the options is said by `listen` and `run`.
  explicit server(server_options options = {});
  /// Stops, if it runs, and destroys what is left. After it no handler is called. May be called from a handler: then
  /// `run` ends by itself, within the close timeout, and handlers that run on other loops at this moment are waited
  /// for.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Extensions spoken on all routes. In which order they are composed is for the client to say (RFC 6455, 9.1).
  [[nodiscard]] extension_list& extensions() noexcept;

  /// The handlers of `path` ("/chat"), made at the first call. "*" is for every path that has none of its own. Valid as
  /// long as the server.
  hawser::route route(std::string_view path);

  /// A page for plain GET requests of `path`.
  server& page(std::string_view path, std::string_view content_type, std::string_view body);

  /// Answers plain GET requests of `path` with `metrics`, as text for Prometheus. Who may connect may read it.
  server& metrics_page(std::string_view path = "/metrics");

  /// Hears of refused handshakes and of handlers that threw, in words.
  server& on_error(function<void(const failure&)> h);

  /// Speaks TLS, on all addresses, with connections that come from now on; they are `wss://` then. Also while it runs:
  /// that is how a certificate is renewed, and when the new one cannot be used the old one stays. Any thread. Errors:
  /// `invalid_certificate`, with a sentence in `why` that names the file or the option; `not_supported` in a build
  /// without TLS, with a sentence too; `out_of_resources`. After an error, and where no call has succeeded before,
  /// `listen` and `run` answer the same until one does: nobody is served without the TLS that was wanted.
  result<void> use_tls(const server_tls& how, std::string* why = nullptr);

  /// Listens on `host` (a literal or "localhost") and `port` (0: the system chooses), or on `address` text as
  /// `net::address::parse` reads it. Several addresses may be listened on. A socket file that nobody listens on any
  /// more is replaced. Returns where it listens. Errors: `address_in_use`, `address_invalid`, `permission_denied`,
  /// `invalid_extension`, `out_of_resources`, `not_supported` for `server_options::io`.
  result<net::address> listen(std::string_view host, std::uint16_t port);
  result<net::address> listen(std::string_view address);

  /// Serves until `stop`. Errors: `wrong_state` when it runs already, has run, or listens nowhere; `invalid_extension`;
  /// `out_of_resources` when there are no threads left.
  result<void> run();
  /// `run`, and Ctrl-C: SIGINT and SIGTERM `stop` it while it runs, the second of them does what it did before, and the
  /// handlers that were there are put back afterwards. One server or client of a process at a time: while another
  /// `run_forever` is under way this is `run`. Errors: as `run`.
  result<void> run_forever();

  /// Closes every connection with `code`, waits up to the close timeout for their answers, then ends `run`. Any thread,
  /// any number of times, also before `run`, which then ends at once. A server runs once.
  void stop(close_code code = close_code::going_away) noexcept;

  /// Sends to every subscriber of `topic`, on all loops. Any thread. Errors: `invalid_utf8`, `invalid_argument` for a
  /// topic's name that is empty or over 255 bytes, `would_block` (sent to nobody) when 16 MiB wait for a loop already,
  /// `closed` when it does not serve any more.
  errc publish(std::string_view topic, std::string_view text, send_options how = {});
  errc publish(std::string_view topic, const char* text, send_options how = {}) {
    return publish(topic, std::string_view(text), how);
  }
  errc publish(std::string_view topic, byte_view data, send_options how = {});
  errc publish(std::string_view topic, const message& m, send_options how = {});

  /// Connections that are there now: open, opening or closing. Any thread.
  [[nodiscard]] std::size_t connections() const noexcept;

  /// What all loops count, and with `server_options::timings` what they measure. Asks each loop and waits for its
  /// answer, so not while a handler waits for this thread. Before and after `run` it answers at once. Any thread but
  /// those of the loops. Errors: `wrong_thread` in a handler: use the other one.
  [[nodiscard]] result<hawser::metrics> metrics() const;
  /// The same without waiting: `done` is called later, on one of the loops, once. It is not called at all before `run`,
  /// when the server ends or is destroyed before the loops have answered, and when there is no memory for the question.
  /// What it throws is logged. Any thread; throws `std::bad_alloc`.
  void metrics(function<void(const hawser::metrics&)> done) const;

 private:
  friend struct server_access;
  result<net::address> listen_on(const net::address& at);
  errc publish_bytes(std::string_view topic, opcode op, byte_view payload, send_options how);

  struct state;
  std::shared_ptr<state> state_;  // Shared with `run`: a handler may destroy the server.
};

HAWSER_END
