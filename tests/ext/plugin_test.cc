// The boundary of plug-ins: what is refused when a table is read, what is refused in a negotiation.
#include "ext/plugin_kit.h"

#include <gtest/gtest.h>
#include <hawser/core/negotiate.h>
#include <hawser/testkit/testkit.h>

#include <cstddef>
#include <cstring>

namespace hawser {
namespace {

using test::plugin_tables;
using test::plugin_world;

// Structs may only grow at their end: a plug-in that was built with the first header must find everything where it was.
TEST(plugin_layout_test, nothing_moves_from_release_to_release) {
  static_assert(sizeof(void*) == 8);
  static_assert(sizeof(hawser_text) == 16 && sizeof(hawser_param) == 32 && sizeof(hawser_params) == 16);
  static_assert(offsetof(hawser_head, opcode) == 4 && offsetof(hawser_head, flags) == 8);
  static_assert(offsetof(hawser_head, size) == 16 && sizeof(hawser_head) == 24);
  static_assert(offsetof(hawser_step, consumed) == 8 && offsetof(hawser_step, trim) == 24 && sizeof(hawser_step) == 32);
  static_assert(offsetof(hawser_claims, opcodes) == 8 && offsetof(hawser_claims, rsv) == 14);
  static_assert(offsetof(hawser_claims, out_min_size) == 16 && sizeof(hawser_claims) == 24);
  static_assert(offsetof(hawser_context_api, side) == 8 && offsetof(hawser_context_api, fail) == 56);
  static_assert(offsetof(hawser_context_api, note) == 144 && sizeof(hawser_context_api) == 152);
  static_assert(offsetof(hawser_negotiation, add) == 8 && sizeof(hawser_negotiation) == 32);
  static_assert(offsetof(hawser_stage, destroy) == 8 && offsetof(hawser_stage, begin) == 16);
  static_assert(offsetof(hawser_stage, closed) == 120 && sizeof(hawser_stage) == 128);
  static_assert(offsetof(hawser_plugin, name) == 8 && offsetof(hawser_plugin, configure) == 40);
  static_assert(offsetof(hawser_plugin, confirm) == 72 && sizeof(hawser_plugin) == 80);
}

struct plugin_test : ::testing::Test {
  plugin_world world;
  plugin_tables tables;
  std::string why;

  plugin_test() { test::world_now() = &world; }

  std::string refused(const params& given = {}) {
    const result<ext::plugin> made = ext::plugin::from(&tables.plugin, given, &why);
    EXPECT_TRUE(made || made.error() == errc::invalid_plugin);
    return made ? "it was taken" : why;
  }
  ext::plugin made(const params& given = {}) {
    result<ext::plugin> one = ext::plugin::from(&tables.plugin, given, &why);
    EXPECT_TRUE(one) << why;
    return *one;
  }
};

// ---- tables

TEST_F(plugin_test, good_tables_are_taken) {
  tables.plugin.parameters = "level=1..9  how much\nflag  whether";
  const ext::plugin p = made();
  EXPECT_EQ(p.name(), "x-plug");
  EXPECT_EQ(p.summary(), "what the test wants");
  EXPECT_EQ(p.parameters(), "level=1..9  how much\nflag  whether");
  EXPECT_EQ(p.offers(), std::vector<params>{{}});
}

TEST_F(plugin_test, no_table_is_refused) {
  EXPECT_FALSE(ext::plugin::from(nullptr, {}, &why));
  EXPECT_EQ(why, "the plug-in gives no table");
  EXPECT_EQ(ext::plugin::from(nullptr).error(), errc::invalid_plugin);
}

TEST_F(plugin_test, a_size_that_cannot_be_is_refused) {
  for (const std::uint32_t size : {0U, 4U, 79U, 4097U, 0xFFFFFFFFU}) {
    tables.plugin.struct_size = size;
    EXPECT_EQ(refused(), "the plug-in says that its table has " + std::to_string(size) +
                             " bytes; 80 are needed and 4096 are the most");
  }
  tables.plugin.struct_size = sizeof(hawser_plugin);
  tables.stage.struct_size = sizeof(hawser_stage) - 1;
  EXPECT_EQ(refused(), "x-plug says that its table of hooks has 127 bytes; 128 are needed and 4096 are the most");
}

// What a newer header adds lies behind what is known here, and is not looked at.
TEST_F(plugin_test, longer_tables_of_a_newer_header_are_taken) {
  tables.plugin.struct_size = sizeof(hawser_plugin) + 64;
  tables.stage.struct_size = 4096;
  EXPECT_EQ(made().name(), "x-plug");
}

TEST_F(plugin_test, a_table_where_none_can_be_is_refused) {
  alignas(8) char memory[sizeof(hawser_plugin) + 8];
  std::memcpy(memory + 1, &tables.plugin, sizeof tables.plugin);
  EXPECT_FALSE(ext::plugin::from(reinterpret_cast<const hawser_plugin*>(memory + 1), {}, &why));
  EXPECT_EQ(why, "the plug-in gives a table at an address where none can be");
}

TEST_F(plugin_test, another_version_is_refused) {
  for (const std::uint32_t abi : {0U, 2U}) {
    tables.plugin.abi = abi;
    EXPECT_EQ(refused(),
              "the plug-in is built for version " + std::to_string(abi) + " of the boundary, and this is version 1");
  }
}

TEST_F(plugin_test, a_name_that_is_no_token_is_refused_N_01) {
  for (const char* name : {static_cast<const char*>(nullptr), "", "x y", "x\"", "x,y", "x\xC3\xA4"}) {
    tables.plugin.name = name;
    EXPECT_EQ(refused(), "the plug-in has a name that is no token: use letters, digits and dashes");
  }
  tables.plugin.name = "x\ny";
  EXPECT_EQ(refused(), "the plug-in has a name that is not UTF-8 or has control characters in it");
  const std::string longest(64, 'x');
  tables.plugin.name = longest.c_str();
  EXPECT_EQ(made().name(), longest);
  const std::string longer(65, 'x');
  tables.plugin.name = longer.c_str();
  EXPECT_EQ(refused(), "the plug-in has a name of more than 64 bytes");
}

TEST_F(plugin_test, texts_that_nobody_could_read_are_refused) {
  const std::string longer(201, 's');
  tables.plugin.summary = longer.c_str();
  EXPECT_EQ(refused(), "x-plug has a summary of more than 200 bytes");
  for (const char* text : {"two\nlines", "\x1B[31mred", "\xFF"}) {
    tables.plugin.summary = text;
    EXPECT_EQ(refused(), "x-plug has a summary that is not UTF-8 or has control characters in it");
  }
  tables.plugin.summary = nullptr;
  tables.plugin.parameters = "a\tb";
  EXPECT_EQ(refused(), "x-plug has a text on its parameters that is not UTF-8 or has control characters in it");
  tables.plugin.parameters = nullptr;
  EXPECT_EQ(made().summary(), "");
}

TEST_F(plugin_test, functions_that_must_be_there_are) {
  tables.plugin.stage = nullptr;
  EXPECT_EQ(refused(), "x-plug gives no table of hooks");
  tables.plugin.stage = &tables.stage;
  const auto accept = std::exchange(tables.plugin.accept, nullptr);
  EXPECT_EQ(refused(), "x-plug has no accept");
  tables.plugin.accept = accept;
  tables.plugin.confirm = nullptr;
  EXPECT_EQ(refused(), "x-plug has no confirm");
}

TEST_F(plugin_test, hooks_are_what_they_are_said_to_be) {
  tables.stage.observe = nullptr;
  EXPECT_EQ(refused(), "x-plug says that it has the hook observe, which is null");
  tables.stage.hooks &= ~HAWSER_HOOK_OBSERVE;
  EXPECT_EQ(made().name(), "x-plug");
  tables.stage.hooks &= ~HAWSER_HOOK_CLOSED;
  EXPECT_EQ(refused(), "x-plug has the hook closed and does not say so in hooks");
  tables.stage.hooks |= HAWSER_HOOK_CLOSED | 1U << 13;
  EXPECT_EQ(refused(), "x-plug has hooks that this version does not know");
  tables.stage.begin = nullptr;
  EXPECT_EQ(refused(), "x-plug has no begin hook");
}

// The tables are copied: what a plug-in does to them later changes nothing.
TEST_F(plugin_test, tables_that_change_later_change_nothing) {
  const ext::plugin p = made();
  tables.plugin.accept = nullptr;
  tables.plugin.name = nullptr;
  EXPECT_EQ(p.name(), "x-plug");
  EXPECT_TRUE(p.accept({{}}, why));
}

// ---- configuration

TEST_F(plugin_test, parameters_of_a_person_reach_it) {
  tables.configurable();
  std::string seen;
  world.configure = [&](const hawser_params& given, char*, std::uint64_t) -> void* {
    for (std::uint64_t i = 0; i < given.count; ++i) {
      const hawser_param& p = given.items[i];
      EXPECT_EQ(std::strlen(p.name.data), p.name.size);
      seen += p.name.data;
      if (p.value.data != nullptr) seen += std::string("=") + p.value.data;
      seen += ";";
    }
    return &world;
  };
  const ext::plugin p = made({{"file", "/tmp/a b"}, {"flag", std::nullopt}, {"flag", "2"}});
  EXPECT_EQ(seen, "file=/tmp/a b;flag;flag=2;");
  EXPECT_EQ(world.count("configure"), 1U);
}

TEST_F(plugin_test, refused_parameters_come_with_its_words) {
  EXPECT_EQ(refused({{"a", std::nullopt}}), "x-plug takes no parameters");
  tables.configurable();
  const char* words = "level is over 9";
  world.configure = [&](const hawser_params&, char* why_not, std::uint64_t size) -> void* {
    std::strncpy(why_not, words, size);
    return nullptr;
  };
  EXPECT_EQ(refused(), "x-plug refuses its parameters: level is over 9");
  words = "";
  EXPECT_EQ(refused(), "x-plug refuses its parameters");
  words = "\x1B[2J";
  EXPECT_EQ(refused(), "x-plug refuses its parameters: it says nothing readable");
  const std::string endless(1000, 'a');
  words = endless.c_str();
  EXPECT_EQ(refused(), "x-plug refuses its parameters: " + std::string(256, 'a'));
  world.configure = [](const hawser_params&, char*, std::uint64_t) -> void* { throw 1; };
  EXPECT_EQ(refused(), "x-plug threw while it was made");
  EXPECT_EQ(world.count("release"), 0U) << "there was nothing to release";
}

// ---- negotiation

TEST_F(plugin_test, offers_are_written_best_first) {
  tables.configurable();
  world.offers = [](hawser_negotiation* to) {
    EXPECT_EQ(to->add(to, "level", "9"), 1);
    EXPECT_EQ(to->add(to, "flag", nullptr), 1);
    EXPECT_EQ(to->next(to), 1);
    return 1;
  };
  EXPECT_EQ(made().offers(), (std::vector<params>{{{"level", "9"}, {"flag", std::nullopt}}, {}}));
  world.offers = [](hawser_negotiation*) { return 0; };
  EXPECT_TRUE(made().offers().empty());
  world.offers = [](hawser_negotiation* to) {
    for (int i = 1; i < 8; ++i)
      EXPECT_EQ(to->next(to), 1);
    EXPECT_EQ(to->next(to), 0);
    return 1;
  };
  EXPECT_EQ(made().offers().size(), core::max_extension_elements);
}

TEST_F(plugin_test, offers_that_cannot_be_sent_are_refused_when_it_is_loaded) {
  tables.configurable();
  const std::string longer(257, 'x');
  for (const auto& [name, value] : std::vector<std::pair<const char*, const char*>>{{nullptr, nullptr},
                                                                                    {"", nullptr},
                                                                                    {"a b", nullptr},
                                                                                    {"a", ""},
                                                                                    {"a", "1\r\nX: y"},
                                                                                    {"a", longer.c_str()},
                                                                                    {longer.c_str(), nullptr}}) {
    world.offers = [name = name, value = value](hawser_negotiation* to) {
      EXPECT_EQ(to->add(to, name, value), 0);
      return 1;
    };
    EXPECT_EQ(refused(), "x-plug gives a parameter that is no token, or one too many");
  }
  world.offers = [](hawser_negotiation* to) {
    for (int i = 0; i < 17; ++i)
      EXPECT_EQ(to->add(to, "a", nullptr), i < 16 ? 1 : 0);
    return 1;
  };
  EXPECT_EQ(refused(), "x-plug gives a parameter that is no token, or one too many");
  world.offers = [](hawser_negotiation*) -> std::int32_t { throw 1; };
  EXPECT_EQ(refused(), "x-plug threw while it was asked for its offers");
  EXPECT_EQ(world.count("release"), world.count("configure"));
}

std::string declined(const ext::plugin& p, const char* offered = "x-plug") {
  extension_list list;
  list.add(p);
  std::string why;
  const auto answer = core::answer_extensions(offered, list, {role::server, true}, why);
  if (!answer) return why;
  return answer->notes.at(0).text;
}

TEST_F(plugin_test, a_server_asks_it_with_all_offers) {
  world.accept = [](const hawser_params* all, std::uint64_t n, hawser_negotiation* to, hawser_claims*, void**) {
    EXPECT_EQ(n, 2U);
    EXPECT_EQ(all[0].count, 2U);
    EXPECT_STREQ(all[0].items[0].name.data, "a");
    EXPECT_STREQ(all[0].items[0].value.data, "1");
    EXPECT_EQ(all[0].items[1].value.data, nullptr);
    EXPECT_EQ(all[1].count, 0U);
    EXPECT_EQ(all[1].items, nullptr);
    return to->add(to, "a", "1");
  };
  EXPECT_EQ(declined(made(), "x-plug; a=\"1\"; b, x-plug"), "x-plug: accepted as x-plug; a=1");
  EXPECT_EQ(world.count("destroy"), 1U);
}

TEST_F(plugin_test, no_offer_is_no_question) {
  EXPECT_FALSE(made().accept({}, why));
  EXPECT_EQ(world.count("accept"), 0U);
}

TEST_F(plugin_test, a_no_comes_with_its_words) {
  const ext::plugin p = made();
  world.accept = [](const hawser_params*, std::uint64_t, hawser_negotiation* to, hawser_claims*, void**) {
    to->explain(to, "level is over 9");
    return 0;
  };
  EXPECT_EQ(declined(p), "x-plug: declined: level is over 9");
  world.confirm = [](const hawser_params*, hawser_negotiation* to, hawser_claims*) {
    to->explain(to, "not what was offered");
    return 0;
  };
  extension_list list;
  list.add(p);
  const auto confirmed = core::confirm_extensions("x-plug; a", list, {role::client, true}, why);
  EXPECT_EQ(confirmed.error(), errc::extension_parameters);
  EXPECT_NE(why.find("not what was offered"), std::string::npos) << why;
  EXPECT_EQ(world.count("destroy"), 0U) << "it said no, so there was no stage";
}

TEST_F(plugin_test, answers_that_cannot_be_sent_decline) {
  const ext::plugin p = made();
  world.accept = [](const hawser_params*, std::uint64_t, hawser_negotiation* to, hawser_claims*, void**) {
    EXPECT_EQ(to->next(to), 0);
    to->add(to, "a b", nullptr);
    return 1;
  };
  EXPECT_EQ(declined(p), "x-plug: declined: the plug-in gives a parameter that is no token, or one too many");
  EXPECT_EQ(world.count("destroy"), 1U) << "the stage that it made goes";
  world.accept = [](const hawser_params*, std::uint64_t, hawser_negotiation*, hawser_claims*, void**) -> std::int32_t {
    throw 1;
  };
  EXPECT_EQ(declined(p), "x-plug: declined: its factory threw");
  world.confirm = [](const hawser_params*, hawser_negotiation* to, hawser_claims*) {
    return to->add(to, "a", nullptr) + 1;
  };
  EXPECT_FALSE(p.confirm({}, why));
}

TEST_F(plugin_test, claims_out_of_range_decline) {
  const ext::plugin p = made();
  const auto claiming = [&](void (*claim)(hawser_claims*)) {
    world.accept = [claim](const hawser_params*, std::uint64_t, hawser_negotiation*, hawser_claims* uses, void**) {
      EXPECT_EQ(uses->struct_size, sizeof(hawser_claims));
      EXPECT_EQ(uses->interest, 1U << 1 | 1U << 2);
      claim(uses);
      return 1;
    };
    return declined(p);
  };
  EXPECT_EQ(claiming([](hawser_claims* c) { c->rsv = 8; }),
            "x-plug: declined: x-plug claims a bit that is none of RSV1 to RSV3");
  EXPECT_EQ(claiming([](hawser_claims* c) { c->opcodes = 1U << 8; }),
            "x-plug: declined: x-plug claims opcode 8; only 3 to 7 and 11 to 15 are free for extensions");
  EXPECT_EQ(claiming([](hawser_claims* c) { c->trim_max = 9; }),
            "x-plug: declined: x-plug claims to trim more than 8 bytes");
  EXPECT_EQ(claiming([](hawser_claims* c) { c->flags = 1U << 6; }),
            "x-plug: declined: the plug-in claims what this version does not know");
  EXPECT_EQ(claiming([](hawser_claims* c) { c->struct_size = 3; }), "x-plug: accepted as x-plug");
  EXPECT_EQ(claiming([](hawser_claims* c) { c->opcodes = 0xF8F8; }), "x-plug: accepted as x-plug");
}

TEST_F(plugin_test, claims_arrive_as_they_were_made) {
  world.confirm = [](const hawser_params*, hawser_negotiation*, hawser_claims* uses) {
    uses->flags = HAWSER_CLAIM_IN_NEEDS_RSV | HAWSER_CLAIM_ORDERED | HAWSER_CLAIM_NO_IDLE_STATE;
    uses->opcodes = 1U << 11;
    uses->interest = 1U << 2;
    uses->adds_max = 300;
    uses->rsv = HAWSER_RSV1 | HAWSER_RSV3;
    uses->trim_max = 4;
    uses->out_min_size = std::uint64_t{1} << 40;
    return 1;
  };
  const claims c = made().confirm({}, why)->uses;
  EXPECT_TRUE(c.in_needs_rsv && c.ordered && !c.idle_state && !c.reorders && !c.restores_order && !c.replays);
  EXPECT_EQ(c.opcodes, 1U << 11);
  EXPECT_EQ(c.opcodes_of_interest, 1U << 2);
  EXPECT_EQ(c.adds_max, 300U);
  EXPECT_EQ(c.rsv, 5U);
  EXPECT_EQ(c.trim_max, 4U);
  EXPECT_EQ(c.out_min_size, std::uint64_t{1} << 40);
  world.confirm = [](const hawser_params*, hawser_negotiation*, hawser_claims* uses) {
    uses->flags = HAWSER_CLAIM_REORDERS | HAWSER_CLAIM_RESTORES_ORDER | HAWSER_CLAIM_REPLAYS;
    return 1;
  };
  const claims d = made().confirm({}, why)->uses;
  EXPECT_TRUE(d.reorders && d.restores_order && d.replays && !d.ordered && !d.in_needs_rsv && d.idle_state);
}

// ---- life

// The code must be there as long as anything can call it: release after the last stage, the library after that.
TEST_F(plugin_test, its_library_stays_until_the_last_stage_is_gone) {
  tables.configurable();
  auto library = std::shared_ptr<const void>(&tables, [this](const void*) { world.note("unload"); });
  core::any_stage stage;
  {
    result<ext::plugin> p = ext::plugin::from(&tables.plugin, {}, &why, std::move(library));
    ASSERT_TRUE(p) << why;
    const any_factory copy(*p);
    std::optional<core::agreement> agreed = copy.accept({{}});
    ASSERT_TRUE(agreed);
    stage = std::move(agreed->work);
  }
  EXPECT_EQ(world.calls, (std::vector<std::string>{"configure", "accept"}));
  stage = {};
  EXPECT_EQ(world.calls, (std::vector<std::string>{"configure", "accept", "destroy", "release", "unload"}));
}

}  // namespace
}  // namespace hawser
