#include "ext/deflate_codec.h"

#include <algorithm>
#include <cstring>

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

// ---- by engine

std::unique_ptr<compressor> make_compressor(const codec_config& c) noexcept {
#if defined(HAWSER_WITH_ISAL)
  if (c.with == engine::isal) return make_isal_compressor(c);
#endif
  return make_zlib_compressor(c);
}

std::size_t compressor_bytes(const codec_config& c) noexcept {
#if defined(HAWSER_WITH_ISAL)
  if (c.with == engine::isal) return isal_compressor_bytes(c);
#endif
  return zlib_compressor_bytes(c);
}

}  // namespace ext::detail
HAWSER_END
