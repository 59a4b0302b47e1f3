#include "origins.h"

#include <hawser/core/handshake.h>

#include <algorithm>

namespace hawser_tool {

namespace {

bool is_known(const std::string& origin) {
  hawser::core::server_policy policy;
  policy.allowed_origins = {origin};
  return hawser::core::check_server_policy(policy).has_value();
}

// "; write ORIGIN", or what one looks like where that is none either.
std::string instead(std::string_view scheme, std::string_view host) {
  const std::string origin = std::string(scheme) + "://" + std::string(host);
  return "; write " + (is_known(origin) ? origin : "https://HOST or https://HOST:PORT");
}

}  // namespace

std::string wrong_origin(std::string_view text) {
  const std::string quoted = "'" + std::string(text) + "' ";
  if (text == "null") return quoted + "is what any site can have a page say: it cannot be let in";
  if (text.find('*') != std::string_view::npos) return quoted + "would stand for many: name each origin";
  if (text.find_first_of(", ") != std::string_view::npos)
    return quoted + "is no origin; for several give --allow-origin for each";
  if (std::any_of(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80U) != 0; }))
    return quoted + "is not what browsers send: write the host in ASCII (xn--...)";
  const std::size_t colon = text.find("://");
  const std::string_view scheme = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  const std::string_view behind = text.substr(colon == std::string_view::npos ? 0 : colon + 3);
  const std::string_view host = behind.substr(0, behind.find_first_of("/?#"));
  if (colon == std::string_view::npos) return quoted + "has no scheme" + instead("https", host) + ", or with http://";
  if (scheme == "ws" || scheme == "wss")
    return quoted + "is where pages connect to, not where they are from" +
           instead(scheme == "ws" ? "http" : "https", host);
  if (host.size() != behind.size()) return quoted + "goes on after the host and the port" + instead(scheme, host);
  if (!is_known(std::string(text))) return quoted + "is no origin" + instead(scheme, host);
  return {};
}

}  // namespace hawser_tool
