// Depth 1: two functions on whole messages become an extension.
#include "core/pipeline_kit.h"

#include <gtest/gtest.h>
#include <hawser/ext/message_extension.h>

#include <stdexcept>

namespace hawser {
namespace {

using ext::byte_sink;
using ext::message_extension;
using test::head_of;
using test::passed;

void flip(byte_span message) {
  for (std::byte& b : message)
    b ^= std::byte{1};
}

/// "aaab" <-> "3a1b".
bool pack(byte_view in, byte_sink& out) {
  if (in.size() > 3 && in[0] == std::byte{'#'}) return false;
  for (std::size_t i = 0; i < in.size();) {
    std::size_t n = 1;
    while (n < 9 && i + n < in.size() && in[i + n] == in[i])
      ++n;
    if (!out.append(static_cast<std::byte>('0' + n)) || !out.append(in[i])) return false;
    i += n;
  }
  return true;
}
bool unpack(byte_view in, byte_sink& out) {
  if (in.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < in.size(); i += 2) {
    const int n = std::to_integer<int>(in[i]) - '0';
    if (n < 1 || n > 9) return false;
    for (int k = 0; k < n; ++k)
      if (!out.append(in[i + 1])) return false;
  }
  return true;
}

struct message_extension_test : ::testing::Test {
  buffer_pool pool;
  core::pipeline_limits limits;
  std::unique_ptr<core::pipeline> p;

  core::pipeline& make(const message_extension& e) {
    auto terms = any_factory(e).accept({{}});
    EXPECT_TRUE(terms);
    std::vector<core::agreed_extension> stages;
    stages.push_back({std::string(e.name()), std::move(*terms)});
    std::string why;
    EXPECT_TRUE(core::compose(stages, {}, why)) << why;
    p = std::make_unique<core::pipeline>(std::move(stages), role::server, pool, limits);
    p->open(test::at_time(0));
    return *p;
  }
  passed out(std::string_view text, const test::cuts& how = {}) {
    return test::send_all(*p, direction::out, text, how).at(0);
  }
  passed in(std::string_view text, std::uint8_t rsv, const test::cuts& how = {}) {
    std::vector<passed> arrived;
    passed first = test::send(*p, direction::in, text, how, head_of(text, 2, rsv));
    if (!first.gone) arrived.push_back(std::move(first));
    direction way{};
    while (test::carry_out(*p, arrived, way)) {
    }
    return arrived.at(0);
  }
};

TEST_F(message_extension_test, it_is_negotiated_by_name_without_parameters_N_13) {
  const message_extension e = message_extension("x-flip", rsv::one).encode(flip).decode(flip);
  const any_factory f = e;
  EXPECT_EQ(f.name(), "x-flip");
  EXPECT_EQ(f.offers(), std::vector<params>{params{}});
  EXPECT_FALSE(f.accept({{{"a", "1"}}}));
  EXPECT_TRUE(f.accept({{{"a", "1"}}, {}}));
  EXPECT_TRUE(f.accept({{{"a", "1"}}, {}})->response.empty());
  EXPECT_FALSE(f.confirm({{"a", std::nullopt}}));
  ASSERT_TRUE(f.confirm({}));
  EXPECT_EQ(f.confirm({})->uses.rsv, 4);
  EXPECT_TRUE(f.confirm({})->uses.in_needs_rsv);
}

TEST_F(message_extension_test, functions_in_place_change_whole_messages) {
  make(message_extension("x-flip", rsv::two).encode(flip).decode(flip));
  for (const std::size_t chunk : {0U, 1U, 3U}) {
    const passed sent = out("abcde", {.chunk = chunk});
    EXPECT_EQ(sent.bytes, "`cbed");
    EXPECT_EQ(sent.h.rsv, 2);
    EXPECT_EQ(sent.h.size, 5U);
    const passed got = in(sent.bytes, sent.h.rsv, {.chunk = chunk});
    EXPECT_EQ(got.bytes, "abcde");
    EXPECT_EQ(got.h.rsv, 0);
  }
  EXPECT_EQ(out("").bytes, "");
}

TEST_F(message_extension_test, a_message_without_the_bit_passes_as_it_is) {
  make(message_extension("x-flip", rsv::two).encode(flip).decode(flip));
  EXPECT_EQ(in("abc", 0).bytes, "abc");
}

TEST_F(message_extension_test, functions_may_change_the_size) {
  make(message_extension("x-pack", rsv::three).encode(pack).decode(unpack));
  const passed sent = out("aaaab", {.chunk = 2});
  EXPECT_EQ(sent.bytes, "4a1b");
  EXPECT_EQ(sent.h.rsv, 1);
  EXPECT_EQ(in("4a1b", 1, {.chunk = 1}).bytes, "aaaab");
  EXPECT_EQ(in("", 1).bytes, "");
  EXPECT_TRUE(in("", 1).fin);
}

TEST_F(message_extension_test, an_encoder_may_leave_a_message_as_it_is_and_then_its_bit_is_not_set) {
  make(message_extension("x-pack", rsv::three).encode(pack).decode(unpack));
  const passed sent = out("#aaaa");
  EXPECT_EQ(sent.bytes, "#aaaa");
  EXPECT_EQ(sent.h.rsv, 0);
}

TEST_F(message_extension_test, corrupt_data_is_1007) {
  make(message_extension("x-pack", rsv::three).encode(pack).decode(unpack));
  EXPECT_TRUE(test::send(*p, direction::in, "4a1", {}, head_of("4a1", 2, 1)).failed);
  EXPECT_EQ(p->fail_code(), close_code::invalid_payload);
  EXPECT_EQ(p->fail_error(), errc::corrupt_data);

  const auto never = [](byte_span) { return false; };
  make(message_extension("x-never", rsv::three).encode(flip).decode(never));
  EXPECT_TRUE(test::send(*p, direction::in, "abc", {}, head_of("abc", 2, 1)).failed);
  EXPECT_EQ(p->fail_code(), close_code::invalid_payload);
}

TEST_F(message_extension_test, the_limit_is_exact_P_22) {
  limits.max_message_in = 18;
  make(message_extension("x-pack", rsv::three).encode(pack).decode(unpack));
  EXPECT_EQ(in("9a9b", 1).bytes.size(), 18U);
  EXPECT_TRUE(test::send(*p, direction::in, "9a9b1c", {}, head_of("9a9b1c", 2, 1)).failed);
  EXPECT_EQ(p->fail_code(), close_code::message_too_big);
  EXPECT_EQ(p->fail_extension(), "x-pack");
}

TEST_F(message_extension_test, an_encoder_may_add_what_it_says_and_no_byte_more) {
  const auto tail = [](std::size_t bytes) {
    return [bytes](byte_view m, byte_sink& to) { return to.append(m) && to.append(as_bytes(std::string(bytes, '!'))); };
  };
  make(message_extension("x-tail", rsv::three).encode(tail(2)).adds(2));
  EXPECT_EQ(out("abc").bytes, "abc!!");
  make(message_extension("x-tail", rsv::three).encode(tail(3)).adds(2));
  EXPECT_TRUE(test::send(*p, direction::out, "abc").failed);
  EXPECT_EQ(p->fail_code(), close_code::internal_error);
  EXPECT_EQ(p->last_breach(),
            "x-tail: its encode makes more than 5 bytes of 3: say what it adds by message_extension::adds");

  limits.max_message_out = 4;  // The limit comes first where it is the lower.
  make(message_extension("x-tail", rsv::three).encode(tail(2)).adds(2));
  EXPECT_TRUE(test::send(*p, direction::out, "abc").failed);
  EXPECT_EQ(p->fail_code(), close_code::message_too_big);
}

// The bytes are refused one by one, so that a loop which asks whether they were taken ends.
TEST_F(message_extension_test, an_encoder_that_never_ends_by_itself_is_1011) {
  const message_extension endless = message_extension("x-endless").encode([](byte_view, byte_sink& to) {
    while (to.append(std::byte{'a'})) {
    }
    return true;
  });
  EXPECT_EQ(any_factory(endless).confirm({})->uses.adds_max, claims::grows);
  make(endless);
  EXPECT_TRUE(test::send(*p, direction::out, "abc").failed);
  EXPECT_EQ(p->fail_code(), close_code::internal_error);
  EXPECT_LE(pool.kept_bytes(), std::size_t{512} << 10);
}

TEST_F(message_extension_test, a_throw_is_1011) {
  make(message_extension("x-throws", rsv::one).encode([](byte_span) { throw std::runtime_error("boom"); }));
  EXPECT_TRUE(test::send(*p, direction::out, "abc").failed);
  EXPECT_EQ(p->fail_code(), close_code::internal_error);
  EXPECT_EQ(p->fail_error(), errc::extension_threw);
}

TEST_F(message_extension_test, one_function_alone_serves_one_direction) {
  make(message_extension("x-out", rsv::one).encode(flip));
  EXPECT_EQ(out("abc").bytes, "`cb");
  const passed got = in("abc", 4);
  EXPECT_EQ(got.h.rsv, 4);  // Left for the connection, which fails with 1002 (F-01): nobody can decode it.
}

TEST_F(message_extension_test, without_a_bit_every_message_is_meant) {
  make(message_extension("x-pack").encode(pack).decode(unpack));
  EXPECT_EQ(out("aab").bytes, "2a1b");
  EXPECT_EQ(in("2a1b", 0).bytes, "aab");
  EXPECT_TRUE(test::send(*p, direction::out, "#aaaa").failed);
  EXPECT_EQ(p->fail_code(), close_code::internal_error);
}

TEST_F(message_extension_test, a_message_that_others_keep_is_not_changed_for_them) {
  make(message_extension("x-flip", rsv::two).encode(flip).decode(flip));
  buffer body = pool.take(3);
  std::ranges::copy(as_bytes("abc"), body.data());
  const buffer kept = body;
  head h = head_of("abc");
  ASSERT_TRUE(p->begin(direction::out, h, test::at_time(0)));
  p->push_owned(direction::out, std::move(body), test::at_time(0));
  std::vector<passed> arrived(1);
  test::pull_all(*p, direction::out, arrived[0]);
  direction way{};
  ASSERT_TRUE(test::carry_out(*p, arrived, way));
  EXPECT_EQ(arrived[1].bytes, "`cb");
  EXPECT_EQ(as_text(kept.view()), "abc");
}

TEST_F(message_extension_test, the_functions_live_as_long_as_a_stage) {
  auto word = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = word;
  make(message_extension("x-flip", rsv::two).encode([word](byte_span m) { flip(m); }));
  word = nullptr;
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(out("abc").bytes, "`cb");
  p = nullptr;
  EXPECT_TRUE(alive.expired());
}

}  // namespace
}  // namespace hawser
