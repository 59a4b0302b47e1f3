#include "ext/deflate_codec.h"

#include <algorithm>
#include <cstring>
#include <new>
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
    : engine_(std::move(by)), memory_(std::move(memory)) {}

void repeating_compressor::reset() noexcept { begun_ = again_ = false; }

compressor::work repeating_compressor::compress(byte_view in, byte_span room, bool fin) {
  if (!std::exchange(begun_, true)) {
    again_ = fin && in.size() <= most_said && (find(in) || learn(in));
    given_ = 0;
    if (!again_) engine_->restart();
  }
  if (!again_) {
    const codec_step did = engine_->run(in, room, fin);
    return {did.consumed, did.produced, did.status != codec_status::full};
  }
  const kept& one = all_[at_];
  const std::size_t n = std::min<std::size_t>(room.size(), one.made_size - given_);
  std::memcpy(room.data(), memory_->made.data() + one.made_at + given_, n);
  given_ += static_cast<std::uint32_t>(n);
  return {in.size(), n, given_ == one.made_size};
}

bool repeating_compressor::knows(const kept& one, byte_view message) const noexcept {
  return one.said_size == message.size() &&
         (message.empty() || std::memcmp(memory_->said.data() + one.said_at, message.data(), message.size()) == 0);
}

// Each connection gets the same ones in the same order, so the next one is nearly always behind the last one.
bool repeating_compressor::find(byte_view message) noexcept {
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::uint32_t at = (at_ + 1 + i) % count_;
    if (!knows(all_[at], message)) continue;
    at_ = at;
    return true;
  }
  return false;
}

bool repeating_compressor::learn(byte_view message) {
  for (bool fresh = count_ == 0;; fresh = true) {
    if (fresh) count_ = said_ = made_ = 0;
    const bool fits = count_ < most_kept && message.size() <= most_said - said_;
    if (fits) {
      engine_->restart();
      const codec_step did = engine_->run(message, byte_span(memory_->made).subspan(made_), true);
      if (did.status == codec_status::done) {
        if (!message.empty()) std::memcpy(memory_->said.data() + said_, message.data(), message.size());
        at_ = count_++;
        all_[at_] = {said_, static_cast<std::uint32_t>(message.size()), made_,
                     static_cast<std::uint32_t>(did.produced)};
        said_ += all_[at_].said_size;
        made_ += all_[at_].made_size;
        return true;
      }
    }
    if (fresh) return false;
  }
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
