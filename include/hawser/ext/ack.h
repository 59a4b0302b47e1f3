// Which messages the other end has: acknowledgements, and what is left to be sent again when a connection ends.
//
//   std::vector<hawser::ext::sent_message> again;
//   ws.extensions().add(hawser::ext::ack().on_ended(
//       [&](std::uint64_t, std::vector<hawser::ext::sent_message> left) { again = std::move(left); }));
//
// docs/ext/ack.md says how to use it, docs/wire/ack.md how it looks on the wire.
#pragma once

#include <hawser/base/clock.h>
#include <hawser/base/function.h>
#include <hawser/core/extension.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace ext {

/// A message that was sent and not acknowledged. Good for as long as it is kept, on any one thread.
struct sent_message {
  opcode op = opcode::text;  ///< Text or binary.
  buffer payload;            ///< As the application sent it.

  [[nodiscard]] bool is_text() const noexcept { return op == opcode::text; }  ///< Or binary.
  /// The payload. Valid as long as this object.
  [[nodiscard]] byte_view bytes() const& noexcept HAWSER_LIFETIME_BOUND { return payload.view(); }
  byte_view bytes() const&& = delete;
  [[nodiscard]] std::string_view text() const& noexcept HAWSER_LIFETIME_BOUND { return as_text(payload.view()); }
  std::string_view text() const&& = delete;
};

namespace detail {

/// What one end agreed to and wants to hear, shared by its connections.
struct ack_terms {
  std::uint32_t every = 16;
  std::uint32_t within_ms = 25;
  std::size_t keep = std::size_t{1} << 20;
  // Shared: the functions belong to the factory, which all connections share and may outlive.
  std::shared_ptr<const function<void(std::uint64_t connection, std::uint64_t messages)>> acknowledged;
  std::shared_ptr<const function<void(std::uint64_t connection, std::vector<sent_message> left)>> ended;
};

/// Keeps what was sent until the peer has it, and tells the peer what came.
class HAWSER_API ack_stage {
 public:
  static constexpr unsigned hooks =
      hook::observe | hook::retained | hook::control | hook::timer | hook::flush | hook::closed;

  explicit ack_stage(ack_terms terms) noexcept : terms_(std::move(terms)) {}

  verdict begin(direction way, head& h, context& c);
  void observe(direction way, byte_view chunk, bool fin, context& c);
  void retained(direction way, const head& h, buffer body, context& c);
  void control(std::uint8_t op, byte_view payload, context& c);
  void timer(context& c);
  void flush(context& c);
  void closed(close_code code, context& c);

 private:
  void tell(context& c);
  void take_off(std::uint64_t messages, context& c);

  ack_terms terms_;
  std::vector<sent_message> kept_;  // From `first_` on: sent and not acknowledged, oldest first.
  std::size_t first_ = 0;
  std::size_t kept_bytes_ = 0;
  std::uint64_t sent_ = 0;      // Messages that went out ...
  std::uint64_t proved_ = 0;    // ... those that the peer has ...
  std::uint64_t received_ = 0;  // ... that came in ...
  std::uint64_t told_ = 0;      // ... and of which the peer knows that they did.
  bool closing_ = false;
};

}  // namespace detail

/// `x-hawser-ack`: each end tells the other how many messages it has got, by control frames of opcode 11. Until then
/// the sender keeps them (by reference, where they own their bytes), and gives back what is left when the connection
/// ends. A message is acknowledged once it was handed to the application. An acknowledgement of what was not sent, or
/// that does not go forward, fails the connection with 1002.
///
/// The functions run on the thread of each connection, several at once on a server with several loops; `connection` is
/// what `connection::id()` gives. They run inside the connection's work and must not send or close on it: handlers,
/// which follow, and what is posted may. Every setter gives a copy with that changed.
class HAWSER_API ack {
 public:
  static constexpr std::uint32_t most_every = 1024;        ///< The largest number for `every`.
  static constexpr std::uint32_t most_within_ms = 60'000;  ///< The longest time for `within`, in milliseconds.

  /// Acknowledge at the latest when so many messages are unacknowledged: 1 to 1,024, 16 by default. The smaller of both
  /// ends' numbers counts for both.
  [[nodiscard]] ack every(std::uint32_t messages) const;
  /// ... or when the oldest of them came so long ago: 1 ms to 60 s, 25 ms by default. Likewise the smaller one.
  [[nodiscard]] ack within(std::chrono::milliseconds time) const;
  /// How many bytes of messages, and 64 for each, may wait for their acknowledgement: 1 MiB by default. From then on
  /// sends answer `would_block`, until half of it is left and `on_drain` is called. It counts against
  /// `limits.extension_memory`, which must leave room for one more message: the connection ends with 1008 otherwise.
  [[nodiscard]] ack keep(std::size_t bytes) const;

  /// `f(connection, messages)`: the peer has the first so many messages of this connection. Called once for each
  /// acknowledgement, not for each message.
  template <class F>
  [[nodiscard]] ack on_acknowledged(F f) const {
    ack with = *this;
    with.terms_.acknowledged = std::make_shared<const function<void(std::uint64_t, std::uint64_t)>>(std::move(f));
    return with;
  }
  /// `f(connection, left)`: the connection has ended, before `on_error` and `on_close` hear of it. `left`, perhaps
  /// empty, is what was sent and not acknowledged, oldest first: the peer may have it or not.
  template <class F>
  [[nodiscard]] ack on_ended(F f) const {
    ack with = *this;
    with.terms_.ended = std::make_shared<const function<void(std::uint64_t, std::vector<sent_message>)>>(std::move(f));
    return with;
  }

  /// What every factory has: see `hawser::factory`.
  [[nodiscard]] static std::string_view name() noexcept { return "x-hawser-ack"; }
  [[nodiscard]] std::vector<params> offers() const;
  [[nodiscard]] std::optional<accepted<detail::ack_stage>> accept(const std::vector<params>& all,
                                                                  std::string& why) const;
  [[nodiscard]] std::optional<accepted<detail::ack_stage>> confirm(const params& answer, std::string& why) const;

 private:
  detail::ack_terms terms_;
};

}  // namespace ext
HAWSER_END
