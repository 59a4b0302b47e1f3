// Messages between two applications: they arrive as they were, in any cut and room, within limits, and all memory comes
// back.
#include "testkit/checks.h"

#include <algorithm>

HAWSER_BEGIN
namespace testkit {

namespace {

handling drawn_handling(seeded_random& random, std::size_t longest) {
  handling how;
  how.cut = !random.one_in(3);
  how.sized = !random.one_in(3);
  how.limits.step = random.one_in(3) ? 16 * 1024 : random.one_in(3) ? 1 : 1 + random.below(64);
  how.limits.max_message_in = std::max<std::uint64_t>(std::uint64_t{1} << 20, longest);
  return how;
}

// What arrived and should not have, or the other way round.
std::string difference(const std::vector<wire_item>& sent, const std::vector<wire_item>& got) {
  if (sent.size() != got.size())
    return std::to_string(sent.size()) + " messages were sent and " + std::to_string(got.size()) + " arrived";
  for (std::size_t i = 0; i < sent.size(); ++i)
    if (sent[i] != got[i])
      return "message " + std::to_string(i) + " was " + shown(sent[i].bytes) + ", arrived as " + shown(got[i].bytes);
  return {};
}

void sort(std::vector<wire_item>& list) {
  std::sort(list.begin(), list.end(), [](const wire_item& a, const wire_item& b) {
    return std::tie(a.bytes, a.opcode) < std::tie(b.bytes, b.opcode);
  });
}

}  // namespace

void checker::traffic() {
  for (const params& offer : agreeable()) {
    for (std::size_t round = 0; round < how_.rounds && !gave_up_; ++round)
      round_trips(offer, round);
    for (const auto check : {&checker::honesty, &checker::additions, &checker::limits, &checker::without_memory,
                             &checker::without_room, &checker::closed_at_once})
      if (!gave_up_) (this->*check)(offer);
  }
  if (gave_up_) return;
  const std::vector<params> good = agreeable();
  if (!good.empty()) golden(good.front());
}

// At the end of every connection: the contract was kept and nothing stays on an account.
void checker::end_of(line& on, const char* name, std::uint64_t seed) {
  on.close(on.failed() ? close_code::internal_error : close_code::normal);
  std::string why;
  const bool clean = on.clean(why);
  out_.add("the contract is kept", clean, seeded(seed, why + ", in: " + name));
  rest(on.restless(), on.makes(), name, seed);
}

// One that makes more and more is not tried on all the other connections of the group.
void checker::rest(bool restless, const meter& makes, const char* name, std::uint64_t seed) {
  out_.add(
      "it comes to rest", !restless,
      seeded(seed, makes.words() + ", and more was to come, in: " + name + "; the rest of the group was left out"));
  gave_up_ = gave_up_ || restless;
}

void checker::round_trips(const params& offer, std::size_t round) {
  const std::uint64_t seed = how_.seed + round;
  seeded_random random(seed);
  const std::unique_ptr<line> on = connect(offer, drawn_handling(random, how_.longest), seed);
  const claims uses = agree(offer)->server.uses;
  std::vector<wire_item> sent[2];
  for (std::size_t i = 1 + random.below(8); i > 0 && !on->failed(); --i) {
    const role from = random.one_in(2) ? role::client : role::server;
    std::string text = content(random);
    const std::uint8_t opcode = opcode_for(text, random);
    on->send(from, opcode, text);
    sent[static_cast<std::size_t>(from)].push_back({opcode, 0, std::move(text)});
    if (!uses.idle_state) {
      const std::size_t idle = on->at(from).stages().charged();
      out_.add("idle_state false keeps nothing between messages", idle == 0,
               seeded(seed, std::to_string(idle) + " bytes stay charged"));
    }
  }
  on->finish();
  out_.add("messages pass without a failure", !on->failed(), seeded(seed, on->failure()));
  const bool foreign = on->at(role::client).foreign_bits || on->at(role::server).foreign_bits;
  out_.add("no bit is left for the application", !foreign, seeded(seed, "inwards its RSV bit stayed set"));
  for (const role from : {role::client, role::server}) {
    std::vector<wire_item>& there = sent[static_cast<std::size_t>(from)];
    std::vector<wire_item>& got = on->at(from == role::client ? role::server : role::client).arrived;
    if (uses.reorders && !uses.restores_order) {
      sort(there);
      sort(got);
    }
    const std::string wrong = on->failed() ? std::string() : difference(there, got);
    out_.add("messages arrive as they were", wrong.empty(), seeded(seed, wrong));
  }
  end_of(*on, "round trips", seed);
}

// Claims that let the library pass a stage by must be true.
void checker::honesty(const params& offer) {
  const claims uses = agree(offer)->server.uses;
  seeded_random random(how_.seed);
  if (uses.in_needs_rsv) {
    handling how;
    const std::unique_ptr<line> on = connect(offer, how, how_.seed);
    const std::string text = content(random) + "plain";
    on->at(role::server).receive({2, 0, text}, nullptr);
    const std::vector<wire_item>& got = on->at(role::server).arrived;
    out_.add("a message without its bit passes as it is", got.size() == 1 && got[0].bytes == text,
             "a message without RSV bits was changed or lost: " + on->failure());
    end_of(*on, "messages without its bit", how_.seed);
  }
  for (int i = 0; i < 20 && uses.rsv != 0; ++i) {
    const std::unique_ptr<line> on = connect(offer, {}, how_.seed);
    on->send(role::client, 2, content(random));
    on->finish();
    for (const wire_item& item : on->sent[0])
      out_.add("only its own bits are set", (item.rsv & ~uses.rsv) == 0, "RSV bits " + std::to_string(item.rsv));
    end_of(*on, "bits", how_.seed);
  }
}

// What a message gains on its way out is what was claimed: it is all that others allow for, and all that ends a stage
// which makes more and more.
void checker::additions(const params& offer) {
  const std::uint16_t adds = agree(offer)->client.uses.adds_max;
  seeded_random random(how_.seed);
  for (int i = 0; i < 20; ++i) {
    const std::string text = content(random);
    handling how;
    how.cut = false;
    const std::unique_ptr<line> on = connect(offer, how, how_.seed);
    party& client = on->at(role::client);
    client.send(2, text);
    const std::uint64_t most = claims::most_made(adds, text.size()) + 2 * max_edge;
    const bool one = client.wire.size() == 1 && client.wire[0].opcode < 8;
    const std::size_t made = one ? client.wire[0].bytes.size() : 0;
    const bool broken = client.stages().fail_code() == close_code::internal_error;
    out_.add("it adds no more than it claims", made <= most && !broken,
             (broken ? std::string(client.stages().last_breach())
                     : std::to_string(text.size()) + " bytes became " + std::to_string(made)) +
                 "; claims::adds_max is " + std::to_string(adds) +
                 ": by so many bytes a message may be over the limit until it has passed this extension at the other "
                 "end, and no more may be made of it (claims::grows where it depends on the message)");
    end_of(*on, "what it adds", how_.seed);
  }
}

// P-22: a message of exactly the limit arrives, one byte more is 1009 before that byte is delivered.
void checker::limits(const params& offer) {
  seeded_random random(how_.seed);
  for (int i = 0; i < 20; ++i) {
    const std::string text = content(random) + "limit";
    for (const std::size_t limit : {text.size(), text.size() - 1}) {
      handling how;
      how.limits.step = random.one_in(2) ? 7 : 16 * 1024;
      how.limits.max_message_in = limit;
      const std::unique_ptr<line> on = connect(offer, how, how_.seed);
      on->send(role::client, 2, text);
      on->finish();
      const party& server = on->at(role::server);
      const bool fits = limit == text.size();
      if (fits) {
        const bool held = server.arrived.empty() && !on->failed();
        out_.add("a message of exactly the limit arrives", !on->failed() && (held || server.arrived[0].bytes == text),
                 on->failure());
      } else {
        const bool closed = server.over_limit || server.stages().fail_code() == close_code::message_too_big;
        out_.add("a byte over the limit is 1009", closed && server.arrived.empty(),
                 server.stages().failed() ? on->failure() : "it was delivered");
      }
      out_.add("nothing over the limit is delivered", server.delivered <= limit,
               std::to_string(server.delivered) + " bytes of a limit of " + std::to_string(limit));
      end_of(*on, "limits", how_.seed);
    }
  }
}

void checker::golden(const params& offer) {
  for (const wire_row& row : how_.wire) {
    handling how;
    how.cut = false;
    const std::unique_ptr<line> on = connect(offer, how, how_.seed);
    on->send(role::client, row.opcode, row.message);
    const wire_item wanted{row.opcode, row.rsv, row.wire};
    const bool same = on->sent[0].size() == 1 && on->sent[0][0] == wanted;
    out_.add("own wire rows", same,
             shown(row.message) + " became " +
                 (on->sent[0].empty()
                      ? "nothing"
                      : shown(on->sent[0][0].bytes) + " with RSV bits " + std::to_string(on->sent[0][0].rsv)));
    on->close();
  }
}

// Where no memory may be charged, a stage goes on without it or fails the connection; it does not break the contract.
void checker::without_memory(const params& offer) {
  for (const std::size_t budget : {0U, 1U, 100U}) {
    handling how;
    how.limits.memory = budget;
    in_want(offer, how, "without memory nothing is lost in silence", "no memory");
  }
}

// Where no action may wait, the same.
void checker::without_room(const params& offer) {
  handling how;
  how.limits.work = 0;
  in_want(offer, how, "a refused forward is not lost in silence", "no room for actions");
}

void checker::in_want(const params& offer, const handling& how, const char* rule, const char* of_what) {
  seeded_random random(how_.seed);
  const std::unique_ptr<line> on = connect(offer, how, how_.seed);
  std::vector<wire_item> sent;
  for (int i = 0; i < 3 && !on->failed(); ++i) {
    sent.push_back({2, 0, content(random)});
    on->send(role::client, 2, sent.back().bytes);
  }
  on->finish();
  const std::string wrong = on->failed() ? std::string() : difference(sent, on->at(role::server).arrived);
  out_.add(rule, wrong.empty(), wrong);
  end_of(*on, of_what, how_.seed);
}

// A close does not overtake what was sent before it: what a stage holds back leaves in `flush`.
void checker::closed_at_once(const params& offer) {
  const std::unique_ptr<line> on = connect(offer, {}, how_.seed);
  const bool reorders = agree(offer)->server.uses.reorders;
  std::vector<wire_item> sent;
  for (int i = 0; i < 5 && !on->failed(); ++i) {
    sent.push_back({2, 0, content(on->random) + std::to_string(i)});
    on->send(role::client, 2, sent.back().bytes);
  }
  on->flush();
  std::vector<wire_item> got = on->at(role::server).arrived;
  if (reorders) {
    sort(sent);
    sort(got);
  }
  const std::string wrong = on->failed() ? std::string() : difference(sent, got);
  out_.add("a close does not overtake messages", wrong.empty(), wrong + ": what is held must leave in flush()");
  end_of(*on, "a close at once", how_.seed);
}

}  // namespace testkit
HAWSER_END
