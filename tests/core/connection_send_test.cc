// Messages out: copied, referenced, masked, in parts, shared; what is admitted. connection.h "from above".
#include "core/connection_kit.h"
#include "support/pair.h"

#include <gtest/gtest.h>
#include <hawser/core/frame.h>

#include <set>

namespace hawser {
namespace {

using namespace test;
using core::kind;
using core::settings;

buffer filled(core_end& end, std::string_view text) {
  buffer b = end.parts().pool.take(text.size());
  std::copy_n(as_bytes(text).begin(), text.size(), b.span().begin());
  return b;
}

buffer without_headroom(core_end& end, std::string_view text) {
  buffer b = end.parts().pool.take(text.size());
  b.grow_front(b.front_room());
  b.resize(text.size());
  std::copy_n(as_bytes(text).begin(), text.size(), b.span().begin());
  return b;
}

constexpr std::size_t sizes[] = {0, 1, 125, 126, 2047, 2048, 2049, 65535, 65536, 65537, 200000};

// D18: the caller's mistakes are answers, and nothing is sent.
TEST(connection_send, mistakes_are_answered) {
  for (const role side : both_roles) {
    core_end end(side);
    for (unsigned op = 0; op < 256; ++op) {
      if (op == 1 || op == 2) continue;
      EXPECT_EQ(end->send(static_cast<opcode>(op), as_bytes("x")), errc::invalid_argument) << op;
      EXPECT_EQ(end->send(static_cast<opcode>(op), filled(end, content(3000))), errc::invalid_argument) << op;
      EXPECT_EQ(end->begin_message(static_cast<opcode>(op)), errc::invalid_argument) << op;
    }
    EXPECT_EQ(end->send_part(as_bytes("x"), true), errc::wrong_state);
    EXPECT_EQ(end->begin_message(opcode::text), errc::ok);
    EXPECT_EQ(end->begin_message(opcode::text), errc::wrong_state);
    EXPECT_EQ(end->send(opcode::text, as_bytes("x")), errc::wrong_state);
    EXPECT_EQ(end->send(opcode::text, filled(end, content(3000))), errc::wrong_state);
    EXPECT_EQ(end->send_frames(filled(end, "x"), 1), errc::wrong_state);
    EXPECT_EQ(end->send_part({}, true), errc::ok);
    EXPECT_EQ(end->send_part({}, true), errc::wrong_state);
    end.turn([](core::connection&) {});
    EXPECT_EQ(end.sent().frames, std::vector({raw_frame{0x81, ""}}));
  }
}

// Every size, as bytes and as a buffer with one owner and with two, inside a turn and outside.
TEST(connection_send, every_way_gives_the_same_frame) {
  for (const role side : both_roles) {
    for (const std::size_t size : sizes) {
      const std::string text = content(size);
      for (const bool turns : {true, false}) {
        for (int way = 0; way < 4; ++way) {
          SCOPED_TRACE(testing::Message() << size << " way " << way);
          core_end end(side);
          end.turns = turns;
          buffer kept;
          end.turn([&](core::connection& c) {
            buffer given = filled(end, text);
            if (way == 2) kept = given;
            if (way == 3) given = without_headroom(end, text);
            EXPECT_EQ(way == 0 ? c.send(opcode::text, as_bytes(text)) : c.send(opcode::text, std::move(given)),
                      errc::ok);
          });
          const auto sent = end.sent();
          ASSERT_EQ(sent.fault, "");
          ASSERT_EQ(sent.frames, std::vector({raw_frame{0x81, text}}));
          EXPECT_EQ(test::text_of(kept.view()), kept ? text : "") << "bytes that others see were changed";
          EXPECT_EQ(end->stats().messages_out, 1U);
        }
      }
    }
  }
}

// A client masks every frame with a fresh key, the empty ones included (F-08, RFC 6455 5.3).
TEST(connection_send, a_client_masks_each_frame_with_another_key) {
  core_end end(role::client);
  end.turn([&](core::connection& c) {
    for (int i = 0; i < 500; ++i) {
      c.send(opcode::binary, as_bytes(content(static_cast<std::size_t>(i % 3))));
      c.ping({});
    }
  });
  std::set<std::string> keys;
  byte_view left = end.out;
  while (!left.empty()) {
    const auto h = test::detail::read_raw_header(left);
    ASSERT_TRUE(h && h->masked);
    keys.insert(test::text_of(left.subspan(h->size - 4, 4)));
    left = left.subspan(h->size + static_cast<std::size_t>(h->length));
  }
  EXPECT_GT(keys.size(), 995U);
}

// Design 4.3: an echo of what this turn received costs the server no copy. The bytes are the ones received, and they
// are still right when the system takes only a part and the area is reused: at every offset.
TEST(connection_send, an_echo_is_sent_by_reference_and_survives_a_short_write) {
  const std::string message = content(5000);
  const test::byte_string wire = frame_writer(role::client).text(message).text("tail").take();
  core_end end(role::server);
  bool referenced = false;
  end.write_at_end = false;
  end.on_event = [&](core_end& self, core::event& e) {
    self->send(e.op, e.payload);
    for (const byte_view chunk : self->output())
      referenced = referenced || chunk.data() + 4 == e.payload.data();  // Its header is where the client's was.
  };
  end.receive(wire);
  EXPECT_TRUE(referenced);

  for (std::size_t offset = 0; offset <= 5100; offset += offset < 20 || offset > 4990 ? 1 : 83) {
    core_end cut(role::server);
    cut.on_event = test::echo;
    cut.takes = [&](std::size_t) { return offset; };
    cut.receive(wire);  // Its memory is gone afterwards.
    cut.takes = {};
    cut.receive(frame_writer(role::client).text(std::string(5000, '#')).bytes());
    cut.writable();
    ASSERT_EQ(cut.sent().frames, (std::vector{raw_frame{0x81, message}, raw_frame{0x81, "tail"},
                                              raw_frame{0x81, std::string(5000, '#')}}));
  }
}

// Design 4.3: nothing that a handler has seen is overwritten, whatever it sends of a message, and how often.
TEST(connection_send, a_message_sent_again_otherwise_or_in_part_stays_what_it_was) {
  const std::string message = content(5000);
  core_end end(role::server);
  end.on_event = [&](core_end& self, core::event& e) {
    const byte_view all = e.payload;
    self->send(opcode::binary, all.first(3000));
    self->send(opcode::text, all);
    self->send(opcode::text, all);
    self->send(opcode::binary, all.subspan(100));
    EXPECT_EQ(test::text_of(all), message);
  };
  end.receive(frame_writer(role::client).text(message).bytes());
  EXPECT_EQ(end.sent().frames, (std::vector{raw_frame{0x82, message.substr(0, 3000)}, raw_frame{0x81, message},
                                            raw_frame{0x81, message}, raw_frame{0x82, message.substr(100)}}));
}

// A user of the core has the bytes that it received, and may send more of them than a message: the longer header has no
// room in front of it.
TEST(connection_send, what_reaches_beyond_a_message_leaves_what_is_in_front_of_it) {
  const test::byte_string wire =
      frame_writer(role::client).text(std::string(100, 'a')).text(content(5000)).text(content(65000)).take();
  test::byte_string in = wire;
  core_end end(role::server);
  end->begin_turn();
  end->receive(in, test::clock_start);
  ASSERT_EQ(end->next(), kind::message);
  ASSERT_EQ(end->next(), kind::message);
  const auto from = static_cast<std::size_t>(end->current().payload.data() - in.data());
  EXPECT_EQ(end->send(opcode::binary, byte_view(in).subspan(from)), errc::ok);
  EXPECT_EQ(in[from - 9], in[from - 10]);  // The end of the message before.
  std::size_t bytes = 0;
  for (const byte_view chunk : end->output())
    bytes += chunk.size();
  EXPECT_EQ(bytes, in.size() - from + 10);
  end->sent(bytes);
  end->end_turn();
}

// The next turn receives at the same place: what begins there is not what began there before.
TEST(connection_send, a_payload_in_the_middle_of_another_message_is_referenced_as_it_is) {
  const std::string first = content(5000);
  const std::string second(9000, 'z');
  core_end end(role::server);
  end.on_event = [](core_end&, core::event&) {};
  end.receive(frame_writer(role::client).text(first).bytes());
  end.on_event = [&](core_end& self, core::event& e) {
    for (std::size_t from = 0; from < 40; ++from)
      self->send(opcode::binary, byte_view(e.payload).subspan(from, 4000));
    EXPECT_EQ(test::text_of(e.payload), second);
  };
  end.receive(frame_writer(role::client).text(second).bytes());
  EXPECT_EQ(end.sent().count(2), 40U);
}

// The same for a large message that was received into its own buffer: the buffer is shared, not copied.
TEST(connection_send, an_echo_of_an_assembled_message_shares_its_buffer) {
  const std::string message = content(300'000);
  const test::byte_string wire = frame_writer(role::client).text(message).take();
  for (const std::size_t offset : {0U, 5U, 10U, 11U, 150'000U, 300'009U, 300'010U}) {
    core_end end(role::server);
    end.use_area = true;
    end.on_event = test::echo;
    end.takes = [&](std::size_t) { return offset; };
    std::size_t most = 0;
    for (byte_view left = wire; !left.empty();) {
      const byte_view piece = left.first(std::min<std::size_t>(left.size(), 65536));
      left = left.subspan(piece.size());
      end.receive(piece);
      most = std::max(most, end.parts().pool.used_bytes());
    }
    EXPECT_LT(most, 400'000U);
    end.takes = {};
    end.writable();
    ASSERT_EQ(end.sent().frames, std::vector({raw_frame{0x81, message}}));
    EXPECT_EQ(end.parts().pool.used_bytes(), 0U);
  }
}

// What one connection received another may send in the same turn: it gets a copy, because the area belongs to the turn.
TEST(connection_send, another_connections_bytes_are_copied) {
  test::loop_parts parts;
  core_end from(role::server, {}, &parts);
  core_end to(role::server, {}, &parts);
  const std::string message = content(9000);
  from.on_event = [&](core_end&, core::event& e) { to->send(e.op, e.payload); };
  from.receive(frame_writer(role::client).text(message).text("second").bytes());
  to.writable();
  EXPECT_EQ(to.sent().frames, (std::vector{raw_frame{0x81, message}, raw_frame{0x81, "second"}}));
}

// Any call on another connection leaves the input of the one in turn alone.
TEST(connection_send, calls_on_others_in_the_middle_of_a_turn) {
  for (int how = 0; how < 6; ++how) {
    SCOPED_TRACE(how);
    test::loop_parts parts;
    core_end turn(role::server, {}, &parts);
    auto victim = std::make_unique<core_end>(role::server, settings{}, &parts);
    victim->receive(frame_writer(role::client).frame(0x01, content(100)).bytes());
    turn.on_event = [&](core_end& self, core::event& e) {
      if (e.op != opcode::text) return;
      if (!victim) return static_cast<void>(self->send(e.op, e.payload));
      core::connection& v = victim->core();
      if (how == 0) v.fail(close_code::internal_error, errc::internal, "x", self.now);
      if (how == 1) v.close(close_code::normal, "", self.now);
      if (how == 2) v.transport_failed(errc::connection_lost, self.now);
      if (how == 3) victim.reset();
      if (how == 4 && v.next() != kind::none) FAIL() << "it took what is not its own";
      if (how == 5) {
        v.begin_turn();
        v.send(opcode::text, as_bytes(content(3000)));
        v.end_turn();
      }
      EXPECT_TRUE(!victim || victim->core().unconsumed().empty());
      self->send(e.op, e.payload);
    };
    const std::string big = content(3000);
    turn.receive(frame_writer(role::client).text("a").text(big).ping("p").text("c").bytes());
    EXPECT_EQ(turn.sent().frames,
              (std::vector{raw_frame{0x81, "a"}, raw_frame{0x81, big}, raw_frame{0x8A, "p"}, raw_frame{0x81, "c"}}));
    EXPECT_EQ(turn.events.size(), 4U);
  }
}

// ---- in parts

TEST(connection_send, a_message_in_parts) {
  for (const role side : both_roles) {
    core_end end(side);
    end.turn([&](core::connection& c) {
      EXPECT_EQ(c.begin_message(opcode::binary), errc::ok);
      EXPECT_EQ(c.send_part(as_bytes("one"), false), errc::ok);
      EXPECT_EQ(c.ping(as_bytes("p")), errc::ok);
      EXPECT_EQ(c.send_part({}, false), errc::ok);
      EXPECT_EQ(c.send_part(as_bytes(content(3000)), false), errc::ok);
      EXPECT_EQ(c.send_part({}, true), errc::ok);
      EXPECT_EQ(c.begin_message(opcode::text), errc::ok);
      EXPECT_EQ(c.send_part(as_bytes("all at once"), true), errc::ok);
    });
    const std::vector<raw_frame> want = {{0x02, "one"},         {0x89, "p"}, {0x00, ""},
                                         {0x00, content(3000)}, {0x80, ""},  {0x81, "all at once"}};
    EXPECT_EQ(end.sent().frames, want);
    EXPECT_EQ(end->stats().messages_out, 2U);
    // Closed in the middle of one: the close frame goes out, the rest does not.
    end.turn([&](core::connection& c) {
      c.begin_message(opcode::text);
      c.send_part(as_bytes("never ends"), false);
      EXPECT_EQ(c.close(close_code::normal, "", end.now), errc::ok);
      EXPECT_EQ(c.send_part(as_bytes("x"), true), errc::closed);
    });
    EXPECT_EQ(end.sent().fault, "");
    EXPECT_EQ(end.sent().frames.back().op(), 8U);
  }
}

// D10: `max_outgoing_frame` cuts long messages, whole or in parts, from bytes or buffers.
TEST(connection_send, long_messages_are_cut_where_asked) {
  settings obey;
  for (const std::uint64_t most : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{100}, std::uint64_t{3000}}) {
    obey.bounds.max_outgoing_frame = most;
    const std::size_t longest = std::max<std::size_t>(static_cast<std::size_t>(most), 1);
    for (const role side : both_roles) {
      for (int way = 0; way < 3; ++way) {
        core_end end(side, obey);
        const std::string text = content(7 * longest + 1);
        end.turn([&](core::connection& c) {
          if (way == 0) c.send(opcode::text, as_bytes(text));
          if (way == 1) c.send(opcode::text, filled(end, text));
          if (way == 2) {
            c.begin_message(opcode::text);
            c.send_part(as_bytes(text).first(5 * longest), false);
            c.send_part(as_bytes(text).subspan(5 * longest), true);
          }
        });
        const auto sent = end.sent();
        ASSERT_EQ(sent.fault, "");
        ASSERT_EQ(sent.frames.size(), 8U);
        std::string all;
        for (const raw_frame& f : sent.frames) {
          EXPECT_LE(f.payload.size(), longest);
          all += f.payload;
        }
        EXPECT_EQ(all, text);
        EXPECT_EQ(end->stats().messages_out, 1U);
      }
    }
  }
}

// ---- what is admitted (design 4.6)

settings bounded(std::size_t soft, std::size_t hard) {
  settings obey;
  obey.bounds.write_soft = soft;
  obey.bounds.write_hard = hard;
  return obey;
}

// Anything is taken while nothing waits, or the system still takes it; then up to the soft limit, never over the hard.
TEST(connection_send, the_backlog_decides_what_is_admitted) {
  for (const role side : both_roles) {
    core_end end(side, bounded(10'000, 20'000));
    // A turn may send what it likes, and a message may be larger than the limits.
    end.turn([&](core::connection& c) {
      for (int i = 0; i < 10; ++i)
        EXPECT_EQ(c.send(opcode::binary, as_bytes(content(50'000))), errc::ok);
    });
    end.takes = [](std::size_t) { return std::size_t{0}; };
    end.turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::binary, as_bytes(content(5'000))), errc::ok); });
    ASSERT_TRUE(end.blocked);
    EXPECT_EQ(end->send(opcode::binary, as_bytes(content(15'001))), errc::would_block) << "over the hard limit";
    EXPECT_EQ(end->send(opcode::binary, as_bytes(content(6'000))), errc::ok);
    const std::size_t backlog = end->backlog();
    EXPECT_EQ(end->send(opcode::binary, as_bytes("x")), errc::would_block) << "over the soft limit";
    EXPECT_EQ(end->send(opcode::binary, filled(end, content(3000))), errc::would_block);
    EXPECT_EQ(end->begin_message(opcode::text), errc::would_block);
    EXPECT_EQ(end->send_frames(filled(end, content(10'000)), 1), errc::would_block);
    EXPECT_EQ(end->backlog(), backlog) << "would_block means: not taken";
    EXPECT_EQ(end->send_frames(filled(end, content(100)), 0), errc::ok) << "frames for many go up to the hard limit";
    end.takes = {};
    end.writable();
    EXPECT_EQ(end->send(opcode::binary, as_bytes("x")), errc::ok);
  }
}

// A part that was not taken can be given again.
TEST(connection_send, a_part_that_would_block_can_be_sent_again) {
  core_end end(role::server, bounded(1000, 5000));
  end.turn([](core::connection& c) {
    c.begin_message(opcode::text);
    c.send_part(as_bytes("first "), false);
  });
  end.takes = [](std::size_t) { return std::size_t{1}; };
  end.turn([](core::connection& c) { EXPECT_EQ(c.send_part(as_bytes(content(3000)), false), errc::ok); });
  EXPECT_EQ(end->send_part(as_bytes(" last"), true), errc::would_block);
  end.takes = {};
  end.writable();
  end.turn([](core::connection& c) { EXPECT_EQ(c.send_part(as_bytes(" last"), true), errc::ok); });
  EXPECT_EQ(end.sent().frames,
            (std::vector{raw_frame{0x01, "first "}, raw_frame{0x00, content(3000)}, raw_frame{0x80, " last"}}));
}

// ---- frames that many connections share (design 4.9)

buffer shared_frames(core_end& end, std::size_t count, std::size_t size) {
  frame_writer wire(role::server);
  for (std::size_t i = 0; i < count; ++i)
    wire.text(content(size));
  return filled(end, as_text(wire.bytes()));
}

TEST(connection_send, shared_frames_are_referenced_and_neighbours_join) {
  core_end end(role::server);
  const buffer all = shared_frames(end, 6, 3000);
  const std::size_t one = all.size() / 6;
  end.write_at_end = false;
  end->begin_turn();
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_EQ(end->send_frames(all.slice(i * one, one), 1), errc::ok);
  ASSERT_EQ(end->output().size(), 1U) << "six slices of one block that lie side by side";
  EXPECT_EQ(end->output()[0].data(), all.data());
  end->end_turn();
  ASSERT_EQ(end->output().size(), 1U);
  EXPECT_EQ(end->output()[0].data(), all.data()) << "the backlog shares it as well";
  end.write();
  end.write_at_end = true;
  EXPECT_EQ(end.sent().frames.size(), 6U);
  EXPECT_EQ(end->stats().messages_out, 6U);
  // Small ones are copied into the block: one chunk with what stands around them.
  end.turn([&](core::connection& c) {
    c.send(opcode::text, as_bytes("before"));
    const buffer small = shared_frames(end, 2, 10);
    c.send_frames(small, 2);
    c.send_frames({}, 0);
    c.send(opcode::text, as_bytes("after"));
    EXPECT_EQ(c.output().size(), 1U);
  });
  EXPECT_EQ(end.sent().frames.size(), 10U);
}

// The owner may write them itself when nothing stands in the way; what the system did not take of them waits, and a
// control frame finds the next boundary (D10): at every place where a write may stop.
TEST(connection_send, shared_frames_written_past_the_connection_go_on_where_the_system_stopped) {
  for (const std::size_t size : {10U, 3000U}) {
    core_end any(role::server);
    const std::size_t one = shared_frames(any, 1, size).size();
    for (std::size_t done = 0; done <= 2 * one; done += size == 10 ? 1 : 97) {
      SCOPED_TRACE(testing::Message() << size << " stopped at " << done);
      core_end end(role::server);
      {
        const buffer all = shared_frames(end, 3, size);
        ASSERT_TRUE(end->takes_frames_now(2 * one));
        // Not the first one: that was given before.
        const byte_view taken = all.view().subspan(one, done);
        end.out.assign(taken.begin(), taken.end());
        end->frames_written(all, one, done, 2);
      }
      EXPECT_EQ(end->backlog(), 2 * one - done);
      EXPECT_EQ(end->stats().bytes_out, done);
      EXPECT_EQ(end->stats().messages_out, 2U);
      if (done < 2 * one) {
        end->output_blocked(end.blocked = true);
        EXPECT_FALSE(end->takes_frames_now(1));
      }
      end.receive(frame_writer(role::client).ping("p").take());
      end.writable();
      std::vector<raw_frame> want(2, raw_frame{0x81, content(size)});
      want.insert(want.begin() + static_cast<std::ptrdiff_t>((done + one - 1) / one), raw_frame{0x8A, "p"});
      EXPECT_EQ(end.sent().frames, want);
    }
  }
}

TEST(connection_send, shared_frames_do_not_pass_what_stands_in_the_way) {
  settings short_frames;
  short_frames.bounds.max_outgoing_frame = 20;
  EXPECT_TRUE(core_end(role::server, short_frames)->takes_frames_now(20));
  EXPECT_FALSE(core_end(role::server, short_frames)->takes_frames_now(21));
  core_end end(role::server);
  end.turn([](core::connection& c) { EXPECT_FALSE(c.takes_frames_now(1)) << "its turn sends them"; });
  end->begin_message(opcode::text);
  EXPECT_FALSE(end->takes_frames_now(1)) << "RFC 6455, 5.4";
  end.turn([](core::connection& c) { c.send_part({}, true); });
  EXPECT_TRUE(end->takes_frames_now(1));
  end->send(opcode::text, as_bytes("waits"));
  EXPECT_FALSE(end->takes_frames_now(1));
  end.writable();
  EXPECT_TRUE(end->takes_frames_now(1));
  end->close(close_code::normal, {}, end.now);
  end.writable();
  EXPECT_FALSE(end->takes_frames_now(1)) << "nothing follows a close frame";
}

// More chunks than are offered at once: all go out in one turn, in order, without a detour over the backlog.
TEST(connection_send, more_chunks_than_are_offered_at_once) {
  for (const bool blocked : {false, true}) {
    core_end end(role::server);
    std::vector<raw_frame> want;
    const buffer all = shared_frames(end, 300, 2100);
    const std::size_t one = all.size() / 300;
    int offers = 0;
    end.takes = [&](std::size_t offered) { return blocked && ++offers == 2 ? offered - 1000 : offered; };
    end.turn([&](core::connection& c) {
      for (std::size_t i = 0; i < 300; ++i) {
        c.send_frames(all.slice((299 - i) * one, one), 1);
        c.send(opcode::text, as_bytes(std::to_string(i)));
        want.push_back({0x81, content(2100)});
        want.push_back({0x81, std::to_string(i)});
      }
      EXPECT_EQ(c.backlog(), 0U);
    });
    EXPECT_EQ(end->stats().backlog > 0, blocked);
    end.takes = {};
    end.writable();
    EXPECT_EQ(end.sent().frames, want);
  }
}

// A turn that sends more than the block holds goes on in the backlog, in order.
TEST(connection_send, a_turn_may_send_more_than_the_block_holds) {
  for (const role side : both_roles) {
    core_end end(side);
    std::vector<raw_frame> want;
    end.turn([&](core::connection& c) {
      for (int i = 0; i < 1000; ++i) {
        const std::string text = content(i % 2 == 0 ? 1900 : 2100) + std::to_string(i);
        c.send(opcode::text, as_bytes(text));
        want.push_back({0x81, text});
      }
    });
    const auto sent = end.sent();
    ASSERT_EQ(sent.fault, "");
    EXPECT_EQ(sent.frames, want);
    EXPECT_EQ(end.parts().pool.used_bytes(), 0U);
  }
}

}  // namespace
}  // namespace hawser
