// Messages through the codecs. State that spans no messages comes from the loop and goes back to it.
#include "ext/deflate_codec.h"

#include <cstddef>
#include <utility>

HAWSER_BEGIN
namespace ext::detail {

namespace {

constexpr std::uint8_t compressed_bit = static_cast<std::uint8_t>(rsv::one);
constexpr std::uint8_t tail_size = 4;

// Up to here ISA-L spends most of its time on a code that suits the message, and none of it is spent where the message
// does without: a quarter of the time for a quarter more bytes. docs/ext/deflate.md has the figures.
constexpr std::uint64_t most_fixed = 2048;

codec_config out_config(const deflate_terms& t, std::uint8_t level, bool repeats) noexcept {
  return {t.out_engine, level, t.memory_level, t.out_bits, repeats};
}

std::uint8_t level_for(const deflate_terms& t, const head& h) noexcept {
  const bool fixed =
      t.out_engine == engine::isal && t.level == 1 && !t.out_takeover && h.sized != 0 && h.size <= most_fixed;
  return fixed ? fixed_code_level : t.level;
}

// One that others have used, or a new one. Null: over the connection's budget, or no memory.
template <class Codec, class Make>
std::unique_ptr<Codec> obtain(std::uint64_t key, std::size_t bytes, context& c, Make make) {
  if (!c.charge(static_cast<std::ptrdiff_t>(bytes))) return nullptr;
  std::unique_ptr<Codec> codec = c.borrow<Codec>(key);
  if (codec != nullptr)
    codec->restart();
  else
    codec = make();
  if (codec == nullptr) c.charge(-static_cast<std::ptrdiff_t>(bytes));
  return codec;
}

std::unique_ptr<compressor> obtain_out(const codec_config& how, context& c) {
  return obtain<compressor>(how.key(), compressor_bytes(how), c, [&how] { return make_compressor(how); });
}

template <class Codec>
void release(std::unique_ptr<Codec>& codec, std::uint64_t key, std::size_t bytes, context& c) noexcept {
  if (codec == nullptr) return;
  c.give_back(key, std::move(codec), bytes);
  c.charge(-static_cast<std::ptrdiff_t>(bytes));
}

flow flow_of(codec_status s) noexcept {
  return s == codec_status::done ? flow::done : s == codec_status::full ? flow::full : flow::more;
}

}  // namespace

deflate_stage::deflate_stage(const deflate_terms& agreed) noexcept : agreed_(agreed), out_level_(agreed.level) {}
deflate_stage::deflate_stage(deflate_stage&&) noexcept = default;
deflate_stage& deflate_stage::operator=(deflate_stage&&) noexcept = default;
deflate_stage::~deflate_stage() = default;

verdict deflate_stage::begin(direction way, head& h, context& c) {
  return way == direction::out ? begin_out(h, c) : begin_in(h, c);
}

// A message can always go as it is: so does the empty one, and whatever there is no memory for.
verdict deflate_stage::begin_out(head& h, context& c) {
  if ((h.flags & head_flag::no_compression) != 0 || (h.sized != 0 && h.size == 0)) return verdict::bypass;
  if (out_ == nullptr) {
    out_level_ = level_for(agreed_, h);
    out_repeats_ = (h.flags & head_flag::shared) != 0 && !agreed_.out_takeover;
    // Where there is no room for what repeats, there may be for what does not.
    out_ = obtain_out(out_config(agreed_, out_level_, out_repeats_), c);
    if (out_ == nullptr && std::exchange(out_repeats_, false))
      out_ = obtain_out(out_config(agreed_, out_level_, false), c);
  }
  if (out_ == nullptr) return verdict::bypass;
  h.rsv |= compressed_bit;
  made_something_ = false;
  return verdict::transform;
}

// Only messages with the bit come here (`claims::in_needs_rsv`).
verdict deflate_stage::begin_in(head& h, context& c) {
  h.rsv = static_cast<std::uint8_t>(h.rsv & ~compressed_bit);
  const unsigned bits = agreed_.in_bits;
  if (in_ == nullptr)
    in_ = obtain<decompressor>(bits, decompressor_bytes(bits), c, [bits] { return decompressor::make(bits); });
  if (in_ != nullptr) return verdict::transform;
  c.fail(close_code::policy_violation, "no memory for decompressing");
  return verdict::reject;
}

step deflate_stage::transform(direction way, byte_view in, byte_span out, bool fin, context& c) {
  return way == direction::out ? compress(in, out, fin) : decompress(in, out, fin, c);
}

step deflate_stage::compress(byte_view in, byte_span out, bool fin) {
  const codec_step did = out_->run(in, out, fin);
  step s{did.consumed, did.produced, flow_of(did.status), 0};
  made_something_ = made_something_ || did.produced != 0;
  if (s.next != flow::done) return s;
  if (made_something_) {
    s.trim = tail_size;
    return s;
  }
  // Nothing was given, and the engine made nothing of it: the header of an empty block (RFC 7692, 7.2.3.6).
  out[0] = std::byte{0};
  s.produced = 1;
  return s;
}

step deflate_stage::decompress(byte_view in, byte_span out, bool fin, context& c) {
  const codec_step did = in_->run(in, out, fin);
  step s{did.consumed, did.produced, flow_of(did.status), 0};
  switch (did.status) {
    case codec_status::more:
    case codec_status::full:
    case codec_status::done:
      return s;
    case codec_status::corrupt:
      c.fail(close_code::invalid_payload, "corrupt compressed data");
      break;
    case codec_status::cut_off:
      c.fail(close_code::protocol_error, "compressed data ends too early");
      break;
  }
  s.next = flow::error;
  return s;
}

void deflate_stage::done(direction way, context& c) {
  if (way == direction::out && !agreed_.out_takeover) release_out(c);
  if (way == direction::in && !agreed_.in_takeover) release_in(c);
}

void deflate_stage::closed(close_code, context& c) {
  release_out(c);
  release_in(c);
}

void deflate_stage::release_out(context& c) noexcept {
  const codec_config how = out_config(agreed_, out_level_, out_repeats_);
  release(out_, how.key(), compressor_bytes(how), c);
}

void deflate_stage::release_in(context& c) noexcept {
  release(in_, agreed_.in_bits, decompressor_bytes(agreed_.in_bits), c);
}

deflate_memory kept_by(const deflate_terms& t) noexcept {
  deflate_memory m;
  if (t.out_takeover && t.out_bits != 0) m.compressing = compressor_bytes(out_config(t, t.level, false));
  if (t.in_takeover) m.decompressing = decompressor_bytes(t.in_bits);
  return m;
}

}  // namespace ext::detail
HAWSER_END
