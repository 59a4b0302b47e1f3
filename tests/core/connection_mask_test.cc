// Who masks: a client, unless a stage agreed that nobody does. F-08; RFC 6455, 5.1 and 5.3.
#include "core/connection_kit.h"
#include "core/pipeline_kit.h"
#include "support/pair.h"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace test;

struct nothing {
  static constexpr unsigned hooks = hook::none;
  verdict begin(direction, head&, context&) { return verdict::bypass; }
};

/// Looks at every byte, so that messages take the long way.
struct watcher {
  static constexpr unsigned hooks = hook::observe;
  verdict begin(direction, head&, context&) { return verdict::observe; }
  void observe(direction, byte_view, bool, context&) {}
};

std::vector<core::agreed_extension> unmasked(bool watched = false) {
  claims uses;
  uses.unmasked = true;
  uses.opcodes_of_interest = 0;
  test::stage_list stages;
  if (watched) stages.add("x-watch", claims{}, watcher{});
  stages.add("x-bare", uses, nothing{});
  return stages.take();
}

void agree(core_end& end, bool watched = false) {
  end.masks = false;
  end->attach(unmasked(watched), test::clock_start);
}

TEST(connection_mask, both_roles_read_unmasked_frames_of_every_kind_when_it_was_agreed_F_08) {
  const std::string large = content(200'000);
  for (const role side : both_roles) {
    for (const bool watched : {false, true}) {
      frame_writer wire(other(side));
      wire.masking(false).text("hello").ping("p").fragments(2, {"a", std::string(3000, 'b'), ""}).text(large);
      const std::vector<test::seen_event> expected{seen_message("hello"), seen_control(core::kind::ping, "p"),
                                                   seen_message("a" + std::string(3000, 'b'), opcode::binary),
                                                   seen_message(large)};
      in_every_cut(
          side, wire.bytes(), {}, [&](core_end& end) { agree(end, watched); },
          [&](core_end& end) { EXPECT_EQ(end.events, expected); }, 3);
    }
  }
}

TEST(connection_mask, a_masked_frame_fails_with_1002_when_nobody_masks_F_08) {
  for (const role side : both_roles) {
    for (const unsigned first : {0x81U, 0x82U, 0x01U, 0x89U, 0x88U}) {
      frame_writer wire(role::client);
      wire.frame(first, std::string_view());
      in_every_cut(
          side, wire.bytes(), {}, [](core_end& end) { agree(end); },
          [](core_end& end) { expect_failed(end, errc::frame_masked, close_code::protocol_error); });
    }
  }
}

TEST(connection_mask, without_it_the_rules_are_the_usual_ones_F_08) {
  test::expect_failure(role::server, frame_writer(role::client).masking(false).text("x").bytes(),
                       errc::frame_not_masked, close_code::protocol_error);
  test::expect_failure(role::client, frame_writer(role::server).masking(true).text("x").bytes(), errc::frame_masked,
                       close_code::protocol_error);
}

TEST(connection_mask, what_both_ends_send_is_not_masked_whatever_its_size_and_way) {
  for (const role side : both_roles) {
    for (const bool watched : {false, true}) {
      core_end end(side);
      agree(end, watched);
      std::vector<std::string> expected;
      end.turn([&](core::connection& c) {
        for (const std::size_t size : {0U, 1U, 125U, 126U, 2047U, 2048U, 65535U, 65536U, 100'000U}) {
          const std::string text = content(size);
          EXPECT_EQ(c.send(opcode::text, as_bytes(text)), errc::ok);
          buffer owned = end.parts().pool.take(size);
          std::memcpy(owned.data(), text.data(), size);
          const buffer shared = size % 2 == 0 ? owned : buffer();
          EXPECT_EQ(c.send(opcode::binary, std::move(owned)), errc::ok);
          expected.insert(expected.end(), {text, text});
        }
        EXPECT_EQ(c.begin_message(opcode::text), errc::ok);
        EXPECT_EQ(c.send_part(as_bytes("part"), false), errc::ok);
        EXPECT_EQ(c.send_part(as_bytes("rest"), true), errc::ok);
        EXPECT_EQ(c.ping(as_bytes("p")), errc::ok);
        EXPECT_EQ(c.close(close_code::normal, "bye", end.now), errc::ok);
      });
      expected.insert(expected.end(), {"part", "rest", "p",
                                       "\x03\xE8"
                                       "bye"});
      const test::stream_verdict sent = end.sent();
      EXPECT_EQ(sent.fault, "");
      std::vector<std::string> payloads;
      for (const test::raw_frame& f : sent.frames)
        payloads.push_back(f.payload);
      EXPECT_EQ(payloads, expected);
    }
  }
}

// The header of an echo is written over a masking key. Where there is none, the bytes in front are another message's.
TEST(connection_mask, an_echo_of_several_unmasked_messages_at_once_changes_none_of_them) {
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.masking(false);
    std::vector<test::raw_frame> expected;
    for (const std::size_t size : {3000U, 100U, 5U, 4000U, 2048U, 70'000U, 2500U, 1U}) {
      const std::string text = content(size);
      wire.text(text);
      expected.push_back({0x81, text});
    }
    in_every_cut(
        side, wire.bytes(), {},
        [](core_end& end) {
          agree(end);
          end.on_event = test::echo;
        },
        [&](core_end& end) { EXPECT_EQ(end.sent().frames, expected); });
  }
}

// What a handler sends may reach beyond the message that it was given, over the next one's header.
TEST(connection_mask, a_send_from_a_short_message_far_beyond_it_leaves_the_message_before_alone) {
  core_end end(role::server);
  agree(end);
  const std::string first = content(3000);
  frame_writer wire(role::client);
  wire.masking(false).binary(as_bytes(first)).binary(as_bytes("short")).binary(as_bytes(content(5000)));
  int n = 0;
  end.on_event = [&](core_end& e, core::event& m) {
    ++n;
    if (n > 2) return;
    const byte_view sent{m.payload.data(), n == 1 ? m.payload.size() : 4000};
    EXPECT_EQ(e->send(m.op, sent), errc::ok);
  };
  end.receive(wire.bytes());
  const test::stream_verdict sent = end.sent();
  ASSERT_EQ(sent.frames.size(), 2U);
  EXPECT_EQ(sent.frames[0].payload, first);
  EXPECT_EQ(sent.frames[1].payload.substr(0, 5), "short");
}

TEST(connection_mask, two_ends_that_agreed_talk_in_every_cut_F_08) {
  test::in_every_pair({}, [](core_pair& ends) {
    ends.client->attach(unmasked(), test::clock_start);
    ends.server->attach(unmasked(), test::clock_start);
    ends.server.on_event = test::echo;
    const std::string text = content(9000);
    ends.client.turn([&](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes("short")), errc::ok);
      EXPECT_EQ(c.send(opcode::text, as_bytes(text)), errc::ok);
      EXPECT_EQ(c.close(close_code::normal, {}, ends.client.now), errc::ok);
    });
    ends.run();
    ASSERT_EQ(ends.client.events.size(), 3U);
    EXPECT_EQ(ends.client.events[0], seen_message("short"));
    EXPECT_EQ(ends.client.events[1], seen_message(text));
    EXPECT_EQ(ends.client.events[2].error, errc::ok);
    EXPECT_EQ(test::text_of(ends.client_wire).substr(2, 5), "short") << "as it is, not masked";
  });
}

}  // namespace
}  // namespace hawser
