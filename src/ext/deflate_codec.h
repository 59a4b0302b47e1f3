// The seam between permessage-deflate and what compresses: raw DEFLATE (RFC 1951), flushed at the end of each message
// as RFC 7692, 7.2 wants it. Two engines compress behind it; what decompresses is our own.
#pragma once

#include "ext/inflate_codes.h"

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

/// ISA-L's level 0, with the fixed code of RFC 1951, 3.2.6: no time and no bytes go into one that suits the message.
inline constexpr std::uint8_t fixed_code_level = 0;

/// What makes one compressor as good as another.
struct codec_config {
  engine with = engine::zlib;
  std::uint8_t level = 6;         ///< zlib: 1 to 9. ISA-L: 1 to 3, and `fixed_code_level`.
  std::uint8_t memory_level = 8;  ///< zlib: 1 to 9. ISA-L does not look at it.
  std::uint8_t window_bits = 15;  ///< zlib: 9 to 15. ISA-L: 8 to 15.

  bool repeats = false;  ///< As `repeating_compressor` does.

  /// Configurations of one key are alike.
  [[nodiscard]] std::uint64_t key() const noexcept {
    return std::uint64_t{repeats} << 32 | std::uint64_t{static_cast<std::uint8_t>(with)} << 24 |
           std::uint64_t{level} << 16 | std::uint64_t{memory_level} << 8 | window_bits;
  }
};

/// How a call of a codec ended.
enum class codec_status : std::uint8_t {
  more,     ///< All input is taken.
  full,     ///< There was not room for everything: call again, with what is left of the input.
  done,     ///< The message is over.
  corrupt,  ///< Not DEFLATE data, or it refers to what was never there.
  cut_off,  ///< The message ends where DEFLATE data cannot end.
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

/// Where many connections get the same messages, one after the other, each message is compressed once: what was made of
/// it is kept, and given again for a message of the same bytes. For messages that stand alone.
///
/// What is kept stays until there is no room for a message that comes round again soon: together with all that came in
/// between it would find room if everything else were forgotten, and then everything is. Of more messages than there is
/// room for, those that are kept go on being given.
class repeating_compressor final : public compressor {
 public:
  static constexpr std::size_t most_said = std::size_t{64} << 10;  ///< Bytes of messages that are kept,
  static constexpr std::size_t most_kept = 1024;                   ///< and how many messages.
  /// Null when there is no memory, or nobody to compress.
  static std::unique_ptr<repeating_compressor> make(std::unique_ptr<compressor> by) noexcept;
  static std::size_t bytes() noexcept;

 private:
  // What does not compress becomes longer: much of it by an eighth at most, 64 bytes by some 15.
  static constexpr std::size_t most_made = most_said + most_said / 4;
  struct kept {
    std::uint32_t said_at, said_size, made_at, made_size;
    std::uint32_t hash;
    std::uint16_t next;  // Of those whose hashes begin alike, as in `first_`.
  };
  struct storage {
    std::array<std::byte, most_said> said;
    std::array<std::byte, most_made> made;
    std::array<kept, most_kept> all;
    std::array<std::uint16_t, most_kept> first;  // By hash: a place in `all` and one; 0: none.
  };

  repeating_compressor(std::unique_ptr<compressor> by, std::unique_ptr<storage> memory) noexcept;

  work compress(byte_view in, byte_span room, bool fin) override;
  void reset() noexcept override;
  bool recall(byte_view message);
  [[nodiscard]] bool knows(std::size_t at, byte_view message) const noexcept;
  bool find(byte_view message, std::uint32_t hash) noexcept;
  bool comes_round(byte_view message, std::uint32_t hash) noexcept;
  void forget() noexcept;
  bool learn(byte_view message, std::uint32_t hash);

  std::unique_ptr<compressor> engine_;
  std::unique_ptr<storage> memory_;
  std::uint32_t count_ = 0;
  std::uint32_t said_ = 0;  // Bytes of `memory_` that are taken.
  std::uint32_t made_ = 0;
  std::uint32_t at_ = 0;     // Which message is given,
  std::uint32_t given_ = 0;  // and how much of it was.
  // A message that there was no room for, and what came since, itself included.
  std::uint32_t missed_ = 0;  // Its hash.
  std::uint32_t since_ = 0;   // Messages; 0: there is none.
  std::uint64_t since_bytes_ = 0;
  bool begun_ = false;
  bool again_ = false;  // The message in hand is given from `memory_`.
};

/// Decompresses messages, adding the 00 00 FF FF that senders leave out. Blocks with BFINAL set end nothing but
/// themselves (RFC 7692, 7.2.1); a message may also end with one, without the empty block that should follow it. No
/// engine does it, so what is accepted depends on nobody's build: all that zlib reads with a window of 15 bits, and
/// nothing that reaches beyond the window agreed.
class decompressor {
 public:
  /// Null when there is no memory.
  static std::unique_ptr<decompressor> make(unsigned window_bits) noexcept;
  decompressor(const decompressor&) = delete;
  decompressor& operator=(const decompressor&) = delete;
  ~decompressor() = default;

  /// Works on the message in hand; `out` may be as small as it likes. Behind what was produced, `out` may be written
  /// to.
  codec_step run(byte_view in, byte_span out, bool fin) noexcept;
  /// The next message begins, with nothing to refer to.
  void restart() noexcept;

 private:
  enum class phase : std::uint8_t { header, stored_size, stored, sizes, precode, lengths, symbols, copy };
  enum class turn : std::uint8_t { on, more, full, corrupt };
  struct cursor {
    const std::byte* in;
    const std::byte* in_end;
    std::byte* out_begin;
    std::byte* out;
    std::byte* out_end;
  };

  decompressor(unsigned window_bits, std::unique_ptr<std::byte[]> window) noexcept;

  codec_status work(cursor& c, bool fin) noexcept;
  turn decode(cursor& c) noexcept;
  turn step(cursor& c) noexcept;
  turn read_header(cursor& c) noexcept;
  turn read_stored_size(cursor& c) noexcept;
  turn read_stored(cursor& c) noexcept;
  turn read_sizes(cursor& c) noexcept;
  turn read_precode(cursor& c) noexcept;
  turn read_lengths(cursor& c) noexcept;
  turn read_symbols(cursor& c) noexcept;
  turn read_many(cursor& c) noexcept;
  turn read_distance(code_entry length, unsigned used) noexcept;
  turn copy(cursor& c) noexcept;
  void end_block() noexcept;
  void fill(cursor& c) noexcept;
  bool has(cursor& c, unsigned n) noexcept;
  unsigned take(unsigned n) noexcept;
  std::byte* copy_back(const cursor& c, std::byte* out, std::size_t n, std::size_t distance) const noexcept;
  void remember(byte_view made) noexcept;

  std::uint64_t hold_ = 0;  // Bits of the input that were taken and not used yet, the next one lowest.
  unsigned bits_ = 0;       // How many; above them hold_ is zero.
  phase phase_ = phase::header;
  bool last_ = false;        // Of the block: BFINAL.
  bool after_last_ = false;  // Such a block has just ended.
  std::uint8_t tail_used_ = 0;
  std::uint16_t literals_ = 0;  // How many code lengths of each kind the block has.
  std::uint16_t distances_ = 0;
  std::uint16_t precodes_ = 0;
  std::uint16_t have_ = 0;      // Of those under way.
  std::uint32_t left_ = 0;      // Bytes of a stored block, or of a copy.
  std::uint32_t distance_ = 0;  // Of a copy.
  std::uint32_t window_size_;
  std::uint32_t window_at_ = 0;  // Where the next byte goes; the oldest one, once it is full.
  std::uint32_t window_has_ = 0;
  const literal_table* literal_codes_ = nullptr;  // Those of the block: own or fixed.
  const distance_table* distance_codes_ = nullptr;
  std::unique_ptr<std::byte[]> window_;
  std::array<std::uint8_t, most_literals + most_distances> lengths_;
  literal_table own_literals_;
  distance_table own_distances_;  // While the lengths are read, the code in which they come.
};

/// What a stage with these terms keeps between messages.
deflate_memory kept_by(const deflate_terms& t) noexcept;

/// Null when there is no memory.
std::unique_ptr<compressor> make_compressor(const codec_config& c) noexcept;

/// The most bytes that one of them occupies.
std::size_t compressor_bytes(const codec_config& c) noexcept;
std::size_t decompressor_bytes(unsigned window_bits) noexcept;

// The engines, each in a source of its own.
std::unique_ptr<compressor> make_zlib_compressor(const codec_config& c) noexcept;
std::size_t zlib_compressor_bytes(const codec_config& c) noexcept;
std::unique_ptr<compressor> make_isal_compressor(const codec_config& c) noexcept;
std::size_t isal_compressor_bytes(const codec_config& c) noexcept;

}  // namespace ext::detail
HAWSER_END
