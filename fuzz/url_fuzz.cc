// A URL: what is accepted can stand in a request, and written out again it is the same URL.

#include "support/require.h"

#include <hawser/core/url.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using hawser::parse_url;
using hawser::result;
using hawser::url;
using hawser::fuzz::require;

namespace {

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

void check_accepted(const url& u) {
  require(!u.host.empty() && printable(u.host), "a host is there and printable");
  require(u.host.find_first_of("@/?#[]%, ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos,
          "a host is a lower-case name");
  require((u.host.find(':') != std::string::npos) == u.ipv6, "only an IPv6 address has colons");
  require(u.port != 0, "a port can be connected to");
  require(u.target.starts_with('/') && printable(u.target), "a target begins with a slash and is printable");
  require(u.target.find_first_of("#\"<>\\^`{|}") == std::string::npos, "a target keeps to the alphabet");
  const std::string again = (u.secure ? "wss://" : "ws://") + u.authority() + u.target;
  const result<url> second = parse_url(again);
  require(second.has_value(), "an accepted URL can be written");
  require(second->host == u.host && second->port == u.port && second->target == u.target &&
              second->secure == u.secure && second->ipv6 == u.ipv6,
          "what was written reads back the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string why;
  result<url> parsed = parse_url(text, &why);
  require(parsed.has_value() == why.empty(), "a refusal has a sentence");
  require(std::all_of(why.begin(), why.end(), [](char c) { return c >= ' ' && c <= '~'; }), "it is one printable line");
  if (!parsed) return 0;
#ifdef HAWSER_PLANTED_BUG
  // A reader that decodes what should stay encoded.
  if (const std::size_t at = parsed->target.find("%0A"); at != std::string::npos) parsed->target.replace(at, 3, "\n");
#endif
  check_accepted(*parsed);
  return 0;
}
