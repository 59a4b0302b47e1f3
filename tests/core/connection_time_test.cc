// Time: keepalive, patience with a slow peer, pauses of our own. The clock moves only when a test moves it.
#include "core/connection_kit.h"
#include "support/pair.h"

#include <gtest/gtest.h>

#include <set>

namespace hawser {
namespace {

using namespace test;
using core::settings;
using namespace std::chrono_literals;

settings alive_for(ticks interval, ticks timeout) {
  settings obey;
  obey.alive.ping_interval = interval;
  obey.alive.pong_timeout = timeout;
  return obey;
}

// The ping comes after the interval, give or take a tenth, and not in step with those of other connections.
TEST(connection_time, a_ping_after_silence_give_or_take_a_tenth) {
  test::loop_parts parts;
  std::set<tick> times;
  for (int i = 0; i < 200; ++i) {
    core_end end(both_roles[i % 2], alive_for(20s, 20s), &parts);
    const tick due = end->deadline();
    EXPECT_GE(due, clock_start + 18s);
    EXPECT_LE(due, clock_start + 22s);
    times.insert(due);
    end.advance(due - clock_start - 1ns);
    EXPECT_TRUE(end.out.empty());
    end.advance(1ns);
    EXPECT_EQ(end.sent().frames, std::vector({test::raw_frame{0x89, ""}}));
  }
  EXPECT_GT(times.size(), 100U);
  EXPECT_LT(*times.begin(), clock_start + 19s);
  EXPECT_GT(*times.rbegin(), clock_start + 21s);
}

TEST(connection_time, activity_puts_the_ping_off) {
  core_end end(role::server, alive_for(20s, 20s));
  for (int i = 0; i < 50; ++i) {
    end.advance(10s);
    end.receive(frame_writer(role::client).text("x").bytes());
  }
  EXPECT_TRUE(end.out.empty());
  end.advance(23s);
  EXPECT_EQ(end.sent().count(9), 1U);
}

// Any byte counts as life, also half a header: not only the pong.
TEST(connection_time, any_byte_is_a_sign_of_life) {
  for (const role side : both_roles) {
    for (const int how : {0, 1, 2}) {
      core_end end(side, alive_for(20s, 20s));
      end.advance(23s);
      ASSERT_EQ(end.sent().count(9), 1U);
      end.advance(5s);
      if (how == 0) end.receive(frame_writer(other(side)).pong().bytes());
      if (how == 1) end.receive(frame_writer(other(side)).text("x").bytes());
      if (how == 2) end.receive(byte_view(frame_writer(other(side)).text("x").bytes()).first(1));
      end.advance(16s);
      EXPECT_EQ(end.closed(), nullptr) << how;
      end.advance(1s);
      EXPECT_TRUE(end->is_open());
    }
  }
}

TEST(connection_time, silence_after_the_ping_ends_it) {
  for (const role side : both_roles) {
    core_end end(side, alive_for(20s, 7s));
    const tick asked = end->deadline();
    end.advance(asked - end.now);
    ASSERT_EQ(end.sent().count(9), 1U);
    EXPECT_EQ(end->deadline(), asked + 7s);
    end.advance(7s - 1ns);
    EXPECT_EQ(end.closed(), nullptr);
    end.advance(1ns);
    ASSERT_NE(end.closed(), nullptr);
    EXPECT_EQ(end.closed()->error, errc::ping_timeout);
    EXPECT_EQ(end.closed()->code, close_code::abnormal);
    EXPECT_TRUE(end->closes_first());
    EXPECT_EQ(end.sent().count(8), 0U) << "nobody listens any more";
  }
}

// A silent but living pair stays up for a day with a ping and a pong each interval.
TEST(connection_time, a_day_in_a_pair) {
  core_pair ends(alive_for(20s, 20s));
  ends.advance(24h);
  EXPECT_TRUE(ends.client->is_open());
  EXPECT_TRUE(ends.server->is_open());
  // Each answers the other's pings, and those are life, so between the two there is one ping in 20 s or so.
  const std::size_t pings = test::read_frames(ends.client_wire, role::client).count(9) +
                            test::read_frames(ends.server_wire, role::server).count(9);
  EXPECT_GT(pings, 24U * 3600 / 23);
  EXPECT_LT(pings, 24U * 3600 / 17);
  // The line goes dead: what the server sends is lost.
  ends.client.on_event = {};
  ends.server.takes = [](std::size_t) { return std::size_t{0}; };
  ends.client.advance(50s);
  EXPECT_EQ(ends.client.closed()->error, errc::ping_timeout);
}

TEST(connection_time, no_keepalive_means_no_deadline) {
  core_end end(role::client, alive_for(no_keepalive, 20s));
  EXPECT_EQ(end->deadline(), no_deadline);
  end.receive(frame_writer(role::server).text("x").bytes());
  EXPECT_EQ(end->deadline(), no_deadline);
}

// Durations may be as long as their type allows, and as short as nothing.
TEST(connection_time, extreme_settings_do_not_overflow) {
  for (const ticks t : {ticks::max(), ticks::max() - 1ns, ticks::max() / 2 - 1ns, ticks(0), ticks(1)}) {
    settings obey = alive_for(t, t);
    obey.close_timeout = t;
    obey.bounds.rate_grace = t;
    obey.bounds.min_rate = 0;
    core_end end(role::server, obey);
    end.receive(byte_view(frame_writer(role::client).text("abc").bytes()).first(4));
    EXPECT_GE(end->deadline(), end.now);
    end->close(close_code::normal, "", end.now);
    EXPECT_GE(end->deadline(), end.now);
  }
}

// I3: after a suspension the timer comes late. The peer is asked, or asked again, before it is judged.
TEST(connection_time, a_suspension_is_not_held_against_the_peer) {
  for (const ticks asleep : {ticks(1h), ticks(24h), ticks(30 * 366 * 24h)}) {
    core_end end(role::client, alive_for(20s, 20s));
    end.now += asleep;
    end.turn([&](core::connection& c) { c.on_timeout(end.now); });
    EXPECT_EQ(end.sent().count(9), 1U);
    EXPECT_EQ(end.closed(), nullptr);
    // Suspended again, while the pong is awaited.
    end.now += asleep;
    end.turn([&](core::connection& c) { c.on_timeout(end.now); });
    EXPECT_EQ(end.closed(), nullptr);
    EXPECT_EQ(end.sent().count(9), 2U);
    end.receive(frame_writer(role::server).pong().bytes());
    end.advance(19s);
    EXPECT_EQ(end.closed(), nullptr);
    // And when it is really gone, that is found out in the usual time.
    end.advance(45s);
    ASSERT_NE(end.closed(), nullptr);
    EXPECT_EQ(end.closed()->error, errc::ping_timeout);
  }
}

// ---- A12: what was begun must be brought on: 1 KiB/s after 30 s

TEST(connection_time, a_frame_begun_and_not_brought_on_ends_with_1008) {
  frame_writer text(role::client);
  text.text("hello");
  frame_writer control(role::client);
  control.ping("hello");
  frame_writer fragments(role::client);
  fragments.frame(0x01, "he").frame(0x80, "llo");
  for (const test::byte_string& wire : {text.bytes(), control.bytes(), fragments.bytes()}) {
    for (std::size_t cut = 1; cut < wire.size(); ++cut) {
      SCOPED_TRACE(cut);
      core_end end(role::server, alive_for(no_keepalive, 20s));
      end.receive(byte_view(wire).first(cut));
      EXPECT_EQ(end->deadline(), clock_start + 30s);
      end.advance(30s - 1ns);
      EXPECT_EQ(end.closed(), nullptr);
      end.advance(1ns);
      ASSERT_NE(end.closed(), nullptr);
      test::expect_failed(end, errc::message_too_slow, close_code::policy_violation);
    }
    core_end end(role::server, alive_for(no_keepalive, 20s));
    end.receive(wire);
    EXPECT_EQ(end->deadline(), no_deadline) << "nothing is half-way any more";
  }
}

// A byte a second does not do; a little more than the rate does, for as long as it lasts.
TEST(connection_time, a_message_must_keep_up_the_rate) {
  settings obey = alive_for(no_keepalive, 20s);
  obey.bounds.min_rate = 1000;
  for (const std::size_t a_second : {1U, 500U, 1010U}) {
    core_end end(role::server, obey);
    frame_writer wire(role::client);
    wire.header(0x82, 500000);
    end.receive(wire.take());
    int seconds = 0;
    for (; seconds < 400 && end->is_open(); ++seconds) {
      end.advance(1s);
      if (end->is_open()) end.receive(wire.masked(content(a_second)).take());
    }
    if (a_second > 1000) {
      EXPECT_EQ(seconds, 400);
    } else {
      ASSERT_NE(end.closed(), nullptr);
      EXPECT_EQ(end.closed()->error, errc::message_too_slow);
      EXPECT_GE(seconds, 30);
    }
    // Control frames in between are no progress and no excuse.
  }
  core_end pings(role::server, obey);
  frame_writer wire(role::client);
  pings.receive(wire.frame(0x01, content(20)).take());
  for (int i = 0; i < 29; ++i) {
    pings.advance(1s);
    pings.receive(wire.ping().take());
  }
  pings.advance(2s);
  ASSERT_NE(pings.closed(), nullptr);
}

// While the owner does not read, the peer is not judged; afterwards it has the time it had left or more.
TEST(connection_time, a_pause_of_ours_is_not_held_against_the_peer) {
  settings obey = alive_for(20s, 20s);
  core_end end(role::server, obey);
  frame_writer wire(role::client);
  end.receive(wire.header(0x82, 5000).masked("abc").take());
  end.advance(25s);
  ASSERT_EQ(end.sent().count(9), 1U);
  end->input_paused(true, end.now);
  EXPECT_EQ(end->deadline(), no_deadline);
  end.now += 10min;
  end.turn([&](core::connection& c) { c.on_timeout(end.now); });
  EXPECT_TRUE(end->is_open());
  end->input_paused(false, end.now);
  EXPECT_GT(end->deadline(), end.now);
  end.turn([&](core::connection& c) { c.on_timeout(end.now); });
  EXPECT_TRUE(end->is_open());
  end.receive(wire.masked(content(4997)).take());
  ASSERT_EQ(end.events.size(), 1U);
  EXPECT_TRUE(end->is_open());
  // A close of ours has its deadline also while nothing is read.
  end->input_paused(true, end.now);
  end->close(close_code::normal, "", end.now);
  EXPECT_EQ(end->deadline(), end.now + 5s);
}

// A pause gives no credit: the message that was too slow before it is too slow soon after it.
TEST(connection_time, a_pause_gives_no_more_than_the_grace_again) {
  core_end end(role::server, alive_for(no_keepalive, 20s));
  end.receive(frame_writer(role::client).header(0x82, 5000).masked("abc").bytes());
  end.advance(29s);
  end->input_paused(true, end.now);
  end.now += 1s;
  end->input_paused(false, end.now);
  EXPECT_EQ(end->deadline(), end.now + 30s);
}

}  // namespace
}  // namespace hawser
