#include "claims_in_words.h"

#include <array>
#include <cstddef>
#include <limits>

namespace hawser_tool {

namespace {

void append_word(std::string& list, const std::string& word) {
  if (!list.empty()) list += ", ";
  list += word;
}

std::string opcodes_in_words(unsigned set) {
  std::string words;
  for (unsigned n = 0; n < 16; ++n)
    if ((set >> n & 1U) != 0) append_word(words, std::to_string(n));
  return words;
}

std::string counted(std::size_t n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }

// What it does to others: the flags that `compose` looks at.
void describe_manners(const hawser::claims& uses, std::vector<std::string>& lines) {
  if (uses.per_frame) lines.emplace_back("needs frames kept as they are: nothing behind it may compress");
  if (uses.reorders) lines.emplace_back("may let messages out in another order");
  if (uses.restores_order) lines.emplace_back("puts them back in order at the other end");
  if (uses.ordered) lines.emplace_back("state spans messages: must see them in order");
  if (uses.replays) lines.emplace_back("may send a message again on another connection");
  if (uses.interleaves) lines.emplace_back("lets the frames of several messages mix");
  if (uses.unmasked) lines.emplace_back("takes masking away: on TLS and loopback only");
}

}  // namespace

std::string bits_in_words(unsigned bits) {
  std::string words;
  for (unsigned n = 1; n <= 3; ++n)
    if ((bits & 8U >> n) != 0) append_word(words, "RSV" + std::to_string(n));
  return words;
}

std::vector<std::string> claims_in_words(const hawser::claims& uses) {
  std::vector<std::string> lines;
  lines.emplace_back(uses.at == hawser::layer::frame ? "works on frames" : "works on messages");
  const std::string bits = bits_in_words(uses.rsv);
  lines.push_back(bits.empty() ? "no RSV bit" : bits + " is its own");
  if (uses.opcodes != 0) lines.push_back("its own opcodes: " + opcodes_in_words(uses.opcodes));
  if (uses.ext_data_max != 0)
    lines.push_back("at most " + counted(uses.ext_data_max, "byte") + " in front of each frame");
  if (uses.adds_max == hawser::claims::grows)
    lines.emplace_back("makes a message at most 8 times as long, and 65535 bytes");
  else if (uses.adds_max != 0)
    lines.push_back("makes a message longer by at most " + counted(uses.adds_max, "byte"));
  if (uses.trim_max != 0) lines.push_back("takes back at most " + counted(uses.trim_max, "byte") + " at the end");
  describe_manners(uses, lines);
  if (uses.in_needs_rsv) lines.emplace_back("incoming messages without its bit cost nothing");
  if (uses.opcodes_of_interest != (1U << 1 | 1U << 2))
    lines.push_back(uses.opcodes_of_interest == 0 ? "messages do not concern it"
                                                  : "only opcodes " + opcodes_in_words(uses.opcodes_of_interest));
  if (uses.out_min_size == std::numeric_limits<std::uint64_t>::max())
    lines.emplace_back("leaves out what goes out");
  else if (uses.out_min_size != 0)
    lines.push_back("leaves out what is under " + counted(uses.out_min_size, "byte"));
  if (!uses.idle_state) lines.emplace_back("keeps no memory between messages");
  return lines;
}

std::string hooks_in_words(unsigned hooks) {
  constexpr std::array<const char*, 16> names = {"observe", "in_place", "transform", "whole",  "retained", "prefix",
                                                 "suffix",  "done",     "control",   "timer",  "open",     "flush",
                                                 "closed",  "frame",    "quota",     "urgency"};
  std::string words;
  for (std::size_t i = 0; i < names.size(); ++i)
    if ((hooks >> i & 1U) != 0) append_word(words, names.at(i));
  return words.empty() ? "none" : words;
}

}  // namespace hawser_tool
