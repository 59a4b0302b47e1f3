// A context in front of a message, in any cut, and as text: what is taken follows the rules of W3C Trace Context, 3.2,
// and what was taken is told as it came. at least 30,000 inputs

#include "support/require.h"

#include <hawser/core/pipeline.h>
#include <hawser/ext/trace.h>

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

constexpr std::size_t size_of_context = 26;

bool may_be_sent(std::string_view wire) {
  const auto any = [](std::string_view id) { return id.find_first_not_of('\0') != std::string_view::npos; };
  return wire.size() >= size_of_context && wire[0] != '\xFF' && any(wire.substr(1, 16)) && any(wire.substr(17, 8));
}

std::string digits_of(std::string_view bytes) {
  std::string out;
  for (const char c : bytes)
    out.append(1, "0123456789abcdef"[static_cast<unsigned char>(c) >> 4])
        .append(1, "0123456789abcdef"[static_cast<unsigned char>(c) & 15]);
  return out;
}

void as_message(std::string wire, std::size_t chunk) {
  buffer_pool pool;
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-hawser-trace", std::move(*any_factory(ext::trace()).confirm({}))});
  pipeline p(std::move(stages), role::server, pool, {});
  p.open(tick{});
  head h;
  h.opcode = 2;
  h.rsv = 2;
  require(p.begin(direction::in, h, tick{}) && h.rsv == 0, "the bit is taken off");
  std::string out;
  std::string noted;
  bool failed = false;
  for (std::size_t at = 0, n = 0; at <= wire.size() && !failed; at += n) {
    n = std::min(chunk, wire.size() - at);
    const bool last = at + n == wire.size();
    p.push(direction::in, {reinterpret_cast<std::byte*>(wire.data()) + at, n}, last, tick{});
    byte_span piece;
    bool fin = false;
    pipeline::pulled got{};
    while (!fin && (got = p.pull(direction::in, piece, fin)) == pipeline::pulled::piece) {
      out.append(as_text(piece));
      noted = as_text(p.noted().find("x-hawser-trace"));
    }
    failed = got == pipeline::pulled::failed;
    if (last) break;
  }
#ifdef HAWSER_PLANTED_BUG
  // A reader that looks at the first half of the parent's id only.
  if (!failed && wire.substr(17, 4) == std::string(4, '\0')) failed = true;
#endif
  require(failed != may_be_sent(wire), "what may be sent is taken, and nothing else");
  if (!failed) {
    require(out == wire.substr(size_of_context), "the payload is what stands behind the context");
    require(noted == wire.substr(0, size_of_context), "the application is told what came");
    const auto c = ext::detail::from_wire(as_bytes(noted));
    const std::string ids = digits_of(noted.substr(1, 16)) + "-" + digits_of(noted.substr(17, 8));
    require(c && c->traceparent().substr(3, 49) == ids, "the ids are those on the wire");
    require(ext::trace_context::parse(c->traceparent()) == c, "text and bytes say the same");
  }
  p.closed(close_code::normal, tick{});
}

void as_text_form(const std::string& text) {
  const auto c = ext::trace_context::parse(text);
  if (!c) return;
  require(c->valid() && c->flags < 4, "what was read can be sent");
  require(text.size() >= 55 && c->traceparent().substr(2, 51) == text.substr(2, 51), "the ids are those of the text");
  require(text.size() == 55 || text.substr(0, 2) != "00", "this version has no more");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] >= 128)
    as_text_form(text);
  else
    as_message(text, 1 + data[0] % std::size_t{64});
  return 0;
}
