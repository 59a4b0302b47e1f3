// The engine that every build has: zlib.
#include "ext/deflate_codec.h"

#include <zlib.h>

#include <algorithm>
#include <new>

HAWSER_BEGIN
namespace ext::detail {

namespace {

// zlib counts in 32 bits.
constexpr std::size_t most_at_once = std::size_t{1} << 30;

Bytef* bytes_of(byte_span b) noexcept { return reinterpret_cast<Bytef*>(b.data()); }
// zlib promises not to write through it.
Bytef* bytes_of(byte_view b) noexcept {
  return reinterpret_cast<Bytef*>(const_cast<std::byte*>(b.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

// Lends zlib the two buffers and says how much of each it used.
class lent {
 public:
  lent(z_stream& z, byte_view in, byte_span out) noexcept
      : z_(z),
        in_(static_cast<uInt>(std::min(in.size(), most_at_once))),
        out_(static_cast<uInt>(std::min(out.size(), most_at_once))) {
    z.next_in = bytes_of(in);
    z.avail_in = in_;
    z.next_out = bytes_of(out);
    z.avail_out = out_;
  }
  [[nodiscard]] std::size_t consumed() const noexcept { return in_ - z_.avail_in; }
  [[nodiscard]] std::size_t produced() const noexcept { return out_ - z_.avail_out; }

 private:
  z_stream& z_;
  uInt in_;
  uInt out_;
};

class zlib_compressor final : public compressor {
 public:
  zlib_compressor() noexcept = default;
  ~zlib_compressor() override { deflateEnd(&z_); }
  zlib_compressor(const zlib_compressor&) = delete;
  zlib_compressor& operator=(const zlib_compressor&) = delete;

  bool start(const codec_config& c) noexcept {
    // Negative: no header and no sum around the data.
    return deflateInit2(&z_, c.level, Z_DEFLATED, -c.window_bits, c.memory_level, Z_DEFAULT_STRATEGY) == Z_OK;
  }

 private:
  work compress(byte_view in, byte_span room, bool fin) override {
    const lent l(z_, in, room);
    const bool flush = fin && in.size() <= most_at_once;
    ::deflate(&z_, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    work w{l.consumed(), l.produced(), false};
    // While there is no room left zlib may have more; that it has nothing to do it calls an error of the buffers.
    w.complete = w.consumed == in.size() && (!fin || z_.avail_out != 0);
    return w;
  }
  void reset() noexcept override { deflateReset(&z_); }

  z_stream z_{};
};

class zlib_decompressor final : public decompressor {
 public:
  zlib_decompressor() noexcept = default;
  ~zlib_decompressor() override { inflateEnd(&z_); }
  zlib_decompressor(const zlib_decompressor&) = delete;
  zlib_decompressor& operator=(const zlib_decompressor&) = delete;

  bool start(const codec_config& c) noexcept { return inflateInit2(&z_, -c.window_bits) == Z_OK; }

 private:
  work decompress(byte_view in, byte_span room) override {
    const lent l(z_, in, room);
    const int said = ::inflate(&z_, Z_SYNC_FLUSH);
    work w{l.consumed(), l.produced(), state::inside};
    if (said == Z_STREAM_END) {
      inflateResetKeep(&z_);  // The window stays: what follows may refer to what came before.
      w.now = state::last_block;
    } else if (said == Z_MEM_ERROR) {
      w.now = state::no_memory;
    } else if (said != Z_OK && said != Z_BUF_ERROR) {
      w.now = state::corrupt;
    } else if (w.consumed == 0 && w.produced == 0) {
      w.now = before_;  // A call that does nothing loses the mark of a block's end.
    } else if ((z_.data_type & 0x80) != 0 && (z_.data_type & 0x3F) == 0) {
      w.now = state::between;
    }
    before_ = w.now == state::between ? state::between : state::inside;
    return w;
  }
  void reset() noexcept override {
    inflateReset(&z_);
    before_ = state::inside;
  }

  z_stream z_{};
  state before_ = state::inside;
};

template <class Codec>
std::unique_ptr<Codec> started(const codec_config& c) noexcept {
  std::unique_ptr<Codec> made(new (std::nothrow) Codec);
  if (made != nullptr && !made->start(c)) return nullptr;
  return made;
}

}  // namespace

std::unique_ptr<compressor> make_zlib_compressor(const codec_config& c) noexcept { return started<zlib_compressor>(c); }
std::unique_ptr<decompressor> make_zlib_decompressor(const codec_config& c) noexcept {
  return started<zlib_decompressor>(c);
}

// By zconf.h: the window, the chains and the hash, the symbols of a block; and its own state of under 8 KiB.
std::size_t zlib_compressor_bytes(const codec_config& c) noexcept {
  return (std::size_t{1} << (c.window_bits + 2U)) + (std::size_t{1} << (c.memory_level + 9U)) + 8192;
}
// The window, and tables of fixed size.
std::size_t zlib_decompressor_bytes(const codec_config& c) noexcept { return (std::size_t{1} << c.window_bits) + 8192; }

}  // namespace ext::detail
HAWSER_END
