// A list of factories made from the input meets a header made from the input, in both roles: what a server answers was
// offered, can be composed and is confirmed by the client that offered it; what a client accepts was offered.
// at least 2,000 inputs

#include "support/require.h"

#include <hawser/core/negotiate.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace hawser;
using hawser::core::conditions;
using hawser::core::negotiation;
using hawser::fuzz::require;

namespace {

struct idle {
  static constexpr unsigned hooks = hook::control;
  verdict begin(direction, head&, context&) { return verdict::bypass; }
  void control(std::uint8_t, byte_view, context&) {}
};

/// Four bytes of the input.
struct made {
  std::uint8_t seed[4];

  // Few names, so that factories and headers meet.
  [[nodiscard]] std::string_view name() const {
    constexpr std::string_view names[] = {"x-a", "x-b", "x-c", "permessage-deflate", "no token"};
    return names[seed[0] % 5];
  }
  [[nodiscard]] std::vector<params> offers() const {
    if (seed[1] % 16 == 15) throw std::runtime_error("offers");
    const std::vector<params> all[] = {
        {{}}, {{{"a", "1"}}, {}}, {{{"a", std::nullopt}, {"b", "2"}}}, {}, {{{"a", "\r\n"}}}};
    return all[seed[1] % 5];
  }
  [[nodiscard]] claims uses() const {
    claims c;
    c.rsv = seed[2] & 7;
    c.opcodes = static_cast<std::uint16_t>((seed[2] >> 3) << (seed[3] % 12));
    c.ordered = (seed[3] & 16) != 0;
    c.reorders = (seed[3] & 32) != 0;
    c.replays = (seed[3] & 64) != 0;
    if (seed[3] == 255) c.at = layer::frame;
    return c;
  }
  static bool sound(const params& p) {
    return p.size() <= 2 &&
           std::all_of(p.begin(), p.end(), [](const param& x) { return x.name == "a" || x.name == "b"; });
  }
  [[nodiscard]] std::optional<accepted<idle>> accept(const std::vector<params>& all) const {
    for (const params& p : all)
      if (std::optional<accepted<idle>> agreed = confirm(p)) return agreed;
    return std::nullopt;
  }
  [[nodiscard]] std::optional<accepted<idle>> confirm(const params& p) const {
    if (seed[1] % 16 > 13) throw std::runtime_error("confirm");
    if (!sound(p) || seed[1] % 5 > 2) return std::nullopt;  // Who offers nothing agrees to nothing.
    return accepted<idle>{p, uses(), {}};
  }
};

bool has(const std::vector<core::extension_element>& list, const std::string& name) {
  return std::any_of(list.begin(), list.end(), [&](const auto& e) { return e.name == name; });
}

void check(const negotiation& n, const extension_list& list, const conditions& where) {
  std::string why;
  require(core::compose(n.agreed, where, why), "what was agreed can be composed");
  require(n.agreed.empty() == n.header.empty(), "no field is written empty");
  for (std::size_t i = 0; i < n.agreed.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      require(n.agreed[i].name != n.agreed[j].name, "one element a name");
  for (const std::string& name : list.required())
    require(std::any_of(n.agreed.begin(), n.agreed.end(), [&](const auto& e) { return e.name == name; }),
            "what is required was agreed");
  if (n.header.empty()) return;
  const auto elements = core::parse_extensions(n.header);
  require(elements.has_value() && elements->size() == n.agreed.size(), "the field can be read again");
  for (std::size_t i = 0; i < n.agreed.size(); ++i)
    require((*elements)[i].name == n.agreed[i].name && (*elements)[i].parameters == n.agreed[i].terms.response,
            "the field says what was agreed, in order");
}

void check_reason(const result<negotiation>& n, const std::string& why) {
  if (n) return;
  require(!why.empty(), "a refusal has a reason");
}

void answer(std::string_view offered, const extension_list& list, const conditions& where) {
  std::string why;
  auto n = core::answer_extensions(offered, list, where, why);
  check_reason(n, why);
  const auto elements = core::parse_extensions(offered);
  if (!offered.empty())
    require((n.error() == errc::extension_header_malformed) == !elements,
            "malformed offers are refused, and only those");
  if (!n) return;
  check(*n, list, where);
  for (const auto& e : n->agreed)
    require(has(*elements, e.name), "nothing is answered that was not offered");
}

void confirm(std::string_view answered, const extension_list& list, const conditions& where) {
  std::string why;
  const auto n = core::confirm_extensions(answered, list, where, why);
  check_reason(n, why);
  if (!n) return;
  check(*n, list, where);
  const std::string offered = core::offer_extensions(list, where);
  const auto offers = core::parse_extensions(offered);
  for (const auto& e : n->agreed)
    require(offers.has_value() && has(*offers, e.name), "nothing is confirmed that was not offered");
}

// Alternatives of a name that agree to the same parameters: the answer does not say which of them was chosen. The
// client may try others, that clash with their neighbours or are wrong by themselves.
bool ambiguous(const extension_list& list) {
  for (const any_factory& f : list.all())
    if (std::count_if(list.all().begin(), list.all().end(),
                      [&](const any_factory& g) { return g.name() == f.name(); }) > 1)
      return true;
  return false;
}

// Two peers with the same list always come to an agreement.
void meet(const extension_list& list) {
  std::string why;
  const std::string offered = core::offer_extensions(list, {role::client, true});
  const auto server = core::answer_extensions(offered, list, {role::server, true}, why);
  if (!server) {
    require(server.error() == errc::extension_missing, "own offers can be read");
    return;
  }
  std::string header = server->header;
#ifdef HAWSER_PLANTED_BUG
  // A server that says an extension twice when three were agreed.
  if (server->agreed.size() == 3) header += ", " + server->agreed[0].name;
#endif
  const auto client = core::confirm_extensions(header, list, {role::client, true}, why);
  if (!client && ambiguous(list)) {
    require(client.error() == errc::extension_conflict || client.error() == errc::invalid_extension,
            "the client reads its own offer, and may compose it otherwise");
    return;
  }
  require(client.has_value(), "the client confirms what it offered");
  require(client->agreed.size() == server->agreed.size(), "both ends agree");
  for (std::size_t i = 0; i < client->agreed.size(); ++i)
    require(client->agreed[i].name == server->agreed[i].name, "both ends agree on the order");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t how = *data++;
  --size;
  extension_list list;
  for (std::size_t n = how % 6; n > 0 && size >= 4; --n, data += 4, size -= 4) {
    const made f{{data[0], data[1], data[2], data[3]}};
    if ((data[0] & 128) != 0)
      list.require(f);
    else
      list.add(f);
  }
  const std::string_view header(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 512));
  const bool secure = (how & 64) != 0;
  answer(header, list, {role::server, secure});
  confirm(header, list, {role::client, secure});
  meet(list);
  return 0;
}
