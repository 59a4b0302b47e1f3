// permessage-deflate (RFC 7692): messages are compressed on their way.
//
//   ws.extensions().add(hawser::ext::deflate());
//   ws.extensions().add(hawser::ext::deflate(hawser::ext::deflate_preset::balanced));
//
// docs/ext/deflate.md says which preset is for what, what each costs, and what is negotiated.
#pragma once

#include <hawser/core/extension.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace ext {

namespace detail {
class compressor;
class decompressor;
}  // namespace detail

/// A set of values for `deflate_options`: docs/ext/deflate.md has the table.
enum class deflate_preset : std::uint8_t {
  fast,        ///< Least time, with what came before in the window.
  balanced,    ///< A good ratio in good time, with what came before in the window.
  small,       ///< The best ratio.
  low_memory,  ///< Each message alone: a connection that waits keeps no state. What `deflate()` means.
};

/// What compresses.
enum class deflate_engine : std::uint8_t {
  zlib,
  isal,  ///< Intel's ISA-L: about three times as fast. Where it is not built in, zlib of the same level takes its
         ///< place.
};

/// What an end does, and what it asks of the other. A server's and a client's are alike: what is about the direction in
/// which this end sends it does, what is about the other direction it asks for.
struct HAWSER_API deflate_options {
  /// The values of a preset.
  explicit deflate_options(deflate_preset p = deflate_preset::low_memory) noexcept;

  deflate_engine engine;  ///< What compresses.
  int level;              ///< zlib: 1 (fast) to 9 (small). ISA-L: 1 to 3.
  int memory_level;       ///< zlib: 1 to 9. ISA-L has no such choice.

  /// The windows in which the server, and the client, compress: 2 to this many bytes, 8 to 15. zlib cannot compress
  /// in 8 and takes 9 where the peer allows that. What a client says of the server's is a wish: a second offer goes
  /// without it, for the servers that have but one window.
  int server_max_window_bits;
  /// See `server_max_window_bits`.
  int client_max_window_bits;
  /// Whether the server, and the client, begin each message with an empty window. A peer is asked to; a server may
  /// insist, a client fails the handshake when the server does not agree.
  bool server_no_context_takeover;
  /// See `server_no_context_takeover`.
  bool client_no_context_takeover;
  /// Clients: lets the server limit the client's window. Some servers of old decline offers that say so.
  bool offer_client_max_window_bits = true;

  std::size_t threshold;  ///< Shorter messages are sent as they are.

  /// Says what is out of range, in words; null when nothing is.
  [[nodiscard]] const char* fault() const noexcept;
};

namespace detail {

/// What was agreed, as this end sees it.
struct deflate_terms {
  deflate_engine out_engine = deflate_engine::zlib;
  std::uint8_t level = 6;
  std::uint8_t memory_level = 8;
  std::uint8_t out_bits = 15;  ///< 0: this end cannot compress within the peer's limit, and sends everything as it is.
  std::uint8_t in_bits = 15;
  bool out_takeover = true;
  bool in_takeover = true;

  bool operator==(const deflate_terms&) const = default;
};

/// Compresses what goes out, decompresses what comes in.
class HAWSER_API deflate_stage {
 public:
  static constexpr unsigned hooks = hook::transform | hook::done | hook::closed;

  explicit deflate_stage(const deflate_terms& agreed) noexcept;
  /// Another one for the same terms, that has begun no message.
  deflate_stage(const deflate_stage& other) noexcept : deflate_stage(other.agreed_) {}
  deflate_stage(deflate_stage&&) noexcept;
  deflate_stage& operator=(const deflate_stage&) = delete;
  deflate_stage& operator=(deflate_stage&&) noexcept;
  bool operator==(const deflate_stage& other) const noexcept { return agreed_ == other.agreed_; }
  ~deflate_stage();

  verdict begin(direction way, head& h, context& c);
  step transform(direction way, byte_view in, byte_span out, bool fin, context& c);
  void done(direction way, context& c);
  void closed(close_code code, context& c);

 private:
  verdict begin_out(head& h, context& c);
  verdict begin_in(head& h, context& c);
  step compress(byte_view in, byte_span out, bool fin);
  step decompress(byte_view in, byte_span out, bool fin, context& c);
  void release_out(context& c) noexcept;
  void release_in(context& c) noexcept;

  deflate_terms agreed_;
  bool made_something_ = false;  // Of the message going out.
  std::uint8_t out_level_;       // What `out_` compresses at.
  bool out_repeats_ = false;     // Whether it keeps what it makes for others.
  std::unique_ptr<compressor> out_;
  std::unique_ptr<decompressor> in_;
};

}  // namespace detail

/// Bytes, by direction.
struct deflate_memory {
  std::size_t compressing = 0;    ///< What this end keeps to compress.
  std::size_t decompressing = 0;  ///< What this end keeps to decompress.
};

/// The extension. Messages that are shorter than the threshold, or sent with `send_options::compress` false, go as they
/// are. Corrupt data from the peer fails the connection with 1007, a message that ends too early with 1002, one that
/// grows over the limit with 1009 at the exact byte.
class HAWSER_API deflate {
 public:
  /// Options out of range are brought into it: see `deflate_options::fault`.
  explicit deflate(const deflate_options& o) noexcept;
  explicit deflate(deflate_preset p = deflate_preset::low_memory) noexcept : deflate(deflate_options(p)) {}

  [[nodiscard]] const deflate_options& options() const noexcept { return options_; }  ///< As brought into range.
  /// What a connection keeps between messages once it has sent and received one, with a peer that agrees to everything:
  /// the most, as its account is charged (`context::charge`). 0 in a direction without context takeover.
  [[nodiscard]] deflate_memory memory(role side) const noexcept;

  /// What every factory has: see `hawser::factory`.
  [[nodiscard]] static std::string_view name() noexcept { return "permessage-deflate"; }
  [[nodiscard]] std::vector<params> offers() const;
  [[nodiscard]] std::optional<accepted<detail::deflate_stage>> accept(const std::vector<params>& all,
                                                                      std::string& why) const;
  [[nodiscard]] std::optional<accepted<detail::deflate_stage>> confirm(const params& answer, std::string& why) const;

 private:
  deflate_options options_;
};

}  // namespace ext
HAWSER_END
