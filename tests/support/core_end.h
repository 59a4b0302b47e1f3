// One core with a loop's worth of resources around it, driven the way a session drives it: turns, drain, short writes.
#pragma once

#include "support/raw_frames.h"
#include "support/seeded_random.h"

#include <hawser/base/buffer.h>
#include <hawser/base/random.h>
#include <hawser/core/connection.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace hawser::test {

/// Randomness that is the same in every run.
class seeded_source final : public random_source {
 public:
  explicit seeded_source(std::uint64_t seed) noexcept : random_(seed) {}
  void fill(byte_span out) noexcept override {
    for (std::byte& b : out)
      b = static_cast<std::byte>(random_.next() & 0xFF);
  }

 private:
  seeded_random random_;
};

/// What the connections of one loop share.
struct loop_parts {
  explicit loop_parts(std::uint64_t seed = 1) : random(seed) {}
  buffer_pool pool{0};  // Keeps no block, so that AddressSanitizer sees every use of one that went home.
  seeded_source random;
  core::resources shared{pool, random};
};

/// Any time but the clock's zero, which a real clock never shows.
inline constexpr tick clock_start{std::chrono::hours(1000)};

/// A copy of an event that outlives it.
struct seen_event {
  core::kind what{};
  opcode op{};
  std::string payload;
  bool first = true;
  bool fin = true;
  errc error = errc::ok;
  close_code code = close_code::normal;
  tick first_byte{};
  tick last_byte{};

  /// Everything but the times.
  bool operator==(const seen_event& o) const {
    return what == o.what && op == o.op && payload == o.payload && first == o.first && fin == o.fin &&
           error == o.error && code == o.code;
  }
};

inline std::string name_of(core::kind what) {
  constexpr const char* names[] = {"none", "message", "part", "ping", "pong", "closed"};
  return names[static_cast<std::size_t>(what)];
}

/// Prints as "message 1:hello" or "closed 1002 bad ...": GoogleTest finds it by its name.
inline void PrintTo(const seen_event& e, std::ostream* out) {
  *out << name_of(e.what) << ' ';
  if (e.what == core::kind::closed)
    *out << static_cast<unsigned>(e.code) << ' ' << describe(e.error) << " (" << e.payload << ')';
  else
    *out << static_cast<unsigned>(e.op) << (e.first ? "" : " +") << (e.fin ? "" : " -") << ':'
         << (e.payload.size() <= 40 ? e.payload : std::to_string(e.payload.size()) + " bytes");
}

inline seen_event seen_message(std::string_view payload, opcode op = opcode::text) {
  seen_event e;
  e.what = core::kind::message;
  e.op = op;
  e.payload = payload;
  return e;
}

inline seen_event seen_control(core::kind what, std::string_view payload = {}) {
  seen_event e;
  e.what = what;
  e.op = what == core::kind::ping ? opcode::ping : opcode::pong;
  e.payload = payload;
  return e;
}

/// A core under test. `receive` is one turn: input, events, handler, output.
class core_end {
 public:
  /// Called for each event while its bytes are still there: may send, close, fail.
  using handler = std::function<void(core_end&, core::event&)>;
  /// How many of the bytes on offer the system takes now.
  using appetite = std::function<std::size_t(std::size_t offered)>;

  explicit core_end(role side, const core::settings& obey = {}, loop_parts* shared = nullptr)
      : own_(shared == nullptr ? std::make_unique<loop_parts>() : nullptr),
        parts_(shared == nullptr ? own_.get() : shared),
        obey_(std::make_unique<core::settings>(obey)),
        core_(std::make_unique<core::connection>(parts_->shared, *obey_, side, clock_start)) {}

  core::connection* operator->() noexcept { return core_.get(); }
  core::connection& core() noexcept { return *core_; }
  loop_parts& parts() noexcept { return *parts_; }

  // ---- knobs
  handler on_event;
  appetite takes;            ///< Everything when not set.
  bool turns = true;         ///< begin_turn and end_turn around everything.
  bool use_area = false;     ///< Read into `receive_area` whenever there is one.
  bool keep_events = true;   ///< Copy events to `events`.
  bool write_at_end = true;  ///< Write what is pending at the end of each turn.
  bool masks = true;         ///< Whether `sent` expects a client's frames masked.
  tick now = clock_start;

  // ---- what happened
  std::vector<seen_event> events;
  byte_string out;        ///< Every byte that the system took.
  std::size_t count = 0;  ///< Events.
  bool blocked = false;   ///< The system took less than it was offered, and was not writable since.

  /// One turn for bytes as they come from the system: into the loop's area, or the message's own buffer.
  void receive(byte_view in) {
    do {
      begin();
      const byte_span area = use_area ? core_->receive_area() : byte_span{};
      if (!area.empty()) {
        const std::size_t n = std::min(in.size(), area.size());
        if (n > 0) std::memcpy(area.data(), in.data(), n);
        in = in.subspan(n);
        core_->received(n, now);
      } else {
        // Exactly as large as the bytes, so that AddressSanitizer sees a step beyond; gone when the turn is over.
        input_.assign(in.begin(), in.end());
        input_.shrink_to_fit();
        in = {};
        core_->receive(input_, now);
      }
      drain();
      end();
      input_ = {};
    } while (!in.empty());
  }
  void receive_each(std::span<const byte_span> pieces) {
    for (const byte_span piece : pieces)
      receive(piece);
  }
  void receive_in_cuts(byte_view in, seeded_random& random, std::size_t longest) {
    while (!in.empty()) {
      const std::size_t n = std::min(in.size(), random.between(1, longest));
      receive(in.first(n));
      in = in.subspan(n);
    }
  }

  /// One turn without input: `act` calls the connection as a handler or a timer would.
  template <class Act>
  void turn(Act&& act) {
    begin();
    act(*core_);
    drain();
    end();
  }
  /// Lets time pass and calls `on_timeout` whenever the deadline comes.
  void advance(ticks by) {
    const tick until = now + by;
    while (core_->deadline() <= until) {
      now = std::max(now, core_->deadline());
      const tick before = core_->deadline();
      turn([&](core::connection& c) { c.on_timeout(now); });
      if (core_->deadline() == before && ++stuck_ > 100) break;
    }
    now = until;
  }
  void end_of_input() {
    turn([&](core::connection& c) { c.end_of_input(now); });
  }

  /// The system says that it takes bytes again.
  void writable() {
    write_and_end();
    if (core_->pending() == 0) set_blocked(false);
  }

  void drain() {
    for (core::kind k; (k = core_->next()) != core::kind::none;)
      note(k);
  }

  /// Frames that the system took.
  [[nodiscard]] stream_verdict sent(unsigned extension_bits = 0) const {
    return read_frames(out, masks ? core_->side() : role::server, extension_bits);
  }
  [[nodiscard]] const seen_event* closed() const {
    return !events.empty() && events.back().what == core::kind::closed ? &events.back() : nullptr;
  }

  void destroy() { core_.reset(); }

  void write() {
    for (int rounds = 0; core_->pending() > 0; ++rounds) {
      std::size_t offered = 0;
      const std::span<const byte_view> chunks = core_->output();
      for (const byte_view chunk : chunks)
        offered += chunk.size();
      const std::size_t n = takes ? std::min(takes(offered), offered) : offered;
      std::size_t left = n;
      for (const byte_view chunk : chunks) {
        const byte_view part = chunk.first(std::min(left, chunk.size()));
        out.insert(out.end(), part.begin(), part.end());
        left -= part.size();
      }
      core_->sent(n);
      if (n < offered) return set_blocked(true);
    }
    if (blocked) set_blocked(false);
  }

 private:
  void begin() {
    if (turns) core_->begin_turn();
  }
  void end() {
    if (write_at_end && !blocked) write_and_end();
    if (turns) core_->end_turn();
  }
  // What the system took may have let the answer to a close go.
  void write_and_end() {
    write();
    if (!core_->is_ending()) return;
    drain();
    if (!blocked) write();
  }
  void set_blocked(bool is) {
    blocked = is;
    core_->output_blocked(is);
  }
  void note(core::kind k) {
    core::event& e = core_->current();
    ++count;
    if (keep_events) {
      seen_event copy;
      copy.what = k;
      copy.op = e.op;
      copy.payload = text_of(e.payload);
      copy.first = e.first;
      copy.fin = e.fin;
      if (k == core::kind::closed) {
        copy.error = e.error;
        copy.code = e.code;
      }
      copy.first_byte = e.first_byte;
      copy.last_byte = e.last_byte;
      events.push_back(std::move(copy));
    }
    if (on_event) on_event(*this, e);
  }

  std::unique_ptr<loop_parts> own_;
  loop_parts* parts_;
  std::unique_ptr<core::settings> obey_;
  std::unique_ptr<core::connection> core_;
  byte_string input_;
  int stuck_ = 0;
};

/// A handler that sends every message back.
inline void echo(core_end& end, core::event& e) {
  if (e.op == opcode::text || e.op == opcode::binary) end->send(e.op, e.payload);
}

}  // namespace hawser::test
