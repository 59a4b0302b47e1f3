// Private to core: bytes of a peer, made fit for a line that a person reads.
#pragma once

#include <hawser/base/config.h>

#include <cstddef>
#include <string>
#include <string_view>

HAWSER_BEGIN
namespace detail {

/// `c` as a person can read it: itself, or \xHH for control bytes, backslash and everything beyond ASCII.
inline void append_printable(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  if (c >= ' ' && c <= '~' && c != '\\') {
    out += c;
    return;
  }
  const auto value = static_cast<unsigned char>(c);
  out += "\\x";
  out += digits[value >> 4U];
  out += digits[value & 15U];
}

/// `text` escaped, cut after `most` bytes of it: a log line can neither be forged nor flooded by a peer.
inline std::string printable(std::string_view text, std::size_t most = 64) {
  std::string out;
  for (const char c : text.substr(0, most))
    append_printable(out, c);
  if (text.size() > most) out += "...";
  return out;
}

/// `text` escaped and in quotes.
inline std::string quoted(std::string_view text) { return '"' + printable(text) + '"'; }

}  // namespace detail
HAWSER_END
