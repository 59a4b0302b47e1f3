#include "ws/client_engine.h"

#include "ws/client_opening.h"
#include "ws/driver_choice.h"
#include "ws/meter.h"

#include <hawser/base/crypto.h>
#include <hawser/core/inband.h>
#include <hawser/core/negotiate.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

HAWSER_BEGIN

namespace {

// Whether the peer's close says that coming back is welcome: 1001 and 1012 to 1014 do, and so do its own troubles
// (1011).
bool invites_return(close_code code) noexcept {
  switch (code) {
    case close_code::going_away:
    case close_code::internal_error:
    case close_code::service_restart:
    case close_code::try_again_later:
    case close_code::bad_gateway:
      return true;
    default:
      return false;
  }
}

std::uint32_t random_number(random_source& random) noexcept {
  std::array<std::byte, 4> bytes{};
  random.fill(bytes);
  std::uint32_t number;
  std::memcpy(&number, bytes.data(), 4);
  return number;
}

// Whom an attempt was for, in words; `peer` is the address that was tried last.
std::string named(const url& to, const net::address& peer) {
  using kind = net::address::kind;
  if (peer.family() == kind::none) return to.authority();
  if (peer.family() == kind::unix_path || peer.host() == to.host) return peer.text();
  return to.authority() + " (" + peer.text() + ")";
}

}  // namespace

result<void> client_engine::check(client_plan& plan, url& to, std::string& why) {
  result<url> read = parse_url(plan.url, &why);
  if (!read) return read.error();
  to = std::move(*read);
  if (const result<void> fine = core::check_extension_names(plan.extensions, why); !fine) return fine;
  const core::client_request asked = client_opening::request_of(plan, true);
  if (const result<void> fine = core::check_client_request(asked, &why); !fine) return fine.error();
  if (!plan.options.unix_path.empty() && !net::address::unix_socket(plan.options.unix_path)) {
    why = "the path of the Unix socket is longer than 107 bytes or holds a NUL";
    return errc::address_invalid;
  }
  if (plan.options.origin.empty()) return {};
  const result<void> added = plan.extra.add("Origin", plan.options.origin);
  if (!added) why = "the origin holds a character that a header must not";
  return added;
}

result<std::unique_ptr<client_engine>> client_engine::create(client_plan plan, const client_tls& tls,
                                                             client_handlers* handlers, std::string& why,
                                                             const net::loop_options& how,
                                                             std::optional<tls::context> secure) {
  url to;
  if (const result<void> fine = check(plan, to, why); !fine) return fine.error();
  if (!to.secure) secure.reset();
  if (to.secure && !secure) {
    result<tls::context> made = tls::context::client(tls, &why);
    if (!made) return made.error();
    secure = std::move(*made);
  }
  net::loop_options lo = how;
  if (lo.log == nullptr) lo.log = plan.options.log;
  lo.busy_poll = plan.options.busy_poll;
  if (const errc chosen = choose_driver(plan.options.io, lo); chosen != errc::ok) {
    why = "the driver that the options ask for is not part of this build: use driver::automatic";
    return chosen;
  }
  result<std::unique_ptr<net::loop>> loop = net::loop::create(lo);
  if (!loop) {
    why = describe(to_errc(loop.error()));
    return loop.error();
  }
  return std::unique_ptr<client_engine>(
      new client_engine(std::move(plan), handlers, std::move(to), std::move(secure), std::move(*loop)));
}

client_engine::client_engine(client_plan plan, client_handlers* handlers, url to, std::optional<tls::context> secure,
                             std::unique_ptr<net::loop> loop)
    : plan_(std::move(plan)),
      handlers_(*handlers),
      url_(std::move(to)),
      secure_(std::move(secure)),
      loop_(std::move(loop)),
      work_(std::make_unique<worker>(*loop_)),
      count_(plan_.options.reconnect) {
  const client_options& o = plan_.options;
  settings_ = {o.bounds, o.alive, o.close_timeout, o.in_parts};
  inband_settings_ = core::settings_of_agreement(settings_);
  if (o.timings) work_->measure();
  work_->watch(o.watch);
  route_events();
}

client_engine::~client_engine() {
  silent_ = stopping_ = true;
  connector_.reset();
  work_.reset();
  loop_->timers().cancel(*this);
}

// What sessions tell, in the words of a client.
void client_engine::route_events() {
  routed_.connect = [this](connection c, const handshake& h) {
    opened_at_ = loop_->now();
    end_outage(c);
    if (handlers_.connect && !silent_) handlers_.connect(c, h);
  };
  routed_.message = [this](connection c, const message& m) {
    if (handlers_.message && !silent_) handlers_.message(c, m);
  };
  routed_.ping = [this](connection c, byte_view payload) {
    if (handlers_.ping && !silent_) handlers_.ping(c, payload);
  };
  routed_.pong = [this](connection c, byte_view payload) {
    if (handlers_.pong && !silent_) handlers_.pong(c, payload);
  };
  routed_.drain = [this](connection c) {
    if (handlers_.drain && !silent_) handlers_.drain(c);
  };
  routed_.error = [this](connection, const failure& f) { report(f); };
  routed_.close = [this](connection c, close_code code, std::string_view reason) { on_closed(c, code, reason); };
  routed_.gone = [this](bool was_open) { on_gone(was_open); };
}

bool client_engine::run() {
  static_cast<void>(sha1({}));  // Fetched now, so that checking the first answer does not wait for it.
  const mailbox_visit here(work_->box());
  loop_->ring(*this);
  static_cast<void>(loop_->run());
  return clean_;
}

void client_engine::stop() noexcept {
  stop_asked_.store(true, std::memory_order_relaxed);
  loop_->ring(*this);
}

// What was sent still goes out and the peer still hears the close code; only nobody here listens. At once, not posted:
// the stack may hold an attempt that would go on otherwise.
void client_engine::stop_silently() {
  silent_ = true;
  stop_asked_.store(true, std::memory_order_relaxed);
  work_->mute();
  stop_here();
}

void client_engine::secure_with(const tls::context& how) {
  const std::lock_guard guard(secure_lock_);
  if (secure_) secure_ = how;
}

std::optional<tls::context> client_engine::secure() {
  const std::lock_guard guard(secure_lock_);
  return secure_;
}

connection client_engine::current() const noexcept { return session::unpack(current_.load(std::memory_order_acquire)); }

// ---- attempts

void client_engine::on_ring() {
  if (stop_asked_.load(std::memory_order_relaxed)) return stop_here();
  if (step_ == step::idle) begin_attempt();
}

void client_engine::begin_attempt() {
  step_ = step::connecting;
  failed_ = final_ = false;
  retry_after_ = {};
  resolved_ = no_deadline;
  attempt_began_ = last_sign_ = loop_->clock().now();
  try {
    connect();
  } catch (const std::bad_alloc&) {
    connect_failed(errc::out_of_resources, {});
  }
}

void client_engine::connect() {
  const tick deadline = later(loop_->now(), plan_.options.connect_timeout);
  auto done = [this](result<int> handle, const net::address& peer) { on_handle(std::move(handle), peer); };
  if (plan_.options.unix_path.empty()) {
    connector_ = std::make_unique<net::connector>(*loop_, url_.host, url_.port, deadline, std::move(done));
    return;
  }
  result<net::address> at = net::address::unix_socket(plan_.options.unix_path);
  std::vector<net::address> to;
  if (at) to.push_back(*at);
  connector_ = std::make_unique<net::connector>(*loop_, std::move(to), deadline, std::move(done));
}

void client_engine::on_handle(result<int> handle, const net::address& peer) {
  const std::unique_ptr<net::connector> ended = std::move(connector_);
  resolved_ = ended->resolved();
  if (!handle) return connect_failed(to_errc(handle.error()), peer);
  peer_ = peer;
  last_sign_ = loop_->now();
  open(*handle);
}

void client_engine::connect_failed(errc why, const net::address& peer) {
  std::string text;
  try {
    text = "cannot connect to " + named(url_, peer) + ": ";
    text += describe(why);
  } catch (const std::bad_alloc&) {
    text.clear();  // What `failure` says by itself is enough.
  }
  opening_failed(why, text, false);
  attempt_over(false);
}

void client_engine::open(int handle) {
  step_ = step::session;
  session* s = nullptr;
  try {
    s = new (*work_) session(*work_, role::client, settings_, routed_);
    current_.store(s->handle().id(), std::memory_order_release);
    auto how = std::make_unique<client_opening>(*this);
    client_opening& opens = *how;
    const tick deadline = later(loop_->now(), plan_.options.handshake_timeout);
    if (const std::optional<tls::context> used = secure()) {
      const secure_start below{*used, url_.host, url_.port};
      s->start(handle, std::move(how), deadline, &below);
    } else {
      s->start(handle, std::move(how), deadline);
    }
    if (connection_times* t = s->times()) time_opening(*t);
    opens.begin(*s);
  } catch (const std::bad_alloc&) {
    if (s == nullptr || !s->io().is_open(*s)) loop_->io().discard(handle);
    if (s == nullptr) return connect_failed(errc::out_of_resources, peer_);
    opening_failed(errc::out_of_resources, {}, false);
    s->abandon();
  }
}

void client_engine::opening_failed(errc why, std::string_view text, bool final, ticks retry_after) {
  final_ = final;
  retry_after_ = retry_after;
  const bool measured = work_->measures() != nullptr && !failed_;
  const tick known = measured ? work_->measures()->now() : tick{};
  try {
    report(failure(why, text));
  } catch (const std::bad_alloc&) {
    failed_ = true;  // `on_error` cannot be told why; what follows needs no memory.
  }
  if (measured) note_failed_opening(known);
}

void client_engine::report(const failure& f) {
  if (failed_) return;
  failed_ = true;
  // What the user did wrong, or the peer refuses for good, would fail again.
  if (f.fault() == fault::caller_mistake) final_ = true;
  call(handlers_.error, f);
}

void client_engine::on_closed(connection c, close_code code, std::string_view reason) {
  // What this end has ended stays ended. So does a clean close, unless the peer's code says that it would like us back.
  const session* s = session::here(c);
  begin_outage(c);
  if ((s != nullptr && s->ended_here()) || (!failed_ && !invites_return(code))) final_ = true;
  if (handlers_.close && !silent_) handlers_.close(code, reason);
}

// ---- timings

// The path of a Unix socket is no name to ask for.
timings::span client_engine::time_of_names() const noexcept {
  if (resolved_ == no_deadline || !plan_.options.unix_path.empty()) return {};
  return std::max(resolved_ - attempt_began_, ticks{});
}

void client_engine::time_opening(connection_times& t) const noexcept {
  timings::connecting& c = t.so_far.connect;
  t.step = attempt_began_;
  auto& all = work_->measures()->all.connect;
  c.names = time_of_names();
  if (c.names) all.names.record(*c.names);
  c.tcp = std::max(last_sign_ - std::max(resolved_, attempt_began_), ticks{});
  all.tcp.record(*c.tcp);
}

void client_engine::note_failed_opening(tick known) noexcept {
  const tick told = work_->measures()->now();
  timings::failing error;
  error.detect = std::max(known - last_sign_, ticks{});
  error.handle = told - known;
  auto& all = work_->measures()->all.error;
  all.detect.record(*error.detect);
  all.handle.record(*error.handle);
  session* s = session::here(current());
  reached_ = s != nullptr && s->times() != nullptr ? s->times()->so_far.connect : timings::connecting{};
  if (s == nullptr) reached_.names = time_of_names();
  if (outage_) return;
  outage_ = error;
  outage_told_ = told;
}

std::optional<timings> client_engine::unopened() const noexcept {
  if (!outage_) return std::nullopt;
  timings t;
  t.connect = reached_;
  t.error = *outage_;
  return t;
}

// An outage begins with the first error after a connection was open, or before the first one was.
void client_engine::begin_outage(connection c) {
  session* s = session::here(c);
  if (!failed_ || s == nullptr || s->times() == nullptr) return;
  outage_ = s->times()->so_far.error;
  outage_told_ = s->times()->step + outage_->handle.value_or(ticks{});
}

void client_engine::end_outage(connection c) noexcept {
  session* s = session::here(c);
  if (!outage_ || s == nullptr || s->times() == nullptr) return;
  outage_->recover = std::max(work_->measures()->now() - outage_told_, ticks{});
  work_->measures()->all.error.recover.record(*outage_->recover);
  s->times()->so_far.error = *outage_;
  outage_.reset();
}

void client_engine::on_gone(bool was_open) {
  current_.store(0, std::memory_order_release);
  count_.ended(was_open ? loop_->now() - opened_at_ : ticks{});
  attempt_over(was_open);
}

void client_engine::attempt_over(bool was_open) {
  clean_ = !failed_;
  disconnect d;
  d.attempt = count_.attempt();
  d.was_open = was_open;
  d.will_retry = !stopping_ && !stop_asked_.load(std::memory_order_relaxed) && !final_ && count_.may_retry();
  if (d.will_retry) d.retry_after = count_.next_wait(random_number(loop_->random()), retry_after_);
  step_ = d.will_retry ? step::waiting : step::over;
  if (d.will_retry) loop_->timers().schedule(*this, later(loop_->now(), d.retry_after));
  call(handlers_.disconnected, d);
  if (step_ == step::over) loop_->stop();
}

// Either the wait for the next attempt is over, or, while stopping, the peer's time to answer our close.
void client_engine::on_timer(tick) {
  if (step_ == step::waiting) return begin_attempt();
  if (!stopping_ || step_ != step::session) return;
  work_->each_session([](session& s) { static_cast<void>(s.terminate()); });
}

void client_engine::stop_here() {
  if (stopping_) return;
  stopping_ = true;
  loop_->timers().cancel(*this);
  if (step_ == step::session) {
    loop_->timers().schedule(*this, later(loop_->now(), plan_.options.close_timeout));
    work_->each_session([](session& s) { s.shut_down(close_code::going_away); });
    return;
  }
  if (step_ == step::connecting) {
    connector_.reset();
    return attempt_over(false);
  }
  step_ = step::over;
  loop_->stop();
}

// Calls a handler that has no session to fail: what it throws is logged, and changes nothing.
template <class Handler, class... Args>
void client_engine::call(const Handler& h, Args&&... args) {
  if (!h || silent_) return;
  try {
    h(std::forward<Args>(args)...);
  } catch (...) {
    work_->log(log_level::error, "a handler of a client threw");
  }
}

HAWSER_END
