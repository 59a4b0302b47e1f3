// The side block of a connection: what exists only while something is half-way.
#pragma once

#include <hawser/base/buffer.h>
#include <hawser/base/clock.h>
#include <hawser/core/pipeline.h>
#include <hawser/core/utf8.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

HAWSER_BEGIN
namespace core {

struct assembly {
  // The message that is coming in.
  buffer body;               // What has arrived of it, when it is delivered whole.
  std::uint64_t size = 0;    // Bytes on the application's side so far.
  std::uint64_t wire = 0;    // Payload bytes of its frames so far, the announced ones included.
  std::size_t unproven = 0;  // Capacity reserved on the peer's word, counted in the loop's sum.
  tick started{};
  utf8_validator text;
  bool pulling = false;  // The pipeline has pieces that were not taken yet.
  bool parts = false;    // A part of it has been delivered.

  // A control frame that came in pieces.
  std::byte control[125];
  std::uint8_t control_size = 0;

  // Messages that stages let go on inwards, and the one in hand.
  std::deque<pipeline::work> waiting;
  buffer forwarded;

  // The last words: a close reason, or what went wrong.
  std::string text_of_end;

  void next_message() noexcept {
    body = {};
    size = wire = 0;
    started = {};
    text.reset();
    pulling = parts = false;
    forwarded = {};
  }
  [[nodiscard]] bool idle() const noexcept { return control_size == 0 && waiting.empty() && text_of_end.empty(); }
};

}  // namespace core
HAWSER_END
