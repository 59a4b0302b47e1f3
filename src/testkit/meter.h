// What the stages of one connection make: counted, and bounded, so that a run on any stage ends.
#pragma once

#include <hawser/base/config.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

HAWSER_BEGIN
namespace testkit {

/// Frames, messages that come to an application, and their bytes.
struct made_of {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  friend made_of operator-(const made_of& a, const made_of& b) { return {a.frames - b.frames, a.bytes - b.bytes}; }
};

/// Once over, the kit gives this connection nothing more and takes nothing more from it.
class meter {
 public:
  /// `longest`: the most bytes that one message may have inwards. `frames_a_byte`: how many frames a sender may make of
  /// a byte of its application's.
  meter(std::uint64_t longest, std::uint64_t frames_a_byte)
      : longest_(std::min<std::uint64_t>(longest, std::uint64_t{1} << 32)), frames_a_byte_(frames_a_byte) {}

  /// The application sent a message of so many bytes.
  void sent(std::size_t bytes) noexcept {
    ++messages_;
    given_ += bytes;
  }
  void made(std::uint64_t frames, std::uint64_t bytes) noexcept {
    made_.frames += frames;
    made_.bytes += bytes;
  }
  /// Pieces were carried, or tried to be.
  void carried() noexcept { ++steps_; }
  /// Time that has passed since the beginning.
  void passed(std::uint64_t seconds) noexcept { seconds_ = seconds; }

  [[nodiscard]] const made_of& all() const noexcept { return made_; }
  [[nodiscard]] bool over() const noexcept {
    return made_.frames > most_frames() || made_.bytes > most_bytes() || steps_ > most_steps();
  }
  /// Bytes that may still be made.
  [[nodiscard]] std::uint64_t left() const noexcept { return most_bytes() - std::min(most_bytes(), made_.bytes); }
  /// What was made of what, for a report.
  [[nodiscard]] std::string words() const {
    return std::to_string(made_.frames) + " frames and messages with " + std::to_string(made_.bytes) +
           " bytes were made of " + std::to_string(messages_) + " messages with " + std::to_string(given_) + " bytes";
  }

 private:
  [[nodiscard]] std::uint64_t most_frames() const noexcept {
    return 10'000 + 4 * messages_ + frames_a_byte_ * given_ + 200 * seconds_;
  }
  [[nodiscard]] std::uint64_t most_bytes() const noexcept {
    return (std::uint64_t{8} << 20) + 8 * longest_ + 8 * given_;
  }
  [[nodiscard]] std::uint64_t most_steps() const noexcept { return 60'000 + given_ / 16; }

  std::uint64_t longest_;
  std::uint64_t frames_a_byte_;
  std::uint64_t messages_ = 0;
  std::uint64_t given_ = 0;
  std::uint64_t seconds_ = 0;
  std::uint64_t steps_ = 0;
  made_of made_;
};

}  // namespace testkit
HAWSER_END
