// Stages that keep nothing between messages serve all connections of a loop that agreed on the same: what a connection
// that waits has of its own, and that nobody can tell.
#include "core/pipeline_kit.h"
#include "support/core_end.h"
#include "support/raw_frames.h"

#include <gtest/gtest.h>
#include <hawser/core/connection.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using test::core_end;

/// What the stages of a test do, and what was seen of them.
struct book {
  int alive = 0;
  int most = 0;
  std::vector<std::string> hooks;  ///< "done 7"
  std::function<void(direction, context&)> at_begin;

  int count(const std::string& hook) const { return static_cast<int>(std::ranges::count(hooks, hook)); }
};

/// RSV3: each byte of a message is turned by the number of bytes before it. It counts from message to message only what
/// it forgets.
class turning {
 public:
  static constexpr unsigned hooks = hook::in_place | hook::done | hook::flush | hook::closed | hook::timer;

  turning(book& b, int terms) : book_(&b), terms_(terms) { born(); }
  turning(const turning& o) noexcept : book_(o.book_), terms_(o.terms_) { born(); }
  turning& operator=(const turning&) = delete;
  ~turning() { --book_->alive; }
  bool operator==(const turning& o) const noexcept { return book_ == o.book_ && terms_ == o.terms_; }

  verdict begin(direction way, head& h, context& c) {
    h.rsv ^= 1;
    at_[static_cast<std::size_t>(way)] = 0;
    if (book_->at_begin) book_->at_begin(way, c);
    return verdict::in_place;
  }
  void in_place(direction way, byte_span bytes, bool, context&) {
    for (std::byte& b : bytes)
      b ^= static_cast<std::byte>(++at_[static_cast<std::size_t>(way)] & 0x1F);
  }
  void done(direction, context& c) { note("done", c); }
  void flush(context& c) { note("flush", c); }
  void timer(context& c) { note("timer", c); }
  void closed(close_code, context& c) { note("closed", c); }

 private:
  void born() { book_->most = std::max(book_->most, ++book_->alive); }
  void note(const char* hook, context& c) {
    book_->hooks.push_back(std::string(hook) + " " + std::to_string(c.connection_id()));
  }

  book* book_;
  int terms_;
  std::size_t at_[2]{};
};

claims marked() {
  claims uses;
  uses.rsv = 1;
  uses.in_needs_rsv = true;
  uses.idle_state = false;
  return uses;
}

std::string turned(std::string text) {
  std::size_t at = 0;
  for (char& c : text)
    c = static_cast<char>(c ^ static_cast<char>(++at & 0x1F));
  return text;
}

struct common_stages : ::testing::Test {
  test::loop_parts loop;
  book seen;
  std::vector<std::unique_ptr<core_end>> ends;
  std::uint64_t last_id = 0;

  /// One more connection of the loop, an echo, with ids from 1.
  core_end& open(int terms = 0, const claims& uses = marked()) {
    ends.push_back(std::make_unique<core_end>(role::server, core::settings{}, &loop));
    core_end& end = *ends.back();
    end->give_id(++last_id);
    end.on_event = [](core_end& e, core::event& what) {
      if (what.op == opcode::binary) {
        EXPECT_EQ(e->send(what.op, what.payload), errc::ok);
      }
    };
    end.turn([&](core::connection& c) {
      c.attach(test::stage_list().add("x-turn", uses, turning(seen, terms)).take(), end.now);
    });
    return end;
  }
  static void send(core_end& end, std::string text) {
    end.receive(test::frame_writer(role::client).frame(0x92, turned(std::move(text))).take());
  }
  /// The payloads of the echoes since it was asked last.
  static std::string payloads(core_end& end) {
    std::string all;
    for (const test::seen_event& e : std::exchange(end.events, {}))
      all += e.payload + ",";
    return all;
  }
};

// A thousand connections that wait have two objects between them: the one that was agreed on, and one for the message.
TEST_F(common_stages, those_who_wait_have_none_of_their_own) {
  for (int i = 0; i < 1000; ++i)
    send(open(), "hello");
  EXPECT_EQ(seen.alive, 2);
  EXPECT_LE(seen.most, 6) << "one comes with each handshake, and is moved";
  for (auto& end : ends) {
    EXPECT_EQ(payloads(*end), "hello,");
    ASSERT_NE((*end)->stages(), nullptr);
    EXPECT_EQ((*end)->stages()->at(0).name, "x-turn");
  }
  ends.clear();
  EXPECT_EQ(seen.alive, 0) << "with the last connection they go";
}

// Each connection has its own hooks, with its own number, once.
TEST_F(common_stages, hooks_come_for_each_connection) {
  for (int i = 0; i < 3; ++i)
    open();
  for (auto& end : ends)
    send(*end, "m");
  ends[0]->turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, "", ends[0]->now), errc::ok); });
  ends[0]->end_of_input();
  ends[1]->end_of_input();
  ends[2]->receive(test::frame_writer(role::client).close(1000).take());
  EXPECT_EQ(seen.hooks, (std::vector<std::string>{"done 1", "done 1", "done 2", "done 2", "done 3", "done 3", "flush 1",
                                                  "closed 1", "closed 2", "flush 3", "closed 3"}));
}

// Messages half-way on several connections at once: nobody's bytes are turned by another's count.
TEST_F(common_stages, a_message_half_way_keeps_its_own) {
  test::seeded_random random(20261123);
  SCOPED_TRACE("seed 20261123");
  std::vector<test::byte_string> wires;
  for (int i = 0; i < 5; ++i) {
    open();
    test::frame_writer out(role::client);
    for (int m = 0; m < 20; ++m)
      out.frame(0x12, turned(std::string(40, static_cast<char>('a' + i)) + std::to_string(m)).substr(0, 20))
          .frame(0x80, turned(std::string(40, static_cast<char>('a' + i)) + std::to_string(m)).substr(20));
    wires.push_back(out.take());
  }
  std::vector<std::size_t> at(5);
  for (bool more = true; more;) {
    more = false;
    for (std::size_t i = 0; i < 5; ++i) {
      const std::size_t n = std::min(wires[i].size() - at[i], random.between(1, 17));
      if (n == 0) continue;
      ends[i]->receive(byte_view(wires[i]).subspan(at[i], n));
      at[i] += n;
      more = true;
    }
  }
  EXPECT_GE(seen.most, 6);
  EXPECT_EQ(seen.alive, 6) << "what was borrowed waits for the next";
  for (std::size_t i = 0; i < 5; ++i) {
    std::string all;
    for (int m = 0; m < 20; ++m)
      all += std::string(40, static_cast<char>('a' + i)) + std::to_string(m) + ",";
    EXPECT_EQ(payloads(*ends[i]), all);
  }
}

// Parts that are sent over several turns keep the stages as well, and so does a stage's timer or account.
TEST_F(common_stages, what_is_under_way_outwards_keeps_its_own) {
  core_end& a = open();
  core_end& b = open();
  a.turn([](core::connection& c) {
    EXPECT_EQ(c.begin_message(opcode::text), errc::ok);
    EXPECT_EQ(c.send_part(as_bytes("one"), false), errc::ok);
  });
  b.turn([](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("whole")), errc::ok); });
  EXPECT_EQ(seen.alive, 3);
  a.turn([](core::connection& c) { EXPECT_EQ(c.send_part(as_bytes("two"), true), errc::ok); });
  const test::byte_string expected = test::frame_writer(role::server)
                                         .frame(0x11, turned("onetwo").substr(0, 3))
                                         .frame(0x80, turned("onetwo").substr(3))
                                         .take();
  EXPECT_EQ(a.out, expected);
  EXPECT_EQ(b.out, test::frame_writer(role::server).frame(0x91, turned("whole")).take());
}

TEST_F(common_stages, a_timer_keeps_its_own_until_it_has_come) {
  core_end& a = open();
  core_end& b = open();
  seen.at_begin = [&](direction way, context& c) {
    if (way == direction::in && c.connection_id() == 1) c.arm(a.now + std::chrono::seconds(1));
  };
  send(a, "x");
  send(b, "y");
  EXPECT_EQ(seen.alive, 3);
  a.advance(std::chrono::seconds(2));
  EXPECT_EQ(seen.count("timer 1"), 1);
  EXPECT_EQ(seen.count("timer 2"), 0);
  send(a, "x");
  EXPECT_EQ(payloads(a), "x,x,");
}

TEST_F(common_stages, an_account_keeps_its_own) {
  open();
  core_end& a = open();
  seen.at_begin = [](direction way, context& c) {
    if (way == direction::in) {
      EXPECT_TRUE(c.charge(c.connection_id() == 2 ? 100 : 0));
    }
  };
  send(a, "x");
  EXPECT_EQ(a->stages()->charged(), 100U);
  send(*ends[0], "y");
  EXPECT_EQ(ends[0]->core().stages()->charged(), 0U);
}

// The end comes in the middle of a message: it is given up, and told of once.
TEST_F(common_stages, the_end_may_come_half_way) {
  core_end& a = open();
  a.receive(test::frame_writer(role::client).frame(0x12, turned("half")).take());
  a.end_of_input();
  EXPECT_EQ(seen.hooks, (std::vector<std::string>{"done 1", "closed 1"}));
  core_end& b = open();
  send(b, "next");
  EXPECT_EQ(payloads(b), "next,");
  b.receive(test::frame_writer(role::client).frame(0x12, turned("half")).take());
  ends.pop_back();  // Destroyed as it is.
  core_end& c = open();
  send(c, "after");
  EXPECT_EQ(payloads(c), "after,");
}

// A stage that failed serves nobody else, and fails nobody else.
TEST_F(common_stages, a_failure_is_of_one_connection) {
  core_end& a = open();
  core_end& b = open();
  seen.at_begin = [](direction, context& c) {
    if (c.connection_id() == 1) c.fail(close_code::policy_violation, "not you");
  };
  send(a, "x");
  ASSERT_FALSE(a.events.empty());
  EXPECT_EQ(a.events.back().code, close_code::policy_violation);
  EXPECT_FALSE(a->is_open());
  send(b, "y");
  EXPECT_EQ(payloads(b), "y,");
  EXPECT_EQ(seen.count("closed 1"), 1);
  EXPECT_EQ(seen.count("closed 2"), 0);
}

// After our close frame nothing may follow (F-10), also where another object works by then.
TEST_F(common_stages, after_our_close_a_stage_sends_nothing) {
  core_end& a = open();
  a.on_event = {};
  a.turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, "", a.now), errc::ok); });
  const test::byte_string closed = a.out;
  seen.at_begin = [](direction, context& c) {
    EXPECT_EQ(c.room(direction::out), 0U);
    EXPECT_FALSE(c.forward(direction::out, head{.opcode = 1}, c.take_buffer(1)));
  };
  send(a, "late");
  EXPECT_EQ(a.out, closed);
  EXPECT_EQ(payloads(a), "late,");
}

// What a hook writes to the object at the end of one connection, nobody else finds: not those who share what it rests
// on, and not who borrows next.
struct ending {
  static constexpr unsigned hooks = hook::in_place | hook::flush | hook::closed;
  std::uint8_t key = 0x20;
  bool operator==(const ending& o) const noexcept { return key == o.key; }
  verdict begin(direction, head& h, context&) const {
    h.rsv ^= 1;
    return verdict::in_place;
  }
  void in_place(direction, byte_span bytes, bool, context&) const {
    for (std::byte& b : bytes)
      b ^= std::byte{key};
  }
  void flush(context&) { key = 0; }
  void closed(close_code, context& c) {
    key = 0;
    c.receipts(5, 5);
    throw std::runtime_error("closed");
  }
};

TEST_F(common_stages, the_end_of_one_is_nothing_to_the_others) {
  const auto attach = [this] {
    ends.push_back(std::make_unique<core_end>(role::server, core::settings{}, &loop));
    core_end& end = *ends.back();
    end.turn(
        [&](core::connection& c) { c.attach(test::stage_list().add("x-end", marked(), ending{}).take(), end.now); });
  };
  for (int i = 0; i < 6; ++i)
    attach();
  const auto all_are_well = [this](std::size_t from) {
    for (std::size_t i = from; i < ends.size(); ++i) {
      core_end& end = *ends[i];
      end.receive(test::frame_writer(role::client).frame(0x12, "HEL").frame(0x80, "LO").take());
      EXPECT_EQ(payloads(end), "hello,") << i;
      EXPECT_EQ(end->stages()->breaches(), 0U) << i;
      EXPECT_EQ(end->stages()->last_breach(), "") << i;
      EXPECT_EQ(end->stages()->sent_on(), 0U) << i;
    }
  };
  ends[0]->end_of_input();  // While nothing was borrowed yet, or after.
  all_are_well(1);
  ends[1]->end_of_input();
  EXPECT_EQ(ends[1]->core().stages()->breaches(), 1U) << "its own";
  ends[2]->turn([&](core::connection& c) { EXPECT_EQ(c.close(close_code::normal, "", ends[2]->now), errc::ok); });
  attach();
  all_are_well(3);
  ends[2]->end_of_input();
  ends.erase(ends.begin(), ends.begin() + 3);
  attach();
  all_are_well(0);
}

// `open` comes once for a connection, and what it sets its messages need: each has its own.
struct opening {
  static constexpr unsigned hooks = hook::in_place | hook::open;
  std::uint8_t key = 0;
  bool operator==(const opening&) const noexcept { return true; }
  void open(context&) { key = 0x20; }
  verdict begin(direction, head& h, context&) const {
    h.rsv ^= 1;
    return verdict::in_place;
  }
  void in_place(direction, byte_span bytes, bool, context&) const {
    for (std::byte& b : bytes)
      b ^= std::byte{key};
  }
};

TEST_F(common_stages, who_needs_an_open_has_its_own) {
  for (int i = 0; i < 3; ++i) {
    ends.push_back(std::make_unique<core_end>(role::server, core::settings{}, &loop));
    core_end& end = *ends.back();
    end.turn(
        [&](core::connection& c) { c.attach(test::stage_list().add("x-open", marked(), opening{}).take(), end.now); });
  }
  for (auto& end : ends)
    end->receive(test::frame_writer(role::client).frame(0x12, "HEL").take());
  for (auto& end : ends)
    end->receive(test::frame_writer(role::client).frame(0x80, "LO").take());
  for (auto& end : ends)
    EXPECT_EQ(payloads(*end), "hello,");
}

// One handler sends to everybody: nobody keeps stages for it until its own turn comes.
TEST_F(common_stages, what_others_send_keeps_none) {
  for (int i = 0; i < 200; ++i)
    open();
  seen.most = seen.alive;
  for (auto& end : ends)
    EXPECT_EQ(end->core().send(opcode::binary, as_bytes("to all")), errc::ok);
  EXPECT_EQ(seen.most, 2);
  for (auto& end : ends)
    EXPECT_EQ(end->core().begin_message(opcode::binary), errc::ok);
  EXPECT_EQ(seen.alive, 201) << "half-way";
  for (auto& end : ends)
    EXPECT_EQ(end->core().send_part(as_bytes("to all"), true), errc::ok);
  EXPECT_LE(seen.alive, 2 + 63) << "what waits for the next is bounded";
  const std::string expected = turned("to all");
  for (auto& end : ends) {
    end->turn([](core::connection&) {});
    EXPECT_EQ(end->out, test::frame_writer(role::server).frame(0x92, expected).frame(0x92, expected).take());
  }
}

// What the core does of its own accord must not meet an exception of a stage: such stages serve one connection each.
struct copies_may_throw {
  static constexpr unsigned hooks = 0;
  std::string text = "x";
  bool operator==(const copies_may_throw&) const = default;
  static verdict begin(direction, head&, context&) { return verdict::bypass; }
};
struct comparing_may_throw {
  static constexpr unsigned hooks = 0;
  bool operator==(const comparing_may_throw&) const { throw std::runtime_error("compared"); }
  static verdict begin(direction, head&, context&) { return verdict::bypass; }
};
struct does_not_throw {
  static constexpr unsigned hooks = 0;
  std::shared_ptr<const std::string> text;
  bool operator==(const does_not_throw&) const = default;
  static verdict begin(direction, head&, context&) { return verdict::bypass; }
};

TEST_F(common_stages, copies_that_may_throw_are_not_made) {
  EXPECT_FALSE(core::any_stage::of(copies_may_throw{}).can_be_copied());
  EXPECT_FALSE(core::any_stage::of(comparing_may_throw{}).can_be_copied());
  EXPECT_TRUE(core::any_stage::of(does_not_throw{}).can_be_copied());
  const auto shared = [](auto stage) {
    return core::can_be_shared(test::stage_list().add("x", marked(), stage).take());
  };
  EXPECT_FALSE(shared(copies_may_throw{}));
  EXPECT_FALSE(shared(comparing_may_throw{}));
  EXPECT_FALSE(shared(opening{}));
  EXPECT_TRUE(shared(does_not_throw{}));
  EXPECT_FALSE(core::can_be_shared({}));
  for (int i = 0; i < 2; ++i) {
    core_end end(role::server, core::settings{}, &loop);
    end.turn([&](core::connection& c) {
      c.attach(test::stage_list().add("x", marked(), comparing_may_throw{}).take(), end.now);
    });
  }
}

// Who agreed on something else, has other limits or keeps something between messages, has others.
TEST_F(common_stages, only_those_who_agreed_on_the_same_share) {
  claims longer = marked();
  longer.out_min_size = 100;
  claims keeps = marked();
  keeps.idle_state = true;
  for (int i = 0; i < 3; ++i) {
    open(0);
    open(1);
    open(0, longer);
  }
  EXPECT_EQ(seen.alive, 6);
  for (int i = 0; i < 3; ++i)
    open(0, keeps);
  EXPECT_EQ(seen.alive, 9);
}

// What peers may make a loop compare in a handshake is bounded: 32 kinds; the next has its own.
TEST_F(common_stages, kinds_are_bounded) {
  for (int i = 0; i < 100; ++i)
    send(open(i), "x");
  for (auto& end : ends)
    EXPECT_EQ(payloads(*end), "x,");
  EXPECT_EQ(seen.alive, 32 * 2 + 68);
}

}  // namespace
}  // namespace hawser
