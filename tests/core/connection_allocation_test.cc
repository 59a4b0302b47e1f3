// What a connection costs: its size, and no allocation for a message once it runs. What happens when there is no
// memory.
#include "core/connection_kit.h"
#include "core/pipeline_kit.h"
#include "core/scripted_stage.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {
std::size_t allocations = 0;
}  // namespace

// Replaced for the whole program; sanitizers have their own and are left alone.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define ALLOCATIONS_ARE_OURS
namespace {
bool no_memory = false;
}  // namespace
[[gnu::noinline]] void* operator new(std::size_t n) {
  ++allocations;
  if (no_memory) throw std::bad_alloc();
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

#if defined(ALLOCATIONS_ARE_OURS)
/// While it lives nothing can be allocated.
struct famine {
  famine() { no_memory = true; }
  ~famine() { no_memory = false; }
  famine(const famine&) = delete;
  famine& operator=(const famine&) = delete;
};

using no_memory_test = test::scripted_test;

TEST_F(no_memory_test, a_forward_without_memory_is_1011_and_nothing_was_taken) {
  bool taken = true;
  a->open = [&](context& c) {
    buffer body = c.take_buffer(3);
    const famine none;
    taken = c.forward(direction::out, test::head_of("own"), std::move(body));
  };
  make();
  EXPECT_FALSE(taken);
  EXPECT_TRUE(p->failed());
  EXPECT_EQ(p->fail_code(), close_code::internal_error);
  EXPECT_EQ(p->fail_error(), errc::out_of_resources);
  EXPECT_EQ(p->fail_extension(), "x-a");
  EXPECT_EQ(p->breaches(), 0U);
  p->closed(close_code::internal_error, test::at_time(2));
  EXPECT_EQ(pool.used_bytes(), 0U);
}

TEST_F(no_memory_test, a_control_frame_without_memory_is_1011) {
  uses.opcodes = 1U << 11;
  bool taken = true;
  a->open = [&](context& c) {
    const famine none;
    taken = c.emit_control(11, as_bytes("acknowledged"));
  };
  make();
  EXPECT_FALSE(taken);
  EXPECT_EQ(p->fail_code(), close_code::internal_error);
  EXPECT_EQ(p->fail_error(), errc::out_of_resources);
  EXPECT_FALSE(p->has_work());
}

TEST_F(no_memory_test, a_stage_can_fail_the_connection_without_memory) {
  const std::string why(200, 'w');
  a->open = [&](context& c) {
    const famine none;
    c.fail(close_code::invalid_payload, why);
  };
  make();
  EXPECT_EQ(p->fail_code(), close_code::invalid_payload);
  EXPECT_EQ(p->fail_reason(), why.substr(0, 123));
}

TEST_F(no_memory_test, a_breach_without_memory_is_1011) {
  const std::vector<std::function<void(context&)>> breaches = {
      [](context& c) { c.charge(-1); },
      [](context& c) { c.fail(close_code::mandatory_extension, "not for stages"); },
      [](context& c) { c.emit_control(11, {}); },
      [](context& c) { static_cast<void>(c.forward(direction::out, test::head_of("x", 9), {})); },
  };
  for (const auto& one : breaches) {
    a->open = [&](context& c) {
      const famine none;
      one(c);
    };
    make();
    EXPECT_TRUE(p->failed());
    EXPECT_EQ(p->fail_code(), close_code::internal_error);
  }
}

TEST_F(no_memory_test, a_hook_that_throws_for_lack_of_memory_is_1011) {
  a->open = [&](context& c) {
    const famine none;
    c.take_buffer(100'000).resize(0);
  };
  make();
  EXPECT_EQ(p->fail_code(), close_code::internal_error);
  EXPECT_EQ(p->breaches(), 1U);
}

struct hears_the_end {
  static constexpr unsigned hooks = hook::in_place | hook::closed;
  int* ended;
  bool operator==(const hears_the_end& o) const noexcept { return ended == o.ended; }
  static verdict begin(direction, head&, context&) { return verdict::in_place; }
  void in_place(direction, byte_span, bool, context&) const {}
  void closed(close_code, context&) const { ++*ended; }
};

// Connections that wait have no stages of their own. Their end needs none either, where there is no memory for them.
TEST(no_memory, connections_that_share_stages_end_without) {
  buffer_pool pool;
  test::seeded_source random(1);
  core::resources shared(pool, random);
  const core::settings obey;
  int ended = 0;
  claims uses;
  uses.idle_state = false;
  const auto attach = [&](core::connection& c) {
    c.attach(test::stage_list().add("x-end", uses, hears_the_end{&ended}).take(), test::clock_start);
    c.begin_turn();
    c.end_turn();
  };
  core::connection busy(shared, obey, role::client, test::clock_start);
  core::connection waits(shared, obey, role::client, test::clock_start);
  core::connection waits_too(shared, obey, role::client, test::clock_start);
  for (core::connection* c : {&busy, &waits, &waits_too})
    attach(*c);
  ASSERT_EQ(busy.begin_message(opcode::binary), errc::ok);  // Borrows the one that was ready.
  {
    const famine none;
    waits.end_of_input(test::clock_start);
    EXPECT_EQ(waits.next(), core::kind::closed);
  }
  EXPECT_EQ(ended, 0);
  waits_too.end_of_input(test::clock_start);
  EXPECT_EQ(waits_too.next(), core::kind::closed);
  EXPECT_EQ(ended, 1);
}
#endif

}  // namespace
}  // namespace hawser
