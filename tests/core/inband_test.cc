// The in-band mode: the vectors of docs/wire/inband.md, stages over it in both roles, and what it costs nobody else.
#include "core/connection_kit.h"
#include "core/pipeline_kit.h"
#include "support/pair.h"
#include "support/vectors.h"

#include <gtest/gtest.h>
#include <hawser/core/inband.h>

namespace hawser {
namespace {

using core::settings;
using test::both_roles;
using test::content;
using test::core_end;
using test::core_pair;
using test::expect_failed;
using test::frame_writer;
using test::in_every_pair;
using test::other;
using test::raw_frame;
using test::seen_event;
using test::seen_message;
using test::stage_list;
using test::vector_row;

/// What came to a stage that claims RSV2 and opcode 11.
struct notes {
  std::uint8_t rsv = 0;
  std::vector<std::string> controls;
};

/// Marks what goes out when it is told to, notes what comes in marked, and lets all of it be.
struct marker {
  static constexpr unsigned hooks = hook::control;
  notes* log;
  bool marks = false;
  verdict begin(direction way, head& h, context&) {
    if (way == direction::in) log->rsv = h.rsv & 2;
    h.rsv = static_cast<std::uint8_t>(way == direction::out && marks ? h.rsv | 2 : h.rsv & ~2);
    return verdict::bypass;
  }
  void control(std::uint8_t op, byte_view payload, context&) {
    log->controls.push_back(std::to_string(op) + ":" + test::text_of(payload));
  }
};

claims marking() {
  claims c;
  c.rsv = 2;
  c.opcodes = 1U << 11;
  return c;
}

std::vector<core::agreed_extension> marked_by(notes& log, bool marks = false) {
  return stage_list().add("x-mark", marking(), marker{&log, marks}).take();
}

errc error_for(const vector_row& row) {
  const std::string& name = row.text("name");
  if (row.number("fails") == 1007) return errc::bad_utf8;
  if (name == "nothing" || name == "text_on_the_wire") return errc::inband_malformed;
  if (name == "own_control_too_long") return errc::control_too_long;
  const bool bits = name.find("bit") != std::string::npos || name.find("marked") != std::string::npos;
  return bits ? errc::reserved_bits : errc::reserved_opcode;
}

TEST(inband_answer, the_vectors) {
  std::size_t read = 0;
  for (const vector_row& row : test::vectors_of("inband")) {
    if (!row.has("answer")) continue;
    SCOPED_TRACE(row.text("name"));
    ++read;
    std::string why;
    const result<core::inband_answer> answer = core::parse_inband_answer(row.bytes("answer"), why);
    ASSERT_EQ(answer.has_value(), !row.has("fails")) << why;
    if (!answer) {
      EXPECT_EQ(answer.error(), errc::extension_header_malformed);
      EXPECT_FALSE(why.empty());
      continue;
    }
    EXPECT_EQ(answer->subprotocol, row.text("protocol"));
    EXPECT_EQ(answer->extensions, row.bytes("extensions"));
  }
  EXPECT_GE(read, 12U);
}

TEST(inband_answer, what_is_written_is_read_back) {
  for (const char* protocol : {"", "chat"}) {
    for (const char* extensions : {"", "x-a; b=1, x-c"}) {
      std::string why;
      const auto read = core::parse_inband_answer(core::format_inband_answer({protocol, extensions}), why);
      ASSERT_TRUE(read) << why;
      EXPECT_EQ(read->subprotocol, protocol);
      EXPECT_EQ(read->extensions.find_first_not_of(' ') == std::string::npos ? "" : read->extensions.substr(1),
                extensions);
    }
  }
}

/// The bytes of a vector's message, in so many fragments, of which the first `empty` ones have nothing in them.
byte_view written(frame_writer& w, const vector_row& row, std::size_t fragments, std::size_t empty) {
  const bool text = row.has("text");
  const std::string wire = row.bytes(text ? "text" : "message");
  unsigned op = text ? 1U : 2U;
  for (std::size_t i = 0; i < empty; ++i, op = 0)
    w.frame(op, std::string_view());
  std::size_t from = 0;
  for (std::size_t i = 1; i <= fragments; ++i, op = 0) {
    const std::size_t to = wire.size() * i / fragments;
    w.frame(op | (i == fragments ? test::fin_bit : 0), std::string_view(wire).substr(from, to - from));
    from = to;
  }
  return w.bytes();
}

// F-01, F-02, F-03, F-11: the byte in front is judged as the first byte of a frame is, wherever the message is cut.
TEST(inband_in, the_vectors_in_every_role_fragment_and_cut) {
  std::size_t read = 0;
  for (const vector_row& row : test::vectors_of("inband")) {
    if (row.has("answer")) continue;
    ++read;
    for (const role side : both_roles) {
      for (const std::size_t fragments : {1U, 2U, 3U}) {
        for (const std::size_t empty : {0U, 2U}) {
          SCOPED_TRACE(row.text("name") + " in " + std::to_string(fragments) + "+" + std::to_string(empty));
          frame_writer w(other(side));
          notes log;
          test::in_every_cut(
              side, written(w, row, fragments, empty), {},
              [&](core_end& end) {
                log = {};
                end->attach_inband(marked_by(log), end.now);
              },
              [&](core_end& end) {
                if (row.has("fails"))
                  return expect_failed(end, error_for(row), static_cast<close_code>(row.number("fails")));
                if (row.number("opcode") == 11) {
                  EXPECT_TRUE(end.events.empty());
                  EXPECT_EQ(log.controls, std::vector{"11:" + row.bytes("payload")});
                  EXPECT_EQ(end->stats().messages_in, 0U);
                  return;
                }
                EXPECT_EQ(end.events,
                          std::vector{seen_message(row.bytes("payload"), static_cast<opcode>(row.number("opcode")))});
                EXPECT_EQ(log.rsv, row.number("rsv"));
                EXPECT_EQ(end->stats().messages_in, 1U);
              },
              2);
        }
      }
    }
  }
  EXPECT_GE(read, 23U);
}

// The same bytes the other way: what is sent is what the vectors say, by every call that sends.
TEST(inband_out, the_vectors_by_every_call) {
  for (const vector_row& row : test::vectors_of("inband")) {
    if (row.has("answer") || row.has("fails") || row.number("opcode") == 11) continue;
    for (const role side : both_roles) {
      for (int call = 0; call < 4; ++call) {
        SCOPED_TRACE(row.text("name") + " by call " + std::to_string(call));
        notes log;
        core_end end(side);
        end->attach_inband(marked_by(log, row.number("rsv") == 2), end.now);
        const std::string payload = row.bytes("payload");
        const auto op = static_cast<opcode>(row.number("opcode"));
        end.turn([&](core::connection& c) {
          if (call == 0) return static_cast<void>(c.send(op, as_bytes(payload)));
          if (call == 1) return static_cast<void>(c.send_promised(op, as_bytes(payload)));
          if (call == 2) {
            buffer owned = end.parts().pool.take(payload.size());
            std::copy_n(as_bytes(payload).begin(), payload.size(), owned.data());
            buffer shared = owned;
            c.send(op, shared);
            EXPECT_EQ(test::text_of(shared.view()), payload) << "another's buffer has been written into";
            return;
          }
          c.begin_message(op);
          c.send_part(as_bytes(payload).first(payload.size() / 2), false);
          c.send_part(as_bytes(payload).subspan(payload.size() / 2), true);
        });
        const auto sent = end.sent();
        ASSERT_EQ(sent.fault, "");
        std::string joined;
        for (const raw_frame& f : sent.frames)
          joined += f.payload;
        EXPECT_EQ(joined, row.bytes("message"));
        EXPECT_EQ(sent.frames.front().op(), 2U);
        EXPECT_EQ(end->stats().messages_out, 1U);
      }
    }
  }
}

/// Puts four bytes at the end of each message, and looks for them.
struct tail {
  static constexpr unsigned hooks = hook::suffix;
  verdict begin(direction way, head& h, context&) {
    h.rsv = static_cast<std::uint8_t>(way == direction::out ? h.rsv | 2 : h.rsv & ~2);
    return verdict::observe.suffix(4);
  }
  void suffix(direction way, byte_span end, context& c) {
    if (way == direction::out) return static_cast<void>(std::copy_n(as_bytes("tail").begin(), 4, end.begin()));
    if (as_text(end) != "tail") c.fail(close_code::invalid_payload, "no tail");
  }
};

std::vector<core::agreed_extension> tailed() {
  claims uses;
  uses.rsv = 2;
  return stage_list().add("x-tail", uses, tail{}).take();
}

// Without any stage the byte is there all the same.
TEST(inband, no_stages_are_a_mode_too) {
  in_every_pair({}, [](core_pair& ends) {
    ends.client->attach_inband({}, ends.client.now);
    ends.server->attach_inband({}, ends.server.now);
    ends.server.on_event = test::echo;
    ends.client.turn([](core::connection& c) {
      c.send(opcode::text, as_bytes("plain"));
      c.send(opcode::binary, byte_view());
    });
    ends.run();
    EXPECT_EQ(ends.client.events, (std::vector{seen_message("plain"), seen_message("", opcode::binary)}));
    EXPECT_EQ(test::read_frames(ends.client_wire, role::client).frames,
              (std::vector{raw_frame{0x82, "\x01plain"}, raw_frame{0x82, "\x02"}}));
    EXPECT_EQ(test::read_frames(ends.server_wire, role::server).frames,
              (std::vector{raw_frame{0x82, "\x01plain"}, raw_frame{0x82, "\x02"}}));
  });
}

TEST(inband, messages_of_every_size_travel_both_ways) {
  settings obey;
  obey.bounds.max_message = std::uint64_t{1} << 22;
  for (const std::uint64_t most_frame : {std::uint64_t{1} << 62, std::uint64_t{1000}}) {
    obey.bounds.max_outgoing_frame = most_frame;
    in_every_pair(
        obey,
        [&](core_pair& ends) {
          ends.client->attach_inband(tailed(), ends.client.now);
          ends.server->attach_inband(tailed(), ends.server.now);
          ends.server.use_area = true;
          ends.server.on_event = test::echo;
          std::vector<seen_event> expected;
          for (const std::size_t size :
               {0U, 1U, 124U, 125U, 126U, 2046U, 2047U, 2048U, 65534U, 65535U, 65536U, 300'000U}) {
            expected.push_back(seen_message(content(size)));
            ends.client.turn([&](core::connection& c) { c.send(opcode::text, as_bytes(content(size))); });
            ends.run();
          }
          EXPECT_EQ(ends.client.events, expected);
        },
        3);
  }
}

// Limits hold for the payload: the byte in front does not count, to the byte.
TEST(inband_in, the_byte_in_front_counts_against_no_limit) {
  settings obey;
  obey.bounds.max_message = 100;
  for (const role side : both_roles) {
    for (const std::size_t size : {100U, 101U}) {
      for (const bool fragments : {false, true}) {
        frame_writer w(other(side));
        const std::string wire = "\x02" + content(size);
        if (fragments)
          w.fragments(2, {wire.substr(0, 1), wire.substr(1, 50), wire.substr(51)});
        else
          w.frame(0x82, wire);
        test::in_every_cut(
            side, w.bytes(), obey, [](core_end& end) { end->attach_inband({}, end.now); },
            [&](core_end& end) {
              if (size == 101) return expect_failed(end, errc::message_too_big, close_code::message_too_big);
              EXPECT_EQ(end.events, std::vector{seen_message(content(size), opcode::binary)});
            });
      }
    }
  }
  obey.bounds.max_frame = 50;
  core_end end(role::server, obey);
  end->attach_inband({}, end.now);
  end.receive(frame_writer(role::client).frame(0x82, "\x02" + content(50)).bytes());
  EXPECT_EQ(end.events.size(), 1U);
  end.receive(frame_writer(role::client).frame(0x82, "\x02" + content(51)).bytes());
  expect_failed(end, errc::frame_too_big, close_code::message_too_big);
}

// A declared size reserves no memory, and a control message declared to be long is refused at its header.
TEST(inband_in, declared_lengths_reserve_nothing) {
  settings obey;
  obey.bounds.max_message = std::uint64_t{1} << 30;
  core_end end(role::server, obey);
  notes log;
  end->attach_inband(marked_by(log), end.now);
  end.receive(frame_writer(role::client).header(0x82, std::uint64_t{1} << 29).masked("\x02").bytes());
  EXPECT_LT(end.parts().pool.used_bytes(), 4096U);

  core_end second(role::server, obey);
  second->attach_inband(marked_by(log), second.now);
  second.receive(frame_writer(role::client).frame(0x02, "\x0b").header(0x80, 1 << 20).bytes());
  expect_failed(second, errc::control_too_long, close_code::protocol_error);
}

// F-02: frames of the wire itself have no bits and no opcodes of extensions, whatever was agreed in-band.
TEST(inband_in, the_frames_themselves_are_plain) {
  for (const role side : both_roles) {
    for (const unsigned first : {0xA2U, 0x8BU, 0xC2U, 0x83U}) {
      frame_writer w(other(side));
      notes log;
      test::in_every_cut(
          side, w.frame(first, "x").bytes(), {}, [&](core_end& end) { end->attach_inband(marked_by(log), end.now); },
          [&](core_end& end) {
            expect_failed(end, (first & 0x70U) != 0 ? errc::reserved_bits : errc::reserved_opcode,
                          close_code::protocol_error);
          });
    }
  }
}

// RFC 6455, 5.4: also before the byte has come a message is open, and no other may begin.
TEST(inband_in, fragments_keep_their_order) {
  frame_writer twice(role::client);
  test::in_every_cut(
      role::server, twice.frame(0x02, "").frame(0x82, "\x02x").bytes(), {},
      [](core_end& end) { end->attach_inband({}, end.now); },
      [](core_end& end) { expect_failed(end, errc::expected_continuation, close_code::protocol_error); });
  frame_writer alone(role::client);
  test::in_every_cut(
      role::server, alone.frame(0x82, "\x02x").frame(0x80, "x").bytes(), {},
      [](core_end& end) { end->attach_inband({}, end.now); },
      [](core_end& end) {
        ASSERT_EQ(end.events.size(), 2U);
        expect_failed(end, errc::unexpected_continuation, close_code::protocol_error);
      });
}

// F-06, F-14: pings between the fragments of every kind of message, in front of the byte too.
TEST(inband_in, pings_between_the_fragments_are_answered) {
  for (const role side : both_roles) {
    frame_writer w(other(side));
    notes log;
    w.frame(0x02, "").ping("one").frame(0x00, "\x0b").ping("two").frame(0x80, "own");
    w.frame(0x02, "").ping("three").frame(0x00, "\x01").ping("four").frame(0x80, "text");
    test::in_every_cut(
        side, w.bytes(), {},
        [&](core_end& end) {
          log = {};
          end->attach_inband(marked_by(log), end.now);
        },
        [&](core_end& end) {
          using test::seen_control;
          EXPECT_EQ(end.events,
                    (std::vector{seen_control(core::kind::ping, "one"), seen_control(core::kind::ping, "two"),
                                 seen_control(core::kind::ping, "three"), seen_control(core::kind::ping, "four"),
                                 seen_message("text")}));
          EXPECT_EQ(log.controls, std::vector<std::string>{"11:own"});
          EXPECT_EQ(end.sent().count(10), 4U);
        });
  }
}

TEST(inband_in, parts_are_parts) {
  settings obey;
  obey.in_parts = true;
  notes log;
  core_end end(role::server, obey);
  end->attach_inband(marked_by(log), end.now);
  end.receive(frame_writer(role::client).fragments(2, {"\x01", "a", "b"}).fragments(2, {"\x0b", "c", "d"}).bytes());
  std::string all;
  for (const seen_event& e : end.events) {
    EXPECT_EQ(e.what, core::kind::part);
    EXPECT_EQ(e.op, opcode::text);
    all += e.payload;
  }
  EXPECT_EQ(all, "ab");
  EXPECT_TRUE(end.events.back().fin);
  EXPECT_EQ(log.controls, std::vector<std::string>{"11:cd"});
}

/// Says by a control frame that a message came.
struct announcer {
  static constexpr unsigned hooks = hook::control | hook::flush;
  verdict begin(direction way, head&, context& c) {
    if (way == direction::in) {
      EXPECT_TRUE(c.emit_control(11, as_bytes("seen")));
    }
    return verdict::bypass;
  }
  void control(std::uint8_t, byte_view, context&) {}
  void flush(context& c) { EXPECT_TRUE(c.emit_control(11, as_bytes("last"))); }
};

std::vector<core::agreed_extension> announced() {
  claims uses;
  uses.opcodes = 1U << 11;
  return stage_list().add("x-announce", uses, announcer{}).take();
}

// What would overtake in frames waits here: it cannot stand among the frames of another message.
TEST(inband_out, own_control_frames_wait_for_a_message_in_parts) {
  core_end end(role::server);
  end->attach_inband(announced(), end.now);
  end.turn([](core::connection& c) {
    EXPECT_EQ(c.begin_message(opcode::text), errc::ok);
    EXPECT_EQ(c.send_part(as_bytes("one "), false), errc::ok);
  });
  end.receive(frame_writer(role::client).frame(0x82, "\x01in").bytes());
  EXPECT_EQ(end.events, std::vector{seen_message("in")});
  EXPECT_EQ(end.sent().frames.size(), 1U);
  end.turn([](core::connection& c) { EXPECT_EQ(c.send_part(as_bytes("two"), true), errc::ok); });
  EXPECT_EQ(end.sent().frames,
            (std::vector{raw_frame{0x02, "\x01one "}, raw_frame{0x80, "two"}, raw_frame{0x82, "\x0bseen"}}));
  end.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, {}, end.now), errc::ok); });
  const auto sent = end.sent();
  EXPECT_EQ(sent.frames.at(3), (raw_frame{0x82, "\x0blast"}));
  EXPECT_EQ(sent.frames.at(4).op(), 8U);
  EXPECT_EQ(end->messages_out(), 1U) << "control frames are no messages";
}

/// Says a lot about every message that comes.
struct chatter {
  static constexpr unsigned hooks = hook::control;
  std::size_t* emitted;
  std::size_t* refused;
  verdict begin(direction way, head&, context& c) {
    if (way == direction::in) ++(c.emit_control(11, as_bytes(std::string(125, 'x'))) ? *emitted : *refused);
    return verdict::bypass;
  }
  void control(std::uint8_t, byte_view, context&) {}
};

// A peer that sends and does not read must not make this end keep more and more of them.
TEST(inband_out, own_control_frames_are_bounded_while_the_peer_does_not_read) {
  settings obey;
  obey.bounds.write_soft = 1000;
  core_end end(role::server, obey);
  std::size_t emitted = 0;
  std::size_t refused = 0;
  claims uses;
  uses.opcodes = 1U << 11;
  end->attach_inband(stage_list().add("x-chatter", uses, chatter{&emitted, &refused}).take(), end.now);
  end.takes = [](std::size_t) { return std::size_t{0}; };
  end.turn([](core::connection& c) { c.send(opcode::text, as_bytes("fills")); });
  for (int i = 0; i < 1000; ++i)
    end.receive(frame_writer(role::client).frame(0x82, "\x01in").bytes());
  EXPECT_EQ(end.events.size(), 1000U);
  EXPECT_EQ(emitted + refused, 1000U);
  EXPECT_GT(refused, 900U);
  EXPECT_LT(end->backlog(), 1300U);
  end.takes = {};
  end.writable();
  end.turn([](core::connection&) {});
  EXPECT_EQ(end.sent().frames.size(), 1 + emitted) << "what was taken is sent in the end";
}

/// Holds what comes in until its timer.
struct holder {
  static constexpr unsigned hooks = hook::whole | hook::timer;
  struct held {
    head h;
    buffer body;
  };
  std::vector<held> waiting = {};
  verdict begin(direction way, head&, context&) { return way == direction::in ? verdict::whole : verdict::bypass; }
  void whole(direction, const head& h, buffer body, context& c) {
    waiting.push_back({h, std::move(body)});
    c.arm(c.now() + std::chrono::seconds(1));
  }
  void timer(context& c) {
    for (held& w : waiting)
      EXPECT_TRUE(c.forward(direction::in, w.h, std::move(w.body)));
    waiting.clear();
  }
};

// What a stage hands on goes to the application also while the next message has only begun, and harms neither.
TEST(inband_in, a_held_message_goes_on_while_the_next_one_begins) {
  frame_writer w(role::client);
  const std::string next = test::text_of(w.frame(0x02, "").frame(0x00, "\x02").frame(0x80, "next").take());
  for (std::size_t cut = 0; cut <= next.size(); ++cut) {
    SCOPED_TRACE(cut);
    core_end end(role::server);
    end->attach_inband(stage_list().add("x-hold", {}, holder{}).take(), end.now);
    end.receive(frame_writer(role::client).frame(0x82, "\x01held").bytes());
    end.receive(as_bytes(next).first(cut));
    end.advance(std::chrono::seconds(2));
    end.receive(as_bytes(next).subspan(cut));
    end.advance(std::chrono::seconds(2));
    EXPECT_EQ(end.events, (std::vector{seen_message("held"), seen_message("next", opcode::binary)}));
  }
}

// The settings may be exchanged before the stages come, as an opening does that reads the offer under its own.
TEST(inband, other_settings_hold_from_then_on) {
  settings tight;
  tight.bounds.max_message = 10;
  const settings wide;
  core_end end(role::server, tight);
  end.receive(frame_writer(role::client).binary(as_bytes("offer")).bytes());
  end->obey(wide);
  end->attach_inband({}, end.now);
  end.receive(frame_writer(role::client).frame(0x82, "\x01" + content(1000)).bytes());
  EXPECT_EQ(end.events, (std::vector{seen_message("offer", opcode::binary), seen_message(content(1000))}));
}

}  // namespace
}  // namespace hawser
