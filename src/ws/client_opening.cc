#include "ws/client_opening.h"

#include <hawser/core/inband.h>
#include <hawser/core/negotiate.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <utility>
#include <vector>

HAWSER_BEGIN

namespace {

std::string fresh_key(random_source& random) {
  std::array<std::byte, 16> bytes{};
  random.fill(bytes);
  return core::make_key(bytes);
}

// Whether a server that answered so would answer otherwise later: not for what the request itself has wrong.
bool is_final(int status) noexcept { return status < 500 && status != 408 && status != 425 && status != 429; }

// Retry-After in seconds; dates are not heeded (RFC 9110, 10.2.3).
ticks retry_after(const http_head& head) noexcept {
  const auto value = head.fields.find("Retry-After");
  if (!value) return {};
  unsigned seconds = 0;
  const char* end = value->data() + value->size();
  const auto read = std::from_chars(value->data(), end, seconds);
  return read.ec == std::errc{} && read.ptr == end ? ticks(std::chrono::seconds(seconds)) : ticks{};
}

// Of what the server agreed to, the stages that take masking away. The server works by its answer already when this end
// finds that another extension is missing, so the close frame that says so must follow it; no other stage has a part in
// that frame.
std::vector<core::agreed_extension> unmasking(std::string_view answered, const extension_list& list,
                                              const core::conditions& where) {
  extension_list wished;
  for (const any_factory& f : list.all())
    wished.add(f);
  std::string why;
  result<core::negotiation> n = core::confirm_extensions(answered, wished, where, why);
  if (!n) return {};
  std::erase_if(n->agreed, [](const core::agreed_extension& e) { return !e.terms.uses.unmasked; });
  return std::move(n->agreed);
}

}  // namespace

client_opening::client_opening(client_engine& engine)
    : engine_(engine), parser_(head_parser::expects::response, engine.plan().options.http) {
  asked_ = request_of(engine.plan(), engine.secure_path());
  const core::conditions where{role::client, engine.secure_path(), true};
  if (engine.plan().options.inband_extensions) offer_ = core::offer_extensions(engine.plan().extensions, where);
}

core::client_request client_opening::request_of(const client_plan& plan, bool secure_path) {
  core::client_request asked;
  asked.subprotocols = plan.options.subprotocols;
  asked.extensions = core::offer_extensions(plan.extensions, {role::client, secure_path});
  asked.extra = plan.extra;
  if (!plan.options.inband_extensions || asked.extensions.empty()) return asked;
  asked.subprotocols.emplace(asked.subprotocols.begin(), core::inband_subprotocol);
  asked.extensions.clear();
  return asked;
}

void client_opening::begin(session& s) {
  key_ = fresh_key(s.home().loop().random());
  s.send_opening(core::upgrade_request_text(engine_.target(), key_, asked_));
}

void client_opening::on_bytes(session& s, byte_span in) {
  engine_.heard_of_peer();
  std::size_t used = 0;
  switch (parser_.feed(in, used)) {
    case head_parser::state::need_more:
      return;
    case head_parser::state::failed:
      return refuse(s, parser_.error(), {});
    case head_parser::state::complete:
      return check(s, in.subspan(used));
  }
}

void client_opening::check(session& s, byte_span rest) {
  s.note_response();
  http_head& head = parser_.head();
  const client_plan& plan = engine_.plan();
  core::upgrade_response answered;
  std::string why;
  const result<void> fine =
      core::check_response(head, key_, asked_, plan.options.strict_extensions_header, answered, why);
  if (!fine) {
    const bool refused = fine.error() == errc::http_refused;
    engine_.opening_failed(to_errc(fine.error()), why, !refused || is_final(head.status), retry_after(head));
    return s.abandon();
  }
  agreed_.target = engine_.target().target;
  agreed_.subprotocol = answered.subprotocol;
  agreed_.remote = engine_.peer();
  if (const tls::filter* below = s.secured()) {
    agreed_.tls = below->describe();
    if (engine_.shows_handshake()) agreed_.tls_peer_certificates = below->peer_certificates();
  }
  agreed_.peer = std::move(head);
  if (!offer_.empty() && !answered.extensions.empty())
    return refuse(s, errc::extension_not_offered, "the server answered extensions, which were offered in-band only");
  if (!offer_.empty() && agreed_.subprotocol == core::inband_subprotocol) return offer_inband(s, rest);
  agreed_.extensions_offered = asked_.extensions;
  agreed_.extensions_header = answered.extensions;
  const core::conditions where{role::client, engine_.secure_path()};
  result<core::negotiation> agreed = core::confirm_extensions(answered.extensions, plan.extensions, where, why);
  if (!agreed) {
    const errc code = to_errc(agreed.error());
    if (code != errc::extension_missing) return refuse(s, code, why);
    // N-20: the connection is open by now, and the peer is told what was missing. Any other fault fails the handshake.
    std::vector<core::agreed_extension> stages = unmasking(answered.extensions, plan.extensions, where);
    engine_.opening_failed(code, why, true);
    return s.reject(close_code::mandatory_extension, code, why, std::move(stages));
  }
  note_agreed(*agreed);
  if (plan.options.keep_request) s.keep_request(agreed_);
  s.established(engine_.session_handlers(), {}, std::move(agreed->agreed), agreed_, rest);
}

void client_opening::note_agreed(core::negotiation& agreed) {
  for (const core::agreed_extension& e : agreed.agreed)
    agreed_.extensions.push_back({e.name, e.terms.response});
  agreed_.extension_notes = std::move(agreed.notes);
}

void client_opening::offer_inband(session& s, byte_span rest) {
  framed_ = agreed_.inband = true;
  agreed_.extensions_offered = offer_;
  s.speak_frames({}, offer_, engine_.obeyed_inband(), rest);
}

// The answer to an in-band offer.
void client_opening::on_message(session& s, opcode op, byte_view payload) {
  engine_.heard_of_peer();
  std::string why = "the in-band answer came as text; a server sends it as binary";
  if (op != opcode::binary) return reject(s, close_code::unsupported_data, errc::inband_malformed, why);
  result<core::inband_answer> answer = core::parse_inband_answer(as_text(payload), why);
  if (!answer) return reject(s, close_code::protocol_error, to_errc(answer.error()), why);
  const client_plan& plan = engine_.plan();
  const std::vector<std::string>& own = plan.options.subprotocols;
  if (!answer->subprotocol.empty() && std::find(own.begin(), own.end(), answer->subprotocol) == own.end()) {
    why = "the server chose the subprotocol " + answer->subprotocol + ", which was not offered";
    return reject(s, close_code::protocol_error, errc::subprotocol_not_offered, why);
  }
  const core::conditions where{role::client, engine_.secure_path(), true};
  result<core::negotiation> agreed = core::confirm_extensions(answer->extensions, plan.extensions, where, why);
  if (!agreed) {
    const errc code = to_errc(agreed.error());
    const bool missing = code == errc::extension_missing;
    return reject(s, missing ? close_code::mandatory_extension : close_code::protocol_error, code, why);
  }
  agreed_.subprotocol = std::move(answer->subprotocol);
  agreed_.extensions_header = std::move(answer->extensions);
  note_agreed(*agreed);
  if (plan.options.keep_request) s.keep_request(agreed_);
  s.established_inband(engine_.session_handlers(), {}, engine_.obeyed(), std::move(agreed->agreed), agreed_);
}

void client_opening::on_closed(session&, errc error, close_code code, std::string_view text) {
  std::string why = "in place of an in-band answer: ";
  if (error == errc::ok) {
    why = "the server closed " + why + std::to_string(static_cast<int>(code));
    if (!text.empty()) why += ' ';
  }
  why += text;
  // The limit is not the one that a user sets.
  if (error == errc::message_too_big)
    why = "the in-band answer is longer than " + std::to_string(core::max_inband_agreement) + " bytes";
  engine_.opening_failed(error == errc::ok ? errc::http_refused : error, why, true);
}

void client_opening::reject(session& s, close_code code, errc why, std::string_view text) {
  engine_.opening_failed(why, text, true);
  s.reject(code, why, text);
}

void client_opening::refuse(session& s, errc why, std::string_view text) {
  engine_.opening_failed(why, text, true);
  s.abandon();
}

void client_opening::on_failed(session& s, errc why) {
  std::string text;
  try {
    const tls::filter* below = s.secured();
    text = below != nullptr && !below->is_open() ? "TLS handshake with " : "opening handshake with ";
    text += engine_.target().authority() + ": ";
    const bool known = below != nullptr && below->error() == why && !below->why().empty();
    text += known ? std::string_view(below->why()) : describe(why);
  } catch (const std::bad_alloc&) {
    text.clear();  // What `failure` says by itself is enough.
  }
  engine_.opening_failed(why, text, why == errc::certificate_refused);
  if (framed_ && why == errc::handshake_timeout) s.reject(close_code::policy_violation, why, text);
}

HAWSER_END
