// A request at the server: the first byte chooses its policy, the rest is the head. What is accepted keeps every rule
// of RFC 6455, 4.2.1 and our own client accepts the answer; what is refused is answered with a status of the table.

#include "support/head_input.h"

#include <hawser/core/handshake.h>

using hawser::head_parser;
using hawser::headers;
using hawser::http_head;
using hawser::fuzz::require;
namespace core = hawser::core;

namespace {

http_head answer_of(const std::string& text) {
  hawser::fuzz::read_head read =
      hawser::fuzz::read_in_pieces(text, head_parser::expects::response, {}, [&] { return text.size(); });
  require(read.at == head_parser::state::complete, "an answer is a whole head");
  return std::move(read.head);
}

void check_refusal(const core::refusal& why) {
  require(!why.text.empty() && why.text.size() < 500, "a refusal has a short sentence");
  require(std::all_of(why.text.begin(), why.text.end(), [](char c) { return c >= ' ' && c <= '~'; }),
          "a peer's bytes are escaped in it");
  const http_head answer = answer_of(core::refusal_response(why));
  const int table[] = {400, 403, 405, 414, 421, 426, 431, 505};
  require(std::find(std::begin(table), std::end(table), answer.status) != std::end(table), "a status of the table");
  require(answer.fields.lists("Connection", "close"), "a refused connection is closed");
}

std::string_view only(const headers& fields, std::string_view name) {
  require(fields.count(name) == 1, "a field that must come once came once");
  return *fields.find(name);
}

void check_rules(const http_head& head, const core::server_policy& policy) {
  const headers& fields = head.fields;
  require(head.method == "GET" && fields.count("Transfer-Encoding") == 0, "GET without a coding");
  require(fields.count("Content-Length") == 0 || only(fields, "Content-Length") == "0", "no body");
  require(only(fields, "Sec-WebSocket-Version") == "13", "version 13");
  require(only(fields, "Sec-WebSocket-Key").size() == 24, "a key of 24 characters");
  const std::string_view host = only(fields, "Host");
  require(host.find_first_of("@/ ,\"") == std::string_view::npos, "Host is a name and a port");
  if (!policy.allowed_hosts.empty()) {
    const std::string name = std::string(host.substr(0, host.find(':')));
    require(host.starts_with('[') || hawser::equal_no_case(name, "localhost") || name == "127.0.0.1", "a served host");
  }
  require(fields.count("Origin") <= 1, "at most one origin");
}

void check_agreement(const http_head& head, const core::upgrade_request& request) {
  core::client_request asked;
  for (const std::string_view name : request.subprotocols)
    asked.subprotocols.emplace_back(name);
  require(core::check_client_request(asked).has_value(), "what was read as subprotocols can be offered");
  std::string_view chosen = core::choose_subprotocol(request, {"chat", "superchat"});
#ifdef HAWSER_PLANTED_BUG
  if (request.subprotocols.size() > 2) chosen = "other";
#endif
  const http_head answer = answer_of(core::switching_protocols(request.key, chosen, "", {}));
  core::upgrade_response agreed;
  std::string why;
  require(core::check_response(answer, *head.fields.find("Sec-WebSocket-Key"), asked, true, agreed, why).has_value(),
          "our client accepts our server's answer");
  require(agreed.subprotocol == chosen, "both ends agree on the subprotocol");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  hawser::fuzz::read_head read =
      hawser::fuzz::read_in_pieces(text, head_parser::expects::request, {}, [&] { return text.size(); });
  if (read.at == head_parser::state::need_more) return 0;
  if (read.at == head_parser::state::failed) {
    check_refusal(core::refusal_for(read.error));
    return 0;
  }
  core::server_policy policy;
  if ((data[0] & 1) != 0) policy.allowed_hosts = core::loopback_hosts();
  if ((data[0] & 2) != 0) policy.allowed_origins = {"https://example.com"};
  const bool secure = (data[0] & 4) != 0;
  core::refusal why;
  core::upgrade_request request;
  if (!core::check_policy(read.head, policy, secure, why) || !core::check_upgrade(read.head, request, why)) {
    check_refusal(why);
    return 0;
  }
  check_rules(read.head, policy);
  check_agreement(read.head, request);
  return 0;
}
