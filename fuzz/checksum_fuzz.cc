// A message with a sum, right or wrong, in any cut: it passes exactly when the sum is right, by the definition of
// CRC-32C and not by our kernels, and what goes out is what the definition says.
// at least 5,000 inputs

#include "support/require.h"

#include <hawser/core/pipeline.h>
#include <hawser/ext/checksum.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace hawser;
using hawser::core::pipeline;
using hawser::fuzz::require;

namespace {

std::string sum_by_definition(std::string_view bytes) {
  std::uint32_t state = ~0U;
  for (const char c : bytes) {
    state ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit)
      state = state >> 1 ^ ((state & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(~state >> shift & 0xFFU);
  return out;
}

/// The message behind the stage, in chunks of `chunk` bytes; false when it failed.
bool pass(pipeline& p, direction way, std::string text, std::size_t chunk, std::string& out) {
  head h;
  h.opcode = 2;
  h.rsv = way == direction::in ? 1 : 0;
  if (!p.begin(way, h, tick{})) return false;
  require(h.rsv == (way == direction::in ? 0 : 1), "the bit marks what is on the wire, and nothing else");
  for (std::size_t at = 0, n = 0; at <= text.size(); at += n) {
    n = std::min(chunk, text.size() - at);
    const bool last = at + n == text.size();
    p.push(way, {reinterpret_cast<std::byte*>(text.data()) + at, n}, last, tick{});
    byte_span piece;
    bool fin = false;
    pipeline::pulled got{};
    while ((got = p.pull(way, piece, fin)) == pipeline::pulled::piece)
      out.append(as_text(piece));
    if (got == pipeline::pulled::failed) return false;
    if (last) return true;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t chunk = 1 + data[1] % std::size_t{64};
  buffer_pool pool;
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-hawser-checksum", std::move(*any_factory(ext::checksum()).confirm({}))});
  pipeline p(std::move(stages), role::server, pool, {});
  p.open(tick{});
  std::string out;
  require(pass(p, direction::out, text, chunk, out), "every message goes out");
  require(out == text + sum_by_definition(text), "what goes out ends in its sum");
  const std::string wire = (data[0] & 1U) != 0 ? out : text;
  const std::size_t body = wire.size() - std::min<std::size_t>(wire.size(), 4);
  const bool right = wire.size() >= 4 && sum_by_definition(wire.substr(0, body)) == wire.substr(body);
  std::string in;
  bool passed = pass(p, direction::in, wire, chunk, in);
#ifdef HAWSER_PLANTED_BUG
  // A receiver that drops a byte of the sum when a chunk ends inside it.
  if (right && body == 13 && chunk < 15) passed = false;
#endif
  require(passed == right, "a message passes exactly when its sum is right");
  if (passed) require(in == wire.substr(0, body), "what passed is what was sent");
  p.closed(close_code::normal, tick{});
  return 0;
}
