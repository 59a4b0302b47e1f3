// docs/errors.md against the code: every error and no other, whose fault each is, and what the peer hears of it.
#include "docs/table.h"

#include <gtest/gtest.h>
#include <hawser/base/errc.h>
#include <hawser/core/close_code.h>
#include <hawser/core/handshake.h>

#include <map>
#include <regex>
#include <set>
#include <string>
#include <system_error>

namespace hawser::test {
namespace {

/// The names of an enumeration, as its header has them.
std::map<std::string, int> values_of(const std::string& header, const std::string& enumeration) {
  std::string_view text = header;
  static_cast<void>(take_until(text, "enum class " + enumeration + " : std::uint8_t {"));
  const std::string body(take_until(text, "};"));
  const std::regex value("\\n  (\\w+) =\\s*(\\d+),");
  std::map<std::string, int> found;
  for (std::sregex_iterator it(body.begin(), body.end(), value), end; it != end; ++it)
    found[(*it)[1]] = std::stoi((*it)[2]);
  return found;
}

class errors_page : public testing::Test {
 protected:
  std::string header_ = text_of("include/hawser/base/errc.h");
  std::map<std::string, int> errors_ = values_of(header_, "errc");
  std::map<std::string, int> faults_ = values_of(header_, "fault");
  std::vector<std::pair<std::string, table_row>> rows_ = rows_of("docs/errors.md");
};

/// What the code has for the third column: an HTTP status, the code of a close frame, both, or nothing.
std::string heard(errc error) {
  const int status = core::refusal_for(error, {}).status;
  std::string all = status == 500 ? "" : "HTTP " + std::to_string(status);
  const fault whose = fault_of(error);
  const close_code code = close_code_for(error);
  // A call that was a mistake touches no connection; `terminate` sends no close frame.
  if (whose == fault::caller_mistake || whose == fault::cancelled || code == close_code::abnormal) return all;
  return all + (all.empty() ? "" : ", ") + std::to_string(static_cast<int>(code));
}

TEST_F(errors_page, has_every_error_and_no_other) {
  std::set<std::string> described;
  for (const auto& [heading, cells] : rows_) {
    if (cells.size() != 5) continue;
    EXPECT_TRUE(errors_.contains(cells[0])) << cells[0];
    EXPECT_TRUE(described.insert(cells[0]).second) << cells[0] << " stands there twice";
  }
  ASSERT_GT(errors_.size(), 80U);
  for (const auto& [name, value] : errors_)
    EXPECT_EQ(described.contains(name), name != "ok") << name;
}

TEST_F(errors_page, says_whose_fault_each_is_and_what_the_peer_hears) {
  for (const auto& [heading, cells] : rows_) {
    if (cells.size() != 5) continue;
    SCOPED_TRACE(cells[0]);
    const auto error = static_cast<errc>(errors_.at(cells[0]));
    ASSERT_TRUE(faults_.contains(cells[1])) << cells[1];
    EXPECT_EQ(static_cast<int>(fault_of(error)), faults_.at(cells[1]));
    EXPECT_EQ(heard(error), cells[2]);
    EXPECT_FALSE(cells[3].empty());
    EXPECT_FALSE(cells[4].empty()) << "it does not say what to do";
  }
}

TEST_F(errors_page, has_every_fault_but_none) {
  std::set<std::string> described;
  for (const auto& [heading, cells] : rows_)
    if (heading == "What to ask of an error") described.insert(cells[0]);
  for (const auto& [name, value] : faults_)
    EXPECT_EQ(described.contains(name), name != "none") << name;
}

enum class then { nothing, correct, wait, again };

then what_to_do(std::error_code error) {
  if (!error || error == hawser::fault::closed || error == hawser::fault::cancelled) return then::nothing;
  if (error == hawser::errc::would_block) return then::wait;  // `on_drain` says when.
  return error == hawser::fault::transport ? then::again : then::correct;
}

TEST_F(errors_page, the_example_chooses_by_the_fault) {
  EXPECT_EQ(what_to_do({}), then::nothing);
  EXPECT_EQ(what_to_do(errc::closed), then::nothing);
  EXPECT_EQ(what_to_do(errc::would_block), then::wait);
  EXPECT_EQ(what_to_do(errc::ping_timeout), then::again);
  EXPECT_EQ(what_to_do(std::make_error_code(std::errc::connection_reset)), then::again);
  EXPECT_EQ(what_to_do(errc::message_too_big), then::correct);
  EXPECT_EQ(what_to_do(errc::invalid_url), then::correct);
  EXPECT_EQ(std::error_code(errc::ping_timeout), std::errc::timed_out);
}

}  // namespace
}  // namespace hawser::test
