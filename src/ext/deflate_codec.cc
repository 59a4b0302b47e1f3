#include "ext/deflate_codec.h"

#include <algorithm>
#include <cstring>

HAWSER_BEGIN
namespace ext::detail {

namespace {

// What ends each message and is not sent. RFC 7692, 7.2.2
constexpr std::array<std::byte, 4> tail{std::byte{0x00}, std::byte{0x00}, std::byte{0xFF}, std::byte{0xFF}};

}  // namespace

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

// ---- decompressing

codec_step decompressor::run(byte_view in, byte_span out, bool fin) {
  codec_step did;
  for (;;) {
    const byte_view message = in.subspan(did.consumed);
    const bool in_tail = message.empty() && fin && !resumed_;
    // A message may end in a block with BFINAL set; then there is nothing that the tail would complete.
    if (in_tail && after_last_block_ && tail_used_ % tail.size() == 0) return end(did, codec_status::done);
    const byte_span rest = out.subspan(did.produced);
    if (rest.empty()) return end(did, codec_status::full);
    const byte_span room = rest.first(std::min(rest.size(), most_room));
    const byte_view left = in_tail ? byte_view(tail).subspan(tail_used_) : message;
    const work w = decompress(left, room);
    did.produced += w.produced;
    if (in_tail)
      tail_used_ = static_cast<std::uint8_t>(tail_used_ + w.consumed);
    else
      did.consumed += w.consumed;
    if (w.now == state::corrupt) return end(did, codec_status::corrupt);
    if (w.now == state::no_memory) return end(did, codec_status::no_memory);
    resumed_ = w.now == state::resumed;
    if (w.now == state::last_block || w.consumed != 0) after_last_block_ = w.now == state::last_block;
    if (w.now == state::last_block || resumed_ || w.produced == room.size()) continue;
    if (in_tail) return end(did, w.now == state::between ? codec_status::done : codec_status::cut_off);
    if (!fin) return end(did, codec_status::more);
  }
}

codec_step decompressor::end(codec_step did, codec_status how) noexcept {
  did.status = how;
  if (how != codec_status::more && how != codec_status::full) {
    tail_used_ = 0;
    after_last_block_ = resumed_ = false;
  }
  return did;
}

void decompressor::restart() noexcept {
  tail_used_ = 0;
  after_last_block_ = resumed_ = false;
  reset();
}

// ---- by engine

std::unique_ptr<compressor> make_compressor(const codec_config& c) noexcept {
#if defined(HAWSER_WITH_ISAL)
  if (c.with == engine::isal) return make_isal_compressor(c);
#endif
  return make_zlib_compressor(c);
}

std::unique_ptr<decompressor> make_decompressor(const codec_config& c) noexcept {
#if defined(HAWSER_WITH_ISAL)
  if (c.with == engine::isal) return make_isal_decompressor(c);
#endif
  return make_zlib_decompressor(c);
}

std::size_t compressor_bytes(const codec_config& c) noexcept {
#if defined(HAWSER_WITH_ISAL)
  if (c.with == engine::isal) return isal_compressor_bytes(c);
#endif
  return zlib_compressor_bytes(c);
}

std::size_t decompressor_bytes(const codec_config& c) noexcept {
#if defined(HAWSER_WITH_ISAL)
  if (c.with == engine::isal) return isal_decompressor_bytes();
#endif
  return zlib_decompressor_bytes(c);
}

}  // namespace ext::detail
HAWSER_END
