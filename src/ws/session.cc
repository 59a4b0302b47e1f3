#include "ws/session.h"

#include <hawser/core/extension_header.h>
#include <hawser/core/frame.h>

#include <cstring>
#include <utility>

HAWSER_BEGIN

session::session(worker& w, role side, const core::settings& obey, route_handlers& handlers)
    : worker_(&w), handlers_(&handlers), core_(w.resources(), obey, side, w.loop().now()) {
  const slot_key key = acquire_slot(w.box(), *this);
  slot_ = key.index;
  generation_ = key.generation;
  w.add(*this);
}

session::~session() = default;

session::extras& session::need_extras() {
  if (!extras_) extras_ = std::make_unique<extras>();
  return *extras_;
}

std::vector<subscription>& session::subscriptions() { return need_extras().subscriptions; }

// ---- opening

void session::start(int handle, std::unique_ptr<opening> how, tick deadline) {
  net::driver& io = worker_->loop().io();
  need_extras().how = std::move(how);
  io.adopt(*this, handle);
  io.start_reading(*this);
  worker_->loop().timers().schedule(*this, deadline);
}

void session::send_opening(std::string_view bytes) {
  core_.send_raw(as_bytes(bytes));
  touch();
}

void session::established(route_handlers& handlers, std::string_view response,
                          std::vector<core::agreed_extension> stages, const handshake& agreed, byte_span rest) {
  handlers_ = &handlers;
  phase_ = phase::open;
  was_open_ = true;
  begin_turn();
  if (!response.empty()) core_.send_raw(as_bytes(response));
  core_.attach(std::move(stages), worker_->loop().now());
  call(handlers_->connect, handle(), agreed);
  core_.receive(rest, worker_->loop().now());
  pump();
  finish_turn();
}

void session::refuse(std::string_view response) {
  begin_turn();
  core_.send_raw(as_bytes(response));
  linger();
  finish_turn();
}

void session::reject(close_code code, errc why, std::string_view text) {
  begin_turn();
  core_.fail(code, why, text, worker_->loop().now());
  static_cast<void>(core_.next());
  linger();
  finish_turn();
}

void session::abandon() {
  if (phase_ != phase::dead) die(true);
}

// The handshake is over; most connections need no side block any more.
void session::forget_opening() {
  extras_->how.reset();
  if (extras_->data == nullptr && extras_->subscriptions.empty() && !extras_->stash) extras_.reset();
}

void session::fail_opening(errc why) {
  const std::unique_ptr<opening> how = std::move(extras_->how);
  if (how) how->on_failed(*this, why);
  if (phase_ == phase::opening) die(false);
}

// ---- from the stream

void session::on_received(byte_span bytes) {
  if (phase_ == phase::open) {
    begin_turn();
    core_.receive(bytes, worker_->loop().now());
    pump();
    finish_turn();
    return;
  }
  if (phase_ != phase::opening) return;  // Lingering: what still comes is of no interest.
  extras_->how->on_bytes(*this, bytes);
  if (phase_ != phase::opening) forget_opening();
}

void session::on_received_into(buffer&& into, std::size_t n) {
  into = {};  // The core has its own share of it.
  if (phase_ != phase::open) return;
  begin_turn();
  core_.received(n, worker_->loop().now());
  pump();
  finish_turn();
}

void session::on_end() {
  if (phase_ == phase::opening) return fail_opening(errc::connection_lost);
  if (phase_ == phase::lingering) return die(false);
  if (paused_) {
    input_over_ = true;
    return;
  }
  begin_turn();
  core_.end_of_input(worker_->loop().now());
  pump();
  finish_turn();
}

void session::on_error(errc what) {
  if (phase_ == phase::opening) return fail_opening(what);
  if (phase_ == phase::lingering) return die(true);
  begin_turn();
  core_.transport_failed(what, worker_->loop().now());
  pump();
  finish_turn();
}

void session::on_written(std::size_t n) {
  write_pending_ = false;
  core_.output_blocked(false);
  core_.sent(n);
  flush();
  after_flush();
  if (phase_ != phase::open || !drain_wanted_ || core_.backlog() > core_.obeys().bounds.write_resume) return;
  drain_wanted_ = false;
  begin_turn();
  call(handlers_->drain, handle());
  pump();
  finish_turn();
}

void session::on_timer(tick now) {
  if (phase_ == phase::opening) return fail_opening(errc::handshake_timeout);
  if (phase_ == phase::lingering) return die(true);
  begin_turn();
  core_.on_timeout(now);
  pump();
  finish_turn();
}

// ---- the turn

void session::begin_turn() {
  in_turn_ = true;
  core_.begin_turn();
}

// Everything that one completion caused goes out at once; then the loop's block is free for the next connection.
void session::finish_turn() {
  if (phase_ == phase::dead) return;
  flush();
  core_.end_turn();
  in_turn_ = false;
  after_flush();
  if (phase_ != phase::open) return;
  net::loop& loop = worker_->loop();
  std::size_t offset = 0;
  std::size_t room = 0;
  if (buffer into = core_.receive_buffer(offset, room); into && !paused_)
    loop.io().read_into(*this, std::move(into), offset, room);
  loop.timers().schedule(*this, core_.deadline());
}

void session::pump() {
  for (core::kind k; (k = core_.next()) != core::kind::none;) {
    deliver(k);
    if (phase_ != phase::open) return;
    if (core_.pending() >= core::turn_block::flush_at) flush();
    if (paused_) return keep_unconsumed();
  }
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

void session::deliver_message(core::event& e) {
  message m;
  m.payload_ = e.payload;
  m.lent_owner_ = e.owner;
  m.pool_ = &worker_->loop().pool();
  m.first_byte_ = e.first_byte;
  m.last_byte_ = e.last_byte;
  m.op_ = e.op;
  m.first_ = e.first;
  m.last_ = e.fin;
  call(handlers_->message, handle(), std::as_const(m));
}

void session::deliver_closed(const core::event& e) {
  const errc error = e.error;
  const close_code code = e.code;
  const std::string text(as_text(e.payload));
  phase_ = phase::lingering;
  worker_->unsubscribe_all(*this);
  if (error != errc::ok && error != errc::cancelled) call(handlers_->error, handle(), failure(error, text));
  call(handlers_->close, handle(), code,
       std::string_view(error == errc::ok ? std::string_view(text) : std::string_view()));
  if (phase_ == phase::dead) return;
  const bool gone = error == errc::connection_lost || fault_of(error) == fault::transport || error == errc::cancelled;
  if (gone && error != errc::close_timeout && error != errc::ping_timeout) return die(error == errc::cancelled);
  linger();
}

// The connection is over, the transport not yet: what was sent goes out, then FIN, then the peer's FIN is awaited, so
// that no reset takes our last frame away. A client waits for the server's FIN first (RFC 6455, 7.1.1).
void session::linger() {
  phase_ = phase::lingering;
  net::loop& loop = worker_->loop();
  loop.io().start_reading(*this);
  loop.timers().cancel(*this);
  loop.timers().schedule(*this, loop.now() + core_.obeys().close_timeout);
}

// Calls a handler; one that throws closes this connection with 1011 and harms nothing else.
template <class Handler, class... Args>
void session::call(const Handler& h, Args&&... args) {
  if (!h) return;
  try {
    h(std::forward<Args>(args)...);
  } catch (const std::exception& e) {
    core_.fail(close_code::internal_error, errc::handler_threw, std::string("a handler threw: ") + e.what(),
               worker_->loop().now());
  } catch (...) {
    core_.fail(close_code::internal_error, errc::handler_threw, "a handler threw", worker_->loop().now());
  }
}

void session::flush() {
  net::driver& io = worker_->loop().io();
  while (!write_pending_ && phase_ != phase::dead && core_.pending() > 0) {
    const net::write_result r = io.write(*this, core_.output());
    if (r.error != errc::ok) return write_failed(r.error);
    core_.sent(r.done);
    if (r.pending) {
      write_pending_ = true;
      core_.output_blocked(true);
    }
  }
}

// The system will take nothing more. What was received before is still worked in; then the session ends.
void session::write_failed(errc why) {
  write_pending_ = true;
  core_.output_blocked(true);
  if (phase_ == phase::opening) return fail_opening(why);
  if (phase_ == phase::lingering) return die(true);
  core_.transport_failed(why, worker_->loop().now());
  worker_mark();
}

// Once everything is out, a session that is over sends its FIN.
void session::after_flush() {
  if (phase_ != phase::lingering || fin_sent_ || core_.pending() > 0) return;
  if (was_open_ && !core_.closes_first()) return;
  fin_sent_ = true;
  worker_->loop().io().shutdown_write(*this);
}

void session::worker_mark() {
  if (marked_) return;
  marked_ = true;
  worker_->mark(*this);
}

// Something was queued: inside its own turn it goes out at the end of that, otherwise at the end of the batch.
void session::touch() {
  if (in_turn_) return;
  if (core_.pending() >= core::turn_block::flush_at) flush();
  worker_mark();
}

void session::on_batch_end() {
  marked_ = false;
  if (phase_ == phase::dead) return;
  if (phase_ != phase::open) {
    flush();
    return after_flush();
  }
  begin_turn();
  pump();
  if (phase_ == phase::open && !paused_) work_off_stash();
  finish_turn();
}

// After `resume`: what waited, and the end of input if that came meanwhile.
void session::work_off_stash() {
  if (extras_ && extras_->stash) {
    buffer kept = std::move(extras_->stash);
    extras_->stash = {};
    core_.receive_again(kept.span(), worker_->loop().now());
    pump();
    flush();
    if (phase_ != phase::open || paused_) return;
  }
  if (input_over_) {
    input_over_ = false;
    core_.end_of_input(worker_->loop().now());
    pump();
  }
}

void session::die(bool reset) {
  if (phase_ == phase::dead) return;
  const bool opened = was_open_;
  worker_->unsubscribe_all(*this);
  phase_ = phase::dead;
  net::loop& loop = worker_->loop();
  core_.end_turn();
  in_turn_ = false;
  loop.timers().cancel(*this);
  loop.io().close(*this, reset);
  release_slot(slot_);
  worker_->remove(*this);
  worker_->bury(*this);
  if (door_ != nullptr) door_->left(host_);
  if (handlers_->gone) handlers_->gone(opened);
}

// ---- calls of handles

errc session::send(opcode op, byte_view payload) {
  if (phase_ != phase::open) return errc::closed;
  if (worker_->topics_waiting()) worker_->catch_up(*this);
  const errc e = core_.send(op, payload);
  if (e == errc::would_block) drain_wanted_ = true;
  touch();
  return e;
}

errc session::send(const message& m) {
  if (phase_ != phase::open) return errc::closed;
  const buffer& owner = m.lent_owner_ != nullptr ? *m.lent_owner_ : m.owner_;
  if (!owner || owner.data() != m.payload_.data()) return send(m.op_, m.payload_);
  if (worker_->topics_waiting()) worker_->catch_up(*this);
  const errc e = core_.send(m.op_, buffer(owner));
  if (e == errc::would_block) drain_wanted_ = true;
  touch();
  return e;
}

void session::send_frames(const buffer& frames, std::uint32_t messages) {
  if (phase_ != phase::open) return;
  errc e = errc::ok;
  const bool plain = core_.stages() == nullptr && frames.size() <= core_.obeys().bounds.max_outgoing_frame;
  if (plain) {
    e = core_.send_frames(frames, messages);
  } else {
    byte_view rest = frames.view();
    core::frame_header h{};
    while (e == errc::ok && core::parse_frame_header(rest, h) == core::parse_status::ok) {
      e = core_.send(static_cast<opcode>(h.first & 0x0FU), rest.subspan(h.size, static_cast<std::size_t>(h.length)));
      rest = rest.subspan(h.size + static_cast<std::size_t>(h.length));
    }
  }
  if (e == errc::would_block) core_.fail(close_code::try_again_later, errc::slow_consumer, {}, worker_->loop().now());
  touch();
}

errc session::begin_message(opcode op) {
  if (phase_ != phase::open) return errc::closed;
  worker_->catch_up(*this);
  const errc e = core_.begin_message(op);
  touch();
  return e;
}

errc session::send_part(byte_view part, bool last) {
  if (phase_ != phase::open) return errc::closed;
  const errc e = core_.send_part(part, last);
  if (e == errc::would_block) drain_wanted_ = true;
  touch();
  return e;
}

errc session::ping(byte_view payload) {
  if (phase_ != phase::open) return errc::closed;
  const errc e = core_.ping(payload);
  touch();
  return e;
}

errc session::close(close_code code, std::string_view reason) {
  if (phase_ != phase::open) return errc::closed;
  worker_->catch_up(*this);
  const errc e = core_.close(code, reason, worker_->loop().now());
  if (e == errc::ok) worker_->loop().timers().schedule(*this, core_.deadline());
  touch();
  return e;
}

errc session::terminate() {
  if (phase_ == phase::dead) return errc::closed;
  if (phase_ != phase::open) {
    die(true);
    return errc::ok;
  }
  core_.transport_failed(errc::cancelled, worker_->loop().now());
  worker_mark();
  return errc::ok;
}

void session::shut_down(close_code code) {
  if (phase_ == phase::opening) return die(false);
  if (phase_ == phase::open) static_cast<void>(close(code, {}));
}

errc session::pause() {
  if (phase_ != phase::open) return errc::closed;
  paused_ = true;
  worker_->loop().io().stop_reading(*this);
  return errc::ok;
}

errc session::resume() {
  if (phase_ != phase::open) return errc::closed;
  if (!paused_) return errc::ok;
  paused_ = false;
  worker_->loop().io().start_reading(*this);
  worker_mark();
  return errc::ok;
}

errc session::subscribe(std::string_view name) {
  if (phase_ != phase::open) return errc::closed;
  worker_->subscribe(*this, name);
  return errc::ok;
}

errc session::unsubscribe(std::string_view name) {
  if (phase_ != phase::open) return errc::closed;
  worker_->unsubscribe(*this, name);
  return errc::ok;
}

errc session::publish(std::string_view name, opcode op, byte_view payload) {
  if (phase_ != phase::open) return errc::closed;
  worker_->publish(name, op, payload, this);
  worker_->publish_elsewhere(name, op, payload);
  return errc::ok;
}

void session::set_data(void* object, const void* tag, void (*destroy)(void*)) {
  extras& x = need_extras();
  if (x.data != nullptr) x.data_destroy(x.data);
  x.data = object;
  x.data_tag = tag;
  x.data_destroy = destroy;
}

void* session::find_data(const void* tag) const noexcept {
  return extras_ && extras_->data_tag == tag ? extras_->data : nullptr;
}

std::string session::extensions() const {
  std::vector<core::extension_element> elements;
  if (const core::pipeline* p = core_.stages())
    for (std::size_t i = 0; i < p->size(); ++i)
      elements.push_back({p->at(i).name, p->at(i).terms.response});
  return elements.empty() ? std::string() : core::format_extensions(elements).value_or(std::string());
}

// ---- from handles to sessions

session* session::here(connection c) noexcept {
  slot* s = c.generation_ == 0 ? nullptr : find_slot(c.index_);
  if (s == nullptr || current_mailbox == nullptr || s->box.load(std::memory_order_acquire) != current_mailbox)
    return nullptr;
  return s->generation.load(std::memory_order_relaxed) == c.generation_ ? s->who : nullptr;
}

bool session::alive(connection c) noexcept {
  slot* s = c.generation_ == 0 ? nullptr : find_slot(c.index_);
  return s != nullptr && s->generation.load(std::memory_order_acquire) == c.generation_;
}

errc session::reach(connection c, function<errc(session&)> call) {
  if (session* s = here(c)) return call(*s);
  if (!alive(c)) return errc::closed;
  mailbox* box = find_slot(c.index_)->box.load(std::memory_order_acquire);
  if (box == nullptr) return errc::closed;
  const bool queued = box->post([c, what = std::move(call)] {
    if (session* s = here(c)) static_cast<void>(what(*s));
  });
  return queued ? errc::ok : errc::closed;
}

HAWSER_END
