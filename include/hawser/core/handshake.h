// The opening handshake over HTTP/1.1, both roles, as pure functions. RFC 6455, 4.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/base/result.h>
#include <hawser/core/http.h>
#include <hawser/core/url.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace core {

/// Sec-WebSocket-Accept for `key`: base64 of the SHA-1 of the key and the GUID. RFC 6455, 4.2.2.
HAWSER_API std::string accept_key(std::string_view key);

/// Bounds on the lists of an opening handshake.
inline constexpr std::size_t max_subprotocols = 16;

// ---- server ---------------------------------------------------------------------------------------------------------

/// What a valid upgrade request asked for. Views into the head it was read from.
struct upgrade_request {
  std::string_view key;
  std::vector<std::string_view> subprotocols;  ///< In the client's order of preference.
};

/// What a server refuses besides the protocol's own rules.
struct server_policy {
  std::vector<std::string> allowed_hosts;    ///< Host names (without port) that are served; empty: all. G2.
  std::vector<std::string> allowed_origins;  ///< Beside the own one, e.g. "https://example.com"; compared as origins.
  bool any_origin = false;                   ///< Insecure for browsers: any page may connect (G1).
};

/// The refusal of a request: status, the fields that go with it, and a line for the log and the body.
struct refusal {
  int status = 400;
  errc error = errc::http_malformed;
  std::string text;  ///< What was wrong, whose fault, what to do; one line, no bytes of the peer unescaped.
};

/// Checks Host and Origin of any request against `policy`: exactly one Host (400), served (421); an Origin, when
/// present, must equal the Host or be allowed (403); two Origins are 400. True when all is well.
HAWSER_API bool check_policy(const http_head& head, const server_policy& policy, bool secure, refusal& why);

/// True when the request asks for an upgrade at all: it names "websocket" in Upgrade or has a Sec-WebSocket-Key.
HAWSER_API bool is_upgrade(const http_head& head) noexcept;

/// The checks of RFC 6455, 4.2.1: GET, no body, Upgrade, Connection, one valid key, version 13, subprotocol list.
/// False: `why` has the status of the table (400, 405, 426). `out` views `head`.
HAWSER_API bool check_upgrade(const http_head& head, upgrade_request& out, refusal& why);

/// The first of the client's names that the server supports; empty for none. RFC 6455, 4.2.2.
HAWSER_API std::string_view choose_subprotocol(const upgrade_request& request,
                                               const std::vector<std::string>& supported) noexcept;

/// The 101 response. Empty `subprotocol` or `extensions` add no field (N-06). `extra` must come from `headers`, which
/// cannot hold an injection.
HAWSER_API std::string switching_protocols(std::string_view key, std::string_view subprotocol,
                                           std::string_view extensions, const headers& extra);

/// A whole refusal response with `Connection: close`, `Content-Length` and what the status demands
/// (Sec-WebSocket-Version for 426, Allow for 405, Retry-After for 503).
HAWSER_API std::string refusal_response(const refusal& why);

/// A plain answer, for a page: status 200, `Connection: close`, `X-Content-Type-Options: nosniff`.
HAWSER_API std::string page_response(std::string_view content_type, std::string_view body);

// ---- client ---------------------------------------------------------------------------------------------------------

/// What a client asks for.
struct client_request {
  std::vector<std::string> subprotocols;  ///< Tokens, no doubles.
  std::string extensions;                 ///< Sec-WebSocket-Extensions as offered; empty: none (N-06).
  headers extra;                          ///< The caller's own fields.
};

/// Checks what a caller set: subprotocols are distinct tokens (`invalid_subprotocol`), at most `max_subprotocols`;
/// `extra` names no field that the library writes itself (Host may be replaced; Upgrade, Connection, Sec-WebSocket-*
/// may not): `invalid_header`. `why` gets a sentence.
HAWSER_API result<void> check_client_request(const client_request& request, std::string* why = nullptr);

/// A fresh Sec-WebSocket-Key from 16 random bytes.
HAWSER_API std::string make_key(const std::array<std::byte, 16>& random);

/// The request head. RFC 6455, 4.1.
HAWSER_API std::string upgrade_request_text(const url& to, std::string_view key, const client_request& request);

/// What the server agreed to. Views into the head.
struct upgrade_response {
  std::string_view subprotocol;  ///< Empty: none.
  std::string extensions;        ///< All Sec-WebSocket-Extensions fields joined (N-05); empty: none.
};

/// The client's checks of RFC 6455, 4.1: status 101 (else `http_refused`), Upgrade, Connection (`not_an_upgrade`), the
/// accept key (`accept_invalid`), a subprotocol that was offered, at most once (`subprotocol_not_offered`). `strict`
/// refuses a split Sec-WebSocket-Extensions (N-05). An empty extensions field is `extension_header_malformed` (N-06).
/// `why` gets a sentence.
HAWSER_API result<void> check_response(const http_head& head, std::string_view key, const client_request& asked,
                                       bool strict, upgrade_response& out, std::string& why);

}  // namespace core
HAWSER_END
