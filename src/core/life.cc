// How a connection lives and ends: keepalive, the closing handshake, failure. RFC 6455, 5.5 and 7.

#include "core/assembly.h"
#include "core/frame_layer.h"

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

// The time that so many bytes may take.
ticks time_for(std::uint64_t bytes, const limits& l) noexcept {
  constexpr std::uint64_t a_year = 366 * 24 * 3600;
  return std::chrono::seconds(std::min(bytes / std::max<std::uint64_t>(l.min_rate, 1), a_year));
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

// The side block of something that the peer has begun, from now on under the eye of `progress_deadline`.
assembly& connection::half_way() {
  assembly& a = need_assembly();
  if (a.started == tick{}) a.started = a.judged = res_->now_;
  return a;
}

// What was half-way is over: the side block goes back to the loop unless last words lie in it, or the first bytes of
// the next frame, which came before a message that a stage had held.
void connection::drop_assembly() noexcept {
  if (assembly_ == nullptr) return;
  res_->unproven_ -= assembly_->unproven;
  assembly_->unproven = 0;
  const tick begun = assembly_->has_frame() ? assembly_->started : tick{};
  assembly_->next_message();
  if ((begun != tick{} || !assembly_->idle()) && state_ != state::over) {
    assembly_->started = assembly_->judged = begun;
    return;
  }
  std::unique_ptr<assembly> done(assembly_);
  assembly_ = nullptr;
  if (res_->spare_.size() >= most_spare_assemblies) return;
  done->header_size = done->control_size = 0;
  done->text_of_end.clear();
  res_->spare_.push_back(std::move(done));  // Within what was reserved.
}

// ---- closing

errc connection::close(close_code code, std::string_view reason, tick now) {
  if (state_ != state::open) return errc::closed;
  if (pipeline_ && pipeline_->is_asking()) return errc::wrong_state;
  const auto number = static_cast<std::uint16_t>(code);
  if (code == close_code::no_status ? !reason.empty() : !may_send(number, side_)) return errc::invalid_close_code;
  if (reason.size() > max_close_reason || !valid_utf8(as_bytes(reason))) return errc::invalid_close_code;
  res_->now_ = now;
  flush_stages();
  if (state_ != state::open) return errc::closed;
  put_close(number, reason);
  state_ = state::close_sent;
  wake_ = later(now, settings_->close_timeout);
  refresh_hot();
  return done_outside(errc::ok);
}

void connection::output_moved(tick now) noexcept {
  if (state_ == state::close_sent) wake_ = later(now, settings_->close_timeout);
  if (state_ == state::answering) wake_ = later(now, time_to_answer());
}

// The peer waits for our answer as long as we would for its own.
ticks connection::time_to_answer() const noexcept { return settings_->close_timeout / 2; }

// Lets stages say their last before a close frame. What they forward inwards waits for `next`.
void connection::flush_stages() {
  if (!pipeline_) return;
  working();
  drain_out();
  tell_room();
  pipeline_->flush(res_->now_);
  drain_out();
}

void connection::fail(close_code code, errc why, std::string_view text, tick now) {
  res_->now_ = now;
  end(why, code, text);
}

// Fails the connection: the peer is told, and nothing more is read. The first failure wins (F-12). RFC 6455, 7.1.7.
void connection::end(errc why, close_code code, std::string_view text) {
  if (state_ == state::ending || state_ == state::over) return;
  auto number = static_cast<std::uint16_t>(code);
  if (code != close_code::abnormal && !may_send(number, side_))
    number = static_cast<std::uint16_t>(close_code::internal_error);
  if (assembly_ != nullptr) assembly_->text_of_end.clear();  // The peer's reason, where its close waits for an answer.
  if (!text.empty()) need_assembly().text_of_end = text.substr(0, most_last_words);
  const bool unsaid = state_ == state::open || close_waits();
  if (framed_) pipeline_->frames()->drop_out();
  if (unsaid && code != close_code::abnormal) {
    const std::string_view words = cut_text(text.empty() ? describe(why) : text, max_close_reason);
    put_close(number, valid_utf8(as_bytes(words)) ? words : std::string_view());
  }
  state_ = state::ending;
  in_hot_state_ = false;
  closes_first_ = true;
  end_error_ = why;
  end_code_ = number;
  input() = {};
}

namespace {

// For this end: which extension it was, and whose fault. A breach begins with the name.
std::string words_of(const pipeline& line) {
  const std::string name(line.fail_extension());
  std::string_view reason = line.fail_reason();
  const bool breach = reason.starts_with(name + ": ");
  if (breach) reason.remove_prefix(name.size() + 2);
  std::string words = "the extension " + name + " gave the connection up: ";
  if (breach)
    words = "the extension " + name + " at this end broke its contract: ";
  else if (line.fail_error() == errc::extension_threw)
    words = "the extension " + name + " at this end failed: ";
  else if (line.fail_code() == close_code::protocol_error || line.fail_code() == close_code::invalid_payload)
    words = "the peer broke the rules of the extension " + name + ": ";
  return words.append(reason.empty() ? "no reason given" : reason);
}

}  // namespace

// The peer gets the stage's own words; so does this end, where there is no memory for better ones.
void connection::end_staged() {
  if (state_ == state::ending || state_ == state::over) return;
  end(pipeline_->fail_error(), pipeline_->fail_code(), pipeline_->fail_reason());
  if (pipeline_->fail_error() == errc::message_too_big) return;
  guarded([this] { need_assembly().text_of_end = words_of(*pipeline_).substr(0, most_last_words); });
}

// Behind everything that was sent before it, the frames in the control lane included: nothing follows a close frame.
void connection::put_close(std::uint16_t code, std::string_view reason) {
  std::array<std::byte, 125> payload;
  std::size_t size = 0;
  if (code != static_cast<std::uint16_t>(close_code::no_status)) {
    payload[0] = static_cast<std::byte>(code >> 8);
    payload[1] = static_cast<std::byte>(code & 0xFF);
    if (!reason.empty()) std::memcpy(payload.data() + 2, reason.data(), reason.size());
    size = 2 + reason.size();
  }
  if (framed_ && hold_close({payload.data(), size})) return;
  out_.settle_lane(res_->pool_);
  put_frame(static_cast<std::uint8_t>(0x80U | static_cast<unsigned>(opcode::close)), byte_view{payload.data(), size});
}

// The last event: what ended the connection. Every stage hears `closed` first.
kind connection::deliver_end() {
  const auto code = static_cast<close_code>(end_code_);
  state_ = state::over;
  if (pipeline_) close_stages(code);
  if (framed_) pipeline_->frames()->clear();
  input() = {};
  in_frame_ = staged_ = sending_parts_ = parts_staged_ = settle_stages_ = false;
  message_op_ = 0;
  std::string_view words = end_error_ == errc::ok ? std::string_view() : describe(end_error_);
  if (assembly_ != nullptr && !assembly_->text_of_end.empty()) words = assembly_->text_of_end;
  res_->last_words_ = words;
  drop_assembly();
  event& e = res_->event_;
  e.owner = nullptr;
  e.error = end_error_;
  e.code = code;
  e.op = opcode::close;
  e.first = e.fin = true;
  e.first_byte = e.last_byte = res_->now_;
  e.payload = {reinterpret_cast<std::byte*>(res_->last_words_.data()), res_->last_words_.size()};
  return kind::closed;
}

// ---- time

tick connection::deadline() const noexcept {
  if (state_ == state::ending || state_ == state::over) return no_deadline;
  tick when = pipeline_ ? pipeline_->deadline() : no_deadline;
  if (!paused_ || state_ == state::close_sent || state_ == state::answering) when = std::min(when, wake_);
  return std::min(when, progress_deadline());
}

// When what the peer has begun will be too slow, if nothing more comes of it (A12).
tick connection::progress_deadline() const noexcept {
  if (paused_ || state_ == state::answering) return no_deadline;
  const limits& l = settings_->bounds;
  if (framed_ && pipeline_->frames()->since != tick{}) {
    const frame_layer& f = *pipeline_->frames();
    return later(f.since + time_for(f.came, l), l.rate_grace);
  }
  if (assembly_ == nullptr || assembly_->started == tick{}) return no_deadline;
  return later(assembly_->judged + time_for(assembly_->wire, l), l.rate_grace);
}

void connection::input_paused(bool paused, tick now) noexcept {
  if (paused_ == paused) return;
  paused_ = paused;
  refresh_hot();
  if (paused) return;
  // From here on as if all had come in time until now.
  last_in_ = now;
  if (ping_waiting_ && state_ == state::open) wake_ = later(now, settings_->alive.pong_timeout);
  if (framed_ && pipeline_->frames()->since != tick{}) {
    frame_layer& f = *pipeline_->frames();
    f.since = std::max(f.since, now - time_for(f.came, settings_->bounds));
  }
  if (assembly_ == nullptr || assembly_->started == tick{}) return;
  assembly_->judged = std::max(assembly_->judged, now - time_for(assembly_->wire, settings_->bounds));
}

void connection::schedule_ping(tick from) noexcept {
  ping_waiting_ = false;
  const ticks interval = settings_->alive.ping_interval;
  if (interval >= no_keepalive / 2) {
    wake_ = no_deadline;
    return;
  }
  // Give or take a tenth, so that the connections of a server do not ping in step.
  const auto part = static_cast<ticks::rep>(res_->keys_.next() % 2001) - 1000;
  wake_ = later(from, interval + interval / 10000 * part);
}

void connection::on_timeout(tick now) {
  res_->now_ = now;
  if (state_ == state::ending || state_ == state::over) return;
  if (pipeline_ && pipeline_->deadline() <= now) {
    tell_room(all_queued());
    pipeline_->on_timeout(now);
    in_hot_state_ = false;
  }
  if (now >= progress_deadline()) return end(errc::message_too_slow, close_code::policy_violation, {});
  if (now < wake_) return;
  if (state_ == state::close_sent) return end(errc::close_timeout, close_code::abnormal, {});
  if (state_ == state::answering) return answer_at_last();
  if (paused_) return;
  const ticks interval = settings_->alive.ping_interval;
  const ticks patience = settings_->alive.pong_timeout;
  if (!ping_waiting_) {
    if (now - last_in_ < interval - interval / 10) return schedule_ping(last_in_);
    return send_keepalive_ping(now);
  }
  if (last_in_ >= wake_ - patience) return schedule_ping(last_in_);
  // When this call comes long after its time, the machine slept: the peer is asked again before it is judged (I3).
  if (now - wake_ > std::max<ticks>(patience / 4, std::chrono::seconds(1))) return send_keepalive_ping(now);
  end(errc::ping_timeout, close_code::abnormal, {});
}

void connection::send_keepalive_ping(tick now) {
  put_control(static_cast<std::uint8_t>(opcode::ping), {});
  ping_waiting_ = true;
  wake_ = later(now, settings_->alive.pong_timeout);
}

}  // namespace core
HAWSER_END
