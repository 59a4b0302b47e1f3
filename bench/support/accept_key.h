#pragma once
/// Sec-WebSocket-Accept (RFC 6455 4.2.2), written out so that the yardstick shares no code with what it measures.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace bench {

/// SHA-1 (FIPS 180-4) of at most 119 bytes: two blocks, which is all that a handshake needs.
inline std::array<std::uint8_t, 20> sha1_short(std::string_view text) {
  std::array<std::uint8_t, 128> padded{};
  std::memcpy(padded.data(), text.data(), text.size());
  padded[text.size()] = 0x80;
  const std::size_t blocks = text.size() < 56 ? 1 : 2;
  const std::uint64_t bits = text.size() * 8;
  for (std::size_t i = 0; i < 8; ++i)
    padded[blocks * 64 - 1 - i] = static_cast<std::uint8_t>(bits >> (8 * i));

  std::array<std::uint32_t, 5> state{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  for (std::size_t block = 0; block < blocks; ++block) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 16; ++i) {
      std::uint32_t word = 0;
      std::memcpy(&word, padded.data() + block * 64 + i * 4, 4);
      w[i] = __builtin_bswap32(word);
    }
    for (std::size_t i = 16; i < 80; ++i)
      w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    std::uint32_t a = state[0];
    std::uint32_t b = state[1];
    std::uint32_t c = state[2];
    std::uint32_t d = state[3];
    std::uint32_t e = state[4];
    const auto round = [&](std::uint32_t mixed, std::uint32_t constant, std::uint32_t word) {
      const std::uint32_t next = std::rotl(a, 5) + mixed + e + constant + word;
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    };
    for (std::size_t i = 0; i < 20; ++i)
      round(d ^ (b & (c ^ d)), 0x5A827999, w[i]);
    for (std::size_t i = 20; i < 40; ++i)
      round(b ^ c ^ d, 0x6ED9EBA1, w[i]);
    for (std::size_t i = 40; i < 60; ++i)
      round((b & c) | (d & (b | c)), 0x8F1BBCDC, w[i]);
    for (std::size_t i = 60; i < 80; ++i)
      round(b ^ c ^ d, 0xCA62C1D6, w[i]);
    state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
  }
  std::array<std::uint8_t, 20> digest{};
  for (std::size_t i = 0; i < 20; ++i)
    digest[i] = static_cast<std::uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

/// The 28 characters that answer the 24 characters of a Sec-WebSocket-Key.
inline std::string accept_key(std::string_view key) {
  const std::array<std::uint8_t, 20> digest = sha1_short(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve(28);
  for (std::size_t i = 0; i < 21; i += 3) {
    const std::uint32_t third = i + 2 < 20 ? digest[i + 2] : 0U;
    const std::uint32_t group = std::uint32_t{digest[i]} << 16U | std::uint32_t{digest[i + 1]} << 8U | third;
    for (const unsigned shift : {18U, 12U, 6U, 0U})
      out.push_back(digits[group >> shift & 63U]);
  }
  out.back() = '=';
  return out;
}

}  // namespace bench
