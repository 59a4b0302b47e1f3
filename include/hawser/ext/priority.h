// A small message overtakes a big one, on the same connection.
//
//   ws.extensions().add(hawser::ext::priority());
//   c.send(urgent, {.priority = 200});
//
// docs/ext/priority.md says how to use it, docs/wire/priority.md how it looks on the wire.
#pragma once

#include <hawser/core/extension.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace ext {

namespace detail {

/// What a sender may do, in the words of its receiver.
struct priority_terms {
  std::uint32_t window = 256U << 10;
  std::uint32_t memory = 1U << 20;
};

/// How much has passed of the messages half-way in one direction. Both ends count the same bytes.
class HAWSER_API half_way_bytes {
 public:
  void add(std::uint32_t channel, std::uint64_t bytes, bool fin) noexcept;
  /// What all but the largest have beyond their first 16 KiB.
  [[nodiscard]] std::uint64_t beside() const noexcept;
  /// How much more may pass of `channel`, or of a message that is on none yet, with `memory` bytes beside the largest.
  [[nodiscard]] std::uint64_t room(std::optional<std::uint32_t> channel, std::uint64_t memory) const noexcept;
  [[nodiscard]] std::size_t count() const noexcept;

 private:
  std::array<std::uint64_t, max_half_way> passed_{};
  std::array<bool, max_half_way> open_{};
};

/// One connection's side: marks frames with their channel, keeps to what the peer granted, and grants.
class HAWSER_API priority_stage {
 public:
  static constexpr unsigned hooks =
      hook::frame | hook::quota | hook::urgency | hook::control | hook::timer | hook::flush | hook::closed;

  priority_stage(priority_terms theirs, priority_terms ours, std::uint64_t small) noexcept
      : theirs_(theirs), ours_(ours), small_(small), credit_(theirs.window), granted_(ours.window) {}

  static verdict begin(direction, head&, context&) { return verdict::bypass; }
  std::size_t frame_in(frame& f, byte_view first, context& c);
  std::size_t frame_out(const frame& f, byte_span room, context& c);
  [[nodiscard]] std::uint64_t frame_quota(const frame& f, context& c) const noexcept;
  [[nodiscard]] std::uint32_t frame_urgency(const head& h, context& c) const noexcept;
  void control(std::uint8_t op, byte_view payload, context& c);
  void timer(context& c);
  void flush(context& c);
  void closed(close_code code, context& c);

 private:
  const char* account(const frame& f, std::uint64_t size);
  bool charge_halves(context& c);
  void grant(context& c);

  priority_terms theirs_;
  priority_terms ours_;
  std::uint64_t small_;
  std::uint64_t credit_;          // What may still be sent.
  std::uint64_t granted_;         // What the peer may still send ...
  std::uint64_t unreported_ = 0;  // ... and what came and is not granted anew.
  half_way_bytes out_;
  half_way_bytes in_;
  std::uint64_t charged_ = 0;
  bool closing_ = false;
};

}  // namespace detail

/// `x-hawser-priority`: messages are cut into frames of at most 16 KiB and the most urgent goes first at each of them.
/// A receiver grants how many bytes may be on their way to it, so that what is urgent does not wait behind all that the
/// system has taken already; it does so by control frames of opcode 15. A byte of extension data in each data frame
/// says which message it belongs to. Each end says what it wants of the other; every setter gives a copy with that
/// changed.
///
/// By `send_options::priority` and then by size: of the same priority, what is small goes before what is not. Among
/// equals the order stays. It is refused beside an extension that must see messages in order, such as
/// permessage-deflate with context takeover.
class HAWSER_API priority {
 public:
  static constexpr std::uint32_t least_window = 16U << 10;  ///< The least for `window`.
  static constexpr std::uint32_t least_memory = 64U << 10;  ///< The least for `memory`.
  static constexpr std::uint32_t most = 1U << 30;           ///< The most for either.

  /// Bytes that the peer may have on their way to this end: 16 KiB to 1 GiB, 256 KiB by default. What is urgent waits
  /// at most for so many; a connection carries at most so many in a round trip. A quarter of it is kept for small
  /// messages.
  [[nodiscard]] priority window(std::uint32_t bytes) const;
  /// Bytes of messages half-way that may wait here for their ends, beside the largest of them and the first 16 KiB of
  /// each: 64 KiB to 1 GiB, 1 MiB by default. Charged against `limits.extension_memory`, over which the connection ends
  /// with 1008.
  [[nodiscard]] priority memory(std::uint32_t bytes) const;
  /// Messages of at most so many bytes, as the application sends them, are small: 4,096 by default. For what this end
  /// sends; nothing is agreed on.
  [[nodiscard]] priority small(std::uint64_t bytes) const;

  /// What every factory has: see `hawser::factory`.
  [[nodiscard]] static std::string_view name() noexcept { return "x-hawser-priority"; }
  [[nodiscard]] std::vector<params> offers() const;
  [[nodiscard]] std::optional<accepted<detail::priority_stage>> confirm(const params& theirs, std::string& why) const;

 private:
  detail::priority_terms ours_;
  std::uint64_t small_ = 4096;
};

}  // namespace ext
HAWSER_END
