// What the stages of extensions leave with a message for the application.
#pragma once

#include <hawser/base/bytes.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN

/// The longest note of a stage.
inline constexpr std::size_t max_note = 32;

namespace core {

/// The notes of one message, by the name of the extension.
class HAWSER_API notes {
 public:
  /// Notes `bytes`, at most `max_note` of them, instead of what was noted under this name before.
  void set(std::string_view extension, byte_view bytes);
  /// Forgets all, and keeps the memory for the next message.
  void clear() noexcept { count_ = 0; }

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }  ///< True when nothing was noted.
  /// What this extension noted; empty for nothing. Good until the next call of `set` or `clear`.
  [[nodiscard]] byte_view find(std::string_view extension) const& noexcept HAWSER_LIFETIME_BOUND;
  byte_view find(std::string_view extension) const&& = delete;

 private:
  struct one {
    std::string extension;
    std::array<std::byte, max_note> bytes;
    std::uint8_t size;
  };
  std::vector<one> all_;  // The first `count_` are those of this message.
  std::size_t count_ = 0;
};

}  // namespace core
HAWSER_END
