// What can go wrong, and whose fault it is.
#pragma once

#include <hawser/base/config.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

HAWSER_BEGIN

/// What exactly happened. Convertible to `std::error_code`; compare the code with a `fault` to learn whose fault it
/// was. `describe()` gives the sentence a person reads. A value is never renumbered.
enum class errc : std::uint8_t {
  ok = 0,

  // The caller's mistakes: nothing was sent, nothing else changed.
  invalid_argument = 1,    ///< A value is outside what the call documents.
  invalid_url = 2,         ///< The URL does not parse (RFC 6455, 3). Correct it; the message says where.
  unsupported_scheme = 3,  ///< Neither ws:// nor wss://, or wss:// in a build without TLS.
  invalid_header =
      4,  ///< A header name or value has CR, LF, NUL or another forbidden byte, or names a header the library owns.
  invalid_subprotocol = 5,  ///< Not a token, or given twice (RFC 6455, 4.1).
  invalid_close_code =
      6,             ///< A code that must not go on the wire, or a reason over 123 bytes or not UTF-8 (RFC 6455, 7.4).
  invalid_utf8 = 7,  ///< Text to be sent is not UTF-8.
  wrong_thread = 8,  ///< This call belongs to the connection's own loop; use `post`.
  would_block = 9,   ///< Not taken: the backlog is over its limit. Wait for `on_drain`, then send again.
  wrong_state = 11,  ///< The call does not fit the state: a chunk without a begin, `run` twice.
  not_supported = 13,           ///< Left out of this build, or not possible on this system.
  too_many_subscriptions = 14,  ///< The connection has `limits.max_subscriptions` topics already; it did not join.
  not_kept = 15,                ///< Not kept by this connection; set the option that the call names.
  invalid_extension = 16,    ///< An extension has a name that is not a token (RFC 6455, 9.1), or claims what none may.
  invalid_plugin = 17,       ///< A plug-in cannot be loaded, or breaks the rules of plugin.h; the text says which.
  invalid_certificate = 18,  ///< A certificate or key of this end cannot be used; the text names it.

  // The connection is over.
  closed = 20,     ///< Already closed, or never was: normal life, for every call, for ever.
  cancelled = 21,  ///< The owner stopped it before it finished.

  // The transport.
  name_not_found = 30,      ///< The host name has no address.
  connection_refused = 31,  ///< Nobody listens there.
  unreachable = 32,         ///< No route to the host or network.
  connect_timeout = 33,     ///< The host did not answer in time.
  connection_lost = 34,     ///< Reset, or ended without a closing handshake (1006).
  handshake_timeout = 35,   ///< The opening handshake was not finished in time.
  ping_timeout = 36,        ///< No pong in time (1006): the peer or the path is dead.
  close_timeout = 37,       ///< The peer did not answer our close in time.
  address_in_use = 38,      ///< Another program listens there.
  address_invalid = 39,     ///< Not an address of this machine, or not one at all.
  permission_denied = 40,   ///< The system does not allow it: a port below 1024, a path.
  out_of_resources = 41,    ///< No file descriptors or memory left.
  transport_error = 42,     ///< Any other error of the system.
  read_timeout = 43,        ///< A blocking call ran out of its time; the connection is still up.
  truncated = 44,           ///< TLS was cut off without its own end, by anybody on the way (1006).

  // The peer broke HTTP or the opening handshake (RFC 6455, 4).
  http_malformed = 60,              ///< Not HTTP/1.1 (400).
  http_version = 61,                ///< Not HTTP/1.1 (505).
  http_head_too_large = 62,         ///< Head, line or header count over the limit (431).
  http_target_too_long = 63,        ///< Request target over the limit (414).
  http_method = 64,                 ///< Not GET (405).
  http_body = 65,                   ///< A body or transfer coding on an upgrade request (400).
  http_refused = 66,                ///< The server answered with another status than 101; the status is in the text.
  host_invalid = 67,                ///< No Host, two, or a malformed one (400).
  host_not_served = 68,             ///< Host is not one of `allowed_hosts` (421).
  origin_denied = 69,               ///< Origin is not allowed (403).
  not_found = 70,                   ///< No such route (404).
  not_an_upgrade = 71,              ///< Upgrade or Connection is missing or wrong.
  version_unsupported = 72,         ///< Sec-WebSocket-Version is not 13 (426).
  key_invalid = 73,                 ///< Sec-WebSocket-Key is missing, doubled or not 16 bytes of base64 (400).
  accept_invalid = 74,              ///< Sec-WebSocket-Accept is missing or wrong.
  subprotocol_malformed = 75,       ///< Sec-WebSocket-Protocol does not parse, or holds too many or doubled names.
  subprotocol_not_offered = 76,     ///< The server chose a subprotocol that was not offered.
  extension_header_malformed = 77,  ///< Sec-WebSocket-Extensions does not parse (N-01).
  extension_not_offered = 78,       ///< The server answered an extension that was not offered (N-08).
  extension_parameters = 79,        ///< The server's parameters for an extension are not acceptable (P-12).
  extension_conflict = 12,          ///< The server agreed to extensions that cannot work together (N-16, P-05).
  extension_missing = 80,           ///< A mandatory extension was declined (1010; at the server 400).
  server_full = 81,                 ///< Connection, per-address or rate limit reached (503).
  certificate_refused = 82,         ///< The other end's certificate is not to be trusted; the text says why.
  tls_failed = 83,                  ///< The other end speaks no TLS, none that is allowed here, or gave up by an alert.

  // The peer broke framing (RFC 6455, 5 to 8).
  reserved_bits = 100,            ///< RSV bit without a negotiated meaning (1002).
  reserved_opcode = 101,          ///< Opcode without a negotiated meaning (1002).
  frame_not_masked = 102,         ///< A client frame without a mask (1002).
  frame_masked = 103,             ///< A frame with a mask, of a server or of a client that agreed not to mask (1002).
  length_invalid = 104,           ///< Length not minimal, or its highest bit set (1002).
  control_too_long = 105,         ///< Control frame over 125 bytes (1002).
  control_fragmented = 106,       ///< Control frame without FIN (1002).
  unexpected_continuation = 107,  ///< Continuation without a message (1002).
  expected_continuation = 108,    ///< A new message inside an unfinished one (1002).
  bad_utf8 = 109,                 ///< Text or a close reason is not UTF-8 (1007).
  bad_close_payload = 110,        ///< Close payload of one byte, or a code that must not be sent (1002).
  message_too_big = 111,          ///< Message over `limits.max_message`, after all extensions (1009).
  frame_too_big = 112,            ///< Frame over `limits.max_frame` (1009).
  too_many_fragments = 113,       ///< More frames in one message than `limits.max_fragments` (1008).
  too_many_glitches = 114,        ///< Too many pointless frames in a short time (1008).
  message_too_slow = 115,         ///< A message was begun and not brought on in time (1008).
  corrupt_data = 116,             ///< An extension could not decode the message (1007).
  extension_failed = 117,         ///< An extension gave the connection up; its reason is in the text.
  inband_malformed = 118,  ///< In-band: a text message (1003), or one without the byte that says what it is (1002).

  // Ours.
  handler_threw = 130,    ///< A handler threw; the connection was closed with 1011.
  extension_threw = 131,  ///< A stage of an extension threw, broke its contract, or gave up by its own fault (1011).
  slow_consumer = 132,    ///< The peer did not read: the backlog passed its hard limit (1013).
  internal = 133,         ///< A defect in this library; please report it.
};

/// Whose fault it was; an error code compares equal to its fault: `if (code == fault::peer_violation)`. So do codes of
/// the system: they are the transport's. Where the standard has a condition of the same meaning, such as
/// `std::errc::timed_out`, the code compares equal to that as well.
enum class fault : std::uint8_t {
  none = 0,            ///< No error.
  caller_mistake = 1,  ///< Mend the call.
  peer_violation = 2,  ///< The other end broke the protocol or refused; retrying unchanged will not help.
  transport = 3,       ///< Network or system; retrying later may help.
  limit = 4,           ///< A limit of ours was reached; raise it if the peer is right.
  closed = 5,          ///< The connection is over.
  cancelled = 6,       ///< The owner's own wish.
  internal = 7,        ///< A handler, an extension or this library failed.
};

/// How many values `fault` has: what is counted by fault has so many places.
inline constexpr std::size_t fault_count = static_cast<std::size_t>(fault::internal) + 1;

/// The category of `errc`; its name is "hawser".
HAWSER_API const std::error_category& error_category() noexcept;

/// `code` as the standard's error code.
HAWSER_API std::error_code make_error_code(errc code) noexcept;

/// `kind` as the standard's error condition.
HAWSER_API std::error_condition make_error_condition(fault kind) noexcept;

/// Whose fault `code` is.
HAWSER_API fault fault_of(errc code) noexcept;

/// One sentence: what happened and what to do about it. Static storage.
HAWSER_API std::string_view describe(errc code) noexcept;

/// `code` as an `errc`, or `errc::transport_error` when it belongs to another category.
HAWSER_API errc to_errc(const std::error_code& code) noexcept;

HAWSER_END

template <>
struct std::is_error_code_enum<hawser::errc> : std::true_type {};
template <>
struct std::is_error_condition_enum<hawser::fault> : std::true_type {};
