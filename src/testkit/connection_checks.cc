// The extension on whole connections: masked frames, fragments, pings between them, TCP in any cut, a clean close; and
// the same stages in-band.
#include "testkit/checks.h"
#include "testkit/joined.h"

#include <algorithm>
#include <limits>
#include <utility>

HAWSER_BEGIN
namespace testkit {

namespace {

usage drawn_usage(seeded_random& random, std::size_t longest) {
  usage how;
  limits& l = how.obey.bounds;
  l.max_message = std::max<std::uint64_t>(std::uint64_t{1} << 20, longest);
  l.max_fragments = l.max_glitches = std::numeric_limits<std::uint32_t>::max();
  l.write_soft = l.write_hard = 8 * static_cast<std::size_t>(l.max_message);  // All that is sent here, and no flood.
  if (random.one_in(2)) l.max_outgoing_frame = 1 + random.below(std::size_t{1} << random.below(13));
  how.obey.alive.ping_interval = no_keepalive;
  how.cut = !random.one_in(4);
  how.parts = random.one_in(2);
  how.chokes = random.one_in(3);
  return how;
}

void sort(std::vector<wire_item>& list) {
  std::sort(list.begin(), list.end(), [](const wire_item& a, const wire_item& b) {
    return std::tie(a.bytes, a.opcode) < std::tie(b.bytes, b.opcode);
  });
}

std::string lost_or_changed(std::vector<wire_item> sent, std::vector<wire_item> got, bool any_order) {
  if (any_order) {
    sort(sent);
    sort(got);
  }
  if (sent.size() != got.size())
    return std::to_string(sent.size()) + " messages were sent and " + std::to_string(got.size()) + " arrived";
  for (std::size_t i = 0; i < sent.size(); ++i)
    if (sent[i] != got[i])
      return "message " + std::to_string(i) + " was " + shown(sent[i].bytes) + ", arrived as " + shown(got[i].bytes);
  return {};
}

bool keeps_order(const std::vector<core::agreed_extension>& stages) {
  return std::none_of(stages.begin(), stages.end(), [](const core::agreed_extension& e) {
    return e.terms.uses.interleaves || (e.terms.uses.reorders && !e.terms.uses.restores_order);
  });
}

}  // namespace

void checker::connections() {
  for (const params& offer : agreeable()) {
    for (std::size_t round = 0; round < how_.rounds && !gave_up_; ++round) {
      std::optional<terms> made = agree(offer);
      const claims uses = made->server.uses;
      const bool inband = uses.at == layer::message && !uses.unmasked && round % 4 == 3;
      converse(stages(std::move(made->client)), stages(std::move(made->server)), how_.seed + round, inband);
      if (!uses.interleaves || !(made = agree(offer))) continue;
      priorities(stages(std::move(made->client)), stages(std::move(made->server)), how_.seed + round);
    }
  }
}

// One connection from its first message to its end.
void checker::converse(std::vector<core::agreed_extension> client, std::vector<core::agreed_extension> server,
                       std::uint64_t seed, bool inband) {
  seeded_random random(seed);
  usage how = drawn_usage(random, how_.longest);
  how.inband = inband;
  const bool any_order = !keeps_order(server);
  joined on(std::move(client), std::move(server), how, seed);
  std::vector<wire_item> sent[2];
  std::size_t pings[2] = {0, 0};
  for (std::size_t i = 1 + random.below(6); i > 0 && !on.over(); --i) {
    const role from = random.one_in(2) ? role::client : role::server;
    std::string text = content(random);
    const std::uint8_t opcode = opcode_for(text, random);
    pings[static_cast<std::size_t>(from)] += on.send(from, opcode, text);
    sent[static_cast<std::size_t>(from)].push_back({opcode, 0, std::move(text)});
  }
  on.settle();
  out_.add("a connection passes them without a failure", !on.over(), seeded(seed, on.failure()));
  const bool failed = on.over();
  on.close(random.one_in(2) ? role::client : role::server);
  for (const role from : {role::client, role::server}) {
    const auto i = static_cast<std::size_t>(from);
    const std::string wrong =
        failed ? std::string()
               : lost_or_changed(sent[i], on.at(from == role::client ? role::server : role::client).arrived, any_order);
    out_.add("messages cross a connection as they were", wrong.empty(), seeded(seed, wrong));
    out_.add("pings are answered between its frames", failed || on.at(from).pongs == pings[i],
             seeded(seed, std::to_string(pings[i]) + " pings and " + std::to_string(on.at(from).pongs) + " pongs"));
  }
  look_at_end(on, seed, failed);
}

// Messages of several priorities, several in a turn and large ones among them, where their frames mix: each arrives
// whole, and the short ones of a priority in the order in which they were sent.
void checker::priorities(std::vector<core::agreed_extension> client, std::vector<core::agreed_extension> server,
                         std::uint64_t seed) {
  constexpr std::size_t most_of_short = 60;
  seeded_random random(seed);
  usage how = drawn_usage(random, how_.longest);
  how.obey.bounds.max_outgoing_frame = core::settings().bounds.max_outgoing_frame;
  joined on(std::move(client), std::move(server), how, seed);
  std::vector<wire_item> sent[2];
  for (int turns = 0; turns < 8 && !on.over(); ++turns) {
    const role from = random.one_in(2) ? role::client : role::server;
    on.at(from).turn([&](core::connection& c) {
      for (std::size_t i = 1 + random.below(6); i > 0; --i) {
        const auto priority = static_cast<std::uint8_t>(random.below(4));
        std::string text(1, static_cast<char>('0' + priority));
        text += std::to_string(sent[static_cast<std::size_t>(from)].size()) + ' ';
        text.resize(random.one_in(5) ? 50'000 : text.size() + random.below(most_of_short - 10), 'x');
        on.makes().sent(text.size());
        if (c.send(opcode::binary, as_bytes(text), {.priority = priority}) == errc::ok)
          sent[static_cast<std::size_t>(from)].push_back({2, 0, std::move(text)});
      }
    });
    if (random.one_in(2)) on.carry();
  }
  on.settle();
  const bool failed = on.over();
  on.close(role::client);
  for (const role from : {role::client, role::server}) {
    const std::vector<wire_item>& ours = sent[static_cast<std::size_t>(from)];
    const std::vector<wire_item>& theirs = on.at(from == role::client ? role::server : role::client).arrived;
    const std::string lost = lost_or_changed(ours, theirs, true);
    out_.add("messages of several priorities arrive whole", !failed && lost.empty(),
             seeded(seed, failed ? on.failure() : lost));
    if (failed || !lost.empty()) continue;
    std::string wrong;
    for (char priority = '0'; priority < '4' && wrong.empty(); ++priority) {
      const auto others = [&](const wire_item& m) { return m.bytes[0] != priority || m.bytes.size() > most_of_short; };
      std::vector<wire_item> before = ours;
      std::vector<wire_item> after = theirs;
      std::erase_if(before, others);
      std::erase_if(after, others);
      wrong = lost_or_changed(std::move(before), std::move(after), false);
    }
    out_.add("short messages of one priority arrive in order", wrong.empty(), seeded(seed, wrong));
  }
  look_at_end(on, seed, failed);
}

// After the close: what was on the wire, how it ended, and what stayed behind.
void checker::look_at_end(joined& on, std::uint64_t seed, bool failed) {
  for (const role side : {role::client, role::server}) {
    joint& one = on.at(side);
    out_.add("frames hold nothing that was not claimed", one.watch.fault().empty(), seeded(seed, one.watch.fault()));
    const bool clean = one.ends == 1 && one.error == errc::ok && one.code == close_code::normal;
    out_.add("a connection closes cleanly", failed || clean, seeded(seed, on.failure()));
    if (const core::pipeline* stages = one.it().stages()) {
      out_.add("the contract is kept", stages->breaches() == 0,
               seeded(seed, std::string(stages->last_breach()) + ", in: connections"));
    }
    const std::size_t left = one.destroy();
    out_.add("no buffer stays behind a connection", left == 0, seeded(seed, std::to_string(left) + " bytes are held"));
  }
  rest(on.restless(), on.makes(), "connections", seed);
}

// ---- beside what is shipped

void checker::pairs() {
  for (const any_factory& other : how_.company) {
    if (other.name() == f_.name() || gave_up_) continue;
    for (const bool first : {true, false}) {
      extension_list list;
      list.add(first ? f_ : other).add(first ? other : f_);
      for (std::size_t round = 0; round < std::max<std::size_t>(how_.rounds / 4, 4) && !gave_up_; ++round)
        if (!pair(list, std::string(other.name()), how_.seed + round)) break;
    }
  }
}

// Negotiates both as a server and a client do. False: they cannot work together, which must be said.
bool checker::pair(const extension_list& list, const std::string& other, std::uint64_t seed) {
  std::string why;
  auto answer =
      core::answer_extensions(core::offer_extensions(list, {role::client, true}), list, {role::server, true}, why);
  if (!answer) {
    out_.add("it can be negotiated beside " + other, false, why);
    return false;
  }
  if (answer->agreed.size() != 2) {
    const auto told = std::find_if(answer->notes.begin(), answer->notes.end(), [](const auto& n) { return !n.active; });
    out_.add("a conflict with " + other + " is told", told != answer->notes.end(),
             "one of the two was dropped in silence");
    return false;
  }
  auto confirmed = core::confirm_extensions(answer->header, list, {role::client, true}, why);
  out_.add("a client confirms it beside " + other, confirmed && confirmed->agreed.size() == 2, why);
  if (!confirmed) return false;
  const std::size_t before = out_.failures();
  converse(std::move(confirmed->agreed), std::move(answer->agreed), seed, false);
  out_.add("it works beside " + other, out_.failures() == before,
           seeded(seed, "as " + answer->header + ": see the other checks of this group"));
  return true;
}

}  // namespace testkit
HAWSER_END
