// Offers, answers and their proofs: the N and P rows of the negotiation rules.
#include <gtest/gtest.h>
#include <hawser/core/close_code.h>
#include <hawser/core/negotiate.h>

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace hawser {
namespace {

using core::answer_extensions;
using core::confirm_extensions;
using core::negotiation;
using core::offer_extensions;

struct idle_stage {
  static constexpr unsigned hooks = hook::control;
  verdict begin(direction, head&, context&) { return verdict::bypass; }
  void control(std::uint8_t, byte_view, context&) {}
};

using answer_t = std::optional<accepted<idle_stage>>;

/// A factory with one parameter, "level" from 1 to 9, and whatever else a test needs of it.
struct sample {
  std::string token = "x-a";
  claims uses = {};
  std::vector<params> alternatives = {{}};
  std::function<answer_t(const std::vector<params>&)> on_accept = {};
  std::function<answer_t(const params&)> on_confirm = {};
  std::shared_ptr<int> calls = std::make_shared<int>(0);

  std::string_view name() const { return token; }
  std::vector<params> offers() const { return alternatives; }
  answer_t accept(const std::vector<params>& all) const {
    ++*calls;
    if (on_accept) return on_accept(all);
    for (const params& p : all)
      if (sound(p)) return accepted<idle_stage>{p, uses, {}};
    return std::nullopt;
  }
  answer_t confirm(const params& p) const {
    if (on_confirm) return on_confirm(p);
    if (!sound(p)) return std::nullopt;
    return accepted<idle_stage>{p, uses, {}};
  }
  static bool sound(const params& p) {
    if (p.empty()) return true;
    return p.size() == 1 && p[0].name == "level" && p[0].value && p[0].value->size() == 1 && *p[0].value >= "1" &&
           *p[0].value <= "9";
  }
};

sample named(std::string token, claims uses = {}) {
  sample s;
  s.token = std::move(token);
  s.uses = uses;
  return s;
}

claims with_rsv(rsv bit) {
  claims c;
  c.rsv = static_cast<std::uint8_t>(bit);
  return c;
}

struct outcome {
  std::error_code error;
  std::string header;
  std::vector<std::string> agreed;
  std::vector<std::string> notes;
  std::string why;
};

outcome of(result<negotiation> r, std::string why) {
  outcome o;
  o.why = std::move(why);
  if (!r) {
    o.error = r.error();
    EXPECT_FALSE(o.why.empty());
    EXPECT_LE(o.why.size(), 512U);
    return o;
  }
  o.header = r->header;
  for (const auto& e : r->agreed)
    o.agreed.push_back(e.name);
  for (const auto& n : r->notes) {
    o.notes.push_back(n.text);
    EXPECT_EQ(n.active, std::find(o.agreed.begin(), o.agreed.end(), n.name) != o.agreed.end());
  }
  return o;
}

outcome answer(std::string_view offered, const extension_list& list) {
  std::string why;
  auto r = answer_extensions(offered, list, {role::server, true}, why);
  return of(std::move(r), why);
}

outcome confirm(std::string_view answered, const extension_list& list) {
  std::string why;
  auto r = confirm_extensions(answered, list, {role::client, true}, why);
  return of(std::move(r), why);
}

using names = std::vector<std::string>;

// ---- offers

TEST(offer_test, order_and_alternatives_are_the_preference_N_10) {
  sample two = named("x-b");
  two.alternatives = {{{"level", "9"}}, {{"level", std::nullopt}, {"level", "2"}}, {}};
  extension_list list;
  list.add(two).add(named("x-a"));
  EXPECT_EQ(offer_extensions(list, {}), "x-b; level=9, x-b; level; level=2, x-b, x-a");
}

TEST(offer_test, nothing_to_offer_is_no_field_N_06) {
  EXPECT_EQ(offer_extensions({}, {}), "");
  sample none = named("x-a");
  none.alternatives = {};
  extension_list list;
  list.add(none);
  EXPECT_EQ(offer_extensions(list, {}), "");
}

struct throwing : sample {
  std::vector<params> offers() const { throw std::runtime_error("offers"); }
};

TEST(offer_test, what_cannot_be_written_is_left_out) {
  sample no_token = named("x a");
  sample bad_value = named("x-b");
  bad_value.alternatives = {{{"level", "a b"}}, {{"level", "3"}}};
  extension_list list;
  list.add(no_token).add(bad_value).add(throwing{});
  EXPECT_EQ(offer_extensions(list, {}), "x-b; level=3");
}

TEST(offer_test, a_name_that_is_no_token_is_told_before_anything_starts_N_01) {
  std::string why;
  for (const std::string_view good : {"x-a", "permessage-deflate", "!#$%&'*+-.^_`|~9"}) {
    extension_list list;
    list.add(named("x-b")).add(named(std::string(good)));
    EXPECT_TRUE(core::check_extension_names(list, why)) << good;
  }
  EXPECT_EQ(why, "");
  for (const std::string_view bad : {"", "x a", "x;a", "x,a", "\"x\"", "x=a", "\xC3\xA4", "x\n"}) {
    extension_list list;
    list.add(named("x-b")).add(named(std::string(bad)));
    const result<void> checked = core::check_extension_names(list, why);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error(), errc::invalid_extension);
  }
  EXPECT_EQ(why, "the extension name \"x\\x0a\" is not a token: use letters, digits and dashes");
}

TEST(offer_test, no_more_is_offered_than_a_server_reads) {
  extension_list list;
  for (int i = 0; i < 12; ++i)
    list.add(named("x-" + std::to_string(i)));
  const std::string offered = offer_extensions(list, {});
  EXPECT_EQ(std::count(offered.begin(), offered.end(), ','), 7);
  EXPECT_FALSE(answer(offered, list).error);
}

// ---- the server's answer

TEST(answer_test, no_field_and_no_extensions_is_no_answer_N_06) {
  extension_list list;
  list.add(named("x-a"));
  EXPECT_EQ(answer("", list).header, "");
  EXPECT_EQ(answer("x-b", {}).header, "");
}

TEST(answer_test, a_malformed_offer_is_refused_N_01_N_02) {
  extension_list list;
  list.add(named("x-a"));
  for (const char* bad :
       {"x-a; ", "x-a; level=\"\"", "x-a; level=\"a,b\"", "x-a x-b", ";", ",", " ", "x-a; level=\"3"}) {
    const outcome o = answer(bad, list);
    EXPECT_EQ(o.error, errc::extension_header_malformed) << bad;
  }
}

TEST(answer_test, unknown_offers_are_ignored_N_09_and_nothing_else_is_listed_N_07) {
  extension_list list;
  list.add(named("x-a")).add(named("x-b"));
  const outcome o = answer("x-unknown; foo=1, x-b", list);
  EXPECT_EQ(o.header, "x-b");
  EXPECT_EQ(o.notes,
            (names{"x-unknown: not known here, ignored", "x-b: accepted as x-b", "x-a: not offered by the client"}));
}

TEST(answer_test, names_match_exactly_N_15) {
  extension_list list;
  list.add(named("x-a"));
  EXPECT_EQ(answer("X-A", list).header, "");
}

TEST(answer_test, quotes_blanks_and_empty_elements_mean_the_same_N_02_N_03_N_04) {
  extension_list list;
  list.add(named("x-a"));
  for (const char* same : {"x-a;level=3", "x-a ; level = \"3\"", ", x-a; level=3,, ", "x-a;level=\"\\3\""})
    EXPECT_EQ(answer(same, list).header, "x-a; level=3") << same;
}

TEST(answer_test, the_client_orders_the_answer_N_10_N_11) {
  extension_list list;
  list.add(named("x-a")).add(named("x-b")).add(named("x-c"));
  EXPECT_EQ(answer("x-c, x-a, x-b", list).agreed, (names{"x-c", "x-a", "x-b"}));
}

TEST(answer_test, all_offers_of_a_name_come_at_once_in_order_with_doubles_N_10_P_10) {
  std::vector<params> seen;
  sample s = named("x-a");
  s.on_accept = [&seen](const std::vector<params>& all) {
    seen = all;
    return answer_t{};
  };
  extension_list list;
  list.add(s);
  answer("x-a; level=1; level=1, x-b, x-a, x-a; \"q\"", list);  // the quoted name is malformed
  EXPECT_TRUE(seen.empty());
  answer("x-a; level=1; level=1, x-b, x-a", list);
  EXPECT_EQ(seen, (std::vector<params>{{{"level", "1"}, {"level", "1"}}, {}}));
  EXPECT_EQ(*s.calls, 1);
}

TEST(answer_test, a_bad_offer_is_declined_and_the_next_is_tried_N_13_P_11) {
  extension_list list;
  list.add(named("x-a"));
  EXPECT_EQ(answer("x-a; level=0, x-a; level=4", list).header, "x-a; level=4");
  for (const char* bad : {"x-a; foo", "x-a; level", "x-a; level=10", "x-a; level=3; level=3"}) {
    const outcome o = answer(bad, list);
    EXPECT_FALSE(o.error);
    EXPECT_EQ(o.header, "") << bad;
    EXPECT_EQ(o.notes, names{"x-a: declined: no offer is acceptable"});
  }
}

TEST(answer_test, a_second_factory_of_a_name_is_asked_when_the_first_declines) {
  sample never = named("x-a");
  never.on_accept = [](const std::vector<params>&) { return answer_t{}; };
  extension_list list;
  list.add(never).add(named("x-a"));
  EXPECT_EQ(answer("x-a; level=2", list).header, "x-a; level=2");
}

TEST(answer_test, a_factory_that_throws_or_answers_no_token_declines) {
  sample throws = named("x-a");
  throws.on_accept = [](const std::vector<params>&) -> answer_t { throw std::runtime_error("accept"); };
  sample injects = named("x-b");
  injects.on_accept = [](const std::vector<params>&) {
    return answer_t{accepted<idle_stage>{{{"a", "1\r\nSet-Cookie: x"}}, {}, {}}};
  };
  extension_list list;
  list.add(throws).add(injects);
  const outcome o = answer("x-a, x-b", list);
  EXPECT_FALSE(o.error);
  EXPECT_EQ(o.header, "");
  EXPECT_EQ(o.notes, (names{"x-a: declined: its factory threw: accept",
                            "x-b: declined: its factory answered what is no token"}));
}

/// Says in words why it says no, as a factory may.
struct talking {
  std::string words = "level is over 9";
  static std::string_view name() { return "x-level"; }
  std::vector<params> offers() const { return {{}}; }
  answer_t accept(const std::vector<params>&, std::string& why) const { return refused(why); }
  answer_t confirm(const params&, std::string& why) const { return refused(why); }
  answer_t refused(std::string& why) const {
    why = words;
    return std::nullopt;
  }
};

TEST(answer_test, a_factory_says_in_its_own_words_why_it_declines) {
  extension_list list;
  list.add(talking{});
  EXPECT_EQ(answer("x-level", list).notes, names{"x-level: declined: level is over 9"});
  EXPECT_EQ(confirm("x-level", list).why, "the server's answer for x-level is not acceptable: level is over 9");
  extension_list forging;
  forging.add(talking{"no\r\nlevel" + std::string(500, '!')});
  const outcome o = answer("x-level", forging);
  ASSERT_EQ(o.notes.size(), 1U);
  EXPECT_EQ(o.notes[0].find('\n'), std::string::npos) << o.notes[0];
  EXPECT_LT(o.notes[0].size(), 300U);
}

/// Without `accept`: what it takes of an answer it takes of an offer.
struct confirming {
  static std::string_view name() { return "x-level"; }
  std::vector<params> offers() const { return {{}}; }
  answer_t confirm(const params& terms, std::string& why) const {
    if (sample::sound(terms)) return accepted<idle_stage>{terms, with_rsv(rsv::two), {}};
    why = "level is over 9";
    return std::nullopt;
  }
};

TEST(answer_test, without_accept_the_first_offer_that_confirm_takes_is_answered) {
  extension_list list;
  list.add(confirming{});
  EXPECT_EQ(answer("x-level; level=10, x-level; level=4, x-level", list).header, "x-level; level=4");
  EXPECT_EQ(answer("x-level; level=10, x-level; no=1", list).notes, names{"x-level: declined: level is over 9"});
  EXPECT_EQ(confirm("x-level; level=4", list).agreed, names{"x-level"});
}

/// Made at run time, as a plug-in's is: it answers what is erased already.
struct erased_factory {
  static std::string_view name() { return "x-erased"; }
  std::vector<params> offers() const { return {{}}; }
  std::optional<core::agreement> accept(const std::vector<params>& all) const { return confirm(all.at(0)); }
  std::optional<core::agreement> confirm(const params& answer) const {
    return core::agreement{answer, with_rsv(rsv::two), core::any_stage::of(idle_stage{})};
  }
};

TEST(answer_test, a_factory_may_answer_a_stage_that_was_made_at_run_time) {
  extension_list list;
  list.add(erased_factory{});
  EXPECT_EQ(answer("x-erased", list).header, "x-erased");
  EXPECT_EQ(confirm("x-erased", list).agreed, names{"x-erased"});
}

TEST(answer_test, the_less_preferred_of_two_that_conflict_is_declined_N_16_P_05) {
  extension_list list;
  list.add(named("x-a", with_rsv(rsv::one))).add(named("x-b", with_rsv(rsv::one))).add(named("x-c"));
  const outcome o = answer("x-b, x-a, x-c", list);
  EXPECT_EQ(o.header, "x-b, x-c");
  EXPECT_EQ(o.notes[1], "x-a: declined: x-b and x-a: both claim RSV1");
}

claims with_rsv(std::uint8_t bits) {
  claims uses;
  uses.rsv = bits;
  return uses;
}

TEST(answer_test, an_alternative_of_the_name_is_asked_when_the_first_conflicts_N_10_N_16) {
  extension_list list;
  list.add(named("x-a", with_rsv(4))).add(named("x-b", with_rsv(4))).add(named("x-b", with_rsv(2)));
  std::string why;
  auto n = answer_extensions("x-a, x-b", list, {}, why);
  ASSERT_TRUE(n) << why;
  EXPECT_EQ(n->header, "x-a, x-b");
  EXPECT_EQ(n->agreed[1].terms.uses.rsv, 2);
  ASSERT_EQ(n->notes.size(), 2U);
  EXPECT_EQ(n->notes[1].text, "x-b: accepted as x-b");
}

// The level says which bit it uses.
answer_t by_level(const params& p) {
  if (p.empty()) return std::nullopt;
  return accepted<idle_stage>{p, with_rsv(*p[0].value == "1" ? 4 : 2), {}};
}

TEST(answer_test, another_offer_of_the_name_is_answered_when_the_first_conflicts_N_10_N_16) {
  sample b = named("x-b");
  std::vector<std::size_t> asked;
  b.on_accept = [&](const std::vector<params>& all) {
    asked.push_back(all.size());
    return by_level(all.front());
  };
  extension_list list;
  list.add(named("x-a", with_rsv(4))).add(b);
  std::string why;
  auto n = answer_extensions("x-a, x-b; level=1, x-b; level=2, x-b; level=3", list, {}, why);
  ASSERT_TRUE(n) << why;
  EXPECT_EQ(n->header, "x-a, x-b; level=2");
  EXPECT_EQ(asked, (std::vector<std::size_t>{3, 2}));
}

TEST(answer_test, when_every_alternative_conflicts_the_first_reason_is_told_N_16) {
  sample never = named("x-b");
  never.on_accept = [](const std::vector<params>&) { return answer_t(); };
  extension_list list;
  list.add(named("x-a", with_rsv(4))).add(named("x-b", with_rsv(4))).add(named("x-b", with_rsv(12))).add(never);
  std::string why;
  auto n = answer_extensions("x-a, x-b", list, {}, why);
  ASSERT_TRUE(n) << why;
  EXPECT_EQ(n->header, "x-a");
  ASSERT_EQ(n->notes.size(), 2U);
  EXPECT_EQ(n->notes[1].text, "x-b: declined: x-a and x-b: both claim RSV1");
}

TEST(confirm_test, an_alternative_of_the_name_confirms_when_the_first_conflicts_N_16) {
  extension_list list;
  list.add(named("x-a", with_rsv(4))).add(named("x-b", with_rsv(4))).add(named("x-b", with_rsv(2)));
  std::string why;
  auto n = confirm_extensions("x-a, x-b", list, {role::client, false}, why);
  ASSERT_TRUE(n) << why;
  ASSERT_EQ(n->agreed.size(), 2U);
  EXPECT_EQ(n->agreed[1].terms.uses.rsv, 2);
}

TEST(answer_test, a_required_extension_wins_over_a_preferred_one) {
  extension_list list;
  list.add(named("x-a", with_rsv(rsv::one))).require(named("x-b", with_rsv(rsv::one)));
  EXPECT_EQ(answer("x-a, x-b", list).header, "x-b");
}

TEST(answer_test, a_required_extension_that_is_missing_is_refused_N_21) {
  extension_list list;
  list.add(named("x-a")).require(named("x-b"));
  for (const char* offered : {"", "x-a", "x-b; level=0"}) {
    const outcome o = answer(offered, list);
    EXPECT_EQ(o.error, errc::extension_missing) << offered;
    EXPECT_NE(o.why.find("x-b"), std::string::npos);
  }
  EXPECT_EQ(answer("x-b", list).header, "x-b");
}

// ---- the client's proof

TEST(confirm_test, the_answers_order_is_the_order_of_the_stages_N_11) {
  extension_list list;
  list.add(named("x-a")).add(named("x-b"));
  const outcome o = confirm("x-b, x-a; level=3", list);
  EXPECT_EQ(o.agreed, (names{"x-b", "x-a"}));
  EXPECT_EQ(o.header, "x-b, x-a; level=3");
  EXPECT_EQ(o.notes, (names{"x-b: agreed as x-b", "x-a: agreed as x-a; level=3"}));
}

TEST(confirm_test, a_declined_optional_extension_is_no_error_N_22) {
  extension_list list;
  list.add(named("x-a")).add(named("x-b"));
  EXPECT_EQ(confirm("x-b", list).notes[1], "x-a: declined by the server");
  EXPECT_EQ(confirm("", list).agreed, names{});
}

TEST(confirm_test, a_malformed_answer_fails_N_01_N_06) {
  extension_list list;
  list.add(named("x-a"));
  for (const char* bad : {"x-a;", " ", ",", "x-a; level=\"a b\""})
    EXPECT_EQ(confirm(bad, list).error, errc::extension_header_malformed) << bad;
}

// What is said names what cannot be read: in-band there is no field.
TEST(negotiate_test, a_malformed_list_is_told_from_where_it_stood_N_01) {
  extension_list list;
  list.add(named("x-a"));
  const auto told = [&](role side, bool inband) {
    const core::conditions where{side, true, inband};
    std::string why;
    if (side == role::server)
      EXPECT_FALSE(core::answer_extensions("x-a b", list, where, why));
    else
      EXPECT_FALSE(core::confirm_extensions("x-a b", list, where, why));
    return why.substr(0, why.find(':'));
  };
  EXPECT_EQ(told(role::server, false), "Sec-WebSocket-Extensions, byte 5");
  EXPECT_EQ(told(role::client, false), "Sec-WebSocket-Extensions, byte 5");
  EXPECT_EQ(told(role::server, true), "the in-band offer, byte 5");
  EXPECT_EQ(told(role::client, true), "the extensions in the in-band answer, byte 5");
}

TEST(confirm_test, an_answer_that_was_not_offered_fails_N_08_P_07) {
  sample silent = named("x-s");
  silent.alternatives = {};
  extension_list list;
  list.add(named("x-a")).add(silent);
  EXPECT_EQ(confirm("x-b", list).error, errc::extension_not_offered);
  EXPECT_EQ(confirm("x-a, x-b", list).error, errc::extension_not_offered);
  EXPECT_EQ(confirm("X-a", list).error, errc::extension_not_offered);
  EXPECT_EQ(confirm("x-s", list).error, errc::extension_not_offered);
  EXPECT_EQ(confirm("x-b", {}).error, errc::extension_not_offered);
}

TEST(confirm_test, an_answer_that_comes_twice_fails_N_10) {
  extension_list list;
  list.add(named("x-a"));
  EXPECT_EQ(confirm("x-a, x-a; level=3", list).error, errc::extension_not_offered);
}

TEST(confirm_test, parameters_that_are_not_acceptable_fail_N_13_P_12) {
  extension_list list;
  list.add(named("x-a"));
  for (const char* bad : {"x-a; foo", "x-a; level", "x-a; level=10", "x-a; level=3; level=3"})
    EXPECT_EQ(confirm(bad, list).error, errc::extension_parameters) << bad;
}

TEST(confirm_test, a_factory_that_throws_fails_the_handshake) {
  sample s = named("x-a");
  s.on_confirm = [](const params&) -> answer_t { throw std::runtime_error("confirm"); };
  extension_list list;
  list.add(s);
  EXPECT_EQ(confirm("x-a", list).error, errc::extension_parameters);
}

TEST(confirm_test, an_answer_in_conflict_fails_N_16_P_05) {
  extension_list list;
  list.add(named("x-a", with_rsv(rsv::one))).add(named("x-b", with_rsv(rsv::one)));
  const outcome o = confirm("x-a, x-b", list);
  EXPECT_EQ(o.error, errc::extension_conflict);
  EXPECT_EQ(o.error, fault::peer_violation) << "who answers has to see that it works";
  EXPECT_EQ(o.why, "the server's answer cannot work: x-a and x-b: both claim RSV1");
}

TEST(confirm_test, a_claim_that_nobody_may_make_is_the_fault_of_who_wrote_it_N_16) {
  claims of_close;
  of_close.opcodes = 1U << 8;
  extension_list list;
  list.add(named("x-a")).add(named("x-b", of_close));
  for (const char* answered : {"x-b", "x-a, x-b"}) {
    const outcome o = confirm(answered, list);
    EXPECT_EQ(o.error, errc::invalid_extension);
    EXPECT_EQ(o.error, fault::caller_mistake);
    EXPECT_EQ(o.why,
              "an extension of this program is wrong: x-b claims opcode 8; only 3 to 7 and 11 to 15 are free for "
              "extensions");
  }
}

TEST(confirm_test, a_required_extension_that_is_declined_is_named_for_the_1010_N_20) {
  extension_list list;
  list.add(named("x-a")).require(named("x-b"));
  for (const char* answered : {"", "x-a"}) {
    const outcome o = confirm(answered, list);
    EXPECT_EQ(o.error, errc::extension_missing);
    EXPECT_EQ(o.why, "the server declined the extension x-b");
  }
  EXPECT_FALSE(confirm("x-b", list).error);
}

TEST(confirm_test, what_a_server_answers_the_client_confirms) {
  extension_list both;
  both.add(named("x-a", with_rsv(rsv::one)))
      .add(named("x-b", with_rsv(rsv::two)))
      .add(named("x-c", with_rsv(rsv::one)));
  const outcome server = answer(offer_extensions(both, {}), both);
  const outcome client = confirm(server.header, both);
  EXPECT_FALSE(client.error);
  EXPECT_EQ(client.agreed, server.agreed);
  EXPECT_EQ(client.agreed, (names{"x-a", "x-b"}));
}

}  // namespace
}  // namespace hawser
