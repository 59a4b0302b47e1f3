#include "origins.h"

#include <hawser/core/handshake.h>

#include <algorithm>
#include <array>

namespace hawser_tool {

namespace {

// What the library takes, without a colon that no port follows.
bool is_origin(const std::string& text) {
  hawser::core::server_policy policy;
  policy.allowed_origins = {text};
  return !text.ends_with(':') && hawser::core::check_server_policy(policy).has_value();
}

// "; write ORIGIN", or what one looks like where that is none either.
std::string instead(std::string_view scheme, std::string_view host) {
  const std::string origin = std::string(scheme) + "://" + std::string(host);
  return "; write " + (is_origin(origin) ? origin : "https://HOST or https://HOST:PORT");
}

// What no browser names as the origin of a page. Those of applications and of a browser's extensions are not counted.
bool has_no_pages(std::string_view scheme) {
  constexpr std::array<std::string_view, 6> those = {"about", "blob", "data", "file", "ftp", "javascript"};
  return std::find(those.begin(), those.end(), scheme) != those.end();
}

std::string lower(std::string_view text) {
  std::string made(text);
  for (char& c : made)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return made;
}

}  // namespace

std::string wrong_origin(std::string_view text) {
  const std::string quoted = "'" + std::string(text) + "' ";
  if (text == "null") return quoted + "is what any site can have a page say: it cannot be let in";
  if (text.find('*') != std::string_view::npos) return quoted + "would stand for many: name each origin";
  if (text.find_first_of(", ") != std::string_view::npos && text.find("://") != text.rfind("://"))
    return quoted + "is no origin; for several give --allow-origin for each";
  if (std::any_of(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80U) != 0; }))
    return quoted + "is not what browsers send: write the host in ASCII (xn--...)";
  const std::size_t colon = text.find("://");
  const std::string scheme = lower(text.substr(0, colon == std::string_view::npos ? 0 : colon));
  const std::string_view behind = text.substr(colon == std::string_view::npos ? 0 : colon + 3);
  const std::string_view host = behind.substr(0, behind.find_first_of("/?#"));
  if (colon == std::string_view::npos) return quoted + "has no scheme" + instead("https", host) + ", or with http://";
  if (scheme == "ws" || scheme == "wss")
    return quoted + "is where pages connect to, not where they are from" +
           instead(scheme == "ws" ? "http" : "https", host);
  if (host.size() != behind.size()) return quoted + "goes on after the host and the port" + instead(scheme, host);
  if (has_no_pages(scheme)) return quoted + "is the origin of no page" + instead("https", host);
  if (!is_origin(std::string(text))) return quoted + "is no origin" + instead(scheme, host);
  return {};
}

}  // namespace hawser_tool
