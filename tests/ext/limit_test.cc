// The message limit with several extensions between two connections: exact to the byte for what is delivered, whatever
// the stages on the way add (P-22).
#include "../tools/hawser/demo_extensions.h"
#include "support/pair.h"

#include <gtest/gtest.h>

#include <optional>

namespace hawser {
namespace {

constexpr std::size_t limit = 100;

/// Two letters behind each message, written as a function on whole messages.
ext::message_extension tail(std::optional<std::uint16_t> says) {
  const auto silent =
      ext::message_extension("x-tail", rsv::one)
          .encode([](byte_view in, ext::byte_sink& out) { return out.append(in) && out.append(as_bytes("zz")); })
          .decode([](byte_view in, ext::byte_sink& out) {
            return in.size() >= 2 && as_text(in.last(2)) == "zz" && out.append(in.first(in.size() - 2));
          });
  return says ? silent.adds(*says) : silent;
}

std::vector<core::agreed_extension> stages_of(const std::vector<any_factory>& order) {
  std::vector<core::agreed_extension> list;
  for (const any_factory& f : order)
    list.push_back({std::string(f.name()), std::move(*f.confirm({}))});
  return list;
}

core::settings limited() {
  core::settings obey;
  obey.bounds.max_message = limit;
  return obey;
}

/// Sends `size` letters from `from` to the other end with these stages; how it went there.
test::seen_event sent(const std::vector<any_factory>& order, role from, std::size_t size, bool in_parts) {
  test::core_pair pair(limited());
  pair.client->attach(stages_of(order), test::clock_start);
  pair.server->attach(stages_of(order), test::clock_start);
  test::core_end& sender = from == role::client ? pair.client : pair.server;
  test::core_end& receiver = from == role::client ? pair.server : pair.client;
  const std::string text(size, 'a');
  sender.turn([&](core::connection& c) {
    if (!in_parts) {
      EXPECT_EQ(c.send(opcode::text, as_bytes(text)), errc::ok);
      return;
    }
    EXPECT_EQ(c.begin_message(opcode::text), errc::ok);
    for (std::size_t at = 0; at < size; at += 7)
      EXPECT_EQ(c.send_part(as_bytes(text).subspan(at, std::min<std::size_t>(7, size - at)), at + 7 >= size), errc::ok);
  });
  pair.run();
  return receiver.events.empty() ? test::seen_event{} : receiver.events.front();
}

void expect_exact(const std::vector<any_factory>& order) {
  for (const role from : {role::client, role::server}) {
    for (const bool in_parts : {false, true}) {
      SCOPED_TRACE(std::string(from == role::client ? "client" : "server") + (in_parts ? " in parts" : ""));
      EXPECT_EQ(sent(order, from, limit, in_parts), test::seen_message(std::string(limit, 'a')));
      const test::seen_event over = sent(order, from, limit + 1, in_parts);
      EXPECT_EQ(over.what, core::kind::closed);
      EXPECT_EQ(over.error, errc::message_too_big);
      EXPECT_EQ(over.code, close_code::message_too_big);
    }
  }
}

TEST(limit, a_message_of_exactly_the_limit_passes_every_order_of_stages_P_22) {
  expect_exact({});
  expect_exact({demo::checksum()});
  expect_exact({demo::rot13()});
  expect_exact({demo::checksum(), demo::rot13()});
  expect_exact({demo::rot13(), demo::checksum()});
}

TEST(limit, what_a_function_adds_is_known_when_it_says_so_P_22) {
  expect_exact({tail(2)});
  expect_exact({tail(2), demo::rot13()});
  expect_exact({demo::rot13(), tail(2)});
  expect_exact({tail(2), demo::rot13(), demo::checksum()});
  expect_exact({demo::checksum(), tail(2), demo::rot13()});
}

TEST(limit, a_function_that_adds_more_than_it_says_sends_nothing) {
  for (const std::uint16_t says : {std::uint16_t{2}, std::uint16_t{1}}) {
    test::core_pair pair(limited());
    pair.client->attach(stages_of({tail(says), demo::rot13()}), test::clock_start);
    pair.server->attach(stages_of({tail(says), demo::rot13()}), test::clock_start);
    pair.client.turn([&](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes("hello")), says == 2 ? errc::ok : errc::closed);
    });
    pair.run();
    ASSERT_EQ(pair.server.events.size(), 1U);
    EXPECT_EQ(pair.server.events[0].what, says == 2 ? core::kind::message : core::kind::closed);
    EXPECT_EQ(pair.server.events[0].code, says == 2 ? close_code::normal : close_code::internal_error);
  }
}

// Unsaid, it may add what it likes, and the limit is still exact for what is delivered.
TEST(limit, what_a_function_adds_in_silence_is_allowed_for) { expect_exact({tail(std::nullopt), demo::rot13()}); }

}  // namespace
}  // namespace hawser
