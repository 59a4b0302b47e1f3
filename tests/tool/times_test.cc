// The words of `hawser connect --timings`.

#include "times.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace hawser_tool {
namespace {

using namespace std::chrono_literals;

TEST(times, have_three_digits_and_a_unit) {
  EXPECT_EQ(shown_span(0ns), "0 ns");
  EXPECT_EQ(shown_span(812ns), "812 ns");
  EXPECT_EQ(shown_span(999ns), "999 ns");
  EXPECT_EQ(shown_span(1000ns), "1.00 us");
  EXPECT_EQ(shown_span(45'600ns), "45.6 us");
  EXPECT_EQ(shown_span(99'960ns), "100 us");
  EXPECT_EQ(shown_span(999'600ns), "1.00 ms");
  EXPECT_EQ(shown_span(1'234'567ns), "1.23 ms");
  EXPECT_EQ(shown_span(2500ms), "2.50 s");
  EXPECT_EQ(shown_span(3700s), "3700 s");
}

TEST(times, in_words_are_four_sums_with_their_parts) {
  hawser::timings t;
  EXPECT_EQ(times_in_words(t), (std::vector<std::string>{"connecting: not finished", "receiving: no message",
                                                         "sending: no message", "errors: none"}));
  t.connect.names = 1ms;
  EXPECT_EQ(times_in_words(t).front(), "connecting: not finished; name 1.00 ms");
  t.connect.tcp = 1500us;
  t.connect.request = 3ms;
  EXPECT_EQ(times_in_words(t).front(), "connecting: not finished; name 1.00 ms, TCP 1.50 ms, request 3.00 ms");
  t.connect = {3ms, 1ms, 1500us, 20ms, 500us};
  t.receive.receive.add(0ns);
  t.receive.prepare.add(20us);
  t.receive.confirm.add(35us);
  t.send.prepare.add(2us);
  t.send.prepare.add(4us);
  t.send.send.add(6us);
  t.send.send.add(8us);
  t.error.detect = 700ms;
  t.error.handle = 6ms;
  const std::vector<std::string> said = times_in_words(t);
  ASSERT_EQ(said.size(), 4U);
  EXPECT_EQ(
      said[0],
      "connecting: 23.5 ms = request 3.00 ms (name 1.00 ms, TCP 1.50 ms) + response 20.0 ms + acknowledge 500 us");
  EXPECT_EQ(said[1], "receiving: 55.0 us = receive 0 ns + prepare 20.0 us + confirm 35.0 us (the mean of 1 measured)");
  EXPECT_EQ(said[2], "sending: 10.0 us = prepare 3.00 us + send 7.00 us (the mean of 2 measured)");
  EXPECT_EQ(said[3], "error: 706 ms = detect 700 ms + handle 6.00 ms");
}

}  // namespace
}  // namespace hawser_tool
