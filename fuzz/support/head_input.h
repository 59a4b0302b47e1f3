// What the fuzz targets of HTTP heads share: one head whole and in pieces.
#pragma once

#include "support/require.h"
#include "support/seeded_random.h"

#include <hawser/core/http.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::fuzz {

struct read_head {
  head_parser::state at = head_parser::state::need_more;
  errc error = errc::ok;
  std::size_t consumed = 0;
  http_head head;
};

inline bool same_head(const http_head& a, const http_head& b) {
  return a.method == b.method && a.target == b.target && a.status == b.status && a.reason == b.reason &&
         std::equal(a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end());
}

/// Feeds `text` in pieces of sizes that `next_size` chooses.
template <class NextSize>
read_head read_in_pieces(std::string_view text, head_parser::expects what, const http_limits& limits,
                         NextSize next_size) {
  read_head out;
  head_parser parser(what, limits);
  while (!text.empty() && out.at == head_parser::state::need_more) {
    // A piece of exactly its size, so that a read behind it is seen.
    const std::string_view part = text.substr(0, std::clamp<std::size_t>(next_size(), 1, text.size()));
#ifdef HAWSER_PLANTED_BUG
    // A parser that forgets the first half of a line end when the cut falls into it.
    if (out.consumed > 40 && part == "\n") {
      out.error = errc::http_malformed;
      break;
    }
#endif
    const byte_view bytes = as_bytes(part);
    const std::vector<std::byte> piece(bytes.begin(), bytes.end());
    std::size_t consumed = 0;
    out.at = parser.feed(piece, consumed);
    require(consumed <= piece.size(), "no more is taken than there is");
    require(consumed == piece.size() || out.at != head_parser::state::need_more, "all is taken while more is needed");
    out.consumed += consumed;
    text.remove_prefix(part.size());
  }
  if (out.error == errc::ok) out.error = parser.error();
  require((parser.error() != errc::ok) == (out.at == head_parser::state::failed), "a failure has its error");
  require(parser.looked_at() <= 2 * out.consumed, "no byte is looked at more than twice");
  out.head = std::move(parser.head());
  return out;
}

/// The bytes a head is made of, from what was read.
inline std::string written(const http_head& head, head_parser::expects what) {
  std::string text = what == head_parser::expects::request
                         ? head.method + " " + head.target + " HTTP/1.1\r\n"
                         : "HTTP/1.1 " + std::to_string(head.status) + " " + head.reason + "\r\n";
  for (const headers::field& f : head.fields)
    text.append(f.name).append(":").append(f.value).append("\r\n");
  return text + "\r\n";
}

/// The first byte seeds the cuts, the second one chooses the limits, the rest is the head.
inline void check_head(const std::uint8_t* data, std::size_t size, head_parser::expects what) {
  if (size < 2) return;
  http_limits limits;
  if ((data[1] & 1) != 0) limits = {200, 80, 20, 4};
  // The small limits are reached within this; longer heads only take longer.
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, std::min<std::size_t>(size - 2, 1024));
  const read_head whole = read_in_pieces(text, what, limits, [&] { return text.size(); });
  test::seeded_random random(data[0]);
  const std::size_t longest = std::size_t{1} << random.between(0, 7);
  const read_head cut = read_in_pieces(text, what, limits, [&] { return random.between(1, longest); });
  require(whole.at == cut.at && whole.error == cut.error, "the verdict does not depend on the cuts");
  require(whole.consumed <= limits.head, "the head stays within its limit");
  if (whole.at != head_parser::state::complete) return;
  require(whole.consumed == cut.consumed && same_head(whole.head, cut.head), "the cuts do not change the head");
  require(whole.head.fields.size() <= limits.headers, "the fields stay within their limit");
  require(whole.head.target.size() <= limits.target, "the target stays within its limit");
  const std::string again = written(whole.head, what);
  const read_head second = read_in_pieces(again, what, {}, [&] { return again.size(); });
  require(second.at == head_parser::state::complete && second.consumed == again.size(), "what was read can be written");
  require(same_head(whole.head, second.head), "what was written reads back the same");
}

}  // namespace hawser::fuzz
