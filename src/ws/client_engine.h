// The loop, the attempts and the current session of a client, whatever style its user speaks.
#pragma once

#include "net/connector.h"
#include "net/loop.h"
#include "ws/reconnect.h"
#include "ws/session.h"
#include "ws/worker.h"

#include <hawser/core/extension.h>
#include <hawser/core/handshake.h>
#include <hawser/core/url.h>
#include <hawser/ws/client.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

HAWSER_BEGIN

/// What a client wants to hear; see `client` for the order.
struct client_handlers {
  function<void(connection, const handshake&)> connect;
  function<void(connection, const message&)> message;
  function<void(connection, byte_view)> ping;
  function<void(connection, byte_view)> pong;
  function<void(connection)> drain;
  function<void(const failure&)> error;
  function<void(close_code, std::string_view)> close;
  function<void(const disconnect&)> disconnected;
};

/// What a client connects to and with, but for TLS: secrets are not copied along with it.
struct client_plan {
  std::string url;
  client_options options;
  extension_list extensions;
  hawser::headers extra;
};

class client_engine final : private net::timed, private net::bell {
 public:
  /// Reads and checks the plan and makes the loop. `handlers` outlives the engine; `tls` is read now, unless there is
  /// `secure` in its place. Errors: those of `client::start`; `why` gets a sentence.
  static result<std::unique_ptr<client_engine>> create(client_plan plan, const client_tls& tls,
                                                       client_handlers* handlers, std::string& why,
                                                       const net::loop_options& how = {},
                                                       std::optional<tls::context> secure = {});
  ~client_engine();
  client_engine(const client_engine&) = delete;
  client_engine& operator=(const client_engine&) = delete;

  /// Runs on this thread until the policy gives up or `stop`. True after a clean end.
  bool run();
  /// Closes with 1001 and ends `run` within the close timeout. Any thread, any number of times.
  void stop() noexcept;
  /// From the next TLS handshake on TLS is this, where there is any. Any thread.
  void secure_with(const tls::context& how);
  /// As `stop`, and no handler is called any more. The loop's thread, from a handler.
  void stop_silently();
  [[nodiscard]] bool on_own_thread() const noexcept { return current_mailbox == &work_->box(); }
  [[nodiscard]] connection current() const noexcept;
  /// What was counted and measured. The loop's thread, or any one while it does not run.
  [[nodiscard]] metrics collect() const { return work_->collect(); }
  /// What was measured of an attempt that failed before it was open: how far it came, and the first error. Absent when
  /// the last one opened, or nothing is measured. The loop's thread.
  [[nodiscard]] std::optional<timings> unopened() const noexcept;
  /// Runs `call` on the loop. False when it will not.
  bool post(function<void()> call) { return work_->box().post(std::move(call)); }

  // ---- for the opening handshake
  [[nodiscard]] const client_plan& plan() const noexcept { return plan_; }
  [[nodiscard]] const url& target() const noexcept { return url_; }
  [[nodiscard]] route_handlers& session_handlers() noexcept { return routed_; }
  [[nodiscard]] const core::settings& obeyed() const noexcept { return settings_; }
  [[nodiscard]] const core::settings& obeyed_inband() const noexcept { return inband_settings_; }
  [[nodiscard]] bool secure_path() const noexcept { return url_.secure || peer_.loopback(); }
  /// Somebody will see what was agreed.
  [[nodiscard]] bool shows_handshake() const noexcept { return bool(handlers_.connect) || plan_.options.keep_request; }
  [[nodiscard]] const net::address& peer() const noexcept { return peer_; }
  /// Bytes of the response came.
  void heard_of_peer() noexcept { last_sign_ = loop_->now(); }
  /// The attempt has failed for this reason; `final`: trying again would not help.
  void opening_failed(errc why, std::string_view text, bool final, ticks retry_after = {});

 private:
  enum class step : std::uint8_t { idle, connecting, session, waiting, over };

  client_engine(client_plan plan, client_handlers* handlers, url to, std::optional<tls::context> secure,
                std::unique_ptr<net::loop> loop);
  static result<void> check(client_plan& plan, url& to, std::string& why);
  [[nodiscard]] std::optional<tls::context> secure();
  void route_events();
  void begin_attempt();
  void connect();
  void on_handle(result<int> handle, const net::address& peer);
  void connect_failed(errc why, const net::address& peer);
  void open(int handle);
  void on_gone(bool was_open);
  void on_closed(connection c, close_code code, std::string_view reason);
  void attempt_over(bool was_open);
  void on_timer(tick now) override;
  void on_ring() override;
  void stop_here();
  void report(const failure& f);
  void time_opening(connection_times& t) const noexcept;
  [[nodiscard]] timings::span time_of_names() const noexcept;
  void end_outage(connection c) noexcept;
  void begin_outage(connection c);
  void note_failed_opening(tick known) noexcept;
  template <class Handler, class... Args>
  void call(const Handler& h, Args&&... args);

  client_plan plan_;
  client_handlers& handlers_;
  url url_;
  std::mutex secure_lock_;
  std::optional<tls::context> secure_;  // For wss; under the lock.
  core::settings settings_;
  core::settings inband_settings_;  // While an in-band answer is awaited.
  route_handlers routed_;
  std::unique_ptr<net::loop> loop_;
  std::unique_ptr<worker> work_;
  std::unique_ptr<net::connector> connector_;
  reconnect_count count_;
  net::address peer_;
  std::atomic<std::uint64_t> current_{0};  // The handle, packed.
  std::atomic<bool> stop_asked_{false};
  step step_ = step::idle;
  bool stopping_ = false;
  bool silent_ = false;  // The handlers may be gone.
  bool final_ = false;   // Trying again would not help.
  bool failed_ = false;  // This attempt had an error.
  bool clean_ = true;    // How the last attempt ended.
  ticks retry_after_{};
  tick opened_at_{};

  // ---- when timings are asked for
  tick attempt_began_{};
  tick resolved_ = no_deadline;             // Unknown until the addresses are known.
  tick last_sign_{};                        // Of the peer, before the connection is open.
  std::optional<timings::failing> outage_;  // Since it was connected last: the first error ...
  tick outage_told_{};                      // ... and when `on_error` returned.
  timings::connecting reached_;             // By the last attempt that failed before it was open.
};

HAWSER_END
