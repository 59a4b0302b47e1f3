// Four bytes of key, one of alignment, one of distance, then the payload: all kernels must agree with the plain loop.

#include "core/dispatch.h"
#include "support/require.h"

#include <hawser/core/mask.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

using hawser::byte_view;
using hawser::core::advance_key;
using hawser::core::mask;
using hawser::core::simd_level;
using hawser::core::simd_levels;
using hawser::core::detail::mask_kernel;
using hawser::core::detail::mask_kernel_at;
using hawser::fuzz::require;

namespace {

struct input {
  std::uint32_t key;
  std::size_t alignment;  // Bytes in front of the output.
  std::size_t distance;   // How far the payload moves towards the front.
  byte_view payload;
};

std::vector<std::byte> mask_plainly(const input& in) {
  std::vector<std::byte> out(in.payload.begin(), in.payload.end());
  std::byte key[4];
  std::memcpy(key, &in.key, sizeof key);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] ^= key[i % 4];
  return out;
}

void require_kernel(mask_kernel kernel, const input& in, const std::vector<std::byte>& expected) {
  std::vector<std::byte> area(in.alignment + in.distance);
  area.insert(area.end(), in.payload.begin(), in.payload.end());
  std::byte* const out = area.data() + in.alignment;
  kernel(out, out + in.distance, in.payload.size(), in.key);
#ifdef HAWSER_PLANTED_BUG
  // A kernel that forgets the tail behind its second register when the output is not aligned.
  if (in.payload.size() % 64 > 32 && in.payload.size() % 64 < 36 && in.alignment % 8 == 5)
    out[in.payload.size() - 1] ^= std::byte{1};
#endif
  require(std::equal(expected.begin(), expected.end(), out), "a kernel agrees with the plain loop");
}

void require_in_two_parts(const input& in, const std::vector<std::byte>& expected) {
  std::vector<std::byte> data(in.payload.begin(), in.payload.end());
  const std::size_t first = std::min(in.alignment + in.distance, data.size());
  const hawser::byte_span all(data);
  mask(all.first(first), in.key);
  mask(all.subspan(first), advance_key(in.key, first));
  require(data == expected, "two parts with an advanced key are one");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 6) return 0;
  input in{0, data[4] % std::size_t{64}, data[5], {reinterpret_cast<const std::byte*>(data) + 6, size - 6}};
  std::memcpy(&in.key, data, sizeof in.key);
  const std::vector<std::byte> expected = mask_plainly(in);
  for (const simd_level level : simd_levels) {
    if (const mask_kernel kernel = mask_kernel_at(level); kernel != nullptr) require_kernel(kernel, in, expected);
  }
  require_in_two_parts(in, expected);
  return 0;
}
