// The eye that the kit keeps on the frames of a connection.
#include "testkit/joined.h"

#include <gtest/gtest.h>

namespace hawser::testkit {
namespace {

std::string fault_of(std::string_view bytes, role sender = role::server, frame_rules rules = {}) {
  frame_watch whole(sender, rules);
  whole.read(bytes);
  frame_watch by_byte(sender, rules);
  for (const char& c : bytes)
    by_byte.read({&c, 1});
  EXPECT_EQ(whole.fault(), by_byte.fault());
  return whole.fault();
}

constexpr std::string_view hello("\x81\x05Hello", 7);

TEST(testkit_frame_watch, what_is_right_passes) {
  EXPECT_EQ(fault_of(hello), "");
  EXPECT_EQ(fault_of(std::string(hello) + "\x89\x01x" + std::string("\x88\0", 2)), "");
  EXPECT_EQ(fault_of(std::string_view("\x82\x81"
                                      "abcd"
                                      "x",
                                      7),
                     role::client),
            "");
  frame_rules own;
  own.rsv = 2;
  own.opcodes = 1U << 11 | 1U << 3;
  EXPECT_EQ(fault_of(std::string_view("\xA1\0\x8B\0\x83\0", 6), role::server, own), "");
  own.rsv_of_frames = 2;
  EXPECT_EQ(fault_of(std::string_view("\x21\0\xA0\0", 4), role::server, own), "");
  own.unmasked = true;
  EXPECT_EQ(fault_of(hello, role::client, own), "");
}

TEST(testkit_frame_watch, what_is_wrong_is_said_with_the_number_of_the_frame) {
  EXPECT_EQ(fault_of(std::string_view("\xC1\0", 2)), "RSV bits 4 on opcode 1 (F-01, P-02), frame 1");
  EXPECT_EQ(fault_of(std::string(hello) + std::string("\x83\0", 2)), "opcode 3, claimed by nobody (F-02), frame 2");
  EXPECT_EQ(fault_of(std::string("\x89\x7E\0\x7E", 4) + std::string(126, 'x')),
            "a control frame that is long or in pieces (F-03), frame 1");
  EXPECT_EQ(fault_of(std::string_view("\x09\0", 2)), "a control frame that is long or in pieces (F-03), frame 1");
  EXPECT_EQ(fault_of(hello, role::client), "a mask where none belongs, or none (F-08), frame 1");
  EXPECT_EQ(fault_of(std::string("\x88\0", 2) + std::string(hello)),
            "something follows the close frame (F-10), frame 2");
  EXPECT_EQ(fault_of(std::string_view("\x81\x7E\0\x05", 4)), "a header that cannot be read, frame 0");
  frame_rules own;
  own.rsv = 2;  // Of a message stage: on the first frame only (P-02).
  EXPECT_EQ(fault_of(std::string_view("\x21\0\xA0\0", 4), role::server, own),
            "RSV bits 2 on opcode 0 (F-01, P-02), frame 2");
}

}  // namespace
}  // namespace hawser::testkit
