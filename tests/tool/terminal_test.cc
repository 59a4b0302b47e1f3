// What the tool shows of a peer's messages on a terminal.
#include "terminal.h"

#include <gtest/gtest.h>

namespace hawser_tool {
namespace {

TEST(tool_terminal_test, text_keeps_its_letters_and_loses_its_controls) {
  EXPECT_EQ(shown_text("plain \\ 你好\ttab\nline"), "plain \\ 你好\ttab\nline");
  EXPECT_EQ(shown_text("\x1B[2J\r\a\x7F"), "\\x1b[2J\\x0d\\x07\\x7f");
  EXPECT_EQ(shown_text(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(shown_text("\xC2\x9B"
                       "31m"),
            "\\xc2\\x9b31m");
  EXPECT_EQ(shown_text("\xC2\xA0\xC3\x9B"), "\xC2\xA0\xC3\x9B") << "not controls";
  EXPECT_EQ(shown_text("a\xE2\x80\xAEz\xE2\x81\xA6"), "a\\xe2\\x80\\xaez\\xe2\\x81\\xa6") << "turns the line around";
  EXPECT_EQ(shown_text("\xE2\x80\x94\xE2\x81\xBA"), "\xE2\x80\x94\xE2\x81\xBA") << "a dash, and a plus on high";
}

TEST(tool_terminal_test, bytes_are_shown_as_ascii) {
  EXPECT_EQ(shown_bytes(hawser::as_bytes(std::string_view("a\\\x01\xFF\n", 5))), "a\\x5c\\x01\\xff\\x0a");
}

}  // namespace
}  // namespace hawser_tool
