// Words of others, made fit for one line of a log or a terminal.

#include "core/printable.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace hawser::test {
namespace {

using detail::one_line;
using namespace std::string_literals;

TEST(printable, what_people_read_stays_as_it_is) {
  EXPECT_EQ(one_line(""), "");
  EXPECT_EQ(one_line("plain: \"100 %\" \\ ~"), "plain: \"100 %\" \\ ~");
  EXPECT_EQ(one_line("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x9A\xA2"),
            "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x9A\xA2");
}

TEST(printable, every_control_byte_is_escaped) {
  for (unsigned value = 0; value < 0x20; ++value)
    EXPECT_EQ(one_line(std::string(1, static_cast<char>(value))).size(), 4U) << value;
  EXPECT_EQ(one_line("a\r\n\x1B[2J\x7F\0b"s), "a\\x0d\\x0a\\x1b[2J\\x7f\\x00b");
}

// Terminals obey U+0080 to U+009F as they obey ESC; the others end a line, or turn it round, for those who show
// Unicode.
TEST(printable, so_are_characters_that_only_programs_see) {
  EXPECT_EQ(one_line("\xC2\x80 \xC2\x9B \xC2\x9F \xC2\xA0"), "\\xc2\\x80 \\xc2\\x9b \\xc2\\x9f \xC2\xA0");
  for (const char* hidden : {"\xD8\x9C", "\xE2\x80\x8E", "\xE2\x80\x8F", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAA",
                             "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x81\xA9"})
    EXPECT_TRUE(one_line(hidden).starts_with("\\x")) << hidden;
  for (const char* shown : {"\xD8\x9B", "\xE2\x80\x8D", "\xE2\x80\x90", "\xE2\x80\xA7", "\xE2\x80\xAF", "\xE2\x81\xAA"})
    EXPECT_EQ(one_line(shown), shown);
}

TEST(printable, what_is_not_utf8_is_escaped_byte_by_byte_and_nothing_behind_it_is_swallowed) {
  EXPECT_EQ(one_line("\xFF\x41"), "\\xffA");
  EXPECT_EQ(one_line("\xC3\x28"), "\\xc3(");
  EXPECT_EQ(one_line("\xE2\x82"), "\\xe2\\x82");
  EXPECT_EQ(one_line("\xED\xA0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(one_line("\xF0\x9F\n\xC3\xBC"), "\\xf0\\x9f\\x0a\xC3\xBC");
  EXPECT_EQ(one_line("\x80\xBF"), "\\x80\\xbf");
}

TEST(printable, escaping_twice_changes_nothing) {
  const std::string once = one_line("a\n\xFF\xC2\x85 \\x0a");
  EXPECT_EQ(one_line(once), once);
}

TEST(printable, long_text_is_cut_between_characters) {
  EXPECT_EQ(one_line("abcdef", 6), "abcdef");
  EXPECT_EQ(one_line("abcdefg", 6), "abcdef...");
  EXPECT_EQ(one_line("abcde\xC3\xBC", 6), "abcde...");
  EXPECT_EQ(one_line(std::string(5000, 'x')).size(), 1024U + 3);
}

}  // namespace
}  // namespace hawser::test
