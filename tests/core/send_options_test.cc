// What a sender says about one message reaches the stages, by whichever way the message is sent.
#include "core/pipeline_kit.h"
#include "support/core_end.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hawser {
namespace {

using test::core_end;

constexpr send_options wishes{.compress = false, .priority = 9};

/// Notes the head of every message.
struct listener {
  static constexpr unsigned hooks = hook::none;
  std::vector<head>* heard;
  verdict begin(direction, head& h, context&) {
    heard->push_back(h);
    return verdict::bypass;
  }
};

/// Takes every message away and lets it go on at once.
struct relay {
  static constexpr unsigned hooks = hook::whole;
  verdict begin(direction, head&, context&) { return verdict::whole; }
  void whole(direction way, const head& h, buffer body, context& c) { EXPECT_TRUE(c.forward(way, h, std::move(body))); }
};

struct send_options_test : ::testing::Test {
  std::vector<head> heard;
  core_end end{role::server};

  void attach(bool with_relay = false) {
    test::stage_list stages;
    if (with_relay) stages.add("x-relay", {}, relay{});
    stages.add("x-listen", {}, listener{&heard});
    end->attach(stages.take(), end.now);
  }
  buffer owned(std::size_t size) {
    buffer b = end.parts().pool.take(size);
    std::fill_n(b.data(), size, std::byte{'o'});
    return b;
  }
  void expect_heard(std::size_t count, const send_options& how) {
    ASSERT_EQ(heard.size(), count);
    for (const head& h : heard) {
      EXPECT_EQ(h.priority, how.priority);
      EXPECT_EQ(h.flags, how.compress ? 0U : static_cast<unsigned>(head_flag::no_compression));
    }
    heard.clear();
  }
  void send_in_every_way(const send_options& how) {
    const std::string large(5000, 'l');
    end.turn([&](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes("short"), how), errc::ok);
      EXPECT_EQ(c.send(opcode::binary, as_bytes(large), how), errc::ok);
      EXPECT_EQ(c.send(opcode::binary, owned(3000), how), errc::ok);
      EXPECT_EQ(c.send_promised(opcode::text, as_bytes("promised"), how), errc::ok);
      EXPECT_EQ(c.begin_message(opcode::text, how), errc::ok);
      EXPECT_EQ(c.send_part(as_bytes("part"), true), errc::ok);
    });
    EXPECT_EQ(end->send(opcode::text, as_bytes("outside a turn"), how), errc::ok);
  }
};

TEST_F(send_options_test, reach_the_stages_by_every_way_out) {
  attach();
  send_in_every_way(wishes);
  expect_heard(6, wishes);
  send_in_every_way({});
  expect_heard(6, {});
}

// A message that a stage nearer to the application holds or hands on keeps what its sender said.
TEST_F(send_options_test, stay_with_a_message_that_is_forwarded) {
  attach(true);
  end.turn([](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("first"), wishes), errc::ok); });
  expect_heard(1, wishes);
}

TEST_F(send_options_test, are_nothing_to_messages_that_came) {
  attach();
  test::frame_writer peer(role::client);
  end.receive(peer.text("hello").take());
  expect_heard(1, {});
}

TEST_F(send_options_test, change_nothing_without_stages) {
  send_in_every_way(wishes);
  EXPECT_EQ(end.sent().fault, "");
  EXPECT_EQ(end->messages_out(), 6U);
}

}  // namespace
}  // namespace hawser
