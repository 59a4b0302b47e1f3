// The plain way of a message through a connection, in and out: connection.h.
#include "support/pair.h"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::core_pair;
using test::in_every_pair;
using test::seen_message;

// Boundaries of the length's forms, of the copy and the reference in `send`, and of what is read at once.
constexpr std::size_t sizes[] = {0, 1, 2, 125, 126, 127, 1000, 2047, 2048, 2049, 65535, 65536, 65537, 300000};

std::string content(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

TEST(connection_echo, every_size_comes_back_in_every_cut) {
  for (const std::size_t size : sizes) {
    SCOPED_TRACE(size);
    const std::string text = content(size);
    in_every_pair(
        {},
        [&](core_pair& ends) {
          ends.server.on_event = test::echo;
          ends.client.turn([&](core::connection& c) { ASSERT_EQ(c.send(opcode::text, as_bytes(text)), errc::ok); });
          ends.client.turn([&](core::connection& c) { ASSERT_EQ(c.send(opcode::binary, as_bytes(text)), errc::ok); });
          ends.run();
          ASSERT_EQ(ends.server.events.size(), 2U);
          EXPECT_EQ(ends.client.events, (std::vector{seen_message(text), seen_message(text, opcode::binary)}));
          EXPECT_EQ(test::read_frames(ends.client_wire, role::client).fault, "");
          EXPECT_EQ(test::read_frames(ends.server_wire, role::server).fault, "");
          EXPECT_EQ(ends.client->pending() + ends.server->pending(), 0U);
          EXPECT_EQ(ends.server.parts().pool.used_bytes(), 0U);
        },
        3);
  }
}

}  // namespace
}  // namespace hawser
