// Which registers masking, the check of UTF-8 and checksums use.
#pragma once

#include <hawser/base/config.h>
#include <hawser/base/errc.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

HAWSER_BEGIN
namespace core {

/// The widths that the vector code comes in. `scalar` is all that other processors than x86-64 have here.
enum class simd_level : std::uint8_t { scalar, avx2, avx512 };

/// All levels, narrow first.
inline constexpr std::array simd_levels{simd_level::scalar, simd_level::avx2, simd_level::avx512};

/// "scalar", "avx2" or "avx512".
[[nodiscard]] HAWSER_API std::string_view name_of(simd_level level) noexcept;

/// True when this machine can run that level.
[[nodiscard]] HAWSER_API bool can_use_simd(simd_level level) noexcept;

/// The names of the levels that this machine can run, as a sentence lists them: "scalar, avx2".
[[nodiscard]] HAWSER_API std::string simd_here();

/// Makes the whole process mask, check UTF-8 and sum at that level instead of the best one, which is used when nobody
/// asks: for tests and comparisons. At any time, on any thread; but where no loop and no `resources` was ever made, not
/// while another thread checks UTF-8 for the first time: its choice could come later. Errors, and nothing has changed:
/// `invalid_argument` for another name than those of `name_of`, `not_supported` when this machine cannot run it.
[[nodiscard]] HAWSER_API errc use_simd(std::string_view name) noexcept;

/// What is in use now.
struct simd_in_use {
  simd_level masking;  ///< For masking and sums.
  /// The name that simdjson gives to the code that checks longer texts: "fallback", "haswell", "icelake" ...
  std::string utf8;
};
/// What this process uses now. Any thread.
[[nodiscard]] HAWSER_API simd_in_use simd_now();

}  // namespace core
HAWSER_END
