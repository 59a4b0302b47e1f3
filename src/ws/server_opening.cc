#include "ws/server_opening.h"

#include <hawser/core/inband.h>
#include <hawser/core/negotiate.h>

#include <utility>

HAWSER_BEGIN

namespace {

// What was agreed, for `on_connect`.
void note_agreed(handshake& h, core::negotiation& agreed) {
  for (const core::agreed_extension& e : agreed.agreed)
    h.extensions.push_back({e.name, e.terms.response});
  h.extensions_header = std::move(agreed.header);
  h.extension_notes = std::move(agreed.notes);
}

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

void note_tls(session& s, handshake& h) {
  const tls::filter* const below = s.secured();
  if (below == nullptr) return;
  h.tls = below->describe();
  h.tls_peer_certificates = below->peer_certificates();
}

}  // namespace

route_handlers* server_shared::find_route(std::string_view path) const {
  auto found = routes.find(path);
  if (found == routes.end()) found = routes.find(std::string_view("*"));
  return found == routes.end() ? nullptr : found->second.get();
}

std::optional<tls::context> server_shared::secure() const {
  const std::lock_guard guard(secure_lock_);
  return secure_;
}

void server_shared::secure_in_vain(errc why) {
  const std::lock_guard guard(secure_lock_);
  if (!secure_) in_vain_ = why;
}

errc server_shared::in_vain() const {
  const std::lock_guard guard(secure_lock_);
  return in_vain_;
}

void server_shared::secure_with(tls::context how) {
  const std::lock_guard guard(secure_lock_);
  in_vain_ = errc::ok;
  secure_ = std::move(how);
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
  const tls::filter* const below = s.secured();
  if (below != nullptr && below->error() == why && why != errc::ok)
    return tell(s, why, below->why().empty() ? describe(why) : std::string_view(below->why()));
  if (why != errc::handshake_timeout) return;
  if (below != nullptr && !below->is_open() && below->has_begun())
    return tell(s, why, "the TLS handshake was not complete within the handshake timeout");
  if (inband_) {
    constexpr std::string_view text = "no in-band offer came within the handshake timeout; send it as soon as it opens";
    tell(s, why, text);
    return s.reject(close_code::policy_violation, why, text);
  }
  if (answering_) return refuse(s, not_ready());
  if (!begun_) return s.home().log(log_level::debug, "a peer connected and asked for nothing in time: it is let go");
  refuse(s, core::refusal_for(why, "The request was not complete within the handshake timeout. Send it at once."));
}

void server_opening::answer(session& s, byte_span rest) {
  if (full_) return refuse(s, core::refusal_for(errc::server_full));
  core::refusal why;
  if (!core::check_policy(parser_.head(), policy_, s.secured() != nullptr, why)) return refuse(s, why);
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
  handlers_ = shared_.find_route(path_of(head.target));
  if (handlers_ == nullptr) return refuse(s, core::refusal_for(errc::not_found));
  if (asks_inband(asked)) return upgrade_inband(s, asked, rest);
  const core::conditions where{role::server, s.secured() != nullptr || peer_.loopback()};
  std::string text;
  result<core::negotiation> agreed = core::answer_extensions(asked.extensions, shared_.extensions, where, text);
  if (!agreed) return refuse(s, core::refusal_for(to_errc(agreed.error()), std::move(text)));
  handshake h;
  h.subprotocol = core::choose_subprotocol(asked, handlers_->subprotocols);
  const std::string response = core::switching_protocols(asked.key, h.subprotocol, agreed->header, {});
  note_agreed(h, *agreed);
  h.extensions_offered = asked.extensions;
  h.target = core::resource_name(head.target);
  h.peer = std::move(head);
  h.remote = peer_;
  note_tls(s, h);
  if (shared_.options.keep_request) s.keep_request(h);
  s.established(*handlers_, response, std::move(agreed->agreed), h, rest);
}

// Whether the first of the client's subprotocols that are spoken here is the one that stands for this.
bool server_opening::asks_inband(const core::upgrade_request& asked) const {
  if (!shared_.options.inband_extensions) return false;
  std::vector<std::string> spoken = handlers_->subprotocols;
  spoken.emplace_back(core::inband_subprotocol);
  return core::choose_subprotocol(asked, spoken) == core::inband_subprotocol;
}

// The opening goes on: the client's first message is its offer. What the request offers is not taken up: a browser's
// frames are its own.
void server_opening::upgrade_inband(session& s, const core::upgrade_request& asked, byte_span rest) {
  http_head& head = parser_.head();
  inband_ = std::make_unique<handshake>();
  inband_->inband = true;
  inband_->subprotocol = core::choose_subprotocol(asked, handlers_->subprotocols);
  inband_->target = core::resource_name(head.target);
  inband_->remote = peer_;
  note_tls(s, *inband_);
  const std::string response = core::switching_protocols(asked.key, core::inband_subprotocol, {}, {});
  inband_->peer = std::move(head);
  s.speak_frames(response, {}, shared_.inband_settings, rest);
}

void server_opening::on_message(session& s, opcode op, byte_view payload) {
  std::string text;
  const auto reject = [&](close_code code, errc why) {
    tell(s, why, text);
    s.reject(code, why, text);
  };
  if (op != opcode::binary) {
    text = "the in-band offer came as text; send it as binary";
    return reject(close_code::unsupported_data, errc::inband_malformed);
  }
  handshake& h = *inband_;
  h.extensions_offered = as_text(payload);
  if (h.extensions_offered.empty()) {
    text = "the in-band offer is empty; who has nothing to offer does not ask for ext1.hawser";
    return reject(close_code::protocol_error, errc::inband_malformed);
  }
  const core::conditions where{role::server, s.secured() != nullptr || peer_.loopback(), true};
  result<core::negotiation> agreed = core::answer_extensions(h.extensions_offered, shared_.extensions, where, text);
  if (!agreed) {
    const errc why = to_errc(agreed.error());
    return reject(why == errc::extension_missing ? close_code::policy_violation : close_code::protocol_error, why);
  }
  const std::string answer = core::format_inband_answer({h.subprotocol, agreed->header});
  note_agreed(h, *agreed);
  if (shared_.options.keep_request) s.keep_request(h);
  s.established_inband(*handlers_, answer, shared_.settings, std::move(agreed->agreed), h);
}

void server_opening::on_closed(session& s, errc error, close_code, std::string_view text) {
  if (error == errc::ok) return;
  std::string words = "in place of an in-band offer: " + std::string(text);
  // The limit is not the one that a user sets.
  if (error == errc::message_too_big)
    words = "the in-band offer is longer than " + std::to_string(core::max_inband_agreement) + " bytes";
  tell(s, error, words);
}

void server_opening::refuse(session& s, const core::refusal& why) {
  tell(s, why.error, why.text);
  std::string response = core::refusal_response(why);
  // RFC 9110, 9.3.2: the answer to HEAD has no body, whatever Content-Length says.
  if (parser_.head().method == "HEAD") response.resize(response.find("\r\n\r\n") + 4);
  s.refuse(response);
}

// What was wrong, to this end.
void server_opening::tell(session& s, errc error, std::string_view text) {
  const std::string line = peer_.text() + ": " + std::string(text);
  s.home().log(log_level::info, line);
  if (!shared_.on_error || s.home().silent()) return;
  try {
    shared_.on_error(failure(error, line));
  } catch (...) {
    // There is no connection to fail, and the refusal itself still goes out.
    s.home().log(log_level::error, "the handler of errors threw");
  }
}

HAWSER_END
