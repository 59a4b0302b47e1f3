// The side block of a connection: what exists only while something is half-way.
#pragma once

#include <hawser/base/buffer.h>
#include <hawser/base/clock.h>
#include <hawser/core/frame.h>
#include <hawser/core/utf8.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

HAWSER_BEGIN
namespace core {

constexpr std::size_t most_spare_assemblies = 256;  // Kept by a loop.
constexpr std::size_t most_last_words = 512;        // Bytes of an explanation that are told.

constexpr std::size_t glitch_size = 16;                       // A shorter frame that is not final is a glitch (D20).
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 60;  // Below it sums and small multiples cannot overflow.

/// What the frames of one message may bring: the message itself, or, with stages, what they make it of.
constexpr std::uint64_t most_on_wire(std::uint64_t max_message, bool staged) noexcept {
  const std::uint64_t limit = std::min(max_message, most_bytes);
  return staged ? 4 * limit + 4096 : limit;
}

struct assembly {
  // The message that is coming in.
  buffer body;               // What has arrived of it, when it is delivered whole.
  std::uint64_t size = 0;    // Bytes on the application's side so far.
  std::uint64_t wire = 0;    // Payload bytes of its frames that have arrived.
  std::size_t unproven = 0;  // Capacity reserved on the peer's word, counted in the loop's sum.
  tick started{};            // When the first byte of what is half-way came; zero: nothing is.
  tick judged{};             // Since when it is expected to keep up the least rate.
  utf8_validator text;
  bool pulling = false;  // The pipeline has pieces that were not taken yet.
  bool parts = false;    // A part of it has been delivered.

  // A header, and a control frame, that came in pieces.
  std::uint8_t header_size = 0;
  std::uint8_t control_size = 0;
  std::byte header[max_frame_header];
  std::byte control[125];

  // The last words: a close reason, or what went wrong when that was said in words of its own.
  std::string text_of_end;

  void next_message() noexcept {
    body = {};
    size = wire = 0;
    started = judged = {};
    text.reset();
    pulling = parts = false;
  }
  /// True when part of a header or of a control frame lies here.
  [[nodiscard]] bool has_frame() const noexcept { return header_size != 0 || control_size != 0; }
  [[nodiscard]] bool idle() const noexcept { return text_of_end.empty(); }
};

}  // namespace core
HAWSER_END
