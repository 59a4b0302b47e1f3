// The closing handshake and failure: RFC 6455, 5.5.1, 7; D5 to D7; protocol table of close codes.
#include "core/connection_kit.h"
#include "support/pair.h"

#include <gtest/gtest.h>

#include <array>

namespace hawser {
namespace {

using namespace test;
using core::kind;
using core::settings;
using namespace std::chrono_literals;

// The table, code by code: registered and not reserved, or an application's.
bool legal(unsigned code) {
  constexpr std::array registered = {1000U, 1001U, 1002U, 1003U, 1007U, 1008U,
                                     1009U, 1010U, 1011U, 1012U, 1013U, 1014U};
  if (code >= 3000 && code < 5000) return true;
  return std::find(registered.begin(), registered.end(), code) != registered.end();
}

std::string close_payload(unsigned code, std::string_view reason = {}) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return payload.append(reason);
}

// D5, N-23, N-25: all 65,536 codes received, in both roles: the verdict, what goes back, what the application hears.
TEST(connection_close, every_code_received) {
  test::loop_parts parts;
  for (const role side : both_roles) {
    unsigned accepted = 0;
    for (unsigned code = 0; code < 65536; ++code) {
      SCOPED_TRACE(code);
      core_end end(side, {}, &parts);
      end.receive(frame_writer(other(side)).close(code, "why").bytes());
      if (!legal(code)) {
        expect_failed(end, errc::bad_close_payload, close_code::protocol_error);
      } else {
        ++accepted;
        ASSERT_EQ(end.events.size(), 1U);
        EXPECT_EQ(end.events[0].error, errc::ok);
        EXPECT_EQ(static_cast<unsigned>(end.events[0].code), code);
        EXPECT_EQ(end.events[0].payload, "why");
        // N-21: a server never says 1010. It answers without a code, since a code that is not the peer's is a wrong
        // one.
        const std::string answer = code == 1010 && side == role::server ? "" : close_payload(code);
        EXPECT_EQ(end.sent().frames, std::vector({raw_frame{0x88, answer}}));
        EXPECT_EQ(end->closes_first(), side == role::server);
      }
      if (HasFailure()) return;
    }
    EXPECT_EQ(accepted, 2012U);
  }
}

// D5, N-20, N-21, N-25: all 65,536 codes sent.
TEST(connection_close, every_code_sent) {
  test::loop_parts parts;
  for (const role side : both_roles) {
    core_end end(side);
    for (unsigned code = 0; code < 65536; ++code) {
      const bool may = legal(code) && !(code == 1010 && side == role::server);
      if (may || code == 1005) continue;
      ASSERT_EQ(end->close(static_cast<close_code>(code), "", end.now), errc::invalid_close_code) << code;
    }
    EXPECT_TRUE(end->is_open());
    EXPECT_EQ(end->pending(), 0U);
    for (unsigned code = 0; code < 65536; ++code) {
      if (!legal(code) || (code == 1010 && side == role::server)) continue;
      core_end one(side, {}, &parts);
      one.turn([&](core::connection& c) { ASSERT_EQ(c.close(static_cast<close_code>(code), "r", one.now), errc::ok); });
      ASSERT_EQ(one.sent().frames, std::vector({raw_frame{0x88, close_payload(code, "r")}}));
    }
    core_end empty(side);
    empty.turn([&](core::connection& c) {
      EXPECT_EQ(c.close(close_code::no_status, "a reason needs a code", empty.now), errc::invalid_close_code);
      EXPECT_EQ(c.close(close_code::no_status, "", empty.now), errc::ok);
    });
    EXPECT_EQ(empty.sent().frames, std::vector({raw_frame{0x88, ""}}));
  }
}

TEST(connection_close, a_reason_is_at_most_123_bytes_of_utf8) {
  core_end end(role::server);
  EXPECT_EQ(end->close(close_code::normal, std::string(124, 'x'), end.now), errc::invalid_close_code);
  EXPECT_EQ(end->close(close_code::normal, "\xC3(", end.now), errc::invalid_close_code);
  EXPECT_TRUE(end->is_open());
  end.turn(
      [&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, std::string(123, 'x'), end.now), errc::ok); });
  EXPECT_EQ(end.sent().frames.back().payload.size(), 125U);
}

// D5: no payload is 1005 and legal, one byte is 1002, a reason that is not UTF-8 1007. D7: in every cut.
TEST(connection_close, payloads_received) {
  for (const role side : both_roles) {
    const auto from = other(side);
    in_every_cut(side, frame_writer(from).close().bytes(), {}, [](core_end& end) {
      ASSERT_EQ(end.events.size(), 1U);
      EXPECT_EQ(end.events[0].code, close_code::no_status);
      EXPECT_EQ(end.events[0].error, errc::ok);
      EXPECT_EQ(end.sent().frames, std::vector({raw_frame{0x88, ""}}));
    });
    for (const std::string& reason : {std::string(), std::string("gr\xC3\xBC\xC3\x9F"), std::string(123, 'z')})
      in_every_cut(side, frame_writer(from).close(4000, reason).bytes(), {}, [&](core_end& end) {
        ASSERT_EQ(end.events.size(), 1U);
        EXPECT_EQ(end.events[0].payload, reason);
        EXPECT_EQ(end.sent().frames, std::vector({raw_frame{0x88, close_payload(4000)}}));
      });
    expect_failure(side, frame_writer(from).frame(0x88, "\x03").bytes(), errc::bad_close_payload,
                   close_code::protocol_error);
    for (const char* bad : {"\xFF", "ok\xC3", "\xED\xA0\x80"})
      expect_failure(side, frame_writer(from).close(1000, bad).bytes(), errc::bad_utf8, close_code::invalid_payload);
    expect_failure(side, frame_writer(from).close(1000, std::string(124, 'x')).bytes(), errc::control_too_long,
                   close_code::protocol_error);
  }
}

// A close in the middle of a fragmented message is answered like any other; the message is gone.
TEST(connection_close, in_the_middle_of_a_message) {
  for (const role side : both_roles) {
    const test::byte_string wire = frame_writer(other(side)).frame(0x01, content(5000)).close(1001, "away").take();
    in_every_cut(side, wire, {}, [](core_end& end) {
      ASSERT_EQ(end.events.size(), 1U);
      EXPECT_EQ(end.events[0].code, close_code::going_away);
      EXPECT_EQ(end.sent().frames, std::vector({raw_frame{0x88, close_payload(1001)}}));
    });
  }
}

// D6: whatever follows a close, or a frame that failed the connection, is not looked at.
TEST(connection_close, nothing_is_taken_after_it) {
  for (const role side : both_roles) {
    const auto from = other(side);
    for (const char* what : {"close", "failure"}) {
      frame_writer wire(from);
      wire.text("first");
      if (*what == 'c')
        wire.close(1000);
      else
        wire.frame(0x83, "");
      wire.text("second").ping("p").frame(0xFF, "junk").close(1001).header(0x82, 1 << 30);
      in_every_cut(side, wire.bytes(), {}, [&](core_end& end) {
        ASSERT_EQ(end.events.size(), 2U) << what;
        EXPECT_EQ(end.events[0], seen_message("first"));
        EXPECT_EQ(end.sent().frames.size(), 1U);
        const std::size_t before = end.out.size();
        end.receive(frame_writer(from).text("third").ping().bytes());
        end.end_of_input();
        end.advance(1h);
        EXPECT_EQ(end.events.size(), 2U);
        EXPECT_EQ(end.out.size(), before);
      });
    }
  }
}

// F-12, F-15, D18: when it is over every call says so, and nothing is sent.
TEST(connection_close, every_call_afterwards_answers_closed) {
  for (const role side : both_roles) {
    for (int how = 0; how < 4; ++how) {
      SCOPED_TRACE(how);
      core_end end(side);
      if (how == 0) end.receive(frame_writer(other(side)).close().bytes());
      if (how == 1) end.receive(frame_writer(other(side)).frame(0xF1, "").bytes());
      if (how == 2) end.end_of_input();
      if (how == 3)
        end.turn([&](core::connection& c) { c.fail(close_code::internal_error, errc::handler_threw, "oh", end.now); });
      ASSERT_NE(end.closed(), nullptr);
      const std::size_t before = end.out.size();
      const test::byte_string big(5000);
      end.turn([&](core::connection& c) {
        EXPECT_EQ(c.send(opcode::text, as_bytes("x")), errc::closed);
        EXPECT_EQ(c.send(opcode::text, end.parts().pool.take(5000)), errc::closed);
        EXPECT_EQ(c.send(static_cast<opcode>(77), byte_view(big)), errc::closed);
        EXPECT_EQ(c.begin_message(opcode::text), errc::closed);
        EXPECT_EQ(c.send_part(as_bytes("x"), true), errc::closed);
        EXPECT_EQ(c.send_frames(end.parts().pool.take(10), 1), errc::closed);
        EXPECT_EQ(c.ping({}), errc::closed);
        EXPECT_EQ(c.pong({}), errc::closed);
        EXPECT_EQ(c.close(close_code::normal, "", end.now), errc::closed);
        c.fail(close_code::internal_error, errc::internal, "", end.now);
        c.transport_failed(errc::connection_lost, end.now);
        c.on_timeout(end.now + 1h);
      });
      EXPECT_EQ(end.out.size(), before);
      EXPECT_EQ(end.events.size(), 1U);
      EXPECT_FALSE(end->is_open());
    }
  }
}

// Good messages in the same read as a bad frame are delivered first, and the replies to them go out before the close
// frame.
TEST(connection_close, good_messages_before_a_bad_frame_are_answered) {
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.text("one").ping("two").binary(as_bytes(content(3000))).frame(0xC1, "reserved bit").text("never");
    in_every_cut(
        side, wire.bytes(), {}, [](core_end& end) { end.on_event = test::echo; },
        [](core_end& end) {
          ASSERT_EQ(end.events.size(), 4U);
          const auto frames = end.sent().frames;
          ASSERT_EQ(frames.size(), 4U);
          EXPECT_EQ(frames[0], (raw_frame{0x81, "one"}));
          EXPECT_EQ(frames[1], (raw_frame{0x8A, "two"}));
          EXPECT_EQ(frames[2], (raw_frame{0x82, content(3000)}));
          EXPECT_EQ(test::close_code_of(frames[3]), 1002U);
        });
  }
}

// Our close: messages still come, pings are not answered any more, the peer's close ends it. A client waits for the
// server to close the transport (RFC 6455, 7.1.1).
TEST(connection_close, ours_waits_for_the_peer) {
  for (const role side : both_roles) {
    core_end end(side);
    end.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::going_away, "bye", end.now), errc::ok); });
    EXPECT_FALSE(end->is_open());
    EXPECT_FALSE(end->is_over());
    EXPECT_EQ(end->send(opcode::text, as_bytes("x")), errc::closed);
    EXPECT_EQ(end->close(close_code::normal, "", end.now), errc::closed);
    end.receive(frame_writer(other(side)).text("still").fragments(2, {"on its", " way"}).ping("p").close(1001).bytes());
    ASSERT_EQ(end.events.size(), 4U);
    EXPECT_EQ(end.events[0], seen_message("still"));
    EXPECT_EQ(end.events[1], seen_message("on its way", opcode::binary));
    EXPECT_EQ(end.events[2], seen_control(kind::ping, "p"));
    EXPECT_EQ(end.events[3].error, errc::ok);
    EXPECT_EQ(end.events[3].code, close_code::going_away);
    EXPECT_EQ(end.sent().frames, std::vector({raw_frame{0x88, close_payload(1001, "bye")}}));
    EXPECT_EQ(end->closes_first(), side == role::server);
  }
}

// After our close the peer breaks the protocol: it is failed, but no second close frame goes out.
TEST(connection_close, a_failure_after_our_close_sends_nothing_more) {
  core_end end(role::server);
  end.turn([&](core::connection& c) { c.close(close_code::normal, "", end.now); });
  end.receive(frame_writer(role::client).frame(0x84, "").bytes());
  ASSERT_NE(end.closed(), nullptr);
  EXPECT_EQ(end.closed()->error, errc::reserved_opcode);
  EXPECT_EQ(end.closed()->code, close_code::protocol_error);
  EXPECT_EQ(end.sent().count(8), 1U);
}

TEST(connection_close, a_peer_that_does_not_answer_is_given_up) {
  settings obey;
  obey.close_timeout = 5s;
  for (const role side : both_roles) {
    core_end end(side, obey);
    end.turn([&](core::connection& c) { c.close(close_code::normal, "", end.now); });
    EXPECT_EQ(end->deadline(), end.now + 5s);
    // Data does not buy time.
    end.now += 3s;
    end.receive(frame_writer(other(side)).text("x").bytes());
    EXPECT_EQ(end->deadline(), test::clock_start + 5s);
    end.advance(1999ms);
    EXPECT_EQ(end.closed(), nullptr);
    end.advance(1ms);
    ASSERT_NE(end.closed(), nullptr);
    EXPECT_EQ(end.closed()->error, errc::close_timeout);
    EXPECT_EQ(end.closed()->code, close_code::abnormal);
    EXPECT_TRUE(end->closes_first());
    EXPECT_EQ(end.sent().count(8), 1U);
  }
}

// What waits in front of the close frame goes out at the peer's pace: it cannot answer what it has not been sent.
TEST(connection_close, a_peer_that_takes_what_waits_is_given_its_time_anew) {
  settings obey;
  obey.close_timeout = 5s;
  for (const role side : both_roles) {
    core_end end(side, obey);
    end.turn([&](core::connection& c) { c.close(close_code::normal, "", end.now); });
    for (int i = 0; i < 4; ++i) {
      end.advance(4s);
      ASSERT_EQ(end.closed(), nullptr) << i;
      end->output_moved(end.now);
      EXPECT_EQ(end->deadline(), end.now + 5s);
    }
    end.advance(5s);
    ASSERT_NE(end.closed(), nullptr);
    EXPECT_EQ(end.closed()->error, errc::close_timeout);
    // Without a close under way it changes nothing.
    core_end open(side, obey);
    const tick before = open->deadline();
    open->output_moved(open.now + 1s);
    EXPECT_EQ(open->deadline(), before);
  }
}

// I5: the end of input without a close frame is no clean end.
TEST(connection_close, end_of_input_without_a_close_frame) {
  for (const role side : both_roles) {
    const test::byte_string wire = frame_writer(other(side)).text("a").fragments(1, {"bc", "d"}).take();
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
      core_end end(side);
      end.receive(byte_view(wire).first(cut));
      end.end_of_input();
      ASSERT_NE(end.closed(), nullptr);
      EXPECT_EQ(end.closed()->error, errc::connection_lost);
      EXPECT_EQ(end.closed()->code, close_code::abnormal);
      EXPECT_TRUE(end.out.empty());
    }
  }
}

// N-25 for `fail`: what must not be sent becomes 1011, 1006 sends nothing, a reason is cut between characters.
TEST(connection_close, fail_sends_only_what_may_be_sent) {
  test::loop_parts parts;
  for (const role side : both_roles) {
    for (unsigned code = 0; code < 65536; ++code) {
      core_end end(side, {}, &parts);
      end.turn(
          [&](core::connection& c) { c.fail(static_cast<close_code>(code), errc::extension_failed, "t", end.now); });
      ASSERT_NE(end.closed(), nullptr);
      const auto frames = end.sent().frames;
      if (code == 1006) {
        ASSERT_TRUE(frames.empty());
        continue;
      }
      const bool may = legal(code) && !(code == 1010 && side == role::server);
      ASSERT_EQ(frames, std::vector({raw_frame{0x88, close_payload(may ? code : 1011, "t")}})) << code;
    }
  }
  std::string text(122, 'x');
  text += "\xE2\x82\xAC and more";
  core_end end(role::client);
  end.turn([&](core::connection& c) { c.fail(close_code::internal_error, errc::handler_threw, text, end.now); });
  EXPECT_EQ(end.sent().frames.back().payload, close_payload(1011, std::string(122, 'x')));
  EXPECT_EQ(end.closed()->payload, text);
  core_end bad(role::client);
  bad.turn([&](core::connection& c) { c.fail(close_code::internal_error, errc::handler_threw, "\xFF", bad.now); });
  EXPECT_EQ(bad.sent().frames.back().payload, close_payload(1011));
}

TEST(connection_close, both_ends_at_once) {
  in_every_pair({}, [](core_pair& ends) {
    ends.client.turn([&](core::connection& c) { c.close(close_code::normal, "c", ends.client.now); });
    ends.server.turn([&](core::connection& c) { c.close(close_code::going_away, "s", ends.server.now); });
    ends.run();
    ASSERT_NE(ends.client.closed(), nullptr);
    ASSERT_NE(ends.server.closed(), nullptr);
    EXPECT_EQ(ends.client.closed()->code, close_code::going_away);
    EXPECT_EQ(ends.client.closed()->payload, "s");
    EXPECT_EQ(ends.server.closed()->code, close_code::normal);
    EXPECT_EQ(test::read_frames(ends.client_wire, role::client).frames.size(), 1U);
    EXPECT_EQ(test::read_frames(ends.server_wire, role::server).frames.size(), 1U);
  });
}

// D7: closing, failing and sending from the handler of every kind of event.
TEST(connection_close, from_inside_every_event) {
  for (const role side : both_roles) {
    for (const kind when : {kind::message, kind::ping, kind::pong, kind::closed}) {
      for (int how = 0; how < 3; ++how) {
        SCOPED_TRACE(testing::Message() << test::name_of(when) << how);
        frame_writer wire(other(side));
        wire.text("m").ping("p").pong("q").fragments(2, {content(100), content(3000)}).close(1001);
        in_every_cut(
            side, wire.bytes(), {},
            [&](core_end& end) {
              end.on_event = [&, when, how](core_end& self, core::event& e) {
                if (self.events.back().what != when) return;
                if (how == 0) self->close(close_code::normal, "h", self.now);
                if (how == 1) self->fail(close_code::internal_error, errc::handler_threw, "h", self.now);
                if (how == 2) self->send(opcode::binary, e.payload);
              };
            },
            [&](core_end& end) {
              ASSERT_NE(end.closed(), nullptr);
              EXPECT_EQ(end.sent().count(8), 1U);
              EXPECT_EQ(end->pending(), 0U);
            });
      }
    }
  }
}

// Every state a connection can be in, destroyed there: the sanitizer and the pool say whether something was lost.
TEST(connection_close, destroyed_in_every_state) {
  settings obey;
  test::loop_parts parts;
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.text("a").fragments(1, {content(3000), content(9000)}).ping("p").frame(0x02, content(200000)).close(1000);
    for (std::size_t cut = 0; cut < wire.bytes().size(); cut += cut < 60 || cut > 200000 ? 1 : 997) {
      for (const bool blocked : {false, true}) {
        core_end end(side, obey, &parts);
        end.on_event = test::echo;
        if (blocked) end.takes = [](std::size_t n) { return n / 2; };
        end.receive(byte_view(wire.bytes()).first(cut));
        if (cut % 3 == 0 && !blocked) end->begin_turn();
        if (cut % 5 == 0) end->send(opcode::text, as_bytes(content(4000)));
        end.destroy();
        ASSERT_EQ(parts.pool.used_bytes(), 0U) << cut;
        // The loop's block is free for the next one.
        core::connection next(parts.shared, obey, side, end.now);
        next.begin_turn();
        next.send(opcode::text, as_bytes("x"));
        ASSERT_EQ(next.backlog(), 0U);
      }
    }
  }
}

}  // namespace
}  // namespace hawser
