// What permessage-deflate offers, answers and refuses. RFC 7692, 5 and 7.1; rows P-10 to P-17.
#include "ext/deflate_codec.h"

#include <gtest/gtest.h>
#include <hawser/core/negotiate.h>
#include <hawser/ext/deflate.h>

#include <functional>
#include <string>
#include <vector>

namespace hawser {
namespace {

using ext::deflate;
using ext::deflate_options;
using ext::deflate_preset;

deflate_options open_options(const std::function<void(deflate_options&)>& change = {}) {
  deflate_options o(deflate_preset::small);  // zlib, window 15, takeover: asks for nothing.
  if (change) change(o);
  return o;
}

std::string answered(const deflate_options& o, const std::string& offered) {
  extension_list list;
  list.add(deflate(o));
  std::string why;
  const auto n = core::answer_extensions(offered, list, {role::server, false}, why);
  return n ? n->header : "400: " + why;
}

/// Empty: confirmed; else why not.
std::string confirmed(const deflate_options& o, const std::string& answer) {
  extension_list list;
  list.add(deflate(o));
  std::string why;
  const auto n = core::confirm_extensions(answer, list, {role::client, false}, why);
  return n ? "" : why;
}

std::string offered(const deflate_options& o) {
  extension_list list;
  list.add(deflate(o));
  return core::offer_extensions(list, {role::client, false});
}

const std::string pmd = "permessage-deflate";

TEST(deflate_negotiation, what_a_server_answers) {
  struct row {
    const char* rule;
    std::function<void(deflate_options&)> change;
    std::string offer;
    std::string answer;
  };
  const auto none = [](deflate_options&) {};
  const auto alone = [](deflate_options& o) { o.server_no_context_takeover = o.client_no_context_takeover = true; };
  const auto narrow = [](deflate_options& o) { o.server_max_window_bits = o.client_max_window_bits = 10; };
  const row rows[] = {
      {"P-10", none, pmd, pmd},
      {"P-10, the first that can be done", none, pmd + "; server_max_window_bits=9, " + pmd,
       pmd + "; server_max_window_bits=9"},
      {"P-11, an unknown parameter is passed over", none, pmd + "; x=1, " + pmd, pmd},
      {"P-11, alone it declines", none, pmd + "; x=1", ""},
      {"P-11, a parameter twice", none, pmd + "; server_no_context_takeover; server_no_context_takeover", ""},
      {"P-11, with two values", none, pmd + "; client_max_window_bits; client_max_window_bits=10", ""},
      {"P-11, the next after three bad ones", none,
       pmd + "; y, " + pmd + "; server_max_window_bits, " + pmd + "; client_no_context_takeover=1, " + pmd +
           "; client_max_window_bits",
       pmd},
      {"P-13", none, pmd + "; server_no_context_takeover", pmd + "; server_no_context_takeover"},
      {"P-13, no value", none, pmd + "; server_no_context_takeover=1", ""},
      {"P-13, unasked", alone, pmd, pmd + "; server_no_context_takeover; client_no_context_takeover"},
      {"P-14", none, pmd + "; client_no_context_takeover", pmd + "; client_no_context_takeover"},
      {"P-14, no value", none, pmd + "; client_no_context_takeover=true", ""},
      {"P-15", none, pmd + "; server_max_window_bits=11", pmd + "; server_max_window_bits=11"},
      {"P-15, at most what is asked", narrow, pmd + "; server_max_window_bits=9", pmd + "; server_max_window_bits=9"},
      {"P-15, less than asked", narrow, pmd + "; server_max_window_bits=13", pmd + "; server_max_window_bits=10"},
      {"P-15, unasked", narrow, pmd, pmd + "; server_max_window_bits=10"},
      {"P-15, a value is needed", none, pmd + "; server_max_window_bits", ""},
      {"P-15, no leading zero", none, pmd + "; server_max_window_bits=010", ""},
      {"P-15, not below 8", none, pmd + "; server_max_window_bits=7", ""},
      {"P-15, not over 15", none, pmd + "; server_max_window_bits=16", ""},
      {"P-15, decimal", none, pmd + "; server_max_window_bits=0xA", ""},
      {"P-15, quoted (N-02)", none, pmd + "; server_max_window_bits=\"12\"", pmd + "; server_max_window_bits=12"},
      {"P-16, a hint without a value", none, pmd + "; client_max_window_bits", pmd},
      {"P-16, a hint with one", none, pmd + "; client_max_window_bits=12", pmd + "; client_max_window_bits=12"},
      {"P-16, chosen by the server", narrow, pmd + "; client_max_window_bits",
       pmd + "; server_max_window_bits=10; client_max_window_bits=10"},
      {"P-16, not when the client did not offer it", narrow, pmd, pmd + "; server_max_window_bits=10"},
      {"P-16, not below 8", none, pmd + "; client_max_window_bits=7", ""},
      {"P-16, 8 is for the client to do", none, pmd + "; client_max_window_bits=8", pmd + "; client_max_window_bits=8"},
      {"all four", none,
       pmd + "; client_max_window_bits=9; server_max_window_bits=10; client_no_context_takeover; "
             "server_no_context_takeover",
       pmd + "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; "
             "client_max_window_bits=9"},
      {"N-15", none, "Permessage-Deflate", ""},
  };
  for (const row& r : rows)
    EXPECT_EQ(answered(open_options(r.change), r.offer), r.answer) << r.rule << ": " << r.offer;
}

// P-20: zlib cannot compress in 8 bits. ISA-L can, and does it then; without it the offer is declined, the next taken.
TEST(deflate_negotiation, a_window_of_eight_P_20) {
  const bool can = ext::detail::has_engine(ext::deflate_engine::isal);
  EXPECT_EQ(answered(open_options(), pmd + "; server_max_window_bits=8"),
            can ? pmd + "; server_max_window_bits=8" : "");
  EXPECT_EQ(answered(open_options(), pmd + "; server_max_window_bits=8, " + pmd),
            can ? pmd + "; server_max_window_bits=8" : pmd);
  // Where the client sets no limit, 9 is no more than it takes.
  deflate_options narrow = open_options([](deflate_options& o) { o.server_max_window_bits = 8; });
  EXPECT_EQ(answered(narrow, pmd), pmd + "; server_max_window_bits=9");
  EXPECT_EQ(answered(narrow, pmd + "; server_max_window_bits=9"), pmd + "; server_max_window_bits=9");
  EXPECT_EQ(confirmed(open_options(), pmd + "; client_max_window_bits=8"), "");
}

// P-10: a limit on the server's window is a wish; the second offer is the same without it.
TEST(deflate_negotiation, what_a_client_offers) {
  EXPECT_EQ(offered(open_options()), pmd + "; client_max_window_bits");
  EXPECT_EQ(offered(open_options([](deflate_options& o) { o.offer_client_max_window_bits = false; })), pmd);
  EXPECT_EQ(offered(deflate_options(deflate_preset::fast)), pmd + "; client_max_window_bits");
  EXPECT_EQ(offered(deflate_options(deflate_preset::balanced)),
            pmd + "; server_max_window_bits=12; client_max_window_bits=12, " + pmd + "; client_max_window_bits=12");
  const std::string alone = pmd + "; server_no_context_takeover; client_no_context_takeover";
  EXPECT_EQ(offered(deflate_options(deflate_preset::low_memory)),
            alone + "; server_max_window_bits=12; client_max_window_bits=12, " + alone + "; client_max_window_bits=12");
}

// Whatever a client offers, a server that can do everything takes the first, one that cannot choose its window the
// second.
TEST(deflate_negotiation, two_of_a_kind_agree_on_the_first_offer) {
  for (const deflate_preset preset :
       {deflate_preset::fast, deflate_preset::balanced, deflate_preset::small, deflate_preset::low_memory}) {
    const deflate_options o(preset);
    const std::string answer = answered(open_options(), offered(o));
    EXPECT_EQ(answer.find("server_max_window_bits=12") != std::string::npos, o.server_max_window_bits == 12) << answer;
    EXPECT_EQ(confirmed(o, answer), "") << answer;
  }
}

TEST(deflate_negotiation, which_answers_a_client_takes_P_12) {
  struct row {
    const char* rule;
    std::function<void(deflate_options&)> change;
    std::string answer;
    bool good;
  };
  const auto none = [](deflate_options&) {};
  const auto alone = [](deflate_options& o) { o.server_no_context_takeover = o.client_no_context_takeover = true; };
  const auto narrow = [](deflate_options& o) { o.server_max_window_bits = o.client_max_window_bits = 10; };
  const auto unsaid = [](deflate_options& o) { o.offer_client_max_window_bits = false; };
  const row rows[] = {
      {"P-09", none, "", true},
      {"as offered", none, pmd, true},
      {"P-07, not offered", none, "permessage-bzip2", false},
      {"P-07, twice", none, pmd + ", " + pmd, false},
      {"P-12, an unknown parameter", none, pmd + "; x", false},
      {"P-12, twice", none, pmd + "; server_no_context_takeover; server_no_context_takeover", false},
      {"P-12, twice with a value", none, pmd + "; server_max_window_bits=10; server_max_window_bits=10", false},
      {"P-13, unasked", none, pmd + "; server_no_context_takeover", true},
      {"P-13, a value", none, pmd + "; server_no_context_takeover=1", false},
      {"P-13, asked and not given", alone, pmd + "; client_no_context_takeover", false},
      {"P-13, asked and given", alone, pmd + "; server_no_context_takeover", true},
      {"P-14, binding", none, pmd + "; client_no_context_takeover", true},
      {"P-14, a value", none, pmd + "; client_no_context_takeover=0", false},
      {"P-15, unasked", none, pmd + "; server_max_window_bits=9", true},
      {"P-15, 8 can be read", none, pmd + "; server_max_window_bits=8", true},
      {"P-15, less than asked", narrow, pmd + "; server_max_window_bits=9", true},
      {"P-15, as asked", narrow, pmd + "; server_max_window_bits=10", true},
      {"P-15, more than asked", narrow, pmd + "; server_max_window_bits=11", false},
      {"P-15, asked and not given: it answers the second offer", narrow, pmd, true},
      {"P-15, no value", none, pmd + "; server_max_window_bits", false},
      {"P-15, a leading zero", none, pmd + "; server_max_window_bits=09", false},
      {"P-15, out of range", none, pmd + "; server_max_window_bits=16", false},
      {"P-16, chosen by the server", none, pmd + "; client_max_window_bits=9", true},
      {"P-16, more than the hint", narrow, pmd + "; server_max_window_bits=10; client_max_window_bits=15", true},
      {"P-16, a value is needed", none, pmd + "; client_max_window_bits", false},
      {"P-16, not offered", unsaid, pmd + "; client_max_window_bits=10", false},
      {"P-16, out of range", none, pmd + "; client_max_window_bits=7", false},
  };
  for (const row& r : rows)
    EXPECT_EQ(confirmed(open_options(r.change), r.answer).empty(), r.good) << r.rule << ": " << r.answer;
}

// P-05: another extension on RSV1 is declined beside it, and never confirmed.
struct rival_stage {
  static constexpr unsigned hooks = hook::none;
  verdict begin(direction, head&, context&) { return verdict::bypass; }
};
struct rival {
  [[nodiscard]] static std::string_view name() { return "x-rival"; }
  [[nodiscard]] std::vector<params> offers() const { return {{}}; }
  [[nodiscard]] std::optional<accepted<rival_stage>> accept(const std::vector<params>&) const { return confirm({}); }
  [[nodiscard]] std::optional<accepted<rival_stage>> confirm(const params&) const {
    claims c;
    c.rsv = 4;
    return accepted<rival_stage>{{}, c, {}};
  }
};

TEST(deflate_negotiation, one_owner_of_rsv1_P_05) {
  extension_list list;
  list.add(deflate()).add(rival());
  std::string why;
  const auto n = core::answer_extensions("x-rival, " + pmd, list, {role::server, false}, why);
  ASSERT_TRUE(n);
  EXPECT_EQ(n->header, "x-rival");
  EXPECT_FALSE(
      core::confirm_extensions("x-rival, " + answered(deflate_options(), pmd), list, {role::client, false}, why));
}

TEST(deflate_negotiation, claims_follow_what_was_agreed) {
  const any_factory f = deflate(open_options([](deflate_options& o) { o.threshold = 100; }));
  const auto with = f.accept({{}});
  ASSERT_TRUE(with);
  EXPECT_EQ(with->uses.rsv, 4);
  EXPECT_TRUE(with->uses.in_needs_rsv);
  EXPECT_TRUE(with->uses.ordered);
  EXPECT_TRUE(with->uses.idle_state);
  EXPECT_EQ(with->uses.out_min_size, 100U);
  const params alone{{"server_no_context_takeover", {}}, {"client_no_context_takeover", {}}};
  const auto without = f.accept({alone});
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->uses.ordered);
  EXPECT_FALSE(without->uses.idle_state);
  EXPECT_TRUE(f.accept({{{"server_no_context_takeover", {}}}})->uses.ordered) << "the other direction still is";
}

TEST(deflate_negotiation, options_out_of_range_are_named_and_brought_into_it) {
  deflate_options o = open_options();
  EXPECT_EQ(o.fault(), nullptr);
  o.level = 11;
  o.memory_level = 0;
  o.client_max_window_bits = 3;
  EXPECT_STREQ(o.fault(), "the level is 1 to 9");
  EXPECT_EQ(deflate(o).options().level, 9);
  EXPECT_EQ(deflate(o).options().memory_level, 1);
  EXPECT_EQ(deflate(o).options().client_max_window_bits, 9) << "zlib, P-20";
  o = deflate_options(deflate_preset::fast);
  o.level = 4;
  EXPECT_STREQ(o.fault(), "the level of isal is 1 to 3");
}

}  // namespace
}  // namespace hawser
