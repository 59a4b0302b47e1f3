// How a session ends: what was sent goes out, the peer's last byte is awaited, then it dies.

#include "ws/session.h"

#include <algorithm>
#include <chrono>
#include <utility>

HAWSER_BEGIN

// The connection is over, the transport not yet: what was sent goes out, then FIN, then the peer's FIN is awaited, so
// that no reset takes our last frame away. A client waits for the server's FIN first (RFC 6455, 7.1.1).
void session::linger() {
  phase_ = phase::lingering;
  io().start_reading(*this);
  await_end();
}

// Its time is over. True when there is more for the peer to take, here or in the system, and it has taken its share
// since its time was over last: it is slow, not gone, and cannot answer a close that it has not been sent.
bool session::peer_takes() {
  const std::size_t queued = core_.is_framed() ? core_.queued() : core_.pending();
  const std::size_t left = io().unsent(*this) + queued;
  if (write_error_ != errc::ok || (left == 0 && !extras_)) return false;
  const std::size_t before = std::exchange(need_extras().left_for_peer, left);
  if (before == never_asked) return left > 0;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(core_.obeys().close_timeout).count();
  const std::uint64_t rate = std::max<std::uint64_t>(core_.obeys().bounds.min_rate, 1);
  return left < before && (left == 0 || (before - left) / rate >= static_cast<std::uint64_t>(seconds));
}

// The peer has so long from now on, or from when it last took something.
void session::await_end() {
  net::timer_wheel& timers = worker_->loop().timers();
  timers.cancel(*this);
  timers.schedule(*this, later(worker_->loop().now(), core_.obeys().close_timeout));
}

// Once everything is out, a session that is over sends its FIN, and waits for the peer's unless it is here.
void session::after_flush() {
  if (phase_ != phase::lingering || core_.pending() > 0) return;
  const bool peer_ended = extras_ && extras_->peer_ended;
  const tls::filter* const below = secured();
  const bool nothing_follows = below != nullptr && below->error() != errc::ok;  // The alert was the last.
  if (was_open_ && !core_.closes_first() && !peer_ended && !nothing_follows) return;
  if (!fin_sent_) io().shutdown_write(*this);
  fin_sent_ = true;
  if (peer_ended && !io().holds(*this)) die(false);
}

void session::die(bool reset) {
  if (phase_ == phase::dead) return;
  phase_ = phase::dead;
  worker_->counts().leave(core_.stats(), was_open_);
  worker_->unsubscribe_all(*this);
  net::loop& loop = worker_->loop();
  if (in_turn_) {
    core_.abandon_turn();
    if (timed_) worker_->measures()->handler_began = no_deadline;  // It was of this turn.
  }
  in_turn_ = false;
  loop.timers().cancel(*this);
  io().close(*this, reset);
  worker_->bury(*this);
  release_slot(slot_index());
  if (ticket_ != admission_ticket::uncounted) worker_->door()->left(ticket_);
  if (handlers_->gone) handlers_->gone(was_open_);
}

HAWSER_END
