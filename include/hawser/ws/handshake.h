// What was asked and agreed in the opening handshake.
#pragma once

#include <hawser/core/http.h>
#include <hawser/core/negotiate.h>
#include <hawser/net/address.h>

#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN

/// The opening handshake as `on_connect` sees it, valid until the handler returns. To ask for it later see
/// `connection::request`.
struct handshake {
  std::string target;       ///< The request target: path and query.
  std::string subprotocol;  ///< Agreed; empty for none.
  http_head peer;           ///< The peer's head: the request at a server, the response at a client.
  std::vector<core::negotiation_note> extensions;  ///< What became of each extension, in words.
  std::string extensions_header;                   ///< Sec-WebSocket-Extensions as agreed; empty for none.
  net::address remote;

  /// The path of `target`, without its query.
  [[nodiscard]] std::string_view path() const noexcept {
    const std::string_view t = target;
    return t.substr(0, t.find('?'));
  }
};

HAWSER_END
