// The names that --extension takes, and the words behind them.
#include "extensions.h"

#include <gtest/gtest.h>
#include <hawser/core/negotiate.h>
#include <hawser/ext/message_extension.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

namespace hawser_tool {
namespace {

TEST(tool_extensions_test, known_names_are_added_in_order) {
  hawser::extension_list list;
  std::string why;
  ASSERT_TRUE(add_extensions({"x-checksum", "x-rot13"}, list, why)) << why;
  ASSERT_EQ(list.all().size(), 2U);
  EXPECT_EQ(list.all()[0].name(), "x-checksum");
  EXPECT_EQ(list.all()[1].name(), "x-rot13");
  EXPECT_TRUE(add_extensions({}, list, why));
}

TEST(tool_extensions_test, what_is_wrong_is_said) {
  hawser::extension_list list;
  std::string why;
  EXPECT_FALSE(add_extensions({"x-rot31"}, list, why));
  EXPECT_EQ(why.rfind("no extension is called 'x-rot31'; known are ", 0), 0U) << why;
  EXPECT_NE(why.find("x-rot13, x-checksum"), std::string::npos) << why;
  EXPECT_FALSE(add_extensions({"x-rot13; level=3"}, list, why));
  EXPECT_EQ(why, "x-rot13 takes no parameters");
  EXPECT_FALSE(add_extensions({"x-rot13", "x-rot13"}, list, why));
  EXPECT_EQ(why, "--extension x-rot13 is given twice");
  EXPECT_TRUE(add_extensions({"permessage-deflate", "permessage-deflate;server_no_context_takeover"}, list, why))
      << why;
}

TEST(tool_extensions_test, every_row_of_the_table_is_whole) {
  std::set<std::string_view> names;
  for (const known_extension& k : known_extensions()) {
    SCOPED_TRACE(k.name);
    EXPECT_TRUE(names.insert(k.name).second) << "twice in the table";
    EXPECT_FALSE(k.summary.empty());
    EXPECT_LE(k.summary.size(), 80U) << "a line of `hawser ext list`";
    EXPECT_NE(k.summary.back(), '.');
    std::string why;
    const std::optional<hawser::any_factory> made = make_extension({std::string(k.name), {}}, why);
    if (why.find("this build has no") != std::string::npos) continue;
    ASSERT_TRUE(made) << why;
    EXPECT_EQ(made->name(), k.name);
    EXPECT_EQ(find_extension(k.name), &k);
  }
}

/// What the page says of working in-band: "yes", "no", or nothing.
std::string in_band_by_page(const std::string& page) {
  std::ifstream in(page);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::smatch found;
  return std::regex_search(text, found, std::regex("[Ii]n-band[ |:]+(yes|no)\\b")) ? found[1].str() : "";
}

// What works on messages works in-band as it is, what works on frames is declined with the reason, and pages say which.
TEST(tool_extensions_test, every_page_says_whether_it_works_in_band) {
  for (const known_extension& k : known_extensions()) {
    std::string why;
    const std::optional<hawser::any_factory> made = make_extension({std::string(k.name), {}}, why);
    if (k.page.empty() || !made) continue;
    hawser::extension_list list;
    list.add(*made);
    const hawser::core::conditions client{hawser::role::client, true, true};
    const hawser::core::conditions server{hawser::role::server, true, true};
    const auto answer =
        hawser::core::answer_extensions(hawser::core::offer_extensions(list, client), list, server, why);
    ASSERT_TRUE(answer) << why;
    ASSERT_EQ(answer->notes.size(), 1U);
    const bool works = !answer->agreed.empty();
    EXPECT_EQ(in_band_by_page(std::string(k.page)), works ? "yes" : "no") << k.page << ": | in-band | yes or no |";
    if (!works) {
      EXPECT_NE(answer->notes[0].text.find("works on frames"), std::string::npos) << answer->notes[0].text;
    }
  }
}

// The kit puts an extension beside those that are shipped: it must know them all.
TEST(tool_extensions_test, what_is_shipped_is_in_the_company_of_the_kit) {
  const std::vector<hawser::any_factory> company = hawser::testkit::shipped();
  for (const known_extension& k : known_extensions()) {
    std::string why;
    make_extension({std::string(k.name), {}}, why);
    if (k.page.empty() || why.find("this build has no") != std::string::npos) continue;
    EXPECT_TRUE(std::any_of(company.begin(), company.end(), [&](const auto& f) { return f.name() == k.name; }))
        << k.name << " is missing in hawser::testkit::shipped()";
  }
}

// ---- words

TEST(tool_extensions_test, words_are_a_name_and_parameters) {
  extension_words got;
  std::string why;
  ASSERT_TRUE(read_extension("x-a; level=3 ;flag;file=\"/tmp/a b; c\"", got, why)) << why;
  EXPECT_EQ(got.name, "x-a");
  const hawser::params wanted = {{"level", "3"}, {"flag", std::nullopt}, {"file", "/tmp/a b; c"}};
  EXPECT_EQ(got.given, wanted);
}

TEST(tool_extensions_test, words_that_cannot_be_read_are_shown) {
  for (const char* bad :
       {"", ";", "x-a;", "x a", "x-a;=3", "x-a;l=", "x-a;l=\"\"", "x-a;l=\"a", "x-a;a\"b=1", "x-a,x-b"}) {
    extension_words got;
    std::string why;
    EXPECT_FALSE(read_extension(bad, got, why)) << bad;
    EXPECT_EQ(why, "'" + std::string(bad) + "' is not NAME[;parameter[=value]]...");
  }
}

// ---- given parameters

std::string complaint_after(const hawser::params& all, void (*read)(given_parameters&)) {
  given_parameters given("x-a", all);
  read(given);
  return given.complaint();
}

TEST(tool_given_parameters_test, what_is_good_is_read) {
  given_parameters given("x-a", {{"level", "9"}, {"flag", std::nullopt}, {"way", "fast"}, {"file", "a b"}});
  EXPECT_EQ(given.number("level", 1, 9), 9U);
  EXPECT_TRUE(given.flag("flag"));
  EXPECT_FALSE(given.flag("other"));
  EXPECT_EQ(given.word("way", {"slow", "fast"}), "fast");
  EXPECT_EQ(given.text("file"), "a b");
  EXPECT_EQ(given.text("absent"), std::nullopt);
  EXPECT_EQ(given.number("absent", 1, 9), std::nullopt);
  EXPECT_EQ(given.complaint(), "");
}

TEST(tool_given_parameters_test, the_first_mistake_is_said) {
  const auto number = [](given_parameters& g) { static_cast<void>(g.number("level", 1, 9)); };
  for (const char* bad : {"0", "10", "3x", "-1", "99999999999999999999"})
    EXPECT_EQ(complaint_after({{"level", bad}}, number),
              "x-a: level wants a whole number from 1 to 9, not '" + std::string(bad) + "'");
  EXPECT_EQ(complaint_after({{"level", std::nullopt}}, number), "x-a: level wants a whole number from 1 to 9");
  EXPECT_EQ(complaint_after({{"level", "1"}, {"level", "2"}}, number), "x-a: level is given twice");
  EXPECT_EQ(complaint_after({{"flag", "1"}}, [](given_parameters& g) { g.flag("flag"); }), "x-a: flag takes no value");
  const auto word = [](given_parameters& g) { static_cast<void>(g.word("way", {"slow", "fast"})); };
  EXPECT_EQ(complaint_after({{"way", "quick"}}, word), "x-a: way wants one of slow, fast, not 'quick'");
  EXPECT_EQ(complaint_after({{"file", std::nullopt}}, [](given_parameters& g) { static_cast<void>(g.text("file")); }),
            "x-a: file wants a value");
  EXPECT_EQ(complaint_after({}, [](given_parameters& g) { g.refuse("no such file"); }), "x-a: no such file");
}

TEST(tool_given_parameters_test, what_nobody_read_is_refused) {
  EXPECT_EQ(complaint_after({{"what", "1"}}, [](given_parameters&) {}), "x-a takes no parameters");
}

}  // namespace
}  // namespace hawser_tool
