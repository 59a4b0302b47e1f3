#include "testkit/line.h"

#include <hawser/core/settings.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

HAWSER_BEGIN
namespace testkit {

namespace {

// Timers are a chain: each may arm the next. One that keeps a beat is let be after so much time ...
constexpr ticks long_enough = std::chrono::minutes(5);
// ... and one that wakes more often than this storms.
constexpr std::size_t most_wakes = 1000;
constexpr std::size_t most_wakes_a_second = 100;

// What a connection counts for each message in its queue.
constexpr std::size_t framing = 15;

// No stage makes one message of more than a connection is let make in all.
handling bounded(handling how, const meter& makes) {
  how.limits.max_message_out = std::min(how.limits.max_message_out, makes.left());
  return how;
}

}  // namespace

party::party(std::vector<core::agreed_extension> stages, role side, const handling& how, seeded_random& random,
             meter& makes)
    : shared_(core::can_be_shared(stages)),
      pipeline_(std::make_unique<core::pipeline>(std::move(stages), side, pool_, how.limits)),
      how_(how),
      random_(random),
      meter_(makes) {
  if (shared_) new_ = pipeline_->copy();
}

void party::open(tick now) {
  if (meter_.over()) return;
  now_ = now;
  tell_room();
  pipeline_->open(now);
  drain();
}

// Between messages other objects take over, as in a loop with more connections: they must be as good. So must they when
// another connection has ended.
void party::change_stages() {
  if (!shared_ || !random_.one_in(2) || !pipeline_->at_rest()) return;
  if (random_.one_in(4)) end_another();
  if (other_ == nullptr) other_ = new_->copy();
  std::swap(pipeline_, other_);
  pipeline_->serve(0, true, flushed_);
}

void party::end_another() {
  const std::unique_ptr<core::pipeline> its = new_->copy();
  its->serve(1, true, false);
  its->flush(now_);
  its->closed(close_code::normal, now_);
}

// What lies on the wire waits in the queue of a connection, which takes no more than so much of what nobody sent.
void party::tell_room() {
  const std::size_t most = hawser::limits().write_hard;
  std::size_t waiting = 0;
  for (auto it = wire.begin(); it != wire.end() && waiting < most; ++it)
    waiting += it->bytes.size() + framing;
  pipeline_->set_room(most - std::min(most, waiting));
}

void party::put(wire_item made) {
  meter_.made(1, made.bytes.size());
  if (!meter_.over()) wire.push_back(std::move(made));
}

void party::send(std::uint8_t opcode, std::string_view text) {
  if (meter_.over()) return;
  meter_.sent(text.size());
  change_stages();
  tell_room();
  head h;
  h.opcode = opcode;
  run(direction::out, h, text, false, 0);
  drain();
}

void party::send_half(std::string_view text) {
  head h;
  h.opcode = 2;
  if (!pipeline_->begin(direction::out, h, now_) || pipeline_->bypassed(direction::out)) return;
  std::string memory(text);
  pipeline_->push(direction::out, {reinterpret_cast<std::byte*>(memory.data()), memory.size()}, false, now_);
  wire_item dropped;
  bool fin = false;
  for (std::size_t pulls = random_.below(4); pulls > 0 && pull(direction::out, dropped, fin);)
    --pulls;
  pipeline_->stash(direction::out);
}

void party::receive(const wire_item& item, std::deque<wire_item>* behind) {
  if (meter_.over()) return;
  if (item.opcode >= 8) {
    control(item);
    return drain();
  }
  change_stages();
  tell_room();
  head h;
  h.opcode = item.opcode;
  h.rsv = item.rsv;
  run(direction::in, h, item.bytes, false, 0, behind);
  drain();
}

void party::control(const wire_item& item) {
  if ((pipeline_->wants().own_opcodes >> item.opcode & 1U) == 0) return;
  tell_room();
  pipeline_->control(item.opcode, as_bytes(item.bytes), now_);
}

void party::timeout(tick now) {
  now_ = now;
  if (meter_.over()) return;
  tell_room();
  if (pipeline_->deadline() <= now) pipeline_->on_timeout(now);
  drain();
}

void party::flush() {
  if (meter_.over()) return;
  pipeline_->flush(now_);
  flushed_ = true;
  drain();
}

// What waits would take memory for as long as others are tried beside it.
void party::give_up() {
  wire.clear();
  close(close_code::internal_error);
}

void party::close(close_code code) { pipeline_->closed(code, now_); }

// A message goes in at one end of the pipeline, or behind a stage, and what comes out goes on the wire or arrives.
void party::run(direction way, head h, std::string_view text, bool forwarded, std::size_t stage,
                std::deque<wire_item>* behind) {
  if (how_.sized || forwarded) {
    h.sized = 1;
    h.size = text.size();
  }
  if (!(forwarded ? pipeline_->begin_behind(stage, way, h, now_) : pipeline_->begin(way, h, now_))) return;
  if (way == direction::in && h.rsv != 0) {  // A connection fails here with 1002 (F-01).
    foreign_bits = true;
    return;
  }
  if (way == direction::in && pipeline_->bypassed(way) && text.size() > how_.limits.max_message_in) {
    over_limit = true;  // What concerns no stage is the connection's to judge.
    return;
  }
  wire_item made{h.opcode, h.rsv, {}};
  std::size_t at = 0;
  bool fin = false;
  bool last = false;
  while (!last) {
    std::size_t n = text.size() - at;
    if (how_.cut && !forwarded) n = std::min(n, random_.below(std::size_t{1} << random_.below(14)));
    last = at + n == text.size();
    auto memory = std::make_unique<std::byte[]>(n);
    if (n != 0) std::memcpy(memory.get(), text.data() + at, n);
    at += n;
    pipeline_->push(way, {memory.get(), n}, last, now_);
    while (pull(way, made, fin)) {
      if (!how_.cut || !random_.one_in(3)) continue;
      pipeline_->stash(way);
      memory = nullptr;
    }
    if (way == direction::in) delivered = std::max(delivered, made.bytes.size());
    if (pipeline_->failed()) return;
    // Control frames may come between fragments (F-06).
    if (behind != nullptr && !behind->empty() && behind->front().opcode >= 8) {
      control(behind->front());
      behind->pop_front();
    }
  }
  if (!fin) return;  // A stage took it away.
  if (way == direction::out) return put(std::move(made));
  meter_.made(1, made.bytes.size());
  if (!meter_.over()) arrived.push_back(std::move(made));
}

bool party::pull(direction way, wire_item& into, bool& fin) {
  byte_span bytes;
  const core::pipeline::pulled what = pipeline_->pull(way, bytes, fin);
  most_used = std::max(most_used, pool_.used_bytes() + pool_.kept_bytes());
  if (what != core::pipeline::pulled::piece) return false;
  into.bytes.append(as_text(bytes));
  return true;
}

void party::drain() {
  core::pipeline::work w;
  while (!meter_.over() && pipeline_->next_work(w)) {
    if (w.body.size() > meter_.left()) return meter_.made(1, w.body.size());
    const std::string body(as_text(w.body.view()));
    w.body = {};
    if (w.what == core::pipeline::work::kind::control)
      put({w.opcode, 0, body});
    else
      run(w.way, w.message, body, true, w.stage);
  }
}

line::line(std::vector<core::agreed_extension> client, std::vector<core::agreed_extension> server, const handling& how,
           std::uint64_t seed)
    : random(seed),
      meter_(how.limits.max_message_in, 0),
      how_(bounded(how, meter_)),
      client_(std::move(client), role::client, how_, random, meter_),
      server_(std::move(server), role::server, how_, random, meter_),
      now_(std::chrono::hours(1)) {
  client_.open(now_);
  server_.open(now_);
  carry();
}

void line::send(role from, std::uint8_t opcode, std::string_view text) {
  at(from).send(opcode, text);
  carry();
}

void line::carry() {
  while (!failed() && (carry_one(client_, server_, sent[0]) || carry_one(server_, client_, sent[1]))) {
  }
  if (!restless()) return;
  for (party* one : {&client_, &server_})
    one->give_up();
}

bool line::carry_one(party& from, party& to, std::vector<wire_item>& log) {
  if (from.wire.empty()) return false;
  const wire_item item = std::move(from.wire.front());
  from.wire.pop_front();
  log.push_back(item);
  std::deque<wire_item> controls;  // Those behind it may arrive while it is still on its way.
  while (!from.wire.empty() && from.wire.front().opcode >= 8) {
    log.push_back(from.wire.front());
    controls.push_back(std::move(from.wire.front()));
    from.wire.pop_front();
  }
  to.receive(item, &controls);
  for (const wire_item& c : controls)
    to.receive(c, nullptr);
  return true;
}

void line::finish() {
  wait();
  if (!failed()) flush();
}

void line::wait() {
  carry();
  const tick from = now_;
  for (std::size_t woken = 1; !failed(); ++woken) {
    const tick next = std::min(client_.stages().deadline(), server_.stages().deadline());
    if (next == no_deadline) break;
    const tick at = std::max(now_, next);  // It may be armed in the past.
    if (at - from > long_enough) break;
    now_ = at;
    const auto seconds =
        static_cast<std::size_t>(std::chrono::duration_cast<std::chrono::seconds>(now_ - from).count());
    timers_storm = woken > most_wakes + most_wakes_a_second * seconds;
    if (timers_storm) break;
    ++wakes;
    meter_.passed(seconds);
    client_.timeout(now_);
    server_.timeout(now_);
    carry();
  }
}

void line::flush() {
  client_.flush();
  carry();
  server_.flush();
  carry();
}

void line::close(close_code code) {
  client_.close(code);
  server_.close(code);
}

bool line::clean(std::string& why) const {
  for (const party* e : {&client_, &server_}) {
    if (e->stages().breaches() != 0) {
      why = e->stages().last_breach();
      return false;
    }
  }
  return true;
}

std::string line::failure() const {
  for (const party* e : {&client_, &server_}) {
    if (!e->stages().failed()) continue;
    return std::to_string(static_cast<unsigned>(e->stages().fail_code())) + " " +
           std::string(e->stages().fail_reason());
  }
  return restless() ? "the kit gave it up: " + meter_.words() : "no failure";
}

}  // namespace testkit
HAWSER_END
