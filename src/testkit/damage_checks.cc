// Peers that lie, and lines that break: every end is a clean one.
#include "testkit/checks.h"

#include <algorithm>

HAWSER_BEGIN
namespace testkit {

namespace {

constexpr std::uint64_t limit = 100000;

handling bounded() {
  handling how;
  how.limits.max_message_in = limit;
  return how;
}

}  // namespace

void checker::damage() {
  for (const params& offer : agreeable()) {
    for (std::size_t round = 0; round < how_.rounds && !gave_up_; ++round) {
      cut_off(offer, round);
      flipped(offer, round);
      noise(offer, round);
    }
  }
}

// The transport goes away in the middle of a message.
void checker::cut_off(const params& offer, std::size_t round) {
  const std::uint64_t seed = how_.seed + round;
  const std::unique_ptr<line> on = connect(offer, bounded(), seed);
  for (std::size_t i = on->random.below(3); i > 0; --i)
    on->send(role::client, 2, content(on->random));
  on->at(role::client).send_half(content(on->random) + "half");
  on->close(close_code::abnormal);
  std::string why;
  out_.add("a lost connection leaves nothing behind", on->clean(why), seeded(seed, why));
  rest(on->restless(), on->makes(), "a lost connection", seed);
}

// What a damaged wire brings is refused or delivered, within the limit, and never counts as a defect of the stage.
void checker::flipped(const params& offer, std::size_t round) {
  const std::uint64_t seed = how_.seed + round;
  const std::unique_ptr<line> from = connect(offer, bounded(), seed);
  const std::unique_ptr<line> on = connect(offer, bounded(), seed);
  std::vector<std::string> texts;
  for (std::size_t i = 1 + from->random.below(3); i > 0; --i) {
    texts.push_back(content(from->random));
    from->send(role::client, 2, texts.back());
  }
  from->finish();
  seeded_random& random = from->random;
  party& server = on->at(role::server);
  for (wire_item item : from->sent[0]) {
    if (!item.bytes.empty() && random.one_in(2)) {
      char& byte = item.bytes[random.below(item.bytes.size())];
      byte = static_cast<char>(byte ^ 1 << random.below(8));
    }
    if (random.one_in(4)) item.bytes.resize(random.below(item.bytes.size() + 1));
    if (random.one_in(8)) item.bytes += content(random);
    if (item.opcode >= 8) item.bytes.resize(std::min<std::size_t>(item.bytes.size(), 125));
    if (!on->failed()) server.receive(item, nullptr);
  }
  if (how_.detects_damage) look_for_damage(from->sent[0], texts, server.arrived, seed);
  out_.add("damaged messages stay within the limit", server.delivered <= limit,
           seeded(seed, std::to_string(server.delivered) + " bytes were delivered"));
  const bool own_fault = on->failed() && server.stages().fail_code() == close_code::internal_error;
  out_.add("damage is the peer's fault", !own_fault, seeded(seed, on->failure()));
  end_of(*on, "damaged messages", seed);
  end_of(*from, "what is to be damaged", seed);
}

// Fail closed: what a stage cannot vouch for is not passed on.
void checker::look_for_damage(const std::vector<wire_item>& wire, const std::vector<std::string>& texts,
                              const std::vector<wire_item>& arrived, std::uint64_t seed) {
  const bool all_marked = std::all_of(wire.begin(), wire.end(), [](const wire_item& item) { return item.rsv != 0; });
  if (!all_marked) return;
  for (const wire_item& item : arrived)
    out_.add("damage is not delivered", std::find(texts.begin(), texts.end(), item.bytes) != texts.end(),
             seeded(seed, shown(item.bytes) + " arrived and was never sent"));
}

// Bytes, bits and control frames that no sender of this extension ever made.
void checker::noise(const params& offer, std::size_t round) {
  const std::uint64_t seed = how_.seed + round;
  const std::unique_ptr<line> on = connect(offer, bounded(), seed);
  const claims uses = agree(offer)->server.uses;
  party& server = on->at(role::server);
  for (std::size_t i = 1 + on->random.below(6); i > 0 && !on->failed(); --i) {
    wire_item item;
    item.rsv = static_cast<std::uint8_t>(on->random.below(8) & uses.rsv);
    item.bytes = content(on->random);
    for (std::uint8_t op = 11; op < 16; ++op)
      if ((uses.opcodes >> op & 1U) != 0 && on->random.one_in(2)) item.opcode = op;
    if (item.opcode >= 8) {
      item.rsv = 0;
      item.bytes.resize(std::min<std::size_t>(item.bytes.size(), 125));
    }
    server.receive(item, nullptr);
  }
  const bool own_fault = on->failed() && server.stages().fail_code() == close_code::internal_error;
  out_.add("noise is the peer's fault", !own_fault, seeded(seed, on->failure()));
  out_.add("noise stays within the limit", server.delivered <= limit, seeded(seed, std::to_string(server.delivered)));
  end_of(*on, "noise", seed);
}

}  // namespace testkit
HAWSER_END
