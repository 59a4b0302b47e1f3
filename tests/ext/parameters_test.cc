// What the shipped extensions say when they decline an offer or refuse an answer. N-13, P-10 to P-17.
#include "ext/parameters.h"

#include "ext/deflate_codec.h"

#include <gtest/gtest.h>
#include <hawser/core/close_code.h>
#include <hawser/core/negotiate.h>
#include <hawser/ext/ack.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/deflate.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ext/no_masking.h>
#include <hawser/ext/priority.h>
#include <hawser/ext/trace.h>
#include <hawser/ext/zstd.h>

#include <string>
#include <vector>

namespace hawser {
namespace {

std::string declined(const any_factory& f, const std::string& offered) {
  extension_list list;
  list.add(f);
  std::string why;
  const auto n = core::answer_extensions(offered, list, {role::server, true}, why);
  return n ? n->notes.front().text : why;
}

std::string refused(const any_factory& f, const std::string& answered) {
  extension_list list;
  list.add(f);
  std::string why;
  const auto n = core::confirm_extensions(answered, list, {role::client, true}, why);
  if (n) return "taken";
  EXPECT_EQ(n.error(), errc::extension_parameters);
  EXPECT_LE(why.size(), max_close_reason);
  return why;
}

ext::deflate narrow() {
  ext::deflate_options o(ext::deflate_preset::small);
  o.server_max_window_bits = 12;
  o.server_no_context_takeover = true;
  o.offer_client_max_window_bits = false;
  return ext::deflate(o);
}

TEST(parameters, each_fault_of_an_offer_is_named_P_11) {
  const std::string pmd = "permessage-deflate";
  const std::string bits = pmd + "; server_max_window_bits";
  const std::string no_number = " is no number from 8 to 15";
  const std::vector<std::pair<std::string, std::string>> rows = {
      {bits + "=7", "server_max_window_bits=7" + no_number},
      {bits + "=08", "server_max_window_bits=08" + no_number + " without a leading zero"},
      {bits + "=16", "server_max_window_bits=16" + no_number},
      {bits + "=99999999999999", "server_max_window_bits=99999999999999" + no_number},
      {bits, "server_max_window_bits wants a number from 8 to 15"},
      {bits + "=9; server_max_window_bits=9", "server_max_window_bits is there twice"},
      {pmd + "; server_no_context_takeover=1", "server_no_context_takeover takes no value"},
      {pmd + "; foo=1", "there is no parameter foo"},
      {pmd + "; foo, " + bits, "there is no parameter foo; server_max_window_bits wants a number from 8 to 15"},
  };
  for (const auto& [offer, words] : rows)
    EXPECT_EQ(declined(ext::deflate(), offer), pmd + ": declined: " + words) << offer;
}

TEST(parameters, a_window_that_nothing_here_compresses_in_is_named_P_20) {
  const std::string words = declined(ext::deflate(), "permessage-deflate; server_max_window_bits=8");
  if (ext::detail::has_engine(ext::deflate_engine::isal))
    EXPECT_EQ(words,
              "permessage-deflate: accepted as permessage-deflate; server_no_context_takeover; "
              "client_no_context_takeover; server_max_window_bits=8");
  else
    EXPECT_EQ(words,
              "permessage-deflate: declined: server_max_window_bits=8 needs ISA-L, which this build does not have");
}

TEST(parameters, each_fault_of_an_answer_is_named_P_12) {
  const std::string pmd = "permessage-deflate; server_no_context_takeover";
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"permessage-deflate", "server_no_context_takeover was offered and is missing"},
      {pmd + "; server_max_window_bits=13", "server_max_window_bits=13 is over the 12 that was offered"},
      {pmd + "; client_max_window_bits=9", "client_max_window_bits was not offered"},
      {pmd + "; server_no_context_takeover", "server_no_context_takeover is there twice"},
      {pmd + "; foo", "there is no parameter foo"},
  };
  for (const auto& [answer, words] : rows)
    EXPECT_EQ(refused(narrow(), answer), "the server's answer for permessage-deflate is not acceptable: " + words);
  EXPECT_EQ(refused(narrow(), pmd), "taken");
}

TEST(parameters, each_shipped_extension_says_why_N_13) {
  struct row {
    any_factory made;
    std::string parameters;
    std::string offer;   // Why such an offer is declined; empty: it is not.
    std::string answer;  // Why such an answer is refused.
  };
  const std::string none = "it takes no parameters, such as a=1";
  std::vector<row> rows = {
      {ext::checksum(), "; a=1", none, none},
      {ext::trace(), "; a=1", none, none},
      {ext::no_masking(), "; a=1", none, none},
      {ext::message_extension("x-two"), "; a=1", none, none},
      {ext::ack(), "; every=0", "every=0 is no number from 1 to 1024", "every=0 is no number from 1 to 1024"},
      {ext::ack(), "; every=17; within=25", "", "every=17 is over the 16 that was offered"},
      {ext::ack(), "; every=16", "", "within is missing"},
      {ext::ack(), "; every=16; every=16", "every is there twice", "every is there twice"},
      {ext::ack(), "; often", "there is no parameter often", "there is no parameter often"},
      {ext::priority(), "; window=5", "window=5 is no number from 16384 to 1073741824",
       "window=5 is no number from 16384 to 1073741824"},
      {ext::priority(), "; memory=65536; memory=65536", "memory is there twice", "memory is there twice"},
      {ext::priority(), "; b", "there is no parameter b", "there is no parameter b"},
  };
  if (ext::zstd::available()) {
    rows.push_back(
        {ext::zstd(), "; window=24", "window=24 is no number from 10 to 23", "window=24 is no number from 10 to 23"});
    rows.push_back({ext::zstd(), "; window=19", "", "window=19 is over the 18 that was offered"});
    rows.push_back({ext::zstd(), "", "", "window is missing"});
    rows.push_back({ext::zstd(), "; window=18; dictionary=5", "dictionary=5, and there is none at this end",
                    "dictionary=5, and there is none at this end"});
    rows.push_back({ext::zstd(), "; window=18; a", "there is no parameter a", "there is no parameter a"});
  }
  for (const row& r : rows) {
    const std::string name(r.made.name());
    SCOPED_TRACE(name + r.parameters);
    if (r.offer.empty())
      EXPECT_EQ(declined(r.made, name + r.parameters).find("declined"), std::string::npos);
    else
      EXPECT_EQ(declined(r.made, name + r.parameters), name + ": declined: " + r.offer);
    const std::string start = "the server's answer for " + name + " is not acceptable: ";
    EXPECT_EQ(refused(r.made, name + r.parameters), start + r.answer);
  }
}

// Words of a peer are shown short, and do not add up without end.
TEST(parameters, what_a_peer_writes_is_cut) {
  std::string why;
  for (int i = 0; i < 1000; ++i)
    ext::detail::say_unknown({std::string(7000, 'a'), std::nullopt}, why);
  EXPECT_LT(why.size(), 400U);
  EXPECT_EQ(ext::detail::shown({"a", std::string(41, '1')}), "a=" + std::string(40, '1') + "...");
}

}  // namespace
}  // namespace hawser
