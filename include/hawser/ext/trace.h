// The W3C trace context of each message, beside its payload.
//
//   ws.extensions().add(hawser::ext::trace().sent_with([](std::uint64_t) { return my_tracer_current(); }));
//   ws.on_message([](hawser::connection c, const hawser::message& m) {
//     if (auto from = hawser::ext::trace::of(m)) begin_span(from->traceparent());
//   });
//
// docs/ext/trace.md says more, docs/wire/trace.md how it looks on the wire.
#pragma once

#include <hawser/base/function.h>
#include <hawser/core/extension.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace ext {

/// Where a message belongs: what the HTTP header `traceparent` says. W3C Trace Context, 3.2.
struct trace_context {
  static constexpr std::uint8_t sampled_flag = 1;    ///< The sender recorded it.
  static constexpr std::uint8_t random_id_flag = 2;  ///< The last seven bytes of `trace_id` are random.

  std::array<std::byte, 16> trace_id{};  ///< The whole trace; not all zeros.
  std::array<std::byte, 8> parent_id{};  ///< The sender's span; not all zeros.
  std::uint8_t flags = 0;                ///< `sampled_flag`, `random_id_flag`; others are not sent.

  /// Whether the sender recorded it.
  [[nodiscard]] bool sampled() const noexcept { return (flags & sampled_flag) != 0; }
  /// False when one of the two ids is all zeros, which stands for none.
  [[nodiscard]] HAWSER_API bool valid() const noexcept;
  /// "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  [[nodiscard]] HAWSER_API std::string traceparent() const;
  /// Reads such a text, of any version that can be read as this one. Nothing: the text is malformed, or the context is
  /// not valid.
  [[nodiscard]] HAWSER_API static std::optional<trace_context> parse(std::string_view traceparent);

  bool operator==(const trace_context&) const noexcept = default;
};

namespace detail {

/// Bytes in front of a message that has a context.
inline constexpr std::size_t trace_size = 26;

HAWSER_API std::array<std::byte, trace_size> to_wire(const trace_context& c) noexcept;
/// Nothing for what a peer must not send.
HAWSER_API std::optional<trace_context> from_wire(byte_view bytes) noexcept;

using trace_source = function<std::optional<trace_context>(std::uint64_t connection)>;

/// Puts the context in front of what goes out, and takes it off what comes in.
class HAWSER_API trace_stage {
 public:
  static constexpr unsigned hooks = hook::prefix;

  explicit trace_stage(std::shared_ptr<const trace_source> source) noexcept : source_(std::move(source)) {}

  verdict begin(direction way, head& h, context& c);
  void prefix(direction way, byte_span bytes, context& c);
  bool operator==(const trace_stage& other) const noexcept { return source_ == other.source_; }

 private:
  // Shared: the function belongs to the factory, which all connections share and may outlive.
  std::shared_ptr<const trace_source> source_;
  trace_context going_;
};

}  // namespace detail

/// `x-hawser-trace`: messages carry a W3C trace context, 26 bytes in front of the payload; RSV2 marks those that do.
/// One without a context costs nothing on the wire. A context that a peer must not send (the version 255, an id of
/// zeros) fails the connection with 1002.
class HAWSER_API trace {
 public:
  /// `f` says the context of each data message that goes out, or nothing: `optional<trace_context>(uint64_t
  /// connection)`, where the number is `connection::id()`. It is called when the message is made, on the loop's thread:
  /// for what a handler sends, inside that handler. One factory serves all connections, so on a server with several
  /// loops it is called by several threads at once. It must not send or close on the connection, which answers
  /// `wrong_state`. One that throws fails the connection with 1011. Without a function nothing is sent and what comes
  /// is read. Gives a copy with that function.
  template <class F>
  [[nodiscard]] trace sent_with(F f) const {
    trace with = *this;
    with.source_ = std::make_shared<const detail::trace_source>(std::move(f));
    return with;
  }

  /// The context that `m`, a `hawser::message`, came with, or nothing.
  template <class Message>
  [[nodiscard]] static std::optional<trace_context> of(const Message& m) noexcept {
    return detail::from_wire(m.note(name()));
  }

  /// What every factory has: see `hawser::factory`.
  [[nodiscard]] static std::string_view name() noexcept { return "x-hawser-trace"; }
  [[nodiscard]] std::vector<params> offers() const { return {{}}; }
  [[nodiscard]] std::optional<accepted<detail::trace_stage>> confirm(const params& terms, std::string& why) const;

 private:
  std::shared_ptr<const detail::trace_source> source_;
};

}  // namespace ext
HAWSER_END
