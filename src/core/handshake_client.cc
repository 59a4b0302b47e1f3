// The client's checks. RFC 6455, 4.1.
#include "core/printable.h"

#include <hawser/core/extension_header.h>
#include <hawser/core/handshake.h>

#include <algorithm>
#include <utility>

HAWSER_BEGIN
namespace core {
namespace {

using detail::quoted;

errc fail(std::string* why, errc error, std::string text) {
  if (why != nullptr) *why = std::move(text);
  return error;
}

std::string advice(const http_head& head) {
  switch (head.status) {
    case 400:
      return "it found the request malformed; check headers, subprotocols, ws:// or wss://, and what stands between";
    case 401:
    case 407:
      return "it wants credentials; send an Authorization header";
    case 403:
      return "it does not let this client in; check credentials, Origin and Host";
    case 404:
      return "nothing is served at this path; check the URL";
    case 421:
      return "it does not serve this host name; check the URL or the server's allowed hosts";
    case 426:
      return "it does not speak WebSocket version 13";
    case 429:
    case 503:
      return "it has too much to do; try again later";
    default:
      break;
  }
  if (head.status < 300) return "that is a page, no WebSocket; check host, port and path of the URL";
  if (head.status < 400) {
    const auto location = head.fields.find("Location");
    return "redirects are not followed; connect to " + (location ? quoted(*location) : "the new place") +
           " yourself if you trust it";
  }
  return head.status < 500 ? "it does not want this request" : "it failed; try again later or tell its operator";
}

std::string refused(const http_head& head) {
  std::string text = "the server answered " + std::to_string(head.status);
  if (!head.reason.empty()) text += ' ' + detail::printable(head.reason);
  return text + " instead of 101: " + advice(head);
}

result<void> check_extensions(const headers& fields, bool strict, upgrade_response& out, std::string& why) {
  constexpr std::string_view name = "Sec-WebSocket-Extensions";
  const std::size_t count = fields.count(name);
  if (count > 1 && strict) {
    return fail(&why, errc::extension_header_malformed,
                "the server sent Sec-WebSocket-Extensions more than once, which RFC 6455, 11.3.2 forbids");
  }
  out.extensions = fields.joined(name);
  const bool empty = out.extensions.find_first_not_of(" \t,") == std::string::npos;
  if (count == 0 || !empty) return {};
  return fail(&why, errc::extension_header_malformed, "the server sent an empty Sec-WebSocket-Extensions");
}

result<void> check_subprotocol(const headers& fields, const client_request& asked, upgrade_response& out,
                               std::string& why) {
  constexpr std::string_view name = "Sec-WebSocket-Protocol";
  const std::size_t count = fields.count(name);
  if (count == 0) return {};
  if (count > 1) {
    return fail(&why, errc::subprotocol_not_offered, "the server chose more than one subprotocol; one is allowed");
  }
  const std::string_view chosen = *fields.find(name);
  if (std::find(asked.subprotocols.begin(), asked.subprotocols.end(), chosen) == asked.subprotocols.end()) {
    return fail(&why, errc::subprotocol_not_offered,
                "the server chose the subprotocol " + quoted(chosen) + ", which was not offered");
  }
  out.subprotocol = chosen;
  return {};
}

}  // namespace

result<void> check_client_request(const client_request& request, std::string* why) {
  const std::vector<std::string>& names = request.subprotocols;
  if (names.size() > max_subprotocols) {
    return fail(why, errc::invalid_subprotocol,
                "at most " + std::to_string(max_subprotocols) + " subprotocols can be offered");
  }
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (!is_token(*name)) {
      return fail(why, errc::invalid_subprotocol, "the subprotocol " + quoted(*name) + " is not a token");
    }
    if (std::find(names.begin(), name, *name) != name) {
      return fail(why, errc::invalid_subprotocol, "the subprotocol " + quoted(*name) + " is given twice");
    }
  }
  if (std::string wrong; !request.extensions.empty() && !parse_extensions(request.extensions, &wrong))
    return fail(why, errc::invalid_header, "Sec-WebSocket-Extensions, " + wrong);
  return check_extra_headers(request.extra, why);
}

result<void> check_response(const http_head& head, std::string_view key, const client_request& asked, bool strict,
                            upgrade_response& out, std::string& why) {
  out = {};
  if (head.status != 101) return fail(&why, errc::http_refused, refused(head));
  const headers& fields = head.fields;
  if (const auto upgrade = fields.only("Upgrade"); !upgrade || !equal_no_case(*upgrade, "websocket")) {
    return fail(&why, errc::not_an_upgrade, "the server's 101 has no \"Upgrade: websocket\"");
  }
  if (!fields.lists("Connection", "Upgrade")) {
    return fail(&why, errc::not_an_upgrade, "the server's 101 has no \"Connection: Upgrade\"");
  }
  if (fields.only("Sec-WebSocket-Accept") != accept_key(key)) {
    return fail(&why, errc::accept_invalid,
                "the server's Sec-WebSocket-Accept does not fit the key that was sent; it is no WebSocket server, or a "
                "cache answered in its place");
  }
  if (result<void> checked = check_extensions(fields, strict, out, why); !checked) return checked;
  return check_subprotocol(fields, asked, out, why);
}

}  // namespace core
HAWSER_END
