#pragma once
/// What the load generator asks for when it opens a connection (RFC 6455 4.1).

#include "load_options.h"

#include <string>
#include <string_view>

namespace bench {

inline constexpr std::string_view handshake_key = "aGF3c2VyIGJlbmNobWFyaw==";

inline std::string deflate_offer(load_deflate how) {
  if (how == load_deflate::off) return {};
  return how == load_deflate::takeover ? "\r\nSec-WebSocket-Extensions: permessage-deflate"
                                       : "\r\nSec-WebSocket-Extensions: permessage-deflate; "
                                         "server_no_context_takeover; client_no_context_takeover";
}

inline std::string upgrade_request(const load_options& options, const std::string& path) {
  const bool literal_v6 = options.host.find(':') != std::string::npos;
  const std::string host = literal_v6 ? "[" + options.host + "]" : options.host;
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + ":" + std::to_string(options.port) +
         "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
         std::string(handshake_key) + (options.offer.empty() ? "" : "\r\nSec-WebSocket-Extensions: " + options.offer) +
         deflate_offer(options.deflate) + "\r\n\r\n";
}

}  // namespace bench
