#include "ws/client_engine.h"
#include "ws/interrupt.h"

#include <hawser/ws/client.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

HAWSER_BEGIN

struct client::state {
  client_plan plan;
  client_handlers handlers;
  std::mutex lock;
  std::shared_ptr<client_engine> engine;  // While it runs. Shared with the thread that runs it.
  std::thread thread;
  std::atomic<bool> running{false};
};

client::client(std::string_view url, client_options options) : state_(std::make_shared<state>()) {
  state_->plan.url = url;
  state_->plan.unix_path = options.unix_path;
  state_->plan.options = std::move(options);
}

client::~client() {
  std::shared_ptr<client_engine> engine;
  {
    const std::lock_guard guard(state_->lock);
    engine = state_->engine;
  }
  if (engine && engine->on_own_thread()) {
    // A handler destroys the client: nothing is called any more, and what runs it ends by itself.
    engine->silence();
    if (state_->thread.joinable()) state_->thread.detach();
    return;
  }
  stop();
  if (state_->thread.joinable()) state_->thread.join();
  state_->running.wait(true);
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

// Makes the engine. From now on `running` is true until what runs it has ended.
result<void> client::prepare(std::string& why) {
  if (state_->running.exchange(true)) {
    why = describe(errc::wrong_state);
    return errc::wrong_state;
  }
  result<std::unique_ptr<client_engine>> made = client_engine::create(state_->plan, &state_->handlers, why);
  if (!made) {
    state_->running.store(false);
    state_->running.notify_all();
    return made.error();
  }
  const std::lock_guard guard(state_->lock);
  state_->engine = std::move(*made);
  return {};
}

bool client::run_prepared(const std::shared_ptr<state>& keep) {
  const std::shared_ptr<client_engine> engine = keep->engine;
  const bool clean = engine->run();
  {
    const std::lock_guard guard(keep->lock);
    keep->engine.reset();
  }
  keep->running.store(false);
  keep->running.notify_all();
  return clean;
}

int client::run_forever() {
  const std::shared_ptr<state> keep = state_;
  std::string why;
  if (const result<void> ready = prepare(why); !ready) {
    if (keep->handlers.error) keep->handlers.error(failure(to_errc(ready.error()), why));
    return 2;
  }
  const std::shared_ptr<client_engine> engine = keep->engine;
  const interrupt_guard guard([engine] { engine->stop(); });
  return run_prepared(keep) ? 0 : 1;
}

result<void> client::start() {
  std::string why;
  if (const result<void> ready = prepare(why); !ready) {
    if (state_->handlers.error) state_->handlers.error(failure(to_errc(ready.error()), why));
    return ready;
  }
  if (state_->thread.joinable()) state_->thread.join();  // Of an earlier run, which has ended.
  state_->thread = std::thread([keep = state_] { run_prepared(keep); });
  return {};
}

void client::stop() noexcept {
  const std::lock_guard guard(state_->lock);
  if (state_->engine) state_->engine->stop();
}

connection client::current() const noexcept {
  const std::lock_guard guard(state_->lock);
  return state_->engine ? state_->engine->current() : connection();
}

HAWSER_END
