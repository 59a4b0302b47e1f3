// zlib as a judge of what is DEFLATE: it takes messages as RFC 7692 has them, all at once, with the largest window.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace hawser::test {

class zlib_oracle {
 public:
  struct answer {
    bool accepted = false;
    bool too_long = false;  ///< Nobody has looked at the rest.
    std::string text;
  };

  zlib_oracle() {
    if (inflateInit2(&z_, -15) != Z_OK) throw std::runtime_error("zlib does not start");
  }
  ~zlib_oracle() { inflateEnd(&z_); }
  zlib_oracle(const zlib_oracle&) = delete;
  zlib_oracle& operator=(const zlib_oracle&) = delete;

  /// The next message of a conversation. After one that is not accepted there is none.
  answer message(std::string_view wire, std::size_t longest = std::size_t{1} << 20) {
    std::string all(wire);
    all.append("\0\0\xFF\xFF", tail);
    z_.next_in = reinterpret_cast<Bytef*>(all.data());
    z_.avail_in = static_cast<uInt>(all.size());
    answer got;
    bool between = false;
    for (;;) {
      const uInt before = z_.avail_in;
      const int said = step(got.text);
      got.too_long = got.text.size() > longest;
      if (got.too_long || (said != Z_OK && said != Z_BUF_ERROR && said != Z_STREAM_END)) return got;
      if (said == Z_STREAM_END) {
        inflateResetKeep(&z_);  // What follows a block with BFINAL set may refer to what came before.
        between = false;
        got.accepted = z_.avail_in == tail || z_.avail_in == 0;
        if (got.accepted) return got;
        continue;
      }
      if (before != z_.avail_in || z_.avail_out != sizeof(room_))
        between = (z_.data_type & 0x80) != 0 && (z_.data_type & 0x3F) == 0;
      if (z_.avail_out == 0) continue;
      got.accepted = between;
      return got;
    }
  }

 private:
  static constexpr uInt tail = 4;

  int step(std::string& text) {
    z_.next_out = room_;
    z_.avail_out = sizeof(room_);
    const int said = inflate(&z_, Z_SYNC_FLUSH);
    text.append(reinterpret_cast<const char*>(room_), sizeof(room_) - z_.avail_out);
    return said;
  }

  z_stream z_{};
  Bytef room_[16384];
};

enum class zlib_strategy { usual, filtered, huffman_only, runs, fixed };

/// A message as a peer with zlib sends it, its 00 00 FF FF left out.
inline std::string zlib_message(std::string_view text, int level, zlib_strategy how) {
  constexpr int strategies[] = {Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED};
  z_stream z{};
  if (deflateInit2(&z, level, Z_DEFLATED, -15, 8, strategies[static_cast<int>(how)]) != Z_OK)
    throw std::runtime_error("zlib does not start");
  std::string in(text);
  std::string wire(deflateBound(&z, in.size()) + 16, '\0');
  z.next_in = reinterpret_cast<Bytef*>(in.data());
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(wire.data());
  z.avail_out = static_cast<uInt>(wire.size());
  deflate(&z, Z_SYNC_FLUSH);
  wire.resize(wire.size() - z.avail_out - 4);
  deflateEnd(&z);
  return wire;
}

}  // namespace hawser::test
