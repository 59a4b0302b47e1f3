#include "ws/server_opening.h"

#include <hawser/core/negotiate.h>

#include <utility>

HAWSER_BEGIN

namespace {

std::string_view path_of(std::string_view target) noexcept {
  const std::string_view resource = core::resource_name(target);
  return resource.substr(0, resource.find('?'));
}

// For who came without an Upgrade header: with a browser's address line, or through a proxy that dropped it. Not the
// 400 of an upgrade that is malformed: nothing is wrong with the request (RFC 9110, 15.5.22).
core::refusal only_websocket() {
  core::refusal made = core::refusal_for(
      errc::not_an_upgrade,
      "Here is a WebSocket and no page: open it with a WebSocket client. If there is a proxy in between, it must "
      "pass on the headers Upgrade and Connection.");
  made.status = 426;
  return made;
}

// For who asked rightly and has waited in vain.
core::refusal not_ready() {
  core::refusal made = core::refusal_for(errc::handshake_timeout,
                                         "The page was not ready within the handshake timeout: a handler holds up one "
                                         "of the server's loops, or its memory "
                                         "is short. Ask again later.");
  made.status = 503;
  return made;
}

}  // namespace

route_handlers* server_shared::find_route(std::string_view path) const {
  auto found = routes.find(path);
  if (found == routes.end()) found = routes.find(std::string_view("*"));
  return found == routes.end() ? nullptr : found->second.get();
}

server_opening::server_opening(server_shared& shared, const core::server_policy& policy, const net::address& peer,
                               bool full)
    : shared_(shared),
      policy_(policy),
      peer_(peer),
      full_(full),
      parser_(head_parser::expects::request, shared.options.http) {}

server_opening::~server_opening() {
  if (!full_) shared_.door->handshake_done();
}

void server_opening::on_bytes(session& s, byte_span in) {
  begun_ = true;
  if (answering_) return;
  std::size_t used = 0;
  switch (parser_.feed(in, used)) {
    case head_parser::state::need_more:
      return;
    case head_parser::state::failed:
      return refuse(s, core::refusal_for(parser_.error()));
    case head_parser::state::complete:
      return answer(s, in.subspan(used));
  }
}

// Who asked for something hears what became of it (RFC 9110, 15.5.9). Who only connected, as browsers do in advance,
// has asked for nothing and expects no answer.
void server_opening::on_failed(session& s, errc why) {
  if (why != errc::handshake_timeout) return;
  if (answering_) return refuse(s, not_ready());
  if (!begun_) return s.home().log(log_level::debug, "a peer connected and asked for nothing in time: it is let go");
  refuse(s, core::refusal_for(why, "The request was not complete within the handshake timeout. Send it at once."));
}

void server_opening::answer(session& s, byte_span rest) {
  if (full_) return refuse(s, core::refusal_for(errc::server_full));
  core::refusal why;
  if (!core::check_policy(parser_.head(), policy_, false, why)) return refuse(s, why);
  if (!core::is_upgrade(parser_.head())) return answer_plain(s);
  core::upgrade_request asked;
  if (!core::check_upgrade(parser_.head(), asked, why)) return refuse(s, why);
  upgrade(s, asked, rest);
}

// A request that wants no WebSocket gets a page, or is told that there is none.
void server_opening::answer_plain(session& s) {
  const http_head& head = parser_.head();
  if (head.method != "GET") return refuse(s, core::refusal_for(errc::http_method));
  if (!shared_.metrics_path.empty() && path_of(head.target) == shared_.metrics_path) return answer_metrics(s);
  const auto found = shared_.pages.find(path_of(head.target));
  if (found == shared_.pages.end()) {
    const bool route = shared_.find_route(path_of(head.target)) != nullptr;
    return refuse(s, route ? only_websocket() : core::refusal_for(errc::not_found));
  }
  s.refuse(core::page_response(found->second.content_type, found->second.body));
}

// All loops are asked; the peer may be gone before they have answered.
void server_opening::answer_metrics(session& s) {
  answering_ = true;
  shared_.ask_metrics([c = s.handle()](const metrics& all) {
    static_cast<void>(session::reach(
        c, [page = core::page_response("text/plain; version=0.0.4; charset=utf-8", all.prometheus())](session& to) {
          to.answer_later(page);
          return errc::ok;
        }));
  });
}

void server_opening::upgrade(session& s, const core::upgrade_request& asked, byte_span rest) {
  http_head& head = parser_.head();
  route_handlers* handlers = shared_.find_route(path_of(head.target));
  if (handlers == nullptr) return refuse(s, core::refusal_for(errc::not_found));
  const core::conditions where{role::server, peer_.loopback()};
  std::string text;
  result<core::negotiation> agreed = core::answer_extensions(asked.extensions, shared_.extensions, where, text);
  if (!agreed) return refuse(s, core::refusal_for(to_errc(agreed.error()), std::move(text)));
  handshake h;
  h.subprotocol = core::choose_subprotocol(asked, handlers->subprotocols);
  h.extensions_header = std::move(agreed->header);
  const std::string response = core::switching_protocols(asked.key, h.subprotocol, h.extensions_header, {});
  for (const core::agreed_extension& e : agreed->agreed)
    h.extensions.push_back({e.name, e.terms.response});
  h.extensions_offered = asked.extensions;
  h.extension_notes = std::move(agreed->notes);
  h.target = core::resource_name(head.target);
  h.peer = std::move(head);
  h.remote = peer_;
  if (shared_.options.keep_request) s.keep_request(h);
  s.established(*handlers, response, std::move(agreed->agreed), h, rest);
}

void server_opening::refuse(session& s, const core::refusal& why) {
  s.home().log(log_level::info, why.text);
  if (shared_.on_error && !s.home().silent()) {
    try {
      shared_.on_error(failure(why.error, why.text));
    } catch (...) {
      // There is no connection to fail, and the refusal itself still goes out.
      s.home().log(log_level::error, "the handler of errors threw");
    }
  }
  std::string response = core::refusal_response(why);
  // RFC 9110, 9.3.2: the answer to HEAD has no body, whatever Content-Length says.
  if (parser_.head().method == "HEAD") response.resize(response.find("\r\n\r\n") + 4);
  s.refuse(response);
}

HAWSER_END
