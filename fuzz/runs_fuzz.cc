// The extension of docs/tutorial.md: any bytes as a message on the wire, in any cut, give what the format says, or
// fail; any message that goes out comes back as it was.
//
// at least 5,000 inputs

#include "../examples/tutorial/runs.h"
#include "support/require.h"

#include <hawser/core/pipeline.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace hawser;
using hawser::fuzz::require;

namespace {

constexpr std::uint8_t byte = 'a';
constexpr std::size_t limit = 2000;

/// What a message says by the format; nothing when it is wrong or over the limit.
std::optional<std::string> read(std::string_view wire) {
  std::string out;
  for (std::size_t i = 0; i < wire.size(); ++i) {
    if (wire[i] != static_cast<char>(byte)) {
      out += wire[i];
      continue;
    }
    if (++i == wire.size() || wire[i] == 0) return std::nullopt;
    out.append(static_cast<unsigned char>(wire[i]), static_cast<char>(byte));
  }
  return out.size() <= limit ? std::optional(out) : std::nullopt;
}

/// The message behind the stage, in chunks of `chunk` bytes; nothing when it failed.
std::optional<std::string> pass(core::pipeline& p, direction way, std::string text, std::size_t chunk) {
  head h;
  h.opcode = 2;
  h.rsv = way == direction::in ? tutorial::mark : std::uint8_t{0};
  if (!p.begin(way, h, tick{})) return std::nullopt;
  std::string out;
  for (std::size_t at = 0, n = 0;; at += n) {
    n = std::min(chunk, text.size() - at);
    const bool last = at + n == text.size();
    p.push(way, {reinterpret_cast<std::byte*>(text.data()) + at, n}, last, tick{});
    byte_span piece;
    bool fin = false;
    core::pipeline::pulled got{};
    while ((got = p.pull(way, piece, fin)) == core::pipeline::pulled::piece)
      out.append(as_text(piece));
    if (got == core::pipeline::pulled::failed) return std::nullopt;
    if (last) return out;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t chunk = 1 + data[0] % std::size_t{32};
  buffer_pool pool;
  core::pipeline_limits limits;
  limits.max_message_in = limit;
  limits.step = 1 + data[1] % std::size_t{32};  // So little room at a time that everything is cut somewhere.
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-runs", std::move(*any_factory(tutorial::runs(byte)).confirm({{"byte", std::to_string(byte)}}))});
  core::pipeline p(std::move(stages), role::server, pool, limits);
  p.open(tick{});
  const std::optional<std::string> sent = pass(p, direction::out, text, chunk);
  require(sent.has_value(), "every message goes out");
  require(text.size() > limit || read(*sent) == text, "what goes out says the message by the format");
  const std::optional<std::string> wanted = read(text);
  std::optional<std::string> got = pass(p, direction::in, text, chunk);
#ifdef HAWSER_PLANTED_BUG
  // A reader that forgets a run that ends exactly where a chunk does.
  if (got && text.size() == 2 * chunk && got->size() > text.size()) got->pop_back();
#endif
  require(got == wanted, "what comes in is what the format says, and nothing else passes");
  require(p.breaches() == 0, "the contract of a stage is kept");
  return 0;
}
