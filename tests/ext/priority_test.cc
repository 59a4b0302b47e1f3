// x-hawser-priority: the kit, the vectors of docs/wire/priority.md, what overtakes what (counted in bytes, not timed),
// how much may be on the way and half-way, and what it works beside.
#include "core/frame_stage_kit.h"
#include "support/vectors.h"

#include <gtest/gtest.h>
#include <hawser/core/negotiate.h>
#include <hawser/ext/ack.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/deflate.h>
#include <hawser/ext/priority.h>
#include <hawser/testkit/testkit.h>

#include <map>
#include <numeric>
#include <set>

namespace hawser {
namespace {

using test::both_roles;
using test::content;
using test::core_end;
using test::frame_writer;
using test::frames_of;
using test::on_channel;
using test::other;
using test::raw_frame;
using test::vector_row;
using namespace std::chrono_literals;

constexpr unsigned grant_opcode = 15;
constexpr std::uint64_t window = 64U << 10;

core::settings large_messages() {
  core::settings obey;
  obey.bounds.max_message = std::uint64_t{64} << 20;
  obey.bounds.max_fragments = 100'000;
  obey.bounds.write_soft = obey.bounds.write_hard = std::size_t{256} << 20;
  obey.alive.ping_interval = no_keepalive;
  return obey;
}

/// What one end agrees to whose peer offered `theirs`.
std::vector<core::agreed_extension> prioritised(const ext::priority& ours = {}, const ext::priority& theirs = {}) {
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-hawser-priority", std::move(*any_factory(ours).accept({theirs.offers().front()}))});
  return stages;
}

/// An end whose peer lets it send `allowed` bytes at a time.
std::unique_ptr<core_end> sender(role side, std::uint64_t allowed = window) {
  auto end = std::make_unique<core_end>(side, large_messages());
  (*end)->attach(prioritised({}, ext::priority().window(static_cast<std::uint32_t>(allowed))), end->now);
  return end;
}

errc send(core_end& end, std::string_view text, std::uint8_t priority = 0) {
  errc outcome = errc::ok;
  end.turn([&](core::connection& c) { outcome = c.send(opcode::binary, as_bytes(text), {.priority = priority}); });
  return outcome;
}

std::string grant_of(std::uint64_t n) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(n >> shift & 0xFFU);
  return bytes;
}

void grant(core_end& end, std::uint64_t n) {
  end.receive(frame_writer(other(end->side())).frame(0x80 | grant_opcode, grant_of(n)).take());
}

/// Payload bytes of the data frames that went, without their channels.
std::size_t gone(core_end& end) {
  std::size_t bytes = 0;
  for (const raw_frame& f : frames_of(end))
    if (f.op() < 8) bytes += f.payload.size() - 1;
  return bytes;
}

std::size_t whole_messages(core_end& end) {
  const std::vector<raw_frame> all = frames_of(end);
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const raw_frame& f) { return f.op() < 8 && f.fin(); }));
}

void expect_end(core_end& end, close_code code) {
  ASSERT_NE(end.closed(), nullptr) << "it did not end";
  EXPECT_EQ(end.closed()->code, code) << end.closed()->payload;
}

TEST(priority_kit_test, it_passes_the_kit) {
  testkit::options how;
  const std::string own = "x-hawser-priority; window=262144; memory=1048576";
  how.negotiation = {
      {role::server, own, own, false},
      {role::server, "x-hawser-priority", own, false},
      {role::server, "x-hawser-priority; memory=65536", own, false},
      {role::server, "x-hawser-priority; window=16383, x-hawser-priority; window=16384", own, false},
      {role::client, "x-hawser-priority", "", false},
      {role::client, "x-hawser-priority; window=16384; memory=1073741824", "", false},
  };
  for (const char* bad : {"window=16383", "window=1073741825", "window=016384", "window", "window=20000x", "window=-1",
                          "window=99999999999", "memory=65535", "memory=1073741825", "memory", "memory=0", "small=4096",
                          "window=16384; window=16384", "memory=65536; memory=65536"}) {
    how.negotiation.push_back({role::server, std::string("x-hawser-priority; ") + bad, "", false});
    how.negotiation.push_back({role::client, std::string("x-hawser-priority; ") + bad, "", true});
  }
  const testkit::report r = testkit::run(ext::priority(), how);
  EXPECT_TRUE(r.passed()) << r.text();
  const testkit::report tight = testkit::run(ext::priority().window(1).memory(1).small(100));
  EXPECT_TRUE(tight.passed()) << tight.text();
}

TEST(priority_test, each_end_says_what_it_wants_and_values_out_of_range_count_as_the_nearest) {
  EXPECT_EQ(ext::priority().window(1).memory(1).offers().front(), (params{{"window", "16384"}, {"memory", "65536"}}));
  EXPECT_EQ(ext::priority().window(~0U).memory(~0U).offers().front(),
            (params{{"window", "1073741824"}, {"memory", "1073741824"}}));
}

// ---- the vectors

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find(at, from), text.size());
    parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

std::string from_digits(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

void expect_outcome(core_end& end, const vector_row& row) {
  if (row.has("fails")) {
    ASSERT_NE(end.closed(), nullptr);
    EXPECT_EQ(static_cast<unsigned>(end.closed()->code), row.number("fails"));
  } else {
    EXPECT_EQ(end.closed(), nullptr);
  }
}

void run_wire(const vector_row& row) {
  std::vector<std::string> expected;
  if (row.has("messages"))
    for (const std::string& digits : split(row.text("messages"), ','))
      expected.push_back(from_digits(digits));
  const test::byte_string wire = test::bytes_of(row.bytes("wire"));
  test::in_every_framed_cut(
      role::client, wire, {}, [](core_end& end) { end->attach(prioritised(), end.now); },
      [&](core_end& end) {
        std::vector<std::string> got;
        for (const test::seen_event& e : end.events)
          if (e.what == core::kind::message) got.push_back(e.payload);
        EXPECT_EQ(got, expected);
        expect_outcome(end, row);
      });
}

void run_frames(const vector_row& row) {
  for (const role side : both_roles) {
    core::settings obey = large_messages();
    if (row.has("fragments")) obey.bounds.max_fragments = static_cast<std::uint32_t>(row.number("fragments"));
    core_end end(side, obey);
    end->attach(prioritised(ext::priority()
                                .window(static_cast<std::uint32_t>(row.number("window")))
                                .memory(static_cast<std::uint32_t>(row.number("memory")))),
                end.now);
    if (row.has("closed"))
      end.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, {}, end.now), errc::ok); });
    frame_writer wire(other(side));
    for (const std::string& one : split(row.text("frames"), ',')) {
      const std::vector<std::string> words = split(one, ':');
      wire.frame(static_cast<unsigned>(std::stoul(words.at(0), nullptr, 16)),
                 on_channel(static_cast<unsigned>(std::stoul(words.at(1))), content(std::stoul(words.at(2)))));
    }
    end.receive(wire.take());
    std::string grants;
    for (const raw_frame& f : frames_of(end)) {
      if (f.op() != grant_opcode) continue;
      std::uint64_t n = 0;
      for (const char c : f.payload)
        n = n << 8 | static_cast<unsigned char>(c);
      grants += (grants.empty() ? "" : ",") + std::to_string(n);
    }
    EXPECT_EQ(grants, row.text("grants"));
    expect_outcome(end, row);
  }
}

void run_grant(const vector_row& row) {
  for (const role side : both_roles) {
    const std::unique_ptr<core_end> end = sender(side, row.number("window"));
    std::uint64_t left = row.number("sent");
    for (; left > 0; left -= std::min<std::uint64_t>(left, 4000))
      EXPECT_EQ(send(*end, content(std::min<std::uint64_t>(left, 4000))), errc::ok);
    end->receive(frame_writer(other(side)).frame(0x80 | grant_opcode, row.bytes("payload")).take());
    expect_outcome(*end, row);
  }
}

TEST(priority_test, the_vectors_F_03_F_05_F_07) {
  std::map<std::string, int> kinds;
  for (const vector_row& row : test::vectors_of("priority")) {
    SCOPED_TRACE(row.text("name"));
    if (row.has("wire"))
      ++kinds["wire"], run_wire(row);
    else if (row.has("frames"))
      ++kinds["frames"], run_frames(row);
    else
      ++kinds["grant"], run_grant(row);
  }
  EXPECT_EQ(kinds, (std::map<std::string, int>{{"wire", 14}, {"frames", 15}, {"grant", 9}}));
}

// The first rows are what our server sends, byte for byte.
TEST(priority_test, what_is_sent_is_as_the_vectors_say_F_07) {
  core_end end(role::server);
  end->attach(prioritised(), end.now);
  end.turn([](core::connection& c) {
    EXPECT_EQ(c.send(opcode::text, as_bytes("Hello")), errc::ok);
    EXPECT_EQ(c.send(opcode::text, byte_view()), errc::ok);
  });
  std::string expected;
  for (const vector_row& row : test::vectors_of("priority"))
    if (row.text("name") == "text" || row.text("name") == "empty") expected += row.bytes("wire");
  EXPECT_EQ(test::text_of(end.out), expected);
}

// ---- what overtakes what

// The system takes all at once what it takes; how much of a large message is before a small one is counted in bytes.
TEST(priority_test, a_small_message_overtakes_a_big_one_D10) {
  for (const role side : both_roles) {
    const std::unique_ptr<core_end> end = sender(side, 1U << 30);
    end->takes = [](std::size_t offered) { return std::min<std::size_t>(offered, 1000); };
    const std::string big = content(std::size_t{4} << 20);
    EXPECT_EQ(send(*end, big), errc::ok);
    const std::string small(64, 's');
    EXPECT_EQ(send(*end, small), errc::ok);
    end->takes = {};
    end->writable();
    std::size_t before = 0;
    std::string again;
    bool came = false;
    for (const raw_frame& f : frames_of(*end)) {
      came = came || f.payload == on_channel(1, small);
      if (f.payload[0] == 0) again += f.payload.substr(1);
      if (!came) before += f.payload.size();
    }
    EXPECT_TRUE(came);
    EXPECT_LE(before, 3U * (16'384 + 1)) << "what was framed and not yet taken";
    EXPECT_EQ(again, big);
  }
}

TEST(priority_test, by_the_senders_word_then_by_size_then_in_order) {
  const std::unique_ptr<core_end> end = sender(role::server, 1U << 30);
  end->takes = [](std::size_t) { return std::size_t{0}; };
  const std::string large = content(5000);
  EXPECT_EQ(send(*end, content(100'000)), errc::ok);
  const std::vector<std::pair<std::string, std::uint8_t>> in_order_of_sending = {
      {"G" + large, 0}, {"E", 0}, {"D" + large, 1}, {"F", 0}, {"A", 9}, {"B" + large, 9}, {"C" + large, 9}};
  for (const auto& [text, priority] : in_order_of_sending)
    EXPECT_EQ(send(*end, text, priority), errc::ok);
  end->turn([](core::connection& c) {
    EXPECT_EQ(c.begin_message(opcode::binary, {.priority = 1}), errc::ok);
    EXPECT_EQ(c.send_part(as_bytes("d: in parts, so nobody knows how large"), true), errc::ok);
  });
  end->takes = {};
  end->writable();
  std::string order;
  for (const raw_frame& f : frames_of(*end))
    if (f.payload.size() < 6000 && f.op() != 0) order += f.payload[1];
  EXPECT_EQ(order, "ABCDdEFG");
}

// ---- credit

TEST(priority_test, no_more_is_on_the_way_than_was_granted_and_small_ones_never_wait_for_large) {
  for (const role side : both_roles) {
    const std::unique_ptr<core_end> end = sender(side);
    EXPECT_EQ(send(*end, content(300'000), 255), errc::ok);
    EXPECT_EQ(gone(*end), window * 3 / 4) << "a quarter stays for what is small";
    EXPECT_EQ(send(*end, content(300'000), 254), errc::ok);
    EXPECT_EQ(gone(*end), window * 3 / 4) << "also when more large ones wait";
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(send(*end, content(4096)), errc::ok);
    EXPECT_EQ(gone(*end), window * 3 / 4 + std::size_t{3} * 4096);
    EXPECT_EQ(whole_messages(*end), 3U);
    EXPECT_EQ(send(*end, content(4096)), errc::ok);
    EXPECT_EQ(gone(*end), window);
    EXPECT_EQ(send(*end, "more than is granted"), errc::ok);
    EXPECT_EQ(gone(*end), window);
    EXPECT_EQ(send(*end, "", 1), errc::ok);
    EXPECT_EQ(whole_messages(*end), 5U) << "nothing needs no credit";

    grant(*end, 10);
    EXPECT_EQ(gone(*end), window) << "not in pieces";
    grant(*end, 20);
    EXPECT_EQ(gone(*end), window + 20) << "the small one first";
    grant(*end, window / 4 + 4085);
    EXPECT_EQ(gone(*end), window + 20) << "a quarter is for the small ones again, to the byte";
    grant(*end, 1);
    EXPECT_EQ(gone(*end), window + 20 + 4096);
    grant(*end, 6000);
    EXPECT_EQ(gone(*end), window + 20 + 4096 + 6000);
  }
}

// Both ends, every message larger than all that may be on the way: grants come to and fro until all is there.
TEST(priority_test, everything_arrives_however_little_is_granted_at_a_time) {
  test::in_every_pair(
      large_messages(),
      [](test::core_pair& ends) {
        const ext::priority how = ext::priority().window(1);
        ends.client->attach(prioritised(how, how), ends.client.now);
        ends.server->attach(prioritised(how, how), ends.server.now);
        std::multiset<std::string> sent;
        for (int i = 0; i < 6; ++i) {
          sent.insert(std::to_string(i) + content(static_cast<std::size_t>(i % 3) * 40'000 + 9));
          for (core_end* end : {&ends.client, &ends.server})
            EXPECT_EQ(send(*end, std::to_string(i) + content(static_cast<std::size_t>(i % 3) * 40'000 + 9),
                           static_cast<std::uint8_t>(i % 2)),
                      errc::ok);
        }
        ends.run();
        for (core_end* end : {&ends.client, &ends.server}) {
          std::multiset<std::string> got;
          for (const test::seen_event& e : end->events)
            got.insert(e.payload);
          EXPECT_EQ(got, sent);
          EXPECT_EQ((*end)->queued(), 0U);
          EXPECT_EQ((*end)->stages()->charged(), 0U);
        }
      },
      3);
}

// A grant that finds no place is made good later: otherwise the peer waited for it for ever.
TEST(priority_test, a_grant_that_could_not_leave_is_tried_again) {
  buffer_pool pool;
  core::pipeline_limits bounds;
  bounds.work = 1;
  core::pipeline p(prioritised(ext::priority().window(16384)), role::server, pool, bounds);
  p.open(test::clock_start);
  const auto frame_comes = [&](std::uint64_t size) {
    const std::byte channel{0};
    std::size_t used = 0;
    frame f;
    f.opcode = 2;
    f.fin = 1;
    f.size = size + 1;
    EXPECT_TRUE(p.take_ext(f, {&channel, 1}, used, test::clock_start));
    EXPECT_EQ(used, 1U);
  };
  const auto granted = [&] {
    core::pipeline::work w;
    return p.next_work(w) ? std::string(as_text(w.body.view())) : std::string("nothing");
  };
  frame_comes(4096);
  EXPECT_EQ(p.deadline(), no_deadline);
  frame_comes(5000);
  EXPECT_EQ(p.deadline(), test::clock_start + 25ms);
  p.on_timeout(test::clock_start + 25ms);
  EXPECT_EQ(p.deadline(), test::clock_start + 50ms);
  EXPECT_EQ(granted(), grant_of(4096));
  p.on_timeout(test::clock_start + 50ms);
  EXPECT_EQ(granted(), grant_of(5000));
  EXPECT_EQ(p.deadline(), no_deadline);
}

// Quotas and grants make no frames that count as fragments: what a limit allows in one frame it allows in many.
TEST(priority_test, a_message_of_any_size_has_few_fragments_that_count) {
  core::settings obey = large_messages();
  obey.bounds.max_fragments = 2;
  test::core_pair ends(obey);
  const ext::priority how = ext::priority().window(20'001);
  ends.client->attach(prioritised(how, how), ends.client.now);
  ends.server->attach(prioritised(how, how), ends.server.now);
  EXPECT_EQ(send(ends.client, content(3'000'001)), errc::ok);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(send(ends.client, content(static_cast<std::size_t>(i) * 40 + 1)), errc::ok);
    ends.server.receive(std::exchange(ends.client.out, {}));
    ends.client.receive(std::exchange(ends.server.out, {}));
  }
  ends.run();
  ASSERT_EQ(ends.server.events.size(), 101U);
  EXPECT_EQ(ends.server.events.back(), test::seen_message(content(3'000'001), opcode::binary));
}

// ---- messages half-way

// What an honest sender does is what its receiver allows: large ones, each more urgent than those before.
TEST(priority_test, large_messages_that_overtake_each_other_stay_within_the_memory_of_the_receiver) {
  test::in_every_pair(
      large_messages(),
      [](test::core_pair& ends) {
        const ext::priority how = ext::priority().window(32'768).memory(65'536);
        ends.client->attach(prioritised(how, how), ends.client.now);
        ends.server->attach(prioritised(how, how), ends.server.now);
        std::size_t most = 0;
        ends.server.takes = [&](std::size_t offered) {
          most = std::max(most, ends.server->stages()->charged());
          return offered;
        };
        test::seeded_random random(6455);
        std::multiset<std::size_t> sent;
        for (int i = 0; i < 12; ++i) {
          const std::size_t size = 1 + random.below(random.one_in(2) ? 400'000 : 20'000);
          const auto priority = static_cast<std::uint8_t>(i);
          sent.insert(size);
          ends.client.turn([&](core::connection& c) {
            EXPECT_EQ(c.send(opcode::binary, as_bytes(content(size)), {.priority = priority}), errc::ok);
          });
          if (i % 2 == 0) ends.server.receive(std::exchange(ends.client.out, {}));
          if (i % 2 == 0) ends.client.receive(std::exchange(ends.server.out, {}));
        }
        ends.run();
        std::multiset<std::size_t> got;
        for (const test::seen_event& e : ends.server.events)
          got.insert(e.payload.size());
        EXPECT_EQ(got, sent);
        EXPECT_GT(most, 10'000U) << "nothing overtook anything";
        EXPECT_LE(most, 65'536U);
        EXPECT_EQ(ends.server->stages()->charged(), 0U);
      },
      4);
}

TEST(priority_test, what_waits_half_way_counts_as_memory_of_extensions_and_is_settled_at_the_end) {
  for (const bool fits : {true, false}) {
    core::settings obey = large_messages();
    obey.bounds.extension_memory = fits ? 50'000 : 49'999;
    core_end end(role::server, obey);
    end->attach(prioritised(), end.now);
    frame_writer peer(role::client);
    peer.frame(0x02, on_channel(0, content(100'000))).frame(0x02, on_channel(1, content(50'000 + 16'384)));
    end.receive(peer.take());
    if (!fits) {
      expect_end(end, close_code::policy_violation);
      EXPECT_EQ(end.closed()->payload,
                "the extension x-hawser-priority gave the connection up: more is half-way than may be kept");
      continue;
    }
    EXPECT_EQ(end->stages()->charged(), 50'000U);
    end.end_of_input();
    EXPECT_EQ(end->stages()->charged(), 0U);
    EXPECT_EQ(end->stages()->breaches(), 0U);
  }
}

// Three large ones are half-way; a fourth would take the last channel from what is small.
TEST(priority_test, a_channel_stays_for_what_is_small) {
  // One after the other: each finds those before half-way.
  const std::unique_ptr<core_end> slow = sender(role::server, 16'384);
  for (std::uint8_t i = 0; i < 8; ++i) {
    EXPECT_EQ(send(*slow, content(60'000), i), errc::ok);
    if (i < 3) grant(*slow, 8000);
  }
  std::set<char> begun;
  for (const raw_frame& f : frames_of(*slow))
    begun.insert(f.payload[0]);
  EXPECT_EQ(begun, (std::set<char>{0, 1, 2}));
  EXPECT_EQ(send(*slow, "small"), errc::ok);
  EXPECT_EQ(frames_of(*slow).back(), (raw_frame{0x82, on_channel(3, "small")}));
  // And what waits for a channel gets it when one of the three is through: nothing is stuck.
  for (std::size_t granted = 24'000; gone(*slow) != granted;) {
    const std::size_t more = gone(*slow) - granted;
    grant(*slow, more);
    granted += more;
  }
  EXPECT_EQ(whole_messages(*slow), 9U);
}

// ---- ends

TEST(priority_test, a_close_waits_for_what_was_sent_and_a_failure_does_not_F_10) {
  for (const bool fails : {false, true}) {
    const std::unique_ptr<core_end> end = sender(role::server);
    EXPECT_EQ(send(*end, content(100'000)), errc::ok);
    end->turn([&](core::connection& c) {
      if (fails)
        c.fail(close_code::policy_violation, errc::message_too_slow, "enough", end->now);
      else
        EXPECT_EQ(c.close(close_code::normal, "bye", end->now), errc::ok);
    });
    EXPECT_EQ(frames_of(*end).back().op() == 8, fails);
    if (fails) continue;
    grant(*end, 40'000);
    EXPECT_NE(frames_of(*end).back().op(), 8U);
    grant(*end, 30'000);
    EXPECT_EQ(gone(*end), 100'000U);
    EXPECT_EQ(test::close_code_of(frames_of(*end).back()), 1000U);
  }
}

// It grants nothing any more, and needs to grant nothing.
TEST(priority_test, a_peer_that_closes_gets_everything_and_then_the_answer_F_10) {
  for (const role side : both_roles) {
    const std::unique_ptr<core_end> end = sender(side);
    EXPECT_EQ(send(*end, content(100'000)), errc::ok);
    EXPECT_EQ(send(*end, content(90'000)), errc::ok);
    EXPECT_LT(gone(*end), 190'000U);
    end->receive(frame_writer(other(side)).close(1001).take());
    EXPECT_EQ(gone(*end), 190'000U);
    EXPECT_EQ(test::close_code_of(frames_of(*end).back()), 1001U);
    expect_end(*end, close_code::going_away);
  }
}

TEST(priority_test, what_comes_behind_our_close_frame_needs_no_credit_but_memory_F_10) {
  for (const role side : both_roles) {
    for (const bool too_much : {false, true}) {
      core_end end(side, large_messages());
      end->attach(prioritised(ext::priority().window(16'384).memory(65'536)), end.now);
      end.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, {}, end.now), errc::ok); });
      frame_writer wire(other(side));
      wire.frame(0x02, on_channel(0, content(300'000)));
      wire.frame(0x02, on_channel(1, content(too_much ? 81'921 : 81'920)));
      end.receive(wire.frame(0x80, on_channel(0, "end")).close(1000).take());
      expect_end(end, too_much ? close_code::protocol_error : close_code::normal);
      EXPECT_EQ(end.count, too_much ? 1U : 2U);
      EXPECT_EQ(frames_of(end).size(), 1U) << "and nothing is granted any more";
    }
  }
}

// Whatever the windows: an end that closes at once when it has asked gets the whole answer.
TEST(priority_test, a_close_behind_a_question_does_not_cut_the_answer_F_10) {
  test::in_every_pair(large_messages(), [](test::core_pair& ends) {
    for (core_end* end : {&ends.client, &ends.server})
      (*end)->attach(prioritised(ext::priority().window(16'384)), end->now);
    ends.server.on_event = [](core_end& end, core::event& e) {
      if (e.op != opcode::text) return;
      for (const std::size_t size : {70'000U, 1'000U, 50'000U})
        EXPECT_EQ(end->send(opcode::binary, as_bytes(content(size))), errc::ok);
    };
    ends.client.turn([&](core::connection& c) {
      EXPECT_EQ(c.send(opcode::text, as_bytes("?")), errc::ok);
      EXPECT_EQ(c.close(close_code::normal, {}, ends.client.now), errc::ok);
    });
    ends.run();
    std::multiset<std::size_t> got;
    for (const test::seen_event& e : ends.client.events)
      if (e.what == core::kind::message) got.insert(e.payload.size());
    EXPECT_EQ(got, (std::multiset<std::size_t>{1'000, 50'000, 70'000}));
    for (core_end* end : {&ends.client, &ends.server})
      expect_end(*end, close_code::normal);
  });
}

// ---- beside others

/// Both sides of a negotiation over these, and in which order they work.
struct negotiated {
  extension_list list;
  core::negotiation server;
  std::string why;

  explicit negotiated(extension_list all) : list(std::move(all)) {
    auto answer =
        core::answer_extensions(core::offer_extensions(list, {role::client, true}), list, {role::server, true}, why);
    if (answer) server = std::move(*answer);
  }
  std::vector<core::agreed_extension> client() {
    auto confirmed = core::confirm_extensions(server.header, list, {role::client, true}, why);
    EXPECT_TRUE(confirmed) << why;
    return confirmed ? std::move(confirmed->agreed) : std::vector<core::agreed_extension>();
  }
  [[nodiscard]] std::string names() const {
    std::string all;
    for (const core::agreed_extension& e : server.agreed)
      all += e.name + " ";
    return all;
  }
};

TEST(priority_test, it_works_beside_deflate_without_takeover_and_checksum_P_06) {
  for (const bool first : {true, false}) {
    test::in_every_pair(
        large_messages(),
        [&](test::core_pair& ends) {
          extension_list list;
          if (first) list.add(ext::priority().window(20'000));
          list.add(ext::checksum()).add(ext::deflate(ext::deflate_preset::low_memory));
          if (!first) list.add(ext::priority().window(20'000));
          negotiated both(std::move(list));
          EXPECT_EQ(both.names(), "x-hawser-checksum permessage-deflate x-hawser-priority ")
              << "what works on frames stands behind what works on messages";
          ends.client->attach(both.client(), ends.client.now);
          ends.server->attach(std::move(both.server.agreed), ends.server.now);
          test::seeded_random random(1);
          std::string big(200'000, ' ');
          for (char& c : big)
            c = static_cast<char>('a' + random.below(16));
          std::multiset<std::string> sent{big, "small", content(70'000)};
          for (core_end* end : {&ends.client, &ends.server})
            for (const std::string& text : sent)
              EXPECT_EQ(send(*end, text, text == "small" ? 1 : 0), errc::ok);
          ends.run();
          for (core_end* end : {&ends.client, &ends.server}) {
            std::multiset<std::string> got;
            for (const test::seen_event& e : end->events)
              got.insert(e.payload);
            EXPECT_EQ(got, sent);
            ASSERT_FALSE(end->events.empty());
            EXPECT_NE(end->events.back().payload, "small");
          }
        },
        3);
  }
}

// In either order, and with a reason that a person can read.
TEST(priority_test, beside_what_must_see_messages_in_order_one_is_refused_N_16) {
  const std::vector<std::pair<std::string, any_factory>> in_order = {
      {"permessage-deflate", ext::deflate(ext::deflate_preset::balanced)}, {"x-hawser-ack", ext::ack()}};
  for (const auto& [name, factory] : in_order) {
    for (const bool first : {true, false}) {
      extension_list list;
      if (first) list.add(ext::priority());
      list.add(factory);
      if (!first) list.add(ext::priority());
      const negotiated both(std::move(list));
      EXPECT_EQ(both.names(), first ? "x-hawser-priority " : name + " ");
      const std::string loser = first ? name : "x-hawser-priority";
      std::string told;
      for (const core::negotiation_note& n : both.server.notes)
        if (n.name == loser && !n.active) told = n.text;
      EXPECT_EQ(told, loser + ": declined: " + name +
                          " and x-hawser-priority: the first must see messages in order and the second "
                          "lets them out in another");
    }
  }
  // With an alternative there is no conflict.
  extension_list list;
  list.add(ext::priority()).add(ext::deflate(ext::deflate_preset::balanced));
  list.add(ext::deflate(ext::deflate_preset::low_memory));
  EXPECT_EQ(negotiated(std::move(list)).names(), "permessage-deflate x-hawser-priority ");
}

TEST(priority_test, a_second_one_that_mixes_fragments_is_refused) {
  std::vector<core::agreed_extension> stages = prioritised();
  for (core::agreed_extension& e : test::mixing(test::channels()))
    stages.push_back(std::move(e));
  std::string why;
  EXPECT_FALSE(core::compose(stages, {}, why));
  EXPECT_EQ(why, "x-hawser-priority and x-mix: both let the fragments of several messages mix");
}

}  // namespace
}  // namespace hawser
