#include "core/assembly.h"
#include "core/common_stages.h"
#include "core/fast_path.h"
#include "core/frame_layer.h"

#include <hawser/core/connection.h>
#include <hawser/core/utf8.h>

#include <algorithm>
#include <cstring>

HAWSER_BEGIN
namespace core {

// What is reserved here lets the end of a connection happen without an allocation.
resources::resources(buffer_pool& pool, random_source& random) : pool_(pool), keys_(random) {
  spare_.reserve(most_spare_assemblies);
  last_words_.reserve(most_last_words);
  detail::prepare_utf8();
}
resources::~resources() = default;

connection::connection(resources& shared, const settings& obey, role side, tick now) noexcept
    : res_(&shared),
      settings_(&obey),
      side_(side),
      masked_in_(side == role::server),
      masked_out_(side == role::client),
      last_in_(now) {
  schedule_ping(now);
}

connection::~connection() {
  if (res_->turn_ == this) res_->end_input();
  state_ = state::over;
  drop_assembly();
  out_.clear(res_->block_);
  if (pipeline_ != nullptr) leave_stages();
}

statistics connection::stats() const noexcept { return {bytes_in_, bytes_out_, messages_in_, messages_out_, queued()}; }

void connection::abandon_turn() noexcept {
  out_.clear(res_->block_);
  if (res_->turn_ == this || res_->turn_ == nullptr) res_->end_input();
}

// Where the rest of a large message goes: behind what has come of it. Worth it only when the system can fill a good
// part.
byte_span connection::receive_area() noexcept {
  constexpr std::size_t worth = 4096;
  if (!in_frame_ || framed_ || staged_ || is_own() || settings_->in_parts || assembly_ == nullptr ||
      (frame_first_ & 0x08U) != 0)
    return {};
  if (state_ == state::ending || state_ == state::over) return {};
  buffer& body = assembly_->body;
  if (!body || frame_left_ < worth) return {};
  const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(frame_left_, body.back_room()));
  return room < worth ? byte_span{} : byte_span{body.data() + body.size(), room};
}

buffer connection::receive_buffer(std::size_t& offset, std::size_t& room) noexcept {
  room = receive_area().size();
  if (room == 0) return {};
  offset = assembly_->body.size();
  return assembly_->body;
}

void connection::received(std::size_t n, tick now) noexcept {
  const byte_span area = receive_area();
  receive(area.first(std::min(n, area.size())), now);
  res_->lent_ = {};
}

void connection::end_of_input(tick now) noexcept {
  if (state_ != state::answering) transport_failed(errc::connection_lost, now);
}

void connection::transport_failed(errc why, tick now) noexcept {
  res_->now_ = now;
  if (state_ == state::ending || state_ == state::over) return;
  // The peer has closed, and its code is what ended the connection (RFC 6455, 7.1.5), answered or not.
  const bool peer_closed = state_ == state::answering && why != errc::cancelled;
  state_ = state::ending;
  in_hot_state_ = false;
  closes_first_ = true;
  if (peer_closed) return;
  if (assembly_ != nullptr) assembly_->text_of_end.clear();
  end_error_ = why;
  end_code_ = static_cast<std::uint16_t>(close_code::abnormal);
}

void connection::stash() {
  if (pipeline_ && assembly_ != nullptr && assembly_->pulling) pipeline_->stash(direction::in);
}

void connection::refresh_hot() noexcept {
  if (pipeline_) tell_room();  // Afresh after what stages did; while hot, it stays what it is.
  in_hot_state_ = (state_ == state::open || state_ == state::close_sent) && !paused_ && !framed_ && !in_frame_ &&
                  !inband_ && message_op_ == 0 && assembly_ == nullptr && !settle_stages_ &&
                  (!pipeline_ || !(pipeline_->has_work() || pipeline_->failed()));
}

kind connection::next() { return fast_path::next(*this); }

kind connection::next_slow() {
  kind found = find_next();
  if (framed_ && found == kind::none) {
    refill();
    if (state_ == state::ending) found = find_next();
  }
  refresh_hot();
  return found;
}

kind connection::find_next() {
  kind found = kind::none;
  for (;;) {
    if (state_ == state::over) {
      input() = {};
      break;
    }
    if (paused_ && state_ != state::ending) {
      // Only what goes outwards.
      if (pipeline_) drain_out();
      if (state_ != state::ending) break;
    }
    // After the peer's close the messages that stages held still go to the application; after a failure nothing does.
    if (pipeline_ && !(state_ == state::ending && end_error_ != errc::ok)) {
      if (settle_stages_) settle_stages();
      const bool pulls = assembly_ != nullptr && assembly_->pulling;
      found = pulls ? pull_pieces() : next_work();
      if (found != kind::none) break;
      // What one stage handed on, the next may have taken away, and left as work.
      if (pulls || (assembly_ != nullptr && assembly_->pulling)) continue;
    }
    if (state_ == state::ending) {
      found = deliver_end();
      break;
    }
    if (state_ == state::answering) {
      input() = {};
      break;
    }
    if (in_frame_) {
      found = (frame_first_ & 0x08U) != 0 ? read_control() : framed_ ? read_framed() : read_payload();
      if (found != kind::none || (in_frame_ && input().empty() && state_ != state::ending)) break;
    } else if (input().empty() || (!read_header() && state_ != state::ending)) {
      break;
    }
  }
  return found;
}

}  // namespace core
HAWSER_END
