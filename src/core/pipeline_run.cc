// The bytes of a message on their way through the stages that wanted them.
//
// Each link turns the chunk it was given into pieces for the next one. The scheduler always works the link nearest to
// the message's destination, so every link has at most one chunk in hand and its output is used up before it makes
// more.
#include "core/pipeline_state.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

HAWSER_BEGIN
namespace core {

/// One link at work in one direction; made for a single step.
class pipeline::state::step_of {
 public:
  /// What the step gave.
  struct piece {
    byte_span bytes;
    bool fin = false;
    bool gone = false;
  };

  step_of(pipeline::state& s, direction way, link& k, piece& out)
      : s_(s), way_(way), k_(k), table_(*s.slots[k.stage].table), self_(s.slots[k.stage].self), out_(out) {}

  /// False: failed.
  bool run() {
    switch (k_.what) {
      case verdict::kind::transform:
        return transform();
      case verdict::kind::whole:
        return whole();
      case verdict::kind::retain:
        return retain();
      default:
        break;
    }
    if (k_.prefix_size == 0 && k_.suffix_size == 0) [[likely]]
      return pass();
    return way_ == direction::out ? add_edges() : take_edges();
  }

 private:
  context cx() { return {*s_.owner, k_.stage}; }
  edge_bytes& edge() {
    if (!k_.edge) k_.edge = std::make_unique<edge_bytes>();
    return *k_.edge;
  }

  byte_span take_input() {
    k_.ready = false;
    return std::exchange(k_.in, {});
  }

  /// Gives a piece on that is not the last.
  bool give(byte_span bytes) {
    out_.bytes = bytes;
    return s_.count(k_, bytes.size());
  }
  /// Gives the last piece on.
  bool finish(byte_span bytes) {
    out_.bytes = bytes;
    out_.fin = true;
    if (!s_.count(k_, bytes.size())) return false;
    s_.end_link(way_, k_);
    return !s_.failed;
  }

  /// Lets the stage see, or change, a chunk of the content.
  bool show(byte_span bytes, bool fin) {
    if (bytes.empty() && !fin) return true;
    context c = cx();
    if (k_.what == verdict::kind::in_place)
      return s_.ran(table_.in_place(self_, way_, bytes, fin, c), k_.stage, "in_place");
    if (table_.observe == nullptr) return true;
    return s_.ran(table_.observe(self_, way_, bytes, fin, c), k_.stage, "observe");
  }
  bool call_prefix(byte_span bytes) {
    context c = cx();
    return s_.ran(table_.prefix(self_, way_, bytes, c), k_.stage, "prefix");
  }
  bool call_suffix(byte_span bytes) {
    context c = cx();
    return s_.ran(table_.suffix(self_, way_, bytes, c), k_.stage, "suffix");
  }

  bool pass() {
    const byte_span chunk = take_input();
    if (!show(chunk, k_.fin)) return false;
    return k_.fin ? finish(chunk) : give(chunk);
  }

  // ---- outwards: prefix, content, suffix
  bool add_edges() {
    if (!k_.prefix_over) {
      k_.prefix_over = true;
      const byte_span bytes{edge().out.data(), k_.prefix_size};
      return call_prefix(bytes) && give(bytes);
    }
    if (!k_.body_over) {
      const bool more_to_do = k_.fin && k_.suffix_size != 0;
      const byte_span chunk = take_input();
      if (!show(chunk, k_.fin)) return false;
      if (!more_to_do) return k_.fin ? finish(chunk) : give(chunk);
      k_.ready = k_.body_over = true;
      if (!chunk.empty()) return give(chunk);
    }
    const byte_span bytes{edge().out.data(), k_.suffix_size};
    return call_suffix(bytes) && finish(bytes);
  }

  // ---- inwards: the prefix is gathered, and the last bytes are kept back until the end is known
  bool take_edges() {
    if (!k_.prefix_over) {
      if (!gather_prefix()) return false;
      if (!k_.prefix_over) return true;
    }
    return k_.fin ? take_last() : take_some();
  }

  bool gather_prefix() {
    keep(std::min<std::size_t>(k_.in.size(), k_.prefix_size - std::size_t{k_.kept}));
    if (k_.kept < k_.prefix_size) {
      k_.ready = false;
      return !k_.fin || too_short();
    }
    k_.kept = 0;
    k_.prefix_over = true;
    return call_prefix({edge().kept.data(), k_.prefix_size});
  }

  bool too_short() {
    s_.fail(k_.stage, close_code::protocol_error, errc::extension_failed, "message shorter than its extension data");
    return false;
  }

  /// Moves `n` bytes of input to those kept back.
  void keep(std::size_t n) {
    if (n != 0) std::memcpy(edge().kept.data() + k_.kept, k_.in.data(), n);
    k_.kept = static_cast<std::uint8_t>(k_.kept + n);
    k_.in = k_.in.subspan(n);
  }
  /// The oldest `n` of the kept bytes, as a piece.
  byte_span release(std::size_t n) {
    edge_bytes& e = edge();
    std::memcpy(e.out.data(), e.kept.data(), n);
    std::memmove(e.kept.data(), e.kept.data() + n, k_.kept - n);
    k_.kept = static_cast<std::uint8_t>(k_.kept - n);
    return {e.out.data(), n};
  }

  bool take_some() {
    const std::size_t all = k_.kept + k_.in.size();
    if (all <= k_.suffix_size) {
      keep(k_.in.size());
      k_.ready = false;
      return true;
    }
    byte_span bytes;
    if (k_.kept != 0) {
      bytes = release(std::min<std::size_t>(k_.kept, all - k_.suffix_size));
    } else {
      bytes = k_.in.first(k_.in.size() - k_.suffix_size);
      k_.in = k_.in.last(k_.suffix_size);
      keep(k_.suffix_size);
      k_.ready = false;
    }
    return show(bytes, false) && give(bytes);
  }

  bool take_last() {
    const std::size_t all = k_.kept + k_.in.size();
    if (all < k_.suffix_size) return too_short();
    const std::size_t content = all - k_.suffix_size;
    byte_span bytes;
    if (k_.kept == 0 || content == 0) {
      bytes = k_.in.first(content);
      k_.in = k_.in.subspan(content);
    } else {
      const std::size_t n = std::min<std::size_t>(k_.kept, content);
      bytes = release(n);
      if (n < content) return show(bytes, false) && give(bytes);
    }
    if (!show(bytes, true)) return false;
    keep(k_.in.size());
    if (k_.suffix_size != 0 && !call_suffix({edge().kept.data(), k_.suffix_size})) return false;
    return finish(bytes);
  }

  // ---- whole messages
  /// Adds the chunk in hand to the message so far.
  bool accumulate() {
    lane& l = s_.at(way_);
    const byte_span chunk = take_input();
    if (k_.what == verdict::kind::whole && !s_.count(k_, chunk.size())) return false;
    if (k_.fin && !k_.store && lies_in(chunk, l.owned) && (k_.what == verdict::kind::whole || !changed_behind(l))) {
      const auto from = static_cast<std::size_t>(chunk.data() - l.owned.data());
      k_.store = l.owned.slice(from, chunk.size());
      if (k_.what == verdict::kind::whole) l.owned = {};
      return true;
    }
    if (!k_.store || k_.store.back_room() < chunk.size()) {
      const std::size_t old = k_.store.size();
      buffer larger = s_.pool->take(old + chunk.size(), k_.fin ? 0 : old + chunk.size());
      if (old != 0) std::memcpy(larger.data(), k_.store.data(), old);
      larger.resize(old);
      k_.store = std::move(larger);
    }
    const std::size_t old = k_.store.size();
    k_.store.resize(old + chunk.size());
    if (!chunk.empty()) std::memcpy(k_.store.data() + old, chunk.data(), chunk.size());
    return true;
  }

  static bool lies_in(byte_span chunk, const buffer& body) {
    return body && !chunk.empty() && chunk.data() >= body.data() &&
           chunk.data() + chunk.size() <= body.data() + body.size();
  }
  /// True when a stage behind this one writes into the bytes that it passes on.
  bool changed_behind(const lane& l) const {
    for (const link* k = &k_ + 1; k != l.links.data() + l.count && k->what != verdict::kind::transform; ++k)
      if (k->what == verdict::kind::in_place) return true;
    return false;
  }

  head told() {
    head h = k_.h;
    h.sized = 1;
    h.size = k_.store.size();
    return h;
  }

  bool whole() {
    if (!accumulate()) return false;
    if (!k_.fin) return true;
    const head h = told();
    context c = cx();
    if (!s_.ran(table_.whole(self_, way_, h, std::move(k_.store), c), k_.stage, "whole")) return false;
    s_.end_link(way_, k_);
    out_.gone = true;
    return !s_.failed;
  }

  bool retain() {
    const byte_span chunk = k_.in;
    if (!give(chunk) || !accumulate()) return false;
    if (!k_.fin) return true;
    const head h = told();
    context c = cx();
    if (!s_.ran(table_.retained(self_, way_, h, std::move(k_.store), c), k_.stage, "retained")) return false;
    out_.fin = true;
    s_.end_link(way_, k_);
    return !s_.failed;
  }

  // ---- transform
  bool transform() {
    const std::uint8_t trim_max = s_.slots[k_.stage].trim_max;
    const std::uint64_t allowed = k_.most + trim_max + 1;
    if (!k_.store)
      k_.store = s_.pool->take(static_cast<std::size_t>(std::min<std::uint64_t>(s_.limits.step, allowed)) + trim_max);
    if (k_.back != 0) std::memmove(k_.store.data(), k_.store.data() + k_.given, k_.back);
    k_.given = 0;
    // `made` does not count the bytes that may still be trimmed.
    const std::size_t room = static_cast<std::size_t>(
        std::min<std::uint64_t>({s_.limits.step, allowed - k_.made - k_.back, k_.store.size() - k_.back}));
    step did;
    context c = cx();
    const bool returned = table_.transform(self_, way_, k_.in, {k_.store.data() + k_.back, room}, k_.fin, did, c);
    if (!s_.ran(returned, k_.stage, "transform")) return false;
    if (const char* wrong = fault_of(did, room)) {
      s_.breach(k_.stage, wrong);
      return false;
    }
    k_.in = k_.in.subspan(did.consumed);
    k_.taken += did.consumed;
    const std::size_t have = k_.back + did.produced;
    if (did.next == flow::done) return claimed(have - did.trim) && finish({k_.store.data(), have - did.trim});
    k_.ready = did.next == flow::full;
    k_.back = static_cast<std::uint8_t>(std::min<std::size_t>(have, trim_max));
    k_.given = have - k_.back;
    return claimed(k_.given) && give({k_.store.data(), k_.given});
  }

  /// Outwards nothing else ends a stage that makes and makes. False: `more` bytes are over what it claimed to add.
  bool claimed(std::size_t more) {
    const std::uint16_t adds = s_.slots[k_.stage].adds_max;
    const std::uint64_t makes = k_.made + more;
    if (way_ == direction::in || makes <= claims::most_made(adds, k_.taken)) [[likely]]
      return true;
    return s_.attempt(k_.stage, [&] {
      s_.breach(k_.stage, "its transform made " + std::to_string(makes) + " bytes of " + std::to_string(k_.taken) +
                              ", its adds_max of " + std::to_string(adds) + " allows " +
                              std::to_string(claims::most_made(adds, k_.taken)) + ": claim what it adds, or end");
      return false;
    });
  }

  /// What is wrong with a step, for its author; null when nothing is.
  const char* fault_of(const step& did, std::size_t room) const {
    if (did.consumed > k_.in.size()) return "its transform consumed more than it was given";
    if (did.produced > room) return "its transform produced more than there was room for";
    const bool all_in = did.consumed == k_.in.size();
    if (did.next != flow::done && did.trim != 0) return "its transform trims before the message is done";
    switch (did.next) {
      case flow::more:
        if (!all_in) return "its transform wants more and left input behind";
        return k_.fin ? "its transform wants more after the end of the message" : nullptr;
      case flow::full:
        return did.consumed + did.produced == 0 ? "its transform said full without progress" : nullptr;
      case flow::done:
        if (!k_.fin || !all_in) return "its transform is done before the end of the message";
        if (did.trim > s_.slots[k_.stage].trim_max) return "its transform trims more than it claimed";
        return did.trim > k_.back + did.produced ? "its transform trims more than it made" : nullptr;
      case flow::error:
        return "its transform gave an error without calling fail";
    }
    return "its transform gave no known answer";
  }

  pipeline::state& s_;
  direction way_;
  link& k_;
  const stage_table& table_;
  void* self_;
  piece& out_;
};

bool pipeline::state::count(link& k, std::size_t bytes) {
  k.made += bytes;
  if (k.made <= k.most) [[likely]]
    return true;
  fail(k.stage, close_code::message_too_big, errc::message_too_big, "message over the size limit");
  return false;
}

void pipeline::push(direction way, byte_span chunk, bool fin, tick now) {
  state& s = *state_;
  s.now = now;
  if (s.failed || s.over) return;
  lane& l = s.at(way);
  if (l.count == 0) {
    l.in = chunk;
    l.fin = fin;
    l.pending = l.active = l.used = true;
    return;
  }
  if (!l.active || (chunk.empty() && !fin)) return;
  l.links[0].in = chunk;
  l.links[0].fin = fin;
  l.links[0].ready = true;
  l.depth = 1;
}

void pipeline::push_owned(direction way, buffer body, tick now) {
  state& s = *state_;
  lane& l = s.at(way);
  if (body && l.writes && !body.sole_owner()) {
    buffer copy = s.pool->take(body.size());
    std::ranges::copy(body.view(), copy.data());
    body = std::move(copy);
  }
  l.owned = std::move(body);
  l.used = true;
  push(way, l.owned.span(), true, now);
}

pipeline::pulled pipeline::pull(direction way, byte_span& bytes, bool& fin) { return state_->run(way, bytes, fin); }

pipeline::pulled pipeline::state::run(direction way, byte_span& bytes, bool& fin) {
  if (failed || over) return pulled::failed;
  lane& l = at(way);
  if (l.pending) {
    bytes = std::exchange(l.in, {});
    fin = l.fin;
    l.pending = false;
    l.active = !fin;
    if (!bytes.empty() || fin) return pulled::piece;
  }
  if (!l.active) settle(way, l);
  while (l.depth > 0) {
    link& k = l.links[l.depth - 1];
    if (!k.ready) {
      --l.depth;
      continue;
    }
    step_of::piece made;
    if (!step_of(*this, way, k, made).run()) return pulled::failed;
    if (made.gone) {
      l.active = false;
      settle(way, l);
      return pulled::gone;
    }
    if (made.bytes.empty() && !made.fin) continue;
    if (l.depth == l.count) {
      bytes = made.bytes;
      fin = made.fin;
      if (fin) {
        l.active = false;
        l.depth = 0;
      }
      return pulled::piece;
    }
    link& next = l.links[l.depth++];
    next.in = made.bytes;
    next.fin = made.fin;
    next.ready = true;
  }
  return pulled::more;
}

void pipeline::stash(direction way) { state_->save(state_->at(way)); }

// Input of any link may lie in the caller's chunk, because what observes passes it on as it is.
void pipeline::state::save(lane& l) {
  const auto copy = [this](byte_span& in, buffer& into) {
    if (in.empty()) return;
    buffer kept = pool->take(in.size());
    std::ranges::copy(in, kept.data());
    into = std::move(kept);
    in = into.span();
  };
  if (l.pending) copy(l.in, l.stash);
  for (std::size_t i = 0; i < l.depth; ++i)
    if (l.links[i].ready) copy(l.links[i].in, l.links[i].stash);
}

}  // namespace core
HAWSER_END
