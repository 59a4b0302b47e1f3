// UTF-8: whole payloads and partial ones. RFC 3629; RFC 6455, 8.1.
#pragma once

#include <hawser/base/bytes.h>

#include <cstdint>
#include <cstring>

HAWSER_BEGIN
namespace core {

namespace detail {
/// The general check; `valid_utf8` is the way in.
HAWSER_API bool valid_utf8_general(byte_view text) noexcept;
/// Chooses the code for this machine, which takes memory the first time: before there is anything to be lost.
HAWSER_API void prepare_utf8() noexcept;
}  // namespace detail

/// True when `text` is UTF-8: no overlong form, no surrogate, nothing above U+10FFFF, nothing cut off.
/// Short ASCII is decided inline, everything else by vector code.
[[nodiscard]] inline bool valid_utf8(byte_view text) noexcept {
  if (text.size() > 128) return detail::valid_utf8_general(text);
  const std::byte* p = text.data();
  std::size_t left = text.size();
  std::uint64_t seen = 0;
  for (; left >= 8; left -= 8, p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    seen |= word;
  }
  for (; left > 0; --left, ++p)
    seen |= std::to_integer<std::uint64_t>(*p);
  return (seen & 0x8080808080808080U) == 0 || detail::valid_utf8_general(text);
}

/// Checks text that comes in pieces, and says no at the first byte that cannot be part of UTF-8, also in the middle of
/// a character. Four bytes of state, trivially copyable.
class HAWSER_API utf8_validator {
 public:
  /// Takes the next piece. False: what came so far is not the beginning of any UTF-8 text; stays false.
  [[nodiscard]] bool feed(byte_view piece) noexcept;

  /// True when what came so far ends with a whole character.
  [[nodiscard]] bool complete() const noexcept { return held_ == 0; }

  /// Forgets everything: ready for the next message.
  void reset() noexcept { held_ = 0; }

 private:
  // Takes the bytes that complete the held character off the front of `piece`; false when they cannot.
  bool finish_cut(byte_view& piece) noexcept;

  std::byte cut_[3] = {};  // The first bytes of a character whose rest has not come.
  std::uint8_t held_ = 0;  // How many of them; 0xFF: failed.
};

}  // namespace core
HAWSER_END
