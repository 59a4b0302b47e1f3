#include "core/dispatch.h"

#include <hawser/core/utf8.h>
#include <simdjson.h>

#include <algorithm>
#include <array>

HAWSER_BEGIN
namespace core {

namespace {

constexpr std::uint8_t failed = 0xFF;

// How many bytes the character has that begins with `lead`; 0 when none does. RFC 3629, 4.
std::size_t character_size(std::byte lead) noexcept {
  const auto value = std::to_integer<unsigned>(lead);
  if (value < 0x80) return 1;
  if (value < 0xC2) return 0;
  if (value < 0xE0) return 2;
  if (value < 0xF0) return 3;
  return value < 0xF5 ? 4 : 0;
}

bool is_continuation(std::byte b) noexcept { return (b & std::byte{0xC0}) == std::byte{0x80}; }

// Some leads narrow what may follow: no overlong form, no surrogate, nothing above U+10FFFF.
bool may_follow(std::byte lead, std::byte second) noexcept {
  if (!is_continuation(second)) return false;
  switch (std::to_integer<unsigned>(lead)) {
    case 0xE0:
      return second >= std::byte{0xA0};
    case 0xED:
      return second < std::byte{0xA0};
    case 0xF0:
      return second >= std::byte{0x90};
    case 0xF4:
      return second < std::byte{0x90};
    default:
      return true;
  }
}

// How many bytes at the end begin a character that is not complete: 0 to 3. Bytes that begin no character at all are
// left to the check of the whole.
std::size_t cut_off(byte_view text) noexcept {
  const std::size_t most = std::min<std::size_t>(text.size(), 3);
  for (std::size_t n = 1; n <= most; ++n) {
    const std::byte b = text[text.size() - n];
    if (!is_continuation(b)) return character_size(b) > n ? n : 0;
  }
  return 0;
}

bool valid_short_utf8(byte_view text) noexcept {
  while (!text.empty()) {
    const std::size_t size = character_size(text[0]);
    if (size == 0 || size > text.size()) return false;
    if (size > 1 && !may_follow(text[0], text[1])) return false;
    for (std::size_t i = 2; i < size; ++i) {
      if (!is_continuation(text[i])) return false;
    }
    text = text.subspan(size);
  }
  return true;
}

}  // namespace

bool detail::valid_utf8_general(byte_view text) noexcept {
  // Finding the vector code and filling its first block costs more than these few characters.
  if (text.size() <= 40) return valid_short_utf8(text);
  return simdjson::validate_utf8(reinterpret_cast<const char*>(text.data()), text.size());
}

// Once, whoever else comes meanwhile waits: simdjson stores its own choice in its first call.
void detail::prepare_utf8() noexcept { [[maybe_unused]] static const bool fine = simdjson::validate_utf8("ASCII", 5); }

void detail::use_utf8(simd_level level) noexcept {
  prepare_utf8();  // Its own choice, made now, cannot come after this one.
  constexpr std::array<const char*, 3> names{"fallback", "haswell", "icelake"};
  const auto& all = simdjson::get_available_implementations();
  for (std::size_t i = static_cast<std::size_t>(level) + 1; i-- > 0;) {
    const simdjson::implementation* code = all[names[i]];
    if (code == nullptr || !code->supported_by_runtime_system()) continue;
    simdjson::get_active_implementation() = code;
    return;
  }
}

std::string detail::utf8_in_use() {
  prepare_utf8();
  const simdjson::implementation* code = simdjson::get_active_implementation();
  return std::string(code->name());
}

bool utf8_validator::feed(byte_view piece) noexcept {
  if (held_ == failed) return false;
  if (!finish_cut(piece)) {
    held_ = failed;
    return false;
  }
  if (piece.empty()) return true;
  const std::size_t tail = cut_off(piece);
  const byte_view rest = piece.last(tail);
  if (!valid_utf8(piece.first(piece.size() - tail)) || (tail > 1 && !may_follow(rest[0], rest[1]))) {
    held_ = failed;
    return false;
  }
  std::copy(rest.begin(), rest.end(), cut_);
  held_ = static_cast<std::uint8_t>(tail);
  return true;
}

bool utf8_validator::finish_cut(byte_view& piece) noexcept {
  while (held_ > 0 && !piece.empty()) {
    const std::byte next = piece[0];
    if (held_ == 1 ? !may_follow(cut_[0], next) : !is_continuation(next)) return false;
    piece = piece.subspan(1);
    if (held_ + 1U == character_size(cut_[0])) {
      held_ = 0;
    } else {
      cut_[held_++] = next;
    }
  }
  return true;
}

}  // namespace core
HAWSER_END
