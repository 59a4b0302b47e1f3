// Origins, as a person writes them.
#pragma once

#include <string>
#include <string_view>

namespace hawser_tool {

/// Why `text` is not the origin of pages that could be let in (RFC 6454, 6.2: "https://example.org", with a port where
/// it is not the usual one), and what to write instead; empty: it is one.
std::string wrong_origin(std::string_view text);

}  // namespace hawser_tool
