// Stages that work on frames: extension data, channels, quotas, order, limits. F-05, F-07, F-09.
#include "core/frame_stage_kit.h"

#include <set>

namespace hawser {
namespace {

using core::settings;
using test::both_roles;
using test::channels;
using test::content;
using test::core_end;
using test::core_pair;
using test::frame_script;
using test::frame_writer;
using test::frames_of;
using test::in_every_framed_cut;
using test::mixing;
using test::on_channel;
using test::on_frames;
using test::other;
using test::raw_frame;
using test::seen_control;
using test::seen_message;
using test::stage_list;

void expect_ended(core_end& end, errc why, close_code code) {
  const test::seen_event* last = end.closed();
  ASSERT_NE(last, nullptr) << "it did not end";
  EXPECT_EQ(last->error, why) << describe(last->error);
  EXPECT_EQ(last->code, code) << last->payload;
}

/// Feeds `wire` to a connection with `channels` and expects this end.
void expect_failure(role side, const frame_writer& wire, errc why, close_code code = close_code::protocol_error,
                    const settings& obey = {}) {
  in_every_framed_cut(
      side, wire.bytes(), obey, [](core_end& end) { end->attach(mixing(channels()), end.now); },
      [&](core_end& end) { expect_ended(end, why, code); });
}

// ---- extension data

/// Extension data of `size` bytes, all `mark`, in front of each frame.
std::shared_ptr<frame_script> marks(char mark, std::size_t size, std::vector<std::uint64_t>* sizes = nullptr) {
  auto s = std::make_shared<frame_script>();
  s->out = [=](const frame& f, byte_span b, context&) {
    if (sizes != nullptr) sizes->push_back(f.size);
    std::fill(b.begin(), b.end(), static_cast<std::byte>(mark));
    return size;
  };
  s->in = [=](frame& f, byte_view b, context& c) {
    if (sizes != nullptr) sizes->push_back(f.size);
    for (const std::byte x : b.first(std::min(size, b.size())))
      if (x != static_cast<std::byte>(mark)) c.fail(close_code::protocol_error, "not my extension data");
    return size;
  };
  return s;
}

TEST(frame_stage, extension_data_counts_in_the_length_and_that_of_the_last_stage_comes_first_F_07) {
  for (const role side : both_roles) {
    core_end end(side);
    std::vector<std::uint64_t> sizes;
    end->attach(stage_list()
                    .add("x-a", on_frames(2), test::frame_in_order{marks('a', 2, &sizes)})
                    .add("x-b", on_frames(14), test::frame_in_order{marks('b', 3, &sizes)})
                    .take(),
                end.now);
    end.turn([](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes("hello")), errc::ok);
      EXPECT_EQ(c.send(opcode::binary, byte_view()), errc::ok);
      EXPECT_EQ(c.ping(as_bytes("p")), errc::ok);
      EXPECT_EQ(c.begin_message(opcode::text), errc::ok);
      EXPECT_EQ(c.send_part(as_bytes("one"), false), errc::ok);
    });
    end.turn([](core::connection& c) { EXPECT_EQ(c.send_part(as_bytes(""), true), errc::ok); });
    EXPECT_EQ(frames_of(end),
              (std::vector<raw_frame>{
                  {0x89, "p"}, {0x81, "bbbaahello"}, {0x82, "bbbaa"}, {0x01, "bbbaaone"}, {0x80, "bbbaa"}}));
    EXPECT_EQ(sizes, (std::vector<std::uint64_t>{5, 7, 0, 2, 3, 5, 0, 2}));
  }
}

TEST(frame_stage, extension_data_is_taken_off_in_every_cut_F_07) {
  const std::string large = content(90'000);
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.frame(0x81, "bbbaahello").frame(0x82, "bbbaa").frame(0x01, "bbbaaone").ping("p").frame(0x00, "bbbaa");
    wire.frame(0x80, "bbbaatwo").frame(0x82, "bbbaa" + large).frame(0x81, "bbbaax");
    std::vector<std::uint64_t> sizes;
    in_every_framed_cut(
        side, wire.bytes(), {},
        [&](core_end& end) {
          sizes.clear();
          end->attach(stage_list()
                          .add("x-a", on_frames(2), test::frame_in_order{marks('a', 2, &sizes)})
                          .add("x-b", on_frames(14), test::frame_in_order{marks('b', 3)})
                          .take(),
                      end.now);
        },
        [&](core_end& end) {
          EXPECT_EQ(end.events, (std::vector{seen_message("hello"), seen_message("", opcode::binary),
                                             seen_control(core::kind::ping, "p"), seen_message("onetwo"),
                                             seen_message(large, opcode::binary), seen_message("x")}));
          EXPECT_EQ(sizes, (std::vector<std::uint64_t>{7, 2, 5, 2, 5, 90'002, 3}));
        });
  }
}

TEST(frame_stage, a_frame_shorter_than_its_extension_data_fails_with_1002_F_07) {
  for (const role side : both_roles) {
    for (const std::string payload : {"", "b", "bb", "bbb", "bbba"}) {
      frame_writer wire(other(side));
      wire.frame(0x81, payload);
      in_every_framed_cut(
          side, wire.bytes(), {},
          [](core_end& end) {
            end->attach(stage_list()
                            .add("x-a", on_frames(2), test::frame_in_order{marks('a', 2)})
                            .add("x-b", on_frames(3), test::frame_in_order{marks('b', 3)})
                            .take(),
                        end.now);
          },
          [](core_end& end) { expect_ended(end, errc::extension_failed, close_code::protocol_error); });
    }
  }
}

TEST(frame_stage, control_frames_have_none_F_06_F_14) {
  for (const role side : both_roles) {
    core_end end(side);
    end->attach(mixing(channels()), end.now);
    end.receive(frame_writer(other(side)).ping("").ping("ab").bytes());
    EXPECT_EQ(frames_of(end), (std::vector<raw_frame>{{0x8A, ""}, {0x8A, "ab"}}));
  }
}

// ---- messages half-way at the same time

TEST(frame_stage, several_messages_are_half_way_and_each_comes_when_it_is_whole_F_05) {
  const std::string large = content(40'000);
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.frame(0x02, on_channel(0, large.substr(0, 30'000))).frame(0x01, on_channel(3, "sec"));
    wire.frame(0x81, on_channel(1, "first")).ping("between").frame(0x80, on_channel(3, "ond"));
    wire.frame(0x81, on_channel(1, "third")).frame(0x80, on_channel(0, large.substr(30'000)));
    in_every_framed_cut(
        side, wire.bytes(), {}, [](core_end& end) { end->attach(mixing(channels()), end.now); },
        [&](core_end& end) {
          EXPECT_EQ(end.events,
                    (std::vector{seen_message("first"), seen_control(core::kind::ping, "between"),
                                 seen_message("second"), seen_message("third"), seen_message(large, opcode::binary)}));
        });
  }
}

TEST(frame_stage, the_order_of_frames_is_judged_for_each_channel_F_04_F_05) {
  const std::string some = content(20);
  for (const role side : both_roles) {
    const auto wire = [&] { return frame_writer(other(side)); };
    expect_failure(side, wire().frame(0x80, on_channel(0, "x")), errc::unexpected_continuation);
    expect_failure(side, wire().frame(0x01, on_channel(0, some)).frame(0x80, on_channel(1, "x")),
                   errc::unexpected_continuation);
    expect_failure(side, wire().frame(0x01, on_channel(2, some)).frame(0x81, on_channel(2, "x")),
                   errc::expected_continuation);
    expect_failure(side, wire().frame(0x81, on_channel(4, "x")), errc::extension_failed);
    expect_failure(side, wire().frame(0x83, on_channel(0, "x")), errc::reserved_opcode);
    expect_failure(side, wire().frame(0xC1, on_channel(0, "x")), errc::reserved_bits);
    expect_failure(side, wire().frame(0x8C, "x"), errc::reserved_opcode);
  }
}

TEST(frame_stage, a_text_is_judged_when_it_is_whole_F_11) {
  for (const role side : both_roles) {
    expect_failure(side, frame_writer(other(side)).frame(0x81, on_channel(0, "\xFF")), errc::bad_utf8,
                   close_code::invalid_payload);
    in_every_framed_cut(
        side,
        frame_writer(other(side))
            .frame(0x01, on_channel(0, content(20) + "\xC3"))
            .frame(0x80, on_channel(0, "\xA9"))
            .bytes(),
        {}, [](core_end& end) { end->attach(mixing(channels()), end.now); },
        [](core_end& end) { EXPECT_EQ(end.events, std::vector{seen_message(content(20) + "\xC3\xA9")}); });
  }
}

TEST(frame_stage, limits_hold_for_each_message_without_its_extension_data_P_22) {
  for (const role side : both_roles) {
    settings obey;
    obey.bounds.max_message = 100;
    obey.bounds.max_fragments = 3;
    const auto wire = [&] { return frame_writer(other(side)); };
    in_every_framed_cut(
        side,
        wire()
            .frame(0x02, on_channel(0, content(60)))
            .frame(0x82, on_channel(1, content(100)))
            .frame(0x80, on_channel(0, content(40)))
            .bytes(),
        obey, [](core_end& end) { end->attach(mixing(channels()), end.now); },
        [](core_end& end) { EXPECT_EQ(end.events.size(), 2U); });
    expect_failure(side, wire().frame(0x02, on_channel(0, content(60))).header(0x80, 42).masked(on_channel(0, "")),
                   errc::message_too_big, close_code::message_too_big, obey);
    expect_failure(side,
                   wire()
                       .header(0x82, std::uint64_t{1} << 62)
                       .masked("\1"
                               "2345"),
                   errc::message_too_big, close_code::message_too_big, obey);
    frame_writer many = wire();
    many.frame(0x02, on_channel(0, content(20)));
    for (int i = 0; i < 3; ++i)
      many.frame(0x00, on_channel(0, content(20)));
    expect_failure(side, many, errc::too_many_fragments, close_code::policy_violation, obey);
  }
}

// A11: no memory on the word of a header.
TEST(frame_stage, memory_follows_what_came) {
  for (const role side : both_roles) {
    settings obey;
    obey.bounds.max_message = std::uint64_t{1} << 40;
    core_end end(side, obey);
    end->attach(mixing(channels()), end.now);
    frame_writer wire(other(side));
    for (unsigned n = 0; n < max_half_way; ++n) {
      wire.frame(0x02, on_channel(n, content(1000)));
      end.receive(wire.take());
    }
    end.receive(wire.header(0x00, std::uint64_t{1} << 39).masked(on_channel(0, content(5000))).take());
    EXPECT_LT(end.parts().pool.used_bytes(), 40'000U);
  }
}

// A12: who begins a message must go on with it.
TEST(frame_stage, a_message_half_way_keeps_up_the_least_rate) {
  for (const role side : both_roles) {
    settings obey;
    obey.alive.ping_interval = no_keepalive;
    core_end end(side, obey);
    end->attach(mixing(channels()), end.now);
    end.receive(frame_writer(other(side)).frame(0x01, on_channel(2, content(50))).bytes());
    end.advance(std::chrono::seconds(29));
    EXPECT_EQ(end.closed(), nullptr);
    end.advance(std::chrono::seconds(2));
    expect_ended(end, errc::message_too_slow, close_code::policy_violation);

    core_end idle(side, obey);
    idle->attach(mixing(channels()), idle.now);
    idle.receive(frame_writer(other(side)).frame(0x81, on_channel(2, "whole")).bytes());
    EXPECT_EQ(idle->deadline(), no_deadline);
  }
}

// ---- what goes out

TEST(frame_stage, what_is_urgent_goes_between_the_frames_of_what_is_not) {
  for (const role side : both_roles) {
    core_end end(side);
    end->attach(mixing(channels()), end.now);
    end.takes = [](std::size_t) { return std::size_t{0}; };
    const std::string large = content(200'000);
    end.turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::binary, as_bytes(large)), errc::ok); });
    end.turn([&](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes("urgent"), {.priority = 2}), errc::ok);
      EXPECT_EQ(c.send(opcode::text, as_bytes("less"), {.priority = 1}), errc::ok);
      EXPECT_EQ(c.send(opcode::text, as_bytes("as urgent"), {.priority = 2}), errc::ok);
    });
    end.takes = {};
    end.writable();
    std::vector<std::string> payloads;
    std::string again;
    std::size_t before = 0;
    for (const raw_frame& f : frames_of(end)) {
      const bool bulk = f.payload[0] == 0;
      if (bulk) again += f.payload.substr(1);
      if (bulk && payloads.empty()) before += f.payload.size();
      if (!bulk) payloads.push_back(f.payload);
      EXPECT_LE(f.payload.size(), 16U * 1024 + 1);
    }
    EXPECT_EQ(payloads, (std::vector{on_channel(1, "urgent"), on_channel(1, "as urgent"), on_channel(1, "less")}));
    EXPECT_LE(before, 49'200U) << "behind what was framed already";
    EXPECT_EQ(again, large);
    EXPECT_EQ(end->queued(), 0U);
    EXPECT_EQ(end.closed(), nullptr);
    EXPECT_EQ(end->stats().messages_out, 4U);
  }
}

TEST(frame_stage, without_mixing_the_order_stays_and_max_outgoing_frame_cuts_F_05) {
  for (const role side : both_roles) {
    settings obey;
    obey.bounds.max_outgoing_frame = 4;
    core_end end(side, obey);
    end->attach(stage_list().add("x-a", on_frames(1), test::frame_in_order{marks('a', 1)}).take(), end.now);
    end.turn([](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes("one two"), {.priority = 0}), errc::ok);
      EXPECT_EQ(c.send(opcode::text, as_bytes("three"), {.priority = 9}), errc::ok);
    });
    EXPECT_EQ(frames_of(end), (std::vector<raw_frame>{{0x01, "aone "}, {0x80, "atwo"}, {0x01, "athre"}, {0x80, "ae"}}));
  }
}

TEST(frame_stage, a_quota_of_zero_waits_for_the_stage_and_resumes_by_its_control_frame_or_timer) {
  for (const role side : both_roles) {
    for (const bool by_timer : {false, true}) {
      auto s = channels();
      auto credit = std::make_shared<std::uint64_t>(10);
      s->quota = [credit](const frame&, context&) { return *credit; };
      s->out = [credit](const frame& f, byte_span b, context&) {
        *credit -= f.size;
        b[0] = static_cast<std::byte>(f.channel);
        return std::size_t{1};
      };
      s->control = [credit](std::uint8_t, byte_view, context&) { *credit = 6; };
      s->timer = [credit](context&) { *credit = 6; };
      s->open = [by_timer](context& c) {
        if (by_timer) c.arm(c.now() + std::chrono::seconds(3));
      };
      core_end end(side);
      end->attach(mixing(s), end.now);
      end.turn([](core::connection& c) {
        EXPECT_EQ(c.send(opcode::text, as_bytes("0123456789abcdef")), errc::ok);
        EXPECT_EQ(c.send(opcode::text, byte_view()), errc::ok);  // Nothing of it needs credit.
      });
      EXPECT_EQ(frames_of(end),
                (std::vector<raw_frame>{{0x01, on_channel(0, "0123456789")}, {0x81, on_channel(1, "")}}));
      EXPECT_EQ(end->queued(), 6U + core::max_frame_header);
      if (by_timer)
        end.advance(std::chrono::seconds(4));
      else
        end.receive(frame_writer(other(side)).frame(0x8B, "more").bytes());
      EXPECT_EQ(frames_of(end).back(), (raw_frame{0x80, on_channel(0, "abcdef")}));
      EXPECT_EQ(end->queued(), 0U);
    }
  }
}

// A stage that counts what follows its own data must not be led beyond what it allowed by another's.
TEST(frame_stage, a_quota_holds_the_extension_data_of_stages_nearer_to_the_application_F_07) {
  for (const role side : both_roles) {
    auto credit = std::make_shared<std::uint64_t>(10);
    auto counts = std::make_shared<frame_script>();
    counts->quota = [credit](const frame&, context&) { return *credit; };
    counts->out = [credit](const frame& f, byte_span, context&) {
      EXPECT_LE(f.size, *credit);
      *credit -= f.size;
      return std::size_t{0};
    };
    core_end end(side);
    end->attach(stage_list()
                    .add("x-a", on_frames(3), test::frame_in_order{marks('a', 3)})
                    .add("x-b", on_frames(0), test::frame_in_order{counts})
                    .take(),
                end.now);
    const auto resume = [&](std::uint64_t with) {
      *credit = with;
      end.receive(frame_writer(other(side)).ping("").bytes());
    };
    end.turn([](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes("0123456789")), errc::ok);
      EXPECT_EQ(c.send(opcode::text, byte_view()), errc::ok);
    });
    EXPECT_EQ(frames_of(end), (std::vector<raw_frame>{{0x01, "aaa0123456"}}));
    resume(3);
    EXPECT_EQ(frames_of(end).size(), 2U) << "the pong; three bytes hold no payload";
    resume(6);
    EXPECT_EQ(frames_of(end).back(), (raw_frame{0x80, "aaa789"}));
    resume(2);
    EXPECT_EQ(frames_of(end).size(), 5U) << "pongs; what is empty has extension data too";
    resume(3);
    EXPECT_EQ(frames_of(end).back(), (raw_frame{0x81, "aaa"}));
  }
}

TEST(frame_stage, what_may_not_begin_does_not_stop_what_it_waits_for) {
  auto s = channels();
  s->quota = [](const frame& f, context&) {
    EXPECT_EQ(f.urgency > 0, f.size == 6 && f.opcode != 0);
    return f.opcode != 0 && f.urgency > 0 ? std::uint64_t{0} : f.size;
  };
  core_end end(role::server);
  end->attach(mixing(s), end.now);
  end.takes = [](std::size_t) { return std::size_t{0}; };
  end.turn([](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes(content(300'000))), errc::ok); });
  for (unsigned i = 0; i < 20; ++i)
    end.turn([i](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes("urgent"), {.priority = static_cast<std::uint8_t>(1 + i % 3)}), errc::ok);
    });
  end.takes = {};
  end.writable();
  EXPECT_EQ(end->queued(), 20 * (6U + core::max_frame_header));
  EXPECT_TRUE(frames_of(end).back().fin());
}

TEST(frame_stage, no_more_than_four_messages_are_half_way) {
  auto s = channels();
  auto left = std::make_shared<std::array<std::uint64_t, max_half_way>>();
  left->fill(1);
  s->quota = [left](const frame&, context&) { return std::uint64_t{1}; };
  core_end end(role::server);
  end->attach(mixing(s), end.now);
  end.takes = [](std::size_t) { return std::size_t{0}; };
  for (unsigned i = 0; i < 8; ++i)
    end.turn([i](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes(content(100'000)), {.priority = static_cast<std::uint8_t>(i)}), errc::ok);
    });
  end.takes = {};
  s->quota = {};
  end.writable();
  std::set<char> open;
  std::size_t whole = 0;
  for (const raw_frame& f : frames_of(end)) {
    EXPECT_LT(f.payload[0], static_cast<char>(max_half_way));
    EXPECT_EQ((f.first & 15) == 0, open.contains(f.payload[0]));
    if (f.fin())
      open.erase(f.payload[0]), ++whole;
    else
      open.insert(f.payload[0]);
  }
  EXPECT_EQ(whole, 8U);
  EXPECT_TRUE(open.empty());
}

TEST(frame_stage, admission_counts_what_goes_before_and_not_what_is_overtaken) {
  core_end end(role::server);
  end->attach(mixing(channels()), end.now);
  end.takes = [](std::size_t) { return std::size_t{0}; };
  const std::string large = content(3'000'000);
  end.turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::binary, as_bytes(large)), errc::ok); });
  end.turn([&](core::connection& c) {
    EXPECT_EQ(c.send(opcode::text, as_bytes("x")), errc::would_block);
    EXPECT_EQ(c.send(opcode::text, as_bytes("x"), {.priority = 1}), errc::ok);
    EXPECT_EQ(c.send(opcode::binary, as_bytes(content(70'000)), {.priority = 1}), errc::ok);
    EXPECT_EQ(c.send(opcode::text, as_bytes("x"), {.priority = 1}), errc::would_block);
  });
  EXPECT_GT(end->queued(), 3'000'000U);
  EXPECT_EQ(end->stats().backlog, end->queued());
}

TEST(frame_stage, a_close_waits_for_what_was_sent_before_it_and_a_failure_does_not_F_10) {
  for (const role side : both_roles) {
    for (const bool fails : {false, true}) {
      core_end end(side);
      end->attach(mixing(channels()), end.now);
      end.takes = [](std::size_t) { return std::size_t{0}; };
      const std::string large = content(200'000);
      end.turn([&](core::connection& c) {
        EXPECT_EQ(c.send(opcode::binary, as_bytes(large)), errc::ok);
        if (fails)
          c.fail(close_code::policy_violation, errc::message_too_slow, "enough", end.now);
        else
          EXPECT_EQ(c.close(close_code::normal, "bye", end.now), errc::ok);
      });
      end.takes = {};
      end.writable();
      const std::vector<raw_frame> sent = frames_of(end);
      ASSERT_FALSE(sent.empty());
      EXPECT_EQ(sent.back().op(), 8U);
      EXPECT_EQ(test::close_code_of(sent.back()), fails ? 1008U : 1000U);
      std::size_t bytes = 0;
      for (const raw_frame& f : sent)
        if (f.op() != 8) bytes += f.payload.size() - 1;
      EXPECT_EQ(bytes == large.size(), !fails);
    }
  }
}

// Both ends close with more to say than they may. To get there each has to hear that it may; the first that has said it
// all says no more then, and the other does not wait for it.
TEST(frame_stage, while_a_close_waits_control_frames_go_F_10) {
  const auto counting = [] {
    auto s = channels();
    auto credit = std::make_shared<std::uint64_t>(1000);
    s->quota = [credit](const frame& f, context&) { return f.peer_closed != 0 ? f.size : *credit; };
    s->out = [credit](const frame& f, byte_span b, context&) {
      *credit -= std::min(*credit, f.size);
      b[0] = static_cast<std::byte>(f.channel);
      return std::size_t{1};
    };
    s->in = [](frame&, byte_view, context& c) {
      c.emit_control(11, as_bytes("more"));
      return std::size_t{1};
    };
    s->control = [credit](std::uint8_t, byte_view, context&) { *credit += 1000; };
    return s;
  };
  test::in_every_pair({}, [&](core_pair& ends) {
    for (core_end* end : {&ends.client, &ends.server}) {
      (*end)->attach(mixing(counting()), end->now);
      end->turn([&](core::connection& c) {
        EXPECT_EQ(c.send(opcode::text, as_bytes(content(end == &ends.client ? 50'000 : 3'000))), errc::ok);
        EXPECT_EQ(c.close(close_code::normal, {}, end->now), errc::ok);
      });
    }
    ends.run();
    ASSERT_EQ(ends.client.events.size(), 2U);
    EXPECT_EQ(ends.client.events[0], seen_message(content(3'000)));
    ASSERT_EQ(ends.server.events.size(), 2U);
    EXPECT_EQ(ends.server.events[0], seen_message(content(50'000)));
    for (core_end* end : {&ends.client, &ends.server}) {
      EXPECT_EQ(end->events.back().code, close_code::normal);
      EXPECT_EQ(end->events.back().error, errc::ok);
    }
    EXPECT_EQ(test::frames_in(ends.client_wire, true).back().op(), 8U) << "and nothing follows the close";
    EXPECT_EQ(test::frames_in(ends.server_wire, false).back().op(), 8U);
  });
}

// ---- broken contracts

TEST(frame_stage, what_breaks_the_contract_is_1011) {
  using break_it = std::function<void(frame_script&)>;
  const std::vector<std::pair<std::string, break_it>> breaches{
      {"its frame_out made more extension data than it claimed",
       [](frame_script& s) { s.out = [](const frame&, byte_span, context&) { return std::size_t{2}; }; }},
      {"its frame_in took more extension data than it claimed",
       [](frame_script& s) { s.in = [](frame&, byte_view, context&) { return std::size_t{2}; }; }},
      {"its frame_in named a channel that does not exist",
       [](frame_script& s) {
         s.in = [](frame& f, byte_view, context&) {
           f.channel = max_half_way;
           return std::size_t{1};
         };
       }},
      {"its frame_in threw",
       [](frame_script& s) { s.in = [](frame&, byte_view, context&) -> std::size_t { throw 1; }; }},
      {"its frame_out threw",
       [](frame_script& s) { s.out = [](const frame&, byte_span, context&) -> std::size_t { throw 1; }; }},
      {"its frame_quota threw",
       [](frame_script& s) { s.quota = [](const frame&, context&) -> std::uint64_t { throw 1; }; }},
      {"its frame_urgency threw",
       [](frame_script& s) { s.urgency = [](const head&, context&) -> std::uint32_t { throw 1; }; }},
  };
  for (const role side : both_roles) {
    for (const auto& [what, how] : breaches) {
      SCOPED_TRACE(what);
      auto s = channels();
      how(*s);
      core_end end(side);
      end->attach(mixing(s), end.now);
      end.turn([](core::connection& c) { static_cast<void>(c.send(opcode::text, as_bytes("out"))); });
      end.receive(frame_writer(other(side)).frame(0x81, on_channel(0, "in")).bytes());
      expect_ended(end, errc::extension_threw, close_code::internal_error);
      EXPECT_EQ(end.events.back().payload, "the extension x-mix at this end broke its contract: " + what);
    }
  }
}

// ---- two ends, with stages on messages beside

/// Turns every byte over and says so by RSV2.
struct inverter {
  static constexpr unsigned hooks = hook::in_place;
  verdict begin(direction, head& h, context&) {
    h.rsv ^= 2;
    return verdict::in_place;
  }
  void in_place(direction, byte_span chunk, bool, context&) {
    for (std::byte& b : chunk)
      b = ~b;
  }
};

std::vector<core::agreed_extension> inverted_and_mixed() {
  claims inverts;
  inverts.rsv = 2;
  return stage_list()
      .add("x-invert", inverts, inverter{})
      .add("x-mix", on_frames(1, true, 1U << 11), test::frame_scripted{channels()})
      .take();
}

TEST(frame_stage, two_ends_understand_each_other_in_every_cut_and_turn_by_turn_F_05) {
  test::in_every_pair({}, [](core_pair& ends) {
    test::seeded_random random(6455);
    ends.client->attach(inverted_and_mixed(), ends.client.now);
    ends.server->attach(inverted_and_mixed(), ends.server.now);
    std::multiset<std::string> sent;
    for (int i = 0; i < 12; ++i) {
      const std::string text = std::to_string(i) + content(random.below(4) == 0 ? 60'000 : random.below(300));
      const auto priority = static_cast<std::uint8_t>(random.below(3));
      const bool appetite = random.one_in(2);
      ends.client.takes = ends.server.takes = [appetite](std::size_t n) { return appetite ? n : n / 3; };
      ends.client.turn([&](core::connection& c) {
        if (c.send(opcode::text, as_bytes(text), {.priority = priority}) == errc::ok) sent.insert(text);
      });
      ends.server.turn([&](core::connection& c) {
        static_cast<void>(c.send(opcode::binary, as_bytes(text), {.priority = priority}));
      });
    }
    ends.client.takes = ends.server.takes = {};
    ends.client.turn(
        [&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, {}, ends.client.now), errc::ok); });
    ends.run();
    std::multiset<std::string> got;
    for (const test::seen_event& e : ends.server.events)
      if (e.what == core::kind::message) got.insert(e.payload);
    EXPECT_EQ(got, sent);
    ASSERT_NE(ends.server.closed(), nullptr);
    EXPECT_EQ(ends.server.closed()->code, close_code::normal);
  });
}

TEST(frame_stage, an_echo_comes_back_on_it) {
  test::in_every_pair({}, [](core_pair& ends) {
    ends.client->attach(inverted_and_mixed(), ends.client.now);
    ends.server->attach(inverted_and_mixed(), ends.server.now);
    ends.server.on_event = test::echo;
    const std::string large = content(70'000);
    ends.client.turn([&](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes(large)), errc::ok);
      EXPECT_EQ(c.send(opcode::text, as_bytes("small"), {.priority = 1}), errc::ok);
      EXPECT_EQ(c.begin_message(opcode::binary, {.priority = 1}), errc::ok);
    });
    ends.run();
    ends.client.turn([](core::connection& c) {
      EXPECT_EQ(c.send_part(as_bytes("in "), false), errc::ok);
      EXPECT_EQ(c.send_part(as_bytes("parts"), true), errc::ok);
    });
    ends.run();
    ASSERT_EQ(ends.client.events.size(), 3U);
    std::multiset<std::string> got;
    for (const test::seen_event& e : ends.client.events)
      got.insert(e.payload);
    EXPECT_EQ(got, (std::multiset<std::string>{large, "small", "in parts"}));
  });
}

}  // namespace
}  // namespace hawser
