// The fast engine: ISA-L. Its state is one block of fixed size, whatever the window.
#include "ext/deflate_codec.h"

#if defined(HAWSER_WITH_ISAL)

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <cstring>
#include <new>

HAWSER_BEGIN
namespace ext::detail {

namespace {

constexpr std::size_t most_at_once = std::size_t{1} << 30;
// ISA-L counts the bytes of a stream in 32 bits. Long before they wrap a stream is begun anew, or the count set back to
// what is still more than any window.
constexpr std::uint32_t most_counted = std::uint32_t{1} << 30;
constexpr std::uint32_t counted_again = std::uint32_t{1} << 20;

std::uint8_t* bytes_of(byte_span b) noexcept { return reinterpret_cast<std::uint8_t*>(b.data()); }
// ISA-L only reads it.
std::uint8_t* bytes_of(byte_view b) noexcept {
  return reinterpret_cast<std::uint8_t*>(
      const_cast<std::byte*>(b.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}
std::uint32_t count_of(std::size_t n) noexcept { return static_cast<std::uint32_t>(std::min(n, most_at_once)); }

constexpr std::size_t allocator_words = 32;  // In front of a piece of memory, and behind it to the next border.

// What a level needs, and room for the 4 Ki symbols of a block: four times the least, since a block has its own codes
// and each of them costs some hundred bits.
std::uint32_t level_size(std::uint8_t level) noexcept {
  constexpr std::uint32_t symbols = 4 * 4 * 1024;
  return symbols + (level == 1 ? (ISAL_DEF_LVL1_REQ) : level == 2 ? (ISAL_DEF_LVL2_REQ) : (ISAL_DEF_LVL3_REQ));
}

class isal_compressor final : public compressor {
 public:
  isal_compressor() noexcept = default;

  bool start(const codec_config& c) noexcept {
    level_.reset(new (std::nothrow) std::uint8_t[level_size(c.level)]);
    if (level_ == nullptr) return false;
    isal_deflate_init(&z_);
    z_.level = c.level;
    z_.level_buf = level_.get();
    z_.level_buf_size = level_size(c.level);
    z_.hist_bits = c.window_bits;
    return true;
  }

 private:
  work compress(byte_view in, byte_span room, bool fin) override {
    if (z_.total_in > most_counted && between_messages_) reset();
    between_messages_ = false;
    const std::uint32_t given = count_of(in.size());
    const std::uint32_t space = count_of(room.size());
    z_.next_in = bytes_of(in);
    z_.avail_in = given;
    z_.next_out = bytes_of(room);
    z_.avail_out = space;
    const bool flush = fin && given == in.size();
    z_.flush = flush ? SYNC_FLUSH : NO_FLUSH;
    isal_deflate(&z_);
    work w{given - z_.avail_in, space - z_.avail_out, false};
    w.complete = w.consumed == in.size() && (!fin || z_.internal_state.state == ZSTATE_NEW_HDR);
    between_messages_ = w.complete && fin;
    return w;
  }
  void reset() noexcept override { isal_deflate_reset(&z_); }

  std::unique_ptr<std::uint8_t[]> level_;
  bool between_messages_ = true;
  isal_zstream z_;
};

class isal_decompressor final : public decompressor {
 public:
  isal_decompressor() noexcept { isal_inflate_init(&z_); }

 private:
  work decompress(byte_view in, byte_span room) override {
    if (z_.total_out > most_counted) z_.total_out = counted_again;
    const std::uint32_t given = count_of(in.size());
    const std::uint32_t space = count_of(room.size());
    z_.next_in = bytes_of(in);
    z_.avail_in = given;
    z_.next_out = bytes_of(room);
    z_.avail_out = space;
    const int said = isal_inflate(&z_);
    // Where it finds an error ISA-L leaves counts that mean nothing.
    const bool good = said == ISAL_DECOMP_OK || said == ISAL_END_INPUT || said == ISAL_OUT_OVERFLOW;
    if (!good || z_.avail_in > given || z_.avail_out > space) return {0, 0, state::corrupt};
    work w{given - z_.avail_in, space - z_.avail_out, state::inside};
    if (z_.block_state == ISAL_BLOCK_FINISH) {
      go_on_behind_last_block();
      w.now = z_.read_in_length == 0 ? state::last_block : state::resumed;
    } else if (is_between_blocks()) {
      w.now = state::between;
    }
    return w;
  }

  [[nodiscard]] bool is_between_blocks() const noexcept {
    return (z_.block_state == ISAL_BLOCK_NEW_HDR || z_.block_state == ISAL_BLOCK_HDR) && z_.tmp_in_size == 0 &&
           z_.read_in_length == 0 && z_.tmp_out_valid == z_.tmp_out_processed;
  }

  // ISA-L stops for good at a block with BFINAL set. The next one begins at the next border of a byte and may refer to
  // what came before, which lies in ISA-L's own buffer of 64 KiB, all of it handed over. There must remain more room
  // than a caller can give, or ISA-L would write past that buffer into the caller's, and copy from in front of it.
  void go_on_behind_last_block() noexcept {
    constexpr auto most_kept = static_cast<std::int32_t>(2 * ISAL_DEF_HIST_SIZE - most_room);
    if (z_.tmp_out_processed > most_kept) {
      std::memmove(z_.tmp_out_buffer, z_.tmp_out_buffer + (z_.tmp_out_processed - ISAL_DEF_HIST_SIZE),
                   ISAL_DEF_HIST_SIZE);
      z_.tmp_out_processed = ISAL_DEF_HIST_SIZE;
    }
    z_.tmp_out_valid = z_.tmp_out_processed;
    z_.read_in >>= static_cast<unsigned>(z_.read_in_length) % 8;
    z_.read_in_length -= z_.read_in_length % 8;
    z_.bfinal = 0;
    z_.block_state = ISAL_BLOCK_NEW_HDR;
  }

  void reset() noexcept override { isal_inflate_reset(&z_); }

  inflate_state z_;
};

}  // namespace

std::unique_ptr<compressor> make_isal_compressor(const codec_config& c) noexcept {
  std::unique_ptr<isal_compressor> made(new (std::nothrow) isal_compressor);
  if (made != nullptr && !made->start(c)) return nullptr;
  return made;
}
std::unique_ptr<decompressor> make_isal_decompressor(const codec_config&) noexcept {
  return std::unique_ptr<decompressor>(new (std::nothrow) isal_decompressor);
}
std::size_t isal_compressor_bytes(const codec_config& c) noexcept {
  return sizeof(isal_compressor) + level_size(c.level) + 2 * allocator_words;
}
std::size_t isal_decompressor_bytes() noexcept { return sizeof(isal_decompressor) + allocator_words; }

}  // namespace ext::detail
HAWSER_END

#endif
