// The frame header: read and written, nothing else. RFC 6455, 5.2.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/core/opcode.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

HAWSER_BEGIN
namespace core {

/// The longest frame header: 2 bytes, 8 of length, 4 of masking key.
inline constexpr std::size_t max_frame_header = 14;

/// A frame header as it stands on the wire.
struct frame_header {
  std::uint64_t length;       ///< Payload length in bytes, extension data included.
  std::uint32_t masking_key;  ///< The four key bytes in wire order (copied, not converted); 0 when not masked.
  std::uint8_t first;         ///< FIN (0x80), RSV1-3 (0x70), opcode (0x0F).
  std::uint8_t size;          ///< Bytes of this header, 2 to 14.
  bool masked;                ///< Whether a masking key stands in it.
};

/// What reading a header came to.
enum class parse_status : std::uint8_t {
  ok,
  need_more,       ///< The header is not complete yet.
  length_invalid,  ///< Not the shortest form, or the highest bit of 64 is set. As soon as it can be known (A2, A13).
};

namespace detail {
/// The rest of `parse_frame_header` for the form with eight bytes of length.
HAWSER_API parse_status parse_longest_header(byte_view in, frame_header& out) noexcept;
/// The rest of `write_frame_header` for the form with eight bytes of length: writes these ten bytes.
HAWSER_API void write_longest_header(std::byte* out, std::uint8_t first, std::uint64_t length) noexcept;

inline std::uint8_t byte_at(byte_view in, std::size_t i) noexcept { return std::to_integer<std::uint8_t>(in[i]); }

/// Completes `out` when its size without the masking key and its length are known.
inline parse_status parse_masking_key(byte_view in, frame_header& out, std::size_t size) noexcept {
  out.first = byte_at(in, 0);
  out.masked = (byte_at(in, 1) & 0x80) != 0;
  out.masking_key = 0;
  if (out.masked) {
    if (in.size() < size + sizeof out.masking_key) return parse_status::need_more;
    std::memcpy(&out.masking_key, in.data() + size, sizeof out.masking_key);
    size += sizeof out.masking_key;
  }
  out.size = static_cast<std::uint8_t>(size);
  return parse_status::ok;
}
}  // namespace detail

/// Reads the header at the front of `in` into `out`. Pure: consumes nothing, allocates nothing. `out` is defined only
/// with `parse_status::ok`. RSV bits and opcodes are not judged here: their meaning depends on what was negotiated.
[[nodiscard]] inline parse_status parse_frame_header(byte_view in, frame_header& out) noexcept {
  if (in.size() < 2) return parse_status::need_more;
  const unsigned length = detail::byte_at(in, 1) & 0x7FU;
  if (length < 126) {
    out.length = length;
    return detail::parse_masking_key(in, out, 2);
  }
  if (length == 127) return detail::parse_longest_header(in, out);
  if (in.size() < 4) return parse_status::need_more;
  out.length = static_cast<unsigned>(detail::byte_at(in, 2) << 8 | detail::byte_at(in, 3));
  if (out.length < 126) return parse_status::length_invalid;
  return detail::parse_masking_key(in, out, 4);
}

/// The size in bytes of the header of a frame with `length` bytes of payload.
constexpr std::size_t frame_header_size(std::uint64_t length, bool masked) noexcept {
  return (length < 126 ? 2U : length < 65536 ? 4U : 10U) + (masked ? 4U : 0U);
}

/// Writes an unmasked header to `out`, which has room for `frame_header_size(length, false)` bytes, and returns that
/// size. `first` is FIN, RSV and opcode as on the wire; `length` is below 2^63.
inline std::size_t write_frame_header(std::byte* out, std::uint8_t first, std::uint64_t length) noexcept {
  if (length >= 65536) {
    detail::write_longest_header(out, first, length);
    return 10;
  }
  out[0] = std::byte{first};
  if (length < 126) {
    out[1] = static_cast<std::byte>(length);
    return 2;
  }
  out[1] = std::byte{126};
  out[2] = static_cast<std::byte>(length >> 8);
  out[3] = static_cast<std::byte>(length & 0xFF);
  return 4;
}

/// The same with the mask bit and the four bytes of `masking_key` in the order they have in memory.
inline std::size_t write_frame_header(std::byte* out, std::uint8_t first, std::uint64_t length,
                                      std::uint32_t masking_key) noexcept {
  const std::size_t size = write_frame_header(out, first, length);
  out[1] |= std::byte{0x80};
  std::memcpy(out + size, &masking_key, sizeof masking_key);
  return size + sizeof masking_key;
}

}  // namespace core
HAWSER_END
