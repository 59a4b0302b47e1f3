// Decompressing: DEFLATE (RFC 1951) as it comes, in any cuts, into any room.
#include "ext/deflate_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

HAWSER_BEGIN
namespace ext::detail {

namespace {

// What ends each message and is not sent. RFC 7692, 7.2.2
constexpr std::array<std::byte, 4> tail{std::byte{0x00}, std::byte{0x00}, std::byte{0xFF}, std::byte{0xFF}};

constexpr std::size_t word = 8;
constexpr std::size_t longest_copy = 258;
// While there is as much, several symbols are read without a look at what is left: their input, two words at most, and
// their output, two literals and a copy that may be written two words too far.
constexpr std::ptrdiff_t much_in = 2 * word;
constexpr std::ptrdiff_t much_out = 2 + longest_copy + 2 * word;

constexpr unsigned most_literal_lengths = 286;
constexpr unsigned most_distance_lengths = 30;
constexpr unsigned end_of_block = 256;
// The order in which the lengths of the precode come. RFC 1951, 3.2.7
constexpr std::array<std::uint8_t, precode_symbols> precode_order{16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                                  11, 4,  12, 3, 13, 2, 14, 1, 15};

std::uint64_t next_word(const std::byte* from) noexcept {
  std::uint64_t w;
  std::memcpy(&w, from, word);
  if constexpr (std::endian::native == std::endian::big) w = __builtin_bswap64(w);
  return w;
}

constexpr std::uint64_t low(std::uint64_t hold, unsigned n) noexcept { return hold & ((std::uint64_t{1} << n) - 1); }

// Where the two overlap, what was copied is copied again: that is how runs are made.
std::byte* repeat(std::byte* out, std::size_t n, std::size_t distance) noexcept {
  if (distance == 1) {
    std::memset(out, static_cast<int>(out[-1]), n);
    return out + n;
  }
  const std::byte* from = out - distance;
  for (std::byte* const end = out + n; out != end;)
    *out++ = *from++;
  return out;
}

void copy_word(std::byte* out, std::size_t distance) noexcept { std::memcpy(out, out - distance, word); }

// The same, where up to two words may be written behind it. Most are that short.
std::byte* repeat_in_words(std::byte* out, std::size_t n, std::size_t distance) noexcept {
  if (distance < word) return repeat(out, n, distance);
  std::byte* const end = out + n;
  copy_word(out, distance);
  copy_word(out + word, distance);
  for (out += 2 * word; out < end; out += word)
    copy_word(out, distance);
  return end;
}

// The length or distance that an entry and the bits behind its code make.
unsigned value_of(code_entry e, std::uint64_t hold) noexcept {
  return e.value + static_cast<unsigned>(low(hold, e.bits) >> (e.bits - (e.what & code::low)));
}

/// The bits at hand, the codes, and what is looked up: what the fast loop keeps in registers.
struct bit_reader {
  std::uint64_t hold;
  unsigned bits;
  const std::byte* in;

  // At least 56 bits. Above `bits` hold has bits of the input that are not taken yet: they are the same next time.
  void fill() noexcept {
    hold |= next_word(in) << bits;
    in += (63 - bits) >> 3;
    bits |= 56;
  }
  void drop(unsigned n) noexcept {
    hold >>= n;
    bits -= n;
  }
  std::byte* put(code_entry e, std::byte* out) noexcept {
    drop(e.bits);
    *out = static_cast<std::byte>(e.value);
    return out + 1;
  }
  [[nodiscard]] unsigned value_of(code_entry e) noexcept {
    const unsigned value = ext::detail::value_of(e, hold);
    drop(e.bits);
    return value;
  }
  template <unsigned FirstBits, std::size_t Size>
  [[nodiscard]] code_entry look(const std::array<code_entry, Size>& table) const noexcept {
    return table[low(hold, FirstBits)];
  }
  template <std::size_t Size>
  [[nodiscard]] code_entry follow(const std::array<code_entry, Size>& table, code_entry e) noexcept {
    if ((e.what & code::link) == 0) return e;
    drop(e.bits);
    return table[e.value + low(hold, e.what & code::low)];
  }
};

/// A whole code in the bits at hand, and how many it takes; more than there are: it is not all there.
template <unsigned FirstBits, std::size_t Size>
std::pair<code_entry, unsigned> look_carefully(const std::array<code_entry, Size>& table, std::uint64_t hold) noexcept {
  code_entry e = table[low(hold, FirstBits)];
  if ((e.what & code::link) == 0) return {e, e.bits};
  const unsigned first = e.bits;
  e = table[e.value + low(hold >> first, e.what & code::low)];
  return {e, first + e.bits};
}

}  // namespace

decompressor::decompressor(unsigned window_bits, std::unique_ptr<std::byte[]> window) noexcept
    : window_size_(std::uint32_t{1} << window_bits), window_(std::move(window)) {}

std::unique_ptr<decompressor> decompressor::make(unsigned window_bits) noexcept {
  std::unique_ptr<std::byte[]> window(new (std::nothrow) std::byte[std::size_t{1} << window_bits]);
  if (window == nullptr) return nullptr;
  return std::unique_ptr<decompressor>(new (std::nothrow) decompressor(window_bits, std::move(window)));
}

std::size_t decompressor_bytes(unsigned window_bits) noexcept {
  constexpr std::size_t allocator_words = 32;  // In front of a piece of memory, and behind it to the next border.
  return sizeof(decompressor) + (std::size_t{1} << window_bits) + 2 * allocator_words;
}

void decompressor::restart() noexcept {
  hold_ = bits_ = 0;
  phase_ = phase::header;
  after_last_ = false;
  tail_used_ = 0;
  window_at_ = window_has_ = 0;
}

codec_step decompressor::run(byte_view in, byte_span out, bool fin) noexcept {
  cursor c{in.data(), in.data() + in.size(), out.data(), out.data(), out.data() + out.size()};
  codec_step did;
  did.status = work(c, fin);
  if (did.status == codec_status::done) {
    tail_used_ = 0;
    after_last_ = false;
  }
  did.consumed = static_cast<std::size_t>(c.in - in.data());
  did.produced = static_cast<std::size_t>(c.out - out.data());
  remember(out.first(did.produced));
  return did;
}

// The message, and then the tail. A message may end in a block with BFINAL set; then there is nothing that the tail
// would complete.
codec_status decompressor::work(cursor& c, bool fin) noexcept {
  turn t = tail_used_ == 0 ? decode(c) : turn::more;
  if (t == turn::more && fin) {
    if (after_last_ && phase_ == phase::header && bits_ == 0) return codec_status::done;
    cursor end = c;
    end.in = tail.data() + tail_used_;
    end.in_end = tail.data() + tail.size();
    t = decode(end);
    tail_used_ = static_cast<std::uint8_t>(end.in - tail.data());
    c.out = end.out;
    if (t == turn::more) return phase_ == phase::header && bits_ == 0 ? codec_status::done : codec_status::cut_off;
  }
  return t == turn::corrupt ? codec_status::corrupt : t == turn::full ? codec_status::full : codec_status::more;
}

decompressor::turn decompressor::decode(cursor& c) noexcept {
  turn t = turn::on;
  while (t == turn::on)
    t = step(c);
  return t;
}

decompressor::turn decompressor::step(cursor& c) noexcept {
  switch (phase_) {
    case phase::header:
      return read_header(c);
    case phase::stored_size:
      return read_stored_size(c);
    case phase::stored:
      return read_stored(c);
    case phase::sizes:
      return read_sizes(c);
    case phase::precode:
      return read_precode(c);
    case phase::lengths:
      return read_lengths(c);
    case phase::symbols:
      return read_symbols(c);
    case phase::copy:
      break;
  }
  return copy(c);
}

// ---- bits

void decompressor::fill(cursor& c) noexcept {
  while (bits_ < 56 && c.in != c.in_end) {
    hold_ |= static_cast<std::uint64_t>(*c.in++) << bits_;
    bits_ += 8;
  }
}

bool decompressor::has(cursor& c, unsigned n) noexcept {
  if (bits_ < n) fill(c);
  return bits_ >= n;
}

unsigned decompressor::take(unsigned n) noexcept {
  const auto value = static_cast<unsigned>(low(hold_, n));
  hold_ >>= n;
  bits_ -= n;
  return value;
}

// ---- blocks

decompressor::turn decompressor::read_header(cursor& c) noexcept {
  if (!has(c, 3)) return turn::more;
  after_last_ = false;
  last_ = take(1) != 0;
  switch (take(2)) {
    case 0:
      take(bits_ % 8);
      phase_ = phase::stored_size;
      return turn::on;
    case 1:
      literal_codes_ = &fixed_codes::get().literals;
      distance_codes_ = &fixed_codes::get().distances;
      phase_ = phase::symbols;
      return turn::on;
    case 2:
      phase_ = phase::sizes;
      return turn::on;
    default:
      return turn::corrupt;
  }
}

// What follows a block with BFINAL set begins at the next border of a byte.
void decompressor::end_block() noexcept {
  if (last_) take(bits_ % 8);
  after_last_ = last_;
  phase_ = phase::header;
}

decompressor::turn decompressor::read_stored_size(cursor& c) noexcept {
  if (!has(c, 32)) return turn::more;
  left_ = take(16);
  if ((left_ ^ take(16)) != 0xFFFF) return turn::corrupt;
  phase_ = phase::stored;
  return turn::on;
}

decompressor::turn decompressor::read_stored(cursor& c) noexcept {
  for (; left_ != 0 && bits_ != 0; --left_) {
    if (c.out == c.out_end) return turn::full;
    *c.out++ = static_cast<std::byte>(take(8));
  }
  const auto n = static_cast<std::size_t>(std::min({std::ptrdiff_t{left_}, c.in_end - c.in, c.out_end - c.out}));
  if (n != 0) std::memcpy(c.out, c.in, n);
  c.in += n;
  c.out += n;
  left_ -= static_cast<std::uint32_t>(n);
  if (left_ != 0) return c.in == c.in_end ? turn::more : turn::full;
  end_block();
  return turn::on;
}

decompressor::turn decompressor::read_sizes(cursor& c) noexcept {
  if (!has(c, 14)) return turn::more;
  literals_ = static_cast<std::uint16_t>(take(5) + 257);
  distances_ = static_cast<std::uint16_t>(take(5) + 1);
  precodes_ = static_cast<std::uint16_t>(take(4) + 4);
  if (literals_ > most_literal_lengths || distances_ > most_distance_lengths) return turn::corrupt;
  std::fill_n(lengths_.begin(), precode_symbols, std::uint8_t{0});
  have_ = 0;
  phase_ = phase::precode;
  return turn::on;
}

decompressor::turn decompressor::read_precode(cursor& c) noexcept {
  for (; have_ < precodes_; ++have_) {
    if (!has(c, 3)) return turn::more;
    lengths_[precode_order[have_]] = static_cast<std::uint8_t>(take(3));
  }
  if (!build_precode(own_distances_, std::span(lengths_).first<precode_symbols>())) return turn::corrupt;
  have_ = 0;
  phase_ = phase::lengths;
  return turn::on;
}

// The lengths of both codes in one row; 16 repeats the one before, 17 and 18 none. RFC 1951, 3.2.7
decompressor::turn decompressor::read_lengths(cursor& c) noexcept {
  const std::size_t all = std::size_t{literals_} + distances_;
  while (have_ < all) {
    has(c, 14);
    const code_entry e = own_distances_[low(hold_, precode_bits)];
    const unsigned extra = e.value < 16 ? 0 : e.value == 16 ? 2 : e.value == 17 ? 3 : 7;
    if (bits_ < e.bits + extra) return turn::more;
    take(e.bits);
    if (e.value < 16) {
      lengths_[have_++] = static_cast<std::uint8_t>(e.value);
      continue;
    }
    const std::size_t n = take(extra) + (e.value == 18 ? 11U : 3U);
    if ((e.value == 16 && have_ == 0) || have_ + n > all) return turn::corrupt;
    std::fill_n(lengths_.begin() + have_, n, e.value == 16 ? lengths_[have_ - 1U] : std::uint8_t{0});
    have_ = static_cast<std::uint16_t>(have_ + n);
  }
  const auto lengths = std::span<const std::uint8_t>(lengths_);
  if (lengths[end_of_block] == 0) return turn::corrupt;
  if (!build_literals(own_literals_, lengths.first(literals_)) ||
      !build_distances(own_distances_, lengths.subspan(literals_, distances_)))
    return turn::corrupt;
  literal_codes_ = &own_literals_;
  distance_codes_ = &own_distances_;
  phase_ = phase::symbols;
  return turn::on;
}

// ---- symbols

// One at a time, where input or room come to their end.
decompressor::turn decompressor::read_symbols(cursor& c) noexcept {
  if (c.in_end - c.in >= much_in && c.out_end - c.out >= much_out) return read_many(c);
  fill(c);
  const auto [e, used] = look_carefully<literal_bits>(*literal_codes_, hold_);
  if (used > bits_) return turn::more;
  if (e.what == code::literal) {
    if (c.out == c.out_end) return turn::full;
    take(used);
    *c.out++ = static_cast<std::byte>(e.value);
    return turn::on;
  }
  if (e.what == code::end) {
    take(used);
    end_block();
    return turn::on;
  }
  return e.what == code::unknown ? turn::corrupt : read_distance(e, used);
}

// A length and its distance are taken together, at most 48 bits.
decompressor::turn decompressor::read_distance(code_entry length, unsigned used) noexcept {
  const unsigned n = value_of(length, hold_ >> (used - length.bits));
  const auto [e, more] = look_carefully<distance_bits>(*distance_codes_, hold_ >> used);
  used += more;
  if (used > bits_) return turn::more;
  if (e.what == code::unknown) return turn::corrupt;
  distance_ = value_of(e, hold_ >> (used - e.bits));
  take(used);
  left_ = n;
  phase_ = phase::copy;
  return turn::on;
}

decompressor::turn decompressor::copy(cursor& c) noexcept {
  const auto made = static_cast<std::size_t>(c.out - c.out_begin);
  if (distance_ > window_size_ || distance_ > window_has_ + made) return turn::corrupt;
  const std::size_t n = std::min<std::size_t>(left_, static_cast<std::size_t>(c.out_end - c.out));
  c.out = distance_ > made ? copy_back(c, c.out, n, distance_) : repeat(c.out, n, distance_);
  left_ -= static_cast<std::uint32_t>(n);
  if (left_ != 0) return turn::full;
  phase_ = phase::symbols;
  return turn::on;
}

// What came before this call lies in the window, what it has made in `out`; a copy can begin in the one and end in the
// other.
std::byte* decompressor::copy_back(const cursor& c, std::byte* out, std::size_t n,
                                   std::size_t distance) const noexcept {
  auto back = distance - static_cast<std::size_t>(out - c.out_begin);
  std::size_t from = (window_at_ + window_size_ - back) & (window_size_ - 1);
  if (n <= back && from + n <= window_size_) {
    std::memcpy(out, window_.get() + from, n);
    return out + n;
  }
  while (n != 0 && back != 0) {
    const std::size_t piece = std::min({n, back, window_size_ - from});
    std::memcpy(out, window_.get() + from, piece);
    out += piece;
    n -= piece;
    back -= piece;
    from = 0;
  }
  return n == 0 ? out : repeat(out, n, distance);
}

decompressor::turn decompressor::read_many(cursor& c) noexcept {
  const literal_table& literals = *literal_codes_;
  const distance_table& distances = *distance_codes_;
  const std::size_t has = window_has_;
  const std::size_t farthest = window_size_;
  const std::byte* const in_stop = c.in_end - much_in;
  std::byte* const begin = c.out_begin;
  std::byte* const stop = c.out_end - much_out;
  bit_reader r{hold_, bits_, c.in};
  std::byte* out = c.out;
  turn t = turn::on;
  bool ended = false;
  do {
    r.fill();
    code_entry e = r.look<literal_bits>(literals);
    if (e.what == code::literal) {
      out = r.put(e, out);
      e = r.look<literal_bits>(literals);
      if (e.what == code::literal) {
        out = r.put(e, out);
        e = r.look<literal_bits>(literals);
      }
    }
    e = r.follow(literals, e);
    if (e.what == code::literal) {
      out = r.put(e, out);
      continue;
    }
    if ((e.what & code::base) == 0) {
      r.drop(e.bits);
      ended = e.what == code::end;
      if (!ended) t = turn::corrupt;
      break;
    }
    const std::size_t n = r.value_of(e);
    r.fill();
    e = r.follow(distances, r.look<distance_bits>(distances));
    const std::size_t distance = r.value_of(e);
    const auto made = static_cast<std::size_t>(out - begin);
    if (e.what == code::unknown || distance > farthest || distance > has + made) {
      t = turn::corrupt;
      break;
    }
    out = distance > made ? copy_back(c, out, n, distance) : repeat_in_words(out, n, distance);
  } while (r.in <= in_stop && out <= stop);
  c.in = r.in;
  c.out = out;
  hold_ = low(r.hold, r.bits);
  bits_ = r.bits;
  if (ended) end_block();
  return t;
}

// ---- the window

void decompressor::remember(byte_view made) noexcept {
  if (made.size() > window_size_) made = made.last(window_size_);
  while (!made.empty()) {
    const std::size_t n = std::min<std::size_t>(made.size(), window_size_ - window_at_);
    std::memcpy(window_.get() + window_at_, made.data(), n);
    window_at_ = static_cast<std::uint32_t>(window_at_ + n) & (window_size_ - 1);
    window_has_ = static_cast<std::uint32_t>(std::min<std::size_t>(window_size_, window_has_ + n));
    made = made.subspan(n);
  }
}

}  // namespace ext::detail
HAWSER_END
