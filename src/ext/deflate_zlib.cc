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

}  // namespace

std::unique_ptr<compressor> make_zlib_compressor(const codec_config& c) noexcept {
  std::unique_ptr<zlib_compressor> made(new (std::nothrow) zlib_compressor);
  if (made != nullptr && !made->start(c)) return nullptr;
  return made;
}

// By zconf.h: the window, the chains and the hash, the symbols of a block; and its own state of under 8 KiB.
std::size_t zlib_compressor_bytes(const codec_config& c) noexcept {
  return (std::size_t{1} << (c.window_bits + 2U)) + (std::size_t{1} << (c.memory_level + 9U)) + 8192;
}

}  // namespace ext::detail
HAWSER_END
