// The extension beside another one: the order of the answer is the order of the work (N-11), on the wire, byte by byte.
#include "testkit/checks.h"

#include <algorithm>
#include <array>

HAWSER_BEGIN
namespace testkit {

namespace {

/// The neighbour: changes every byte and puts a byte at each end, without a bit. It can be done on paper.
class neighbour {
 public:
  static constexpr unsigned hooks = hook::in_place | hook::prefix | hook::suffix;
  explicit neighbour(std::uint8_t key) : key_(key) {}
  verdict begin(direction, head&, context&) { return verdict::in_place.prefix(1).suffix(1); }
  void in_place(direction, byte_span chunk, bool, context&) {
    for (std::byte& b : chunk)
      b ^= static_cast<std::byte>(key_);
  }
  void prefix(direction way, byte_span edge, context& c) { mark(way, edge, c); }
  void suffix(direction way, byte_span edge, context& c) { mark(way, edge, c); }

 private:
  void mark(direction way, byte_span edge, context& c) const {
    if (way == direction::out) edge[0] = static_cast<std::byte>(key_);
    if (edge[0] != static_cast<std::byte>(key_)) c.fail(close_code::invalid_payload, "neighbour");
  }
  std::uint8_t key_;
};

std::string through_neighbour(std::string text, std::uint8_t key) {
  for (char& c : text)
    c = static_cast<char>(static_cast<unsigned char>(c) ^ key);
  const auto mark = static_cast<char>(key);
  return mark + text + mark;
}

core::agreed_extension agreed_neighbour(std::uint8_t key) {
  return {"x-neighbour", core::agreement{{}, {}, core::any_stage::of(neighbour(key))}};
}

}  // namespace

void checker::company() {
  for (const params& offer : agreeable()) {
    if (gave_up_) return;
    for (const bool app_side : {true, false})
      for (const role from : {role::client, role::server})
        for (const std::uint8_t key : {std::uint8_t{0}, std::uint8_t{0x5A}})
          if (!gave_up_) beside(offer, key, app_side, from);
    if (!gave_up_) limit_beside(offer);
  }
}

void checker::beside(const params& offer, std::uint8_t key, bool app_side, role from) {
  handling how;
  how.cut = false;
  const auto both = [&](core::agreement mine) {
    std::vector<core::agreed_extension> list = stages(std::move(mine));
    list.insert(app_side ? list.begin() : list.end(), agreed_neighbour(key));
    return list;
  };
  std::optional<terms> made = agree(offer);
  line on(both(std::move(made->client)), both(std::move(made->server)), how, how_.seed);
  const std::unique_ptr<line> alone = connect(offer, how, how_.seed);
  const std::unique_ptr<line> again = connect(offer, how, how_.seed);

  seeded_random random(how_.seed + key);
  seeded_random turns(how_.seed + key + 1);
  std::vector<std::string> sent;
  for (int i = 0; i < 12; ++i) {
    sent.push_back(content(random));
    const std::string before = app_side ? through_neighbour(sent.back(), key) : sent.back();
    // In no fixed order, or what is done to every third message in all would seem to be one connection's own.
    std::array<line*, 3> order = {&on, alone.get(), again.get()};
    std::rotate(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(turns.below(order.size())), order.end());
    for (line* l : order)
      l->send(from, 2, l == &on ? sent.back() : before);
  }
  for (line* l : {&on, alone.get(), again.get()})
    l->finish();

  for (line* l : {&on, alone.get(), again.get()})
    rest(l->restless(), l->makes(), "company", how_.seed);
  if (gave_up_) return;
  out_.add("it works beside another extension", !on.failed(), on.failure());
  const std::vector<wire_item>& got = on.at(from == role::client ? role::server : role::client).arrived;
  bool same = got.size() == sent.size();
  for (std::size_t k = 0; same && k < sent.size(); ++k)
    same = got[k].bytes == sent[k];
  const bool reorders = agree(offer)->server.uses.reorders;
  out_.add("messages arrive beside another extension", same || reorders,
           "one of " + std::to_string(sent.size()) + " was lost or changed");
  // What it makes of a message may hold chance, and then no bytes can be expected.
  const auto i = static_cast<std::size_t>(from);
  if (alone->sent[i] == again->sent[i]) {
    std::vector<wire_item> wanted = alone->sent[i];
    for (wire_item& item : wanted)
      // Nobody is asked about a data opcode that is another's.
      if (!app_side && (item.opcode == 1 || item.opcode == 2)) item.bytes = through_neighbour(item.bytes, key);
    out_.add("the wire has the order of the answer", on.sent[i] == wanted,
             app_side ? "with the other one first" : "with the other one last");
  }
  for (line* l : {&on, alone.get(), again.get()})
    end_of(*l, "company", how_.seed);
}

// What it adds to a message on the wire does not count against the limit, if it said so: `claims::adds_max`.
void checker::limit_beside(const params& offer) {
  seeded_random random(how_.seed);
  for (int i = 0; i < 8; ++i) {
    const std::string text = content(random) + "limit";
    handling how;
    how.limits.max_message_in = text.size();
    const auto both = [&](core::agreement mine) {
      std::vector<core::agreed_extension> list = stages(std::move(mine));
      list.push_back(agreed_neighbour(0x5A));
      return list;
    };
    std::optional<terms> made = agree(offer);
    if (made->server.uses.at == layer::frame) return;  // Nothing that works on messages stands behind it.
    line on(both(std::move(made->client)), both(std::move(made->server)), how, how_.seed);
    on.send(role::client, 2, text);
    on.finish();
    out_.add("a message of exactly the limit passes beside another extension", !on.failed(),
             on.failure() + "; does it add more than claims::adds_max says?");
    end_of(on, "the limit in company", how_.seed);
  }
}

}  // namespace testkit
HAWSER_END
