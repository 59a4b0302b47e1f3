// Bytes as a peer's compressed messages, in any cuts: what zlib accepts is accepted and gives the same text, what it
// refuses is refused, a limit holds, and nothing else happens. And what either engine compresses is read as it was, by
// zlib as well.
//
// at least 500 inputs

#include "ext/deflate_codec.h"
#include "support/require.h"
#include "support/tape.h"
#include "support/zlib_oracle.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

using namespace hawser;
using namespace hawser::ext::detail;
using hawser::fuzz::require;
using hawser::fuzz::tape;
using hawser::test::zlib_oracle;

namespace {

constexpr std::size_t most_text = std::size_t{1} << 18;

struct outcome {
  std::string text;
  codec_status status = codec_status::more;
};

/// A whole message through a codec, every chunk and room in memory of its size.
template <class Codec>
outcome run(Codec& codec, std::string_view message, std::size_t chunk, std::size_t room) {
  outcome got;
  bool fin = false;
  while (!fin) {
    const std::size_t n = std::min(message.size(), chunk);
    fin = n == message.size();
    const auto piece = std::make_unique<std::byte[]>(n);
    std::copy_n(as_bytes(message).begin(), n, piece.get());
    message.remove_prefix(n);
    byte_view left{piece.get(), n};
    do {
      const auto out = std::make_unique<std::byte[]>(room);
      const codec_step did = codec.run(left, {out.get(), room}, fin);
      require(did.consumed <= left.size() && did.produced <= room, "a step stays within its buffers");
      require(did.status != codec_status::full || did.consumed + did.produced != 0, "full means progress");
      require(did.status != codec_status::done || (fin && did.consumed == left.size()), "done means done");
      left = left.subspan(did.consumed);
      got.text.append(reinterpret_cast<const char*>(out.get()), did.produced);
      got.status = did.status;
      if (got.text.size() > most_text) return got;
    } while (got.status == codec_status::full);
    if (got.status != codec_status::more) return got;
  }
  return got;
}

/// The messages of one connection, one after the other.
void read_as_zlib(tape& input, std::string_view bytes) {
  const auto own = decompressor::make(15);
  zlib_oracle other;
  while (!bytes.empty()) {
    const std::string_view message = bytes.substr(0, 1 + input.next() * std::size_t{4});
    bytes.remove_prefix(std::min(bytes.size(), message.size()));
    outcome a = run(*own, message, 1 + input.next(), 1 + input.next() * std::size_t{16});
#ifdef HAWSER_PLANTED_BUG
    // One that forgets the last byte of a long text.
    if (a.status == codec_status::done && a.text.size() > 600) a.text.pop_back();
#endif
    const zlib_oracle::answer b = other.message(message, most_text);
    if (a.text.size() > most_text || b.too_long) {
      const std::size_t both = std::min(a.text.size(), b.text.size());
      require(a.text.compare(0, both, b.text, 0, both) == 0, "a bomb is the same bomb to both");
      return;
    }
    require((a.status == codec_status::done) == b.accepted, "what zlib accepts is accepted, and nothing else");
    if (!b.accepted) return;
    require(a.text == b.text, "both read the same text");
  }
}

void write_and_read(tape& input, std::string_view bytes) {
  const bool fast = (input.next() & 1U) != 0 && has_engine(engine::isal);
  const auto bits = static_cast<std::uint8_t>(fast ? input.below(8) + 8 : input.below(7) + 9);
  const auto level = static_cast<std::uint8_t>(fast ? input.below(4) : 1 + input.below(9));
  const auto out =
      make_compressor({fast ? engine::isal : engine::zlib, level, static_cast<std::uint8_t>(1 + input.below(9)), bits});
  const auto own = decompressor::make(bits);
  zlib_oracle other;
  while (!bytes.empty()) {
    const std::string_view text = bytes.substr(0, 1 + input.next() * std::size_t{8});
    bytes.remove_prefix(std::min(bytes.size(), text.size()));
    const outcome wire = run(*out, text, 1 + input.next() * std::size_t{4}, 1 + input.next() * std::size_t{16});
    require(wire.status == codec_status::done && wire.text.ends_with(std::string_view("\0\0\xFF\xFF", 4)),
            "a message ends in an empty block");
    const std::string_view sent = std::string_view(wire.text).substr(0, wire.text.size() - 4);
    const outcome got = run(*own, sent, 1 + input.next(), 1 + input.next() * std::size_t{16});
    require(got.status == codec_status::done && got.text == text, "what was compressed comes back");
    const zlib_oracle::answer said = other.message(sent);
    require(said.accepted && said.text == text, "zlib reads it too");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 20) return 0;
  tape input(data + 1, 15);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 16, size - 16);
  if ((data[0] & 1U) != 0)
    write_and_read(input, bytes);
  else
    read_as_zlib(input, bytes);
  return 0;
}
