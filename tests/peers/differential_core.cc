// The core's verdict on streams of bytes, for differential.mjs; the argument is the core's role. Reads streams from
// standard input, each as a length of four bytes (big-endian) and as many bytes; prints one line of JSON for each: the
// messages that came out, and every byte that the connection wrote. Each stream is fed whole, byte by byte or in small
// pieces, and in random cuts; when these do not agree, the line says so and the status is 1.
#include "support/seeded_random.h"

#include <hawser/base/buffer.h>
#include <hawser/base/crypto.h>
#include <hawser/core/connection.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using hawser::byte_span;
using hawser::byte_view;

constexpr std::size_t longest_stream = std::size_t{64} << 20;
constexpr std::size_t shown_in_full = 64;

// The masking keys of a client: the reader of its frames takes any.
class no_randomness final : public hawser::random_source {
 public:
  void fill(byte_span out) noexcept override { std::fill(out.begin(), out.end(), std::byte{0}); }
};

std::string hex(byte_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte b : bytes) {
    text += digits[std::to_integer<unsigned>(b) >> 4];
    text += digits[std::to_integer<unsigned>(b) & 15U];
  }
  return text;
}

std::string shown(byte_view payload) {
  if (payload.size() <= shown_in_full) return hex(payload);
  return "sha1:" + hex(hawser::sha1(payload));
}

// Feeds the stream in pieces whose sizes `next_size` chooses; returns the JSON of the verdict.
std::string verdict(hawser::role side, byte_view stream, const std::function<std::size_t()>& next_size) {
  hawser::buffer_pool pool;
  no_randomness random;
  hawser::core::resources shared(pool, random);
  const hawser::core::settings obey;
  const hawser::tick now{};
  std::string messages;
  std::vector<std::byte> output;
  {
    hawser::core::connection core(shared, obey, side, now);
    while (!stream.empty()) {
      const std::size_t n = std::clamp<std::size_t>(next_size(), 1, stream.size());
      // The memory of a piece ends where the piece ends, so that a step over its end is seen.
      std::vector<std::byte> piece(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(n));
      stream = stream.subspan(n);
      core.begin_turn();
      core.receive(piece, now);
      for (hawser::core::kind k; (k = core.next()) != hawser::core::kind::none;) {
        if (k != hawser::core::kind::message) continue;
        const hawser::core::event& e = core.current();
        messages += messages.empty() ? "[" : ",[";
        messages += std::to_string(static_cast<unsigned>(e.op)) + ",\"" + shown(e.payload) + "\"]";
      }
      while (core.pending() > 0) {
        std::size_t taken = 0;
        for (const byte_view chunk : core.output()) {
          output.insert(output.end(), chunk.begin(), chunk.end());
          taken += chunk.size();
        }
        core.sent(taken);
      }
      core.end_turn();
    }
  }
  return "{\"messages\":[" + messages + "],\"output\":\"" + hex(output) + "\"}";
}

bool read_stream(std::vector<std::byte>& stream) {
  unsigned char head[4];
  if (std::fread(head, 1, sizeof head, stdin) != sizeof head) return false;
  std::size_t size = 0;
  for (const unsigned char b : head)
    size = size << 8 | b;
  if (size > longest_stream) return false;
  stream.resize(size);
  return std::fread(stream.data(), 1, size, stdin) == size;
}

}  // namespace

int main(int argc, char** argv) {
  const auto side = argc == 2 && argv[1] == std::string_view("client") ? hawser::role::client : hawser::role::server;
  std::vector<std::byte> stream;
  bool agreed = true;
  for (std::uint64_t number = 0; read_stream(stream); ++number) {
    hawser::test::seeded_random random(number);
    const std::size_t small = stream.size() < 4096 ? 1 : 613;
    const std::size_t longest = std::size_t{1} << random.between(1, 17);
    const std::string whole = verdict(side, stream, [&] { return stream.size(); });
    const bool same = whole == verdict(side, stream, [&] { return small; }) &&
                      whole == verdict(side, stream, [&] { return random.between(1, longest); });
    agreed = agreed && same;
    std::puts(same ? whole.c_str() : "{\"error\":\"the verdict depends on how the bytes were cut\"}");
    std::fflush(stdout);
  }
  return agreed ? 0 : 1;
}
