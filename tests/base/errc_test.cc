#include <gtest/gtest.h>
#include <hawser/base/errc.h>

#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

using hawser::describe;
using hawser::errc;
using hawser::fault;
using hawser::fault_of;

// All values that the header declares, found by asking for every number there is.
std::vector<errc> all_codes() {
  const std::string_view unknown = describe(static_cast<errc>(255));
  std::vector<errc> codes;
  for (int value = 1; value < 255; ++value) {
    const auto code = static_cast<errc>(value);
    if (describe(code) != unknown) codes.push_back(code);
  }
  return codes;
}

// The groups of the header by their ranges of numbers, written down by hand: 17 + 2 + 15 + 24 + 19 + 4.
TEST(errc, every_code_has_a_sentence_of_its_own) {
  const std::vector<errc> codes = all_codes();
  EXPECT_EQ(codes.size(), 81U);
  std::set<std::string_view> sentences;
  for (const errc code : codes) {
    const std::string_view sentence = describe(code);
    SCOPED_TRACE(sentence);
    EXPECT_TRUE(sentences.insert(sentence).second) << "said twice";
    EXPECT_GT(sentence.size(), 40U) << "too short to say what to do";
    EXPECT_EQ(sentence.back(), '.');
    EXPECT_TRUE(sentence.front() >= 'A' && sentence.front() <= 'Z');
  }
}

TEST(errc, message_of_the_standard_is_the_sentence) {
  const std::error_code code = errc::origin_denied;
  EXPECT_EQ(code.message(), describe(errc::origin_denied));
  EXPECT_STREQ(code.category().name(), "hawser");
  EXPECT_EQ(code.value(), 69);
}

TEST(errc, ok_is_no_error) {
  EXPECT_FALSE(std::error_code(errc::ok));
  EXPECT_EQ(fault_of(errc::ok), fault::none);
  EXPECT_EQ(std::error_code(errc::ok), fault::none);
}

TEST(errc, every_code_equals_its_fault_and_no_other) {
  for (const errc code : all_codes()) {
    const std::error_code standard = code;
    SCOPED_TRACE(standard.message());
    for (int value = 0; value <= 7; ++value) {
      const auto kind = static_cast<fault>(value);
      EXPECT_EQ(standard == kind, kind == fault_of(code));
      EXPECT_EQ(kind == standard, kind == fault_of(code)) << "the other way round";
    }
  }
}

TEST(errc, faults_by_example) {
  EXPECT_EQ(fault_of(errc::invalid_url), fault::caller_mistake);
  EXPECT_EQ(fault_of(errc::would_block), fault::limit);
  EXPECT_EQ(fault_of(errc::closed), fault::closed);
  EXPECT_EQ(fault_of(errc::cancelled), fault::cancelled);
  EXPECT_EQ(fault_of(errc::ping_timeout), fault::transport);
  EXPECT_EQ(fault_of(errc::accept_invalid), fault::peer_violation);
  EXPECT_EQ(fault_of(errc::reserved_bits), fault::peer_violation);
  EXPECT_EQ(fault_of(errc::extension_conflict), fault::peer_violation);
  EXPECT_EQ(fault_of(errc::invalid_extension), fault::caller_mistake);
  EXPECT_EQ(fault_of(errc::message_too_big), fault::limit);
  EXPECT_EQ(fault_of(errc::handler_threw), fault::internal);
}

TEST(errc, a_number_that_is_no_code_is_our_fault) {
  EXPECT_EQ(fault_of(static_cast<errc>(200)), fault::internal);
  EXPECT_EQ(std::error_code(static_cast<errc>(200)), fault::internal);
}

TEST(errc, equals_the_standard_condition_of_the_same_meaning) {
  EXPECT_EQ(std::error_code(errc::ping_timeout), std::errc::timed_out);
  EXPECT_EQ(std::errc::connection_refused, std::error_code(errc::connection_refused));
  EXPECT_EQ(std::error_code(errc::would_block), std::errc::operation_would_block);
  EXPECT_NE(std::error_code(errc::ping_timeout), std::errc::connection_refused);
  EXPECT_NE(std::error_code(errc::ok), std::error_condition(std::errc::timed_out));
  EXPECT_NE(std::error_code(errc::internal), std::errc{}) << "a code without such a condition is not success";
}

TEST(fault, codes_of_the_system_are_the_transports) {
  const std::error_code reset(104, std::system_category());
  EXPECT_EQ(reset, fault::transport);
  EXPECT_EQ(fault::transport, reset);
  EXPECT_NE(reset, fault::limit);
  EXPECT_EQ(std::make_error_code(std::errc::operation_canceled), fault::cancelled);
  EXPECT_NE(std::make_error_code(std::errc::operation_canceled), fault::transport);
  EXPECT_EQ(std::error_code(), fault::none);
  EXPECT_NE(std::error_code(), fault::transport);
}

TEST(fault, a_foreign_category_has_no_fault) {
  const std::error_code foreign = std::make_error_code(std::io_errc::stream);
  for (int value = 0; value <= 7; ++value)
    EXPECT_NE(foreign, static_cast<fault>(value));
}

TEST(fault, every_kind_has_words) {
  std::set<std::string> words;
  for (int value = 0; value <= 7; ++value) {
    const std::error_condition condition = static_cast<fault>(value);
    EXPECT_TRUE(words.insert(condition.message()).second) << condition.message();
  }
  EXPECT_STREQ(std::error_condition(fault::limit).category().name(), "hawser.fault");
}

TEST(to_errc, comes_back_from_the_standard) {
  for (const errc code : all_codes())
    EXPECT_EQ(hawser::to_errc(code), code);
  EXPECT_EQ(hawser::to_errc({}), errc::ok);
  EXPECT_EQ(hawser::to_errc(std::error_code(104, std::system_category())), errc::transport_error);
}

}  // namespace
