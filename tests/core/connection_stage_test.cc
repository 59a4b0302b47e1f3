// A connection with stages of extensions at work: messages, own control frames, forwards, the end.
#include "core/connection_kit.h"
#include "core/pipeline_kit.h"
#include "core/scripted_stage.h"
#include "support/pair.h"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace test;
using core::settings;

/// Inverts every byte and says so by RSV2.
struct inverter {
  static constexpr unsigned hooks = hook::in_place;
  verdict begin(direction way, head& h, context&) {
    if (way == direction::in && (h.rsv & 2) == 0) return verdict::bypass;
    h.rsv = static_cast<std::uint8_t>(way == direction::out ? h.rsv | 2 : h.rsv & ~2);
    return verdict::in_place;
  }
  void in_place(direction, byte_span chunk, bool, context&) {
    for (std::byte& b : chunk)
      b = ~b;
  }
};

/// Copies from one buffer to the other.
struct copier {
  static constexpr unsigned hooks = hook::transform;
  verdict begin(direction, head&, context&) { return verdict::transform; }
  step transform(direction, byte_view in, byte_span out, bool fin, context&) {
    step did;
    did.consumed = did.produced = std::min(in.size(), out.size());
    std::copy_n(in.begin(), did.consumed, out.begin());
    did.next = did.consumed < in.size() ? flow::full : fin ? flow::done : flow::more;
    return did;
  }
};

struct diary {
  std::vector<std::string> controls;
  int closed = 0;
};

/// Takes whole messages away. Those that begin with "hold" go on at a control frame, a timer or the flush; all others
/// at once.
struct keeper {
  static constexpr unsigned hooks = hook::whole | hook::control | hook::timer | hook::flush | hook::closed;
  diary* log;
  struct held {
    direction way;
    head h;
    buffer body;
  };
  std::vector<held> waiting = {};

  verdict begin(direction, head&, context&) { return verdict::whole; }
  void whole(direction way, const head& h, buffer body, context& c) {
    const std::string text = test::text_of(body.view());
    if (text.starts_with("fail")) return c.fail(close_code::invalid_payload, "asked to fail");
    if (!text.starts_with("hold")) return static_cast<void>(c.forward(way, h, std::move(body)));
    waiting.push_back({way, h, std::move(body)});
    if (text == "hold until the timer") c.arm(c.now() + std::chrono::seconds(3));
  }
  void release(context& c) {
    for (held& w : waiting)
      EXPECT_TRUE(c.forward(w.way, w.h, std::move(w.body)));
    waiting.clear();
  }
  void control(std::uint8_t opcode, byte_view payload, context& c) {
    log->controls.push_back(std::to_string(opcode) + test::text_of(payload));
    EXPECT_TRUE(c.emit_control(0xC, as_bytes("heard")));
    release(c);
  }
  void timer(context& c) { release(c); }
  void flush(context& c) { release(c); }
  void closed(close_code, context&) { ++log->closed; }
};

/// Takes every message away and hands it on at once.
struct relay {
  static constexpr unsigned hooks = hook::whole;
  verdict begin(direction, head&, context&) { return verdict::whole; }
  void whole(direction way, const head& h, buffer body, context& c) { EXPECT_TRUE(c.forward(way, h, std::move(body))); }
};

/// Lets every message be, but sends a control frame about each.
struct announcer {
  static constexpr unsigned hooks = hook::none;
  verdict begin(direction way, head&, context& c) {
    if (way == direction::in) {
      EXPECT_TRUE(c.emit_control(0xB, as_bytes("seen")));
    }
    return verdict::bypass;
  }
};

claims inverting() {
  claims c;
  c.rsv = 2;
  return c;
}
claims keeping() {
  claims c;
  c.opcodes = 1U << 0xB | 1U << 0xC;
  return c;
}

core_end& with_keeper(core_end& end, diary& log) {
  end->attach(stage_list().add("x-keep", keeping(), keeper{&log}).take(), end.now);
  return end;
}

/// Keeps what was sent, for ever.
struct retainer {
  static constexpr unsigned hooks = hook::retained;
  std::vector<buffer>* kept;
  verdict begin(direction way, head&, context&) { return way == direction::out ? verdict::retain : verdict::bypass; }
  void retained(direction, const head&, buffer body, context&) { kept->push_back(std::move(body)); }
};

// A message that owns its bytes is kept by a reference, and what goes out is the same whoever else refers to it.
TEST(connection_stage, what_is_sent_and_owned_is_retained_without_a_copy) {
  for (const role side : both_roles) {
    for (const std::size_t size : {1U, 3000U, 100'000U}) {
      core_end end(side);
      std::vector<buffer> kept;
      end->attach(stage_list().add("x-keep", {}, retainer{&kept}).take(), end.now);
      const std::string text = content(size);
      buffer body = end.parts().pool.take(size);
      std::copy_n(as_bytes(text).begin(), size, body.data());
      const std::byte* at = body.data();
      end.turn([&](core::connection& c) {
        EXPECT_EQ(c.send(opcode::text, body), errc::ok);
        EXPECT_EQ(c.send(opcode::text, std::move(body)), errc::ok);
        EXPECT_EQ(c.send(opcode::text, as_bytes(text)), errc::ok);
      });
      ASSERT_EQ(kept.size(), 3U);
      EXPECT_EQ(kept[0].data(), at);
      EXPECT_EQ(kept[1].data(), at);
      EXPECT_NE(kept[2].data(), at);
      const auto wire = end.sent();
      ASSERT_EQ(wire.frames.size(), 3U);
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(test::text_of(kept[i].view()), text);
        EXPECT_EQ(wire.frames[i].payload, text);
      }
    }
  }
}

/// Lets every message be, and sends a control frame of its own for each.
struct herald {
  static constexpr unsigned hooks = hook::control;
  verdict begin(direction, head& h, context& c) {
    EXPECT_TRUE(c.emit_control(0xB, as_bytes(h.opcode == 1 ? "text" : "binary")));
    return verdict::bypass;
  }
  void control(std::uint8_t, byte_view, context&) {}
};

// What a stage asks for while it lets a message be goes out in the same turn, whoever sent the message.
TEST(connection_stage, a_stage_may_act_on_a_message_that_it_bypasses) {
  claims uses;
  uses.opcodes = 1U << 0xB;
  for (const role side : both_roles) {
    core_end end(side);
    end->attach(stage_list().add("x-herald", uses, herald{}).take(), end.now);
    end.turn([](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("out")), errc::ok); });
    EXPECT_EQ(end.sent().frames.size(), 2U);
    end.turn([](core::connection& c) {
      EXPECT_EQ(c.begin_message(opcode::binary), errc::ok);
      EXPECT_EQ(c.send_part(as_bytes("parts"), true), errc::ok);
    });
    EXPECT_EQ(end.sent().frames.size(), 4U);
    end.receive(frame_writer(other(side)).text("in").text("two").take());
    EXPECT_EQ(end.events, (std::vector{seen_message("in"), seen_message("two")}));
    EXPECT_EQ(end.sent().frames.size(), 6U);
  }
}

// What a stage held goes on at any time: also when the first bytes of the next frame are there, which it must not harm.
TEST(connection_stage, what_was_held_goes_on_while_the_next_frame_begins) {
  for (const bool control : {false, true}) {
    frame_writer w(role::client);
    const std::string next = test::text_of((control ? w.ping("next") : w.text("next")).take());
    for (std::size_t cut = 0; cut < next.size(); ++cut) {
      SCOPED_TRACE(cut);
      diary log;
      core_end end(role::server);
      with_keeper(end, log);
      end.receive(frame_writer(role::client).text("hold until the timer").bytes());
      end.receive(as_bytes(next).first(cut));
      end.advance(std::chrono::seconds(4));
      if (cut > 0) {
        EXPECT_LT(end->deadline(), end.now + std::chrono::seconds(30)) << "what was begun has no time any more (A12)";
      }
      end.receive(as_bytes(next).subspan(cut));
      const auto last = control ? test::seen_control(core::kind::ping, "next") : seen_message("next");
      EXPECT_EQ(end.events, (std::vector{seen_message("hold until the timer"), last}));
    }
  }
}

/// Takes what begins with a given opcode, and lets the rest be.
struct chooser {
  static constexpr unsigned hooks = hook::in_place;
  verdict begin(direction, head& h, context&) { return h.opcode == 2 ? verdict::in_place : verdict::bypass; }
  void in_place(direction, byte_span chunk, bool, context&) {
    for (std::byte& b : chunk)
      b = ~b;
  }
};

// The short way asks the stages once, whatever they answer, in any cut.
TEST(connection_stage, messages_that_are_let_be_and_others_in_turn) {
  for (const role side : both_roles) {
    const std::string low = "low";
    std::string high = low;
    for (char& c : high)
      c = static_cast<char>(~c);
    const test::byte_string wire = frame_writer(other(side)).text("a").binary(as_bytes(high)).text("b").take();
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
      core_end end(side);
      end->attach(stage_list().add("x-choose", {}, chooser{}).take(), end.now);
      end.receive(byte_view(wire).first(cut));
      end.receive(byte_view(wire).subspan(cut));
      EXPECT_EQ(end.events, (std::vector{seen_message("a"), seen_message(low, opcode::binary), seen_message("b")}));
      end.turn([&](core::connection& c) {
        EXPECT_EQ(c.send(opcode::text, as_bytes("a")), errc::ok);
        EXPECT_EQ(c.send(opcode::binary, as_bytes(low)), errc::ok);
      });
      ASSERT_EQ(end.sent().frames.size(), 2U);
      EXPECT_EQ(end.sent().frames[1].payload, high);
    }
  }
}

// What the network's stage hands on, the application's takes away again: all of it in the turn that brought it.
TEST(connection_stage, two_stages_that_take_messages_away_hand_them_on_in_one_turn) {
  for (const role side : both_roles) {
    core_end end(side);
    end->attach(stage_list().add("x-app", {}, relay{}).add("x-net", {}, relay{}).take(), end.now);
    end.receive(frame_writer(other(side)).text("one").text("two").take());
    EXPECT_EQ(end.events, (std::vector{seen_message("one"), seen_message("two")}));
    end.turn([](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("three")), errc::ok); });
    EXPECT_EQ(end.sent().frames.size(), 1U);
    EXPECT_EQ(end.parts().pool.used_bytes(), 0U);
  }
}

// F-11, N-11: whole and in parts, every size, both directions, and no memory is held between messages.
TEST(connection_stage, messages_through_two_stages) {
  for (const bool in_parts : {false, true}) {
    settings obey;
    obey.in_parts = in_parts;
    obey.bounds.max_outgoing_frame = 30'000;
    for (const std::size_t size : {0U, 1U, 125U, 2100U, 16384U, 70'000U}) {
      SCOPED_TRACE(testing::Message() << size << (in_parts ? " in parts" : ""));
      const std::string text = content(size);
      in_every_pair(
          obey,
          [&](core_pair& ends) {
            for (core_end* end : {&ends.client, &ends.server}) {
              (*end)->attach(stage_list().add("x-invert", inverting(), inverter{}).add("x-copy", {}, copier{}).take(),
                             end->now);
            }
            if (!in_parts) ends.server.on_event = test::echo;
            ends.client.turn([&](core::connection& c) {
              ASSERT_EQ(c.send(opcode::text, as_bytes(text)), errc::ok);
              ASSERT_EQ(c.begin_message(opcode::text), errc::ok);
              ASSERT_EQ(c.send_part(as_bytes(text).first(size / 3), false), errc::ok);
              ASSERT_EQ(c.send_part(as_bytes(text).subspan(size / 3), true), errc::ok);
            });
            ends.run();
            std::string all;
            for (const auto& e : ends.server.events)
              all += e.payload;
            EXPECT_EQ(all, text + text);
            EXPECT_EQ(ends.server->stats().messages_in, 2U);
            EXPECT_EQ(ends.client->stats().messages_out, 2U);
            if (!in_parts) {
              EXPECT_EQ(ends.client.events, (std::vector{seen_message(text), seen_message(text)}));
            }
            const auto wire = test::read_frames(ends.client_wire, role::client, 0x20);
            EXPECT_EQ(wire.fault, "");
            for (const raw_frame& f : wire.frames)
              EXPECT_EQ((f.first & 0x20) != 0, f.op() != 0) << "the bit stands on the first frame only";
            EXPECT_EQ(ends.server.parts().pool.used_bytes(), 0U);
            EXPECT_EQ(ends.client.parts().pool.used_bytes(), 0U);
          },
          2);
    }
  }
}

// F-01, P-02: a claimed bit is good on the first frame of a message, nowhere else; the others stay refused.
TEST(connection_stage, only_claimed_bits_and_opcodes_where_they_belong) {
  const std::vector<std::pair<unsigned, errc>> bad = {
      {0xC1, errc::reserved_bits},   {0x91, errc::reserved_bits},   {0xB1, errc::reserved_bits},
      {0xA9, errc::reserved_bits},   {0xA8, errc::reserved_bits},   {0xAB, errc::reserved_bits},
      {0x8D, errc::reserved_opcode}, {0x83, errc::reserved_opcode}, {0x0B, errc::control_fragmented}};
  for (const role side : both_roles) {
    for (const auto& [first, why] : bad) {
      SCOPED_TRACE(first);
      diary log;
      core_end end(side);
      claims uses = keeping();
      uses.rsv = 2;
      end->attach(stage_list().add("x-keep", uses, keeper{&log}).take(), end.now);
      end.receive(frame_writer(other(side)).frame(first, "a").bytes());
      expect_failed(end, why, close_code::protocol_error);
      EXPECT_EQ(log.closed, 1);
    }
    core_end end(side);
    end->attach(stage_list().add("x-invert", inverting(), inverter{}).take(), end.now);
    end.receive(frame_writer(other(side)).frame(0x22, content(20)).frame(0xA0, "b").bytes());
    expect_failed(end, errc::reserved_bits, close_code::protocol_error);
  }
}

// F-03, F-06: own control frames, also between fragments; they set held messages free, in both directions.
TEST(connection_stage, own_control_frames_and_forwards) {
  for (const role side : both_roles) {
    diary log;
    core_end end(side);
    with_keeper(end, log);
    end.turn([](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes("hold out")), errc::ok);
      EXPECT_EQ(c.send(opcode::text, as_bytes("at once")), errc::ok);
    });
    end.receive(frame_writer(other(side)).text("hold in").text("now").bytes());
    EXPECT_EQ(end.events, std::vector{seen_message("now")});
    EXPECT_EQ(end.sent().frames, std::vector({raw_frame{0x81, "at once"}}));
    end.receive(frame_writer(other(side)).frame(0x01, "frag-").frame(0x8B, "!").frame(0x80, "ments").bytes());
    EXPECT_EQ(log.controls, std::vector<std::string>{"11!"});
    ASSERT_EQ(end.events.size(), 3U);
    EXPECT_EQ(end.sent().frames,
              (std::vector{raw_frame{0x81, "at once"}, raw_frame{0x8C, "heard"}, raw_frame{0x81, "hold out"}}));
    end.receive(frame_writer(other(side)).header(0x8B, 126).bytes());
    expect_failed(end, errc::control_too_long, close_code::protocol_error);
    EXPECT_EQ(log.closed, 1);
  }
}

// A forward never gets between the frames of a message in parts, whether its stages see that message or not.
TEST(connection_stage, a_forward_waits_for_the_message_in_parts) {
  diary log;
  core_end end(role::server);
  claims uses = keeping();
  uses.opcodes_of_interest = 1U << 1;
  end->attach(stage_list().add("x-keep", uses, keeper{&log}).take(), end.now);
  end->send(opcode::text, as_bytes("hold"));
  end.turn([](core::connection& c) {
    EXPECT_EQ(c.begin_message(opcode::binary), errc::ok);
    EXPECT_EQ(c.send_part(as_bytes("a"), false), errc::ok);
  });
  end.receive(frame_writer(role::client).frame(0x8B, "").bytes());
  end.turn([](core::connection& c) { EXPECT_EQ(c.send_part(as_bytes("b"), true), errc::ok); });
  EXPECT_EQ(end.sent().fault, "");
  EXPECT_EQ(end.sent().frames, (std::vector{raw_frame{0x02, "a"}, raw_frame{0x8C, "heard"}, raw_frame{0x80, "b"},
                                            raw_frame{0x81, "hold"}}));
}

// `flush` before a close, ours or the answer to the peer's: what was held goes out before the close frame, and in
// before `closed`; `closed` comes once.
TEST(connection_stage, what_was_held_leaves_before_the_end) {
  for (const role side : both_roles) {
    for (const bool ours : {true, false}) {
      SCOPED_TRACE(testing::Message() << test::name_of(side) << (ours ? " closes" : " is closed"));
      diary log;
      core_end end(side);
      with_keeper(end, log);
      end->send(opcode::text, as_bytes("hold out"));
      end.receive(frame_writer(other(side)).text("hold in").bytes());
      EXPECT_TRUE(end.events.empty());
      if (ours) end.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, "", end.now), errc::ok); });
      end.receive(frame_writer(other(side)).close(1000).bytes());
      ASSERT_EQ(end.events.size(), 2U);
      EXPECT_EQ(end.events[0], seen_message("hold in"));
      EXPECT_EQ(end.events[1].error, errc::ok);
      EXPECT_EQ(end.sent().frames, (std::vector{raw_frame{0x81, "hold out"}, raw_frame{0x88, "\x03\xE8"}}));
      EXPECT_EQ(log.closed, 1);
      end.end_of_input();
      EXPECT_EQ(log.closed, 1);
    }
  }
}

TEST(connection_stage, timers_of_stages) {
  using namespace std::chrono_literals;
  diary log;
  core_end end(role::server);
  with_keeper(end, log);
  end.receive(frame_writer(role::client).text("hold until the timer").bytes());
  EXPECT_EQ(end->deadline(), end.now + 3s);
  end.advance(3s);
  EXPECT_EQ(end.events, std::vector{seen_message("hold until the timer")});
}

// A failing stage fails the connection with its code and words, in either direction, and nothing is passed on.
TEST(connection_stage, a_failing_stage_fails_the_connection) {
  for (const role side : both_roles) {
    for (const bool out : {true, false}) {
      diary log;
      core_end end(side);
      with_keeper(end, log);
      if (out)
        end.turn([](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("fail")), errc::closed); });
      else
        end.receive(frame_writer(other(side)).text("good").text("fail").text("never").bytes());
      expect_failed(end, errc::corrupt_data, close_code::invalid_payload);
      EXPECT_EQ(end.closed()->payload, "the peer broke the rules of the extension x-keep: asked to fail");
      EXPECT_EQ(end.events.size(), out ? 1U : 2U);
      EXPECT_EQ(log.closed, 1);
      EXPECT_EQ(end.parts().pool.used_bytes(), 0U);
    }
  }
}

TEST(connection_stage, one_that_gives_up_without_a_word_is_named) {
  auto s = std::make_shared<test::script>();
  s->begin = [](direction, head&, context& c) {
    c.fail(close_code::policy_violation, {});
    return verdict::reject;
  };
  core_end end(role::server);
  end->attach(stage_list().add("x-mute", claims{}, test::scripted{s}).take(), end.now);
  end.receive(frame_writer(role::client).text("hello").bytes());
  ASSERT_NE(end.closed(), nullptr);
  EXPECT_EQ(end.closed()->payload, "the extension x-mute gave the connection up: no reason given");
}

// What a stage sends at the beginning of a message goes out before what the handler of that message does, however the
// message came: whole over the fast path, or in pieces.
TEST(connection_stage, what_a_bypassing_stage_sends_goes_before_the_handlers_words) {
  for (const role side : both_roles) {
    const test::byte_string wire = frame_writer(other(side)).text("hello").take();
    test::in_every_cut(
        side, wire, {},
        [](core_end& end) {
          end->attach(stage_list().add("x-announce", keeping(), announcer{}).take(), end.now);
          end.on_event = [](core_end& self, core::event&) {
            self->fail(close_code::policy_violation, errc::internal, "no more", self.now);
          };
        },
        [](core_end& end) {
          const auto frames = end.sent().frames;
          ASSERT_EQ(frames.size(), 2U);
          EXPECT_EQ(frames[0], (raw_frame{0x8B, "seen"}));
          EXPECT_EQ(frames[1].op(), 8U);
        });
  }
}

}  // namespace
}  // namespace hawser
