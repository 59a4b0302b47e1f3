#include <hawser/base/errc.h>

#include <algorithm>
#include <iterator>
#include <string>

HAWSER_BEGIN

namespace {

struct entry {
  errc code;
  fault whose;
  std::string_view sentence;
};

// In the order of the values: looked up by bisection.
constexpr entry entries[] = {
    {errc::ok, fault::none, "No error."},
    {errc::invalid_argument, fault::caller_mistake,
     "An argument is outside what the call documents; nothing was done. Correct the argument."},
    {errc::invalid_url, fault::caller_mistake,
     "The URL cannot be read. Write it as ws://host:port/path or wss://host:port/path, without user name and "
     "fragment."},
    {errc::unsupported_scheme, fault::caller_mistake,
     "The URL begins with neither ws:// nor wss://, or with wss:// in a build without TLS. Correct the scheme, or "
     "build "
     "with TLS."},
    {errc::invalid_header, fault::caller_mistake,
     "A header name or value holds a forbidden byte, or the header is one that the library writes itself. Correct it "
     "or "
     "leave it out."},
    {errc::invalid_subprotocol, fault::caller_mistake,
     "A subprotocol name is not a token or is given twice. Use letters, digits and - . _ only, and each name once."},
    {errc::invalid_close_code, fault::caller_mistake,
     "This close code may not be sent, or the reason is longer than 123 bytes or not UTF-8. Use 1000, 1001 or a code "
     "from 3000 to 4999."},
    {errc::invalid_utf8, fault::caller_mistake,
     "The text to be sent is not UTF-8; nothing was sent. Send it as binary, or convert it first."},
    {errc::wrong_thread, fault::caller_mistake,
     "This call belongs to the thread of the connection's loop. Hand it over with post()."},
    {errc::would_block, fault::limit,
     "The message was not taken: the peer reads more slowly than this program sends. Wait for on_drain, then send "
     "again."},
    {errc::wrong_state, fault::caller_mistake,
     "The call does not fit the state of the object, such as a chunk without a begin; nothing was done. Correct the "
     "order of the calls."},
    {errc::extension_conflict, fault::peer_violation,
     "The server agreed to extensions that cannot work together: they claim the same bit or opcode, or stand in an "
     "order "
     "that cannot work. Offer only one of them, or correct the server."},
    {errc::not_supported, fault::caller_mistake,
     "This build or this system cannot do that. Build with the option that it needs, or do without it."},
    {errc::too_many_subscriptions, fault::limit,
     "The connection is subscribed to limits.max_subscriptions topics already. Unsubscribe from one, or raise the "
     "limit."},
    {errc::not_kept, fault::caller_mistake,
     "The connection does not keep what was asked for. Set the option for it (keep_request, timings) before it opens."},
    {errc::invalid_extension, fault::caller_mistake,
     "An extension of this program has a name that is not a token (letters, digits and dashes), or claims what no "
     "extension may. Correct the extension, or leave it out."},
    {errc::invalid_plugin, fault::caller_mistake,
     "The plug-in cannot be loaded or does not keep to hawser/plugin.h. Correct the path, or build it anew."},
    {errc::invalid_certificate, fault::caller_mistake,
     "A certificate or a key of this end cannot be used. Correct what the text names."},
    {errc::closed, fault::closed, "The connection is closed. Connect again if it is still needed."},
    {errc::cancelled, fault::cancelled, "The operation was cancelled by its owner before it finished."},
    {errc::name_not_found, fault::transport,
     "The host name has no address. Check the spelling and the name server, or try again later."},
    {errc::connection_refused, fault::transport,
     "Nothing listens there. Start the server or correct the address, then try again."},
    {errc::unreachable, fault::transport,
     "There is no route to the host. Check the network and the address, or try again later."},
    {errc::connect_timeout, fault::transport,
     "The host did not answer in time. Check the address and the firewalls between, or try again later."},
    {errc::connection_lost, fault::transport,
     "The connection broke without a closing handshake: the peer ended or the network failed. Connect again."},
    {errc::handshake_timeout, fault::transport,
     "The other end did not finish the opening handshake in time. Check that it speaks WebSocket on that port, or try "
     "again later."},
    {errc::ping_timeout, fault::transport,
     "The peer answered no ping in time: the peer or the network is dead. Connect again."},
    {errc::close_timeout, fault::transport,
     "The peer did not answer the closing handshake in time, so the connection was cut. Nothing needs to be done."},
    {errc::address_in_use, fault::transport,
     "Another program listens on that address and port. Stop it, or choose another port."},
    {errc::address_invalid, fault::caller_mistake,
     "That is not an address of this machine, or no address at all. Correct it; 0.0.0.0 and :: stand for all."},
    {errc::permission_denied, fault::transport,
     "The system does not allow it. Choose a port above 1023, or give the program the right it needs."},
    {errc::out_of_resources, fault::transport,
     "The system has no file descriptors or memory left. Raise its limits, or use fewer connections."},
    {errc::transport_error, fault::transport,
     "The system reported an error on the connection. Try again; the system's own message says more."},
    {errc::read_timeout, fault::transport,
     "Nothing came within the time given; the connection is still up. Call again, or allow more time."},
    {errc::truncated, fault::transport,
     "The connection was cut off without the end that TLS has, so something may be missing that was sent. Connect "
     "again."},
    {errc::http_malformed, fault::peer_violation,
     "The peer sent something that is not HTTP/1.1. Check that the port is one of a WebSocket server, and that ws:// "
     "and "
     "wss:// are not mixed up."},
    {errc::http_version, fault::peer_violation,
     "The peer does not speak HTTP/1.1, which WebSocket needs. Check the proxies on the way."},
    {errc::http_head_too_large, fault::limit,
     "The peer's HTTP head, one of its lines or its number of headers is over the limit. Raise the limit if the peer "
     "is "
     "right."},
    {errc::http_target_too_long, fault::limit,
     "The path and query of the request are longer than the limit. Raise the limit if the peer is right."},
    {errc::http_method, fault::peer_violation,
     "The peer sent a request with another method than GET. The client must be corrected."},
    {errc::http_body, fault::peer_violation,
     "The peer sent a body with its upgrade request, which may have none. The client must be corrected."},
    {errc::http_refused, fault::peer_violation,
     "The server answered with another status than 101 and refused the connection. Look at the status, then check "
     "path, "
     "credentials and origin."},
    {errc::host_invalid, fault::peer_violation,
     "The peer's request has no Host header, several, or a malformed one. The client must be corrected."},
    {errc::host_not_served, fault::peer_violation,
     "The peer asked for a host that is not among allowed_hosts. Add the host if it is right."},
    {errc::origin_denied, fault::peer_violation,
     "The peer's Origin is not allowed here. Add it to the allowed origins if it is right."},
    {errc::not_found, fault::peer_violation,
     "The peer asked for a path that has no route. Correct the path, or add the route."},
    {errc::not_an_upgrade, fault::peer_violation,
     "The peer's Upgrade or Connection header is missing or wrong. Check that a WebSocket client and server talk, and "
     "that no "
     "proxy removes the headers."},
    {errc::version_unsupported, fault::peer_violation,
     "The peer asked for another WebSocket version than 13. The client must be brought up to date."},
    {errc::key_invalid, fault::peer_violation,
     "The peer's Sec-WebSocket-Key is missing, given twice or not 16 bytes of base64. The client must be corrected."},
    {errc::accept_invalid, fault::peer_violation,
     "The server's Sec-WebSocket-Accept is missing or does not match the key. The other end is no WebSocket server, or "
     "a "
     "cache answered in its place."},
    {errc::subprotocol_malformed, fault::peer_violation,
     "The peer's Sec-WebSocket-Protocol cannot be read. The other end must be corrected."},
    {errc::subprotocol_not_offered, fault::peer_violation,
     "The server chose a subprotocol that was not offered. Offer it, or correct the server."},
    {errc::extension_header_malformed, fault::peer_violation,
     "The peer's list of extensions cannot be read. The other end must be corrected."},
    {errc::extension_not_offered, fault::peer_violation,
     "The server answered with an extension that was not offered. The server must be corrected."},
    {errc::extension_parameters, fault::peer_violation,
     "The server's parameters for an extension are not acceptable. Change what is offered, or correct the server."},
    {errc::extension_missing, fault::peer_violation,
     "The other end declined an extension that was marked as mandatory. Enable it there, or make it optional here."},
    {errc::server_full, fault::limit,
     "The server's limit on connections or on their rate was reached. Try again later, or raise the limit."},
    {errc::certificate_refused, fault::peer_violation,
     "The certificate of the other end is not to be trusted. The text names it and says what mends it."},
    {errc::tls_failed, fault::peer_violation,
     "TLS with the other end failed. Check that it speaks TLS 1.2 or 1.3 on that port."},
    {errc::reserved_bits, fault::peer_violation,
     "The peer set a reserved bit that no negotiated extension uses. The other end must be corrected."},
    {errc::reserved_opcode, fault::peer_violation,
     "The peer sent a frame with an opcode that no negotiated extension uses. The other end must be corrected."},
    {errc::frame_not_masked, fault::peer_violation,
     "The client sent a frame without a mask. The client must be corrected."},
    {errc::frame_masked, fault::peer_violation,
     "The peer masked a frame that must not be masked: a server never masks, nor does a client that agreed not to. The "
     "peer must be corrected."},
    {errc::length_invalid, fault::peer_violation,
     "The peer sent a frame length that is not in its shortest form or does not fit 63 bits. The other end must be "
     "corrected."},
    {errc::control_too_long, fault::peer_violation,
     "The peer sent a control frame of more than 125 bytes. The other end must be corrected."},
    {errc::control_fragmented, fault::peer_violation,
     "The peer sent a control frame in fragments. The other end must be corrected."},
    {errc::unexpected_continuation, fault::peer_violation,
     "The peer sent a continuation frame without a message to continue. The other end must be corrected."},
    {errc::expected_continuation, fault::peer_violation,
     "The peer began a new message inside an unfinished one. The other end must be corrected."},
    {errc::bad_utf8, fault::peer_violation,
     "The peer sent text or a close reason that is not UTF-8. The other end must send it as binary."},
    {errc::bad_close_payload, fault::peer_violation,
     "The peer sent a close frame of one byte or with a code that may not be sent. The other end must be corrected."},
    {errc::message_too_big, fault::limit,
     "A message is longer than its receiver takes (max_message). Send less, or raise the limit there."},
    {errc::frame_too_big, fault::limit,
     "A frame is longer than its receiver takes (max_frame). Send smaller ones, or raise the limit there."},
    {errc::too_many_fragments, fault::limit,
     "The peer split one message into more frames than limits.max_fragments. Raise the limit if the peer is right."},
    {errc::too_many_glitches, fault::limit,
     "The peer sent too many pointless frames in a short time, as an attacker would. Raise the limit if the peer is "
     "right."},
    {errc::message_too_slow, fault::limit,
     "The peer began a message and did not bring it on in time. Allow more time if the peer is right."},
    {errc::corrupt_data, fault::peer_violation,
     "An extension could not decode the peer's message. The other end must be corrected, or does without the "
     "extension."},
    {errc::extension_failed, fault::peer_violation,
     "An extension gave the connection up because of what the peer sent. The reason it gave says what to mend."},
    {errc::inband_malformed, fault::peer_violation,
     "The peer agreed to speak in-band and sent a text message, or one without the byte in front that says what it is. "
     "The other end must be corrected."},
    {errc::handler_threw, fault::internal,
     "A handler of this program threw an exception, so its connection was closed. Catch it inside the handler."},
    {errc::extension_threw, fault::internal,
     "An extension of this program threw, broke its contract or gave up by its own fault, so its connection was "
     "closed. "
     "The extension must be corrected."},
    {errc::slow_consumer, fault::limit,
     "The peer read too slowly, and what waits for it passed the hard limit. Send less, or raise the limit."},
    {errc::internal, fault::internal, "This library has a defect. Please report it together with what led to it."},
};

static_assert(std::is_sorted(std::begin(entries), std::end(entries),
                             [](const entry& a, const entry& b) { return a.code < b.code; }));

const entry* find(errc code) noexcept {
  const auto* at = std::lower_bound(std::begin(entries), std::end(entries), code,
                                    [](const entry& e, errc wanted) { return e.code < wanted; });
  return at != std::end(entries) && at->code == code ? at : nullptr;
}

// The portable condition that says the same, for programs that compare with `std::errc`.
std::errc portable(errc code) noexcept {
  switch (code) {
    case errc::invalid_argument:
      return std::errc::invalid_argument;
    case errc::would_block:
      return std::errc::operation_would_block;
    case errc::not_supported:
      return std::errc::not_supported;
    case errc::closed:
      return std::errc::not_connected;
    case errc::cancelled:
      return std::errc::operation_canceled;
    case errc::connection_refused:
      return std::errc::connection_refused;
    case errc::unreachable:
      return std::errc::host_unreachable;
    case errc::connection_lost:
      return std::errc::connection_reset;
    case errc::connect_timeout:
    case errc::handshake_timeout:
    case errc::ping_timeout:
    case errc::close_timeout:
    case errc::read_timeout:
      return std::errc::timed_out;
    case errc::address_in_use:
      return std::errc::address_in_use;
    case errc::address_invalid:
      return std::errc::address_not_available;
    case errc::permission_denied:
      return std::errc::permission_denied;
    default:
      return {};
  }
}

class errc_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "hawser"; }
  std::string message(int value) const override { return std::string(describe(static_cast<errc>(value))); }
  std::error_condition default_error_condition(int value) const noexcept override {
    return make_error_condition(fault_of(static_cast<errc>(value)));
  }
  bool equivalent(int value, const std::error_condition& condition) const noexcept override {
    if (default_error_condition(value) == condition) return true;
    const std::errc same = portable(static_cast<errc>(value));
    return same != std::errc{} && std::make_error_condition(same) == condition;
  }
};

class fault_category final : public std::error_category {
 public:
  using std::error_category::equivalent;

  const char* name() const noexcept override { return "hawser.fault"; }
  std::string message(int value) const override {
    switch (static_cast<fault>(value)) {
      case fault::none:
        return "no error";
      case fault::caller_mistake:
        return "mistake of the caller";
      case fault::peer_violation:
        return "violation or refusal by the peer";
      case fault::transport:
        return "failure of the network or the system";
      case fault::limit:
        return "limit reached";
      case fault::closed:
        return "connection closed";
      case fault::cancelled:
        return "cancelled by the owner";
      case fault::internal:
        return "failure of a handler, an extension or the library";
    }
    return "unknown fault";
  }
  // Codes of the system are the transport's fault, except the one that reports a wish of the owner.
  bool equivalent(const std::error_code& code, int value) const noexcept override {
    if (code.category() != std::system_category() && code.category() != std::generic_category()) return false;
    if (!code) return static_cast<fault>(value) == fault::none;
    const fault whose = code == std::errc::operation_canceled ? fault::cancelled : fault::transport;
    return static_cast<fault>(value) == whose;
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const errc_category category;
  return category;
}

std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), error_category()}; }

std::error_condition make_error_condition(fault kind) noexcept {
  static const fault_category category;
  return {static_cast<int>(kind), category};
}

fault fault_of(errc code) noexcept {
  const entry* found = find(code);
  return found != nullptr ? found->whose : fault::internal;
}

std::string_view describe(errc code) noexcept {
  const entry* found = find(code);
  return found != nullptr ? found->sentence : "An unknown error; the program and the library may not fit each other.";
}

errc to_errc(const std::error_code& code) noexcept {
  if (code.category() == error_category()) return static_cast<errc>(code.value());
  return code ? errc::transport_error : errc::ok;
}

HAWSER_END
