// Standard output: what a peer sent, made fit for a terminal, and what cannot be written.
#pragma once

#include <hawser/base/bytes.h>

#include <string>
#include <string_view>

namespace hawser_tool {

/// `text`, which is UTF-8, with its control characters but tab and line feed as \xHH: a peer must not move the cursor,
/// set the title or forge what is already on the screen.
std::string shown_text(std::string_view text);
/// `bytes` with everything but printable ASCII as \xHH.
std::string shown_bytes(hawser::byte_view bytes);

/// Writes what waits for standard output. False, after a line on standard error, when it cannot be written.
[[nodiscard]] bool flush_output();

}  // namespace hawser_tool
