#include "testkit/joined.h"

#include <algorithm>
#include <chrono>
#include <utility>

HAWSER_BEGIN
namespace testkit {

namespace {

constexpr int most_timeouts = 2000;
constexpr std::uint64_t frames_a_byte = 4;  // With pings, and what a stage puts between.

}  // namespace

// ---- what may be on the wire

frame_rules frame_rules::of(const std::vector<core::agreed_extension>& stages) {
  frame_rules all;
  for (const core::agreed_extension& e : stages) {
    const claims& uses = e.terms.uses;
    all.opcodes |= uses.opcodes;
    all.rsv |= uses.rsv;
    if (uses.at == layer::frame) all.rsv_of_frames |= uses.rsv;
    all.unmasked = all.unmasked || uses.unmasked;
  }
  return all;
}

void frame_watch::read(std::string_view bytes) {
  while (!bytes.empty()) {
    if (skip_ != 0) {
      const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, bytes.size()));
      bytes.remove_prefix(n);
      skip_ -= n;
      continue;
    }
    head_ += bytes.front();
    bytes.remove_prefix(1);
    core::frame_header h{};
    const core::parse_status found = core::parse_frame_header(as_bytes(head_), h);
    if (found == core::parse_status::need_more) continue;
    if (found != core::parse_status::ok) return wrong("a header that cannot be read");
    ++frames_;
    judge(h);
    skip_ = h.length;
    head_.clear();
  }
}

void frame_watch::judge(const core::frame_header& h) {
  const unsigned op = h.first & 15U;
  const unsigned bits = h.first >> 4 & 7U;
  if (closed_) wrong("something follows the close frame (F-10)");
  constexpr unsigned standard = 1U << 0 | 1U << 1 | 1U << 2 | 1U << 8 | 1U << 9 | 1U << 10;
  if (((standard | rules_.opcodes) >> op & 1U) == 0)
    wrong("opcode " + std::to_string(op) + ", claimed by nobody (F-02)");
  const unsigned allowed = op == 0 ? rules_.rsv_of_frames : op < 8 ? unsigned{rules_.rsv} : 0U;
  if ((bits & ~allowed) != 0)
    wrong("RSV bits " + std::to_string(bits) + " on opcode " + std::to_string(op) + " (F-01, P-02)");
  if (op >= 8 && (h.length > 125 || (h.first & 0x80U) == 0)) wrong("a control frame that is long or in pieces (F-03)");
  if (h.masked != (sender_ == role::client && !rules_.unmasked)) wrong("a mask where none belongs, or none (F-08)");
  closed_ = closed_ || op == 8;
}

// ---- one end

void joint::source::fill(byte_span to) noexcept {
  for (std::byte& b : to)
    b = static_cast<std::byte>(random.next() & 0xFF);
}

joint::joint(std::vector<core::agreed_extension> stages, role side, const usage& how, const frame_rules& rules,
             std::uint64_t seed, tick now, meter& makes)
    : watch(side, rules), how_(how), source_(seed), random_(seed + 1), meter_(makes) {
  it_ = std::make_unique<core::connection>(shared_, how_.obey, side, now);
  turn([&](core::connection& c) {
    if (how_.inband)
      c.attach_inband(std::move(stages), now);
    else
      c.attach(std::move(stages), now);
  });
}

void joint::receive(std::string_view bytes, tick now) {
  // Exactly as large as what came, so that a sanitizer sees a step beyond; gone when the turn is over.
  std::vector<std::byte> in(bytes.size());
  std::copy_n(as_bytes(bytes).begin(), in.size(), in.begin());
  turn([&](core::connection& c) {
    const byte_span area = c.receive_area();
    if (area.empty() || area.size() < in.size()) return c.receive(in, now);
    std::copy(in.begin(), in.end(), area.begin());
    c.received(in.size(), now);
  });
}

void joint::drain() {
  for (core::kind k; !meter_.over() && (k = it_->next()) != core::kind::none;) {
    const core::event& e = it_->current();
    if (k == core::kind::message) {
      meter_.made(1, e.payload.size());
      if (!meter_.over()) arrived.push_back({static_cast<std::uint8_t>(e.op), 0, std::string(as_text(e.payload))});
    }
    if (k == core::kind::pong) ++pongs;
    if (k != core::kind::closed) continue;
    ++ends;
    error = e.error;
    code = e.code;
    words = as_text(e.payload);
  }
}

void joint::put_out() {
  while (!choked_ && !meter_.over() && it_->pending() > 0) {
    if (it_->pending() > meter_.left()) return meter_.made(1, it_->pending());
    std::string offered;
    for (const byte_view chunk : it_->output())
      offered += as_text(chunk);
    const std::size_t n = how_.chokes && random_.one_in(3) ? random_.below(offered.size()) : offered.size();
    const std::size_t before = watch.frames();
    watch.read(std::string_view(offered).substr(0, n));
    meter_.made(watch.frames() - before, n);
    out += offered.substr(0, n);
    it_->sent(n);
    if (n == offered.size()) continue;
    choked_ = true;
    it_->output_blocked(true);
  }
}

void joint::write() {
  put_out();
  // What was taken may have let the answer to a close go.
  while (it_->is_ending() && !meter_.over()) {
    drain();
    if (choked_ || it_->pending() == 0) return;
    put_out();
  }
}

bool joint::unchoke() {
  if (!choked_) return false;
  choked_ = false;
  it_->output_blocked(false);
  turn([](core::connection&) {});
  return true;
}

std::size_t joint::destroy() {
  it_.reset();
  return pool_.used_bytes();
}

// ---- both

joined::joined(std::vector<core::agreed_extension> client, std::vector<core::agreed_extension> server, const usage& how,
               std::uint64_t seed)
    : random(seed),
      how_(how),
      now_(std::chrono::hours(1)),
      rules_(how.inband ? frame_rules() : frame_rules::of(server)),
      meter_(how.obey.bounds.max_message, frames_a_byte),
      client_(std::move(client), role::client, how_, rules_, seed, now_, meter_),
      server_(std::move(server), role::server, how_, rules_, seed + 2, now_, meter_) {
  carry();
}

std::size_t joined::send(role from, std::uint8_t opcode, std::string_view text) {
  joint& end = at(from);
  std::size_t pings = 0;
  meter_.sent(text.size());
  if (how_.parts && random.one_in(3)) {
    pings = send_parts(end, opcode, text);
  } else {
    end.turn([&](core::connection& c) { static_cast<void>(c.send(hawser::opcode{opcode}, as_bytes(text))); });
  }
  carry();
  return pings;
}

// A message in parts, each a frame of its own, with pings between them (F-06).
std::size_t joined::send_parts(joint& from, std::uint8_t opcode, std::string_view text) {
  std::size_t pings = 0;
  from.turn([&](core::connection& c) { static_cast<void>(c.begin_message(hawser::opcode{opcode})); });
  for (bool last = false; !last;) {
    const std::size_t n = random.below(text.size() + 1);
    last = n == text.size();
    from.turn([&](core::connection& c) { static_cast<void>(c.send_part(as_bytes(text.substr(0, n)), last)); });
    text.remove_prefix(n);
    if (!last && random.one_in(2))
      from.turn([&](core::connection& c) { pings += c.ping(as_bytes("between")) == errc::ok ? 1U : 0U; });
    if (random.one_in(2)) carry();
  }
  return pings;
}

void joined::carry() {
  while (!restless()) {
    const bool forth = carry_one(client_, server_);
    const bool back = carry_one(server_, client_);
    if (!forth && !back) return;
    meter_.carried();
  }
}

bool joined::carry_one(joint& from, joint& to) {
  const bool moved = from.unchoke();
  if (from.out.empty()) return moved;
  std::size_t n = from.out.size();
  if (how_.cut) n = std::min(n, random.one_in(4) ? 1 : 1 + random.below(std::size_t{1} << random.below(15)));
  const std::string piece = from.out.substr(0, n);
  from.out.erase(0, n);
  to.receive(piece, now_);
  return true;
}

void joined::settle() {
  for (int i = 0; i < most_timeouts && !over(); ++i) {
    carry();
    if (restless() || !pass_time()) return;
  }
  carry();
}

// To the next deadline. False: there is none.
bool joined::pass_time() {
  const tick next = std::min(client_.it().deadline(), server_.it().deadline());
  if (next == no_deadline) return false;
  now_ = std::max(now_, next);
  for (joint* one : {&client_, &server_})
    if (one->it().deadline() <= now_) one->turn([&](core::connection& c) { c.on_timeout(now_); });
  return true;
}

void joined::close(role by) {
  if (restless()) return;
  at(by).turn([&](core::connection& c) { static_cast<void>(c.close(close_code::normal, "done", now_)); });
  carry();
  // An answer waits for what a stage has still to let go.
  for (int i = 0; i < most_timeouts && !restless() && (client_.it().is_answering() || server_.it().is_answering());
       ++i) {
    pass_time();
    carry();
  }
  for (joint* one : {&client_, &server_})
    if (one->ends == 0) one->turn([&](core::connection& c) { c.end_of_input(now_); });
}

std::string joined::failure() const {
  for (const joint* one : {&client_, &server_})
    if (one->error != errc::ok)
      return std::to_string(static_cast<unsigned>(one->code)) + " " +
             (one->words.empty() ? std::string(describe(one->error)) : one->words);
  return restless() ? "the kit gave it up: " + meter_.words() : "no failure";
}

}  // namespace testkit
HAWSER_END
