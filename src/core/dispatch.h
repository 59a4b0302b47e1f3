// The kernels that exist in several widths, and which of them this machine can run.
#pragma once

#include <hawser/base/bytes.h>

#include <cstddef>
#include <cstdint>

HAWSER_BEGIN
namespace core::detail {

enum class simd_level : std::uint8_t { scalar, avx2, avx512 };

/// `out` may overlap `in` towards the front only. Every kernel takes every length and alignment.
using mask_kernel = void (*)(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept;

/// The kernel of that level, or null where this machine has no such registers. Tests run them all.
mask_kernel mask_kernel_at(simd_level level) noexcept;

}  // namespace core::detail
HAWSER_END
