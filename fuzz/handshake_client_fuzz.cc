// A response at the client: the first byte chooses what was asked, the rest is the head. What is accepted keeps every
// rule of RFC 6455, 4.1; what is refused has an error of the handshake and one printable sentence.

#include "support/head_input.h"

#include <hawser/core/handshake.h>

using hawser::errc;
using hawser::head_parser;
using hawser::headers;
using hawser::http_head;
using hawser::result;
using hawser::fuzz::require;
namespace core = hawser::core;

namespace {

constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";

void check_accepted(const http_head& head, const core::client_request& asked, bool strict,
                    const core::upgrade_response& agreed) {
  const headers& fields = head.fields;
  require(head.status == 101, "only 101 opens a connection");
  require(fields.joined("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "one right accept key");
  require(hawser::equal_no_case(fields.joined("Upgrade"), "websocket"), "one Upgrade to websocket");
  require(hawser::list_contains(fields.joined("Connection"), "upgrade"), "Connection lists Upgrade");
  const bool offered =
      std::find(asked.subprotocols.begin(), asked.subprotocols.end(), agreed.subprotocol) != asked.subprotocols.end();
  require(fields.joined("Sec-WebSocket-Protocol") == agreed.subprotocol, "the subprotocol is the one in the field");
  require(agreed.subprotocol.empty() || offered, "the subprotocol was offered");
  require(agreed.extensions == fields.joined("Sec-WebSocket-Extensions"), "the extensions are all the fields");
  require(!strict || fields.count("Sec-WebSocket-Extensions") <= 1, "a strict client wants one field");
}

bool is_handshake_error(const std::error_code& code) {
  const errc error = hawser::to_errc(code);
  return error == errc::http_refused || error == errc::not_an_upgrade || error == errc::accept_invalid ||
         error == errc::subprotocol_not_offered || error == errc::extension_header_malformed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  hawser::fuzz::read_head read =
      hawser::fuzz::read_in_pieces(text, head_parser::expects::response, {}, [&] { return text.size(); });
  if (read.at != head_parser::state::complete) return 0;
  core::client_request asked;
  if ((data[0] & 1) != 0) asked.subprotocols = {"chat", "superchat"};
  const bool strict = (data[0] & 2) != 0;
  core::upgrade_response agreed;
  std::string why;
  const result<void> checked = core::check_response(read.head, key, asked, strict, agreed, why);
#ifdef HAWSER_PLANTED_BUG
  // A client that takes whatever subprotocol it is given.
  if (checked && read.head.fields.count("Set-Cookie") != 0) agreed.subprotocol = "never-offered";
#endif
  if (checked) {
    check_accepted(read.head, asked, strict, agreed);
    return 0;
  }
  require(is_handshake_error(checked.error()), "a refusal has an error of the handshake");
  require(!why.empty() && std::all_of(why.begin(), why.end(), [](char c) { return c >= ' ' && c <= '~'; }),
          "a refusal has one printable sentence");
  return 0;
}
