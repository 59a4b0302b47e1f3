// What a session measures when somebody asked for timings: see ws/timings.h for what each part means. It reads the
// clock per turn, not per message, so that messages that come together cost what they cost without it.

#include "ws/session.h"

#include <algorithm>
#include <utility>

HAWSER_BEGIN

namespace {

// The batch's time may lie a little before what was read since.
ticks span_of(tick from, tick to) noexcept { return std::max(to - from, ticks{}); }

// Of this connection, and of all.
void measure(timings::span& one, histogram& all, ticks took) noexcept {
  one = took;
  all.record(took);
}
void measure(timings::repeated& one, histogram& all, ticks took) noexcept {
  one.add(took);
  all.record(took);
}

}  // namespace

void session::begin_times() {
  extras_->times = std::make_unique<connection_times>();
  extras_->times->step = worker_->loop().now();
  timed_ = true;
}

// ---- t_connect

// This end's request or response, of `size` bytes, has been queued. A server's answers what came in this batch.
void session::note_handshake_made(std::size_t size) noexcept {
  connection_times& t = *extras_->times;
  if (size == 0) return;  // A client's was sent long ago.
  t.handshake_until = size;
  if (core_.side() == role::client) return;
  measure(t.so_far.connect.request, worker_->measures()->all.connect.request,
          span_of(std::exchange(t.step, worker_->loop().now()), worker_->loop().now()));
}

void session::note_response() noexcept {
  if (!timed_) return;
  connection_times& t = *extras_->times;
  measure(t.so_far.connect.response, worker_->measures()->all.connect.response,
          span_of(std::exchange(t.step, worker_->loop().now()), worker_->loop().now()));
}

void session::note_opened() noexcept {
  if (core_.side() == role::server) return;
  connection_times& t = *extras_->times;
  meter& m = *worker_->measures();
  measure(t.so_far.connect.acknowledge, m.all.connect.acknowledge, span_of(t.step, m.now()));
}

// ---- t_receive

void session::begin_messages() noexcept { worker_->measures()->all_done = no_deadline; }

// A handler is about to be called, for a message that came whole, now, or for an event.
void session::note_delivery(measured_turn& t, const core::event* e, core::kind what) noexcept {
  meter& m = *worker_->measures();
  m.all_done = no_deadline;
  t.over = t.called != no_deadline;
  if (t.over) return;
  const bool ends_message = e == nullptr || what == core::kind::message || (what == core::kind::part && e->fin);
  if (!ends_message) return;
  t.first = e != nullptr ? e->first_byte : worker_->loop().now();
  t.last = e != nullptr ? e->last_byte : t.first;
  t.under_way = true;
  t.called = m.handler_began = m.now();
}

// The handler of the message that is measured has returned.
void session::note_delivered(measured_turn& t) noexcept {
  t.under_way = false;
  meter& m = *worker_->measures();
  timings::receiving& sums = extras_->times->so_far.receive;
  const tick returned = m.now();
  measure(sums.receive, m.all.receive.receive, span_of(t.first, t.last));
  measure(sums.prepare, m.all.receive.prepare, span_of(t.last, t.called));
  measure(sums.confirm, m.all.receive.confirm, span_of(t.called, returned));
  m.all_done = returned;
}

// ---- t_send

// As `flush_turn`; in a place that both share the write would cost every turn some instructions more.
void session::flush_piece_measured(byte_view piece) {
  begin_flush();
  const net::write_result r = io().write(*this, {&piece, 1});
  if (r.done == piece.size()) {
    core::fast_path::one_piece_sent(core_, r.done);
    return end_write();
  }
  note_sent(r.done);
  note_write(r);
  write_out<false>();
  end_write();
}

void session::begin_flush() noexcept {
  if (extras_->times->proof_from != no_deadline) note_proof();
  meter& m = *worker_->measures();
  const tick ready = std::exchange(m.all_done, no_deadline);
  tick asked = m.handler_began;
  if (in_turn_) m.handler_began = no_deadline;
  if (asked == no_deadline) asked = worker_->loop().now();
  begin_write(asked, ready);
}

// What leaves in one go is measured by its first message, from when it was asked for. What joins it while it waits for
// the system is not.
void session::begin_write(tick asked, tick ready) noexcept {
  connection_times& t = *extras_->times;
  const bool fresh = std::exchange(t.messages_seen, core_.messages_out()) != core_.messages_out();
  if (!fresh || write_pending_ || t.write_began != no_deadline) return;
  t.write_began = ready != no_deadline ? ready : worker_->measures()->now();
  t.write_until = core_.bytes_out() + core_.pending();
  t.preparing = span_of(asked, t.write_began);
}

// Of a topic: nothing waits in front of them.
void session::begin_frames(std::size_t size) noexcept {
  connection_times& t = *extras_->times;
  t.write_began = worker_->measures()->now();
  t.write_until = core_.bytes_out() + size;
  t.preparing = span_of(worker_->loop().now(), t.write_began);
}

void session::end_write() noexcept {
  connection_times& t = *extras_->times;
  t.messages_seen = core_.messages_out();
  const bool sent = t.write_began != no_deadline && core_.bytes_out() >= t.write_until;
  const bool shaken = t.handshake_until != 0 && core_.bytes_out() >= t.handshake_until;
  if (!sent && !shaken) return;
  meter& m = *worker_->measures();
  const tick now = m.now();
  if (sent) {
    measure(t.so_far.send.prepare, m.all.send.prepare, t.preparing);
    measure(t.so_far.send.send, m.all.send.send, span_of(std::exchange(t.write_began, no_deadline), now));
    await_proof(now);
  }
  if (shaken) {
    timings::connecting& c = t.so_far.connect;
    const ticks took = span_of(std::exchange(t.step, now), now);
    if (core_.side() == role::client)
      measure(c.request, m.all.connect.request, took);
    else
      measure(c.response, m.all.connect.response, took);
    t.handshake_until = 0;
  }
}

// Where a stage gives proofs, of one flush at a time: the next one is measured when this one was proved.
void session::await_proof(tick sent) noexcept {
  connection_times& t = *extras_->times;
  const core::pipeline* stages = core_.stages();
  if (stages == nullptr || stages->sent_on() == stages->proved() || t.proof_from != no_deadline) return;
  t.proof_of = stages->sent_on();
  t.proof_from = sent;
}

void session::note_proof() noexcept {
  connection_times& t = *extras_->times;
  if (core_.stages()->proved() < t.proof_of) return;
  measure(t.so_far.send.confirm, worker_->measures()->all.send.confirm,
          span_of(std::exchange(t.proof_from, no_deadline), worker_->loop().now()));
}

// ---- t_error

void session::note_error() noexcept {
  meter& m = *worker_->measures();
  connection_times& t = *extras_->times;
  t.so_far.error = {};
  measure(t.so_far.error.detect, m.all.error.detect, span_of(core_.last_in(), worker_->loop().now()));
  t.step = m.now();
}

void session::note_error_told() noexcept {
  meter& m = *worker_->measures();
  connection_times& t = *extras_->times;
  measure(t.so_far.error.handle, m.all.error.handle, span_of(t.step, m.now()));
}

HAWSER_END
