#include "ext/deflate_codec.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>
#include <string_view>
#include <utility>

HAWSER_BEGIN
namespace ext::detail {

bool has_engine(engine e) noexcept {
#if defined(HAWSER_WITH_ISAL)
  return e == engine::zlib || e == engine::isal;
#else
  return e == engine::zlib;
#endif
}

// ---- compressing

std::size_t compressor::drain(byte_span out) noexcept {
  const std::size_t n = std::min<std::size_t>(out.size(), spilled_to_ - std::size_t{spilled_from_});
  if (n != 0) std::memcpy(out.data(), spill_.data() + spilled_from_, n);
  spilled_from_ = static_cast<std::uint8_t>(spilled_from_ + n);
  return n;
}

codec_step compressor::run(byte_view in, byte_span out, bool fin) {
  codec_step did;
  for (;;) {
    did.produced += drain(out.subspan(did.produced));
    did.status = codec_status::full;
    if (spilled_from_ != spilled_to_) return did;
    if (complete_) break;
    const byte_span rest = out.subspan(did.produced);
    if (rest.empty()) return did;
    const bool direct = rest.size() >= least_room;
    const work w = compress(in.subspan(did.consumed), direct ? rest : byte_span(spill_), fin);
    complete_ = w.complete;
    did.consumed += w.consumed;
    if (direct) did.produced += w.produced;
    spilled_from_ = 0;
    spilled_to_ = static_cast<std::uint8_t>(direct ? 0 : w.produced);
  }
  complete_ = false;
  did.status = fin ? codec_status::done : codec_status::more;
  return did;
}

void compressor::restart() noexcept {
  spilled_from_ = spilled_to_ = 0;
  complete_ = false;
  reset();
}

// ---- the same again

std::unique_ptr<repeating_compressor> repeating_compressor::make(std::unique_ptr<compressor> by) noexcept {
  std::unique_ptr<storage> memory(by == nullptr ? nullptr : new (std::nothrow) storage);
  if (memory == nullptr) return nullptr;
  return std::unique_ptr<repeating_compressor>(new (std::nothrow)
                                                   repeating_compressor(std::move(by), std::move(memory)));
}

std::size_t repeating_compressor::bytes() noexcept { return sizeof(repeating_compressor) + sizeof(storage); }

repeating_compressor::repeating_compressor(std::unique_ptr<compressor> by, std::unique_ptr<storage> memory) noexcept
    : engine_(std::move(by)), memory_(std::move(memory)) {
  forget();
}

void repeating_compressor::reset() noexcept { begun_ = again_ = false; }

compressor::work repeating_compressor::compress(byte_view in, byte_span room, bool fin) {
  if (!std::exchange(begun_, true)) {
    again_ = fin && in.size() <= most_said && recall(in);
    given_ = 0;
    if (!again_) engine_->restart();
  }
  if (!again_) {
    const codec_step did = engine_->run(in, room, fin);
    return {did.consumed, did.produced, did.status != codec_status::full};
  }
  const kept& one = memory_->all[at_];
  const std::size_t n = std::min<std::size_t>(room.size(), one.made_size - given_);
  std::memcpy(room.data(), memory_->made.data() + one.made_at + given_, n);
  given_ += static_cast<std::uint32_t>(n);
  return {in.size(), n, given_ == one.made_size};
}

// Each connection gets the same ones in the same order, so the next one is nearly always behind the last one.
bool repeating_compressor::recall(byte_view message) {
  if (since_ != 0) {
    ++since_;
    since_bytes_ += message.size();
  }
  const std::uint32_t next = at_ + 1 < count_ ? at_ + 1 : 0;
  if (count_ != 0 && knows(next, message)) {
    at_ = next;
    return true;
  }
  const auto hash = static_cast<std::uint32_t>(std::hash<std::string_view>()(as_text(message)));
  if (find(message, hash)) return true;
  if (count_ == most_kept || message.size() > most_said - said_) {
    if (!comes_round(message, hash)) return false;
    forget();
  }
  return learn(message, hash);
}

bool repeating_compressor::knows(std::size_t at, byte_view message) const noexcept {
  const kept& one = memory_->all[at];
  return one.said_size == message.size() &&
         (message.empty() || std::memcmp(memory_->said.data() + one.said_at, message.data(), message.size()) == 0);
}

bool repeating_compressor::find(byte_view message, std::uint32_t hash) noexcept {
  for (std::uint32_t i = memory_->first[hash % most_kept]; i != 0; i = memory_->all[i - 1].next) {
    if (memory_->all[i - 1].hash != hash || !knows(i - 1, message)) continue;
    at_ = i - 1;
    return true;
  }
  return false;
}

// The message was counted when it came the first time, and has been now.
bool repeating_compressor::comes_round(byte_view message, std::uint32_t hash) noexcept {
  const bool soon = since_ != 0 && since_ - 1 <= most_kept && since_bytes_ - message.size() <= most_said;
  if (soon) return hash == missed_;
  missed_ = hash;
  since_ = 1;
  since_bytes_ = message.size();
  return false;
}

void repeating_compressor::forget() noexcept {
  memory_->first.fill(0);
  count_ = said_ = made_ = since_ = at_ = 0;
}

bool repeating_compressor::learn(byte_view message, std::uint32_t hash) {
  engine_->restart();
  const codec_step did = engine_->run(message, byte_span(memory_->made).subspan(made_), true);
  if (did.status != codec_status::done) return false;
  if (!message.empty()) std::memcpy(memory_->said.data() + said_, message.data(), message.size());
  at_ = count_++;
  std::uint16_t& first = memory_->first[hash % most_kept];
  kept& one = memory_->all[at_];
  one = {said_, static_cast<std::uint32_t>(message.size()), made_, static_cast<std::uint32_t>(did.produced), hash,
         first};
  first = static_cast<std::uint16_t>(count_);
  said_ += one.said_size;
  made_ += one.made_size;
  return true;
}

// ---- by engine

namespace {

std::unique_ptr<compressor> make_engine(const codec_config& c) noexcept {
#if defined(HAWSER_WITH_ISAL)
  if (c.with == engine::isal) return make_isal_compressor(c);
#endif
  return make_zlib_compressor(c);
}

std::size_t engine_bytes(const codec_config& c) noexcept {
#if defined(HAWSER_WITH_ISAL)
  if (c.with == engine::isal) return isal_compressor_bytes(c);
#endif
  return zlib_compressor_bytes(c);
}

}  // namespace

std::unique_ptr<compressor> make_compressor(const codec_config& c) noexcept {
  if (c.repeats) return repeating_compressor::make(make_engine(c));
  return make_engine(c);
}

std::size_t compressor_bytes(const codec_config& c) noexcept {
  return engine_bytes(c) + (c.repeats ? repeating_compressor::bytes() : 0);
}

}  // namespace ext::detail
HAWSER_END
