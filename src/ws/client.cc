#include "ws/access.h"
#include "ws/client_engine.h"
#include "ws/interrupt.h"
#include "ws/quiet_thread.h"
#include "ws/wipe.h"

#include <hawser/ws/client.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

HAWSER_BEGIN

namespace {

// How much longer than the close timeout `stop` waits for handlers that hold up the end.
constexpr ticks patience_with_handlers = std::chrono::seconds(1);

}  // namespace

struct client::state {
  client_plan plan;
  client_tls tls;
  client_handlers handlers;
  net::loop_options loop;
  std::mutex lock;
  std::shared_ptr<client_engine> engine;  // Under the lock, while it runs. Shared with the thread that runs it.
  std::thread thread;                     // Under the lock.
  std::optional<tls::context> secure;     // Under the lock: what `use_tls` made.
  bool running = false;                   // Under the lock.
  bool stop_asked = false;                // Under the lock: also while there is no engine yet.
  std::uint64_t runs = 0;                 // Under the lock: which run this is.
  metric_counts counted;                  // Under the lock: in the runs that have ended ...
  // ... and measured, under the lock too; null until timings are asked for: it is large.
  std::unique_ptr<timing_histograms> measured;
  std::condition_variable ended;

  ~state() { wipe(tls.identity); }
  [[nodiscard]] std::shared_ptr<client_engine> current() {
    const std::lock_guard guard(lock);
    return engine;
  }
  [[nodiscard]] std::thread take_thread() {
    const std::lock_guard guard(lock);
    return std::move(thread);
  }
  [[nodiscard]] std::optional<tls::context> renewed() {
    const std::lock_guard guard(lock);
    return secure;
  }
  result<void> prepare();
  bool run();
  void add(const hawser::metrics& ended_run) noexcept;
  [[nodiscard]] hawser::metrics before() const noexcept;
  void over() noexcept;
};

client::client(std::string_view url, client_options options) {
  const wipe_guard rest(options.tls.identity);  // A move leaves a short passphrase where it was.
  state_ = std::make_shared<state>();
  state_->tls = std::move(options.tls);
  state_->plan.url = url;
  state_->plan.options = std::move(options);
}

client::~client() {
  const std::shared_ptr<client_engine> engine = state_->current();
  if (engine && engine->on_own_thread()) {
    // A handler destroys the client: nothing is called any more, and what runs it ends by itself.
    engine->stop_silently();
    if (std::thread own = state_->take_thread(); own.joinable()) own.detach();
    return;
  }
  if (engine) engine->stop();
  if (std::thread own = state_->take_thread(); own.joinable()) own.join();
  std::unique_lock guard(state_->lock);
  state_->ended.wait(guard, [this] { return !state_->running; });
}

extension_list& client::extensions() noexcept { return state_->plan.extensions; }
hawser::headers& client::headers() noexcept { return state_->plan.extra; }

client& client::on_connect(function<void(connection, const handshake&)> h) {
  state_->handlers.connect = std::move(h);
  return *this;
}
client& client::on_message(function<void(connection, const message&)> h) {
  state_->handlers.message = std::move(h);
  return *this;
}
client& client::on_ping(function<void(connection, byte_view)> h) {
  state_->handlers.ping = std::move(h);
  return *this;
}
client& client::on_pong(function<void(connection, byte_view)> h) {
  state_->handlers.pong = std::move(h);
  return *this;
}
client& client::on_drain(function<void(connection)> h) {
  state_->handlers.drain = std::move(h);
  return *this;
}
client& client::on_error(function<void(const failure&)> h) {
  state_->handlers.error = std::move(h);
  return *this;
}
client& client::on_close(function<void(close_code, std::string_view)> h) {
  state_->handlers.close = std::move(h);
  return *this;
}
client& client::on_disconnect(function<void(const disconnect&)> h) {
  state_->handlers.disconnected = std::move(h);
  return *this;
}

// Makes the engine. From now on `running` is true until what runs it has ended. What is wrong with the plan is told.
result<void> client::state::prepare() {
  {
    const std::lock_guard guard(lock);
    if (running) return errc::wrong_state;
    running = true;
    stop_asked = false;
    ++runs;
  }
  std::string why;
  errc wrong = errc::ok;
  try {
    result<std::unique_ptr<client_engine>> made = client_engine::create(plan, tls, &handlers, why, loop, renewed());
    if (made) {
      std::shared_ptr<client_engine> ready = std::move(*made);
      auto place = plan.options.timings ? std::make_unique<timing_histograms>() : nullptr;
      const std::lock_guard guard(lock);
      if (!measured) measured = std::move(place);
      engine = std::move(ready);
      if (secure) engine->secure_with(*secure);  // It may have been renewed meanwhile.
      if (stop_asked) engine->stop();
      return {};
    }
    wrong = to_errc(made.error());
  } catch (...) {
    over();
    throw;
  }
  over();
  try {
    if (handlers.error) handlers.error(failure(wrong, why));
  } catch (...) {
    if (plan.options.log != nullptr) plan.options.log->write(log_level::error, "a handler of a client threw");
  }
  return wrong;
}

// Both under the lock.
void client::state::add(const hawser::metrics& ended_run) noexcept {
  counted.merge(ended_run);
  if (ended_run.times) measured->merge(*ended_run.times);
}

hawser::metrics client::state::before() const noexcept {
  hawser::metrics all;
  all.metric_counts::merge(counted);
  if (measured) all.times = *measured;
  return all;
}

bool client::state::run() {
  std::shared_ptr<client_engine> mine = current();
  const bool clean = mine->run();
  {
    const std::lock_guard guard(lock);
    add(mine->collect());
    engine.reset();
  }
  mine.reset();
  over();
  return clean;
}

void client::state::over() noexcept {
  const std::lock_guard guard(lock);
  running = false;
  ended.notify_all();
}

// Nothing of `this` is touched once the loop may run: a handler may destroy the client.
int client::run_forever() {
  const std::shared_ptr<state> keep = state_;
  if (!keep->prepare()) return 2;
  const std::weak_ptr<client_engine> engine = keep->current();
  const interrupt_guard guard([engine] {
    if (const std::shared_ptr<client_engine> running = engine.lock()) running->stop();
  });
  return keep->run() ? 0 : 1;
}

result<void> client::start() {
  const std::shared_ptr<state> keep = state_;
  if (const result<void> ready = keep->prepare(); !ready) return ready;
  if (std::thread before = keep->take_thread(); before.joinable()) before.join();  // It has ended.
  std::shared_ptr<client_engine> unused;
  {
    const std::lock_guard guard(keep->lock);
    keep->thread = quiet_thread([keep] { keep->run(); });
    if (keep->thread.joinable()) return {};
    unused = std::move(keep->engine);
  }
  unused.reset();
  keep->over();
  return errc::out_of_resources;
}

bool client::stop() noexcept {
  const std::shared_ptr<state> keep = state_;
  std::shared_ptr<client_engine> engine;
  std::uint64_t run = 0;
  {
    const std::lock_guard guard(keep->lock);
    if (!keep->running) return true;
    keep->stop_asked = true;
    run = keep->runs;
    engine = keep->engine;
  }
  if (engine) engine->stop();
  if (engine && engine->on_own_thread()) return false;
  // Not the last owner of it, as far as that depends on this thread: the engine goes where it ran.
  engine.reset();
  constexpr ticks year = std::chrono::hours(24 * 365);
  const ticks most = std::min(keep->plan.options.close_timeout, year) + patience_with_handlers;
  std::unique_lock guard(keep->lock);
  return keep->ended.wait_for(guard, most, [&] { return !keep->running || keep->runs != run; });
}

result<void> client::use_tls(const client_tls& how, std::string* why) {
  const result<tls::context> made = tls::context::client(how, why);
  if (!made) return made.error();
  const std::lock_guard guard(state_->lock);
  state_->secure = *made;
  if (state_->engine) state_->engine->secure_with(*made);
  return {};
}

connection client::current() const noexcept {
  const std::shared_ptr<client_engine> engine = state_->current();
  return engine ? engine->current() : connection();
}

// What the loop says is of no use any more once its run has ended: by then it is among those before.
hawser::metrics client::metrics() const {
  const std::shared_ptr<state> keep = state_;
  std::shared_ptr<client_engine> engine = keep->current();
  const auto said = std::make_shared<std::optional<hawser::metrics>>();
  const bool inside = engine && engine->on_own_thread();
  if (inside) *said = engine->collect();
  std::unique_lock guard(keep->lock);
  const std::uint64_t run = keep->runs;
  const auto over = [&] { return !keep->engine || keep->runs != run; };
  if (engine && !inside && !over()) {
    engine->post([keep, said, running = engine.get()] {
      hawser::metrics now = running->collect();
      const std::lock_guard lock(keep->lock);
      *said = std::move(now);
      keep->ended.notify_all();
    });
    // Not the last owner of it: the engine goes where it ran.
    engine.reset();
    keep->ended.wait(guard, [&] { return *said || over(); });
  }
  hawser::metrics all = keep->before();
  if (*said && (inside || !over())) all.merge(**said);
  return all;
}

net::loop_options& client_access::loop(client& of) noexcept { return of.state_->loop; }

HAWSER_END
