// The server's checks. RFC 6455, 4.2.1 and 10.2.
#include "core/authority.h"
#include "core/chars.h"
#include "core/printable.h"

#include <hawser/core/handshake.h>

#include <algorithm>
#include <optional>
#include <utility>

HAWSER_BEGIN
namespace core {
namespace {

using detail::authority;
using detail::quoted;

bool refuse(refusal& why, errc error, std::string text) {
  why = refusal_for(error, std::move(text));
  return false;
}

/// Scheme, host and port. RFC 6454, 4.
struct origin {
  std::string_view scheme;
  authority at;
};

std::uint16_t default_port(std::string_view scheme) noexcept {
  if (equal_no_case(scheme, "http") || equal_no_case(scheme, "ws")) return 80;
  if (equal_no_case(scheme, "https") || equal_no_case(scheme, "wss")) return 443;
  return 0;
}

/// None for what is not exactly "scheme://host[:port]": also "null", a path, user information.
std::optional<origin> parse_origin(std::string_view text) noexcept {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || !detail::is_scheme(text.substr(0, end))) return std::nullopt;
  origin read{text.substr(0, end), {}};
  std::size_t ignored = 0;
  if (detail::parse_authority(text.substr(end + 3), read.at, ignored) != nullptr) return std::nullopt;
  return read;
}

bool same_port(const origin& a, const origin& b) noexcept {
  return a.at.port.value_or(default_port(a.scheme)) == b.at.port.value_or(default_port(b.scheme));
}

bool same_origin(const origin& a, const origin& b) noexcept {
  return equal_no_case(a.scheme, b.scheme) && same_port(a, b) && same_host(a.at, b.at);
}

bool is_allowed_host(const authority& host, const server_policy& policy) noexcept {
  if (policy.allowed_hosts.empty()) return true;
  return std::any_of(policy.allowed_hosts.begin(), policy.allowed_hosts.end(), [&](const std::string& entry) {
    if (!host.ipv6 && equal_no_case(entry, host.host)) return true;  // Without a port, as nearly all are.
    authority allowed;
    std::size_t ignored = 0;
    return detail::parse_authority(entry, allowed, ignored) == nullptr && same_host(allowed, host);
  });
}

bool is_allowed_origin(std::string_view text, const origin& own, const server_policy& policy) noexcept {
  if (policy.any_origin) return true;
  const std::optional<origin> from = parse_origin(text);
  if (!from) return false;
  if (same_origin(*from, own)) return true;
  return std::any_of(policy.allowed_origins.begin(), policy.allowed_origins.end(), [&](const std::string& entry) {
    const std::optional<origin> allowed = parse_origin(entry);
    return allowed && same_origin(*from, *allowed);
  });
}

/// "scheme://authority" of a target in absolute form; empty when it is in another form.
std::string_view absolute_part(std::string_view target) noexcept {
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos || default_port(target.substr(0, scheme)) == 0) return {};
  return target.substr(0, target.find_first_of("/?#", scheme + 3));
}

bool check_host(const http_head& head, const server_policy& policy, bool secure, origin& own, refusal& why) {
  const std::optional<std::string_view> only = head.fields.only("Host");
  if (!only) {
    return refuse(why, errc::host_invalid,
                  head.fields.count("Host") == 0
                      ? "The request has no Host header; a client must send one."
                      : "The request has more than one Host header; a client must send exactly one.");
  }
  const std::string_view host = *only;
  std::size_t ignored = 0;
  own.scheme = secure ? "https" : "http";
  if (const char* wrong = detail::parse_authority(host, own.at, ignored)) {
    return refuse(why, errc::host_invalid, "The Host header " + quoted(host) + " is malformed: " + wrong + ".");
  }
  if (const std::string_view absolute = absolute_part(head.target); !absolute.empty()) {
    const std::optional<origin> named = parse_origin(absolute);
    if (!named || !same_host(named->at, own.at) || !same_port(*named, own)) {
      return refuse(why, errc::host_invalid, "The request line and the Host header name different servers.");
    }
  }
  if (is_allowed_host(own.at, policy)) return true;
  return refuse(why, errc::host_not_served,
                "Host " + quoted(host) + " is not served here; add it to allowed_hosts if it should be.");
}

bool has_body(const headers& fields) noexcept {
  if (fields.count("Transfer-Encoding") != 0) return true;
  const std::size_t lengths = fields.count("Content-Length");
  return lengths > 1 || (lengths == 1 && *fields.find("Content-Length") != "0");
}

/// 16 bytes in base64: 22 characters and two signs of equality.
bool is_key(std::string_view text) noexcept {
  if (text.size() != 24 || !text.ends_with("==")) return false;
  return std::all_of(text.begin(), text.end() - 2, [](char c) {
    return detail::is_char(c, detail::alpha_char | detail::digit_char) || c == '+' || c == '/';
  });
}

bool take_subprotocols(std::string_view list, std::vector<std::string_view>& out, refusal& why) {
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view name = detail::trim(list.substr(0, comma));
    if (!name.empty()) {
      if (!is_token(name)) {
        return refuse(why, errc::subprotocol_malformed, "The subprotocol " + quoted(name) + " is not a token.");
      }
      if (std::find(out.begin(), out.end(), name) != out.end()) {
        return refuse(why, errc::subprotocol_malformed, "The subprotocol " + quoted(name) + " is offered twice.");
      }
      if (out.size() == max_subprotocols) {
        return refuse(why, errc::subprotocol_malformed,
                      "More than " + std::to_string(max_subprotocols) + " subprotocols are offered.");
      }
      out.push_back(name);
    }
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

bool check_subprotocols(const headers& fields, std::vector<std::string_view>& out, refusal& why) {
  bool present = false;
  for (const headers::field& f : fields) {
    if (!equal_no_case(f.name, "Sec-WebSocket-Protocol")) continue;
    present = true;
    if (!take_subprotocols(f.value, out, why)) return false;
  }
  if (!present || !out.empty()) return true;
  return refuse(why, errc::subprotocol_malformed, "Sec-WebSocket-Protocol is empty; leave it out instead.");
}

/// Method, target and body: what makes it a request that can be upgraded at all.
bool check_request(const http_head& head, refusal& why) {
  if (head.method != "GET") {
    return refuse(why, errc::http_method, "The method is " + quoted(head.method) + "; only GET opens a WebSocket.");
  }
  if (resource_name(head.target).empty()) {
    return refuse(why, errc::http_malformed, "The request target " + quoted(head.target) + " names no resource.");
  }
  if (!has_body(head.fields)) return true;
  return refuse(why, errc::http_body,
                "An upgrade request has no body; leave out Content-Length and Transfer-Encoding.");
}

bool check_upgrade_fields(const headers& fields, refusal& why) {
  if (!fields.lists("Upgrade", "websocket")) {
    return refuse(why, errc::not_an_upgrade,
                  "This is a WebSocket, and the request has no \"Upgrade: websocket\"; use a WebSocket client, or let "
                  "the proxy in between pass the header on.");
  }
  if (!fields.lists("Connection", "Upgrade")) {
    return refuse(why, errc::not_an_upgrade,
                  "The request has no \"Connection: Upgrade\"; let the proxy in between pass the header on.");
  }
  if (fields.only("Sec-WebSocket-Version") != "13") {
    return refuse(why, errc::version_unsupported, "Only Sec-WebSocket-Version 13 is spoken here.");
  }
  if (const auto key = fields.only("Sec-WebSocket-Key"); !key || !is_key(*key)) {
    return refuse(why, errc::key_invalid, "A request has exactly one Sec-WebSocket-Key of 16 bytes in base64.");
  }
  return true;
}

}  // namespace

std::vector<std::string> loopback_hosts() { return {"localhost", "127.0.0.1", "[::1]"}; }

result<void> check_server_policy(const server_policy& policy, std::string* why) {
  const auto wrong = [why](std::string text) {
    if (why != nullptr) *why = std::move(text);
    return errc::invalid_argument;
  };
  for (const std::string& entry : policy.allowed_hosts) {
    authority host;
    std::size_t ignored = 0;
    if (const char* problem = detail::parse_authority(entry, host, ignored)) {
      return wrong("the allowed host " + quoted(entry) + " is malformed: " + problem);
    }
    if (host.port) return wrong("the allowed host " + quoted(entry) + " has a port; every port is meant, leave it out");
  }
  for (const std::string& entry : policy.allowed_origins) {
    if (!parse_origin(entry)) {
      return wrong("the allowed origin " + quoted(entry) +
                   " is malformed; write it as https://host or https://host:port");
    }
  }
  return {};
}

bool check_policy(const http_head& head, const server_policy& policy, bool secure, refusal& why) {
  origin own;
  if (!check_host(head, policy, secure, own, why)) return false;
  const std::size_t count = head.fields.count("Origin");
  if (count == 0) return true;
  if (count > 1) return refuse(why, errc::http_malformed, "The request has more than one Origin header.");
  const std::string_view from = *head.fields.find("Origin");
  if (is_allowed_origin(from, own, policy)) return true;
  return refuse(why, errc::origin_denied,
                "Origin " + quoted(from) + " may not connect here; add it to allowed_origins if its pages should.");
}

std::string_view resource_name(std::string_view target) noexcept {
  if (target.find('#') != std::string_view::npos) return {};
  if (target.starts_with('/')) return target;
  const std::string_view absolute = absolute_part(target);
  if (absolute.empty()) return {};
  target.remove_prefix(absolute.size());
  if (target.empty()) return "/";
  return target.starts_with('/') ? target : std::string_view{};
}

bool is_upgrade(const http_head& head) noexcept {
  return head.fields.lists("Upgrade", "websocket") || head.fields.count("Sec-WebSocket-Key") != 0;
}

bool check_upgrade(const http_head& head, upgrade_request& out, refusal& why) {
  out = {};
  if (!check_request(head, why) || !check_upgrade_fields(head.fields, why)) return false;
  if (!check_subprotocols(head.fields, out.subprotocols, why)) return false;
  out.key = *head.fields.find("Sec-WebSocket-Key");
  out.extensions = head.fields.joined("Sec-WebSocket-Extensions");
  if (!out.extensions.empty() || head.fields.count("Sec-WebSocket-Extensions") == 0) return true;
  return refuse(why, errc::extension_header_malformed, "Sec-WebSocket-Extensions is empty; leave it out instead.");
}

std::string_view choose_subprotocol(const upgrade_request& request,
                                    const std::vector<std::string>& supported) noexcept {
  for (const std::string_view name : request.subprotocols) {
    if (std::find(supported.begin(), supported.end(), name) != supported.end()) return name;
  }
  return {};
}

}  // namespace core
HAWSER_END
