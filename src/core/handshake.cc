#include <hawser/base/crypto.h>
#include <hawser/core/handshake.h>

#include <utility>

HAWSER_BEGIN
namespace core {
namespace {

struct status_words {
  int status;
  std::string_view words;
};

constexpr status_words known_statuses[] = {
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {414, "URI Too Long"},
    {421, "Misdirected Request"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

std::string_view words_of(int status) noexcept {
  for (const status_words& known : known_statuses) {
    if (known.status == status) return known.words;
  }
  return "Refused";
}

int status_of(errc error) noexcept {
  switch (error) {
    case errc::http_malformed:
    case errc::http_body:
    case errc::host_invalid:
    case errc::not_an_upgrade:
    case errc::key_invalid:
    case errc::subprotocol_malformed:
    case errc::extension_header_malformed:
    case errc::extension_missing:
      return 400;
    case errc::origin_denied:
      return 403;
    case errc::not_found:
      return 404;
    case errc::http_method:
      return 405;
    case errc::handshake_timeout:
      return 408;
    case errc::http_target_too_long:
      return 414;
    case errc::host_not_served:
      return 421;
    case errc::version_unsupported:
      return 426;
    case errc::http_head_too_large:
      return 431;
    case errc::server_full:
      return 503;
    case errc::http_version:
      return 505;
    default:
      return 500;
  }
}

/// The fields that a status demands. RFC 9110: 10.2.1, 15.5.22, 10.2.3; RFC 6455, 4.4.
std::string_view demanded_by(int status) noexcept {
  switch (status) {
    case 405:
      return "Connection: close\r\nAllow: GET\r\n";
    case 426:
      return "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    case 503:
      return "Connection: close\r\nRetry-After: 5\r\n";
    default:
      return "Connection: close\r\n";
  }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_fields(std::string& out, const headers& fields) {
  for (const headers::field& f : fields)
    append_field(out, f.name, f.value);
}

void append_body(std::string& out, std::string_view content_type, std::string_view body) {
  append_field(out, "Content-Type", content_type);
  append_field(out, "X-Content-Type-Options", "nosniff");
  append_field(out, "Content-Length", std::to_string(body.size()));
  out.append("\r\n").append(body);
}

}  // namespace

std::string accept_key(std::string_view key) {
  std::string joined;
  joined.reserve(64);
  joined.append(key).append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  return base64(sha1(as_bytes(joined)));
}

result<void> check_extra_headers(const headers& extra, std::string* why) {
  for (const headers::field& f : extra) {
    constexpr std::string_view prefix = "Sec-WebSocket-";
    const bool owned = equal_no_case(f.name, "Upgrade") || equal_no_case(f.name, "Connection") ||
                       equal_no_case(f.name, "Content-Length") || equal_no_case(f.name, "Transfer-Encoding") ||
                       equal_no_case(f.name.substr(0, prefix.size()), prefix);
    if (!owned) continue;
    if (why != nullptr) *why = "the header " + std::string(f.name) + " belongs to the handshake; leave it out";
    return errc::invalid_header;
  }
  if (extra.count("Host") < 2) return {};
  if (why != nullptr) *why = "Host is given twice; a request has exactly one";
  return errc::invalid_header;
}

refusal refusal_for(errc error, std::string text) {
  refusal made;
  made.status = status_of(error);
  made.error = error;
  made.text = text.empty() ? std::string(describe(error)) : std::move(text);
  return made;
}

std::string refusal_response(const refusal& why) {
  const int status = why.status >= 300 && why.status <= 599 ? why.status : 500;
  std::string out = "HTTP/1.1 " + std::to_string(status) + " ";
  out.append(words_of(status)).append("\r\n").append(demanded_by(status));
  append_fields(out, why.extra);
  append_body(out, "text/plain; charset=utf-8", why.text + "\n");
  return out;
}

std::string page_response(std::string_view content_type, std::string_view body) {
  std::string out = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
  append_body(out, is_field_value(content_type) ? content_type : "application/octet-stream", body);
  return out;
}

std::string switching_protocols(std::string_view key, std::string_view subprotocol, std::string_view extensions,
                                const headers& extra) {
  std::string out;
  out.reserve(256);
  out +=
      "HTTP/1.1 101 Switching Protocols\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n";
  append_field(out, "Sec-WebSocket-Accept", accept_key(key));
  if (!subprotocol.empty()) append_field(out, "Sec-WebSocket-Protocol", subprotocol);
  if (!extensions.empty()) append_field(out, "Sec-WebSocket-Extensions", extensions);
  append_fields(out, extra);
  out += "\r\n";
  return out;
}

std::string make_key(const std::array<std::byte, 16>& random) { return base64(random); }

std::string upgrade_request_text(const url& to, std::string_view key, const client_request& request) {
  std::string out;
  out.reserve(512);
  out.append("GET ").append(to.target).append(" HTTP/1.1\r\n");
  const auto host = request.extra.find("Host");
  append_field(out, "Host", host ? std::string(*host) : to.authority());
  out +=
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n";
  append_field(out, "Sec-WebSocket-Key", key);
  append_field(out, "Sec-WebSocket-Version", "13");
  if (!request.subprotocols.empty()) {
    std::string names;
    for (const std::string& name : request.subprotocols)
      names.append(names.empty() ? "" : ", ").append(name);
    append_field(out, "Sec-WebSocket-Protocol", names);
  }
  if (!request.extensions.empty()) append_field(out, "Sec-WebSocket-Extensions", request.extensions);
  for (const headers::field& f : request.extra) {
    if (!equal_no_case(f.name, "Host")) append_field(out, f.name, f.value);
  }
  out += "\r\n";
  return out;
}

}  // namespace core
HAWSER_END
