// Messages compressed with Zstandard, each by itself, with a dictionary that both ends have.
//
//   ws.extensions().add(hawser::ext::zstd());
//
// docs/ext/zstd.md says when it pays, docs/wire/zstd.md how it looks on the wire.
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

/// How messages are compressed.
struct zstd_options {
  zstd_options() = default;

  int level = 3;           ///< 1 (fast) to 19 (small).
  int window = 18;         ///< The largest window, as a power of two: 10 to 23. Bounds what a receiver needs.
  std::size_t least = 64;  ///< Shorter messages go as they are.

  bool operator==(const zstd_options&) const = default;
};

namespace detail {

/// A dictionary made ready for both directions. zstd_codec.cc
class zstd_dictionary;
/// What compresses, or reads, one message at a time. zstd_codec.cc
class zstd_compressor;
class zstd_reader;

/// Shared by the factory, its copies and their connections.
struct zstd_terms {
  zstd_options how;
  std::uint32_t dictionary_id = 0;                    // 0: none.
  std::shared_ptr<const zstd_dictionary> dictionary;  // The connections share it with the factory, and may outlive it.

  bool operator==(const zstd_terms&) const = default;
};

/// Compresses what goes out and reads what comes in.
class HAWSER_API zstd_stage {
 public:
  static constexpr unsigned hooks = hook::transform | hook::done;

  explicit zstd_stage(zstd_terms terms) noexcept;
  /// Another one for the same terms, that has begun no message.
  zstd_stage(const zstd_stage& other) noexcept : zstd_stage(other.terms_) {}
  zstd_stage(zstd_stage&& other) noexcept;
  zstd_stage& operator=(const zstd_stage&) = delete;
  ~zstd_stage();
  bool operator==(const zstd_stage& other) const noexcept { return terms_ == other.terms_; }

  verdict begin(direction way, head& h, context& c);
  step transform(direction way, byte_view in, byte_span out, bool fin, context& c);
  void done(direction way, context& c);

 private:
  bool account(std::size_t& charged, std::size_t now, context& c);

  zstd_terms terms_;
  std::unique_ptr<zstd_compressor> compressor_;  // While a message is on its way.
  std::unique_ptr<zstd_reader> reader_;
  std::size_t compressor_bytes_ = 0;
  std::size_t reader_bytes_ = 0;
};

}  // namespace detail

/// `x-hawser-zstd`: each message that is long enough is one Zstandard frame (RFC 8878); RSV1 marks those. No message
/// refers to another, so a connection that waits keeps nothing for it. Data that is not such a frame fails the
/// connection with 1007, one that is cut off with 1002, a message over the limit with 1009 at the exact byte.
///
/// In a build without libzstd (`HAWSER_WITH_ZSTD`) nothing is offered and every offer is declined.
class HAWSER_API zstd {
 public:
  zstd() : zstd(zstd_options()) {}
  /// Values out of range are brought into it.
  explicit zstd(const zstd_options& how);

  /// Gives a copy with a dictionary: one that `zstd --train` made, or any bytes that are like the messages. Both ends
  /// must have the same one; they tell by its id. Where the other end has another, or none, messages are compressed
  /// without. Bytes that begin like a trained dictionary and are none, or nothing at all, are no dictionary.
  [[nodiscard]] zstd dictionary(byte_view bytes) const;
  /// The id that is negotiated: that of a trained dictionary, the CRC-32C of any other bytes; 0 for none.
  [[nodiscard]] std::uint32_t dictionary_id() const noexcept { return terms_.dictionary_id; }

  /// Whether this build has libzstd.
  [[nodiscard]] static bool available() noexcept;

  /// What every factory has: see `hawser::factory`.
  [[nodiscard]] static std::string_view name() noexcept { return "x-hawser-zstd"; }
  [[nodiscard]] std::vector<params> offers() const;
  [[nodiscard]] std::optional<accepted<detail::zstd_stage>> accept(const std::vector<params>& all,
                                                                   std::string& why) const;
  [[nodiscard]] std::optional<accepted<detail::zstd_stage>> confirm(const params& answer, std::string& why) const;

 private:
  [[nodiscard]] accepted<detail::zstd_stage> agreed(int window, bool with_dictionary) const;

  detail::zstd_terms terms_;
};

}  // namespace ext
HAWSER_END
