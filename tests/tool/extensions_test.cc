// The names that --extension takes.
#include "extensions.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(why, "no extension is called 'x-rot31'; known are x-rot13, x-checksum");
  EXPECT_FALSE(add_extensions({"x-rot13; level=3"}, list, why));
  EXPECT_EQ(why, "x-rot13 takes no parameters");
  EXPECT_FALSE(add_extensions({"x-rot13;"}, list, why));
  EXPECT_FALSE(why.empty());
}

}  // namespace
}  // namespace hawser_tool
