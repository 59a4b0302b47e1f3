// Any bytes as a compressed message, whole and in pieces: the same becomes of them, within the limit. And any message:
// what is compressed comes back.
// at least 2,000 inputs

#include "support/require.h"

#include <hawser/core/pipeline.h>
#include <hawser/ext/zstd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace hawser;
using hawser::core::pipeline;
using hawser::fuzz::require;

namespace {

constexpr std::size_t limit = 3000;

struct end {
  explicit end(bool with_dictionary) {
    ext::zstd_options how;
    how.level = 1;
    how.least = 1;
    ext::zstd speaks(how);
    static const ext::zstd shared = speaks.dictionary(as_bytes(R"({"type":"trade","symbol":"HAWSER","price":)"));
    if (with_dictionary) speaks = shared;
    std::vector<core::agreed_extension> stages;
    stages.push_back({"x-hawser-zstd", std::move(*any_factory(speaks).accept(speaks.offers()))});
    core::pipeline_limits limits;
    limits.max_message_in = limit;
    p = std::make_unique<pipeline>(std::move(stages), role::server, pool, limits);
    p->open(tick{});
  }
  ~end() {
    p->closed(close_code::normal, tick{});
    require(p->charged() == 0 && p->breaches() == 0, "the account is settled and the contract kept");
  }

  /// False when it failed.
  bool pass(direction way, std::string text, std::size_t chunk, std::string& out) {
    head h;
    h.opcode = 2;
    h.rsv = way == direction::in ? 4 : 0;
    h.sized = chunk >= text.size() ? 1 : 0;
    h.size = h.sized != 0 ? text.size() : 0;
    if (!p->begin(way, h, tick{})) return false;
    if (p->bypassed(way)) {
      out = text;
      return true;
    }
    for (std::size_t at = 0, n = 0; at <= text.size(); at += n) {
      n = std::min(chunk, text.size() - at);
      const bool last = at + n == text.size();
      p->push(way, {reinterpret_cast<std::byte*>(text.data()) + at, n}, last, tick{});
      byte_span piece;
      bool fin = false;
      pipeline::pulled got{};
      while ((got = p->pull(way, piece, fin)) == pipeline::pulled::piece)
        out.append(as_text(piece));
      if (got == pipeline::pulled::failed) return false;
      if (last) break;
    }
    return true;
  }

  buffer_pool pool;
  std::unique_ptr<pipeline> p;
};

void any_bytes(const std::string& wire, std::size_t chunk, bool with_dictionary) {
  end whole(with_dictionary);
  end cut(with_dictionary);
  std::string at_once;
  std::string in_pieces;
  const bool taken = whole.pass(direction::in, wire, wire.size() + 1, at_once);
  require(cut.pass(direction::in, wire, chunk, in_pieces) == taken, "it is taken whole or in pieces, or neither way");
  require(at_once.size() <= limit && in_pieces.size() <= limit, "the limit holds");
  if (!taken) {
    // Where several things are wrong with it, which one is met first may depend on the pieces.
    for (const pipeline* p : {whole.p.get(), cut.p.get()})
      require(p->fail_code() == close_code::invalid_payload || p->fail_code() == close_code::protocol_error ||
                  p->fail_code() == close_code::message_too_big,
              "bad data is the peer's fault");
    return;
  }
  require(at_once == in_pieces, "the same comes out");
}

void any_message(std::string text, std::size_t chunk, bool with_dictionary) {
  text.resize(std::min(text.size(), limit));
  end one(with_dictionary);
  std::string wire;
  std::string back;
  require(one.pass(direction::out, text, chunk, wire), "every message goes out");
  if (text.empty()) return;
#ifdef HAWSER_PLANTED_BUG
  // A sender that forgets the last byte of a message in parts.
  if (chunk == 3 && text.size() == 21) wire.pop_back();
#endif
  require(one.pass(direction::in, wire, chunk, back) && back == text, "what was compressed comes back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || !ext::zstd::available()) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t chunk = 1 + data[1] % std::size_t{64};
  const bool with_dictionary = (data[0] & 2U) != 0;
  if ((data[0] & 1U) != 0)
    any_message(text, chunk, with_dictionary);
  else
    any_bytes(text, chunk, with_dictionary);
  return 0;
}
