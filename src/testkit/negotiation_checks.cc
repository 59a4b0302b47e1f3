// The negotiation table that every factory gets. The ids are those of the rules in docs/extensions.md.
#include "testkit/checks.h"

#include <hawser/core/http.h>

#include <algorithm>

HAWSER_BEGIN
namespace testkit {

namespace {

constexpr std::string_view unknown = "hawser-testkit-unknown";

bool all_tokens(const params& list) {
  return std::all_of(list.begin(), list.end(),
                     [](const param& p) { return is_token(p.name) && (!p.value || is_token(*p.value)); });
}

std::string written(const any_factory& f, const params& p) {
  return core::format_extensions({{std::string(f.name()), p}}).value_or(std::string("what is no token"));
}

params with(params list, param extra) {
  list.push_back(std::move(extra));
  return list;
}

extension_list only(const any_factory& f) {
  extension_list list;
  list.add(f);
  return list;
}

}  // namespace

void checker::negotiate() {
  offers();
  for (const params& offer : agreeable()) {
    const std::optional<terms> made = agree(offer);
    altered(offer, made->server.response);
  }
  preference();
  random_offers();
  whole_negotiation();
  own_rows();
}

void checker::offers() {
  std::vector<params> all;
  const bool threw = throws([&] { all = f_.offers(); });
  out_.add("name is a token", is_token(f_.name()), shown(f_.name()));
  out_.add("offers do not throw", !threw);
  out_.add("there is an offer", !all.empty(), "offers() is empty: nothing can be agreed on");
  for (const params& p : all) {
    out_.add("offers are tokens", all_tokens(p), "offers() holds what cannot be written into the header");
    bool failed = false;
    const std::optional<core::agreement> server = accept({p}, failed);
    out_.add("accept does not throw", !failed, written(f_, p));
    out_.add("own offers are accepted", server.has_value(), "accept() declined " + written(f_, p));
    if (!server) continue;
    out_.add("answers are tokens", all_tokens(server->response), "accept() answered what cannot be written");
    const std::optional<core::agreement> client = confirm(server->response, failed);
    out_.add("confirm does not throw", !failed, written(f_, server->response));
    out_.add("own answers are confirmed", client.has_value(), "confirm() refused " + written(f_, server->response));
    if (!client) continue;
    const claims& c = client->uses;
    const claims& s = server->uses;
    out_.add("both sides claim the same",
             c.rsv == s.rsv && c.opcodes == s.opcodes && c.at == s.at && c.ext_data_max == s.ext_data_max,
             "the claims differ after " + written(f_, server->response));
    const std::optional<core::agreement> again = accept({p}, failed);
    out_.add("the same offer gets the same answer", again && again->response == server->response,
             written(f_, p) + " was answered in two ways: a factory must not change");
  }
}

// P-11: what is wrong with an offer declines that offer, and the next one is tried.
void checker::declined(const char* name, const params& bad, const params& good) {
  bool threw = false;
  out_.add(name, !accept({bad}, threw) && !threw, "accept() took " + written(f_, bad));
  out_.add("a bad offer does not spoil a good one", accept({bad, good}, threw).has_value(),
           "accept() declined " + written(f_, bad) + ", " + written(f_, good));
}

// P-12: what is wrong with an answer fails the handshake.
void checker::refused(const char* name, const params& bad) {
  bool threw = false;
  out_.add(name, !confirm(bad, threw) && !threw, "confirm() took " + written(f_, bad));
}

void checker::altered(const params& offer, const params& answer) {
  declined("an unknown parameter is declined", with(offer, {std::string(unknown), std::nullopt}), offer);
  refused("an unknown parameter in an answer fails", with(answer, {std::string(unknown), "1"}));
  for (const param& p : offer)
    declined("a parameter twice is declined", with(offer, p), offer);
  for (const param& p : answer)
    refused("a parameter twice in an answer fails", with(answer, p));
  for (std::size_t i = 0; i < offer.size(); ++i) {
    const std::vector<std::string>& free = how_.free_values;
    if (offer[i].value || std::find(free.begin(), free.end(), offer[i].name) != free.end()) continue;
    params bad = offer;
    bad[i].value = std::string(unknown);
    declined("a value where none belongs is declined", bad, offer);
  }
  bool threw = false;
  out_.add("no offer is declined", !accept({}, threw) && !threw, "accept() took an empty list of offers");
  out_.add("the same offer twice is no problem", accept({offer, offer}, threw).has_value(),
           "accept() declined " + written(f_, offer) + " when it came twice");
}

// N-10: the order of offers is the client's preference, and the first that is acceptable is answered.
void checker::preference() {
  const std::vector<params> good = agreeable();
  for (const params& a : good) {
    for (const params& b : good) {
      bool threw = false;
      const std::optional<core::agreement> alone = accept({a}, threw);
      const std::optional<core::agreement> both = accept({a, b}, threw);
      out_.add("the first acceptable offer wins", both && both->response == alone->response,
               written(f_, a) + ", " + written(f_, b) + " was answered otherwise than " + written(f_, a));
    }
  }
}

// Offers that nobody thought of: made of its own words and of others, in any number.
void checker::random_offers() {
  seeded_random random(how_.seed);
  std::vector<param> words = {{"x", std::nullopt}, {"x", "0"}, {std::string(unknown), "1"}};
  for (const params& offer : agreeable())
    words.insert(words.end(), offer.begin(), offer.end());
  constexpr const char* values[] = {"0", "1", "8", "15", "16", "010", "-1", "99999999999999999999", "a", "A*~", "true"};
  for (int i = 0; i < 400; ++i) {
    params offer;
    for (std::size_t n = random.below(5); n > 0; --n) {
      param p = words[random.below(words.size())];
      if (random.one_in(2)) p.value = values[random.below(std::size(values))];
      if (random.one_in(4)) p.value = std::nullopt;
      offer.push_back(std::move(p));
    }
    bool threw = false;
    const std::optional<core::agreement> server = accept({offer}, threw);
    out_.add("no offer makes it throw", !threw, written(f_, offer));
    bool threw_too = false;
    const std::optional<core::agreement> client = confirm(server ? server->response : offer, threw_too);
    out_.add("no answer makes it throw", !threw_too, written(f_, server ? server->response : offer));
    if (!server || threw) continue;
    const bool agree = client && all_tokens(server->response) && client->uses.rsv == server->uses.rsv &&
                       client->uses.opcodes == server->uses.opcodes && client->uses.at == server->uses.at;
    out_.add("what it answers to any offer it confirms", agree,
             written(f_, offer) + " was answered with " + written(f_, server->response));
  }
}

// The factory behind the functions that read and write headers, alone in its list.
void checker::whole_negotiation() {
  const extension_list list = only(f_);
  std::string why;
  const std::string offered = core::offer_extensions(list, {role::client, true});
  const auto answer = core::answer_extensions(offered, list, {role::server, true}, why);
  const bool agreed = answer && answer->agreed.size() == 1;
  if (answer && !answer->notes.empty() && why.empty()) why = answer->notes[0].text;
  out_.add("it can be composed", agreed, "a server answers '" + offered + "' with nothing: " + why);
  if (!agreed) return;
  const auto confirmed = core::confirm_extensions(answer->header, list, {role::client, true}, why);
  out_.add("a client confirms the server's answer", confirmed && confirmed->agreed.size() == 1,
           "'" + answer->header + "': " + why);
  extension_list twice = only(f_);
  twice.add(f_);
  const auto both =
      core::answer_extensions(core::offer_extensions(twice, {role::client, true}), twice, {role::server, true}, why);
  out_.add("it is answered once", both && both->agreed.size() == 1, "N-10");
}

void checker::own_rows() {
  const extension_list list = only(f_);
  for (const negotiation_row& row : how_.negotiation) {
    std::string why;
    const auto made = row.side == role::server ? core::answer_extensions(row.header, list, {role::server, true}, why)
                                               : core::confirm_extensions(row.header, list, {role::client, true}, why);
    const bool failed = !made;
    bool as_wanted = failed == row.fails;
    if (!failed && !row.fails && row.side == role::server) as_wanted = made->header == row.answer;
    out_.add("own negotiation rows", as_wanted,
             "'" + row.header + "' gave " + (failed ? "a failure: " + why : "'" + made->header + "'"));
  }
}

}  // namespace testkit
HAWSER_END
