#pragma once
/// The little of RFC 6455 that the benchmark programs need, on its own and without the library under test: a fault in
/// the library must not be able to hide in its own yardstick.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace bench {

/// Longest header that a client writes (2 + 8 + 4 bytes), RFC 6455 5.2.
inline constexpr std::size_t longest_client_header = 14;
/// Longest header that a server writes: the same without a masking key.
inline constexpr std::size_t longest_server_header = 10;

inline constexpr std::uint8_t opcode_text = 0x1;
inline constexpr std::uint8_t opcode_binary = 0x2;
inline constexpr std::uint8_t opcode_close = 0x8;
inline constexpr std::uint8_t opcode_ping = 0x9;
inline constexpr std::uint8_t opcode_pong = 0xA;
inline constexpr std::uint8_t final_bit = 0x80;
inline constexpr std::uint8_t masked_bit = 0x80;

/// Bytes that the extended length takes when the second header byte has `low_bits` in its lower seven.
constexpr std::size_t length_bytes(unsigned low_bits) {
  if (low_bits < 126) return 0;
  return low_bits == 126 ? 2 : 8;
}

/// Reads `count` bytes, most significant first.
inline std::uint64_t read_big_endian(const std::uint8_t* at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value = value << 8U | at[i];
  return value;
}

/// Writes the first two bytes and the extended length of a frame; returns how many bytes that took.
inline std::size_t write_header(std::uint8_t* at, std::uint8_t first, std::uint8_t mask, std::uint64_t length) {
  const unsigned low = length < 126 ? static_cast<unsigned>(length) : length < 65536 ? 126 : 127;
  const std::size_t extra = length_bytes(low);
  at[0] = first;
  at[1] = static_cast<std::uint8_t>(mask | low);
  for (std::size_t i = 0; i < extra; ++i)
    at[2 + i] = static_cast<std::uint8_t>(length >> (8 * (extra - 1 - i)));
  return 2 + extra;
}

/// Appends one final frame as a client sends it, masked with `key`.
inline void append_client_frame(std::vector<std::uint8_t>& out, std::uint8_t opcode, std::string_view payload,
                                std::uint32_t key) {
  std::uint8_t header[longest_client_header];
  std::size_t size = write_header(header, final_bit | opcode, masked_bit, payload.size());
  std::memcpy(header + size, &key, sizeof key);
  size += sizeof key;
  const std::uint8_t* key_bytes = header + size - sizeof key;
  out.insert(out.end(), header, header + size);
  for (std::size_t i = 0; i < payload.size(); ++i)
    out.push_back(static_cast<std::uint8_t>(static_cast<std::uint8_t>(payload[i]) ^ key_bytes[i % 4]));
}

/// What one server frame header says.
struct server_frame {
  std::uint8_t first = 0;
  std::uint64_t length = 0;
  [[nodiscard]] std::uint8_t opcode() const { return first & 0x0F; }
  [[nodiscard]] bool final() const { return (first & final_bit) != 0; }
  [[nodiscard]] bool control() const { return (first & 0x08) != 0; }
};

/// Follows the frames in a server's stream of bytes, however it is cut. `step` is called until the bytes are used up.
class server_stream {
 public:
  enum class found { nothing, header, payload_end };

  /// Takes bytes from the front of `in`, up to the next header, the end of a frame, or the end of `in`. Payload bytes
  /// are left in `payload()` until the next call.
  found step(std::span<const std::uint8_t>& in) {
    payload_ = {};
    if (in_payload_) return step_payload(in);
    while (!in.empty()) {
      header_[held_++] = in.front();
      in = in.subspan(1);
      if (held_ < 2 || held_ < 2 + length_bytes(header_[1] & 0x7FU)) continue;
      frame_.first = header_[0];
      frame_.length = held_ == 2 ? header_[1] & 0x7FU : read_big_endian(header_ + 2, held_ - 2U);
      masked_ = (header_[1] & masked_bit) != 0;
      left_ = frame_.length;
      held_ = 0;
      in_payload_ = true;
      return found::header;
    }
    return found::nothing;
  }

  /// Skips whole frames at the front of `in` that begin with exactly `header` and carry `length` bytes; returns how
  /// many. Only a shortcut: what it leaves is for `step`.
  std::size_t skip_whole(std::span<const std::uint8_t>& in, std::span<const std::uint8_t> header,
                         std::size_t length) const {
    if (in_payload_ || held_ != 0) return 0;
    std::size_t frames = 0;
    for (; in.size() >= header.size() + length && std::memcmp(in.data(), header.data(), header.size()) == 0; ++frames)
      in = in.subspan(header.size() + length);
    return frames;
  }

  [[nodiscard]] const server_frame& frame() const { return frame_; }
  [[nodiscard]] std::span<const std::uint8_t> payload() const { return payload_; }
  /// The header of a frame without payload was taken last: `step` has its end to report, even without more bytes.
  [[nodiscard]] bool at_frame_end() const { return in_payload_ && left_ == 0; }
  /// A server must not mask (RFC 6455 5.1): the caller reports it.
  [[nodiscard]] bool masked() const { return masked_; }

 private:
  found step_payload(std::span<const std::uint8_t>& in) {
    const std::size_t n = in.size() < left_ ? in.size() : static_cast<std::size_t>(left_);
    payload_ = in.first(n);
    in = in.subspan(n);
    left_ -= n;
    if (left_ != 0) return found::nothing;
    in_payload_ = false;
    return found::payload_end;
  }

  std::span<const std::uint8_t> payload_;
  std::uint64_t left_ = 0;
  server_frame frame_;
  std::uint8_t header_[longest_server_header] = {};
  std::uint8_t held_ = 0;
  bool in_payload_ = false;
  bool masked_ = false;
};

}  // namespace bench
