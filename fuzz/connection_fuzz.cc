// A whole connection, either role, under a hostile stream: the events do not depend on how the bytes were cut, nothing
// follows the end, what goes out is a stream that a strict peer accepts, and no memory stays behind.
//
// The input: a byte of options, a byte that seeds the cuts, a byte of actions, then the stream: raw bytes, or with
// `framed` a list of {first byte, length, payload} that are framed rightly, so that the fuzzer gets in.

// at least 5,000 inputs

#include "support/core_end.h"
#include "support/require.h"

#include <hawser/core/utf8.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

using namespace hawser;
using namespace hawser::test;
using hawser::fuzz::require;

namespace {

enum option : unsigned {
  as_client = 1,
  in_parts = 2,
  framed = 4,
  into_area = 8,
  echoing = 16,
  slow = 32,
  no_turns = 64,
  acting = 128
};

struct script {
  unsigned options = 0;
  unsigned seed = 0;
  unsigned action = 0;
  byte_string stream;
};

script read_script(const std::uint8_t* data, std::size_t size) {
  script s;
  if (size < 3) return s;
  s.options = data[0];
  s.seed = data[1];
  s.action = data[2];
  const std::string rest(reinterpret_cast<const char*>(data + 3), std::min<std::size_t>(size - 3, 4096));
  if ((s.options & framed) == 0) {
    s.stream = bytes_of(rest);
    return s;
  }
  frame_writer writer((s.options & as_client) != 0 ? role::server : role::client);
  for (std::size_t at = 0; at + 2 <= rest.size();) {
    const auto first = static_cast<unsigned char>(rest[at]);
    const std::size_t length = std::min<std::size_t>(static_cast<unsigned char>(rest[at + 1]), rest.size() - at - 2);
    writer.frame(first, std::string_view(rest).substr(at + 2, length));
    at += 2 + length;
  }
  s.stream = writer.take();
  return s;
}

core::settings settings_of(const script& s) {
  core::settings obey;
  obey.bounds.max_message = 300;
  obey.bounds.max_fragments = 8;
  obey.bounds.max_glitches = 20;
  obey.in_parts = (s.options & in_parts) != 0;
  return obey;
}

// One thing that a user may do in a handler.
void act(core_end& end, unsigned action) {
  switch (action % 6) {
    case 0:
      end->close(close_code::going_away, "enough", end.now);
      break;
    case 1:
      end->ping(as_bytes("are you there"));
      break;
    case 2:
      if (end->begin_message(opcode::binary) == errc::ok) end->send_part(as_bytes("a part"), false);
      break;
    case 3:
      end->fail(close_code::policy_violation, errc::internal, "no more", end.now);
      break;
    case 4:
      end->send(opcode::binary, as_bytes(std::string_view("an answer of its own")));
      break;
    default:
      break;
  }
}

void check_event(const core_end& end, core::event& e, const core::settings& obey) {
  require(end.events.empty() || end.events.size() < 2 || end.events[end.events.size() - 2].what != core::kind::closed,
          "nothing comes after the end");
  const core::kind what = end.events.back().what;
  if (what == core::kind::message) {
    require(e.payload.size() <= obey.bounds.max_message, "no message is over the limit");
    require(e.op != opcode::text || core::valid_utf8(e.payload), "a text message is UTF-8");
  }
}

// Runs the script with its stream in pieces of at most `longest` bytes.
std::vector<seen_event> run(const script& s, std::size_t longest) {
  const core::settings obey = settings_of(s);
  loop_parts parts(s.seed + 1);
  std::vector<seen_event> events;
  {
    core_end end((s.options & as_client) != 0 ? role::client : role::server, obey, &parts);
    end.use_area = (s.options & into_area) != 0;
    end.turns = (s.options & no_turns) == 0;
    if ((s.options & slow) != 0)
      end.takes = [&s](std::size_t offered) { return std::min<std::size_t>(offered, 1 + s.seed % 7); };
    unsigned at = s.action >> 3;
    end.on_event = [&](core_end& self, core::event& e) {
      check_event(self, e, obey);
      if ((s.options & acting) != 0 && at-- == 0) act(self, s.action);
      if ((s.options & echoing) != 0 && self.events.back().what == core::kind::message) echo(self, e);
    };
    seeded_random random(s.seed + 7U);
    end.receive_in_cuts(s.stream, random, longest);
    end.end_of_input();
    for (int i = 0; i < 20000 && end->pending() > 0; ++i)
      end.writable();
    const stream_verdict sent = end.sent();
    require(sent.fault.empty(), sent.fault.c_str());
    require(!end.events.empty() && end.events.back().what == core::kind::closed, "the end is told");
    events = std::move(end.events);
  }
  require(parts.pool.used_bytes() == 0, "no buffer stays behind");
  return events;
}

// What a user was told, without what depends on the cuts: the parts of a message are joined.
std::vector<seen_event> joined(std::vector<seen_event> events, [[maybe_unused]] bool cut) {
  std::vector<seen_event> out;
  for (seen_event& e : events) {
#ifdef HAWSER_PLANTED_BUG
    // A core that forgets a ping between the fragments of a message.
    if (cut && e.what == core::kind::ping && e.payload.size() == 3) continue;
#endif
    e.first_byte = e.last_byte = {};
    const auto open =
        std::find_if(out.begin(), out.end(), [](const seen_event& o) { return o.what == core::kind::part && !o.fin; });
    if (e.what == core::kind::part && open != out.end()) {
      open->payload += e.payload;
      open->fin = e.fin;
    } else {
      out.push_back(std::move(e));
    }
  }
  // A part of a message that did not end is told sooner or later, with the cuts.
  std::erase_if(out, [](const seen_event& o) { return o.what == core::kind::part && !o.fin; });
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const script s = read_script(data, size);
  const std::vector<seen_event> whole = run(s, s.stream.size() + 1);
  const std::vector<seen_event> cut = run(s, 1 + s.seed % 19);
  // An action belongs to an event, and with parts there are more of them the finer the cuts are.
  if ((s.options & acting) != 0 && (s.options & in_parts) != 0) return 0;
  require(joined(whole, false) == joined(cut, true), "the events do not depend on the cuts");
  return 0;
}
