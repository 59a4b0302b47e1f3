// Two connections side by side over the same bytes and calls: one as sessions use it, over the fast path, the other one
// the long way alone. They say, send and count the same.
//
// The input: a byte of options, a byte for each limit, the plans of the stages, then a list of actions.

// at least 1,000 inputs: each is two connections, with messages of up to 64 KiB

#include "core/fast_path.h"
#include "support/core_end.h"
#include "support/plain_path.h"
#include "support/planned_stage.h"
#include "support/require.h"
#include "support/tape.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace hawser;
using namespace hawser::test;
using hawser::fuzz::planned_stage;
using hawser::fuzz::require;
using hawser::fuzz::stage_plan;
using hawser::fuzz::tape;

namespace {

enum option : unsigned {
  as_client = 1,
  in_parts = 2,
  no_turns = 4,
  into_area = 8,
  small_backlog = 16,
  as_session = 32
};

constexpr std::size_t most_wire = std::size_t{140} << 10;  // Of one input: longer ones only take longer.

/// What a user does when an event comes.
enum class reaction : std::uint8_t {
  nothing,
  echo,
  echo_owned,
  send,
  ping,
  change,
  stop,
  pause,
  part,
  close,
  fail,
  frames,
  last = frames
};

/// What needs no event.
constexpr std::array at_any_time{reaction::ping,  reaction::send, reaction::part, reaction::frames,
                                 reaction::pause, reaction::stop, reaction::fail, reaction::close};

/// One of the two.
struct side {
  side(role which, const core::settings& obey, loop_parts& shared)
      : parts(shared),
        core(parts.shared, obey, which, clock_start),
        neighbour(parts.shared, obey, which, clock_start) {}

  void attach(const std::vector<stage_plan>& plans) {
    std::vector<core::agreed_extension> agreed;
    agreed.reserve(plans.size());
    for (const stage_plan& p : plans)
      agreed.push_back({"x-plan", core::agreement{{}, p.uses, core::any_stage::of(planned_stage(p, log))}});
    core.attach(std::move(agreed), clock_start);
  }

  std::string log;  // Of the stages.
  loop_parts& parts;
  core::connection core;
  core::connection neighbour;  // On the same loop.
  byte_string input;           // This turn's.
  byte_string rest;            // What a turn that stopped early left.
  core::event seen;            // The last event.
};

core::settings read_settings(tape& input, unsigned options) {
  constexpr std::uint64_t far = std::uint64_t{1} << 30;
  core::settings obey;
  obey.in_parts = (options & in_parts) != 0;
  obey.bounds.max_message = input.pick(std::array<std::uint64_t, 8>{far, 125, 126, 127, 300, 65535, 65536, 0});
  obey.bounds.max_frame = input.pick(std::array<std::uint64_t, 8>{far, 125, 126, 127, 300, 65535, 65536, 0});
  obey.bounds.max_outgoing_frame = input.pick(std::array<std::uint64_t, 8>{far, 125, 126, 1, 300, 2047, 2048, 0});
  obey.bounds.max_fragments = input.pick(std::array<std::uint32_t, 4>{1024, 1, 3, 0});
  obey.bounds.max_glitches = 20;
  if ((options & small_backlog) != 0) {
    obey.bounds.write_soft = 200;
    obey.bounds.write_hard = 400;
  }
  return obey;
}

bool same_bytes(byte_view a, byte_view b) noexcept {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

std::string content(std::size_t size, unsigned how) {
  static constexpr std::array<std::string_view, 4> of{"Hawser ", "gr\xC3\xBC\xC3\x9F \xE4\xBD\xA0\xF0\x9F\x98\x80",
                                                      "ab\xFF", "\xE4\xBD\xA0\xE5\xA5\xBD"};
  std::string text(of[how % of.size()]);
  while (text.size() < size)
    text.append(text);
  // A character that is cut is bad text: half of the time it is mended.
  text.resize(size);
  if ((how & 4U) == 0 && how % of.size() != 2) {
    for (std::size_t i = size; i > 0 && i + 4 > size && (static_cast<unsigned char>(text[i - 1]) & 0x80U) != 0; --i)
      text[i - 1] = '.';
  }
  return text;
}

// The loops stay for all inputs: making them would take most of the time.
loop_parts& fast_loop() {
  static loop_parts parts;
  return parts;
}
loop_parts& plain_loop() {
  static loop_parts parts;
  return parts;
}

class pair_of_sides {
 public:
  pair_of_sides(tape& input, unsigned options)
      : input_(&input),
        options_(options),
        obey_(read_settings(input, options)),
        fast_(which(), obey_, fast_loop()),
        plain_(which(), obey_, plain_loop()),
        writer_(other_role()) {
    std::vector<stage_plan> plans;
    for (std::size_t n = input.below(4); n > 0; --n)
      plans.push_back(stage_plan::read(input, 4U >> plans.size()));
    fast_.attach(plans);
    plain_.attach(plans);
    same();
  }

  void run() {
    for (int i = 0; i < 200 && !input_->done(); ++i)
      act();
    deliver(writer_.take(), 0);
    set_paused(false);
    deliver({}, 0);
    turn([&](side& s) { s.core.end_of_input(now_); });
    appetite_ = SIZE_MAX;
    for (int i = 0; i < 1000 && fast_.core.pending() > 0; ++i)
      writable();
    require(fast_.core.pending() == 0, "everything goes out in the end");
    require(fast_.core.is_over(), "the end is told");
  }

 private:
  [[nodiscard]] role which() const { return (options_ & as_client) != 0 ? role::client : role::server; }

  /// Many frames of one byte only take long.
  [[nodiscard]] std::size_t longest() const { return obey_.bounds.max_outgoing_frame < 100 ? 300 : SIZE_MAX; }

  [[nodiscard]] role other_role() const { return which() == role::server ? role::client : role::server; }

  template <class Call>
  void both(Call&& call) {
    call(fast_);
    call(plain_);
  }
  /// Calls it on both and expects the same answer.
  template <class Call>
  auto ask(Call&& call, const char* rule) {
    auto answer = call(fast_);
    require(answer == call(plain_), rule);
    return answer;
  }

  void act() {
    const std::uint8_t what = input_->next();
    switch (what % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        add_frame(what);
        if (what >= 0x80) deliver(writer_.take(), 0);
        break;
      case 6:
        deliver(writer_.take(), input_->next());
        break;
      case 7:
        reaction_ = static_cast<reaction>(input_->below(static_cast<std::size_t>(reaction::last) + 1));
        after_ = what >> 4 & 3U;
        break;
      case 8:
      case 9:
        if (what >= 0x80)
          turn([&](side&) {}, [&] { send(what); });
        else
          send(what);
        break;
      case 10:
        if (what >= 0x80)
          in_turn_of_neighbour(what);
        else
          turn([](side&) {}, [&] { call(input_->pick(at_any_time)); });
        break;
      case 11:
        appetite_ = what >= 0x80 ? SIZE_MAX : input_->next();
        break;
      case 12:
        writable();
        break;
      case 13:
        advance(std::chrono::milliseconds(std::int64_t{1} << (what >> 4)));
        break;
      case 14:
        set_paused(what >= 0x80);
        break;
      default:
        send_part(what);
    }
  }

  // ---- the peer
  void add_frame(std::uint8_t what) {
    constexpr std::array<std::size_t, 16> lengths{5,   0,   1,   16,  63,   64,   124,   125,
                                                  126, 127, 128, 300, 2047, 2048, 65535, 65536};
    constexpr std::array<unsigned, 16> firsts{0x81, 0x82, 0x81, 0x82, 0x01, 0x02, 0x00, 0x80,
                                              0x89, 0x8A, 0xC1, 0xA2, 0x91, 0x8B, 0x83, 0x88};
    const std::uint8_t how = input_->next();
    const std::size_t length = std::min(input_->pick(lengths), longest());
    const unsigned first = firsts[how % firsts.size()];
    if (writer_.bytes().size() + length > most_wire) return;
    const unsigned digits = length < 126 ? 0 : length < 65536 ? 2 : 8;
    switch (how >> 4) {
      case 15:  // Only its beginning.
        writer_.header(first, length);
        break;
      case 14:  // Not the shortest form.
        writer_.header(first, length, digits == 0 ? 2 : 8).masked(content(length, what >> 4));
        break;
      case 13:
        writer_.masking(which() != role::server).frame(first, content(length, what >> 4));
        writer_.masking(which() == role::server);
        break;
      case 12:
        writer_.raw({input_->next(), input_->next()});
        break;
      default:
        writer_.frame(first, content(length, what >> 4));
    }
  }

  /// The peer's bytes arrive: whole, or in pieces of so many.
  void deliver(const byte_string& bytes, std::size_t piece) {
    if (!fast_.rest.empty()) again();
    byte_view in(bytes);
    // While something waits nothing is read.
    if (!fast_.rest.empty()) return both([&](side& s) { s.rest.insert(s.rest.end(), in.begin(), in.end()); });
    // Many small pieces of much only take long.
    if (piece > 0) piece = std::max(piece, in.size() / 64);
    do {
      const byte_view now = in.first(piece == 0 ? in.size() : std::min(piece, in.size()));
      in = in.subspan(now.size());
      if (!fast_.rest.empty()) {
        both([&](side& s) { s.rest.insert(s.rest.end(), now.begin(), now.end()); });
        continue;
      }
      receive(now);
    } while (!in.empty());
  }
  void receive(byte_view bytes) {
    turn([&](side& s) {
      const byte_span area = (options_ & into_area) != 0 ? s.core.receive_area() : byte_span{};
      if (bytes.empty() || area.size() < bytes.size()) {
        s.input.assign(bytes.begin(), bytes.end());
        s.input.shrink_to_fit();
        return s.core.receive(s.input, now_);
      }
      std::copy(bytes.begin(), bytes.end(), area.begin());
      s.core.received(bytes.size(), now_);
    });
  }
  /// What a turn left that stopped early is worked in.
  void again() {
    turn([&](side& s) {
      s.input = std::exchange(s.rest, {});
      s.core.receive_again(s.input, now_);
    });
  }

  // ---- a turn
  template <class Before>
  void turn(Before&& before) {
    turn(before, [] {});
  }
  template <class Before, class Then>
  void turn(Before&& before, Then&& then) {
    stopped_ = false;
    if ((options_ & no_turns) == 0) both([](side& s) { s.core.begin_turn(); });
    both(before);
    then();
    same();
    drain();
    keep_rest();
    if (!blocked_) write();
    both([](side& s) {
      s.core.end_turn();
      s.input = {};
    });
    same();
    check_settled();
  }

  void drain() {
    while (!stopped_) {
      const core::kind found = next_fast();
      require(found == core::plain_path::next(plain_.core), "both find the same event");
      if (found != core::kind::none) plain_.seen = plain_.core.current();
      same();
      if (found == core::kind::none) return;
      require(!told_end_, "nothing comes after the end");
      told_end_ = found == core::kind::closed;
      same_event(found);
      if (after_ > 0)
        --after_;
      else
        react();
      same();
    }
  }

  // A session takes the usual message without an event.
  core::kind next_fast() {
    using core::fast_path;
    core::kind found = core::kind::none;
    fast_path::whole message;
    if ((options_ & as_session) == 0) {
      found = fast_path::next(fast_.core);
    } else if (fast_path::take_or_find(fast_.core, message, found) == fast_path::found::whole) {
      fast_.seen = {};
      fast_.seen.payload = message.payload;
      fast_.seen.op = message.op;
      fast_.seen.first_byte = fast_.seen.last_byte = now_;
      return obey_.in_parts ? core::kind::part : core::kind::message;
    }
    if (found != core::kind::none) fast_.seen = fast_.core.current();
    return found;
  }

  // Both leave the same bytes behind; they are given again in another turn.
  void keep_rest() {
    if (stopped_ || paused_) both([](side& s) { s.core.stash(); });
    const byte_view left = fast_.core.unconsumed();
    require(same_bytes(left, plain_.core.unconsumed()), "both leave the same input");
    require(left.empty() || stopped_ || paused_, "input is left only when the owner stopped");
    if (left.empty()) return;
    both([](side& s) {
      const byte_view rest = s.core.unconsumed();
      s.rest.assign(rest.begin(), rest.end());
    });
  }

  void same_event(core::kind found) {
    const core::event& a = fast_.seen;
    const core::event& b = plain_.seen;
    std::size_t size = a.payload.size();
#ifdef HAWSER_PLANTED_BUG
    // A fast path that loses the last byte of a message behind stages, where the length takes two bytes.
    if (found == core::kind::message && fast_.core.stages() != nullptr && size == 126 && a.op == opcode::binary) --size;
#endif
    require(size == b.payload.size() && same_bytes(a.payload, b.payload), "the same payload");
    require(a.op == b.op && a.first == b.first && a.fin == b.fin, "the same kind of message");
    require(a.first_byte == b.first_byte && a.last_byte == b.last_byte, "the same times");
    require((a.owner == nullptr) == (b.owner == nullptr), "the same owner");
    require(offset(fast_, a.payload) == offset(plain_, b.payload), "the payload lies in the same place");
    if (found == core::kind::closed) require(a.error == b.error && a.code == b.code, "the same end");
  }
  /// Where in the input a payload lies; -1: elsewhere.
  static std::ptrdiff_t offset(const side& s, byte_view payload) {
    const byte_view in(s.input);
    const bool inside = !payload.empty() && payload.data() >= in.data() && payload.data() < in.data() + in.size();
    return inside ? payload.data() - in.data() : -1;
  }

  void same() {
    const core::connection& a = fast_.core;
    const core::connection& b = plain_.core;
    const core::statistics s = a.stats();
    const core::statistics t = b.stats();
    require(s.bytes_in == t.bytes_in && s.messages_in == t.messages_in, "the same counts inwards");
    require(s.bytes_out == t.bytes_out && s.messages_out == t.messages_out, "the same counts outwards");
    require(s.backlog == t.backlog && a.pending() == b.pending(), "the same waits to be sent");
    require(a.is_open() == b.is_open() && a.is_over() == b.is_over(), "both are in the same state");
    require(a.closes_first() == b.closes_first() && a.sending_parts() == b.sending_parts(),
            "both are in the same state");
    require(a.deadline() == b.deadline(), "the same deadline");
    // With stages only when all events are told: until then either way may still have to look after them.
    require(a.stages() != nullptr || core::fast_path::settled(a) == core::fast_path::settled(b),
            "both are settled, or none is");
    require(a.unconsumed().size() == b.unconsumed().size(), "both have taken the same input");
    require(fast_.core.receive_area().size() == plain_.core.receive_area().size(), "the same area to receive into");
    // A large echo that waits lies in one piece where its header stands in front of it, in two where not.
    if (a.pending() == 0) large_echo_ = false;
    require(large_echo_ || fast_.parts.pool.used_bytes() == plain_.parts.pool.used_bytes(),
            "both hold the same memory");
    require(fast_.log == plain_.log, "the stages are asked the same");
    both([](side& each) { each.log.clear(); });
  }

  /// What the session relies on when it does not ask again after a turn.
  void check_settled() {
    const tick now = fast_.core.deadline();
    require(stopped_ || core::fast_path::settled(fast_.core) == core::fast_path::settled(plain_.core),
            "both are settled after a turn, or none is");
    if (core::fast_path::settled(fast_.core)) {
      require(fast_.core.receive_area().empty(), "a settled connection wants no area");
      require(asked_ == no_deadline || now >= asked_, "the deadline of a settled connection has not come nearer");
    }
    asked_ = now;
  }

  // What happens to a connection while the loop's block and input are another one's.
  void in_turn_of_neighbour(std::uint8_t how) {
    const byte_string wire = frame_writer(other_role()).text("not for you").text("nor is this").take();
    byte_string inputs[] = {wire, wire};
    both([](side& s) { s.neighbour.begin_turn(); });
    fast_.neighbour.receive(inputs[0], now_);
    plain_.neighbour.receive(inputs[1], now_);
    next_of_neighbour();
    send(how);
    stopped_ = false;
    drain();
    keep_rest();
    while (next_of_neighbour() != core::kind::none) {
    }
    require(fast_.neighbour.pending() == plain_.neighbour.pending(), "the same of the neighbour waits to be sent");
    both([](side& s) {
      s.neighbour.sent(s.neighbour.pending());
      s.neighbour.end_turn();
    });
    same();
  }
  core::kind next_of_neighbour() {
    const core::kind found = core::fast_path::next(fast_.neighbour);
    require(found == core::plain_path::next(plain_.neighbour), "both find the same event of the neighbour");
    if (found != core::kind::none)
      require(same_bytes(fast_.neighbour.current().payload, plain_.neighbour.current().payload), "the same payload");
    return found;
  }

  // ---- the user
  void react() {
    if (reaction_ != reaction::nothing) call(std::exchange(reaction_, repeats() ? reaction_ : reaction::nothing));
  }
  [[nodiscard]] bool repeats() const { return reaction_ <= reaction::change; }

  void call(reaction what) {
    switch (what) {
      case reaction::echo:
        large_echo_ = large_echo_ || fast_.seen.payload.size() >= core::fast_path::copy_below;
        ask([this](side& s) { return send_view(s, s.seen.op, s.seen.payload); }, "the same answer to an echo");
        break;
      case reaction::echo_owned:
        echo_owned();
        break;
      case reaction::send:
        send(input_->next());
        break;
      case reaction::ping:
        ask([&](side& s) { return s.core.ping(as_bytes("are you there")); }, "the same answer to a ping");
        break;
      case reaction::change:
        if (fast_.core.stages() == nullptr) both([](side& s) { std::ranges::fill(s.seen.payload, std::byte{'c'}); });
        break;
      case reaction::stop:
        stopped_ = true;
        break;
      case reaction::pause:
        set_paused(true);
        break;
      case reaction::part:
        send_part(input_->next());
        break;
      case reaction::close:
        ask([&](side& s) { return s.core.close(close_code::going_away, "enough", now_); },
            "the same answer to a close");
        break;
      case reaction::fail:
        both([&](side& s) { s.core.fail(close_code::policy_violation, errc::internal, "no more", now_); });
        break;
      case reaction::frames:
        send_frames();
        break;
      default:
        break;
    }
  }

  /// As a session does, or by the plain call: over the fast path in the one, without it in the other.
  errc send_message(side& s, opcode op, byte_view payload, bool as_session) {
    if (&s == &plain_) return core::plain_path::send(s.core, op, payload);
    return as_session && core::fast_path::send(s.core, op, payload) ? errc::ok : s.core.send(op, payload);
  }
  errc send_view(side& s, opcode op, byte_view payload) { return send_message(s, op, payload, true); }

  void send(std::uint8_t how) {
    constexpr std::array<std::size_t, 16> lengths{5,   0,   1,    16,   63,   64,    125,   126,
                                                  127, 300, 2047, 2048, 4000, 65535, 65536, 70000};
    constexpr std::array<opcode, 8> ops{opcode::text, opcode::binary, opcode::text,  opcode::binary,
                                        opcode::text, opcode::binary, opcode::close, static_cast<opcode>(3)};
    const std::string text = content(std::min(input_->pick(lengths), longest()), how >> 4);
    const opcode op = input_->pick(ops);
    ask([&](side& s) { return send_message(s, op, as_bytes(text), (how & 1) != 0); }, "the same answer to a send");
    same();
  }
  void echo_owned() {
    const core::event& e = fast_.seen;
    if (e.owner == nullptr || (e.op != opcode::text && e.op != opcode::binary)) return;
    ask([](side& s) { return s.core.send(s.seen.op, std::move(*s.seen.owner)); }, "the same answer to an echo");
  }
  void send_part(std::uint8_t how) {
    if (!fast_.core.sending_parts())
      ask([](side& s) { return s.core.begin_message(opcode::binary); }, "the same answer to a beginning");
    const std::string text = content(input_->next(), 0);
    ask([&](side& s) { return s.core.send_part(as_bytes(text), (how & 0x40) != 0); }, "the same answer to a part");
    same();
  }
  void send_frames() {
    if (which() != role::server) return;
    const byte_string frames = frame_writer(role::server).text("made").binary(as_bytes("elsewhere")).take();
    ask(
        [&](side& s) {
          buffer b = s.parts.pool.take(frames.size());
          std::copy(frames.begin(), frames.end(), b.data());
          return s.core.send_frames(b, 2);
        },
        "the same answer to frames");
  }

  // ---- the system
  void set_paused(bool paused) {
    paused_ = paused;
    both([&](side& s) { s.core.input_paused(paused, now_); });
    same();
  }
  void advance(ticks by) {
    now_ += by;
    if (fast_.core.deadline() > now_) return;
    asked_ = no_deadline;  // A timer that has come is asked for again.
    turn([&](side& s) { s.core.on_timeout(now_); });
  }
  void writable() {
    blocked_ = false;
    both([&](side& s) {
      s.core.output_blocked(false);
      s.core.output_moved(now_);
    });
    turn([](side&) {});
  }
  static byte_string gathered(side& s) {
    byte_string all;
    for (const byte_view chunk : s.core.output())
      all.insert(all.end(), chunk.begin(), chunk.end());
    return all;
  }
  void write() {
    while (fast_.core.pending() > 0) {
      const byte_string offered = gathered(fast_);
      const byte_string by_plain = gathered(plain_);
      const std::size_t common = std::min(offered.size(), by_plain.size());
      require(same_bytes(byte_view(offered).first(common), byte_view(by_plain).first(common)), "the same bytes go out");
      require(common > 0 && (large_echo_ || offered.size() == by_plain.size()), "as much is offered");
      // No more than so many pieces are offered at once. Where that makes a difference both writes are short.
      const std::size_t n = std::min(offered.size() == by_plain.size() ? common : common - 1, appetite_);
      const byte_view* piece = core::fast_path::one_piece(fast_.core);
      require(piece == nullptr || same_bytes(offered, *piece), "one piece is all that there is");
      if ((options_ & as_session) != 0 && piece != nullptr && piece->size() == n)
        core::fast_path::one_piece_sent(fast_.core, n);
      else
        fast_.core.sent(n);
      plain_.core.sent(n);
      same();
      if (n == offered.size()) continue;
      blocked_ = true;
      return both([](side& s) { s.core.output_blocked(true); });
    }
  }

  tape* input_;
  unsigned options_;
  core::settings obey_;
  side fast_;
  side plain_;
  frame_writer writer_;
  tick now_ = clock_start;
  tick asked_ = no_deadline;
  std::size_t appetite_ = SIZE_MAX;
  reaction reaction_ = reaction::nothing;
  unsigned after_ = 0;
  bool stopped_ = false;
  bool paused_ = false;
  bool blocked_ = false;
  bool told_end_ = false;
  bool large_echo_ = false;  // One may still wait.
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tape input(data, std::min<std::size_t>(size, 512));
  const unsigned options = input.next();
  pair_of_sides(input, options).run();
  require(fast_loop().pool.used_bytes() == 0 && plain_loop().pool.used_bytes() == 0, "no buffer stays behind");
  return 0;
}
