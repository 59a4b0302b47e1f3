#include "net/loop.h"
#include "ws/access.h"
#include "ws/driver_choice.h"
#include "ws/interrupt.h"
#include "ws/quiet_thread.h"
#include "ws/server_opening.h"
#include "ws/worker.h"

#include <hawser/base/crypto.h>
#include <hawser/core/inband.h>
#include <hawser/core/utf8.h>
#include <hawser/ws/server.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

HAWSER_BEGIN

namespace {

constexpr std::size_t spare_files = 64;

// As many connections as the limit on open files leaves.
std::size_t default_connections() noexcept {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return std::size_t{1} << 20;
  return files.rlim_cur > 2 * spare_files ? static_cast<std::size_t>(files.rlim_cur) - spare_files : spare_files;
}

// One listening address of one loop.
class listener final : public net::acceptor {
 public:
  listener(worker& w, server_shared& shared, core::server_policy policy)
      : worker_(w), shared_(shared), policy_(std::move(policy)) {}

  void on_accepted(int handle, const net::address& peer) override {
    admission_ticket ticket{};
    const bool admitted = shared_.door->admit(peer, worker_.loop().now(), ticket);
    if (ticket == admission_ticket::uncounted) return worker_.loop().io().discard(handle);
    session* s = nullptr;
    std::unique_ptr<opening> how;
    try {
      how = std::make_unique<server_opening>(shared_, policy_, peer, !admitted);
      s = new (worker_) session(worker_, role::server, shared_.settings, none_);
      s->admitted_by(ticket);
      const tick deadline = later(worker_.loop().now(), shared_.options.handshake_timeout);
      if (const std::optional<tls::context> secure = shared_.secure()) {
        const secure_start below{*secure, {}, 0};
        s->start(handle, std::move(how), deadline, &below);
      } else {
        s->start(handle, std::move(how), deadline);
      }
    } catch (const std::bad_alloc&) {
      if (!how && s == nullptr && admitted) shared_.door->handshake_done();
      refuse_without_memory(handle, s, ticket);
    }
  }

  void on_exhausted() override {
    worker_.log(log_level::warning, "out of file descriptors: accepting rests; raise the limit (ulimit -n)");
  }

 private:
  // There is no memory for this peer: it is hung up on, the others go on.
  void refuse_without_memory(int handle, session* s, admission_ticket ticket) {
    worker_.log(log_level::error, "no memory for a connection: it is refused");
    if (s == nullptr) shared_.door->left(ticket);
    if (s == nullptr || !s->io().is_open(*s)) worker_.loop().io().discard(handle);
    if (s != nullptr) s->abandon();
  }

  worker& worker_;
  server_shared& shared_;
  core::server_policy policy_;
  route_handlers none_;
};

// One loop with what belongs to it, and how it comes to its end.
struct unit final : net::timed, net::bell {
  std::unique_ptr<net::loop> loop;
  std::unique_ptr<worker> work;
  std::deque<listener> listeners;
  bool stopping = false;
  bool quiet = false;  // Under the state's lock: no handler runs, or ever will.

  // What is asked of the loop when it is rung. A stop is asked for once, before the first ring.
  std::optional<close_code> stop_with;
  std::atomic<bool> silence_asked{false};
  function<void()> silenced;  // Called when that is done.

  ~unit() {
    if (loop) loop->timers().cancel(*this);
  }

  void drop_last_listener() {
    loop->io().stop_listening(listeners.back());
    listeners.pop_back();
  }

  void shut_down(close_code code) {
    if (stopping) return;
    stopping = true;
    for (listener& l : listeners)
      loop->io().stop_listening(l);
    work->when_empty([this] { loop->stop(); });
    work->each_session([code](session& s) { s.shut_down(code); });
    if (work->sessions().empty()) return loop->stop();
    // A little later than the sessions' own timers, which know better how they ended.
    loop->timers().schedule(*this, later(later(loop->now(), work->sessions().front()->core().obeys().close_timeout),
                                         2 * net::timer_wheel::granule));
  }

  void on_ring() override {
    if (silence_asked.load(std::memory_order_acquire)) {
      work->silence();
      silenced();
    }
    if (stop_with) shut_down(*stop_with);
  }

  // The peers' time is over.
  void on_timer(tick) override {
    work->each_session([](session& s) { static_cast<void>(s.terminate()); });
  }

  void run() {
    {
      const mailbox_visit here(work->box());
      static_cast<void>(loop->run());
    }
    work->end();
  }
};

}  // namespace

struct server::state {
  server_shared shared;
  net::loop_options loops;
  std::deque<unit> units;
  std::vector<worker*> all;  // Of the units.
  std::atomic<bool> running{false};
  std::mutex lock;
  std::condition_variable quieter;
  bool begun = false;                    // Under the lock: the loops run ...
  bool over = false;                     // ... and do not any more: the units are about to go.
  std::optional<close_code> stop_asked;  // Under the lock.

  [[nodiscard]] result<void> check() const;
  result<void> make_units();
  errc make_each();
  result<void> run();
  void run_unit(unit& u);
  void stop(close_code code) noexcept;
  void ring_stop() noexcept;
  [[nodiscard]] hawser::metrics collect_here() const;
  struct question {
    std::size_t next = 0;  // Whom to ask.
    hawser::metrics sum;
    // On the loop of this worker: all have answered. Null: for want of memory there is no answer.
    function<void(worker*)> answered;
  };
  void ask_loops(const std::shared_ptr<question>& about) noexcept;
  void ask(function<void(const hawser::metrics&)> done);
  void silence_all() noexcept;
};

// What users may still set between `listen` and `run`.
result<void> server::state::check() const {
  if (const errc wrong = shared.in_vain(); wrong != errc::ok) return wrong;
  std::string why;
  return core::check_extension_names(shared.extensions, why);
}

result<void> server::state::make_units() {
  if (!units.empty()) return {};
  static_cast<void>(sha1({}));  // Fetched now, so that the first handshake does not wait for it.
  server_options& o = shared.options;
  shared.settings = {o.bounds, o.alive, o.close_timeout, o.in_parts};
  shared.inband_settings = core::settings_of_agreement(shared.settings);
  admission_limits door;
  door.connections = o.max_connections != 0 ? o.max_connections : default_connections();
  door.per_host = o.max_per_host;
  door.rate = o.accept_rate;
  door.handshakes = o.max_handshakes;
  door.per_host_on_loopback = o.max_per_host_on_loopback;
  door.rate_on_loopback = o.accept_rate_on_loopback;
  shared.door = std::make_unique<admission>(door);
  loops.log = o.log;
  loops.busy_poll = o.busy_poll;
  if (const errc chosen = choose_driver(o.io, loops); chosen != errc::ok) return chosen;
  errc made = errc::ok;
  try {
    made = make_each();
  } catch (const std::bad_alloc&) {
    made = errc::out_of_resources;
  }
  if (made == errc::ok) return {};
  all.clear();
  units.clear();
  return made;
}

errc server::state::make_each() {
  for (unsigned i = 0; i < std::max(shared.options.threads, 1U); ++i) {
    result<std::unique_ptr<net::loop>> made = net::loop::create(loops);
    if (!made) return errc::out_of_resources;
    unit& u = units.emplace_back();
    u.loop = std::move(*made);
    u.work = std::make_unique<worker>(*u.loop);
    u.work->set_door(shared.door.get());
    if (shared.options.timings) u.work->measure();
    u.work->watch(shared.options.watch);
    u.silenced = [this, &u] {
      const std::lock_guard guard(lock);
      u.quiet = true;
      quieter.notify_all();
    };
    all.push_back(u.work.get());
    u.work->report_to([this](const failure& f) {
      if (shared.on_error) shared.on_error(f);
    });
  }
  for (unit& u : units)
    for (unit& other : units)
      if (&u != &other) u.work->add_sibling(*other.work);
  return errc::ok;
}

server::server(server_options options) : state_(std::make_shared<state>()) {
  state_->shared.options = std::move(options);
}

void server::state::run_unit(unit& u) {
  u.run();
  const std::lock_guard guard(lock);
  u.quiet = true;
  quieter.notify_all();
}

// From a handler: afterwards no other is called. Those that run on other loops now are waited for.
void server::state::silence_all() noexcept {
  for (unit& u : units) {
    if (current_mailbox == &u.work->box()) {
      u.work->silence();
      const std::lock_guard guard(lock);
      u.quiet = true;
      continue;
    }
    u.silence_asked.store(true, std::memory_order_release);
    u.loop->ring(u);
  }
  std::unique_lock guard(lock);
  quieter.wait(guard, [this] { return std::all_of(units.begin(), units.end(), [](unit& u) { return u.quiet; }); });
}

server::~server() {
  stop();
  const bool inside = std::any_of(state_->units.begin(), state_->units.end(),
                                  [](unit& u) { return current_mailbox == &u.work->box(); });
  // Inside a handler `run` is further down this stack, or the stack of another thread: it ends by itself.
  if (inside)
    state_->silence_all();
  else
    state_->running.wait(true);
}

extension_list& server::extensions() noexcept { return state_->shared.extensions; }

hawser::route server::route(std::string_view path) {
  std::unique_ptr<route_handlers>& found = state_->shared.routes[std::string(path)];
  if (!found) found = std::make_unique<route_handlers>();
  return hawser::route(*found);
}

server& server::page(std::string_view path, std::string_view content_type, std::string_view body) {
  state_->shared.pages[std::string(path)] = {std::string(content_type), std::string(body)};
  return *this;
}

server& server::metrics_page(std::string_view path) {
  state_->shared.metrics_path = path;
  state_->shared.ask_metrics = [s = state_.get()](function<void(const hawser::metrics&)> done) {
    s->ask(std::move(done));
  };
  return *this;
}

server& server::on_error(function<void(const failure&)> h) {
  state_->shared.on_error = std::move(h);
  return *this;
}

result<void> server::use_tls(const server_tls& how, std::string* why) {
  result<tls::context> made = tls::context::server(how, why);
  if (!made) {
    state_->shared.secure_in_vain(to_errc(made.error()));
    return made.error();
  }
  state_->shared.secure_with(std::move(*made));
  return {};
}

result<net::address> server::listen(std::string_view host, std::uint16_t port) {
  result<net::address> at = net::address::ip(host == "localhost" ? "127.0.0.1" : host, port);
  if (!at) return at.error();
  return listen_on(*at);
}

result<net::address> server::listen(std::string_view address) {
  result<net::address> at = net::address::parse(address);
  if (!at) return at.error();
  return listen_on(*at);
}

result<net::address> server::listen_on(const net::address& at) {
  if (state_->running.load()) return errc::wrong_state;
  if (const result<void> fine = state_->check(); !fine) return fine.error();
  if (const result<void> made = state_->make_units(); !made) return made.error();
  const server_options& o = state_->shared.options;
  core::server_policy policy{o.allowed_hosts, o.allowed_origins, o.insecure_any_origin};
  const bool tcp = at.family() != net::address::kind::unix_path;
  if (policy.allowed_hosts.empty() && tcp && at.loopback()) policy.allowed_hosts = core::loopback_hosts();
  if (const result<void> fine = core::check_server_policy(policy); !fine) return fine.error();
  net::listen_options how;
  how.reuse_port = tcp && state_->units.size() > 1;
  how.user_timeout = system_patience(state_->shared.settings.alive);
  how.replace_unix_path = true;  // What a server that was killed left behind; never one that somebody listens on.
  net::address bound = at;
  std::size_t listening = 0;
  for (unit& u : state_->units) {
    const errc e = u.loop->io().listen(u.listeners.emplace_back(*u.work, state_->shared, policy), bound, how, bound);
    ++listening;
    if (e != errc::ok) {
      // Nowhere then, rather than on some of the loops.
      for (std::size_t i = 0; i < listening; ++i)
        state_->units[i].drop_last_listener();
      return e;
    }
    if (!tcp) break;  // One loop listens; a socket file cannot be shared.
  }
  return bound;
}

result<void> server::run() {
  const std::shared_ptr<state> keep = state_;
  const bool listens =
      std::any_of(keep->units.begin(), keep->units.end(), [](const unit& u) { return !u.listeners.empty(); });
  if (!listens) return errc::wrong_state;
  if (const result<void> fine = keep->check(); !fine) return fine.error();
  if (keep->running.exchange(true)) return errc::wrong_state;
  result<void> outcome = errc::out_of_resources;
  try {
    outcome = keep->run();
  } catch (const std::bad_alloc&) {
    // No loop has run.
  }
  keep->running.store(false);
  keep->running.notify_all();
  return outcome;
}

// Nothing of `this` is touched once the loops may run: a handler may destroy the server.
result<void> server::run_forever() {
  const interrupt_guard guard([it = state_] { it->stop(close_code::going_away); });
  return run();
}

result<void> server::state::run() {
  std::vector<std::thread> threads;
  threads.reserve(units.size());
  {
    const std::lock_guard guard(lock);
    if (over) return errc::wrong_state;
    begun = true;
    if (stop_asked) ring_stop();
  }
  result<void> outcome;
  for (std::size_t i = 1; i < units.size(); ++i) {
    threads.push_back(quiet_thread([this, u = &units[i]] { run_unit(*u); }));
    if (threads.back().joinable()) continue;
    threads.pop_back();
    outcome = errc::out_of_resources;
    const std::lock_guard guard(lock);
    if (!stop_asked) {
      stop_asked = close_code::internal_error;
      ring_stop();
    }
    for (; i < units.size(); ++i)
      units[i].quiet = true;
  }
  run_unit(units.front());
  for (std::thread& t : threads)
    t.join();
  const std::lock_guard guard(lock);
  over = true;
  quieter.notify_all();
  return outcome;
}

// Under the lock.
void server::state::ring_stop() noexcept {
  for (unit& u : units) {
    u.stop_with = *stop_asked;
    u.loop->ring(u);
  }
}

void server::stop(close_code code) noexcept { state_->stop(code); }

void server::state::stop(close_code code) noexcept {
  const std::lock_guard guard(lock);
  if (over || stop_asked) return;
  stop_asked = code;
  ring_stop();
}

// ---- metrics

// While no loop runs.
hawser::metrics server::state::collect_here() const {
  hawser::metrics sum;
  for (const unit& u : units)
    sum.merge(u.work->collect());
  return sum;
}

// One loop after the other, so that none waits for another. When a handler has destroyed the server nobody is answered.
void server::state::ask_loops(const std::shared_ptr<question>& about) noexcept {
  try {
    worker& asked = *units[about->next].work;
    asked.box().post([this, about, &asked] {
      if (asked.silent()) return;
      about->sum.merge(asked.collect());
      if (++about->next < units.size())
        ask_loops(about);
      else
        about->answered(&asked);
    });
  } catch (const std::bad_alloc&) {
    about->answered(nullptr);
  }
}

void server::state::ask(function<void(const hawser::metrics&)> done) {
  auto about = std::make_shared<question>();
  about->answered = [of = about.get(), what = std::move(done)](worker* on) {
    if (on == nullptr) return;
    try {
      what(of->sum);
    } catch (...) {
      on->log(log_level::error, "what was to be done with the metrics threw");
    }
  };
  const std::lock_guard guard(lock);
  if (begun && !over) ask_loops(about);
}

void server::metrics(function<void(const hawser::metrics&)> done) const { state_->ask(std::move(done)); }

result<hawser::metrics> server::metrics() const {
  const std::shared_ptr<state> keep = state_;
  for (const unit& u : keep->units)
    if (current_mailbox == &u.work->box()) return errc::wrong_thread;
  auto about = std::make_shared<state::question>();
  // Kept by the question while it is under way.
  struct outcome {
    bool known = false;
    bool good = false;
  };
  const auto told = std::make_shared<outcome>();
  about->answered = [s = keep.get(), told](const worker* on) {
    const std::lock_guard lock(s->lock);
    *told = {true, on != nullptr};
    s->quieter.notify_all();
  };
  std::unique_lock guard(keep->lock);
  if (!keep->begun || keep->over) return keep->collect_here();
  guard.unlock();
  keep->ask_loops(about);
  guard.lock();
  keep->quieter.wait(guard, [&] { return told->known || keep->over; });
  if (!told->known) return keep->collect_here();
  return told->good ? result<hawser::metrics>(about->sum) : result<hawser::metrics>(errc::out_of_resources);
}

errc server::publish_bytes(std::string_view topic, opcode op, byte_view payload, send_options how) {
  if (!names_topic(topic)) return errc::invalid_argument;
  for (unit& u : state_->units) {
    if (current_mailbox != &u.work->box()) continue;
    const errc e = u.work->publish_elsewhere(topic, op, payload, how);
    if (e == errc::ok) u.work->publish(topic, op, payload, how, nullptr);
    return e;
  }
  const std::lock_guard guard(state_->lock);
  if (state_->over || state_->units.empty()) return errc::closed;
  return worker::post_publication(state_->all, topic, op, payload, how);
}

errc server::publish(std::string_view topic, std::string_view text, send_options how) {
  if (!core::valid_utf8(as_bytes(text))) return errc::invalid_utf8;
  return publish_bytes(topic, opcode::text, as_bytes(text), how);
}

errc server::publish(std::string_view topic, byte_view data, send_options how) {
  return publish_bytes(topic, opcode::binary, data, how);
}

errc server::publish(std::string_view topic, const message& m, send_options how) {
  if (!m.may_be_sent()) return errc::invalid_utf8;
  return publish_bytes(topic, m.is_text() ? opcode::text : opcode::binary, m.bytes(), how);
}

std::size_t server::connections() const noexcept {
  return state_->shared.door ? state_->shared.door->connections() : 0;
}

net::loop_options& server_access::loops(server& of) noexcept { return of.state_->loops; }
worker& server_access::loop(server& of, std::size_t index) noexcept { return *of.state_->units[index].work; }

// ---- routes

route& route::on_connect(connect_handler h) {
  handlers_->connect = std::move(h);
  return *this;
}
route& route::on_message(message_handler h) {
  handlers_->message = std::move(h);
  return *this;
}
route& route::on_ping(payload_handler h) {
  handlers_->ping = std::move(h);
  return *this;
}
route& route::on_pong(payload_handler h) {
  handlers_->pong = std::move(h);
  return *this;
}
route& route::on_drain(drain_handler h) {
  handlers_->drain = std::move(h);
  return *this;
}
route& route::on_error(error_handler h) {
  handlers_->error = std::move(h);
  return *this;
}
route& route::on_close(close_handler h) {
  handlers_->close = std::move(h);
  return *this;
}
route& route::subprotocols(std::vector<std::string> names) {
  handlers_->subprotocols = std::move(names);
  return *this;
}

HAWSER_END
