// Handles that outlive their connections by far: whoever has the slot now, an old handle means nobody, for ever (D5).

#include "ws/session.h"
#include "ws/worker.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <vector>

namespace hawser::test {
namespace {

/// A loop without sockets, on which sessions come and go.
struct bare_loop {
  std::unique_ptr<net::loop> loop = net::loop::create().value();
  worker work{*loop};
  core::settings obey;
  route_handlers nobody;

  session& come() { return *new (work) session(work, role::server, obey, nobody); }
  void go(session& s) {
    s.abandon();
    work.on_batch_end();
  }
};

// Every call that a handle has.
void see_closed(connection c) {
  const auto closed = [](errc e) { EXPECT_EQ(e, errc::closed); };
  EXPECT_FALSE(c.is_open());
  closed(c.send("x"));
  closed(c.send(byte_view{}));
  closed(c.send(message()));
  closed(c.begin_text());
  closed(c.begin_binary());
  closed(c.send_part({}, true));
  closed(c.ping());
  closed(c.close());
  closed(c.terminate());
  closed(c.subscribe("t"));
  closed(c.unsubscribe("t"));
  closed(c.publish("t", "x"));
  closed(c.post([] { FAIL() << "called for a connection that is gone"; }));
  closed(c.pause());
  closed(c.resume());
  EXPECT_EQ(c.stats().error(), errc::closed);
  EXPECT_EQ(c.timings().error(), errc::closed);
  EXPECT_EQ(c.request().error(), errc::closed);
  EXPECT_EQ(c.extensions().error(), errc::closed);
  EXPECT_EQ(c.remote_address().error(), errc::closed);
  EXPECT_EQ(c.local_address().error(), errc::closed);
  EXPECT_EQ(c.set_data(std::make_unique<int>(1)), errc::closed);
  EXPECT_EQ(c.data<int>(), nullptr);
}

TEST(slot_reuse, old_handles_answer_closed_however_often_their_slot_was_used_again) {
  constexpr std::size_t times = 100'000;
  bare_loop one;
  const mailbox_visit here(one.work.box());
  std::unordered_set<std::uint64_t> numbers;
  std::unordered_set<std::uint32_t> slots;
  std::vector<connection> old;
  for (std::size_t i = 0; i < times; ++i) {
    session& s = one.come();
    const connection c = s.handle();
    ASSERT_TRUE(numbers.insert(c.id()).second) << "two connections with one number";
    slots.insert(static_cast<std::uint32_t>(c.id()));
    if (i % 997 == 0) old.push_back(c);
    ASSERT_EQ(session::here(c), &s);
    one.go(s);
    ASSERT_EQ(session::here(c), nullptr);
  }
  EXPECT_LT(slots.size(), 10U) << "the slots were not used again: this shows nothing";
  session& last = one.come();
  for (const connection c : old)
    see_closed(c);
  std::thread([&] {
    for (const connection c : old)
      see_closed(c);
  }).join();
  EXPECT_EQ(session::here(last.handle()), &last);
}

// After the last generation a slot retires: no handle could tell the next connection from the first.
TEST(slot_reuse, a_slot_whose_generations_are_used_up_is_not_used_again) {
  bare_loop one;
  const mailbox_visit here(one.work.box());
  session& first = one.come();
  const auto index = static_cast<std::uint32_t>(first.handle().id());
  one.go(first);
  find_slot(index)->generation.store(0xFFFF'FFFF);
  session& before = one.come();
  ASSERT_EQ(static_cast<std::uint32_t>(before.handle().id()), index) << "the slot that came free last";
  const connection c = before.handle();
  EXPECT_EQ(session::here(c), &before);
  one.go(before);
  see_closed(c);
  for (int i = 0; i < 3000; ++i)
    ASSERT_NE(static_cast<std::uint32_t>(one.come().handle().id()), index);
}

}  // namespace
}  // namespace hawser::test
