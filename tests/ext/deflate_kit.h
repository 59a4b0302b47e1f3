// What the tests of permessage-deflate have in common.
#pragma once

#include "ext/deflate_codec.h"
#include "support/seeded_random.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {

using ext::detail::codec_status;
using ext::detail::codec_step;
using ext::detail::compressor;
using ext::detail::decompressor;
using ext::detail::engine;

/// The engines of this build.
inline std::vector<engine> engines_here() {
  std::vector<engine> all{engine::zlib};
  if (ext::detail::has_engine(engine::isal)) all.push_back(engine::isal);
  return all;
}

inline byte_span span_of(std::string& s) { return {reinterpret_cast<std::byte*>(s.data()), s.size()}; }

inline std::string from_hex(std::string_view digits) {
  std::string out;
  int high = -1;
  for (const char c : digits) {
    if (c == ' ') continue;
    const int value = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high >= 0) out += static_cast<char>(high * 16 + value);
    high = high >= 0 ? -1 : value;
  }
  return out;
}

inline std::string as_hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes)
    for (const int digit : {static_cast<unsigned char>(c) >> 4, c & 0xF})
      out += "0123456789abcdef"[digit];
  return out;
}

/// How a codec is driven: rooms and chunks of these sizes (0: all at once), or of random ones.
struct driving {
  std::size_t room = 4096;
  std::size_t chunk = 0;
  seeded_random* random = nullptr;

  std::size_t next_room() const { return random == nullptr ? room : std::size_t{1} << random->below(14); }
  std::size_t next_chunk(std::size_t left) const {
    if (random != nullptr) return std::min(left, random->below(std::size_t{2} << random->below(13)));
    return chunk == 0 ? left : std::min(left, chunk);
  }
};

inline driving in_pieces(seeded_random& random) { return {0, 0, &random}; }

struct inflated {
  std::string text;
  codec_status status = codec_status::more;
};

/// Runs a whole message through a codec; every chunk and room has memory of exactly its size.
template <class Codec>
inflated run_codec(Codec& codec, std::string_view message, const driving& how) {
  inflated made;
  bool fin = false;
  while (!fin) {
    const std::size_t n = how.next_chunk(message.size());
    fin = n == message.size();
    auto chunk = std::make_unique<std::byte[]>(n);
    if (n != 0) std::memcpy(chunk.get(), message.data(), n);
    message.remove_prefix(n);
    byte_view left{chunk.get(), n};
    do {
      const std::size_t room = how.next_room();
      auto out = std::make_unique<std::byte[]>(room);
      const codec_step did = codec.run(left, {out.get(), room}, fin);
      left = left.subspan(did.consumed);
      made.text.append(reinterpret_cast<const char*>(out.get()), did.produced);
      made.status = did.status;
      if (did.status == codec_status::full && did.consumed + did.produced == 0) return made;
    } while (made.status == codec_status::full);
    if (made.status != codec_status::more) return made;
  }
  return made;
}

inline std::string compressed_by(compressor& c, std::string_view text, const driving& how = {}) {
  return run_codec(c, text, how).text;
}
inline inflated decompressed_by(decompressor& d, std::string_view wire, const driving& how = {}) {
  return run_codec(d, wire, how);
}

/// Words that repeat, noise, runs: at most `longest` bytes.
inline std::string some_text(seeded_random& random, std::size_t longest) {
  const std::size_t size = random.below(longest + 1);
  std::string text;
  while (text.size() < size) {
    switch (random.below(4)) {
      case 0:
        text.append(random.below(300), static_cast<char>(random.below(256)));
        break;
      case 1:
        for (std::size_t i = random.below(40); i > 0; --i)
          text += static_cast<char>(random.below(256));
        break;
      default:
        text += R"({"id":)" + std::to_string(random.below(1000)) + R"(,"name":"one of several","ok":true},)";
    }
  }
  text.resize(size);
  return text;
}

inline std::string some_noise(seeded_random& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& c : text)
    c = static_cast<char>(random.below(256));
  return text;
}

/// A message of stored blocks; `last`: the final one has BFINAL set and nothing follows it.
inline std::string stored_blocks(std::string_view text, bool last) {
  std::string wire;
  do {
    const std::size_t n = std::min<std::size_t>(text.size(), 0xFFFF);
    const bool final_one = last && n == text.size();
    wire += final_one ? '\1' : '\0';
    for (const std::size_t v : {n, ~n}) {
      wire += static_cast<char>(v & 0xFF);
      wire += static_cast<char>(v >> 8 & 0xFF);
    }
    wire.append(text.substr(0, n));
    text.remove_prefix(n);
  } while (!text.empty());
  if (!last) wire += '\0';
  return wire;
}

/// A message that only repeats the three bytes `distance` back. RFC 1951, 3.2.5 and 3.2.6.
inline std::string copy_of_three(std::size_t distance) {
  std::string wire;
  unsigned used = 8;
  const auto bit = [&](std::size_t b) {
    if (used == 8) {
      wire += '\0';
      used = 0;
    }
    wire.back() = static_cast<char>(static_cast<unsigned char>(wire.back()) | b << used++);
  };
  const auto code = [&](std::size_t value, unsigned bits) {
    while (bits-- > 0)
      bit(value >> bits & 1U);
  };
  for (const unsigned b : {0U, 1U, 0U})
    bit(b);
  code(1, 7);  // A length of three.
  std::size_t symbol = distance - 1;
  unsigned extra = 0;
  if (distance > 4) {
    while ((distance - 1) >> (extra + 2) != 0)
      ++extra;
    symbol = 2 * extra + ((distance - 1) >> extra);
    if (extra > 0) symbol = 2 * (extra + 1) + (((distance - 1) >> extra) & 1U);
  }
  code(symbol, 5);
  for (unsigned i = 0; i < extra; ++i)
    bit((distance - 1) >> i & 1U);
  code(0, 7);  // The end of the block.
  for (const unsigned b : {0U, 0U, 0U})
    bit(b);
  return wire;
}

}  // namespace hawser::test
