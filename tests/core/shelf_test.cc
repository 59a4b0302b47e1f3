// What stages of one loop lend each other, and that it stays small.
#include "core/pipeline_kit.h"
#include "support/core_end.h"

#include <gtest/gtest.h>
#include <hawser/core/shelf.h>

#include <memory>
#include <vector>

namespace hawser {
namespace {

using core::shelf;

struct counted {
  int* alive;
  int number = 0;
  explicit counted(int* count) : alive(count) { ++*alive; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --*alive; }
};
struct other : counted {
  using counted::counted;
};

/// Borrows for each message, and gives back when it is over.
struct borrower {
  static constexpr unsigned hooks = hook::observe | hook::done;
  int* alive;
  std::vector<int>* seen;
  std::uint64_t key = 0;
  std::unique_ptr<counted> mine = {};

  verdict begin(direction, head&, context& c) {
    mine = c.borrow<counted>(key);
    EXPECT_EQ(c.borrow<other>(key), nullptr) << "of another type";
    EXPECT_EQ(c.borrow<counted>(key + 1), nullptr) << "of another key";
    if (mine == nullptr) mine = std::make_unique<counted>(alive);
    seen->push_back(mine->number++);
    return verdict::observe;
  }
  void observe(direction, byte_view, bool, context&) {}
  void done(direction, context& c) { c.give_back(key, std::move(mine), 100); }
};

struct shelf_test : ::testing::Test {
  int alive = 0;
  std::vector<int> seen;
  buffer_pool pool;

  std::unique_ptr<core::pipeline> made(shelf* lent) {
    test::stage_list stages;
    stages.add("x-borrows", {}, borrower{&alive, &seen});
    auto p = std::make_unique<core::pipeline>(stages.take(), role::server, pool, core::pipeline_limits{}, 0, lent);
    p->open(test::at_time(0));
    return p;
  }
};

TEST_F(shelf_test, one_object_serves_all_connections_in_turn) {
  {
    shelf lent;
    const auto one = made(&lent);
    const auto two = made(&lent);
    for (int i = 0; i < 3; ++i) {
      test::send(*one, direction::out, "a");
      test::send(*two, direction::in, "b");
    }
    EXPECT_EQ(alive, 1);
    EXPECT_EQ(seen, (std::vector{0, 1, 2, 3, 4, 5})) << "as it was given back";
    EXPECT_EQ(lent.size(), 1U);
    EXPECT_EQ(lent.bytes(), 100U);
  }
  EXPECT_EQ(alive, 0) << "what is left goes with the loop";
}

TEST_F(shelf_test, without_a_shelf_each_message_has_its_own) {
  const auto one = made(nullptr);
  test::send(*one, direction::out, "a");
  test::send(*one, direction::out, "b");
  EXPECT_EQ(seen, (std::vector{0, 0}));
  EXPECT_EQ(alive, 0);
}

TEST_F(shelf_test, what_a_failing_connection_had_comes_back) {
  shelf lent;
  const auto one = made(&lent);
  head h = test::head_of("half");
  ASSERT_TRUE(one->begin(direction::in, h, test::at_time(0)));
  EXPECT_EQ(lent.size(), 0U);
  one->closed(close_code::abnormal, test::at_time(1));
  EXPECT_EQ(lent.size(), 1U);
}

TEST_F(shelf_test, it_keeps_a_bounded_number_and_a_bounded_size) {
  shelf lent;
  const auto put = [&](std::size_t bytes) {
    lent.put({&alive, 7, new counted(&alive), [](void* p) noexcept { delete static_cast<counted*>(p); }, bytes});
  };
  for (std::size_t i = 0; i < 2 * shelf::most_objects; ++i)
    put(1);
  EXPECT_EQ(lent.size(), shelf::most_objects);
  EXPECT_EQ(alive, static_cast<int>(shelf::most_objects));
  while (void* taken = lent.take(&alive, 7))
    delete static_cast<counted*>(taken);
  EXPECT_EQ(lent.bytes(), 0U);
  put(shelf::most_bytes + 1);
  EXPECT_EQ(alive, 0);
  put(shelf::most_bytes);
  put(1);
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(lent.bytes(), shelf::most_bytes);
}

TEST_F(shelf_test, connections_of_one_loop_have_one) {
  test::loop_parts loop;
  test::core_end one(role::server, {}, &loop);
  test::core_end two(role::server, {}, &loop);
  for (test::core_end* end : {&one, &two}) {
    test::stage_list stages;
    stages.add("x-borrows", {}, borrower{&alive, &seen});
    (*end)->attach(stages.take(), end->now);
    end->turn([](core::connection& c) { EXPECT_EQ(c.send(opcode::text, as_bytes("x")), errc::ok); });
  }
  EXPECT_EQ(seen, (std::vector{0, 1}));
  EXPECT_EQ(loop.shared.lent().size(), 1U);
}

}  // namespace
}  // namespace hawser
