// The seam between permessage-deflate and what compresses: raw DEFLATE (RFC 1951), flushed at the end of each message
// as RFC 7692, 7.2 wants it. Two engines stand behind it, and each reads what the other writes.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/ext/deflate.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

HAWSER_BEGIN
namespace ext::detail {

using engine = deflate_engine;

/// False: this build does not have it, and what asks for it gets zlib.
bool has_engine(engine e) noexcept;

/// What makes one compressor, or decompressor, as good as another.
struct codec_config {
  engine with = engine::zlib;
  std::uint8_t level = 6;         ///< zlib: 1 to 9. ISA-L: 1 to 3.
  std::uint8_t memory_level = 8;  ///< zlib: 1 to 9. ISA-L does not look at it.
  std::uint8_t window_bits = 15;  ///< Compressing: zlib 9 to 15, ISA-L 8 to 15. Decompressing: zlib 9 to 15.

  /// Configurations of one key are alike.
  [[nodiscard]] std::uint64_t key() const noexcept {
    return std::uint64_t{static_cast<std::uint8_t>(with)} << 24 | std::uint64_t{level} << 16 |
           std::uint64_t{memory_level} << 8 | window_bits;
  }
};

/// How a call of a codec ended.
enum class codec_status : std::uint8_t {
  more,       ///< All input is taken.
  full,       ///< There was not room for everything: call again, with what is left of the input.
  done,       ///< The message is over.
  corrupt,    ///< Not DEFLATE data, or it refers to what was never there.
  cut_off,    ///< The message ends where DEFLATE data cannot end.
  no_memory,  ///< There was none.
};

struct codec_step {
  std::size_t consumed = 0;
  std::size_t produced = 0;
  codec_status status = codec_status::more;
};

/// Compresses messages. What it makes of one ends in an empty block with no compression, 00 00 FF FF included.
class compressor {
 public:
  virtual ~compressor() = default;
  compressor(const compressor&) = delete;
  compressor& operator=(const compressor&) = delete;

  /// Works on the message in hand; `out` may be as small as it likes.
  codec_step run(byte_view in, byte_span out, bool fin);
  /// The next message begins, with nothing to refer to.
  void restart() noexcept;

 protected:
  compressor() noexcept = default;
  /// No engine is asked to write into less: both need some bytes for the end of a message in one piece.
  static constexpr std::size_t least_room = 64;
  struct work {
    std::size_t consumed = 0;
    std::size_t produced = 0;
    bool complete = false;  ///< All input is taken and, at the end, everything is written.
  };
  virtual work compress(byte_view in, byte_span room, bool fin) = 0;
  virtual void reset() noexcept = 0;

 private:
  std::size_t drain(byte_span out) noexcept;

  // What did not fit into a small room.
  std::array<std::byte, least_room> spill_;
  std::uint8_t spilled_from_ = 0;
  std::uint8_t spilled_to_ = 0;
  bool complete_ = false;
};

/// Decompresses messages, adding the 00 00 FF FF that senders leave out. Blocks with BFINAL set end nothing but
/// themselves (RFC 7692, 7.2.1); a message may also end with one, without the empty block that should follow it.
class decompressor {
 public:
  virtual ~decompressor() = default;
  decompressor(const decompressor&) = delete;
  decompressor& operator=(const decompressor&) = delete;

  codec_step run(byte_view in, byte_span out, bool fin);
  /// The next message begins, with nothing to refer to.
  void restart() noexcept;

 protected:
  decompressor() noexcept = default;
  enum class state : std::uint8_t {
    inside,      ///< Of a block, or of the header of one.
    between,     ///< Two blocks, at the border of a byte.
    last_block,  ///< The same, and the block before had BFINAL set ...
    resumed,     ///< ... and bytes behind it have been taken already.
    corrupt,
    no_memory,
  };
  struct work {
    std::size_t consumed = 0;
    std::size_t produced = 0;
    state now = state::inside;
  };
  /// No engine is given more room at once: see go_on_behind_last_block in deflate_isal.cc.
  static constexpr std::size_t most_room = std::size_t{16} << 10;
  /// Takes input until there is none, or no room; stops behind a block with BFINAL set.
  virtual work decompress(byte_view in, byte_span room) = 0;
  virtual void reset() noexcept = 0;

 private:
  codec_step end(codec_step did, codec_status how) noexcept;

  std::uint8_t tail_used_ = 0;
  bool after_last_block_ = false;  // One has just ended, and nothing has been given since.
  bool resumed_ = false;           // The engine still holds bytes of the message, behind a last block.
};

/// What a stage with these terms keeps between messages.
deflate_memory kept_by(const deflate_terms& t) noexcept;

/// Null when there is no memory.
std::unique_ptr<compressor> make_compressor(const codec_config& c) noexcept;
std::unique_ptr<decompressor> make_decompressor(const codec_config& c) noexcept;

/// The most bytes that one of them occupies.
std::size_t compressor_bytes(const codec_config& c) noexcept;
std::size_t decompressor_bytes(const codec_config& c) noexcept;

// The engines, each in a source of its own.
std::unique_ptr<compressor> make_zlib_compressor(const codec_config& c) noexcept;
std::unique_ptr<decompressor> make_zlib_decompressor(const codec_config& c) noexcept;
std::size_t zlib_compressor_bytes(const codec_config& c) noexcept;
std::size_t zlib_decompressor_bytes(const codec_config& c) noexcept;
std::unique_ptr<compressor> make_isal_compressor(const codec_config& c) noexcept;
std::unique_ptr<decompressor> make_isal_decompressor(const codec_config& c) noexcept;
std::size_t isal_compressor_bytes(const codec_config& c) noexcept;
std::size_t isal_decompressor_bytes() noexcept;

}  // namespace ext::detail
HAWSER_END
