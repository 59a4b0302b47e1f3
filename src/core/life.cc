// How a connection lives and ends: keepalive, the closing handshake, failure. RFC 6455, 5.5 and 7.

#include "core/assembly.h"

#include <hawser/core/connection.h>
#include <hawser/core/mask.h>
#include <hawser/core/utf8.h>

#include <algorithm>
#include <array>
#include <cstring>

HAWSER_BEGIN
namespace core {

namespace {

// At most `n` bytes of `text`, cut between characters.
std::string_view cut_text(std::string_view text, std::size_t n) noexcept {
  if (text.size() <= n) return text;
  while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xC0U) == 0x80U)
    --n;
  return text.substr(0, n);
}

}  // namespace

assembly& connection::need_assembly() {
  if (assembly_ != nullptr) return *assembly_;
  if (res_->spare_.empty()) {
    assembly_ = new assembly;
  } else {
    assembly_ = res_->spare_.back().release();
    res_->spare_.pop_back();
  }
  return *assembly_;
}

// The message in hand is over: the side block goes back to the loop unless something else lies in it.
void connection::drop_assembly() noexcept {
  if (assembly_ == nullptr) return;
  res_->unproven_ -= assembly_->unproven;
  assembly_->unproven = 0;
  assembly_->next_message();
  if (!assembly_->idle() && state_ != state::over) return;
  std::unique_ptr<assembly> done(assembly_);
  assembly_ = nullptr;
  constexpr std::size_t most_spare = 256;
  if (res_->spare_.size() >= most_spare) return;
  done->control_size = 0;
  done->waiting.clear();
  done->text_of_end.clear();
  res_->spare_.push_back(std::move(done));
}

// ---- closing

errc connection::close(close_code code, std::string_view reason, tick now) {
  const auto number = static_cast<std::uint16_t>(code);
  if (code == close_code::no_status ? !reason.empty() : !may_send(number, side_)) return errc::invalid_close_code;
  if (reason.size() > max_close_reason || !valid_utf8(as_bytes(reason))) return errc::invalid_close_code;
  if (state_ != state::open) return errc::closed;
  res_->now_ = now;
  if (pipeline_) {
    pipeline_->flush(now);
    drain_work();
    if (state_ != state::open) return errc::closed;
  }
  put_close(number, reason);
  state_ = state::close_sent;
  wake_ = now + settings_->close_timeout;
  return errc::ok;
}

void connection::fail(close_code code, errc why, std::string_view text, tick now) {
  res_->now_ = now;
  end(why, code, text);
}

// Fails the connection: the peer is told, and nothing more is read. The first failure wins (F-12). RFC 6455, 7.1.7.
void connection::end(errc why, close_code code, std::string_view text) {
  if (state_ == state::ending || state_ == state::over) return;
  const std::string_view words = text.empty() ? describe(why) : text;
  need_assembly().text_of_end = words;
  if (state_ == state::open && code != close_code::abnormal)
    put_close(static_cast<std::uint16_t>(code), cut_text(words, max_close_reason));
  state_ = state::ending;
  in_hot_state_ = false;
  closes_first_ = true;
  end_error_ = why;
  end_code_ = static_cast<std::uint16_t>(code);
  forget_input();
}

void connection::end_staged() { end(pipeline_->fail_error(), pipeline_->fail_code(), pipeline_->fail_reason()); }

void connection::put_close(std::uint16_t code, std::string_view reason) {
  std::array<std::byte, 125> payload;
  std::size_t size = 0;
  if (code != static_cast<std::uint16_t>(close_code::no_status)) {
    payload[0] = static_cast<std::byte>(code >> 8);
    payload[1] = static_cast<std::byte>(code & 0xFF);
    if (!reason.empty()) std::memcpy(payload.data() + 2, reason.data(), reason.size());
    size = 2 + reason.size();
  }
  // Behind everything that was sent before it: never over the lane.
  put_frame(static_cast<std::uint8_t>(0x80U | static_cast<unsigned>(opcode::close)), byte_view{payload.data(), size});
}

// The last event: what ended the connection. Every stage hears `closed` first.
kind connection::deliver_end() {
  const auto code = static_cast<close_code>(end_code_);
  if (pipeline_) pipeline_->closed(code, res_->now_);
  state_ = state::over;
  forget_input();
  in_frame_ = staged_ = sending_parts_ = parts_staged_ = false;
  message_op_ = 0;
  spilled_ = 0;
  event& e = res_->event_;
  e.owner = nullptr;
  e.error = end_error_;
  e.code = code;
  e.op = opcode::close;
  e.first_byte = e.last_byte = res_->now_;
  res_->last_words_ = assembly_ != nullptr ? std::move(assembly_->text_of_end) : std::string(describe(end_error_));
  e.payload = {reinterpret_cast<std::byte*>(res_->last_words_.data()), res_->last_words_.size()};
  drop_assembly();
  return kind::closed;
}

// ---- time

tick connection::deadline() const noexcept {
  if (state_ == state::ending || state_ == state::over) return no_deadline;
  tick when = std::min(wake_, progress_deadline());
  if (pipeline_) when = std::min(when, pipeline_->deadline());
  return when;
}

// When the message in hand will be too slow, if nothing more comes of it.
tick connection::progress_deadline() const noexcept {
  if (assembly_ == nullptr || message_op_ == 0) return no_deadline;
  const limits& l = settings_->bounds;
  const std::uint64_t seconds = assembly_->wire / std::max<std::uint64_t>(l.min_rate, 1);
  return assembly_->started + l.rate_grace + std::chrono::seconds(seconds);
}

void connection::schedule_ping(tick from) noexcept {
  ping_waiting_ = false;
  const ticks interval = settings_->alive.ping_interval;
  if (interval == no_keepalive) {
    wake_ = no_deadline;
    return;
  }
  // Give or take a tenth, so that the connections of a server do not ping in step.
  const ticks tenth = interval / 10;
  const auto part = static_cast<ticks::rep>(res_->keys_.next() % 2001) - 1000;
  wake_ = from + interval + tenth * part / 1000;
}

void connection::on_timeout(tick now) {
  res_->now_ = now;
  if (state_ == state::ending || state_ == state::over) return;
  if (pipeline_ && pipeline_->deadline() <= now) {
    pipeline_->on_timeout(now);
    in_hot_state_ = false;
  }
  if (now >= progress_deadline()) return end(errc::message_too_slow, close_code::policy_violation, {});
  if (now < wake_) return;
  if (state_ == state::close_sent) return end(errc::close_timeout, close_code::abnormal, {});
  const ticks interval = settings_->alive.ping_interval;
  if (ping_waiting_) {
    if (last_in_ > wake_ - settings_->alive.pong_timeout) return schedule_ping(last_in_);
    return end(errc::ping_timeout, close_code::abnormal, {});
  }
  if (now - last_in_ < interval - interval / 10) return schedule_ping(last_in_);
  put_control(static_cast<std::uint8_t>(opcode::ping), {});
  ping_waiting_ = true;
  wake_ = now + settings_->alive.pong_timeout;
}

}  // namespace core
HAWSER_END
