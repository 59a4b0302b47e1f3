// An extension in ten lines: a name, an RSV bit, and two functions on whole messages.
//
//   auto rot13 = hawser::ext::message_extension("x-rot13", hawser::rsv::two).encode(rotate).decode(rotate);
//
// It negotiates without parameters, marks what it encoded with its bit, and keeps the limits. For streaming,
// parameters, own frames or timers write a stage: hawser/core/extension.h.
#pragma once

#include <hawser/base/function.h>
#include <hawser/core/extension.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

HAWSER_BEGIN
namespace ext {

/// Takes what a function makes of a message. Never takes more than the connection's limit on messages, nor more than
/// `message_extension::adds` lets an encoder make.
class HAWSER_API byte_sink {
 public:
  /// For the library: takes at most `most` bytes.
  byte_sink(context& c, std::uint64_t most) noexcept : context_(c), limit_(most) {}

  /// Adds bytes behind those already there. False: together they are over the limit; none were added, and the
  /// connection will fail: with 1009, or with 1011 when it is what the encoder may add that is exceeded.
  bool append(byte_view bytes);
  bool append(std::byte one) { return append({&one, 1}); }

  /// Bytes so far.
  [[nodiscard]] std::size_t size() const noexcept { return made_.size(); }
  /// True once something did not fit.
  [[nodiscard]] bool over() const noexcept { return over_; }
  /// Takes the bytes away.
  buffer take() noexcept { return std::move(made_); }

 private:
  context context_;
  std::uint64_t limit_;
  buffer made_;
  bool over_ = false;
};

/// Changes a message where it lies; its size stays. Decoders may return `bool`: false for corrupt data.
template <class F>
concept in_place_function = std::is_invocable_v<const F&, byte_span>;

/// Reads a message and writes another one. False when decoding: corrupt data. False when encoding: send it as it is.
template <class F>
concept rewriting_function = std::is_invocable_r_v<bool, const F&, byte_view, byte_sink&>;

namespace detail {

/// A function of either kind, erased: changes `message` or fills `out`. Shared by all connections of a client or
/// server.
struct coder {
  bool rewrites = false;
  function<bool(byte_span message, byte_sink& out)> run;
};

template <class F>
std::shared_ptr<const coder> make_coder(F f) {
  auto made = std::make_shared<coder>();
  made->rewrites = rewriting_function<F>;
  // The lambda is not mutable, so a function that changes itself does not compile: it runs on several threads at once.
  made->run = [f = std::move(f)](byte_span message, byte_sink& out) -> bool {
    if constexpr (rewriting_function<F>) {
      return f(byte_view(message), out);
    } else if constexpr (std::is_void_v<std::invoke_result_t<const F&, byte_span>>) {
      f(message);
      return true;
    } else {
      return f(message);
    }
  };
  return made;
}

class HAWSER_API message_stage {
 public:
  static constexpr unsigned hooks = hook::whole;

  message_stage(std::uint8_t bit, std::uint16_t adds, std::shared_ptr<const coder> encode,
                std::shared_ptr<const coder> decode) noexcept
      : bit_(bit), adds_(adds), encode_(std::move(encode)), decode_(std::move(decode)) {}

  verdict begin(direction way, head& h, context& c);
  void whole(direction way, const head& h, buffer body, context& c);
  bool operator==(const message_stage&) const = default;

 private:
  std::uint8_t bit_;
  std::uint16_t adds_;
  // Shared: the functions belong to the factory, which all connections share and may outlive.
  std::shared_ptr<const coder> encode_;
  std::shared_ptr<const coder> decode_;
};

}  // namespace detail

/// A factory of such extensions: see the top of the file. `encode` and `decode` give a copy with that function added.
/// The functions run on the thread of each connection, several at once, so they must not change what they share. One
/// that throws fails the connection with 1011; corrupt data fails it with 1007, a result over the limit with 1009.
///
/// With `rsv::none` no bit tells encoded messages from others: every message is decoded, and every one must be encoded.
class HAWSER_API message_extension {
 public:
  /// `name` is a token: with another the client does not start and the server does not listen. `bit` marks encoded
  /// messages.
  explicit message_extension(std::string name, rsv bit = rsv::none);

  /// What is done to messages on their way out: `void(byte_span)`, or `bool(byte_view in, byte_sink& out)`.
  template <class F>
  requires rewriting_function<F> || std::is_same_v < std::invoke_result_t<const F&, byte_span>,
  void > [[nodiscard]] message_extension encode(F f) const {
    message_extension with = *this;
    with.encode_ = detail::make_coder(std::move(f));
    return with;
  }

  /// What is done to marked messages on their way in: `void` or `bool(byte_span)`, or `bool(byte_view in, byte_sink&
  /// out)`.
  template <class F>
  requires rewriting_function<F> || in_place_function<F>
  [[nodiscard]] message_extension decode(F f) const {
    message_extension with = *this;
    with.decode_ = detail::make_coder(std::move(f));
    return with;
  }

  /// Says that `encode` makes a message longer by at most `bytes`: so much longer than the limit may it be on its way,
  /// when another extension stands between this one and the network. An encoder that adds more fails the connection
  /// with 1011. Unsaid, one that writes another message has `claims::grows`, and so has one that says 65,535.
  [[nodiscard]] message_extension adds(std::uint16_t bytes) const;

  /// What every factory has: see `hawser::factory`.
  [[nodiscard]] std::string_view name() const noexcept HAWSER_LIFETIME_BOUND { return name_; }
  [[nodiscard]] std::vector<params> offers() const { return {{}}; }
  [[nodiscard]] std::optional<accepted<detail::message_stage>> confirm(const params& terms, std::string& why) const;

 private:
  std::string name_;
  std::uint8_t bit_;
  std::optional<std::uint16_t> adds_;
  std::shared_ptr<const detail::coder> encode_;
  std::shared_ptr<const detail::coder> decode_;
};

}  // namespace ext
HAWSER_END
