#include "core/frame_layer.h"
#include "core/pipeline_begin.h"

#include <hawser/core/utf8.h>

#include <algorithm>
#include <cstring>
#include <utility>

HAWSER_BEGIN
namespace core {

namespace {

// Sums of a limit and a few bytes must not overflow.
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 62;
constexpr unsigned data_opcodes = 0x00F8;  // 3 to 7: each message of one concerns its owner.

pipeline_limits in_range(pipeline_limits l) noexcept {
  l.max_message_in = std::min(l.max_message_in, most_bytes);
  l.max_message_out = std::min(l.max_message_out, most_bytes);
  l.step = std::max<std::size_t>(l.step, 1);
  return l;
}

slot slot_of(const agreed_extension& e) {
  const claims& uses = e.terms.uses;
  return {.table = &e.terms.work.table(),
          .self = e.terms.work.state(),
          .own_opcodes = uses.opcodes,
          .rsv = uses.rsv,
          .trim_max = uses.trim_max,
          .adds_max = uses.adds_max,
          .slack = 0};
}

asked asked_of(const agreed_extension& e, std::size_t index) {
  const claims& uses = e.terms.uses;
  const unsigned own = uses.opcodes & data_opcodes;
  const unsigned all = uses.opcodes_of_interest | own;
  return {.begin = e.terms.work.table().begin,
          .self = e.terms.work.state(),
          .out_min_size = uses.out_min_size,
          .in_opcodes = static_cast<std::uint16_t>(uses.in_needs_rsv ? own : all),
          .of_interest = static_cast<std::uint16_t>(all),
          .in_bits = uses.rsv,
          .stage = static_cast<std::uint16_t>(index)};
}

// The most bytes that a stage could take off a message inwards.
std::uint64_t most_taken_off(const slot& s) noexcept {
  const std::size_t edges = (s.table->prefix != nullptr ? max_edge : 0) + (s.table->suffix != nullptr ? max_edge : 0);
  return edges + s.adds_max;
}

interest interest_of(const std::vector<asked>& front, const std::vector<agreed_extension>& agreed) {
  interest all;
  all.out_min_size = most_bytes;
  for (const asked& a : front) {
    all.in_opcodes |= a.in_opcodes;
    all.out_opcodes |= a.of_interest;
    if (a.of_interest != 0) all.out_min_size = std::min(all.out_min_size, a.out_min_size);
  }
  for (const agreed_extension& e : agreed) {
    all.rsv |= e.terms.uses.rsv;
    all.own_opcodes |= e.terms.uses.opcodes;
    all.unmasked |= e.terms.uses.unmasked;
  }
  if (all.out_opcodes == 0) all.out_min_size = 0;
  return all;
}

bool is_bypass(const verdict& v) noexcept {
  return v.what == verdict::kind::bypass && (v.prefix_size | v.suffix_size) == 0;
}

// What is wrong with a verdict, for its author; null when nothing is.
const char* fault_of(const verdict& v, const stage_table& hooks) noexcept {
  using kind = verdict::kind;
  if (v.what > kind::reject) return "its begin gave no known verdict";
  const bool edges = v.prefix_size != 0 || v.suffix_size != 0;
  if (edges && v.what != kind::observe && v.what != kind::in_place)
    return "its begin asked for a prefix or suffix with another verdict than observe or in_place";
  if (v.prefix_size > max_edge || v.suffix_size > max_edge)
    return "its begin asked for a prefix or suffix over 32 bytes";
  if (v.prefix_size != 0 && hooks.prefix == nullptr) return "its begin asked for a prefix and it has no such hook";
  if (v.suffix_size != 0 && hooks.suffix == nullptr) return "its begin asked for a suffix and it has no such hook";
  const bool missing = (v.what == kind::observe && hooks.observe == nullptr && !edges) ||
                       (v.what == kind::in_place && hooks.in_place == nullptr) ||
                       (v.what == kind::transform && hooks.transform == nullptr) ||
                       (v.what == kind::whole && hooks.whole == nullptr) ||
                       (v.what == kind::retain && hooks.retained == nullptr);
  return missing ? "its begin gave a verdict that it has no hook for" : nullptr;
}

// Puts a close reason into `text`, which has the room: at most 123 bytes, no half characters. RFC 6455, 5.5 and 7.1.6.
void set_close_reason(std::string& text, std::string_view why) noexcept {
  std::size_t size = std::min(why.size(), max_close_reason);
  while (size > 0 && size < why.size() && (static_cast<unsigned char>(why[size]) & 0xC0U) == 0x80U)
    --size;
  text.assign(why.substr(0, size));
  if (!valid_utf8(as_bytes(text)))
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80U; }, '?');
}

}  // namespace

pipeline::state::state(pipeline& self, std::vector<agreed_extension> stages, role at, buffer_pool& from,
                       const pipeline_limits& bounds, shelf* lends)
    : owner(&self), limits(in_range(bounds)), pool(&from), lent(lends), side(at), agreed(std::move(stages)) {
  slots.reserve(agreed.size());
  front.reserve(agreed.size());
  for (const agreed_extension& e : agreed) {
    front.push_back(asked_of(e, slots.size()));
    slots.push_back(slot_of(e));
  }
  for (std::size_t i = 1; i < slots.size(); ++i)
    slots[i].slack = slots[i - 1].slack + most_taken_off(slots[i - 1]);
  self.wants_ = interest_of(front, agreed);
  room_out = static_cast<std::size_t>(most_bytes);
  reason.reserve(max_close_reason);  // A failure must not need memory.
  const bool works_on_frames =
      std::any_of(agreed.begin(), agreed.end(), [](const auto& e) { return e.terms.uses.at == layer::frame; });
  if (works_on_frames) frames = std::make_unique<frame_layer>(*this);
}
pipeline::state::~state() = default;

pipeline::pipeline(std::vector<agreed_extension> stages, role side, buffer_pool& pool, const pipeline_limits& limits,
                   std::uint64_t id, shelf* lent)
    : state_(std::make_unique<state>(*this, std::move(stages), side, pool, limits, lent)) {
  state_->id = id;
}
pipeline::~pipeline() = default;

std::size_t pipeline::size() const noexcept { return state_->slots.size(); }
const agreed_extension& pipeline::at(std::size_t index) const noexcept { return state_->agreed[index]; }

// ---- life

void pipeline::open(tick now) {
  state& s = *state_;
  s.now = now;
  s.opened = true;
  for (std::uint32_t i = 0; i < s.slots.size() && !s.failed; ++i) {
    context c(*this, i);
    if (s.slots[i].table->open != nullptr) s.ran(s.slots[i].table->open(s.slots[i].self, c), i, "open");
  }
}

void pipeline::flush(tick now) {
  state& s = *state_;
  if (!s.opened || s.closing) return;
  s.now = now;
  s.room_out = static_cast<std::size_t>(most_bytes);  // What was held until now may go.
  for (std::uint32_t i = 0; i < s.slots.size() && !s.failed && !s.over; ++i) {
    if (s.slots[i].table->flush == nullptr) continue;
    context c(*this, i);
    s.spent = true;
    s.ran(s.slots[i].table->flush(s.slots[i].self, c), i, "flush");
  }
  s.closing = true;
}

void pipeline::closed(close_code code, tick now) {
  state& s = *state_;
  if (s.over) return;
  s.now = now;
  s.over = true;
  s.give_up(direction::out);
  s.give_up(direction::in);
  s.works.clear();
  for (std::uint32_t i = 0; i < s.slots.size(); ++i) {
    slot& one = s.slots[i];
    one.deadline = no_deadline;
    if (s.opened && one.table->closed != nullptr) {
      context c(*this, i);
      s.spent = true;
      if (!one.table->closed(one.self, code, c)) s.threw(i, "closed");
    }
    if (one.charged != 0) s.breach(i, "kept " + std::to_string(one.charged) + " bytes on its account after closed");
    s.charged -= one.charged;
    one.charged = 0;
  }
  earliest_ = no_deadline;
}

// ---- one message

bool pipeline::begin(direction way, head& h, tick now) {
  const bool nothing = way == direction::out ? lets_be<direction::out>(h, now) : lets_be<direction::in>(h, now);
  return nothing || !(state_->failed || state_->over);
}

bool pipeline::begin_behind(std::size_t stage, direction way, head& h, tick now) {
  state& s = *state_;
  s.now = now;
  const asked* from = s.front.data() + stage;
  const bool nothing = way == direction::out ? s.start<direction::out>(h, from + 1)
                       : s.carried.empty()   ? s.start<direction::in>(h, from)
                                             : s.start_noted(h, from);
  return nothing || !(s.failed || s.over);
}

const asked* pipeline::state::owner_of(std::uint8_t opcode) const noexcept {
  std::size_t i = 0;
  while (i < slots.size() && (slots[i].own_opcodes >> opcode & 1U) == 0)
    ++i;
  return front.data() + i;
}

// What a stage said to a message, where it is more than a bare bypass. False: failed.
bool pipeline::state::answered(direction way, std::size_t stage, std::uint32_t said, const head& mine, head& h) {
  if (said == begin_threw) {
    threw(stage, "begin");
    return false;
  }
  const verdict v = unpacked(said);
  const auto changed = static_cast<std::uint8_t>(mine.rsv ^ h.rsv);
  const bool honest = mine.opcode == h.opcode && (changed & ~slots[stage].rsv) == 0 &&
                      (way == direction::out || (mine.rsv & changed) == 0);
  h.rsv = mine.rsv;
  const bool goes_on = is_bypass(v) ? !failed : join(way, stage, v, h);
  if (honest) return goes_on;
  breach(stage, "its begin changed the opcode or an RSV bit that is not its own");
  return false;
}

// A message that was forwarded goes on, with what was noted of it before.
bool pipeline::state::start_noted(head& h, const asked* from) {
  lane& l = at(direction::in);
  if (!clear(direction::in, l)) return false;
  std::swap(noted, carried);
  carried.clear();
  const bool begun = start<direction::in>(h, from);
  l.used = true;  // There is something to forget with it.
  return begun;
}

// Before a message: ends what was half-way. False: nothing can begin.
bool pipeline::state::clear(direction way, lane& l) {
  if (failed || over) return false;
  if (l.active) give_up(way);
  settle(way, l);
  return !failed;
}

// After the verdicts of a message that some stage wants.
void pipeline::state::begun(direction way, lane& l, head& h) {
  l.active = true;
  // A message that is taken away has yet to meet the other stages: their bits are not left over.
  if (way == direction::in && l.whole_ahead && h.opcode <= 2)
    for (std::size_t i = 0; i < l.links[l.count - 1].stage; ++i)
      h.rsv = static_cast<std::uint8_t>(h.rsv & ~slots[i].rsv);
  bound(way, l, h.opcode <= 2);
}

// What may leave each stage. Inwards a message of exactly the limit still carries what the stages to come take off:
// those nearer to the application too, unless it goes no further than to the owner of its opcode.
void pipeline::state::bound(direction way, lane& l, bool goes_on) {
  std::uint64_t most = limit(way);
  if (way == direction::in && l.whole_ahead && goes_on) most = limit_behind(l.links[l.count - 1].stage, way);
  for (std::size_t i = l.count; i > 0; --i) {
    link& k = l.links[i - 1];
    k.most = most;
    if (way == direction::out) continue;
    // A message that is taken away is judged as it comes in, with what this stage has yet to take off.
    const std::uint64_t adds = slots[k.stage].adds_max;
    if (k.what == verdict::kind::whole) k.most += adds;
    most += k.prefix_size + std::uint64_t{k.suffix_size} + adds;
  }
}

bool pipeline::state::join(direction way, std::size_t stage, const verdict& v, head& h) {
  if (const char* wrong = fault_of(v, *slots[stage].table)) {
    breach(stage, wrong);
    return false;
  }
  if (v.what == verdict::kind::reject) {
    if (!failed) breach(stage, "its begin rejected a message without calling fail");
    return false;
  }
  lane& l = at(way);
  l.used = true;
  if (l.count == l.links.size()) l.links.emplace_back();
  link& k = l.links[l.count++];
  k.stage = static_cast<std::uint32_t>(stage);
  k.what = v.what;
  k.prefix_size = v.prefix_size;
  k.suffix_size = v.suffix_size;
  k.kept = k.back = 0;
  k.prefix_over = v.prefix_size == 0;
  k.body_over = k.ready = k.fin = k.ended = false;
  k.in = {};
  k.given = 0;
  k.made = k.taken = 0;
  k.h = h;
  if (v.what == verdict::kind::whole) l.whole_ahead = true;
  if (v.what == verdict::kind::in_place && !l.copied) l.writes = true;
  if (v.what == verdict::kind::transform) {
    l.copied = true;
    h.sized = 0;
    h.size = 0;
  }
  const std::uint64_t edges = std::uint64_t{v.prefix_size} + v.suffix_size;
  if (h.sized != 0 && edges != 0) {
    if (way == direction::in && h.size < edges) {
      if (!failed)
        fail(stage, close_code::protocol_error, errc::extension_failed, "message shorter than its extension data");
      return false;
    }
    h.size = way == direction::out ? h.size + edges : h.size - edges;
  }
  return !failed;
}

std::uint64_t pipeline::sent_on() const noexcept { return state_->sent_on; }
std::uint64_t pipeline::proved() const noexcept { return state_->proved; }
const notes& pipeline::noted() const& noexcept { return state_->noted; }
bool pipeline::bypassed(direction way) const noexcept { return state_->at(way).count == 0; }
bool pipeline::writes(direction way) const noexcept { return state_->at(way).writes; }

// Buffers go back to their pool, and the links are free for the next message.
void pipeline::state::settle(direction way, lane& l) {
  if (l.used) {
    for (std::size_t i = 0; i < l.count; ++i) {
      l.links[i].store = {};
      l.links[i].stash = {};
    }
    l.owned = {};
    l.stash = {};
    l.used = false;
    if (way == direction::in) noted.clear();
  }
  l.count = l.depth = 0;
  l.writes = l.copied = l.whole_ahead = l.pending = false;
}

void pipeline::state::end_link(direction way, link& k) {
  k.ended = true;
  k.ready = false;
  const slot& s = slots[k.stage];
  if (s.table->done == nullptr) return;
  context c(*owner, k.stage);
  ran(s.table->done(s.self, way, c), k.stage, "done");
}

void pipeline::state::give_up(direction way) {
  lane& l = at(way);
  for (std::size_t i = 0; i < l.count; ++i)
    if (!l.links[i].ended) end_link(way, l.links[i]);
  settle(way, l);
  l.active = false;
}

// ---- for one connection after another

bool pipeline::at_rest() const noexcept {
  const state& s = *state_;
  const auto idle = [](const lane& l) { return !(l.used || l.active); };
  const bool nothing_half_way = idle(s.lanes[0]) && idle(s.lanes[1]) && s.works.empty() && !(s.failed || s.spent);
  const bool nothing_kept = s.charged == 0 && holding_ == 0 && !released_ && earliest_ == no_deadline;
  return nothing_half_way && nothing_kept && s.noted.empty() && s.carried.empty() && s.sent_on == 0 && s.proved == 0 &&
         s.breaches == 0;
}

void pipeline::serve(std::uint64_t id, bool opened, bool closing) noexcept {
  state& s = *state_;
  s.id = id;
  s.opened = opened;
  s.closing = closing;
  s.over = false;
}

std::unique_ptr<pipeline> pipeline::copy() const {
  const state& s = *state_;
  std::vector<agreed_extension> stages;
  stages.reserve(s.agreed.size());
  for (const agreed_extension& e : s.agreed)
    stages.push_back({e.name, {e.terms.response, e.terms.uses, e.terms.work.copy()}});
  return std::make_unique<pipeline>(std::move(stages), s.side, *s.pool, s.limits, 0, s.lent);
}

bool pipeline::is_like(const std::vector<agreed_extension>& stages, role side,
                       const pipeline_limits& limits) const noexcept {
  const state& s = *state_;
  const auto same = [](const agreed_extension& a, const agreed_extension& b) {
    return a.name == b.name && a.terms.uses == b.terms.uses && a.terms.response == b.terms.response &&
           a.terms.work.is_like(b.terms.work);
  };
  return s.side == side && s.limits == in_range(limits) && std::ranges::equal(s.agreed, stages, same);
}

// ---- own frames and time

void pipeline::control(std::uint8_t opcode, byte_view payload, tick now) {
  state& s = *state_;
  s.now = now;
  if (s.failed || s.over) return;
  for (std::uint32_t i = 0; i < s.slots.size(); ++i) {
    const slot& one = s.slots[i];
    if ((one.own_opcodes >> opcode & 1U) == 0 || one.table->control == nullptr) continue;
    context c(*this, i);
    s.ran(one.table->control(one.self, opcode, payload, c), i, "control");
    return;
  }
}

void pipeline::state::refresh_deadline() noexcept {
  owner->earliest_ = no_deadline;
  for (const slot& s : slots)
    owner->earliest_ = std::min(owner->earliest_, s.deadline);
}

void pipeline::on_timeout(tick now) {
  state& s = *state_;
  if (earliest_ > now || s.failed || s.over) return;
  s.now = now;
  const asking_stages here(*this);
  for (std::uint32_t i = 0; i < s.slots.size() && !s.failed; ++i) {
    slot& one = s.slots[i];
    if (one.deadline > now) continue;
    one.deadline = no_deadline;
    context c(*this, i);
    if (one.table->timer != nullptr) s.ran(one.table->timer(one.self, c), i, "timer");
  }
  s.refresh_deadline();
}

// ---- frames

frame_layer* pipeline::frames() const noexcept { return state_->frames.get(); }

bool pipeline::take_ext(frame& f, byte_view front, std::size_t& used, tick now) {
  state_->now = now;
  return !state_->failed && !state_->over && state_->frames->take_ext(f, front, used);
}

bool pipeline::cut(std::uint64_t most, frame_cut& out, tick now) {
  state_->now = now;
  return !state_->failed && !state_->over && state_->frames->cut(most, out);
}

std::uint32_t pipeline::urgency_of(const head& h, tick now) {
  state_->now = now;
  return state_->failed || state_->over ? 0 : state_->frames->urgency_of(h);
}

// ---- what stages asked for

namespace {

// A younger action goes first only where the older one would overtake it at the younger one's stage.
bool goes_before(const pipeline::work& younger, const pipeline::work& older) noexcept {
  if (younger.what != pipeline::work::kind::forward || younger.way != older.way) return false;
  return younger.way == direction::out ? younger.stage > older.stage : younger.stage < older.stage;
}

}  // namespace

bool pipeline::next_work(work& out, const work_allowed& now) {
  state& s = *state_;
  if (s.failed || s.over) return false;
  auto best = s.works.end();
  for (auto it = s.works.begin(); it != s.works.end(); ++it) {
    const bool free = it->way == direction::in ? now.in : now.out;
    if (it->what == work::kind::control ? !now.control : !free || s.at(it->way).active) continue;
    if (best == s.works.end() || goes_before(*it, *best)) best = it;
    if (best->what == work::kind::control) break;
  }
  if (best == s.works.end()) return false;
  out = std::move(*best);
  s.works.erase(best);
  if (out.what == work::kind::forward && out.way == direction::in) s.carried = std::move(out.noted);
  return true;
}

bool pipeline::has_work() const noexcept { return !state_->works.empty(); }

void pipeline::set_room(std::size_t bytes) noexcept { state_->room_out = bytes; }

std::uint64_t pipeline::state::waiting_in() const noexcept {
  std::uint64_t waiting = 0;
  for (const work& w : works)
    if (w.what == work::kind::forward && w.way == direction::in) waiting += w.body.size();
  return waiting;
}

// ---- failure

void pipeline::state::fail(std::size_t stage, close_code why_code, errc what, std::string_view why) noexcept {
  if (failed || over) return;
  failed = true;
  failed_stage = static_cast<std::uint32_t>(stage);
  code = why_code;
  error = what;
  set_close_reason(reason, why);
  works.clear();
  owner->earliest_ = no_deadline;
}

void pipeline::state::breach(std::size_t stage, std::string_view what) noexcept {
  ++breaches;
  const bool said = guarded([&] {
    last_breach = agreed[stage].name;
    last_breach.append(": ").append(what);
  });
  fail(stage, close_code::internal_error, errc::extension_threw, said ? std::string_view(last_breach) : what);
}

void pipeline::state::threw(std::size_t stage, std::string_view hook) noexcept {
  attempt(stage, [&] {
    breach(stage, std::string("its ").append(hook).append(" threw"));
    return true;
  });
}

bool pipeline::failed() const noexcept { return state_->failed; }
close_code pipeline::fail_code() const noexcept { return state_->code; }
errc pipeline::fail_error() const noexcept { return state_->error; }
std::string_view pipeline::fail_reason() const noexcept { return state_->reason; }
std::string_view pipeline::fail_extension() const noexcept {
  return state_->failed ? std::string_view(state_->agreed[state_->failed_stage].name) : std::string_view();
}
std::size_t pipeline::charged() const noexcept { return state_->charged; }
std::size_t pipeline::breaches() const noexcept { return state_->breaches; }
std::string_view pipeline::last_breach() const noexcept { return state_->last_breach; }

}  // namespace core
HAWSER_END
