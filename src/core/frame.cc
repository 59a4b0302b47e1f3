#include <hawser/core/frame.h>

#include <algorithm>

HAWSER_BEGIN
namespace core::detail {

parse_status parse_longest_header(byte_view in, frame_header& out) noexcept {
  constexpr std::size_t size = 10;
  const byte_view known = in.subspan(2, std::min(in.size(), size) - 2);
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < known.size(); ++i)
    length = length << 8 | byte_at(known, i);
  // Both faults show before the length is complete: the highest bit in its first byte (A2), and six zero bytes in front
  // of what two bytes could have said (A13).
  if (!known.empty() && byte_at(known, 0) >= 0x80) return parse_status::length_invalid;
  if (known.size() >= 6 && length >> 8 * (known.size() - 6) == 0) return parse_status::length_invalid;
  if (known.size() < 8) return parse_status::need_more;
  out.length = length;
  return parse_masking_key(in, out, size);
}

void write_longest_header(std::byte* out, std::uint8_t first, std::uint64_t length) noexcept {
  out[0] = std::byte{first};
  out[1] = std::byte{127};
  for (int i = 0; i < 8; ++i)
    out[2 + i] = static_cast<std::byte>(length >> (56 - 8 * i) & 0xFF);
}

}  // namespace core::detail
HAWSER_END
