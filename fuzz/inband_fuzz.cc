// The in-band mode against the frames that it stands for: what a peer says in messages with a byte in front is said
// once more, by this file, in frames with bits and opcodes, to a connection with the same stages. Both must tell the
// same and answer the same, however the bytes were cut.
//
// The input: a byte of options, a byte that seeds the cuts, then a list of {first byte, length, payload} that are
// framed rightly.

// at least 2,000 inputs

#include "support/core_end.h"
#include "support/require.h"

#include <hawser/core/negotiate.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace hawser;
using namespace hawser::test;
using hawser::fuzz::require;

namespace {

constexpr unsigned as_client = 1;
constexpr unsigned into_area = 2;
constexpr unsigned slow = 4;
constexpr unsigned own_control = 11;

// Lets messages be, marks by RSV2 what it sends, answers a control frame by its payload turned round.
struct marker {
  static constexpr unsigned hooks = hook::control;
  verdict begin(direction way, head& h, context&) {
    h.rsv = static_cast<std::uint8_t>(way == direction::out ? h.rsv | 2 : h.rsv & ~2);
    return verdict::bypass;
  }
  void control(std::uint8_t, byte_view payload, context& c) {
    std::string turned(payload.size(), ' ');
    std::reverse_copy(as_text(payload).begin(), as_text(payload).end(), turned.begin());
    c.emit_control(own_control, as_bytes(turned));
  }
};

// Changes the bytes of messages with RSV3, and puts two of its own at their end. It refuses nothing: which of two
// failures in one message is the first depends on the cuts.
struct changer {
  static constexpr unsigned hooks = hook::in_place | hook::suffix;
  verdict begin(direction way, head& h, context&) {
    if (way == direction::in && (h.rsv & 1) == 0) return verdict::bypass;
    h.rsv = static_cast<std::uint8_t>(way == direction::out ? h.rsv | 1 : h.rsv & ~1);
    return verdict::in_place.suffix(2);
  }
  void in_place(direction, byte_span chunk, bool, context&) {
    for (std::byte& b : chunk)
      b ^= std::byte{1};
  }
  void suffix(direction way, byte_span end, context&) {
    if (way == direction::out) std::fill(end.begin(), end.end(), std::byte{7});
  }
};

std::vector<core::agreed_extension> stages() {
  std::vector<core::agreed_extension> list(2);
  list[0].name = "x-mark";
  list[0].terms.uses.rsv = 2;
  list[0].terms.uses.opcodes = 1U << own_control;
  list[0].terms.work = core::any_stage::of(marker{});
  list[1].name = "x-change";
  list[1].terms.uses.rsv = 1;
  list[1].terms.work = core::any_stage::of(changer{});
  return list;
}

struct script {
  unsigned options = 0;
  unsigned seed = 0;
  std::vector<raw_frame> frames;
};

script read_script(const std::uint8_t* data, std::size_t size) {
  script s;
  if (size < 2) return s;
  s.options = data[0];
  s.seed = data[1];
  const std::string rest(reinterpret_cast<const char*>(data + 2), std::min<std::size_t>(size - 2, 768));
  for (std::size_t at = 0; at + 2 <= rest.size();) {
    raw_frame f;
    f.first = static_cast<unsigned char>(rest[at]);
    f.payload = rest.substr(at + 2, static_cast<unsigned char>(rest[at + 1]));
    at += 2 + f.payload.size();
    s.frames.push_back(std::move(f));
  }
  return s;
}

// What this end made of a stream.
struct outcome {
  std::vector<seen_event> events;
  std::vector<raw_frame> sent;
};

core::settings settings_of() {
  core::settings obey;
  obey.bounds.max_message = 300;
  obey.bounds.max_fragments = 1U << 30;
  obey.bounds.max_glitches = 1U << 30;
  return obey;
}

outcome run(const script& s, const std::vector<raw_frame>& frames, bool inband, std::size_t longest) {
  const bool client = (s.options & as_client) != 0;
  loop_parts parts(s.seed + 1);
  outcome seen;
  {
    core_end end(client ? role::client : role::server, settings_of(), &parts);
    if (inband)
      end->attach_inband(stages(), end.now);
    else
      end->attach(stages(), end.now);
    end.use_area = (s.options & into_area) != 0;
    if ((s.options & slow) != 0)
      end.takes = [&s](std::size_t offered) { return std::min<std::size_t>(offered, 1 + s.seed % 7); };
    end.on_event = [](core_end& self, core::event& e) { echo(self, e); };
    frame_writer writer(client ? role::server : role::client);
    for (const raw_frame& f : frames)
      writer.frame(f.first, f.payload);
    seeded_random random(s.seed + 7U);
    end.receive_in_cuts(writer.bytes(), random, longest);
    for (int i = 0; i < 20000 && end->pending() > 0; ++i)
      end.writable();
    end.turn([](core::connection&) {});
    const stream_verdict sent = end.sent(inband ? 0 : 0x30);
    require(sent.fault.empty(), sent.fault.c_str());
    require(sent.rest == 0, "whole frames go out");
    seen.sent = sent.frames;
    seen.events = std::move(end.events);
  }
  require(parts.pool.used_bytes() == 0, "no buffer stays behind");
  for (seen_event& e : seen.events)
    e.first_byte = e.last_byte = {};
  return seen;
}

// The in-band stream in frames, as far as it can be said in them; `fails` is what must come behind that, or 0.
struct translation {
  std::vector<raw_frame> frames;
  unsigned fails = 0;
};

class translator {
 public:
  // False: nothing can follow.
  bool take(const raw_frame& f) {
    const unsigned op = f.op();
    if (op >= 8 && op <= 10) {
      out.frames.push_back(f);
      return f.fin() && (f.first & 0x70U) == 0 && f.payload.size() <= 125 && op != 8;
    }
    if (op > 2 || (f.first & 0x70U) != 0 || (op == 0) != open_) return fail(1002);
    if (op == 1) return fail(1003);
    open_ = !f.fin();
    if (op == 2) first_ = no_byte;
    std::string payload = f.payload;
    bool begins = false;
    if (first_ == no_byte) {
      if (payload.empty()) return f.fin() ? fail(1002) : true;
      first_ = static_cast<unsigned char>(payload[0]);
      payload.erase(0, 1);
      begins = true;
      control_.clear();
    }
    const unsigned kind = first_ & 0x0FU;
    if (begins && (first_ >= 128 || kind == 0 || (kind >= 8 && kind <= 10))) return fail(1002);
    if (kind < 8) {
      out.frames.push_back({(f.fin() ? 0x80U : 0U) | (begins ? first_ : 0U), payload});
      return true;
    }
    control_ += payload;
    // In frames it comes whole, and is refused as soon as it is known to be too long or of nobody.
    if (f.fin() || control_.size() > 125 || kind != own_control || first_ != own_control)
      out.frames.push_back({0x80U | first_, control_});
    return true;
  }

  translation out;

 private:
  static constexpr unsigned no_byte = 256;
  bool fail(unsigned code) {
    out.fails = code;
    return false;
  }
  bool open_ = false;
  unsigned first_ = no_byte;
  std::string control_;
};

// What went out in-band, as it would have gone out in frames.
std::vector<raw_frame> as_frames(std::vector<raw_frame> sent) {
  for (raw_frame& f : sent) {
    if (f.op() != 2) continue;
    require(f.first == 0x82 && !f.payload.empty(), "what goes out has the byte in front");
    f.first = 0x80U | static_cast<unsigned char>(f.payload[0]);
    f.payload.erase(0, 1);
  }
  return sent;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const script s = read_script(data, size);
  outcome whole = run(s, s.frames, true, 1U << 20);
  const outcome cut = run(s, s.frames, true, 1 + s.seed % 11);
  require(whole.events == cut.events, "the events do not depend on the cuts");
  translator said;
  for (const raw_frame& f : s.frames)
    if (!said.take(f)) break;
  outcome plain = run(s, said.out.frames, false, 1U << 20);
#ifdef HAWSER_PLANTED_BUG
  // A core that forgets a message whose byte comes in the second fragment.
  if (s.frames.size() > 1 && s.frames[0] == raw_frame{0x02, ""} && plain.events.size() == 1) whole.events.clear();
#endif
  const bool over = !plain.events.empty() && plain.events.back().what == core::kind::closed;
  if (said.out.fails != 0 && !over) {
    require(!whole.events.empty() && whole.events.back().what == core::kind::closed, "a violation ends it");
    require(static_cast<unsigned>(whole.events.back().code) == said.out.fails, "with its code");
    whole.events.pop_back();
    whole.sent.pop_back();
  }
  require(whole.events == plain.events, "in-band and in frames the same is told");
  require(as_frames(whole.sent) == plain.sent, "and the same is answered");
  return 0;
}
