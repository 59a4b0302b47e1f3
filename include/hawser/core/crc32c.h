// CRC-32C: the checksum of Castagnoli, with which storage and iSCSI find damaged bytes. RFC 3720, 12.1 and B.4.
#pragma once

#include <hawser/base/bytes.h>

#include <cstdint>

HAWSER_BEGIN
namespace core {

/// The CRC-32C of what was summed before, whose value is `before`, followed by `bytes`. Of nothing at all it is 0, so a
/// message in pieces is `crc32c(second, crc32c(first))`. Uses the instruction of SSE4.2 where the machine has it and
/// `use_simd` did not ask for `scalar`.
[[nodiscard]] HAWSER_API std::uint32_t crc32c(byte_view bytes, std::uint32_t before = 0) noexcept;

}  // namespace core
HAWSER_END
