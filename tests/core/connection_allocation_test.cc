// What a connection costs: its size, and no allocation for a message once it runs.
#include "core/connection_kit.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {
std::size_t allocations = 0;
}

// Replaced for the whole program; sanitizers have their own and are left alone.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
[[gnu::noinline]] void* operator new(std::size_t n) {
  ++allocations;
  if (void* p = std::malloc(n == 0 ? 1 : n)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
#endif

namespace hawser {
namespace {

static_assert(sizeof(core::connection) <= 144);

// Echoes through one turn without the test's own bookkeeping.
void echo_turn(core::connection& c, byte_span in) {
  c.begin_turn();
  c.receive(in, test::clock_start);
  while (c.next() != core::kind::none)
    c.send(c.current().op, c.current().payload);
  while (c.pending() > 0) {
    std::size_t n = 0;
    for (const byte_view chunk : c.output())
      n += chunk.size();
    c.sent(n);
  }
  c.end_turn();
}

TEST(connection_allocation, an_echo_allocates_nothing_in_steady_state) {
  for (const role side : test::both_roles) {
    for (const std::size_t size : {0U, 32U, 1024U, 3000U, 100'000U}) {
      SCOPED_TRACE(size);
      const test::byte_string wire =
          test::frame_writer(test::other(side)).binary(as_bytes(test::content(size))).binary({}).take();
      buffer_pool pool;
      test::seeded_source random(1);
      core::resources shared(pool, random);
      const core::settings obey;
      core::connection c(shared, obey, side, test::clock_start);
      test::byte_string area = wire;
      std::size_t before = 0;
      for (int round = 0; round < 200; ++round) {
        if (round == 100) before = allocations;
        std::copy(wire.begin(), wire.end(), area.begin());
        // Whole, and in two reads that cut the payload, or the header.
        const std::size_t cut = round % 3 == 0 ? area.size() : round % 3 == 1 ? area.size() / 2 : 1;
        echo_turn(c, byte_span(area).first(cut));
        echo_turn(c, byte_span(area).subspan(cut));
      }
      EXPECT_EQ(allocations - before, 0U);
      EXPECT_EQ(c.stats().messages_out, 400U);
    }
  }
}

}  // namespace
}  // namespace hawser
