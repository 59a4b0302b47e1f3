#include "ws/client_opening.h"

#include <hawser/core/negotiate.h>

#include <array>
#include <charconv>
#include <new>
#include <utility>

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

}  // namespace

client_opening::client_opening(client_engine& engine)
    : engine_(engine), parser_(head_parser::expects::response, engine.plan().options.http) {
  const client_plan& plan = engine.plan();
  asked_.subprotocols = plan.options.subprotocols;
  asked_.extensions = core::offer_extensions(plan.extensions, {role::client, engine.secure_path()});
  asked_.extra = plan.extra;
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
  const core::conditions where{role::client, engine_.secure_path()};
  result<core::negotiation> agreed = core::confirm_extensions(answered.extensions, plan.extensions, where, why);
  if (!agreed) {
    const errc code = to_errc(agreed.error());
    engine_.opening_failed(code, why, true);
    // N-20: the connection is open by now, and the peer is told what was missing. Any other fault fails the handshake.
    return code == errc::extension_missing ? s.reject(close_code::mandatory_extension, code, why) : s.abandon();
  }
  handshake h;
  h.target = engine_.target().target;
  h.subprotocol = answered.subprotocol;
  h.extensions_header = answered.extensions;
  h.extensions_offered = asked_.extensions;
  for (const core::agreed_extension& e : agreed->agreed)
    h.extensions.push_back({e.name, e.terms.response});
  h.extension_notes = std::move(agreed->notes);
  h.remote = engine_.peer();
  h.peer = std::move(head);
  if (plan.options.keep_request) s.keep_request(h);
  s.established(engine_.session_handlers(), {}, std::move(agreed->agreed), h, rest);
}

void client_opening::refuse(session& s, errc why, std::string_view text) {
  engine_.opening_failed(why, text, true);
  s.abandon();
}

void client_opening::on_failed(session&, errc why) {
  std::string text;
  try {
    text = "opening handshake with " + engine_.target().authority() + ": ";
    text += describe(why);
  } catch (const std::bad_alloc&) {
    text.clear();  // What `failure` says by itself is enough.
  }
  engine_.opening_failed(why, text, false);
}

HAWSER_END
