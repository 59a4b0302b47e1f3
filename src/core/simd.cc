#include "core/dispatch.h"

#include <hawser/core/simd.h>

HAWSER_BEGIN
namespace core {

std::string_view name_of(simd_level level) noexcept {
  constexpr std::array<std::string_view, simd_levels.size()> names{"scalar", "avx2", "avx512"};
  return names[static_cast<std::size_t>(level)];
}

bool can_use_simd(simd_level level) noexcept { return detail::mask_kernel_at(level) != nullptr; }

std::string simd_here() {
  std::string names;
  for (const simd_level level : simd_levels) {
    if (can_use_simd(level)) names.append(names.empty() ? "" : ", ").append(name_of(level));
  }
  return names;
}

errc use_simd(std::string_view name) noexcept {
  for (const simd_level level : simd_levels) {
    if (name_of(level) != name) continue;
    if (!can_use_simd(level)) return errc::not_supported;
    detail::use_masking(level);
    detail::use_crc32c(level);
    detail::use_utf8(level);
    return errc::ok;
  }
  return errc::invalid_argument;
}

simd_in_use simd_now() { return {detail::masking_in_use(), detail::utf8_in_use()}; }

}  // namespace core
HAWSER_END
