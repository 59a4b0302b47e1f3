// What was asked and agreed in the opening handshake.
#pragma once

#include <hawser/core/http.h>
#include <hawser/core/negotiate.h>
#include <hawser/net/address.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN

/// An extension at work, with the parameters that both ends agreed on.
struct HAWSER_API active_extension {
  std::string name;   ///< Its token.
  params parameters;  ///< As the answer had them.

  /// The parameter of this name, or null; one without a value is there and has none.
  [[nodiscard]] const param* find(std::string_view parameter) const& noexcept HAWSER_LIFETIME_BOUND;
  const param* find(std::string_view parameter) const&& = delete;
  /// As in Sec-WebSocket-Extensions: "x-level; level=3".
  [[nodiscard]] std::string text() const;
  bool operator==(const active_extension&) const = default;
};

/// The opening handshake as `on_connect` sees it, valid until the handler returns. To ask for it later see
/// `connection::request`.
struct handshake {
  std::string target;       ///< The request target: path and query.
  std::string subprotocol;  ///< Agreed; empty for none.
  http_head peer;           ///< The peer's head: the request at a server, the response at a client.
  /// What is at work, in the order of work: the first is nearest to the application.
  std::vector<active_extension> extensions;
  /// What became of each extension that either end knows, in words: accepted, or declined and why.
  std::vector<core::negotiation_note> extension_notes;
  std::string extensions_offered;  ///< Sec-WebSocket-Extensions as the client sent it; empty for none.
  std::string extensions_header;   ///< Sec-WebSocket-Extensions as agreed; empty for none.
  bool inband = false;             ///< Both were said in messages, not in those fields: docs/wire/inband.md.
  net::address remote;             ///< The other end of the connection.
  /// TLS in words, for people: "TLS 1.3, TLS_AES_256_GCM_SHA384", and the certificate that the peer showed. Empty: the
  /// connection is plain.
  std::string tls;
  /// The certificate that the peer showed, in DER (X.509), and behind it those that lead to an authority that is
  /// trusted here. All of them were verified: at a server by `server_tls::client_ca`, at a client with the host's name
  /// by `client_tls`, unless that says `dangerously_accept_any_certificate`. Behind one of a session that was taken up
  /// stands nothing: the others are not kept. Empty: it showed none, as a client that is not asked does, or the
  /// connection is plain. docs/tls.md shows how a server tells by it who its clients are.
  std::vector<std::vector<std::byte>> tls_peer_certificates;

  /// The path of `target`, without its query.
  [[nodiscard]] std::string_view path() const noexcept {
    const std::string_view t = target;
    return t.substr(0, t.find('?'));
  }
};

HAWSER_END
