// What users' handles ask of a session, on its loop and from other threads.

#include "ws/session.h"

#include <hawser/core/extension_header.h>
#include <hawser/core/frame.h>

#include <cstring>
#include <new>
#include <utility>

HAWSER_BEGIN

// ---- sending

errc session::settle(errc outcome) {
  if (outcome == errc::would_block) drain_wanted_ = true;
  touch();
  return outcome;
}

errc session::send(opcode op, byte_view payload, send_options how) {
  return attempt([&]() -> errc {
    if (!is_open()) return errc::closed;
    if (worker_->topics_waiting()) worker_->catch_up(*this);
    return settle(core_.send(op, payload, how));
  });
}

errc session::send(const message& m, send_options how) {
  return attempt([&]() -> errc {
    const buffer& owner = m.lent_owner_ != nullptr ? *m.lent_owner_ : m.owner_;
    if (!owner || owner.data() != m.payload_.data()) return send(m.op_, m.payload_, how);
    if (!is_open()) return errc::closed;
    if (worker_->topics_waiting()) worker_->catch_up(*this);
    return settle(core_.send(m.op_, buffer(owner), how));
  });
}

void session::send_promised(opcode op, byte_view payload, send_options how) {
  static_cast<void>(attempt([&]() -> errc {
    if (!is_open()) return errc::closed;
    if (worker_->topics_waiting()) worker_->catch_up(*this);
    if (core_.send_promised(op, payload, how) == errc::wrong_state) {
      buffer copy = worker_->loop().pool().take(payload.size());
      if (!payload.empty()) std::memcpy(copy.data(), payload.data(), payload.size());
      hold_back({std::move(copy), 1, op, how});
    }
    touch();
    return errc::ok;
  }));
}

void session::ask_drain() {
  find_slot(slot_index())->drain_asked.store(0, std::memory_order_relaxed);
  drain_wanted_ = true;
  worker_mark();
}

void session::send_frames(const buffer& frames, std::uint32_t messages, send_options how) {
  static_cast<void>(attempt([&]() -> errc {
    if (!is_open()) return errc::closed;
    const limits& l = core_.obeys().bounds;
    errc e = errc::ok;
    if (core_.sending_parts()) {
      e = waiting() + frames.size() > l.write_hard ? errc::would_block : errc::ok;
      if (e == errc::ok) hold_back({frames, messages, opcode::continuation, how});
    } else if (core_.stages() == nullptr && frames.size() <= l.max_outgoing_frame) {
      e = core_.send_frames(frames, messages);
    } else if (core_.queued() > l.write_hard) {
      e = errc::would_block;
    } else {
      byte_view rest = frames.view();
      core::frame_header h{};
      while (core_.is_open() && core::parse_frame_header(rest, h) == core::parse_status::ok) {
        const auto length = static_cast<std::size_t>(h.length);
        static_cast<void>(core_.send_promised(static_cast<opcode>(h.first & 0x0FU), rest.subspan(h.size, length), how));
        rest = rest.subspan(h.size + length);
      }
    }
    if (e == errc::would_block) core_.fail(close_code::try_again_later, errc::slow_consumer, {}, worker_->loop().now());
    touch();
    return errc::ok;
  }));
}

errc session::begin_message(opcode op, send_options how) {
  return attempt([&]() -> errc {
    if (!is_open()) return errc::closed;
    worker_->catch_up(*this);
    const bool text = op == opcode::text;
    if (text) need_extras();
    const errc e = core_.begin_message(op, how);
    if (e == errc::ok && extras_) {
      extras_->sending_text = text;
      extras_->text_out.reset();
    }
    return settle(e);
  });
}

errc session::send_part(byte_view part, bool last) {
  return attempt([&]() -> errc {
    if (!is_open()) return errc::closed;
    const bool text = extras_ && extras_->sending_text;
    core::utf8_validator so_far;
    if (text) {
      so_far = extras_->text_out;
      if (!so_far.feed(part) || (last && !so_far.complete())) return errc::invalid_utf8;
    }
    const errc e = core_.send_part(part, last);
    if (e == errc::ok && text) {
      extras_->text_out = so_far;
      extras_->sending_text = !last;
    }
    if (e == errc::ok && last) let_go();
    if (e == errc::would_block) part_refused_ = true;
    touch();
    return e;
  });
}

// Something was queued: inside its own turn it goes out at the end of that, otherwise at the end of the batch; in both
// cases at once when it is much, so that the peer's pace is felt.
void session::touch() {
  const bool frames_wait = core_.is_framed() && !in_turn_ && waiting() >= core_.obeys().bounds.write_soft;
  if (frames_wait) core_.refill();
  if (frames_wait || core_.pending() >= core::turn_block::flush_at) flush();
  if (frames_wait || write_pending_ || core_.sending_held()) note_backlog();
  if (!in_turn_) worker_mark();
}

// What is in no frame yet, or behind a message in parts, waits as well.
std::size_t session::waiting() const noexcept { return core_.queued() + (extras_ ? extras_->behind_bytes : 0); }

void session::note_backlog() noexcept {
  if (full_ || (waiting() < core_.obeys().bounds.write_soft && !core_.sending_held())) return;
  full_ = true;
  find_slot(slot_index())->full.store(true, std::memory_order_relaxed);
}

// Frames of another message must not stand between those of a message in parts (RFC 6455, 5.4).
void session::hold_back(held_back what) {
  extras& x = need_extras();
  x.behind_bytes += what.bytes.size();
  x.behind.push_back(std::move(what));
  note_backlog();
}

void session::let_go() {
  if (!extras_ || extras_->behind.empty()) return;
  const std::vector<held_back> behind = std::move(extras_->behind);
  extras_->behind.clear();
  extras_->behind_bytes = 0;
  for (const held_back& h : behind) {
    if (h.op == opcode::continuation)
      send_frames(h.bytes, h.messages, h.how);
    else
      static_cast<void>(core_.send_promised(h.op, h.bytes.view(), h.how));
  }
  // Who was refused meanwhile waits for `on_drain`, also when the system takes all of this at once.
  if (full_ || drain_wanted_) worker_mark();
}

errc session::ping(byte_view payload) {
  return attempt([&]() -> errc {
    if (!is_open()) return errc::closed;
    const errc e = core_.ping(payload);
    touch();
    return e;
  });
}

// ---- ending

errc session::close(close_code code, std::string_view reason) {
  return attempt([&]() -> errc {
    if (!is_open()) return errc::closed;
    worker_->catch_up(*this);
    const errc e = core_.close(code, reason, worker_->loop().now());
    if (e == errc::ok) {
      ended_here_ = true;
      shut();
      static_cast<void>(resume());  // The peer's answer is not to wait.
      worker_->loop().timers().schedule(*this, core_.deadline());
    }
    touch();
    return e;
  });
}

errc session::terminate() {
  switch (phase_) {
    case phase::dead:
      return errc::closed;
    case phase::ending:
      end_now_ = true;
      return errc::ok;
    case phase::opening:
    case phase::lingering:
      ended_here_ = true;
      die(true);
      return errc::ok;
    case phase::open:
      break;
  }
  ended_here_ = true;
  shut();
  core_.transport_failed(errc::cancelled, worker_->loop().now());
  worker_mark();
  return errc::ok;
}

void session::shut_down(close_code code) {
  if (phase_ == phase::opening) return die(false);
  if (phase_ == phase::open) static_cast<void>(close(code, {}));
}

// ---- receiving

errc session::pause() {
  if (!is_open()) return errc::closed;
  if (paused_) return errc::ok;
  paused_ = true;
  reading_held_ = true;
  core_.input_paused(true, worker_->loop().now());
  io().stop_reading(*this);
  return errc::ok;
}

// Reading goes on at the end of the batch, behind what waits.
errc session::resume() {
  if (phase_ != phase::open) return errc::closed;
  if (!paused_) return errc::ok;
  paused_ = false;
  core_.input_paused(false, worker_->loop().now());
  worker_mark();
  return errc::ok;
}

// ---- topics

errc session::subscribe(std::string_view name) {
  if (!is_open()) return errc::closed;
  if (core_.side() == role::client) return errc::wrong_state;
  try {
    return worker_->subscribe(*this, name, core_.obeys().bounds.max_subscriptions);
  } catch (const std::bad_alloc&) {
    return errc::out_of_resources;
  }
}

errc session::unsubscribe(std::string_view name) {
  if (!is_open()) return errc::closed;
  if (core_.side() == role::client) return errc::wrong_state;
  worker_->unsubscribe(*this, name);
  return errc::ok;
}

errc session::publish(std::string_view name, opcode op, byte_view payload, send_options how) {
  if (!is_open()) return errc::closed;
  if (core_.side() == role::client) return errc::wrong_state;
  try {
    const errc e = worker_->publish_elsewhere(name, op, payload, how);
    if (e == errc::ok) worker_->publish(name, op, payload, how, this);
    return e;
  } catch (const std::bad_alloc&) {
    return errc::out_of_resources;
  }
}

// ---- what is known of it

void session::set_data(void* object, const void* tag, void (*destroy)(void*)) {
  extras& x = need_extras();
  // The old one goes last: what it does when it is destroyed finds the new one.
  void* old = std::exchange(x.data, object);
  auto* old_destroy = std::exchange(x.data_destroy, destroy);
  x.data_tag = tag;
  if (old != nullptr) old_destroy(old);
}

void* session::find_data(const void* tag) const noexcept {
  return extras_ && extras_->data_tag == tag ? extras_->data : nullptr;
}

std::vector<active_extension> session::extensions() const {
  std::vector<active_extension> active;
  if (const core::pipeline* p = core_.stages())
    for (std::size_t i = 0; i < p->size(); ++i)
      if (!p->at(i).name.empty()) active.push_back({p->at(i).name, p->at(i).terms.response});  // Not a watcher's.
  return active;
}

// ---- from handles to sessions

session* session::find(connection c) noexcept {
  const mailbox* box = current_mailbox;
  if (box == nullptr || c.generation_ == 0) return nullptr;
  slot* s = find_slot(c.index_);
  if (s == nullptr || s->box.load(std::memory_order_acquire) != box) return nullptr;
  return s->generation.load(std::memory_order_relaxed) == c.generation_ ? box->session_at(s->link) : nullptr;
}

bool session::alive(connection c) noexcept {
  slot* s = c.generation_ == 0 ? nullptr : find_slot(c.index_);
  return s != nullptr && s->generation.load(std::memory_order_acquire) == c.generation_;
}

bool session::open_elsewhere(connection c) noexcept {
  // `shut` first: `release_slot` takes it back behind the generation, for the next connection in this slot.
  const slot* s = c.generation_ == 0 ? nullptr : find_slot(c.index_);
  return s != nullptr && !s->shut.load(std::memory_order_acquire) && alive(c);
}

errc session::reach(connection c, function<errc(session&)> call) {
  if (session* s = here(c)) return call(*s);
  if (!alive(c)) return errc::closed;
  mailbox* box = find_slot(c.index_)->box.load(std::memory_order_acquire);
  if (box == nullptr) return errc::closed;
  const bool queued = box->post([c, what = std::move(call)] {
    if (session* s = here(c)) s->guarded([&] { static_cast<void>(what(*s)); });
  });
  return queued ? errc::ok : errc::closed;
}

errc session::send_from_elsewhere(connection c, opcode op, byte_view payload, send_options how) {
  if (!open_elsewhere(c)) return errc::closed;
  slot& s = *find_slot(c.index_);
  loan under_way;
  if (!s.full.load(std::memory_order_relaxed) && under_way.take(s.sent, payload.size(), slot::most_sent))
    return reach(c, [op, how, copy = std::string(as_text(payload)), paid = std::move(under_way)](session& to) {
      to.send_promised(op, as_bytes(copy), how);
      return errc::ok;
    });
  if (!open_elsewhere(c)) return errc::closed;
  if (s.drain_asked.exchange(c.generation_, std::memory_order_relaxed) != c.generation_)
    static_cast<void>(reach(c, [](session& to) {
      to.ask_drain();
      return errc::ok;
    }));
  return errc::would_block;
}

errc session::publish_from_elsewhere(connection c, std::string_view topic, opcode op, byte_view payload,
                                     send_options how) {
  if (!open_elsewhere(c)) return errc::closed;
  mailbox* box = find_slot(c.index_)->box.load(std::memory_order_acquire);
  if (box == nullptr) return errc::closed;
  loan under_way;
  if (!under_way.take(box->published(), payload.size(), mailbox::most_published)) return errc::would_block;
  return reach(c, [op, how, name = std::string(topic), copy = std::string(as_text(payload)),
                   paid = std::move(under_way)](session& s) { return s.publish(name, op, as_bytes(copy), how); });
}

HAWSER_END
