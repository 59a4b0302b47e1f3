#include "support/seeded_random.h"

#include <gtest/gtest.h>
#include <hawser/base/buffer.h>

#include <array>
#include <atomic>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

namespace {

using hawser::buffer;
using hawser::buffer_pool;
using hawser::byte_span;
using hawser::test::seeded_random;

void fill(byte_span span, std::uint64_t tag) {
  seeded_random random(tag);
  for (std::byte& b : span)
    b = static_cast<std::byte>(random.next() & 0xFF);
}

bool holds(hawser::byte_view view, std::uint64_t tag) {
  seeded_random random(tag);
  for (const std::byte b : view) {
    if (b != static_cast<std::byte>(random.next() & 0xFF)) return false;
  }
  return true;
}

TEST(buffer, empty_by_default) {
  buffer none;
  EXPECT_FALSE(none);
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(none.view().empty());
  EXPECT_TRUE(none.span().empty());
  EXPECT_EQ(none.front_room(), 0U);
  EXPECT_EQ(none.back_room(), 0U);
  none.share();
  const buffer copy = none;
  EXPECT_FALSE(copy);
}

TEST(buffer, has_headroom_and_the_room_behind_that_was_asked_for) {
  buffer_pool pool;
  for (const std::size_t size : {0UL, 1UL, 47UL, 48UL, 49UL, 1000UL, 65536UL, 1000000UL}) {
    for (const std::size_t extra : {0UL, 1UL, 16UL, 5000UL}) {
      buffer b = pool.take(size, extra);
      EXPECT_TRUE(b);
      EXPECT_EQ(b.size(), size);
      EXPECT_EQ(b.front_room(), buffer::headroom);
      EXPECT_GE(b.back_room(), extra);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data()) % 16, 0U);
      fill(b.span(), size);
      EXPECT_TRUE(holds(b.view(), size));
    }
  }
}

TEST(buffer, grows_into_its_room_and_is_trimmed) {
  buffer_pool pool;
  buffer b = pool.take(8, 8);
  std::memcpy(b.data(), "payload!", 8);
  b.grow_front(2);
  std::memcpy(b.data(), "HD", 2);
  EXPECT_EQ(hawser::as_text(b.view()), "HDpayload!");
  EXPECT_EQ(b.front_room(), buffer::headroom - 2);
  b.resize(14);
  std::memcpy(b.data() + 10, "tail", 4);
  EXPECT_EQ(hawser::as_text(b.view()), "HDpayload!tail");
  b.trim_front(5);
  b.resize(5);
  EXPECT_EQ(hawser::as_text(b.view()), "load!");
  EXPECT_EQ(b.front_room(), buffer::headroom + 3);
}

TEST(buffer, slices_share_the_bytes) {
  buffer_pool pool;
  buffer whole = pool.take(10);
  std::memcpy(whole.data(), "0123456789", 10);
  const buffer part = whole.slice(3, 4);
  EXPECT_EQ(hawser::as_text(part.view()), "3456");
  EXPECT_EQ(part.data(), whole.data() + 3);
  EXPECT_EQ(hawser::as_text(part.slice(1, 2).view()), "45");
  whole = buffer();
  EXPECT_EQ(hawser::as_text(part.view()), "3456") << "a slice keeps the block alive";
  EXPECT_TRUE(part.sole_owner());
}

TEST(buffer, sole_owner_counts_copies_and_slices) {
  buffer_pool pool;
  buffer a = pool.take(10);
  EXPECT_TRUE(a.sole_owner());
  {
    const buffer b = a;
    EXPECT_FALSE(a.sole_owner());
    const buffer c = a.slice(2, 3);
    EXPECT_FALSE(c.sole_owner());
  }
  EXPECT_TRUE(a.sole_owner());
  const buffer moved = std::move(a);
  EXPECT_TRUE(moved.sole_owner());
}

TEST(buffer, assignment_and_swap) {
  buffer_pool pool;
  buffer a = pool.take(3);
  std::memcpy(a.data(), "abc", 3);
  buffer b = pool.take(2);
  std::memcpy(b.data(), "xy", 2);
  a.swap(b);
  EXPECT_EQ(hawser::as_text(a.view()), "xy");
  const buffer& same = a;
  a = same;
  EXPECT_EQ(hawser::as_text(a.view()), "xy");
  EXPECT_TRUE(a.sole_owner());
  a = std::move(b);
  EXPECT_EQ(hawser::as_text(a.view()), "abc");
  EXPECT_FALSE(b);  // NOLINT(bugprone-use-after-move): a moved-from buffer is empty
  EXPECT_EQ(b.front_room(), 0U);
  EXPECT_EQ(pool.used_bytes(), 64 + buffer::headroom);
}

TEST(buffer_pool, uses_a_block_again) {
  buffer_pool pool;
  const std::byte* first = nullptr;
  {
    const buffer b = pool.take(100000);
    first = b.data();
    EXPECT_GE(pool.used_bytes(), 100016U);
    EXPECT_EQ(pool.kept_bytes(), 0U);
  }
  EXPECT_EQ(pool.used_bytes(), 0U);
  EXPECT_GE(pool.kept_bytes(), 100016U);
  const buffer again = pool.take(99000);
  EXPECT_EQ(again.data(), first);
  EXPECT_TRUE(again.sole_owner());
  EXPECT_EQ(pool.kept_bytes(), 0U);
}

TEST(buffer_pool, wastes_at_most_a_fifth_of_a_block) {
  buffer_pool pool(0);
  std::size_t last = 0;
  for (std::size_t size = 64; size < 200000; size += 1 + size / 50) {
    const buffer b = pool.take(size);
    const std::size_t capacity = b.front_room() + b.size() + b.back_room();
    EXPECT_LE(b.back_room() * 5, capacity) << size;
    EXPECT_EQ(capacity % 16, 0U);
    EXPECT_GE(capacity, last);
    EXPECT_EQ(pool.used_bytes(), capacity);
    last = capacity;
  }
}

// Messages are mostly of such sizes, and large ones are where a fifth more would hurt.
TEST(buffer_pool, wastes_nothing_of_a_power_of_two) {
  buffer_pool pool(0);
  for (std::size_t size = 64; size <= std::size_t{64} << 20; size *= 2) {
    const buffer b = pool.take(size);
    EXPECT_EQ(b.back_room(), 0U) << size;
    EXPECT_EQ(pool.used_bytes(), size + buffer::headroom);
  }
}

TEST(buffer_pool, keeps_no_more_than_it_may) {
  buffer_pool pool(1 << 20);
  std::vector<buffer> many;
  for (int i = 0; i < 100; ++i)
    many.push_back(pool.take(60000));
  EXPECT_GE(pool.used_bytes(), 100 * 60016U);
  many.clear();
  EXPECT_EQ(pool.used_bytes(), 0U);
  EXPECT_LE(pool.kept_bytes(), std::size_t{1} << 20);
  EXPECT_GT(pool.kept_bytes(), std::size_t{900} << 10);
}

TEST(buffer_pool, what_is_larger_than_it_may_keep_goes_back_to_the_system) {
  buffer_pool pool(4096);
  static_cast<void>(pool.take(5000));
  EXPECT_EQ(pool.kept_bytes(), 0U);
  buffer_pool nothing(0);
  static_cast<void>(nothing.take(1));
  EXPECT_EQ(nothing.kept_bytes(), 0U);
}

TEST(buffer_pool, larger_than_every_class) {
  buffer_pool pool(std::size_t{1} << 30);
  {
    const buffer b = pool.take(std::size_t{65} << 20);
    EXPECT_GE(pool.used_bytes(), std::size_t{65} << 20);
  }
  EXPECT_EQ(pool.used_bytes(), 0U);
  EXPECT_EQ(pool.kept_bytes(), 0U);
}

// A pool that is full of blocks of the old size must still learn the new one.
TEST(buffer_pool, blocks_of_other_sizes_give_way) {
  buffer_pool pool(1 << 20);
  {
    std::vector<buffer> old;
    for (int i = 0; i < 100; ++i)
      old.push_back(pool.take(20000));
  }
  const std::byte* first = nullptr;
  {
    const buffer b = pool.take(300000);
    first = b.data();
  }
  EXPECT_LE(pool.kept_bytes(), std::size_t{1} << 20);
  EXPECT_EQ(pool.take(300000).data(), first);
}

TEST(buffer_pool, a_size_that_cannot_be_is_bad_alloc) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  buffer_pool pool;
  EXPECT_THROW(static_cast<void>(pool.take(most)), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(pool.take(most - 15)), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(pool.take(1, most)), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(pool.take(most / 2, most / 2 + 2)), std::bad_alloc);
  EXPECT_EQ(pool.used_bytes(), 0U);
}

TEST(buffer_pool, buffers_outlive_it) {
  buffer kept;
  buffer shared;
  {
    buffer_pool pool;
    kept = pool.take(100);
    shared = pool.take(200);
    shared.share();
    fill(kept.span(), 1);
    fill(shared.span(), 2);
  }
  const buffer copy = kept;
  EXPECT_TRUE(holds(copy.view(), 1));
  EXPECT_TRUE(holds(shared.view(), 2));
}

// A frame that fans out: many threads hold it, and whoever lets go last sends it home.
TEST(buffer_pool, shared_blocks_come_home_from_other_threads) {
  buffer_pool pool;
  buffer b = pool.take(5000);
  const std::byte* first = b.data();
  fill(b.span(), 42);
  b.share();
  std::vector<std::thread> threads;
  std::atomic<int> intact{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&intact, part = b.slice(0, 5000)] {
      const buffer another = part;
      if (holds(another.view(), 42)) ++intact;
    });
  }
  b = buffer();
  for (std::thread& thread : threads)
    thread.join();
  threads.clear();
  EXPECT_EQ(intact, 4);
  {
    const buffer again = pool.take(5000);
    EXPECT_EQ(again.data(), first);
    EXPECT_TRUE(again.sole_owner());
  }
  EXPECT_EQ(pool.used_bytes(), 0U);
}

// Both counters see what came home by itself, without a take in between.
TEST(buffer_pool, counts_shared_blocks_that_came_home) {
  buffer_pool pool;
  buffer b = pool.take(5000);
  b.share();
  std::thread([mine = std::move(b)] {}).join();
  EXPECT_GE(pool.kept_bytes(), 5016U);
  EXPECT_EQ(pool.used_bytes(), 0U);
}

// The pool takes while others return, and ends before they do: no block is lost, none freed twice (ASan, TSan).
TEST(buffer_pool, ends_while_other_threads_still_return) {
  for (std::uint64_t round = 0; round < 50; ++round) {
    auto pool = std::make_unique<buffer_pool>(100000);
    std::array<std::vector<buffer>, 3> given;
    for (std::size_t i = 0; i < 300; ++i) {
      buffer b = pool->take(1 + i);
      fill(b.span(), i);
      b.share();
      given[i % 3].push_back(b);
      given[(i + 1) % 3].push_back(std::move(b));
    }
    std::vector<std::thread> threads;
    std::atomic<int> running{0};
    for (auto& mine : given) {
      threads.emplace_back([&running, mine = std::move(mine)]() mutable {
        ++running;
        while (!mine.empty())
          mine.pop_back();
      });
    }
    while (running == 0)
      std::this_thread::yield();
    for (std::size_t i = 0; i < round; ++i) {
      buffer b = pool->take(200);
      fill(b.span(), i);
    }
    pool.reset();
    for (std::thread& thread : threads)
      thread.join();
  }
}

// Any order of operations against the simplest model: a list of owned copies.
class buffer_model : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(buffer_model, random_operations) {
  struct entry {
    buffer real;
    std::vector<std::byte> model;
  };
  seeded_random random(GetParam());
  auto pool = std::make_unique<buffer_pool>(std::size_t{1} << 18);
  std::vector<entry> entries;
  for (int step = 0; step < 4000; ++step) {
    const std::size_t choice = entries.empty() ? 0 : random.below(8);
    entry* chosen = entries.empty() ? nullptr : &entries[random.below(entries.size())];
    if (choice <= 1) {
      const std::size_t size = random.below(std::size_t{1} << random.between(1, 17));
      entry made{pool->take(size, random.below(100)), random.bytes(size)};
      std::copy(made.model.begin(), made.model.end(), made.real.span().begin());
      entries.push_back(std::move(made));
    } else if (choice == 2) {
      entries.push_back({chosen->real, chosen->model});
    } else if (choice == 3) {
      const std::size_t from = random.between(0, chosen->model.size());
      const std::size_t n = random.between(0, chosen->model.size() - from);
      const auto begin = chosen->model.begin() + static_cast<std::ptrdiff_t>(from);
      entries.push_back({chosen->real.slice(from, n), {begin, begin + static_cast<std::ptrdiff_t>(n)}});
    } else if (choice == 4) {
      chosen->real.share();
    } else if (choice == 5 && chosen->real.sole_owner() && chosen->real.back_room() > 0) {
      const std::size_t n = random.between(1, chosen->real.back_room());
      const std::vector<std::byte> more = random.bytes(n);
      chosen->real.resize(chosen->model.size() + n);
      std::copy(more.begin(), more.end(), chosen->real.data() + chosen->model.size());
      chosen->model.insert(chosen->model.end(), more.begin(), more.end());
    } else {
      std::swap(*chosen, entries.back());
      entries.pop_back();
    }
    if (entries.size() > 40) entries.erase(entries.begin(), entries.begin() + 20);
    if (step % 64 == 0) {
      for (const entry& e : entries)
        ASSERT_TRUE(std::equal(e.model.begin(), e.model.end(), e.real.view().begin(), e.real.view().end())) << step;
    }
    ASSERT_LE(pool->kept_bytes(), std::size_t{1} << 18);
  }
  pool.reset();
  for (const entry& e : entries)
    EXPECT_TRUE(std::equal(e.model.begin(), e.model.end(), e.real.view().begin(), e.real.view().end()));
}

INSTANTIATE_TEST_SUITE_P(seeds, buffer_model, ::testing::Range(std::uint64_t{1}, std::uint64_t{9}));

}  // namespace
