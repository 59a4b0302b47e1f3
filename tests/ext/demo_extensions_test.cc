// The two demonstration extensions, and how they compose: golden bytes that other tests and peers rely on.
#include "../tools/hawser/demo_extensions.h"

#include "core/pipeline_kit.h"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::head_of;
using test::passed;

std::string with_crc(std::string text, std::uint32_t crc) {
  for (int shift = 24; shift >= 0; shift -= 8)
    text += static_cast<char>(crc >> shift & 0xFFU);
  return text;
}

constexpr std::uint32_t crc_of_abc = 0x352441C2;  // zlib's crc32 of "abc"
constexpr std::uint32_t crc_of_nop = 0x0F68396C;  // and of "nop"

struct demo_test : ::testing::Test {
  buffer_pool pool;
  extension_list both;
  std::unique_ptr<core::pipeline> client;
  std::unique_ptr<core::pipeline> server;

  /// Negotiates `offered` as two peers would.
  void agree(const extension_list& offered) {
    both.add(demo::rot13()).add(demo::checksum());
    std::string why;
    auto answer = core::answer_extensions(core::offer_extensions(offered, {role::client, false}), both,
                                          {role::server, false}, why);
    ASSERT_TRUE(answer) << why;
    auto confirmed = core::confirm_extensions(answer->header, offered, {role::client, false}, why);
    ASSERT_TRUE(confirmed) << why;
    server = made(std::move(answer->agreed), role::server);
    client = made(std::move(confirmed->agreed), role::client);
  }
  std::unique_ptr<core::pipeline> made(std::vector<core::agreed_extension> stages, role side) {
    auto p = std::make_unique<core::pipeline>(std::move(stages), side, pool, core::pipeline_limits{});
    p->open(test::at_time(0));
    return p;
  }
  static passed through(core::pipeline& p, direction way, std::string_view text, std::uint8_t rsv,
                        const test::cuts& how) {
    std::vector<passed> arrived;
    passed first = test::send(p, way, text, how, head_of(text, 1, rsv));
    EXPECT_TRUE(way == direction::out || first.h.rsv == 0);  // Else the connection fails at once.
    if (!first.gone) arrived.push_back(std::move(first));
    direction went{};
    while (test::carry_out(p, arrived, went)) {
    }
    return arrived.empty() ? passed{} : arrived[0];
  }
  void expect_wire(core::pipeline& from, core::pipeline& to, const std::string& wire, std::uint8_t rsv) {
    for (const std::size_t chunk : {0U, 1U, 2U, 5U}) {
      const passed sent = through(from, direction::out, "abc", 0, {.chunk = chunk});
      EXPECT_EQ(sent.bytes, wire);
      EXPECT_EQ(sent.h.rsv, rsv);
      const passed got = through(to, direction::in, sent.bytes, sent.h.rsv, {.chunk = chunk});
      EXPECT_EQ(got.bytes, "abc");
      EXPECT_EQ(got.h.rsv, 0);
    }
  }
};

TEST_F(demo_test, rot13_alone) {
  extension_list offered;
  offered.add(demo::rot13());
  agree(offered);
  expect_wire(*client, *server, "nop", 2);
  expect_wire(*server, *client, "nop", 2);
  std::string text = "AZaz09 {}[]@`\xC3\xA4";
  demo::rotate({reinterpret_cast<std::byte*>(text.data()), text.size()});
  EXPECT_EQ(text, "NMnm09 {}[]@`\xC3\xA4");
}

TEST_F(demo_test, checksum_alone) {
  extension_list offered;
  offered.add(demo::checksum());
  agree(offered);
  expect_wire(*client, *server, with_crc("abc", crc_of_abc), 1);
  expect_wire(*server, *client, with_crc("abc", crc_of_abc), 1);
  demo::crc32 check;
  check.add(as_bytes("123456789"));
  EXPECT_EQ(check.value(), 0xCBF43926U);
}

TEST_F(demo_test, rot13_then_checksum_sums_the_rotated_text_N_11) {
  extension_list offered;
  offered.add(demo::rot13()).add(demo::checksum());
  agree(offered);
  expect_wire(*client, *server, with_crc("nop", crc_of_nop), 3);
  expect_wire(*server, *client, with_crc("nop", crc_of_nop), 3);
}

TEST_F(demo_test, checksum_then_rot13_rotates_the_sum_N_11) {
  extension_list offered;
  offered.add(demo::checksum()).add(demo::rot13());
  agree(offered);
  const std::string wire = "nop5$N\xC2";  // The sum has an A in it.
  expect_wire(*client, *server, wire, 3);
  expect_wire(*server, *client, wire, 3);
}

TEST_F(demo_test, every_flipped_bit_is_found) {
  extension_list offered;
  offered.add(demo::checksum());
  agree(offered);
  const std::string wire = with_crc("abc", crc_of_abc);
  for (std::size_t bit = 0; bit < 8 * wire.size(); ++bit) {
    std::string bad = wire;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    auto p = made(
        [&] {
          std::vector<core::agreed_extension> stages;
          stages.push_back({"x-checksum", std::move(*any_factory(demo::checksum()).confirm({}))});
          return stages;
        }(),
        role::server);
    EXPECT_TRUE(through(*p, direction::in, bad, 1, {.chunk = 3}).failed);
    EXPECT_EQ(p->fail_code(), close_code::invalid_payload);
    EXPECT_EQ(p->fail_reason(), "checksum mismatch");
  }
}

}  // namespace
}  // namespace hawser
