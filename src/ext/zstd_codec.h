// libzstd as the stage sees it. Without HAWSER_WITH_ZSTD nothing can be made.
#pragma once

#include <hawser/ext/zstd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

HAWSER_BEGIN
namespace ext::detail {

/// False in a build without libzstd.
bool has_zstd() noexcept;

/// Null when the bytes are no dictionary.
std::shared_ptr<const zstd_dictionary> make_zstd_dictionary(byte_view bytes, int level);
/// The id of a trained dictionary, else 0.
std::uint32_t trained_id_of(byte_view bytes) noexcept;

/// What one call came to.
struct zstd_result {
  enum class kind : std::uint8_t {
    more,      ///< All input is used, and all output made of it.
    full,      ///< There is more output to come.
    ended,     ///< The frame is complete.
    too_wide,  ///< The frame needs a larger window than may be.
    failed,
  };
  kind what = kind::failed;
  std::size_t consumed = 0;
  std::size_t produced = 0;
};

/// Both kinds go from message to message, and from connection to connection, by way of the loop's shelf. `end` forgets
/// the message and the dictionary.
class zstd_compressor {
 public:
  static std::unique_ptr<zstd_compressor> make();
  ~zstd_compressor();
  zstd_compressor(const zstd_compressor&) = delete;
  zstd_compressor& operator=(const zstd_compressor&) = delete;

  /// False: no memory. `size` is that of the whole message when `sized`.
  bool begin(const zstd_terms& terms, bool sized, std::uint64_t size) noexcept;
  zstd_result compress(byte_view in, byte_span out, bool last) noexcept;
  void end() noexcept;
  [[nodiscard]] std::size_t bytes() const noexcept;

 private:
  explicit zstd_compressor(void* state) noexcept : state_(state) {}
  void* state_;
};

class zstd_reader {
 public:
  static std::unique_ptr<zstd_reader> make();
  ~zstd_reader();
  zstd_reader(const zstd_reader&) = delete;
  zstd_reader& operator=(const zstd_reader&) = delete;

  bool begin(const zstd_terms& terms) noexcept;
  zstd_result read(byte_view in, byte_span out) noexcept;
  void end() noexcept;
  [[nodiscard]] std::size_t bytes() const noexcept;

 private:
  explicit zstd_reader(void* state) noexcept : state_(state) {}
  [[nodiscard]] bool is_as_long_as_it_says() const noexcept;

  void* state_;
  // The longest header of a frame, RFC 8878, 3.1.1.1.
  std::array<std::byte, 18> header_{};
  std::size_t header_size_ = 0;
  std::uint64_t made_ = 0;
  bool ended_ = false;
};

}  // namespace ext::detail
HAWSER_END
