// A session's life and its turns: from accepted or connected to closed.

#include "ws/session.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

HAWSER_BEGIN

namespace {

// After a failed write: how long what the peer sent before may take to come out of the system.
constexpr ticks last_words_time = std::chrono::seconds(1);

}  // namespace

session::session(worker& w, role side, const core::settings& obey, route_handlers& handlers)
    : worker_(&w), handlers_(&handlers), core_(w.resources(), obey, side, w.loop().now()) {
  w.reserve_place();
  const slot_key key = acquire_slot(w.box());
  core_.give_id(std::uint64_t{key.generation} << 32 | key.index);
  w.add(*this);
}

session::~session() = default;

session::extras& session::need_extras() {
  if (!extras_) extras_ = std::make_unique<extras>();
  return *extras_;
}

std::vector<subscription>& session::subscriptions() { return need_extras().subscriptions; }

void session::silence() noexcept {
  static route_handlers nobody;  // Empty for ever: no state.
  handlers_ = &nobody;
}

// ---- the turn

inline void session::begin_turn() {
  in_turn_ = true;
  core_.begin_turn();
}

// What most turns have to send, one piece that the system takes whole, needs no more than this.
inline void session::flush_turn() {
  const byte_view* piece = core::fast_path::one_piece(core_);
  if (piece == nullptr || write_pending_ || torn_ || phase_ == phase::dead) return flush();
  if (timed_ || watched_ || secured_) [[unlikely]]
    return flush_piece_looked_at(*piece);
  const net::write_result r = worker_->loop().io().write(*this, {piece, 1});
  if (r.done == piece->size()) return core::fast_path::one_piece_sent(core_, r.done);
  note_sent(r.done);
  note_write(r);
  flush();
}

// Everything that one completion caused goes out at once; then the loop's block is free for the next connection.
inline void session::finish_turn() {
  flush_turn();
  if (phase_ == phase::dead) return;
  core_.end_turn();
  in_turn_ = false;
  // `established` has set the deadline, and nothing has moved it.
  if (phase_ != phase::open || !core::fast_path::settled(core_) || !scheduled()) settle_turn();
}

// ---- opening

void session::start(int handle, std::unique_ptr<opening> how, tick deadline, const secure_start* secure) {
  need_extras().how = std::move(how);
  if (worker_->measures() != nullptr) begin_times();
  if (secure != nullptr) {
    secure_transport& below = worker_->secure();
    secured_ = true;
    below.adopt(*this, handle, secure->how, secure->name, secure->port);
  } else {
    worker_->loop().io().adopt(*this, handle);
  }
  io().start_reading(*this);
  // What a server accepts has it from the listening socket.
  const ticks patience = system_patience(core_.obeys().alive);
  if (core_.side() == role::client && patience > ticks::zero()) io().set_user_timeout(*this, patience);
  worker_->loop().timers().schedule(*this, deadline);
}

void session::keep_request(const handshake& agreed) { need_extras().agreed = std::make_shared<handshake>(agreed); }

void session::send_opening(std::string_view bytes) {
  core_.send_raw(as_bytes(bytes));
  if (timed_) note_handshake_made(bytes.size());
  touch();
}

void session::established(route_handlers& handlers, std::string_view response,
                          std::vector<core::agreed_extension> stages, const handshake& agreed, byte_span rest) {
  if (phase_ != phase::opening) return;
  begin_turn();
  // Without memory for these the handshake has failed, and nobody has heard of a connection.
  if (!response.empty()) core_.send_raw(as_bytes(response));
  begin_watch();
  watch_stages(stages);
  core_.attach(std::move(stages), worker_->loop().now());
  if (timed_) note_handshake_made(response.size());
  open(handlers, agreed);
  core_.receive(rest, worker_->loop().now());
  pump();
  finish_turn();
}

void session::open(route_handlers& handlers, const handshake& agreed) {
  handlers_ = &handlers;
  if (worker_->silent()) silence();
  phase_ = phase::open;
  was_open_ = true;
  ++worker_->counts().opened;
  worker_->loop().timers().schedule(*this, core_.deadline());
  if (timed_) note_opened();
  call(handlers_->connect, handle(), agreed);
}

void session::speak_frames(std::string_view response, std::string_view offer, const core::settings& obey,
                           byte_span rest) {
  if (phase_ != phase::opening) return;
  begin_turn();
  if (!response.empty()) core_.send_raw(as_bytes(response));
  begin_watch();
  if (timed_) note_handshake_made(response.size());
  core_.obey(obey);
  extras_->framed = true;
  if (!offer.empty()) static_cast<void>(core_.send(opcode::binary, as_bytes(offer)));
  core_.receive(rest, worker_->loop().now());
  read_opening();
  finish_turn();
}

// Within a turn. Pings are answered as always; behind the agreement all goes on as on any connection.
void session::read_opening() {
  const speaking mine(*this);
  if (watched_) watch_input();
  for (core::kind k; phase_ == phase::opening && (k = core_.next()) != core::kind::none;) {
    const core::event& e = core_.current();
    if (k == core::kind::message) extras_->how->on_message(*this, e.op, e.payload);
    if (k != core::kind::closed) continue;
    extras_->how->on_closed(*this, e.error, e.code, as_text(e.payload));
    linger();
  }
  if (phase_ == phase::open) pump();
}

void session::established_inband(route_handlers& handlers, std::string_view answer, const core::settings& obey,
                                 std::vector<core::agreed_extension> stages, const handshake& agreed) {
  if (phase_ != phase::opening) return;
  core_.obey(obey);
  if (!answer.empty()) static_cast<void>(core_.send(opcode::binary, as_bytes(answer)));
  watch_stages(stages);
  core_.attach_inband(std::move(stages), worker_->loop().now());
  open(handlers, agreed);
}

void session::refuse(std::string_view response) {
  if (phase_ != phase::opening) return;
  begin_turn();
  core_.send_raw(as_bytes(response));
  linger();
  finish_turn();
}

void session::answer_later(std::string_view response) noexcept {
  if (phase_ != phase::opening) return;
  guarded([&] {
    refuse(response);
    forget_opening();
  });
}

void session::reject(close_code code, errc why, std::string_view text, std::vector<core::agreed_extension> stages) {
  if (phase_ != phase::opening) return;
  const bool inside = in_turn_;
  if (!inside) begin_turn();
  core_.attach(std::move(stages), worker_->loop().now());
  core_.fail(code, why, text, worker_->loop().now());
  static_cast<void>(core_.next());
  linger();
  if (!inside) finish_turn();
}

void session::abandon() {
  if (phase_ != phase::dead) die(true);
}

void session::fail_opening(errc why) {
  const std::unique_ptr<opening> how = std::move(extras_->how);
  if (how) how->on_failed(*this, why);
  if (phase_ == phase::opening) die(false);
}

// The handshake is over; most connections need no side block any more.
void session::forget_opening() {
  extras_->how.reset();
  if (extras_->data == nullptr && extras_->subscriptions.empty() && extras_->behind.empty() && !extras_->stash &&
      extras_->thrown.empty() && !extras_->peer_ended && !extras_->sending_text && !extras_->agreed &&
      !extras_->times && !extras_->watched)
    extras_.reset();
}

// ---- from the stream

inline void session::received(byte_span bytes) {
  if (phase_ == phase::open) {
    begin_turn();
    core_.receive(bytes, worker_->loop().now());
    pump();
    return finish_turn();
  }
  received_before(bytes);
}

void session::on_received(byte_span bytes) {
  guarded([&] { received(bytes); });
}

void session::on_received_into(buffer&& into, std::size_t n) {
  into = {};  // The core has its own share of it.
  guarded([&] { received_into(n); });
}

void session::on_end() {
  guarded([&] { ended(); });
}

void session::on_error(errc what) {
  guarded([&] { broke(what); });
}

void session::on_written(std::size_t n) {
  guarded([&] { written(n); });
}

void session::on_timer(tick now) {
  guarded([&] { time_came(now); });
}

void session::on_batch_end() {
  marked_ = false;
  guarded([&] { turn_at_batch_end(); });
}

void session::received_before(byte_span bytes) {
  if (phase_ != phase::opening) return;  // Lingering: what still comes is of no interest.
  if (extras_->framed) {
    begin_turn();
    core_.receive(bytes, worker_->loop().now());
    read_opening();
    finish_turn();
  } else {
    extras_->how->on_bytes(*this, bytes);
  }
  if (phase_ != phase::opening && extras_ && extras_->how) forget_opening();
}

void session::received_into(std::size_t n) {
  if (phase_ != phase::open) return;
  begin_turn();
  core_.received(n, worker_->loop().now());
  pump();
  finish_turn();
}

void session::ended() {
  if (phase_ == phase::opening) {
    if (!extras_->how->answers_later()) return fail_opening(errc::connection_lost);
    extras_->peer_ended = true;
    return;
  }
  if (phase_ == phase::lingering) return die(false);
  if (core_.is_answering()) {
    need_extras().peer_ended = true;
    return;
  }
  broke(errc::connection_lost);
}

void session::broke(errc what) {
  if (phase_ == phase::opening) return fail_opening(what);
  if (phase_ == phase::lingering) return die(what != errc::truncated);  // Many peers end TLS like that.
  if (what == errc::truncated && core_.is_answering()) {
    need_extras().peer_ended = true;  // Nothing is missed: its close frame has come.
    return;
  }
  begin_turn();
  core_.transport_failed(write_error_ != errc::ok ? write_error_ : what, worker_->loop().now());
  pump();
  finish_turn();
}

void session::written(std::size_t n) {
  if (write_error_ != errc::ok) return;
  write_pending_ = false;
  core_.output_blocked(false);
  note_sent(n);
  core_.output_moved(worker_->loop().now());
  if (phase_ == phase::lingering) await_end();
  if (phase_ != phase::open) {
    flush();
    return after_flush();
  }
  begin_turn();
  flush();
  pump();
  tell_drained();
  finish_turn();
}

void session::time_came(tick now) {
  if (phase_ == phase::opening) return fail_opening(errc::handshake_timeout);
  if (phase_ == phase::lingering) return peer_takes() ? await_end() : die(true);
  begin_turn();
  const bool closing = !core_.is_open() && !core_.is_over();
  if (closing && now >= core_.deadline() && peer_takes()) core_.output_moved(now);
  if (write_error_ != errc::ok)
    core_.transport_failed(write_error_, now);
  else
    core_.on_timeout(now);
  pump();
  finish_turn();
}

// ---- the turn, at length

// What a turn may have changed for the turns to come.
void session::settle_turn() {
  if (phase_ != phase::open) return after_flush();
  if (write_error_ != errc::ok && scheduled()) return;  // `write_failed` has set the deadline.
  if (core_.take_released() && (full_ || drain_wanted_)) worker_mark();
  if (core_.is_framed()) write_frames_that_wait();
  if (core_.is_answering()) {
    shut();
    if (need_extras().left_for_peer == never_asked) static_cast<void>(peer_takes());  // From here on it is measured.
  }
  net::loop& loop = worker_->loop();
  std::size_t offset = 0;
  std::size_t room = 0;
  if (!reading_held_)
    if (buffer into = core_.receive_buffer(offset, room)) io().read_into(*this, std::move(into), offset, room);
  loop.timers().schedule(*this, core_.deadline());
}

// What was written at the end of the turn has made room for the next frames.
void session::write_frames_that_wait() {
  core_.refill();
  flush();
  note_backlog();
  const bool asked = drain_wanted_ || full_ || part_refused_;
  const std::size_t left = part_refused_ ? core_.queued() : waiting();
  const bool drained = left <= core_.obeys().bounds.write_resume && !write_pending_ && !core_.sending_held();
  if ((asked && drained && core_.is_open()) || core_.is_ending()) worker_mark();
}

// Calls a handler; one that throws closes this connection with 1011 and harms nothing else.
template <class Handler, class... Args>
inline void session::call(const Handler& h, Args&&... args) {
  if (!h) return;
  try {
    h(std::forward<Args>(args)...);
  } catch (const std::exception& e) {
    threw(e.what());
  } catch (...) {
    threw({});
  }
}

void session::deliver_message(const core::event& e) {
  message m;
  m.payload_ = e.payload;
  m.lent_owner_ = e.owner;
  m.pool_ = &worker_->loop().pool();
  m.first_byte_ = e.first_byte;
  m.last_byte_ = e.last_byte;
  m.op_ = e.op;
  m.first_ = e.first;
  m.last_ = e.fin;
  m.borrow_notes(core_.noted());
  call(handlers_->message, handle(), std::as_const(m));
}

void session::pump() {
  const speaking mine(*this);
  if (timed_ || watched_) [[unlikely]]
    return pump_looked_at();
  pump_all<false>();
}

// Of the messages of a turn the first one is measured.
template <bool Measures>
inline void session::pump_all() {
  using found = core::fast_path::found;
  message borrowed;  // All short messages of a turn, one after the other: most of it is the same for all.
  borrowed.pool_ = &worker_->loop().pool();
  borrowed.first_byte_ = borrowed.last_byte_ = worker_->loop().now();
  core::fast_path::whole whole;
  core::kind event = core::kind::none;
  [[maybe_unused]] measured_turn times;
  if constexpr (Measures) begin_messages();
  for (found what; (what = core::fast_path::take_or_find(core_, whole, event)) != found::nothing;) {
    if constexpr (Measures)
      if (!times.over) note_delivery(times, what == found::whole ? nullptr : &core_.current(), event);
    if (what == found::whole) {
      borrowed.payload_ = whole.payload;
      borrowed.op_ = whole.op;
      call(handlers_->message, handle(), std::as_const(borrowed));
      if constexpr (Measures)
        if (times.under_way) note_delivered(times);
    } else {
      deliver(event);
      if constexpr (Measures)
        if (times.under_way) note_delivered(times);
      // What was sent was flushed in time; the answers to pings were not.
      if (core_.pending() >= core::turn_block::flush_at) flush();
    }
    if (phase_ != phase::open) return;
  }
  if (paused_) keep_unconsumed();
}

void session::pump_looked_at() {
  if (watched_) watch_input();
  timed_ ? pump_all<true>() : pump_all<false>();
}

// Receiving was paused by a handler: what this turn has received and not worked in waits here.
void session::keep_unconsumed() {
  core_.stash();
  const byte_view rest = core_.unconsumed();
  if (rest.empty()) return;
  buffer kept = worker_->loop().pool().take(rest.size());
  std::memcpy(kept.data(), rest.data(), rest.size());
  need_extras().stash = std::move(kept);
}

void session::deliver(core::kind k) {
  core::event& e = core_.current();
  switch (k) {
    case core::kind::message:
    case core::kind::part:
      return deliver_message(e);
    case core::kind::ping:
      return call(handlers_->ping, handle(), byte_view(e.payload));
    case core::kind::pong:
      return call(handlers_->pong, handle(), byte_view(e.payload));
    case core::kind::closed:
      return deliver_closed(e);
    case core::kind::none:
      return;
  }
}

// The end, told once. While it is told nothing ends the session under its handlers: `terminate` waits for them.
void session::deliver_closed(const core::event& e) {
  const errc error = e.error;
  const close_code code = e.code;
  phase_ = phase::ending;
  ++worker_->counts().closed[static_cast<std::size_t>(fault_of(error))];
  shut();
  worker_->unsubscribe_all(*this);
  std::string text;
  try {
    text = as_text(e.payload);
    if (error != errc::ok && error != errc::cancelled) tell_error(error, text);
  } catch (const std::bad_alloc&) {
    // What `on_error` would have been told needs memory; what follows does not.
  }
  call(handlers_->close, handle(), code, error == errc::ok ? std::string_view(text) : std::string_view());
  // Where the transport is gone or given up there is nothing to wait for.
  const bool gone = (fault_of(error) == fault::transport || write_error_ != errc::ok) && code == close_code::abnormal;
  if (end_now_ || torn_ || error == errc::cancelled || gone) return die(error != errc::connection_lost);
  linger();
}

void session::tell_error(errc error, std::string_view text) {
  const bool thrown = error == errc::handler_threw;
  if (!handlers_->error && !timed_ && (thrown || !worker_->logs())) return;
  if (thrown && extras_ && !extras_->thrown.empty()) text = extras_->thrown;
  if (const tls::filter* below = secured(); below != nullptr && below->error() == error) text = below->why();
  const failure what(error, text);
  if (!thrown) worker_->log(log_level::info, what.what());
  if (timed_) note_error();
  call(handlers_->error, handle(), what);
  if (timed_) note_error_told();
}

errc session::run(const function<void()>& posted) {
  call(posted);
  if (phase_ != phase::dead) touch();
  return errc::ok;
}

// What it threw is told at this end only: the peer has no business with it.
void session::threw(std::string_view what) {
  std::string text(describe(errc::handler_threw));
  if (!what.empty()) text.append(" It said: ").append(what);
  worker_->report(failure(errc::handler_threw, text));
  if (core_.is_over()) return;
  need_extras().thrown = std::move(text);
  core_.fail(close_code::internal_error, errc::handler_threw, {}, worker_->loop().now());
}

// ---- out

void session::flush() {
  if (timed_ || watched_) [[unlikely]]
    return flush_looked_at();
  write_out<false>();
}

template <bool Watched>
void session::write_out() {
  net::transport& to = io();
  while (!write_pending_ && !torn_ && phase_ != phase::dead && core_.pending() > 0) {
    if constexpr (Watched) watch_output();
    const net::write_result r = to.write(*this, core_.output());
    note_sent(r.done);
    note_write(r);
  }
}

template void session::write_out<false>();  // For what is measured.

void session::flush_looked_at() {
  if (timed_) begin_flush();
  watched_ ? write_out<true>() : write_out<false>();
  if (timed_) end_write();
}

void session::flush_piece_looked_at(byte_view piece) {
  return watched_ || !timed_ ? flush() : flush_piece_measured(piece);
}

void session::note_sent(std::size_t n) {
  torn_ = true;  // Unless what is left finds its place.
  core_.sent(n);
  torn_ = false;
}

void session::write_frames(const buffer& frames, std::size_t from, std::uint32_t messages) {
  guarded([&] {
    const byte_view bytes = frames.view().subspan(from);
    if (timed_) [[unlikely]]
      begin_frames(bytes.size());
    const net::write_result r = io().write(*this, {&bytes, 1});
    torn_ = true;
    core_.frames_written(frames, from, r.done, messages);
    torn_ = false;
    if (timed_) [[unlikely]]
      end_write();
    note_write(r);
  });
}

void session::note_write(const net::write_result& r) {
  if (r.error != errc::ok) return write_failed(r.error);
  if (!r.pending) return;
  write_pending_ = true;
  core_.output_blocked(true);
  note_backlog();
}

// The system will take nothing more. What the peer sent before is still worked in, its close frame included: then the
// session ends by that, else when the stream ends.
void session::write_failed(errc why) {
  write_pending_ = true;
  core_.output_blocked(true);
  if (phase_ == phase::opening) return fail_opening(why);
  if (phase_ == phase::lingering) return die(true);
  if (phase_ != phase::open) return;
  write_error_ = why;
  if (paused_) {
    core_.transport_failed(why, worker_->loop().now());
    worker_mark();
  } else {
    // All of that time: what was to come earlier is of no meaning any more.
    net::loop& loop = worker_->loop();
    loop.timers().cancel(*this);
    loop.timers().schedule(*this, later(loop.now(), last_words_time));
  }
}

// Nothing more can be sent: other threads are to hear of it, who see no more of a session than its slot.
void session::shut() noexcept { find_slot(slot_index())->shut.store(true, std::memory_order_relaxed); }

void session::tell_drained() {
  const std::size_t most = core_.obeys().bounds.write_resume;
  if (phase_ != phase::open || core_.queued() > most || core_.sending_held()) return;
  const bool for_all = waiting() <= most;
  if (for_all) {
    if (full_) find_slot(slot_index())->full.store(false, std::memory_order_relaxed);
    full_ = false;
  }
  if (!(part_refused_ || (drain_wanted_ && for_all)) || !is_open()) return;
  part_refused_ = false;
  if (for_all) drain_wanted_ = false;
  call(handlers_->drain, handle());
  pump();
}

// ---- the end of the batch

void session::worker_mark() {
  if (marked_) return;
  marked_ = true;
  worker_->mark(*this);
}

void session::turn_at_batch_end() {
  if (phase_ == phase::dead) return;
  if (phase_ != phase::open) {
    flush();
    return after_flush();
  }
  buffer kept;  // Until the turn has ended: what it sends may refer to it.
  begin_turn();
  worker_->catch_up(*this);
  pump();
  if (phase_ == phase::open && reading_held_ && !paused_) go_on_reading(kept);
  if (drain_wanted_ || full_ || part_refused_) {
    flush();
    tell_drained();
  }
  finish_turn();
}

// After `resume`: first what waited, then the system is asked again.
void session::go_on_reading(buffer& kept) {
  if (extras_ && extras_->stash) {
    kept = std::move(extras_->stash);
    extras_->stash = {};
    core_.receive_again(kept.span(), worker_->loop().now());
    pump();
    if (phase_ != phase::open || paused_) return;
  }
  reading_held_ = false;
  io().start_reading(*this);
}

HAWSER_END
