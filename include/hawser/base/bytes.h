// Bytes, and the two ways to look at them.
#pragma once

#include <hawser/base/config.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

HAWSER_BEGIN

/// Bytes that the callee may read. Borrowed: valid for the call only, unless a declaration says otherwise.
using byte_view = std::span<const std::byte>;

/// Bytes that the callee may change. Borrowed like `byte_view`.
using byte_span = std::span<std::byte>;

/// The bytes of `text`; valid as long as `text`.
inline byte_view as_bytes(std::string_view text HAWSER_LIFETIME_BOUND) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// `bytes` as characters, unchecked; valid as long as `bytes`.
inline std::string_view as_text(byte_view bytes HAWSER_LIFETIME_BOUND) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

HAWSER_END
