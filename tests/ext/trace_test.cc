// x-hawser-trace: the kit, the vectors of docs/wire/trace.md, the W3C rules, and what an application sees.
#include "core/pipeline_kit.h"
#include "support/vectors.h"

#include <gtest/gtest.h>
#include <hawser/ext/trace.h>
#include <hawser/testkit/testkit.h>

#include <stdexcept>

namespace hawser {
namespace {

using ext::trace_context;
using test::head_of;
using test::passed;
using test::vector_row;

constexpr std::uint8_t mark = 2;  // RSV2
constexpr std::string_view example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

trace_context context_of(std::string_view text) {
  const std::optional<trace_context> c = trace_context::parse(text);
  EXPECT_TRUE(c) << text;
  return c.value_or(trace_context{});
}

/// As a hawser::message gives a note.
struct noted_message {
  byte_view bytes;
  byte_view note(std::string_view name) const { return name == "x-hawser-trace" ? bytes : byte_view(); }
};

struct trace_test : ::testing::Test {
  buffer_pool pool;
  std::unique_ptr<core::pipeline> p;
  core::pipeline& make(const ext::trace& e, std::uint64_t id = 0) {
    std::vector<core::agreed_extension> stages;
    stages.push_back({"x-hawser-trace", std::move(*any_factory(e).confirm({}))});
    p = std::make_unique<core::pipeline>(std::move(stages), role::server, pool, core::pipeline_limits{}, id);
    p->open(test::at_time(0));
    return *p;
  }
  /// What the application would see of a message that came in last; read before the next one.
  std::optional<trace_context> seen() const { return ext::trace::of(noted_message{p->noted().find("x-hawser-trace")}); }
};

TEST(trace_kit_test, it_passes_the_kit) {
  testkit::options how;
  how.negotiation = {
      {role::server, "x-hawser-trace", "x-hawser-trace", false},
      {role::server, "x-hawser-trace; v=1, x-hawser-trace", "x-hawser-trace", false},
      {role::server, "x-hawser-trace; level=2", "", false},
      {role::client, "x-hawser-trace; level=2", "", true},
  };
  const testkit::report quiet = testkit::run(ext::trace(), how);
  EXPECT_TRUE(quiet.passed()) << quiet.text();
  for (const vector_row& row : test::vectors_of("trace")) {
    if (row.has("receive")) continue;
    how.wire = {{row.bytes("message"), row.bytes("wire"), mark, 2}};
    const trace_context c = context_of(row.text("traceparent"));
    const testkit::report r = testkit::run(ext::trace().sent_with([c](std::uint64_t) { return c; }), how);
    EXPECT_TRUE(r.passed()) << row.text("name") << '\n' << r.text();
  }
  // Now and then a context, as in life.
  auto count = std::make_shared<int>(0);
  const trace_context c = context_of(example);
  how.wire.clear();
  const testkit::report mixed = testkit::run(
      ext::trace().sent_with([=](std::uint64_t) { return ++*count % 3 == 0 ? std::optional(c) : std::nullopt; }), how);
  EXPECT_TRUE(mixed.passed()) << mixed.text();
}

TEST_F(trace_test, the_vectors_are_sent_so) {
  for (const vector_row& row : test::vectors_of("trace")) {
    if (row.has("receive")) continue;
    for (const std::size_t chunk : {0U, 1U, 3U}) {
      const trace_context c = context_of(row.text("traceparent"));
      make(ext::trace().sent_with([c](std::uint64_t) { return c; }));
      const passed out = test::send(*p, direction::out, row.bytes("message"), {.chunk = chunk});
      EXPECT_EQ(out.bytes, row.bytes("wire")) << row.text("name");
      EXPECT_EQ(out.h.rsv, mark);
    }
  }
}

TEST_F(trace_test, the_vectors_are_received_so) {
  std::size_t failing = 0;
  for (const vector_row& row : test::vectors_of("trace")) {
    for (const std::size_t chunk : {0U, 1U, 3U, 25U, 26U, 27U}) {
      SCOPED_TRACE(row.text("name") + " in pieces of " + std::to_string(chunk));
      make(ext::trace());
      const std::string wire = row.bytes("wire");
      head h = head_of(wire, 2, mark, chunk % 2 == 0);
      passed got;
      got.failed = !p->begin(direction::in, h, test::at_time(0));
      std::optional<trace_context> context;
      std::vector<std::byte> memory(wire.size());
      std::ranges::copy(as_bytes(wire), memory.begin());
      for (std::size_t at = 0; !got.failed && !got.fin; at += chunk) {
        const std::size_t n = chunk == 0 ? wire.size() : std::min(chunk, wire.size() - at);
        p->push(direction::in, byte_span(memory).subspan(at, n), at + n == wire.size(), test::at_time(0));
        byte_span piece;
        bool fin = false;
        core::pipeline::pulled state{};
        while (!fin && (state = p->pull(direction::in, piece, fin)) == core::pipeline::pulled::piece) {
          got.bytes.append(as_text(piece));
          got.fin = fin;
          context = seen();  // It is there with the first piece, and with the last.
          EXPECT_TRUE(context);
        }
        got.failed = state == core::pipeline::pulled::failed;
      }
      EXPECT_EQ(got.failed, row.has("fails"));
      if (row.has("fails")) {
        ++failing;
        EXPECT_EQ(static_cast<unsigned>(p->fail_code()), row.number("fails"));
        continue;
      }
      EXPECT_EQ(h.rsv, 0);
      EXPECT_EQ(got.bytes, row.bytes("message"));
      EXPECT_EQ(context.value_or(trace_context{}).traceparent(), row.text("traceparent"));
    }
  }
  EXPECT_GE(failing, 5U);
}

// No context: nothing on the wire, and nobody is asked where no function is given.
TEST_F(trace_test, a_message_without_a_context_carries_none) {
  make(ext::trace());
  EXPECT_GT(p->wants().out_min_size, std::uint64_t{1} << 61);
  EXPECT_EQ(p->wants().in_opcodes, 0);
  for (const std::optional<trace_context> none : {std::optional<trace_context>(), std::optional(trace_context{})}) {
    make(ext::trace().sent_with([none](std::uint64_t) { return none; }));
    const passed out = test::send(*p, direction::out, "Hello");
    EXPECT_EQ(out.bytes, "Hello");
    EXPECT_EQ(out.h.rsv, 0);
  }
}

TEST_F(trace_test, the_function_is_told_the_connection_and_asked_once_a_message) {
  std::vector<std::uint64_t> asked;
  make(ext::trace().sent_with([&](std::uint64_t id) {
    asked.push_back(id);
    return context_of(example);
  }),
       4711);
  test::send(*p, direction::out, std::string(3000, 'x'), {.chunk = 100});
  test::send(*p, direction::out, "");
  EXPECT_EQ(asked, (std::vector<std::uint64_t>{4711, 4711}));
}

TEST_F(trace_test, a_function_that_throws_is_1011) {
  make(ext::trace().sent_with([](std::uint64_t) -> std::optional<trace_context> { throw std::runtime_error("no"); }));
  EXPECT_TRUE(test::send(*p, direction::out, "Hello").failed);
  EXPECT_EQ(p->fail_code(), close_code::internal_error);
}

// ---- the text form: W3C Trace Context, 3.2.2

TEST(traceparent, is_read_and_written) {
  const trace_context c = context_of(example);
  EXPECT_TRUE(c.sampled());
  EXPECT_EQ(c.trace_id[1], std::byte{0xf7});
  EXPECT_EQ(c.parent_id[7], std::byte{0x31});
  EXPECT_EQ(c.traceparent(), example);
  EXPECT_FALSE(context_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").sampled());
  EXPECT_FALSE(trace_context{}.valid());
}

TEST(traceparent, later_versions_are_read_as_far_as_they_are_known) {
  const std::string ids = "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-";
  EXPECT_EQ(context_of("cc" + ids + "01").traceparent(), example);
  EXPECT_EQ(context_of("cc" + ids + "01-what-the-future-brings").traceparent(), example);
  EXPECT_EQ(context_of("00" + ids + "ff").flags, 3);
  EXPECT_FALSE(trace_context::parse("cc" + ids + "01.what"));
  EXPECT_FALSE(trace_context::parse("00" + ids + "01-what"));
  EXPECT_FALSE(trace_context::parse("ff" + ids + "01"));
}

TEST(traceparent, what_is_malformed_is_refused) {
  const std::string good(example);
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_FALSE(trace_context::parse(good.substr(0, n))) << n;
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char c : {'A', 'g', ' ', '\0', '/', ':', '`', 'G'}) {
      std::string bad = good;
      bad[i] = c;
      EXPECT_FALSE(trace_context::parse(bad)) << bad;
    }
  }
  EXPECT_FALSE(trace_context::parse("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
  EXPECT_FALSE(trace_context::parse("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
}

}  // namespace
}  // namespace hawser
