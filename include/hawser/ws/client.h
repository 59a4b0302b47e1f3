// A WebSocket client: handlers, blocking calls.
#pragma once

#include <hawser/base/clock.h>
#include <hawser/base/function.h>
#include <hawser/base/result.h>
#include <hawser/core/extension.h>
#include <hawser/tls/options.h>
#include <hawser/ws/connection.h>
#include <hawser/ws/failure.h>
#include <hawser/ws/handshake.h>
#include <hawser/ws/message.h>
#include <hawser/ws/metrics.h>
#include <hawser/ws/options.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN

/// Connects to a server, keeps the connection by policy, and tells its handlers. For each attempt, in this order:
///
///   refused or failed before it was open   on_error, on_disconnect
///   clean                                  on_connect, on_close, on_disconnect
///   lost or failed after it was open       on_connect, on_error, on_close (1006 or the code we sent), on_disconnect
///
/// Exactly one `on_disconnect` an attempt, always last; `on_connect` and `on_close` balance; at most one `on_error`.
/// What this end itself gives up is no error: `stop` before the connection is open brings `on_disconnect` alone,
/// `terminate` the row of a clean end with 1006. What was closed or terminated at this end is not tried again; nor is
/// what the peer closed cleanly, unless with 1001 or 1011 to 1014, by which it says that it comes back.
///
/// Handlers run on the client's loop: the thread of `run_forever`, or the client's own after `start`. A handler may
/// close, send, stop or destroy the client, or throw: a throw closes the connection with 1011 and is reported, nothing
/// else.
class HAWSER_API client {
 public:
  /// `url` is read when the client starts; what is wrong with it is reported then.
  explicit client(std::string_view url, client_options options = {});
  /// Stops, and waits for the end of that. After it no handler is called. May be called from a handler: then what runs
  /// the client ends by itself, within the close timeout.
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  // ---- before start
  [[nodiscard]] extension_list& extensions() noexcept;  ///< Offered, negotiated and run.
  [[nodiscard]] hawser::headers& headers() noexcept;    ///< Added to the request.
  /// The connection is open: messages can be sent.
  client& on_connect(function<void(connection, const handshake&)> h);
  /// A message came, or with `in_parts` a part of one; borrowed until the handler returns.
  client& on_message(function<void(connection, const message&)> h);
  /// A ping came, and is answered already.
  client& on_ping(function<void(connection, byte_view)> h);
  /// A pong came.
  client& on_pong(function<void(connection, byte_view)> h);
  /// After `would_block`: the backlog is down to `limits::write_resume`, send again.
  client& on_drain(function<void(connection)> h);
  /// What went wrong, whose fault it was, what to do. At most once an attempt.
  client& on_error(function<void(const failure&)> h);
  /// The connection is not open any more: the peer's code and reason, 1006 when it was lost, or the code that we sent
  /// when we failed it.
  client& on_close(function<void(close_code, std::string_view reason)> h);
  /// The attempt is over, and whether another one follows. Once an attempt, always last.
  client& on_disconnect(function<void(const disconnect&)> h);

  /// Connects, and stays until the policy gives up, `stop`, or Ctrl-C (SIGINT and SIGTERM close cleanly while it runs;
  /// the handlers that were there before are put back). Returns an exit status: 0 after a clean end, 1 after a failure,
  /// 2 for a wrong URL or option.
  int run_forever();
  /// The same on a thread of its own, without signals. Errors: `wrong_state`, `invalid_url`, `unsupported_scheme`,
  /// `invalid_header`, `invalid_subprotocol`, `invalid_extension`, `address_invalid`, `not_supported`,
  /// `out_of_resources`.
  result<void> start();
  /// Closes the connection with 1001, gives the peer the close timeout to answer, ends the loop, and waits for all of
  /// that. True: the client does not run any more, no handler is called any more, and `start` may follow at once. On a
  /// client that does not run it is true and has no effect.
  ///
  /// False: it will end, but was not waited for. That is the answer in a handler of this client, which is what there
  /// would be to wait for: the end comes after the handler has returned. It is the answer elsewhere only when a handler
  /// of the client has not returned a second after the close timeout: one that waits for the thread that stops, say.
  ///
  /// Any thread, any number of times, several at once; never fails for want of memory.
  bool stop() noexcept;

  /// Renews certificate, key and authorities: from the next TLS handshake on, which may be that of an attempt that
  /// connects now, it is `how` and not `client_options::tls`, in all runs, while the connection that is open stays as
  /// it is. Sessions that were kept for being taken up go with the authorities that they were verified by. When `how`
  /// cannot be used what was there before stays. A `ws://` URL is not made `wss://` by this, and a client that has
  /// given up, as it does over a server's certificate that is refused, is not started: call `start` again. Any thread,
  /// also before it runs; the files are read now. Errors: `invalid_certificate`, with a sentence in `why` that names
  /// the file or the option; `not_supported` in a build without TLS, with a sentence too; `out_of_resources`.
  result<void> use_tls(const client_tls& how, std::string* why = nullptr);

  /// The connection of the current attempt; a closed handle when there is none. Any thread.
  [[nodiscard]] connection current() const noexcept;

  /// What was counted, and with `client_options::timings` measured, in all its runs. Any thread: in a handler it
  /// answers at once, elsewhere it asks the loop and waits for the answer, so not while a handler waits for this
  /// thread.
  [[nodiscard]] hawser::metrics metrics() const;

 private:
  friend struct client_access;
  struct state;

  std::shared_ptr<state> state_;  // Shared with its loop's thread: a handler may destroy the client.
};

/// A connection with blocking calls. It has a loop thread of its own, so pings are answered between calls, until so
/// much waits for `receive` that receiving pauses. Move-only. One thread may send while another receives; neither on
/// that loop's thread, where `handle().post` runs its call.
class HAWSER_API blocking_connection {
 public:
  /// Takes the other one's connection; what is moved from is good for being destroyed.
  blocking_connection(blocking_connection&&) noexcept;
  blocking_connection& operator=(blocking_connection&&) noexcept;
  /// Closes with 1001 and waits at most the close timeout.
  ~blocking_connection();

  /// Sends, waiting while the backlog is full. Errors: `closed`, `invalid_utf8`, `read_timeout` after `timeout` (not
  /// sent).
  result<void> send(std::string_view text, ticks timeout = std::chrono::seconds(30));
  result<void> send(const char* text) { return send(std::string_view(text)); }
  result<void> send(byte_view data, ticks timeout = std::chrono::seconds(30));
  /// The same, with wishes for this message.
  result<void> send(std::string_view text, send_options how, ticks timeout = std::chrono::seconds(30));
  result<void> send(const char* text, send_options how, ticks timeout = std::chrono::seconds(30)) {
    return send(std::string_view(text), how, timeout);
  }
  result<void> send(byte_view data, send_options how, ticks timeout = std::chrono::seconds(30));

  /// The next message, owned. At most 16 messages or 64 KiB wait; then receiving pauses. Errors: `read_timeout` (the
  /// connection is still up), `closed` after a clean close, otherwise what ended the connection.
  result<message> receive(ticks timeout = std::chrono::seconds(30));

  /// Closes and waits for the peer's answer. Returns the peer's code. Messages that come meanwhile can still be
  /// received, within the limits of `receive`; more are dropped. Errors: `close_timeout`, `closed`,
  /// `invalid_close_code`, otherwise what ended the connection.
  result<close_code> close(close_code code = close_code::normal, std::string_view reason = {},
                           ticks timeout = std::chrono::seconds(5));

  /// How it ended, in words for a person: "closed: 1000 (normal), reason". Empty while it is up.
  [[nodiscard]] std::string farewell() const;

  /// Where its time went: see ws/timings.h. Also after the end. Errors: `not_kept` when the options did not say
  /// `timings`, `read_timeout`.
  [[nodiscard]] result<hawser::timings> timings(ticks timeout = std::chrono::seconds(30)) const;

  /// The thread-safe handle.
  [[nodiscard]] connection handle() const noexcept;
  /// Subprotocol, extensions and the server's head as agreed.
  [[nodiscard]] const handshake& agreed() const& noexcept HAWSER_LIFETIME_BOUND;

 private:
  friend HAWSER_API result<blocking_connection> connect(std::string_view, const client_options&, const extension_list&,
                                                        const headers&, std::string*, hawser::timings*);
  struct state;
  explicit blocking_connection(std::unique_ptr<state> s) noexcept;
  std::unique_ptr<state> state_;
};

/// Connects and waits until the connection is open. No reconnect. Errors: what `failure` would have said; `why` gets
/// the sentence, `times` what was measured until then when the options say `timings`: how far it came, and the error.
HAWSER_API result<blocking_connection> connect(std::string_view url, const client_options& options = {},
                                               const extension_list& extensions = {}, const headers& extra = {},
                                               std::string* why = nullptr, timings* times = nullptr);

HAWSER_END
