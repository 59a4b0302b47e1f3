// The kernels that exist in several widths, and which of them this machine can run.
#pragma once

#include <hawser/base/bytes.h>

#include <cstddef>
#include <cstdint>

/// A build with HAWSER_PORTABLE has the scalar kernels alone, as another processor would, so that they get their tests.
#if defined(__x86_64__) && !defined(HAWSER_PORTABLE)
#define HAWSER_X86_KERNELS
#endif

HAWSER_BEGIN
namespace core::detail {

enum class simd_level : std::uint8_t { scalar, avx2, avx512 };

/// `out` may overlap `in` towards the front only. Every kernel takes every length and alignment.
using mask_kernel = void (*)(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept;

/// The kernel of that level, or null where this machine has no such registers. Tests run them all.
mask_kernel mask_kernel_at(simd_level level) noexcept;

}  // namespace core::detail
HAWSER_END
