#include "ws/session.h"

#include <hawser/core/utf8.h>
#include <hawser/ws/connection.h>

#include <memory>
#include <new>
#include <string>

HAWSER_BEGIN

namespace {

// Sends at once on the connection's own loop; from elsewhere a copy goes there.
errc send_bytes(connection c, opcode op, byte_view payload) {
  if (session* s = session::speaker(c); s != nullptr && s->send_at_once(op, payload)) return errc::ok;
  if (session* s = session::here(c)) return s->send(op, payload);
  return session::send_from_elsewhere(c, op, payload);
}

errc send_bytes(connection c, opcode op, byte_view payload, send_options how) {
  if (session* s = session::here(c)) return s->send(op, payload, how);
  return session::send_from_elsewhere(c, op, payload, how);
}

errc publish_bytes(connection c, std::string_view topic, opcode op, byte_view payload, send_options how) {
  if (session* s = session::here(c)) return s->publish(topic, op, payload, how);
  return session::publish_from_elsewhere(c, topic, op, payload, how);
}

// What is refused off the loop: closed first, because that is for ever.
errc elsewhere(connection c) noexcept { return session::alive(c) ? errc::wrong_thread : errc::closed; }

}  // namespace

errc connection::send(std::string_view text) const {
  if (!core::valid_utf8(as_bytes(text))) return errc::invalid_utf8;
  return send_bytes(*this, opcode::text, as_bytes(text));
}

errc connection::send(byte_view data) const { return send_bytes(*this, opcode::binary, data); }

errc connection::send(const message& m) const {
  session* s = session::speaker(*this);
  // Whole text was checked when it came.
  if (s != nullptr && m.first_ && m.last_ && s->send_at_once(m.op_, m.payload_)) return errc::ok;
  return send_slow(m);
}

errc connection::send(std::string_view text, send_options how) const {
  if (!core::valid_utf8(as_bytes(text))) return errc::invalid_utf8;
  return send_bytes(*this, opcode::text, as_bytes(text), how);
}

errc connection::send(byte_view data, send_options how) const { return send_bytes(*this, opcode::binary, data, how); }

errc connection::send(const message& m, send_options how) const {
  if (!m.may_be_sent()) return errc::invalid_utf8;
  if (session* s = session::here(*this)) return s->send(m, how);
  return send_bytes(*this, m.op_, m.payload_, how);
}

errc connection::send_slow(const message& m) const {
  if (!m.may_be_sent()) return errc::invalid_utf8;
  if (session* s = session::here(*this)) return s->send(m);
  return send_bytes(*this, m.op_, m.payload_);
}

errc connection::begin_text(send_options how) const {
  session* s = session::here(*this);
  return s != nullptr ? s->begin_message(opcode::text, how) : elsewhere(*this);
}

errc connection::begin_binary(send_options how) const {
  session* s = session::here(*this);
  return s != nullptr ? s->begin_message(opcode::binary, how) : elsewhere(*this);
}

errc connection::send_part(byte_view part, bool last) const {
  session* s = session::here(*this);
  return s != nullptr ? s->send_part(part, last) : elsewhere(*this);
}

errc connection::ping(byte_view payload) const {
  session* s = session::here(*this);
  return s != nullptr ? s->ping(payload) : elsewhere(*this);
}

errc connection::close(close_code code, std::string_view reason) const {
  if (session* s = session::here(*this)) return s->close(code, reason);
  // Judged here, so that the caller learns it; the other end of the queue has nobody to tell.
  const bool sendable = code == close_code::no_status || may_send(static_cast<std::uint16_t>(code), role::client);
  if (!sendable || reason.size() > max_close_reason || !core::valid_utf8(as_bytes(reason)))
    return errc::invalid_close_code;
  if (!session::open_elsewhere(*this)) return errc::closed;
  return session::reach(*this, [code, why = std::string(reason)](session& s) { return s.close(code, why); });
}

errc connection::terminate() const {
  return session::reach(*this, [](session& s) { return s.terminate(); });
}

errc connection::subscribe(std::string_view topic) const {
  if (!names_topic(topic)) return errc::invalid_argument;
  if (session* s = session::here(*this)) return s->subscribe(topic);
  if (!session::open_elsewhere(*this)) return errc::closed;
  return session::reach(*this, [name = std::string(topic)](session& s) { return s.subscribe(name); });
}

errc connection::unsubscribe(std::string_view topic) const {
  if (!names_topic(topic)) return errc::invalid_argument;
  if (session* s = session::here(*this)) return s->unsubscribe(topic);
  if (!session::open_elsewhere(*this)) return errc::closed;
  return session::reach(*this, [name = std::string(topic)](session& s) { return s.unsubscribe(name); });
}

errc connection::publish(std::string_view topic, std::string_view text, send_options how) const {
  if (!names_topic(topic)) return errc::invalid_argument;
  if (!core::valid_utf8(as_bytes(text))) return errc::invalid_utf8;
  return publish_bytes(*this, topic, opcode::text, as_bytes(text), how);
}

errc connection::publish(std::string_view topic, byte_view data, send_options how) const {
  if (!names_topic(topic)) return errc::invalid_argument;
  return publish_bytes(*this, topic, opcode::binary, data, how);
}

errc connection::publish(std::string_view topic, const message& m, send_options how) const {
  if (!names_topic(topic)) return errc::invalid_argument;
  if (!m.may_be_sent()) return errc::invalid_utf8;
  return publish_bytes(*this, topic, m.op_, m.payload_, how);
}

errc connection::post(function<void()> call) const {
  return session::reach(*this, [what = std::move(call)](session& s) { return s.run(what); });
}

bool connection::is_open() const noexcept {
  if (session* s = session::here(*this)) return s->is_open();
  return session::open_elsewhere(*this);
}

result<core::statistics> connection::stats() const {
  session* s = session::here(*this);
  if (s == nullptr) return elsewhere(*this);
  return s->core().stats();
}

result<hawser::timings> connection::timings() const {
  session* s = session::here(*this);
  if (s == nullptr) return elsewhere(*this);
  if (s->times() == nullptr) return errc::not_kept;
  return s->times()->so_far;
}

result<net::address> connection::local_address() const {
  session* s = session::here(*this);
  if (s == nullptr) return elsewhere(*this);
  return s->io().local_address(*s);
}

result<net::address> connection::remote_address() const {
  session* s = session::here(*this);
  if (s == nullptr) return elsewhere(*this);
  return s->io().remote_address(*s);
}

result<std::shared_ptr<const handshake>> connection::request() const {
  session* s = session::here(*this);
  if (s == nullptr) return elsewhere(*this);
  std::shared_ptr<const handshake> kept = s->request();
  if (!kept) return errc::not_kept;
  return kept;
}

result<std::vector<active_extension>> connection::extensions() const {
  session* s = session::here(*this);
  if (s == nullptr) return elsewhere(*this);
  return s->extensions();
}

errc connection::pause() const {
  session* s = session::here(*this);
  return s != nullptr ? s->pause() : elsewhere(*this);
}

errc connection::resume() const {
  session* s = session::here(*this);
  return s != nullptr ? s->resume() : elsewhere(*this);
}

errc connection::set_data(void* object, const void* tag, void (*destroy)(void*)) const {
  errc wrong = errc::out_of_resources;
  try {
    if (session* s = session::here(*this)) {
      s->set_data(object, tag, destroy);
      return errc::ok;
    }
    wrong = elsewhere(*this);
  } catch (const std::bad_alloc&) {
    // The connection goes on without it.
  }
  destroy(object);
  return wrong;
}

void* connection::find_data(const void* tag) const noexcept {
  const session* s = session::here(*this);
  return s != nullptr ? s->find_data(tag) : nullptr;
}

HAWSER_END
