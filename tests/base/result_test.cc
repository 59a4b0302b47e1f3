#include <gtest/gtest.h>
#include <hawser/base/result.h>

#include <memory>
#include <string>
#include <system_error>

namespace {

using hawser::errc;
using hawser::result;

TEST(result, holds_a_value) {
  result<std::string> made = std::string("rope");
  ASSERT_TRUE(made);
  EXPECT_TRUE(made.has_value());
  EXPECT_FALSE(made.error());
  EXPECT_EQ(made.value(), "rope");
  EXPECT_EQ(*made, "rope");
  EXPECT_EQ(made->size(), 4U);
  EXPECT_EQ(std::move(made).value_or("other"), "rope");
}

TEST(result, holds_an_error) {
  result<std::string> failed = errc::closed;
  EXPECT_FALSE(failed);
  EXPECT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error(), errc::closed);
  EXPECT_EQ(std::move(failed).value_or("other"), "other");
}

TEST(result, keeps_an_error_of_the_system_as_it_is) {
  const std::error_code refused(111, std::system_category());
  const result<int> failed = refused;
  EXPECT_EQ(failed.error(), refused);
}

TEST(result, moves_what_cannot_be_copied) {
  result<std::unique_ptr<int>> made = std::make_unique<int>(7);
  std::unique_ptr<int> taken = std::move(made).value();
  EXPECT_EQ(*taken, 7);
}

TEST(result, value_throws_the_error) {
  result<int> failed = errc::invalid_url;
  try {
    static_cast<void>(failed.value());
    FAIL() << "no exception";
  } catch (const std::system_error& thrown) {
    EXPECT_EQ(thrown.code(), errc::invalid_url);
    EXPECT_NE(std::string(thrown.what()).find("URL"), std::string::npos);
  }
  const result<int> constant = errc::invalid_url;
  EXPECT_THROW(static_cast<void>(constant.value()), std::system_error);
  EXPECT_THROW(static_cast<void>(std::move(failed).value()), std::system_error);
}

TEST(result, void_says_success_or_error) {
  const result<void> good;
  EXPECT_TRUE(good);
  EXPECT_FALSE(good.error());
  EXPECT_NO_THROW(good.value());
  const result<void> bad = errc::wrong_thread;
  EXPECT_FALSE(bad);
  EXPECT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error(), errc::wrong_thread);
  EXPECT_THROW(bad.value(), std::system_error);
}

}  // namespace
