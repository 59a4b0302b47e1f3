// The frame layer of a connection: what exists only where a stage works on frames. Incoming messages are put together
// in wire form here, outgoing ones wait here and are cut into frames when there is room for them on the way out.
#pragma once

#include "core/pipeline_state.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <vector>

HAWSER_BEGIN
namespace core {

/// A message that comes in.
struct half_message {
  buffer body;
  std::uint8_t first = 0;  // Bits and opcode of its first frame.
  bool open = false;
  std::uint32_t fragments = 0;
  std::uint64_t wire = 0;  // Payload bytes announced so far, without extension data.
  tick started{};
};

/// A message that goes out, as far as it has not been framed.
struct outgoing {
  std::list<buffer> pieces;
  std::uint64_t left = 0;
  std::uint8_t first = 0;  // Bits and opcode; 0 once the first frame has gone.
  std::uint32_t urgency = 0;
  std::uint32_t channel = max_half_way;  // None yet.
  bool complete = false;                 // Its last piece is here.
};

/// Outgoing messages of one urgency, in the order they came.
struct urgency_class {
  std::list<outgoing> messages;
  std::uint64_t bytes = 0;  // As in `frame_layer::bytes`.
};

/// The next frame to go out.
struct frame_cut {
  std::array<std::byte, max_ext_data> ext;
  std::size_t ext_size = 0;
  std::uint8_t first = 0;
  buffer payload;
};

struct frame_layer {
  explicit frame_layer(pipeline::state& owner);

  // ---- in
  /// Shows `all`, the front of a frame, to the stages, network-side first, each what the ones before left of it.
  /// `used`: the extension data of all. False: failed.
  bool take_ext(frame& f, byte_view all, std::size_t& used);
  /// Bytes of a message, unmasked while they move.
  void append(half_message& h, byte_view piece, std::uint32_t key);
  /// True while something is half-way inwards.
  [[nodiscard]] bool waits_for_peer() const noexcept;
  void note_wait(tick now, std::uint64_t n) noexcept;
  void settle_wait() noexcept;

  // ---- out
  [[nodiscard]] std::uint32_t urgency_of(const head& h);
  /// Bytes that would go before a message of this urgency, or with it in turn.
  [[nodiscard]] std::uint64_t waiting_before(std::uint32_t urgency) const noexcept;
  /// Queues a piece of a message; `first` is 0 for all but its first one.
  void queue(std::uint8_t first, buffer piece, bool fin);
  /// Cuts the next frame, of at most `most` bytes of payload. False: nothing can go now, or a stage failed.
  bool cut(std::uint64_t most, frame_cut& out);
  /// True when nothing is left to go: at most a message sent in parts is still open, all of whose parts have gone.
  [[nodiscard]] bool idle() const noexcept { return bytes == 0; }
  void drop_out() noexcept;
  void clear() noexcept;

  pipeline::state& s;
  std::vector<std::uint32_t> stages;  // Those at the frame layer, app-side first.
  std::size_t ext_max = 0;            // Of all of them.
  bool interleaves = false;

  // The frame that comes in.
  std::array<std::byte, max_ext_data> front{};
  std::size_t have = 0;
  std::size_t need = 0;
  bool gathering = false;
  std::uint32_t channel = 0;
  std::array<half_message, max_half_way> in;
  tick since{};            // Since when something is half-way ...
  std::uint64_t came = 0;  // ... and what has come in that time.

  std::map<std::uint32_t, urgency_class, std::greater<>> classes;  // Higher first.
  outgoing* open = nullptr;                                        // Sent in parts, and not complete.
  std::uint32_t announced = 0;                                     // The urgency of the message that is queued next.
  std::uint64_t bytes = 0;       // Of payload, and for each complete message as much as a header may take.
  std::uint32_t channels = 0;    // Bit n: a message half-way outwards has channel n.
  std::vector<std::byte> close;  // The close frame's payload, when it waits for what was queued before.
  bool close_waits = false;
  bool peer_closed = false;  // Nothing that a stage may wait for comes any more, but time.

 private:
  bool candidate(outgoing& m, std::uint64_t most, std::uint64_t& size);
  bool ask_quotas(const outgoing& m, std::uint64_t& size);
  bool make(urgency_class& from, std::list<outgoing>::iterator m, std::uint64_t size, frame_cut& out);
  bool put_ext(const outgoing& m, std::uint64_t size, bool fin, frame_cut& out);
};

}  // namespace core
HAWSER_END
