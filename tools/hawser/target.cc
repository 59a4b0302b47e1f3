#include "target.h"

#include <hawser/net/address.h>

namespace hawser_tool {

bool read_target(std::string_view text, target& to, std::string& why) {
  std::string_view rest = text;
  const bool secure = rest.starts_with("wss+unix:");
  if (secure || rest.starts_with("ws+unix:")) rest.remove_prefix(rest.find('+') + 1);
  if (!rest.starts_with("unix:")) {
    to = {std::string(text), {}};
    return true;
  }
  rest.remove_prefix(5);
  const std::size_t resource = rest.find(":/");
  const std::string_view path = rest.substr(0, resource);
  if (!hawser::net::address::unix_socket(path)) {
    why = "the path after unix: is empty or longer than 107 bytes; write ws+unix:/PATH/OF/THE/SOCKET";
    return false;
  }
  to.unix_path = path;
  to.url = secure ? "wss://localhost" : "ws://localhost";
  if (resource != std::string_view::npos) to.url += rest.substr(resource + 1);
  return true;
}

}  // namespace hawser_tool
