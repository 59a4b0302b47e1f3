// The lines of -vv.
#include "sightings.h"

#include <gtest/gtest.h>

namespace hawser_tool {
namespace {

using hawser::sighting;

sighting frame(std::uint8_t opcode, std::string_view payload) {
  sighting s;
  s.opcode = opcode;
  s.begins = hawser::as_bytes(payload);
  s.size = payload.size();
  return s;
}

TEST(tool_sightings_test, a_frame) {
  sighting s = frame(1, "Hello");
  EXPECT_EQ(in_words(s), "out  frame                     text, 5 bytes: 'Hello'");
  s.way = hawser::direction::in;
  s.rsv = 6;
  s.fin = false;
  s.masked = true;
  EXPECT_EQ(in_words(s), "in   frame                     text, 5 bytes, RSV1, RSV2, more follows, masked: 'Hello'");
  EXPECT_EQ(in_words(frame(0, "")), "out  frame                     continuation, 0 bytes");
  EXPECT_EQ(in_words(frame(2, "\x01")), "out  frame                     binary, 1 byte: '\\x01'");
  EXPECT_EQ(in_words(frame(3, "x")), "out  frame                     data 3, 1 byte: 'x'");
  EXPECT_EQ(in_words(frame(9, "x")), "out  frame                     ping, 1 byte: 'x'");
  EXPECT_EQ(in_words(frame(11, "")), "out  frame                     control 11, 0 bytes");
}

TEST(tool_sightings_test, a_close_frame_shows_its_code) {
  EXPECT_EQ(in_words(frame(8, "\x03\xE8")), "out  frame                     close, 2 bytes: 1000");
  EXPECT_EQ(in_words(frame(8, "\x03\xF1why")), "out  frame                     close, 5 bytes: 1009 'why'");
  EXPECT_EQ(in_words(frame(8, "")), "out  frame                     close, 0 bytes");
}

TEST(tool_sightings_test, a_message_says_where_it_comes_from) {
  sighting s = frame(1, "Hello");
  s.what = sighting::kind::message;
  s.from = "application";
  EXPECT_EQ(in_words(s), "out  from application          text, 5 bytes: 'Hello'");
  s.from = "x-rot13";
  EXPECT_EQ(in_words(s), "out  after x-rot13             text, 5 bytes: 'Hello'");
}

TEST(tool_sightings_test, what_is_long_is_cut_and_what_is_no_text_is_escaped) {
  sighting s = frame(1, std::string(60, 'a'));
  const std::string payload(60, 'a');
  s.begins = hawser::as_bytes(payload);
  s.size = 70000;
  EXPECT_EQ(in_words(s), "out  frame                     text, 70000 bytes: '" + std::string(48, 'a') + "'...");
  EXPECT_EQ(in_words(frame(1, "\x1B[2J\n")), "out  frame                     text, 5 bytes: '\\x1b[2J\\x0a'");
}

}  // namespace
}  // namespace hawser_tool
