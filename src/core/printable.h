// Not installed: bytes of a peer and words of others, made fit for a line that a person reads. The one place that does.
#pragma once

#include <hawser/base/config.h>

#include <cstddef>
#include <string>
#include <string_view>

HAWSER_BEGIN
namespace detail {

/// Appends `c` as a person can read it: itself, or \xHH for control bytes, backslash and everything beyond ASCII.
void append_printable(std::string& out, char c);

/// `text` escaped, cut after `most` bytes of it: a log line can neither be forged nor flooded by a peer.
std::string printable(std::string_view text, std::size_t most = 64);

/// `text` escaped and in quotes.
inline std::string quoted(std::string_view text) { return '"' + printable(text) + '"'; }

/// A sentence that others had a hand in (what an exception says, the reason of a stage or of a peer's close) as one
/// line for people and logs: what no terminal takes for a command or a line end stays as it is, every other byte is
/// \xHH. Escaping twice changes nothing. Cut after `most` bytes of `text`, between characters.
HAWSER_API std::string one_line(std::string_view text, std::size_t most = 1024);

}  // namespace detail
HAWSER_END
