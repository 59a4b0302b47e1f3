#include <gtest/gtest.h>
#include <hawser/base/config.h>

#include <string>

// The string is written out by hand beside the three numbers: they must never drift apart.
TEST(version, string_matches_the_three_numbers) {
  const std::string numbers = std::to_string(HAWSER_VERSION_MAJOR) + "." + std::to_string(HAWSER_VERSION_MINOR) + "." +
                              std::to_string(HAWSER_VERSION_PATCH);
  EXPECT_EQ(HAWSER_VERSION_STRING, numbers);
}

TEST(version, library_and_headers_agree) { EXPECT_EQ(hawser::version(), HAWSER_VERSION_STRING); }
