// The kit says yes to extensions that are well made, and finds every mistake that is planted here.
#include "../tools/hawser/demo_extensions.h"
#include "testkit/flawed.h"

#include <algorithm>
#include <stdexcept>

namespace hawser {
namespace {

using testkit::report;
using testkit::run;
using namespace test;

// ---- well made

TEST(testkit_test, the_demonstration_extensions_pass) {
  testkit::options o = quick();
  o.wire = {{"Hello", "Uryyb", 2}, {"", "", 2}};
  o.negotiation = {{role::server, "x-rot13; level=1", "", false}, {role::client, "x-rot13; level=1", "", true}};
  const report rot13 = run(demo::rot13(), o);
  EXPECT_TRUE(rot13.passed()) << rot13.text();

  testkit::options sum = quick();
  sum.company = testkit::shipped();
  sum.wire = {{"abc", "abc5$A\xC2", 1}};
  const report checksum = run(demo::checksum(), sum);
  EXPECT_TRUE(checksum.passed()) << checksum.text();
}

TEST(testkit_test, what_applies_was_looked_at) {
  testkit::options o = quick();
  o.company = testkit::shipped();
  o.wire = {{"abc", "nop", 2}};
  o.negotiation = {{role::server, "x-rot13", "x-rot13", false}};
  const report r = run(demo::rot13(), o);
  for (const char* name : {"there is an offer",
                           "own offers are accepted",
                           "own answers are confirmed",
                           "both sides claim the same",
                           "an unknown parameter is declined",
                           "an unknown parameter in an answer fails",
                           "a bad offer does not spoil a good one",
                           "it can be composed",
                           "a client confirms the server's answer",
                           "own negotiation rows",
                           "messages arrive as they were",
                           "messages pass without a failure",
                           "no bit is left for the application",
                           "only its own bits are set",
                           "a message without its bit passes as it is",
                           "a message of exactly the limit arrives",
                           "a byte over the limit is 1009",
                           "nothing over the limit is delivered",
                           "without memory nothing is lost in silence",
                           "a refused forward is not lost in silence",
                           "own wire rows",
                           "a close does not overtake messages",
                           "a lost connection leaves nothing behind",
                           "damage is the peer's fault",
                           "noise is the peer's fault",
                           "a bomb is 1009 at the limit",
                           "a bomb through two extensions is 1009",
                           "a bomb takes no memory",
                           "what a peer withholds is bounded",
                           "control frames do not storm",
                           "timers do not storm",
                           "it comes to rest",
                           "the first acceptable offer wins",
                           "no offer makes it throw",
                           "no answer makes it throw",
                           "what it answers to any offer it confirms",
                           "a message of exactly the limit passes beside another extension",
                           "messages cross a connection as they were",
                           "a connection passes them without a failure",
                           "pings are answered between its frames",
                           "frames hold nothing that was not claimed",
                           "a connection closes cleanly",
                           "no buffer stays behind a connection",
                           "it works beside x-hawser-checksum",
                           "it works beside another extension",
                           "the wire has the order of the answer",
                           "the contract is kept"}) {
    EXPECT_NE(r.find(name), nullptr) << name;
  }
  EXPECT_EQ(r.find("never heard of"), nullptr);
}

TEST(testkit_test, checks_are_told_once_they_are_certain_in_the_order_of_the_report) {
  testkit::options o = quick();
  std::vector<std::string> told;
  o.on_check = [&](const testkit::check& c) { told.push_back(c.group + ": " + c.name); };
  const report r = run(demo::rot13(), o);
  std::vector<std::string> all;
  for (const testkit::check& c : r.all())
    all.push_back(c.group + ": " + c.name);
  EXPECT_EQ(told, all);
  EXPECT_EQ(all.front(), "negotiation: name is a token");
  EXPECT_EQ(r.failures(), 0U);
}

TEST(testkit_test, a_failure_is_found_before_a_success_of_the_same_name) {
  report r;
  r.begin("one");
  r.add("same", true);
  r.begin("two");
  r.add("same", true);
  r.add("same", false, "first");
  r.add("same", false, "second");
  ASSERT_EQ(r.all().size(), 2U);
  EXPECT_EQ(r.find("same")->group, "two");
  EXPECT_EQ(r.find("same")->detail, "first");
  EXPECT_EQ(r.failures(), 1U);
  EXPECT_EQ(r.text(), "one\n  ok      same\ntwo\n  FAILED  same: first\n");
}

// ---- planted mistakes: those that libraries made are in flaws_test.cc

TEST(testkit_teeth, the_sound_stage_passes_in_every_way_of_working) {
  for (const verdict v : {verdict::in_place, verdict::transform, verdict::whole, verdict::bypass}) {
    flawed f;
    f.stage.what = v;
    const report r = run(f, quick());
    EXPECT_TRUE(r.passed()) << r.text();
  }
}

TEST(testkit_teeth, negotiation) {
  flawed any;
  any.on_accept = [](const flawed& f, const std::vector<params>& all) {
    return all.empty() ? answer_t{} : f.agreed(all[0]);
  };
  expect_found(any, "an unknown parameter is declined");
  any.on_accept = [](const flawed& f, const std::vector<params>&) { return f.agreed({}); };
  expect_found(any, "no offer is declined");

  flawed lax;
  lax.on_confirm = [](const flawed& f, const params& p) { return f.agreed(p); };
  expect_found(lax, "an unknown parameter in an answer fails");

  flawed last;  // Looks at the first offer only.
  last.on_accept = [](const flawed& f, const std::vector<params>& all) {
    return !all.empty() && f.sound(all[0]) ? f.agreed(all[0]) : answer_t{};
  };
  expect_found(last, "a bad offer does not spoil a good one");

  flawed doubles;
  doubles.alternatives = {{{"level", "1"}}};
  doubles.on_accept = [](const flawed& f, const std::vector<params>& all) {
    for (const params& p : all)
      if (!p.empty() && std::all_of(p.begin(), p.end(), [](const param& x) { return x.name == "level"; }))
        return f.agreed({p[0]});
    return answer_t{};
  };
  expect_found(doubles, "a parameter twice is declined");

  flawed values;
  values.alternatives = {{{"flag", std::nullopt}}};
  values.on_accept = [](const flawed& f, const std::vector<params>& all) {
    for (const params& p : all)
      if (p.size() == 1 && p[0].name == "flag") return f.agreed({{"flag", std::nullopt}});
    return answer_t{};
  };
  expect_found(values, "a value where none belongs is declined");

  flawed throws;
  throws.on_accept = [](const flawed&, const std::vector<params>&) -> answer_t { throw std::runtime_error("boom"); };
  expect_found(throws, "accept does not throw");

  flawed refuses;
  refuses.on_confirm = [](const flawed&, const params&) { return answer_t{}; };
  expect_found(refuses, "own answers are confirmed");

  flawed nothing;
  nothing.alternatives = {};
  expect_found(nothing, "there is an offer");

  flawed no_token;
  no_token.alternatives = {{{"a", "b c"}}};
  expect_found(no_token, "offers are tokens");

  flawed differs;
  differs.on_confirm = [](const flawed& f, const params& p) {
    answer_t a = f.sound(p) ? f.agreed(p) : std::nullopt;
    if (a) a->uses.rsv = 4;
    return a;
  };
  expect_found(differs, "both sides claim the same");

  flawed moody;
  moody.alternatives = {{}, {{"odd", std::nullopt}}};
  moody.on_accept = [calls = std::make_shared<int>(0)](const flawed& f, const std::vector<params>& all) {
    for (const params& p : all)
      if (f.sound(p)) return f.agreed(++*calls % 2 != 0 ? params{} : params{{"odd", std::nullopt}});
    return answer_t{};
  };
  expect_found(moody, "the same offer gets the same answer");
}

TEST(testkit_teeth, claims) {
  flawed other;  // Sets a bit that it did not claim.
  other.uses.rsv = 4;
  expect_found(other, "the contract is kept");

  flawed conflict;
  conflict.uses.trim_max = 99;
  expect_found(conflict, "it can be composed");

  flawed stays;  // Leaves its bit set on the way in.
  stays.stage.begin = [](direction way, head& h, context&) {
    if (way == direction::out) h.rsv |= 2;
    return verdict::bypass;
  };
  expect_found(stays, "no bit is left for the application");

  flawed dishonest;  // Says that it needs its bit, and changes messages that it did not mark.
  dishonest.uses.in_needs_rsv = true;
  dishonest.stage.begin = [](direction, head&, context&) { return verdict::in_place; };
  dishonest.stage.in_place = [](direction, byte_span b, context&) {
    for (std::byte& x : b)
      x ^= std::byte{1};
  };
  expect_found(dishonest, "messages arrive as they were");

  flawed hoards;
  hoards.uses.idle_state = false;
  hoards.stage.begin = [](direction, head&, context& c) {
    c.charge(10);
    return verdict::bypass;
  };
  expect_found(hoards, "idle_state false keeps nothing between messages");
  expect_found(hoards, "the contract is kept");  // And it never gives the bytes back.
}

TEST(testkit_teeth, traffic) {
  flawed eats;
  eats.stage.what = verdict::transform;
  eats.stage.transform = [](direction, byte_view in, byte_span out, bool fin, context&) {
    const std::size_t n = std::min(in.size(), out.size());
    std::copy_n(in.begin(), n, out.begin());
    const bool all = n == in.size();  // A full stop at the end of a message is lost.
    const std::size_t kept = all && fin && n > 1 ? n - 1 : n;
    return step{n, kept, all ? (fin ? flow::done : flow::more) : flow::full};
  };
  expect_found(eats, "messages arrive as they were");

  flawed one_way;
  one_way.stage.in_place = [](direction way, byte_span b, context&) {
    for (std::byte& x : b)
      x ^= way == direction::out ? std::byte{1} : std::byte{2};
  };
  expect_found(one_way, "messages arrive as they were");

  flawed chunks;  // Takes a chunk for a message.
  chunks.stage.in_place = [](direction, byte_span b, context&) { std::reverse(b.begin(), b.end()); };
  expect_found(chunks, "messages arrive as they were");

  flawed drops;
  drops.stage.what = verdict::whole;
  drops.stage.whole = [](direction way, const head& h, buffer b, context& c) {
    if (b.size() != 1) static_cast<void>(c.forward(way, h, std::move(b)));
  };
  expect_found(drops, "messages arrive as they were");

  flawed forgets;  // Does not look whether a forward was taken.
  forgets.stage.what = verdict::whole;
  forgets.stage.whole = [](direction way, const head& h, buffer b, context& c) {
    static_cast<void>(c.forward(way, h, std::move(b)));
  };
  expect_found(forgets, "a refused forward is not lost in silence");

  flawed throws;
  throws.stage.in_place = [](direction, byte_span b, context&) {
    if (b.size() > 2000) throw std::runtime_error("too long for me");
  };
  expect_found(throws, "messages pass without a failure");
  expect_found(throws, "the contract is kept");

  flawed stuck;
  stuck.stage.what = verdict::transform;
  stuck.stage.transform = [](direction, byte_view in, byte_span out, bool fin, context&) -> step {
    if (out.size() < 8) return {0, 0, flow::full};  // Wants more room than it may get.
    const std::size_t n = std::min(in.size(), out.size());
    std::copy_n(in.begin(), n, out.begin());
    return {n, n, n < in.size() ? flow::full : fin ? flow::done : flow::more};
  };
  expect_found(stuck, "the contract is kept");
}

TEST(testkit_teeth, limits_and_memory) {
  flawed poor;  // Without memory it drops the message, and says nothing.
  poor.stage.what = verdict::whole;
  poor.stage.whole = [](direction way, const head& h, buffer b, context& c) {
    if (!c.charge(50)) return;
    c.charge(-50);
    if (!c.forward(way, h, std::move(b))) c.fail(close_code::policy_violation, "no room");
  };
  expect_found(poor, "without memory nothing is lost in silence");

  flawed leaks;  // Gives its memory back only when the message went well to its end.
  leaks.stage.begin = [](direction, head&, context& c) {
    c.charge(10);
    return verdict::in_place;
  };
  leaks.stage.in_place = [](direction, byte_span b, context& c) {
    if (b.size() < 700) c.charge(-10);
  };
  expect_found(leaks, "the contract is kept");

  flawed late;  // Undoes in `closed` what was already undone.
  late.stage.open = [](context& c) { c.charge(10); };
  late.stage.closed = [](context& c) { c.charge(-20); };
  expect_found(late, "a lost connection leaves nothing behind");

  flawed holds;  // Marks a held-back message as two: over the limit it is not refused, it is cut.
  holds.stage.what = verdict::whole;
  holds.stage.whole = [](direction way, const head& h, buffer b, context& c) {
    if (way == direction::in && b.size() > c.limit(way) - 1) b.resize(static_cast<std::size_t>(c.limit(way)) - 1);
    if (!c.forward(way, h, std::move(b))) c.fail(close_code::policy_violation, "no room");
  };
  expect_found(holds, "a message of exactly the limit arrives");
}

TEST(testkit_teeth, damage) {
  flawed trusts;  // Throws at what only a damaged wire brings.
  trusts.stage.in_place = [](direction way, byte_span b, context&) {
    if (way == direction::out) {
      for (std::byte& x : b)
        x = static_cast<std::byte>(std::to_integer<unsigned>(x) >> 1 | (std::to_integer<unsigned>(x) & 1U) << 7);
      return;
    }
    for (std::byte& x : b)
      x = static_cast<std::byte>(std::to_integer<unsigned>(x) << 1 | std::to_integer<unsigned>(x) >> 7);
  };
  EXPECT_TRUE(run(trusts, quick()).passed());

  flawed fragile;
  fragile.uses.opcodes = 1U << 11;
  fragile.stage.control = [](byte_view b, context&) {
    if (b.size() != 4) throw std::runtime_error("a control frame has four bytes");
  };
  expect_found(fragile, "noise is the peer's fault");
}

bool passes(const any_factory& f, const testkit::options& o, std::string_view name) {
  const report r = run(f, o);
  const testkit::check* c = r.find(name);
  return c != nullptr && c->passed;
}

TEST(testkit_teeth, rows_of_the_author) {
  testkit::options o = quick();
  o.wire = {{"abc", "abc", 1}};
  EXPECT_FALSE(passes(demo::rot13(), o, "own wire rows"));
  o.wire = {};
  o.negotiation = {{role::server, "x-rot13", "", false}};
  EXPECT_FALSE(passes(demo::rot13(), o, "own negotiation rows"));
  o.negotiation = {{role::client, "x-rot13", "", true}};
  EXPECT_FALSE(passes(demo::rot13(), o, "own negotiation rows"));
  o.negotiation = {{role::client, "x-rot13", "", false}, {role::server, "x-rot13;", "", true}};
  EXPECT_TRUE(passes(demo::rot13(), o, "own negotiation rows"));
}

// The wire order is the pipeline's work, so no stage can break it; a stage that looks at the other one's bytes can.
TEST(testkit_teeth, company) {
  flawed shy;  // Works only on messages of a parity: beside another extension it sees other lengths.
  shy.stage.begin = [](direction way, head& h, context& c) {
    if (way == direction::out && h.sized != 0 && h.size % 2 == 1) c.fail(close_code::policy_violation, "odd");
    return verdict::bypass;
  };
  expect_found(shy, "it works beside another extension");
}

}  // namespace
}  // namespace hawser
