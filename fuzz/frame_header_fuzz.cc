// The input is the beginning of a stream: every prefix of it is parsed as a frame header.

#include "support/require.h"

#include <hawser/core/frame.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

using hawser::byte_view;
using hawser::core::frame_header;
using hawser::core::frame_header_size;
using hawser::core::max_frame_header;
using hawser::core::parse_frame_header;
using hawser::core::parse_status;
using hawser::core::write_frame_header;
using hawser::fuzz::require;

namespace {

void require_written_again(byte_view in, const frame_header& header) {
  require(header.length >> 63 == 0, "a length fits 63 bits");
  require(header.size == frame_header_size(header.length, header.masked), "a header has the shortest form");
  std::array<std::byte, max_frame_header> again{};
  const std::size_t size = header.masked
                               ? write_frame_header(again.data(), header.first, header.length, header.masking_key)
                               : write_frame_header(again.data(), header.first, header.length);
  require(size == header.size, "the writer makes a header of the same size");
  require(std::equal(again.begin(), again.begin() + static_cast<std::ptrdiff_t>(size), in.begin()),
          "the writer makes the same bytes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view in(reinterpret_cast<const std::byte*>(data), std::min(size, max_frame_header + 2));
  parse_status before = parse_status::need_more;
  for (std::size_t n = 0; n <= in.size(); ++n) {
    // Exactly as large as the prefix, so that a read behind it is seen.
    const std::vector<std::byte> prefix(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(n));
    frame_header header;
    const parse_status now = parse_frame_header(prefix, header);
#ifdef HAWSER_PLANTED_BUG
    // A reader that drops the high half of a length.
    if (now == parse_status::ok && header.masked) header.length &= 0xFFFFFFFFU;
#endif
    require(before == parse_status::need_more || now == before, "more bytes do not change a verdict");
    require(n < max_frame_header || now != parse_status::need_more, "no header is longer than 14 bytes");
    if (now == parse_status::ok) {
      require(header.size <= n, "a header lies inside the bytes that have come");
      require_written_again(prefix, header);
    }
    before = now;
  }
  return 0;
}
