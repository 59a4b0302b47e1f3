#pragma once
/// JSON messages as a client with permessage-deflate sends them (RFC 7692), compressed and framed beforehand, so that
/// the generator costs next to nothing while it measures.

#include "wire.h"

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

inline constexpr std::uint8_t rsv1_bit = 0x40;

/// A raw deflate stream at zlib's default level and window.
class compressor {
 public:
  compressor() {
    if (deflateInit2(&z_, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::runtime_error("zlib does not start");
  }
  ~compressor() { deflateEnd(&z_); }
  compressor(const compressor&) = delete;
  compressor& operator=(const compressor&) = delete;

  void forget() { deflateReset(&z_); }
  /// One message, without the four bytes at its end that the wire leaves out (RFC 7692, 7.2.1).
  std::string compress(std::string_view message) {
    std::string out(deflateBound(&z_, message.size()) + 16, '\0');
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
    z_.avail_in = static_cast<uInt>(message.size());
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = static_cast<uInt>(out.size());
    deflate(&z_, Z_SYNC_FLUSH);
    out.resize(out.size() - z_.avail_out - 4);
    return out;
  }

 private:
  z_stream z_{};
};

/// The way back. It keeps its window from message to message; one that does not refer to it is read all the same.
class decompressor {
 public:
  decompressor() {
    if (inflateInit2(&z_, -15) != Z_OK) throw std::runtime_error("zlib does not start");
  }
  ~decompressor() { inflateEnd(&z_); }
  decompressor(const decompressor&) = delete;
  decompressor& operator=(const decompressor&) = delete;

  /// At most `room` bytes of what the message says; fewer when it is damaged.
  std::string decompress(std::string message, std::size_t room) {
    message.append("\0\0\xFF\xFF", 4);
    std::string out(room, '\0');
    z_.next_in = reinterpret_cast<Bytef*>(message.data());
    z_.avail_in = static_cast<uInt>(message.size());
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = static_cast<uInt>(out.size());
    inflate(&z_, Z_SYNC_FLUSH);
    out.resize(out.size() - z_.avail_out);
    return out;
  }

 private:
  z_stream z_{};
};

/// Text of `size` bytes that reads like a feed of quotes; the same for the same `number`.
inline std::string quotes_json(std::size_t size, unsigned number) {
  static constexpr const char* pairs[] = {"EURUSD", "GBPUSD", "USDJPY", "AUDCAD", "NZDCHF", "XAUUSD"};
  static constexpr const char* states[] = {"open", "filled", "partial", "cancelled"};
  std::mt19937 random(number);  // NOLINT(cert-msc32-c)
  const auto digits = [&](unsigned least, unsigned many) { return std::to_string(least + random() % many); };
  std::string text = R"({"channel":"quotes","number":)" + std::to_string(700000 + number) + R"(,"rows":[)";
  while (text.size() < size) {
    text += R"({"order":)" + digits(1000000, 9000000) + R"(,"pair":")" + pairs[random() % 6] + R"(","bid":)" +
            digits(10, 190) + "." + digits(10000, 90000) + R"(,"ask":)" + digits(10, 190) + "." + digits(10000, 90000) +
            R"(,"amount":)" + digits(1, 5000) + R"(,"state":")" + states[random() % 4] + R"("},)";
  }
  text.resize(size);
  if (size >= 2) text.replace(size - 2, 2, "]}");
  return text;
}

/// What one connection sends, frame by frame, for as long as it likes: 64 messages over and over. With context takeover
/// the first round is another one than all that follow: those begin with the window that the round before has left.
class compressed_json {
 public:
  compressed_json(std::size_t size, bool takeover) {
    compressor from;
    for (unsigned i = 0; i < messages; ++i)
      plain_.push_back(quotes_json(size, i));
    std::vector<std::size_t> ends;
    for (unsigned i = 0; i < frames; ++i) {
      if (!takeover) from.forget();
      append_client_frame(bytes_, rsv1_bit | opcode_text, from.compress(plain_[i % messages]), 0x5A17C3E9U + i);
      ends.push_back(bytes_.size());
    }
    for (std::size_t i = 0; i < frames; ++i)
      frames_.emplace_back(bytes_.data() + (i == 0 ? 0 : ends[i - 1]), bytes_.data() + ends[i]);
  }

  /// Two rounds.
  static constexpr std::size_t messages = 64;
  static constexpr std::size_t frames = 2 * messages;

  /// The `n`-th frame of a connection.
  [[nodiscard]] std::span<const std::uint8_t> frame(std::uint64_t n) const {
    return frames_[n < frames ? n : messages + n % messages];
  }
  /// The first `n` frames, at most both rounds.
  [[nodiscard]] std::span<const std::uint8_t> first(std::size_t n) const {
    return {bytes_.data(), frames_[n - 1].data() + frames_[n - 1].size()};
  }
  [[nodiscard]] const std::string& message(std::size_t n) const { return plain_[n % messages]; }

 private:
  std::vector<std::string> plain_;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::span<const std::uint8_t>> frames_;
};

}  // namespace bench
