// What a peer can make an extension do: bombs, through it and through two; what it withholds; storms of control frames
// and of timers.
#include "testkit/checks.h"

#include <hawser/ext/message_extension.h>

#include <algorithm>

HAWSER_BEGIN
namespace testkit {

namespace {

constexpr std::size_t bomb_size = std::size_t{4} << 20;
constexpr std::size_t bomb_limit = std::size_t{64} << 10;
constexpr std::size_t budget = std::size_t{256} << 10;
constexpr std::size_t slack = std::size_t{128} << 10;  // Buffers are larger than what they hold.

/// Writes each run of equal bytes as its length and the byte: what is short on the wire and long behind it.
ext::message_extension run_lengths() {
  const auto shorten = [](byte_view in, ext::byte_sink& out) {
    for (std::size_t at = 0; at < in.size();) {
      std::size_t n = 1;
      while (n < 255 && at + n < in.size() && in[at + n] == in[at])
        ++n;
      if (!out.append(static_cast<std::byte>(n)) || !out.append(in[at])) return true;
      at += n;
    }
    return true;
  };
  const auto expand = [](byte_view in, ext::byte_sink& out) {
    for (std::size_t at = 0; at + 1 < in.size(); at += 2)
      for (auto n = std::to_integer<unsigned>(in[at]); n > 0; --n)
        if (!out.append(in[at + 1])) return true;
    return in.size() % 2 == 0;
  };
  return ext::message_extension("x-runs").encode(shorten).decode(expand);
}

std::optional<core::agreed_extension> agreed_runs(role side) {
  const any_factory runs = run_lengths();
  std::optional<core::agreement> made = side == role::server ? runs.accept({{}}) : runs.confirm({});
  if (!made) return std::nullopt;
  return core::agreed_extension{"x-runs", std::move(*made)};
}

}  // namespace

void checker::bounds() {
  for (const params& offer : agreeable()) {
    if (gave_up_) return;
    idle(offer);
    commanded(offer);
    storms(offer);
    if (gave_up_) return;
    bomb(offer);
    for (const bool app_side : {true, false})
      nested_bomb(offer, app_side);
    withheld(offer);
  }
}

void checker::judge_bomb(line& on, const char* name) {
  const party& server = on.at(role::server);
  const bool closed = server.over_limit || server.stages().fail_code() == close_code::message_too_big;
  // What the client refused to send never became one.
  const bool stopped = closed || on.at(role::client).stages().failed();
  out_.add(name, stopped && server.arrived.empty() && server.delivered <= bomb_limit,
           std::to_string(bomb_size) + " bytes for a limit of " + std::to_string(bomb_limit) + ": " +
               std::to_string(server.delivered) + " were delivered, " + on.failure());
  out_.add("a bomb takes no memory", server.most_used <= 4 * bomb_limit + slack,
           std::to_string(server.most_used) + " bytes of buffers were in use");
  end_of(on, name, how_.seed);
}

// P-22: what is short on the wire and long behind it stops at the limit.
void checker::bomb(const params& offer) {
  handling how;
  how.limits.max_message_in = bomb_limit;
  how.cut = false;
  const std::unique_ptr<line> on = connect(offer, how, how_.seed);
  on->send(role::client, 2, std::string(bomb_size, '\0'));
  judge_bomb(*on, "a bomb is 1009 at the limit");
}

void checker::nested_bomb(const params& offer, bool app_side) {
  handling how;
  how.limits.max_message_in = bomb_limit;
  how.cut = false;
  const auto both = [&](core::agreement mine, role side) {
    std::vector<core::agreed_extension> list = stages(std::move(mine));
    if (std::optional<core::agreed_extension> runs = agreed_runs(side))
      list.insert(app_side ? list.begin() : list.end(), std::move(*runs));
    return list;
  };
  std::optional<terms> made = agree(offer);
  if (made->server.uses.at == layer::frame && !app_side) return;  // Nothing that works on messages stands behind it.
  line on(both(std::move(made->client), role::client), both(std::move(made->server), role::server), how, how_.seed);
  on.send(role::client, 2, std::string(bomb_size, '\0'));
  judge_bomb(on, "a bomb through two extensions is 1009");
}

// A peer that withholds what a stage waits for: one that never gets its first message, one that never gets an answer.
void checker::withheld(const params& offer) {
  handling how;
  how.limits.memory = budget;
  const std::unique_ptr<line> on = connect(offer, how, how_.seed);
  party& client = on->at(role::client);
  party& server = on->at(role::server);
  bool first = true;
  for (int i = 0; i < 300 && !on->failed(); ++i) {
    const std::vector<std::byte> noise = on->random.bytes(4096);
    client.send(2, as_text(noise));
    while (!client.wire.empty() && !on->failed()) {
      const wire_item item = std::move(client.wire.front());
      client.wire.pop_front();
      if (!first || item.opcode >= 8) server.receive(item, nullptr);
      first = first && item.opcode >= 8;
    }
    server.wire.clear();
    server.arrived.clear();
  }
  for (const party* one : {&client, &server})
    out_.add("what a peer withholds is bounded", one->most_used <= budget + slack,
             std::to_string(one->most_used) + " bytes are held for a budget of " + std::to_string(budget) +
                 ": charge what you keep");
  end_of(*on, "a peer that withholds", how_.seed);
}

// What is sent and done for a hundred messages stands in a relation to them.
void checker::storms(const params& offer) {
  constexpr std::size_t messages = 100;
  const std::unique_ptr<line> on = connect(offer, {}, how_.seed);
  for (std::size_t i = 0; i < messages && !on->failed(); ++i)
    on->send(i % 2 == 0 ? role::client : role::server, 2, "small");
  on->finish();
  std::size_t controls = 0;
  for (const std::vector<wire_item>& log : on->sent)
    controls += static_cast<std::size_t>(
        std::count_if(log.begin(), log.end(), [](const wire_item& item) { return item.opcode >= 8; }));
  out_.add("control frames do not storm", controls <= 4 * messages,
           std::to_string(controls) + " for " + std::to_string(messages) + " messages");
  out_.add("timers do not storm", !on->timers_storm, "a timer was armed again and again without time in between");
  end_of(*on, "storms", how_.seed);
}

// Where nobody sends anything: what a stage says at the beginning, when its time has come, and at the end.
void checker::idle(const params& offer) {
  constexpr std::uint64_t most_frames = 16;  // At each end, each time.
  constexpr std::uint64_t most_bytes = std::uint64_t{64} << 10;
  const std::unique_ptr<line> on = connect(offer, {}, how_.seed);
  made_of before;
  const auto judge = [&](const char* when, std::uint64_t times) {
    const made_of more = on->makes().all() - before;
    before = on->makes().all();
    out_.add("it opens, waits and closes without a flood",
             !on->restless() && more.frames <= 2 * most_frames * times && more.bytes <= 2 * most_bytes * times,
             std::to_string(more.frames) + " frames and messages with " + std::to_string(more.bytes) + " bytes " +
                 when + ", where no application sent anything");
  };
  judge("came of open()", 1);
  on->wait();
  judge("came of timers", on->wakes);
  if (!on->failed()) on->flush();
  judge("came of flush()", 1);
  end_of(*on, "a connection that waits", how_.seed);
}

// A peer that sends control frames, as a stage makes them and as none does, gets no more for them than they cost it.
void checker::commanded(const params& offer) {
  const std::uint16_t opcodes = agree(offer)->server.uses.opcodes;
  for (const role to : {role::client, role::server}) {
    std::vector<wire_item> frames = own_frames(offer, to == role::client ? role::server : role::client);
    seeded_random random(how_.seed);
    for (std::uint8_t op = 8; op < 16; ++op) {
      if ((opcodes >> op & 1U) == 0) continue;
      for (const std::size_t size : {0U, 1U, 16U, 125U})
        frames.push_back({op, 0, std::string(as_text(random.bytes(size)))});
    }
    for (const wire_item& frame : frames)
      for (const bool used : {false, true})
        if (!command(offer, to, frame, used)) return;
  }
}

// Control frames that one end sends of itself.
std::vector<wire_item> checker::own_frames(const params& offer, role from) const {
  constexpr std::size_t most = 8;
  const std::unique_ptr<line> on = connect(offer, {}, how_.seed);
  for (int i = 0; i < 10 && !on->failed(); ++i)
    on->send(i % 2 == 0 ? role::client : role::server, 2, "small");
  on->finish();
  std::vector<wire_item> found;
  for (const wire_item& item : on->sent[static_cast<std::size_t>(from)])
    if (item.opcode >= 8 && found.size() < most && std::find(found.begin(), found.end(), item) == found.end())
      found.push_back(item);
  on->close();
  return found;
}

// False: a flood.
bool checker::command(const params& offer, role to, const wire_item& frame, bool used) {
  constexpr std::uint64_t times = 100;
  constexpr std::uint64_t most_frames = 64 + 8 * times;  // Some for a first answer.
  constexpr std::uint64_t most_bytes = (64 << 10) + 1024 * times;
  const std::unique_ptr<line> on = connect(offer, {}, how_.seed);
  for (int i = 0; used && i < 4 && !on->failed(); ++i)
    on->send(i % 2 == 0 ? role::client : role::server, 2, "small");
  if (on->failed()) return true;  // Of the messages, which other checks look at.
  const made_of before = on->makes().all();
  std::uint64_t came = 0;
  for (; came < times && !on->failed(); ++came) {
    on->at(to).receive(frame, nullptr);
    on->carry();
  }
  const made_of more = on->makes().all() - before;
  const bool fine = !on->restless() && more.frames <= most_frames && more.bytes <= most_bytes;
  out_.add("a control frame starts no flood", fine,
           std::to_string(came) + " control frames of opcode " + std::to_string(frame.opcode) + " with " +
               shown(frame.bytes) + " made the " + (to == role::server ? "server" : "client") + " and its peer send " +
               std::to_string(more.frames) + " frames and messages with " + std::to_string(more.bytes) + " bytes");
  end_of(*on, "control frames of a peer", how_.seed);
  return fine;
}

}  // namespace testkit
HAWSER_END
