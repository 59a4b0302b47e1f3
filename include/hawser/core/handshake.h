// The opening handshake over HTTP/1.1, both roles, as pure functions. RFC 6455, 4.
//
// Server: read the head (`head_parser`), then `check_policy`, the route by `resource_name`, `check_upgrade`, the
// extensions, and write `switching_protocols`; whatever is refused on the way is written as `refusal_response`, and the
// connection is closed after it (E8).
// Client: `check_client_request` when the caller sets things, then `make_key`, `upgrade_request_text`, and
// `check_response` on the head that comes back.
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

/// Checks fields that a caller adds to a request, a 101 or a refusal: they must not be ones that the library writes
/// itself or that would give the head a body (Upgrade, Connection, Sec-WebSocket-*, Content-Length, Transfer-Encoding),
/// and Host at most once: `invalid_header`. `why` gets a sentence.
HAWSER_API result<void> check_extra_headers(const headers& extra, std::string* why = nullptr);

// ---- server: what is refused ----------------------------------------------------------------------------------------

/// The refusal of a request: status, the fields that go with it, and a line for the log and the body.
struct refusal {
  int status = 400;                   ///< 300 to 599.
  errc error = errc::http_malformed;  ///< Why, for programs.
  std::string text;  ///< What was wrong, whose fault, what to do; one line, no bytes of the peer unescaped.
  headers extra;     ///< Further fields, e.g. WWW-Authenticate or Location; see `check_extra_headers`.
};

/// The refusal for `error` with the status of the table: 400, 403, 404, 405, 408, 414, 421, 426, 431, 503, 505, and 500
/// for errors that are not the peer's. Without a `text` it has the words of `describe(error)`. Made for the errors of
/// `head_parser` and for `not_found` and `server_full`, which no check below knows about.
HAWSER_API refusal refusal_for(errc error, std::string text = {});

/// A whole refusal response with `Connection: close`, `Content-Length` and what the status demands: 405 Allow, 426
/// Upgrade and Sec-WebSocket-Version, 503 Retry-After. A status outside 300-599 refuses nothing and becomes 500.
HAWSER_API std::string refusal_response(const refusal& why);

/// A plain answer, for a page: status 200, `Connection: close`, `X-Content-Type-Options: nosniff`. A `content_type`
/// that cannot stand in a header becomes application/octet-stream.
HAWSER_API std::string page_response(std::string_view content_type, std::string_view body);

// ---- server: whom it serves -----------------------------------------------------------------------------------------

/// What a server refuses besides the protocol's own rules.
struct server_policy {
  std::vector<std::string> allowed_hosts;  ///< Host names that are served, without port: "h.test", "[::1]". Empty: all.
  std::vector<std::string> allowed_origins;  ///< Beside the own one: "https://example.com"; compared as origins.
  bool any_origin = false;                   ///< Insecure for browsers: any page may connect (G1).
};

/// The `allowed_hosts` of a server bound to loopback: localhost, 127.0.0.1, [::1]. Without it any page could reach the
/// server by a name of its own that it points to 127.0.0.1 (G2).
HAWSER_API std::vector<std::string> loopback_hosts();

/// Checks what a caller set: hosts without port, origins without path. `invalid_argument`; `why` gets a sentence.
/// An entry that this refuses would never match.
HAWSER_API result<void> check_server_policy(const server_policy& policy, std::string* why = nullptr);

/// Checks Host and Origin of any request against `policy`: exactly one Host (400), served (421); an Origin, when
/// present, must equal scheme, host and port of this request or be allowed (403); two Origins are 400. A target in
/// absolute form must name the same authority as Host (400). `secure` says that the request came over TLS. True when
/// all is well.
HAWSER_API bool check_policy(const http_head& head, const server_policy& policy, bool secure, refusal& why);

/// Path and query of a request target: itself in origin form, its end in absolute form ("http://host/path"). Empty for
/// anything else, which is no resource. Views `target`, or is static. RFC 6455, 4.2.1.
HAWSER_API std::string_view resource_name(std::string_view target HAWSER_LIFETIME_BOUND) noexcept;

// ---- server: the upgrade --------------------------------------------------------------------------------------------

/// What a valid upgrade request asked for. Views into the head it was read from.
struct upgrade_request {
  std::string_view key;                        ///< Sec-WebSocket-Key as it came.
  std::vector<std::string_view> subprotocols;  ///< In the client's order of preference.
  std::string extensions;  ///< All Sec-WebSocket-Extensions fields joined (N-04), not parsed yet; empty: none.
};

/// True when the request asks for an upgrade at all: it names "websocket" in Upgrade or has a Sec-WebSocket-Key.
HAWSER_API bool is_upgrade(const http_head& head) noexcept;

/// The checks of RFC 6455, 4.2.1: GET, a resource name, no body, Upgrade, Connection, version 13, one valid key,
/// subprotocol list. False: `why` has the status of the table (400, 405, 426). `out` views `head`.
HAWSER_API bool check_upgrade(const http_head& head, upgrade_request& out, refusal& why);

/// The first of the client's names that the server supports; empty for none. Names match exactly. Views `request`'s
/// head. RFC 6455, 4.2.2.
HAWSER_API std::string_view choose_subprotocol(const upgrade_request& request,
                                               const std::vector<std::string>& supported) noexcept;

/// The 101 response. Empty `subprotocol` or `extensions` add no field (N-06). `extra` must have passed
/// `check_extra_headers`; `headers` cannot hold an injection.
HAWSER_API std::string switching_protocols(std::string_view key, std::string_view subprotocol,
                                           std::string_view extensions, const headers& extra);

// ---- client ---------------------------------------------------------------------------------------------------------

/// What a client asks for.
struct client_request {
  std::vector<std::string> subprotocols;  ///< Tokens, no doubles.
  std::string extensions;                 ///< Sec-WebSocket-Extensions as offered; empty: none (N-06).
  headers extra;                          ///< The caller's own fields.
};

/// Checks what a caller set: subprotocols are distinct tokens (`invalid_subprotocol`), at most `max_subprotocols`;
/// `extensions` parses and `extra` passes `check_extra_headers` (`invalid_header`; Host may be replaced). `why` gets a
/// sentence.
HAWSER_API result<void> check_client_request(const client_request& request, std::string* why = nullptr);

/// A fresh Sec-WebSocket-Key from 16 random bytes.
HAWSER_API std::string make_key(const std::array<std::byte, 16>& random);

/// The request head. `to` comes from `parse_url`, `request` has passed `check_client_request`. RFC 6455, 4.1.
HAWSER_API std::string upgrade_request_text(const url& to, std::string_view key, const client_request& request);

/// What the server agreed to.
struct upgrade_response {
  std::string_view subprotocol;  ///< Empty: none. Views the head.
  std::string extensions;        ///< All Sec-WebSocket-Extensions fields joined (N-05), not parsed yet; empty: none.
};

/// The client's checks of RFC 6455, 4.1: status 101 (else `http_refused`), Upgrade, Connection (`not_an_upgrade`), the
/// accept key (`accept_invalid`), a subprotocol that was offered, at most once (`subprotocol_not_offered`). `strict`
/// refuses a split Sec-WebSocket-Extensions (N-05). An empty extensions field is `extension_header_malformed` (N-06).
/// `why` gets a sentence.
HAWSER_API result<void> check_response(const http_head& head, std::string_view key, const client_request& asked,
                                       bool strict, upgrade_response& out, std::string& why);

}  // namespace core
HAWSER_END
