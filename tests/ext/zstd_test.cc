// x-hawser-zstd: the kit, the vectors of docs/wire/zstd.md, dictionaries, limits to the byte, memory.
#include "core/pipeline_kit.h"
#include "support/pair.h"
#include "support/vectors.h"

#include <gtest/gtest.h>
#include <hawser/ext/zstd.h>
#include <hawser/testkit/testkit.h>

namespace hawser {
namespace {

using test::head_of;
using test::passed;
using test::vector_row;

constexpr std::uint8_t mark = 4;  // RSV1

const std::string words = R"({"type":"trade","symbol":"HAWSER","price":)";

ext::zstd small(std::size_t least = 1) {
  ext::zstd_options how;
  how.least = least;
  return ext::zstd(how);
}

std::vector<core::agreed_extension> alone(const ext::zstd& e) {
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-hawser-zstd", std::move(*any_factory(e).accept(e.offers()))});
  return stages;
}

// ---- in every build

TEST(zstd_build_test, without_libzstd_nothing_is_agreed) {
  if (ext::zstd::available()) {
    EXPECT_FALSE(ext::zstd().offers().empty());
    return;
  }
  EXPECT_TRUE(ext::zstd().offers().empty());
  EXPECT_FALSE(any_factory(ext::zstd()).accept({{}}));
  EXPECT_FALSE(any_factory(ext::zstd()).confirm({{"window", "18"}}));
}

struct zstd_test : ::testing::Test {
  void SetUp() override {
    if (!ext::zstd::available()) GTEST_SKIP() << "this build has no libzstd";
  }
  buffer_pool pool;
  core::pipeline_limits limits;
  std::unique_ptr<core::pipeline> p;

  core::pipeline& make(const ext::zstd& e = small()) {
    p = std::make_unique<core::pipeline>(alone(e), role::server, pool, limits);
    p->open(test::at_time(0));
    return *p;
  }
  std::string out(std::string_view text, const test::cuts& how = {}, bool sized = true) {
    const passed went = test::send(*p, direction::out, text, how, head_of(text, 2, 0, sized));
    EXPECT_FALSE(went.failed) << p->fail_reason();
    EXPECT_EQ(went.h.rsv, mark);
    return went.bytes;
  }
  passed in(std::string_view wire, const test::cuts& how = {}) {
    return test::send(*p, direction::in, wire, how, head_of(wire, 2, mark));
  }
};

std::string content(std::size_t size, std::uint64_t seed) {
  test::seeded_random random(seed);
  std::string text;
  while (text.size() < size)
    text += words + std::to_string(random.below(100000)) + "}";
  text.resize(size);
  return text;
}

TEST_F(zstd_test, it_passes_the_kit) {
  testkit::options how;
  const std::string own = "x-hawser-zstd; window=18";
  how.negotiation = {
      {role::server, own, own, false},
      {role::server, "x-hawser-zstd", own, false},
      {role::server, "x-hawser-zstd; window=12", "x-hawser-zstd; window=12", false},
      {role::server, "x-hawser-zstd; window=23", own, false},
      {role::server, "x-hawser-zstd; window=18; dictionary=7, x-hawser-zstd; window=17", "x-hawser-zstd; window=17",
       false},
      {role::server, "x-hawser-zstd; dictionary=7", "", false},
      {role::client, "x-hawser-zstd; window=10", "", false},
      {role::client, "x-hawser-zstd; window=19", "", true},
      {role::client, "x-hawser-zstd; window=18; dictionary=7", "", true},
      {role::client, "x-hawser-zstd", "", true},
  };
  for (const char* bad : {"window=9", "window=24", "window=018", "window", "dictionary=0", "dictionary=4294967296",
                          "dictionary", "level=3", "window=18; window=18"}) {
    how.negotiation.push_back({role::server, std::string("x-hawser-zstd; ") + bad, "", false});
    how.negotiation.push_back({role::client, std::string("x-hawser-zstd; ") + bad, "", true});
  }
  const testkit::report r = testkit::run(small(), how);
  EXPECT_TRUE(r.passed()) << r.text();
  const testkit::report with = testkit::run(ext::zstd().dictionary(as_bytes(words)));
  EXPECT_TRUE(with.passed()) << with.text();
}

TEST_F(zstd_test, the_vectors_in_every_cut) {
  std::size_t failing = 0;
  for (const vector_row& row : test::vectors_of("zstd")) {
    ext::zstd e = small();
    if (row.has("dictionary")) {
      e = e.dictionary(as_bytes(row.bytes("dictionary")));
      EXPECT_EQ(e.dictionary_id(), row.number("id"));
    }
    for (const std::size_t chunk : {0U, 1U, 2U, 5U, 9U}) {
      SCOPED_TRACE(row.text("name") + " in pieces of " + std::to_string(chunk));
      make(e);
      const passed got = in(row.bytes("wire"), {.chunk = chunk, .stash = true});
      EXPECT_EQ(got.failed, row.has("fails")) << p->fail_reason();
      if (row.has("fails")) {
        ++failing;
        EXPECT_EQ(static_cast<unsigned>(p->fail_code()), row.number("fails"));
      } else {
        EXPECT_EQ(got.bytes, row.bytes("message"));
        EXPECT_TRUE(got.fin);
      }
      p->closed(close_code::normal, test::at_time(1));
      EXPECT_EQ(p->charged(), 0U);
    }
  }
  EXPECT_GE(failing, 50U);
}

TEST_F(zstd_test, there_and_back_in_every_cut) {
  for (const std::size_t size : {1U, 63U, 1000U, 20'000U, 300'000U}) {
    for (const int level : {1, 3, 19}) {
      ext::zstd_options how;
      how.level = level;
      how.least = 1;
      limits.max_message_in = size;
      make(ext::zstd(how));
      const std::string text = content(size, size);
      for (const std::size_t chunk : {std::size_t{0}, std::size_t{1} + size / 7}) {
        const std::string wire = out(text, {.chunk = chunk}, chunk == 0);
        if (size >= 1000) {
          EXPECT_LT(wire.size(), size / 3);
        }
        const passed got = in(wire, {.chunk = chunk});
        EXPECT_EQ(got.bytes, text);
        EXPECT_FALSE(got.failed) << p->fail_reason();
      }
    }
  }
}

// Short ones, and those whose sender wants it so, go as they are.
TEST_F(zstd_test, what_is_not_compressed_is_not_marked) {
  make(small(64));
  const std::string text(64, 'x');
  EXPECT_FALSE(test::send(*p, direction::out, text.substr(1)).h.rsv);
  EXPECT_EQ(test::send(*p, direction::out, text).h.rsv, mark);
  head h = head_of(text);
  h.flags = head_flag::no_compression;
  const passed plain = test::send(*p, direction::out, text, {}, h);
  EXPECT_EQ(plain.h.rsv, 0);
  EXPECT_EQ(plain.bytes, text);
}

// P-22: a bomb ends at the limit, with no byte more delivered.
TEST_F(zstd_test, the_limit_is_exact) {
  const std::string text(100'000, 'b');
  make();
  const std::string wire = out(text);
  EXPECT_LT(wire.size(), 100U);
  for (const std::size_t chunk : {0U, 1U}) {
    limits.max_message_in = text.size();
    make();
    EXPECT_EQ(in(wire, {.chunk = chunk}).bytes.size(), text.size());
    EXPECT_FALSE(p->failed());
    limits.max_message_in = text.size() - 1;
    make();
    const passed got = in(wire, {.chunk = chunk});
    EXPECT_TRUE(got.failed);
    EXPECT_EQ(p->fail_code(), close_code::message_too_big);
    EXPECT_LT(got.bytes.size(), text.size());
  }
}

TEST_F(zstd_test, what_is_wrong_with_a_frame_is_said) {
  using namespace std::string_view_literals;
  make();
  EXPECT_TRUE(in("\x28\xb5\x2f\xfd\x00\x48\x29\x00\x00Hello"sv).failed);
  EXPECT_EQ(p->fail_reason(), "the Zstandard frame needs a larger window than was agreed");
  make();
  EXPECT_TRUE(in("Hello").failed);
  EXPECT_EQ(p->fail_reason(), "the message is no Zstandard frame");
}

// ---- dictionaries

TEST_F(zstd_test, a_dictionary_makes_short_messages_shorter) {
  const std::string text = words + "17}";
  make();
  const std::size_t without = out(text).size();
  make(small().dictionary(as_bytes(words)));
  const std::string with = out(text);
  EXPECT_LT(2 * with.size(), without);
  EXPECT_EQ(in(with).bytes, text);
  make(small().dictionary(as_bytes(words + "other")));
  EXPECT_TRUE(in(with).failed || in(with).bytes != text);
}

TEST_F(zstd_test, ends_with_other_dictionaries_agree_on_none) {
  const ext::zstd a = small().dictionary(as_bytes(words));
  const ext::zstd b = small().dictionary(as_bytes("another one"));
  ASSERT_EQ(a.offers().size(), 2U);
  EXPECT_NE(a.dictionary_id(), b.dictionary_id());
  const auto agreed = any_factory(b).accept(a.offers());
  ASSERT_TRUE(agreed);
  EXPECT_EQ(agreed->response, (params{{"window", "18"}}));
  const auto same = any_factory(a).accept(a.offers());
  ASSERT_TRUE(same);
  EXPECT_EQ(same->response, a.offers()[0]);
  EXPECT_TRUE(any_factory(a).confirm(same->response));
  EXPECT_TRUE(any_factory(a).confirm(agreed->response));
  EXPECT_FALSE(any_factory(b).confirm(same->response));
}

TEST_F(zstd_test, what_is_no_dictionary_is_none) {
  EXPECT_EQ(small().dictionary({}).dictionary_id(), 0U);
  EXPECT_EQ(small().dictionary(as_bytes(std::string_view("\x37\xA4\x30\xEC\1\0\0\0broken", 14))).dictionary_id(), 0U);
  EXPECT_EQ(small().dictionary({}).offers().size(), 1U);
}

// ---- memory

// A connection that waits has none; one that has too little fails, with 1008.
TEST_F(zstd_test, memory_is_charged_while_a_message_is_on_its_way) {
  const std::string text = content(50'000, 1);
  make();
  EXPECT_EQ(p->charged(), 0U);
  const std::string wire = out(text);
  EXPECT_EQ(p->charged(), 0U);
  head h = head_of(wire, 2, mark);
  ASSERT_TRUE(p->begin(direction::in, h, test::at_time(0)));
  passed got;
  std::vector<std::byte> half(as_bytes(wire).begin(),
                              as_bytes(wire).begin() + static_cast<std::ptrdiff_t>(wire.size() / 2));
  p->push(direction::in, half, false, test::at_time(0));
  test::pull_all(*p, direction::in, got);
  EXPECT_GT(p->charged(), 50'000U);
  EXPECT_LT(p->charged(), std::size_t{1} << 20);
  p->closed(close_code::abnormal, test::at_time(1));
  EXPECT_EQ(p->charged(), 0U);
  limits.memory = 50'000;
  make();
  EXPECT_TRUE(in(wire).failed);
  EXPECT_EQ(p->fail_code(), close_code::policy_violation);
}

// Both directions at once, messages in parts, every cut of the wire.
TEST_F(zstd_test, two_cores_in_every_cut) {
  const std::string text = content(9000, 3);
  test::in_every_pair({}, [&](test::core_pair& ends) {
    for (test::core_end* end : {&ends.client, &ends.server})
      (*end)->attach(alone(small().dictionary(as_bytes(words))), test::clock_start);
    for (test::core_end* end : {&ends.client, &ends.server})
      end->turn([](core::connection& c) { EXPECT_EQ(c.begin_message(opcode::text), errc::ok); });
    for (std::size_t at = 0; at < text.size(); at += 3000) {
      for (test::core_end* end : {&ends.client, &ends.server})
        end->turn([&](core::connection& c) {
          EXPECT_EQ(c.send_part(as_bytes(text).subspan(at, 3000), at == 6000), errc::ok);
        });
      ends.run();
    }
    EXPECT_EQ(ends.server.events, std::vector<test::seen_event>{test::seen_message(text)});
    EXPECT_EQ(ends.client.events, std::vector<test::seen_event>{test::seen_message(text)});
    EXPECT_LT(ends.client_wire.size(), text.size() / 2);
  });
}

}  // namespace
}  // namespace hawser
