// The frame header: read and written, nothing else. RFC 6455, 5.2.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/core/opcode.h>

#include <cstddef>
#include <cstdint>

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
  bool masked;
};

enum class parse_status : std::uint8_t {
  ok,
  need_more,       ///< The header is not complete yet.
  length_invalid,  ///< Not the shortest form, or the highest bit of 64 is set. As soon as it can be known (A2, A13).
};

/// Reads the header at the front of `in` into `out`. Pure: consumes nothing, allocates nothing. `out` is defined only
/// with `parse_status::ok`. RSV bits and opcodes are not judged here: their meaning depends on what was negotiated.
HAWSER_API parse_status parse_frame_header(byte_view in, frame_header& out) noexcept;

/// The size in bytes of the header of a frame with `length` bytes of payload.
constexpr std::size_t frame_header_size(std::uint64_t length, bool masked) noexcept {
  return (length < 126 ? 2U : length < 65536 ? 4U : 10U) + (masked ? 4U : 0U);
}

/// Writes an unmasked header to `out`, which has room for `frame_header_size(length, false)` bytes, and returns that
/// size. `first` is FIN, RSV and opcode as on the wire; `length` is below 2^63.
HAWSER_API std::size_t write_frame_header(std::byte* out, std::uint8_t first, std::uint64_t length) noexcept;

/// The same with the mask bit and the four bytes of `masking_key` in the order they have in memory.
HAWSER_API std::size_t write_frame_header(std::byte* out, std::uint8_t first, std::uint64_t length,
                                          std::uint32_t masking_key) noexcept;

}  // namespace core
HAWSER_END
