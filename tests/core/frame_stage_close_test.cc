// Connections with stages on frames when the peer closes: the answer goes out behind everything that was sent before
// it, in the order of its urgency, nothing goes out behind it, and a stage that lets nothing go has as long as any
// close. F-10, F-12, RFC 6455, 5.5.1 and 7.1.2.
#include "core/frame_stage_kit.h"

#include <set>

namespace hawser {
namespace {

using test::both_roles;
using test::channels;
using test::content;
using test::core_end;
using test::core_pair;
using test::frame_script;
using test::frame_writer;
using test::frames_of;
using test::mixing;
using test::on_channel;
using test::other;
using test::raw_frame;

constexpr auto close_timeout = std::chrono::milliseconds(5000);

/// The messages in these frames, in the order of their last ones; a close frame as "close N". Fails behind that.
std::vector<std::string> told_in(const std::vector<raw_frame>& frames) {
  std::vector<std::string> told;
  std::array<std::string, max_half_way> half;
  bool closed = false;
  for (const raw_frame& f : frames) {
    EXPECT_FALSE(closed) << "nothing goes behind a close frame";
    closed = f.op() == 8;
    if (closed) told.push_back("close " + std::to_string(test::close_code_of(f)));
    if (f.op() > 7) continue;
    std::string& message = half.at(static_cast<unsigned char>(f.payload.at(0)));
    message += f.payload.substr(1);
    if (f.fin()) told.push_back(std::exchange(message, {}));
  }
  return told;
}

void expect_closed(core_end& end, close_code code, errc why = errc::ok) {
  ASSERT_NE(end.closed(), nullptr) << "it did not end";
  EXPECT_EQ(end.closed()->error, why) << describe(end.closed()->error);
  EXPECT_EQ(end.closed()->code, code) << end.closed()->payload;
}

/// A stage that lets nothing go until `*open`; `armed`: it has a timer that opens it after a second.
std::shared_ptr<frame_script> gate(bool* open, bool armed = false) {
  auto s = channels();
  s->quota = [open](const frame& f, context&) { return *open ? f.size : 0; };
  if (!armed) return s;
  s->open = [](context& c) { c.arm(c.now() + std::chrono::seconds(1)); };
  s->timer = [open](context&) { *open = true; };
  return s;
}

void peer_closes(core_end& end, unsigned code = 1001) {
  end.receive(frame_writer(other(end->side())).close(code, "bye").bytes());
}

void send(core_end& end, std::string_view text, std::uint8_t priority = 0) {
  end.turn(
      [&](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes(text), {.priority = priority}), errc::ok); });
}

TEST(frame_stage_close, replies_to_what_came_before_the_peers_close_go_before_the_answer_F_10) {
  const std::string large = content(60'000);
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.frame(0x81, on_channel(0, "one")).frame(0x01, on_channel(2, "tw")).frame(0x82, on_channel(1, large));
    wire.frame(0x80, on_channel(2, "o")).frame(0x82, on_channel(3, "")).close(1000);
    test::in_every_framed_cut(
        side, wire.bytes(), {},
        [](core_end& end) {
          end->attach(mixing(channels()), end.now);
          end.on_event = test::echo;
        },
        [&](core_end& end) {
          const std::vector<std::string> told = told_in(frames_of(end));
          EXPECT_EQ(std::multiset<std::string>(told.begin(), told.end()),
                    (std::multiset<std::string>{"one", large, "two", "", "close 1000"}));
          EXPECT_EQ(told.back(), "close 1000");
          expect_closed(end, close_code::normal);
        });
  }
}

TEST(frame_stage_close, the_answer_waits_for_a_slow_system_and_urgency_keeps_its_order_F_10) {
  for (const role side : both_roles) {
    for (std::uint64_t seed = 1; seed < 20; ++seed) {
      SCOPED_TRACE(seed);
      test::seeded_random random(seed);
      core_end end(side);
      end->attach(mixing(channels()), end.now);
      end.takes = [](std::size_t) { return std::size_t{0}; };
      const std::string large = content(300'000);
      send(end, large);
      send(end, "c", 1);
      send(end, "a", 9);
      send(end, "b", 9);
      send(end, "d", 1);
      peer_closes(end);
      EXPECT_FALSE(end->is_open());
      EXPECT_TRUE(end->is_answering());
      EXPECT_EQ(end.closed(), nullptr) << "not before it has been answered";
      end.turn([](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("late")), errc::closed); });
      end.receive(frame_writer(other(side)).frame(0x81, on_channel(0, "behind its close")).bytes());
      end.takes = [&](std::size_t n) { return random.between(1, n); };
      for (int i = 0; i < 10'000 && end.blocked; ++i) {
        end.writable();
        end.turn([](core::connection&) {});
      }
      EXPECT_EQ(told_in(frames_of(end)), (std::vector<std::string>{"a", "b", "c", "d", large, "close 1001"}));
      ASSERT_EQ(end.events.size(), 1U);
      expect_closed(end, close_code::going_away);
      EXPECT_EQ(end.closed()->payload, "bye");
      EXPECT_EQ(end->queued(), 0U);
    }
  }
}

TEST(frame_stage_close, what_a_stage_holds_goes_when_its_timer_lets_it_F_10) {
  for (const role side : both_roles) {
    bool open = false;
    core_end end(side);
    end->attach(mixing(gate(&open, true)), end.now);
    send(end, "waits");
    peer_closes(end);
    EXPECT_TRUE(end.out.empty());
    EXPECT_EQ(end.closed(), nullptr);
    end.advance(std::chrono::seconds(2));
    EXPECT_EQ(told_in(frames_of(end)), (std::vector<std::string>{"waits", "close 1001"}));
    expect_closed(end, close_code::going_away);
  }
}

TEST(frame_stage_close, what_a_stage_never_lets_go_is_given_up_while_the_peer_still_waits_F_10) {
  for (const role side : both_roles) {
    bool open = false;
    core_end end(side);
    end->attach(mixing(gate(&open)), end.now);
    send(end, "waits");
    peer_closes(end);
    end.advance(close_timeout / 2 - std::chrono::milliseconds(1));
    EXPECT_TRUE(end.out.empty());
    EXPECT_EQ(end.closed(), nullptr);
    end.advance(std::chrono::milliseconds(1));
    EXPECT_EQ(told_in(frames_of(end)), (std::vector<std::string>{"close 1001"}));
    expect_closed(end, close_code::going_away);
    EXPECT_EQ(end->queued(), 0U);
  }
}

// The system goes on taking, slowly: then it is not the stage that holds it up.
TEST(frame_stage_close, the_time_to_answer_begins_anew_while_the_system_takes_F_10) {
  core_end end(role::server);
  end->attach(mixing(channels()), end.now);
  end.takes = [](std::size_t) { return std::size_t{0}; };
  send(end, content(200'000));
  peer_closes(end);
  for (int i = 0; i < 4; ++i) {
    end.advance(close_timeout / 2 - std::chrono::seconds(1));
    end.takes = [](std::size_t) { return std::size_t{1000}; };
    end.writable();
    end->output_moved(end.now);
    EXPECT_EQ(end.closed(), nullptr);
  }
  end.takes = [](std::size_t) { return std::size_t{0}; };
  end.advance(close_timeout);
  expect_closed(end, close_code::going_away);
}

TEST(frame_stage_close, a_stage_hears_that_the_peer_has_closed) {
  for (const bool ours_waits : {false, true}) {
    std::set<unsigned> before;
    std::set<unsigned> after;
    std::set<unsigned>* to = &before;
    auto s = channels();
    s->quota = [&](const frame& f, context&) {
      to->insert(f.peer_closed);
      return f.peer_closed != 0 ? f.size : 0;
    };
    core_end end(role::server);
    end->attach(mixing(s), end.now);
    send(end, "waits");
    if (ours_waits)
      end.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, {}, end.now), errc::ok); });
    EXPECT_TRUE(end.out.empty());
    to = &after;
    peer_closes(end);
    EXPECT_EQ(before, std::set<unsigned>{0});
    EXPECT_EQ(after, std::set<unsigned>{1});
    EXPECT_EQ(told_in(frames_of(end)), (std::vector<std::string>{"waits", ours_waits ? "close 1000" : "close 1001"}));
    expect_closed(end, close_code::going_away);
  }
}

// Both have closed; ours waits, and has the time that it was given when it was asked for.
TEST(frame_stage_close, two_closes_that_cross_end_as_one_F_10) {
  for (const role side : both_roles) {
    bool open = false;
    core_end end(side);
    end->attach(mixing(gate(&open)), end.now);
    send(end, "waits");
    end.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, {}, end.now), errc::ok); });
    end.advance(close_timeout / 2);
    peer_closes(end);
    EXPECT_TRUE(end->is_answering());
    end.advance(close_timeout / 2);
    EXPECT_EQ(told_in(frames_of(end)), (std::vector<std::string>{"close 1000"}));
    expect_closed(end, close_code::going_away);
  }
}

TEST(frame_stage_close, an_answer_inside_a_message_in_parts_goes_behind_the_parts_F_10) {
  for (const role side : both_roles) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{100'000}}) {
      core_end end(side);
      end->attach(mixing(channels()), end.now);
      end.takes = [](std::size_t) { return std::size_t{0}; };
      const std::string part = content(size);
      end.turn([&](core::connection& c) {
        EXPECT_EQ(c.begin_message(opcode::text), errc::ok);
        EXPECT_EQ(c.send_part(as_bytes(part), false), errc::ok);
      });
      peer_closes(end);
      end.turn([](core::connection& c) { EXPECT_EQ(c.send_part(as_bytes("more"), true), errc::closed); });
      end.takes = {};
      end.writable();
      std::string gone;
      for (const raw_frame& f : frames_of(end)) {
        EXPECT_FALSE(f.fin() && f.op() < 8);
        if (f.op() != 8) gone += f.payload.substr(1);
      }
      EXPECT_EQ(gone, part);
      EXPECT_EQ(test::close_code_of(frames_of(end).back()), 1001U);
      expect_closed(end, close_code::going_away);
    }
  }
}

TEST(frame_stage_close, a_failure_while_the_answer_waits_gives_up_what_waits_F_12) {
  for (const role side : both_roles) {
    for (const bool by_stage : {false, true}) {
      bool open = false;
      auto s = gate(&open);
      s->open = [](context& c) { c.arm(c.now() + std::chrono::seconds(1)); };
      s->timer = [](context& c) { c.fail(close_code::policy_violation, "enough"); };
      core_end end(side);
      end->attach(mixing(s), end.now);
      send(end, "waits");
      peer_closes(end);
      if (by_stage)
        end.advance(std::chrono::seconds(1));
      else
        end.turn([&](core::connection& c) { c.fail(close_code::internal_error, errc::handler_threw, {}, end.now); });
      EXPECT_EQ(told_in(frames_of(end)), (std::vector<std::string>{by_stage ? "close 1008" : "close 1011"}));
      expect_closed(end, by_stage ? close_code::policy_violation : close_code::internal_error,
                    by_stage ? errc::extension_failed : errc::handler_threw);
    }
  }
}

// One that shuts its side down behind its close frame may still read; one whose transport is gone does not. Either has
// closed, and its code is what ended the connection. RFC 6455, 7.1.5.
TEST(frame_stage_close, the_end_of_input_behind_a_close_is_no_news_and_a_lost_transport_keeps_its_code) {
  for (const role side : both_roles) {
    for (const bool lost : {false, true}) {
      core_end end(side);
      end->attach(mixing(channels()), end.now);
      end.takes = [](std::size_t) { return std::size_t{0}; };
      send(end, content(100'000));
      peer_closes(end);
      end.end_of_input();
      EXPECT_EQ(end.closed(), nullptr);
      if (lost) end.turn([&](core::connection& c) { c.transport_failed(errc::connection_lost, end.now); });
      end.takes = {};
      end.writable();
      expect_closed(end, close_code::going_away);
      if (lost) continue;
      EXPECT_EQ(told_in(frames_of(end)), (std::vector<std::string>{content(100'000), "close 1001"}));
    }
  }
}

// Everything that both ends sent before they closed arrives, whoever closes first, in order within a priority.
TEST(frame_stage_close, what_two_ends_sent_before_they_closed_arrives_in_every_cut_F_10) {
  test::in_every_pair({}, [](core_pair& ends) {
    test::seeded_random random(6455);
    for (core_end* end : {&ends.client, &ends.server}) {
      (*end)->attach(mixing(channels()), end->now);
      end->takes = [&random](std::size_t n) { return random.one_in(3) ? random.below(n) : n; };
    }
    std::map<core_end*, std::map<char, std::vector<std::string>>> sent;
    for (int i = 0; i < 40; ++i) {
      core_end& from = random.one_in(2) ? ends.client : ends.server;
      const auto priority = static_cast<std::uint8_t>(random.below(3));
      // Each priority has its kind: of one priority the frames of two messages never mix here.
      const std::string text = std::string(1, static_cast<char>('0' + priority)) + content(random.below(3000));
      from.turn([&](core::connection& c) {
        if (c.send(opcode::binary, as_bytes(text), {.priority = priority}) == errc::ok)
          sent[&from][text[0]].push_back(text);
      });
    }
    core_end& first = random.one_in(2) ? ends.client : ends.server;
    first.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, {}, first.now), errc::ok); });
    ends.run();
    for (core_end* end : {&ends.client, &ends.server}) {
      std::map<char, std::vector<std::string>> got;
      for (const test::seen_event& e : end->events)
        if (e.what == core::kind::message) got[e.payload[0]].push_back(e.payload);
      EXPECT_EQ(got, sent[end == &ends.client ? &ends.server : &ends.client]);
      expect_closed(*end, close_code::normal);
    }
  });
}

}  // namespace
}  // namespace hawser
