// Whom to connect to.
#pragma once

#include <string>
#include <string_view>

namespace hawser_tool {

/// A URL as the library reads it, and the Unix socket that stands for its host and port, if there is one.
struct target {
  std::string url;
  std::string unix_path;
};

/// Reads what stands behind `hawser connect`: a URL, which passes unread, or "ws+unix:PATH[:/RESOURCE]", also without
/// "ws+". False: `why` gets a sentence.
bool read_target(std::string_view text, target& to, std::string& why);

}  // namespace hawser_tool
