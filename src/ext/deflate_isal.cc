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
// ISA-L counts the bytes of a stream in 32 bits. Long before they wrap a stream is begun anew.
constexpr std::uint32_t most_counted = std::uint32_t{1} << 30;

std::uint8_t* bytes_of(byte_span b) noexcept { return reinterpret_cast<std::uint8_t*>(b.data()); }
// ISA-L only reads it.
std::uint8_t* bytes_of(byte_view b) noexcept {
  return reinterpret_cast<std::uint8_t*>(
      const_cast<std::byte*>(b.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}
std::uint32_t count_of(std::size_t n) noexcept { return static_cast<std::uint32_t>(std::min(n, most_at_once)); }

constexpr std::size_t allocator_words = 32;  // In front of a piece of memory, and behind it to the next border.

// What a level needs, and room for the 4 Ki symbols of a block: four times the least, since a block has its own codes
// and each of them costs some hundred bits. With the fixed code it keeps no symbols.
std::uint32_t level_size(std::uint8_t level) noexcept {
  constexpr std::uint32_t symbols = 4 * 4 * 1024;
  if (level == fixed_code_level) return 0;
  return symbols + (level == 1 ? (ISAL_DEF_LVL1_REQ) : level == 2 ? (ISAL_DEF_LVL2_REQ) : (ISAL_DEF_LVL3_REQ));
}

class isal_compressor final : public compressor {
 public:
  isal_compressor() noexcept = default;

  bool start(const codec_config& c) noexcept {
    level_.reset(new (std::nothrow) std::uint8_t[level_size(c.level)]);
    if (level_ == nullptr) return false;
    // There it reads what it has not written yet as if it were matches (intel/isa-l#295).
    if (c.level == 3) std::memset(level_.get(), 0, level_size(c.level));
    isal_deflate_init(&z_);
    if (c.level == fixed_code_level) isal_deflate_set_hufftables(&z_, nullptr, IGZIP_HUFFTABLE_STATIC);
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

}  // namespace

std::unique_ptr<compressor> make_isal_compressor(const codec_config& c) noexcept {
  std::unique_ptr<isal_compressor> made(new (std::nothrow) isal_compressor);
  if (made != nullptr && !made->start(c)) return nullptr;
  return made;
}
std::size_t isal_compressor_bytes(const codec_config& c) noexcept {
  return sizeof(isal_compressor) + level_size(c.level) + 2 * allocator_words;
}

}  // namespace ext::detail
HAWSER_END

#endif
