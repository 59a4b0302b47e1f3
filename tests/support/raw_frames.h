// Frames written and read by hand, so that no test of the connection trusts the library's own framing. RFC 6455, 5.2.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/core/opcode.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::test {

using byte_string = std::vector<std::byte>;

inline byte_string bytes_of(std::string_view text) {
  const byte_view view = as_bytes(text);
  return {view.begin(), view.end()};
}

inline std::string text_of(byte_view bytes) { return std::string(as_text(bytes)); }

inline constexpr unsigned fin_bit = 0x80;

/// Writes a stream of frames as one end sends them: a client masks, each frame with another key.
class frame_writer {
 public:
  explicit frame_writer(role from) : masks_(from == role::client) {}

  /// A frame with this first byte (FIN, RSV and opcode) and the shortest form of length.
  frame_writer& frame(unsigned first, std::string_view payload) { return frame(first, as_bytes(payload)); }
  frame_writer& frame(unsigned first, byte_view payload) {
    header(first, payload.size());
    return masked(payload);
  }

  frame_writer& text(std::string_view payload) { return frame(0x81, payload); }
  frame_writer& binary(byte_view payload) { return frame(0x82, payload); }
  frame_writer& ping(std::string_view payload = {}) { return frame(0x89, payload); }
  frame_writer& pong(std::string_view payload = {}) { return frame(0x8A, payload); }
  frame_writer& close() { return frame(0x88, std::string_view{}); }
  frame_writer& close(unsigned code, std::string_view reason = {}) {
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
    return frame(0x88, payload.append(reason));
  }
  /// A message in fragments.
  frame_writer& fragments(unsigned op, std::initializer_list<std::string_view> parts) {
    std::size_t left = parts.size();
    for (const std::string_view part : parts) {
      frame(op | (--left == 0 ? fin_bit : 0), part);
      op = 0;
    }
    return *this;
  }

  /// Only a header, for a payload that comes later, or never. `digits` are the bytes of extended length: 0, 2 or 8.
  frame_writer& header(unsigned first, std::uint64_t length) {
    return header(first, length, length < 126 ? 0U : length < 65536 ? 2U : 8U);
  }
  frame_writer& header(unsigned first, std::uint64_t length, unsigned digits) {
    byte(first);
    byte((digits == 0 ? static_cast<unsigned>(length) : digits == 2 ? 126U : 127U) | (masks_ ? 0x80U : 0U));
    for (unsigned i = digits; i-- > 0;)
      byte(static_cast<unsigned>(length >> (8 * i) & 0xFF));
    if (masks_) {
      key_ = {first ^ 0x5AU, 0x37U + frames_ % 97, 0xC1U, static_cast<unsigned>(length & 0xFF) ^ 0x99U};
      for (const unsigned k : key_)
        byte(k);
    }
    ++frames_;
    used_ = 0;
    return *this;
  }
  /// Payload of the frame whose header was written last, masked where this end masks.
  frame_writer& masked(byte_view payload) {
    out_.reserve(out_.size() + payload.size());
    for (const std::byte b : payload)
      out_.push_back(masks_ ? b ^ static_cast<std::byte>(key_[used_++ % 4]) : b);
    return *this;
  }
  frame_writer& masked(std::string_view payload) { return masked(as_bytes(payload)); }

  /// Bytes as they are.
  frame_writer& raw(std::initializer_list<unsigned> bytes) {
    for (const unsigned b : bytes)
      byte(b);
    return *this;
  }
  /// From here on frames are masked, or not, whatever the role demands.
  frame_writer& masking(bool masks) {
    masks_ = masks;
    return *this;
  }

  [[nodiscard]] const byte_string& bytes() const noexcept { return out_; }
  [[nodiscard]] byte_string take() { return std::exchange(out_, {}); }

 private:
  void byte(unsigned value) { out_.push_back(static_cast<std::byte>(value)); }

  byte_string out_;
  std::array<unsigned, 4> key_{};
  std::size_t used_ = 0;
  unsigned frames_ = 0;
  bool masks_;
};

/// A frame that was read.
struct raw_frame {
  unsigned first = 0;
  std::string payload;

  [[nodiscard]] unsigned op() const noexcept { return first & 0x0F; }
  [[nodiscard]] bool fin() const noexcept { return (first & fin_bit) != 0; }
  bool operator==(const raw_frame&) const = default;
};

/// Prints as "81:hello": GoogleTest finds it by its name.
inline void PrintTo(const raw_frame& f, std::ostream* out) {
  *out << std::hex << f.first << std::dec << ':';
  if (f.payload.size() <= 40)
    *out << f.payload;
  else
    *out << f.payload.size() << " bytes";
}

/// What a strict peer makes of the bytes that `from` sent. `fault` is empty when all is right; an unfinished frame at
/// the end is kept in `rest`.
struct stream_verdict {
  std::vector<raw_frame> frames;
  std::size_t rest = 0;
  std::string fault;

  [[nodiscard]] std::size_t count(unsigned op) const {
    std::size_t n = 0;
    for (const raw_frame& f : frames)
      n += f.op() == op ? 1U : 0U;
    return n;
  }
};

namespace detail {

struct raw_header {
  std::size_t size = 0;
  std::uint64_t length = 0;
  bool masked = false;
};

// Nullopt: not complete.
inline std::optional<raw_header> read_raw_header(byte_view in) {
  const auto at = [&](std::size_t i) { return std::to_integer<std::uint64_t>(in[i]); };
  if (in.size() < 2) return std::nullopt;
  raw_header h;
  h.masked = at(1) >= 128;
  h.length = at(1) % 128;
  const std::size_t digits = h.length == 126 ? 2 : h.length == 127 ? 8 : 0;
  h.size = 2 + digits + (h.masked ? 4U : 0U);
  if (in.size() < h.size) return std::nullopt;
  if (digits > 0) h.length = 0;
  for (std::size_t i = 0; i < digits; ++i)
    h.length = h.length * 256 + at(2 + i);
  return h;
}

// The rules that a frame's header breaks after those that came before it; empty: none. `open` is whether a message is
// unfinished, `extension_bits` what a negotiated extension may set.
inline std::string fault_in(const raw_frame& f, const raw_header& h, bool must_mask, bool open, bool closed,
                            unsigned extension_bits) {
  const std::size_t least = f.op() >= 8 ? 2 : h.length < 126 ? 2 : h.length < 65536 ? 4 : 10;
  if (closed) return "a frame after the close frame";
  if (h.masked != must_mask) return "masked or not masked against the role";
  if (h.size != least + (h.masked ? 4U : 0U)) return "the length is not in its shortest form";
  if (h.length >> 63 != 0) return "the length has its highest bit set";
  if ((f.first & 0x70U & ~extension_bits) != 0) return "a reserved bit";
  if (f.op() >= 8) {
    if (h.length > 125) return "a control frame over 125 bytes";
    return f.fin() ? "" : "a control frame in fragments";
  }
  if (f.op() == 0) return open ? "" : "a continuation without a message";
  return open ? "a message inside an unfinished one" : "";
}

}  // namespace detail

/// Reads the bytes that an end of role `from` sent. `extension_bits` are the RSV bits (0x70) that were negotiated; own
/// opcodes are not judged.
inline stream_verdict read_frames(byte_view in, role from, unsigned extension_bits = 0) {
  stream_verdict all;
  bool open = false;
  bool closed = false;
  for (;;) {
    const auto h = detail::read_raw_header(in);
    raw_frame f;
    if (!in.empty()) f.first = std::to_integer<unsigned>(in[0]);
    if (h) all.fault = detail::fault_in(f, *h, from == role::client, open, closed, extension_bits);
    if (!all.fault.empty()) return all;
    if (!h || in.size() - h->size < h->length) break;
    for (std::size_t i = 0; i < h->length; ++i) {
      std::byte b = in[h->size + i];
      if (h->masked) b ^= in[h->size - 4 + i % 4];
      f.payload.push_back(static_cast<char>(b));
    }
    in = in.subspan(h->size + f.payload.size());
    if (f.op() < 8) open = !f.fin();
    closed = f.op() == 8;
    all.frames.push_back(std::move(f));
  }
  all.rest = in.size();
  return all;
}

/// The code in a close frame's payload; 1005 when there is none.
inline unsigned close_code_of(const raw_frame& f) {
  if (f.payload.size() < 2) return 1005;
  return static_cast<unsigned char>(f.payload[0]) * 256U + static_cast<unsigned char>(f.payload[1]);
}

}  // namespace hawser::test
