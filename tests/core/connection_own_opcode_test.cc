// Data opcodes that a stage claimed, 3 to 7: what it sends, and what comes in to it and to nobody else. F-02, F-04.
#include "core/connection_kit.h"
#include "core/scripted_stage.h"
#include "support/pair.h"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace test;
using core::settings;

/// Stages "x-app", "x-own" and "x-net", of which the one in the middle owns opcodes 3 and 5. "x-net" turns every byte
/// over, of messages of any opcode.
struct three {
  std::shared_ptr<script> app = std::make_shared<script>();
  std::shared_ptr<script> own = std::make_shared<script>();
  std::shared_ptr<script> net = std::make_shared<script>();
  std::vector<std::string> log;
  std::string got;

  explicit three(verdict of_own = verdict::whole) {
    app->name = "app";
    own->name = "own";
    net->name = "net";
    app->calls = own->calls = &log;
    net->begin = [](direction, head&, context&) { return verdict::in_place; };
    net->in_place = [](direction, byte_span b, context&) { turn(b); };
    own->begin = [of_own](direction way, head& h, context&) {
      return way == direction::in && h.opcode > 2 ? of_own : verdict::bypass;
    };
    own->observe = [this](direction, byte_view b, context&) { got += test::text_of(b); };
    own->transform = [this](direction, byte_view in, byte_span, bool fin, context&) {
      got += test::text_of(in);
      return step{in.size(), 0, fin ? flow::done : flow::more, 0};
    };
    own->whole = [this](direction, const head& h, buffer b, context&) {
      got += std::to_string(h.opcode) + test::text_of(b.view());
    };
  }
  static void turn(byte_span b) {
    for (std::byte& x : b)
      x = ~x;
  }
  static std::string turned(std::string text) {
    for (char& c : text)
      c = static_cast<char>(~c);
    return text;
  }
  void join(core_end& end) {
    claims all;
    all.opcodes_of_interest = 0x00FE;
    claims mine;
    mine.opcodes = 1U << 3 | 1U << 5;
    mine.in_needs_rsv = true;  // Own opcodes concern their owner all the same.
    log.clear();
    got.clear();
    end->attach(stage_list()
                    .add("x-app", all, test::scripted{app})
                    .add("x-own", mine, test::scripted{own})
                    .add("x-net", all, test::scripted{net})
                    .take(),
                test::clock_start);
    log.clear();
  }
};

TEST(connection_own_opcode, comes_in_through_the_stages_behind_and_to_its_owner_alone_F_04) {
  for (const verdict v : {verdict::whole, verdict::observe, verdict::transform}) {
    for (const role side : both_roles) {
      const std::string body = content(3000) + "\xFF";  // Not UTF-8: this is no text.
      frame_writer wire(other(side));
      wire.fragments(5, {three::turned(content(1000)), three::turned(body.substr(1000))});
      wire.text(three::turned("after")).frame(0x83, three::turned("x"));
      three stages(v);
      in_every_cut(
          side, wire.bytes(), {}, [&](core_end& end) { stages.join(end); },
          [&](core_end& end) {
            EXPECT_EQ(end.events, std::vector{seen_message("after")});
            const bool whole = v.what == verdict::kind::whole;
            EXPECT_EQ(stages.got, whole ? "5" + body + "3x" : body + "x");
            EXPECT_EQ(std::count(stages.log.begin(), stages.log.end(), "app.begin"), 1) << "of the text alone";
            EXPECT_EQ(end->stats().messages_in, 1U);
          },
          3);
    }
  }
}

TEST(connection_own_opcode, what_its_owner_bypasses_is_dropped) {
  for (const bool in_parts : {false, true}) {
    for (const role side : both_roles) {
      settings obey;
      obey.in_parts = in_parts;
      three stages(verdict::bypass);
      stages.net->begin = {};
      frame_writer wire(other(side));
      wire.fragments(3, {content(9000), content(70'000), ""}).frame(0x83, "x").frame(0x85, content(200)).text("after");
      in_every_cut(
          side, wire.bytes(), obey, [&](core_end& end) { stages.join(end); },
          [&](core_end& end) {
            ASSERT_FALSE(end.events.empty());
            std::string text;
            for (const test::seen_event& e : end.events) {
              EXPECT_EQ(e.op, opcode::text);
              text += e.payload;
            }
            EXPECT_EQ(text, "after");
          },
          3);
    }
  }
}

TEST(connection_own_opcode, what_nobody_claimed_fails_with_1002_F_02) {
  for (const role side : both_roles) {
    for (const unsigned first : {0x84U, 0x86U, 0x87U, 0x04U}) {
      three stages;
      in_every_cut(
          side, frame_writer(other(side)).frame(first, "x").bytes(), {}, [&](core_end& end) { stages.join(end); },
          [](core_end& end) { expect_failed(end, errc::reserved_opcode, close_code::protocol_error); });
    }
  }
}

TEST(connection_own_opcode, its_frames_follow_the_rules_of_data_F_04_F_05) {
  for (const role side : both_roles) {
    three stages;
    const auto fails = [&](const frame_writer& wire, errc why) {
      in_every_cut(
          side, wire.bytes(), {}, [&](core_end& end) { stages.join(end); },
          [&](core_end& end) { expect_failed(end, why, close_code::protocol_error); }, 2);
    };
    fails(frame_writer(other(side)).frame(0x03, content(20)).frame(0x83, "y"), errc::expected_continuation);
    fails(frame_writer(other(side)).frame(0x03, content(20)).frame(0x81, "y"), errc::expected_continuation);
    fails(frame_writer(other(side)).frame(0xC3, "x"), errc::reserved_bits);
  }
}

TEST(connection_own_opcode, the_limits_hold_P_22) {
  for (const verdict v : {verdict::whole, verdict::observe, verdict::bypass}) {
    for (const role side : both_roles) {
      settings obey;
      obey.bounds.max_message = 1000;
      three stages(v);
      if (v.what == verdict::kind::bypass) stages.net->begin = {};
      const auto tried = [&](std::size_t size, auto&& check) {
        const frame_writer wire = frame_writer(other(side)).frame(0x03, content(600)).frame(0x80, content(size - 600));
        in_every_cut(
            side, wire.bytes(), obey, [&](core_end& end) { stages.join(end); }, check, 2);
      };
      tried(1000, [](core_end& end) { EXPECT_EQ(end.closed(), nullptr); });
      tried(1001, [](core_end& end) { expect_failed(end, errc::message_too_big, close_code::message_too_big); });
    }
  }
}

TEST(connection_own_opcode, goes_out_by_forward_through_the_stages_behind_in_frames_as_data_does_F_04) {
  for (const role side : both_roles) {
    settings obey;
    obey.bounds.max_outgoing_frame = 4;
    three stages;
    stages.own->timer = [](context& c) {
      head h;
      h.opcode = 5;
      buffer body = c.take_buffer(9);
      std::memcpy(body.data(), "own bytes", 9);
      EXPECT_TRUE(c.forward(direction::out, h, std::move(body)));
    };
    stages.own->open = [](context& c) { c.arm(c.now() + std::chrono::seconds(1)); };
    core_end end(side, obey);
    stages.join(end);
    end.advance(std::chrono::seconds(2));
    const auto t = [](const char* s) { return three::turned(s); };
    EXPECT_EQ(end.sent().frames,
              (std::vector{raw_frame{0x05, t("own ")}, raw_frame{0x00, t("byte")}, raw_frame{0x80, t("s")}}));
    EXPECT_EQ(stages.log, std::vector<std::string>{"own.timer"}) << "no stage nearer to the application";
  }
}

TEST(connection_own_opcode, towards_the_application_it_is_a_breach) {
  three stages;
  stages.own->whole = [](direction, const head& h, buffer b, context& c) {
    EXPECT_FALSE(c.forward(direction::in, h, std::move(b)));
  };
  for (const role side : both_roles) {
    core_end end(side);
    stages.join(end);
    end.receive(frame_writer(other(side)).frame(0x83, "x").bytes());
    expect_failed(end, errc::extension_threw, close_code::internal_error);
  }
}

// F-09: the owner makes messages of its own out of them.
TEST(connection_own_opcode, its_owner_may_forward_its_content_as_text) {
  three stages;
  stages.own->whole = [](direction, const head& h, buffer b, context& c) {
    head text = h;
    text.opcode = 1;
    EXPECT_TRUE(c.forward(direction::in, text, std::move(b)));
  };
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.frame(0x83, three::turned("hello"));
    in_every_cut(
        side, wire.bytes(), {}, [&](core_end& end) { stages.join(end); },
        [](core_end& end) { EXPECT_EQ(end.events, std::vector{seen_message("hello")}); });
  }
}

}  // namespace
}  // namespace hawser
