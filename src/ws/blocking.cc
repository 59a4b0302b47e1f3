#include "core/printable.h"
#include "ws/client_engine.h"
#include "ws/quiet_thread.h"
#include "ws/wipe.h"

#include <hawser/core/utf8.h>
#include <hawser/ws/client.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

HAWSER_BEGIN

namespace {

constexpr std::size_t most_messages = 16;  // Read ahead; then receiving pauses.
constexpr std::size_t most_bytes = std::size_t{64} << 10;

// Waits at most `timeout`, which may be as long as it likes.
template <class Predicate>
bool wait_for(std::condition_variable& cv, std::unique_lock<std::mutex>& lock, ticks timeout, Predicate ready) {
  constexpr ticks year = std::chrono::hours(24 * 365);
  return cv.wait_for(lock, std::min(timeout, year), ready);
}

}  // namespace

struct blocking_connection::state {
  std::mutex lock;
  std::condition_variable changed;
  std::deque<message> messages;
  std::size_t bytes = 0;
  bool paused = false;
  bool closing = false;  // What comes beyond the limits is dropped: it must not hold up the peer's answer.
  bool opened = false;
  bool ended = false;   // Nothing more will come.
  unsigned drains = 0;  // How often there was room again.
  std::optional<close_code> peer_code;
  std::string peer_reason;
  std::optional<failure> error;
  std::optional<hawser::timings> times;  // At the end.
  hawser::connection conn;
  handshake agreed;

  client_handlers handlers;
  std::unique_ptr<client_engine> engine;
  std::thread thread;

  ~state() {
    {
      const std::lock_guard guard(lock);
      closing = true;
    }
    if (engine) engine->stop();
    if (thread.joinable()) thread.join();
  }
  void listen();
  void on_message(const message& m);
  [[nodiscard]] bool full() const noexcept { return messages.size() >= most_messages || bytes >= most_bytes; }
  errc on_loop(function<errc(session&)> what, ticks timeout);
  result<void> send(opcode op, byte_view payload, send_options how, ticks timeout);
};

// What the loop's thread tells the waiting one.
void blocking_connection::state::listen() {
  handlers.connect = [this](hawser::connection c, const handshake& h) {
    const std::lock_guard guard(lock);
    conn = c;
    agreed = h;
    opened = true;
    changed.notify_all();
  };
  handlers.message = [this](hawser::connection, const message& m) { on_message(m); };
  handlers.drain = [this](hawser::connection) {
    const std::lock_guard guard(lock);
    ++drains;
    changed.notify_all();
  };
  handlers.error = [this](const failure& f) {
    const std::lock_guard guard(lock);
    error = f;
  };
  handlers.close = [this](close_code code, std::string_view reason) {
    const result<hawser::timings> measured = conn.timings();
    const std::lock_guard guard(lock);
    if (measured) times = *measured;
    peer_code = code;
    peer_reason = reason;
    ended = true;
    changed.notify_all();
  };
  handlers.disconnected = [this](const disconnect&) {
    const std::lock_guard guard(lock);
    if (!opened) times = engine->unopened();
    ended = true;
    changed.notify_all();
  };
}

void blocking_connection::state::on_message(const message& m) {
  const std::lock_guard guard(lock);
  if (closing && full()) return;
  messages.push_back(m.take());
  bytes += m.size();
  if (!paused && !closing && full()) {
    paused = true;
    static_cast<void>(conn.pause());
  }
  changed.notify_all();
}

// Runs `what` on the loop and waits for its answer. When the time is over before it runs, it does not run at all.
errc blocking_connection::state::on_loop(function<errc(session&)> what, ticks timeout) {
  struct question {
    std::mutex lock;
    std::condition_variable answered;
    std::optional<errc> code;
    bool given_up = false;
  };
  // Shared with the call, which may come, or be destroyed, after this one gave up.
  struct ticket {
    std::shared_ptr<question> about;
    explicit ticket(std::shared_ptr<question> q) : about(std::move(q)) {}
    ticket(ticket&&) noexcept = default;
    ~ticket() {
      if (about) answer(errc::closed);
    }
    void answer(errc code) const {
      const std::lock_guard guard(about->lock);
      if (!about->code) about->code = code;
      about->answered.notify_all();
    }
  };
  auto asked = std::make_shared<question>();
  const hawser::connection c = conn;
  engine->post([c, t = ticket(asked), call = std::move(what)]() mutable {
    const std::lock_guard guard(t.about->lock);
    if (t.about->given_up) return;
    session* s = session::here(c);
    t.about->code = s != nullptr ? call(*s) : errc::closed;
  });
  std::unique_lock guard(asked->lock);
  if (wait_for(asked->answered, guard, timeout, [&] { return asked->code.has_value(); })) return *asked->code;
  asked->given_up = true;
  return errc::read_timeout;
}

result<void> blocking_connection::state::send(opcode op, byte_view payload, send_options how, ticks timeout) {
  if (op == opcode::text && !core::valid_utf8(payload)) return errc::invalid_utf8;
  const auto until = std::chrono::steady_clock::now() + std::min<ticks>(timeout, std::chrono::hours(24));
  for (;;) {
    unsigned seen = 0;
    {
      const std::lock_guard guard(lock);
      if (ended) return errc::closed;
      seen = drains;
    }
    // The bytes are the caller's, who waits here as long as they may be looked at.
    const errc code = on_loop([op, payload, how](session& s) { return s.send(op, payload, how); },
                              until - std::chrono::steady_clock::now());
    if (code == errc::ok) return {};
    if (code != errc::would_block) return code;
    std::unique_lock guard(lock);
    const bool room =
        wait_for(changed, guard, until - std::chrono::steady_clock::now(), [&] { return ended || drains != seen; });
    if (!room) return errc::read_timeout;
  }
}

blocking_connection::blocking_connection(std::unique_ptr<state> s) noexcept : state_(std::move(s)) {}
blocking_connection::blocking_connection(blocking_connection&&) noexcept = default;
blocking_connection& blocking_connection::operator=(blocking_connection&&) noexcept = default;
blocking_connection::~blocking_connection() = default;

result<void> blocking_connection::send(std::string_view text, ticks timeout) { return send(text, {}, timeout); }

result<void> blocking_connection::send(byte_view data, ticks timeout) { return send(data, {}, timeout); }

result<void> blocking_connection::send(std::string_view text, send_options how, ticks timeout) {
  return state_ ? state_->send(opcode::text, as_bytes(text), how, timeout) : errc::closed;
}

result<void> blocking_connection::send(byte_view data, send_options how, ticks timeout) {
  return state_ ? state_->send(opcode::binary, data, how, timeout) : errc::closed;
}

result<message> blocking_connection::receive(ticks timeout) {
  if (!state_) return errc::closed;
  state& s = *state_;
  std::unique_lock guard(s.lock);
  if (!wait_for(s.changed, guard, timeout, [&] { return !s.messages.empty() || s.ended; })) return errc::read_timeout;
  if (s.messages.empty()) return s.error ? s.error->error() : errc::closed;
  message m = std::move(s.messages.front());
  s.messages.pop_front();
  s.bytes -= m.size();
  if (s.paused && s.messages.size() <= most_messages / 2 && s.bytes <= most_bytes / 2) {
    s.paused = false;
    s.engine->post([c = s.conn] { static_cast<void>(c.resume()); });
  }
  return m;
}

result<close_code> blocking_connection::close(close_code code, std::string_view reason, ticks timeout) {
  if (!state_) return errc::closed;
  state& s = *state_;
  {
    const std::lock_guard guard(s.lock);
    s.closing = true;
  }
  const errc sent = s.conn.close(code, reason);
  std::unique_lock guard(s.lock);
  // Where it closes already there is only its end to wait for.
  if (sent != errc::ok && sent != errc::closed && !s.ended) {
    s.closing = false;
    return sent;
  }
  if (!wait_for(s.changed, guard, timeout, [&] { return s.ended; })) return errc::close_timeout;
  if (s.error) return s.error->error();
  return s.peer_code ? result<close_code>(*s.peer_code) : result<close_code>(errc::closed);
}

std::string blocking_connection::farewell() const {
  if (!state_) return "closed";
  const state& s = *state_;
  const std::lock_guard guard(state_->lock);
  if (!s.ended) return {};
  if (s.error) return s.error->what();
  if (!s.peer_code) return "closed";
  std::string text = "closed: " + std::to_string(static_cast<unsigned>(*s.peer_code));
  if (const std::string_view words = describe(*s.peer_code); !words.empty())
    text.append(" (").append(words).append(")");
  if (!s.peer_reason.empty()) text.append(", ").append(detail::one_line(s.peer_reason));
  return text;
}

result<hawser::timings> blocking_connection::timings(ticks timeout) const {
  if (!state_) return errc::closed;
  state& s = *state_;
  hawser::timings now;
  const auto until = std::chrono::steady_clock::now() + std::min<ticks>(timeout, std::chrono::hours(24));
  for (;;) {
    {
      const std::lock_guard guard(s.lock);
      if (s.ended) return s.times ? result<hawser::timings>(*s.times) : result<hawser::timings>(errc::not_kept);
    }
    // By and by: a loop that has just ended does not answer any more.
    constexpr ticks slice = std::chrono::milliseconds(100);
    const ticks left = until - std::chrono::steady_clock::now();
    const errc asked = s.on_loop(
        [&now](session& of) {
          if (of.times() == nullptr) return errc::not_kept;
          now = of.times()->so_far;
          return errc::ok;
        },
        std::min(left, slice));
    if (asked == errc::ok) return now;
    if (asked == errc::not_kept || left <= ticks{}) return asked;
  }
}

connection blocking_connection::handle() const noexcept { return state_ ? state_->conn : connection(); }

const handshake& blocking_connection::agreed() const& noexcept {
  static const handshake nothing;
  return state_ ? state_->agreed : nothing;
}

result<blocking_connection> connect(std::string_view url, const client_options& options,
                                    const extension_list& extensions, const headers& extra, std::string* why,
                                    timings* times) {
  auto s = std::make_unique<blocking_connection::state>();
  client_plan plan;
  const wipe_guard copied(plan.options.tls.identity);
  plan.url = url;
  plan.options = options;
  wipe(plan.options.tls.identity);  // `options` has it.
  plan.options.reconnect.enabled = false;
  plan.extensions = extensions;
  plan.extra = extra;
  s->listen();
  std::string text;
  result<std::unique_ptr<client_engine>> made = client_engine::create(plan, options.tls, &s->handlers, text);
  if (!made) {
    if (why != nullptr) *why = text;
    return made.error();
  }
  s->engine = std::move(*made);
  s->thread = quiet_thread([engine = s->engine.get()] { static_cast<void>(engine->run()); });
  if (!s->thread.joinable()) {
    if (why != nullptr) *why = describe(errc::out_of_resources);
    return errc::out_of_resources;
  }
  std::unique_lock guard(s->lock);
  // The engine bounds the time itself, by its connect and handshake timeouts.
  s->changed.wait(guard, [&] { return s->opened || s->ended; });
  if (s->opened) {
    guard.unlock();
    return blocking_connection(std::move(s));
  }
  const failure f = s->error ? *s->error : failure(errc::internal, {});
  if (why != nullptr) *why = f.what();
  if (times != nullptr && s->times) *times = *s->times;
  guard.unlock();
  return f.error();
}

HAWSER_END
