// The kernels that exist in several widths, and which of them this machine can run.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/core/simd.h>

#include <cstddef>
#include <cstdint>
#include <string>

/// A build with HAWSER_PORTABLE has the scalar kernels alone, as another processor would, so that they get their tests.
#if defined(__x86_64__) && !defined(HAWSER_PORTABLE)
#define HAWSER_X86_KERNELS
#endif

HAWSER_BEGIN
namespace core::detail {

/// `out` may overlap `in` towards the front only. Every kernel takes every length and alignment.
using mask_kernel = void (*)(std::byte* out, const std::byte* in, std::size_t n, std::uint32_t key) noexcept;

/// The kernel of that level, or null where this machine has no such registers. Tests run them all.
mask_kernel mask_kernel_at(simd_level level) noexcept;

/// Makes `mask_wide` use the kernel of that level, which this machine must have.
void use_masking(simd_level level) noexcept;
/// The level whose kernel `mask_wide` uses.
simd_level masking_in_use() noexcept;

/// Goes on with a CRC-32C; the state is the sum with all bits turned.
using crc32c_kernel = std::uint32_t (*)(std::uint32_t state, const std::byte* p, std::size_t n) noexcept;

/// The kernel of that level; the tables where this machine has no instruction for it. Tests run them all.
crc32c_kernel crc32c_kernel_at(simd_level level) noexcept;

/// Makes `crc32c` use the kernel of that level.
void use_crc32c(simd_level level) noexcept;

/// Makes simdjson use its code of that level, or of the next narrower one that it has for this machine.
void use_utf8(simd_level level) noexcept;
/// The name of the code in use.
std::string utf8_in_use();

}  // namespace core::detail
HAWSER_END
