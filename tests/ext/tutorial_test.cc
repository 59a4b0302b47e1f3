// docs/tutorial.md, from its first step to its last: what stands there is compiled here, and does what is said of it.
#include "../examples/tutorial/runs.h"
#include "core/pipeline_kit.h"
#include "support/pair.h"

#include <gtest/gtest.h>
#include <hawser/ext/checksum.h>
#include <hawser/testkit/testkit.h>

#include <string>
#include <vector>

using namespace std::string_literals;

// ---- step 1: nothing

struct nothing_stage {
  static constexpr unsigned hooks = hawser::hook::none;

  hawser::verdict begin(hawser::direction, hawser::head&, hawser::context&) { return hawser::verdict::bypass; }
};

struct nothing {
  static std::string_view name() { return "x-nothing"; }
  static std::vector<hawser::params> offers() { return {{}}; }
  static std::optional<hawser::accepted<nothing_stage>> confirm(const hawser::params& terms) {
    if (!terms.empty()) return std::nullopt;
    return hawser::accepted<nothing_stage>{{}, hawser::claims{}, {}};
  }
};

TEST(tutorial, nothing_passes_the_kit) {
  const hawser::testkit::report r = hawser::testkit::run(nothing());
  EXPECT_TRUE(r.passed()) << r.text();
}

// ---- step 5: the kit

TEST(tutorial, runs_pass_the_kit) {
  hawser::testkit::options how;
  how.negotiation = {
      {hawser::role::server, "x-runs; byte=32", "x-runs; byte=32", false},
      {hawser::role::server, "x-runs; byte=\"32\"", "x-runs; byte=32", false},  // N-02
      {hawser::role::server, "x-runs; byte=999, x-runs; byte=1", "x-runs; byte=1", false},
      {hawser::role::server, "x-runs; byte=032", "", false},
      {hawser::role::server, "x-runs", "", false},
      {hawser::role::client, "x-runs; byte=1; byte=1", "", true},
  };
  how.wire = {
      {"frame:\0\0\0\0\0\0\0\0\0\0.end"s, "frame:\0\x0A.end"s, tutorial::mark},
      {std::string(300, '\0'), "\0\xFF\0\x2D"s, tutorial::mark},
  };
  how.message = [](std::uint64_t random) { return std::string(random % 700, '\0') + std::string(random % 7, 'x'); };
  const hawser::testkit::report r = hawser::testkit::run(tutorial::runs(), how);
  EXPECT_TRUE(r.passed()) << r.text();
}

TEST(tutorial, runs_pass_the_kit_with_its_own_messages_and_another_byte) {
  const hawser::testkit::report r = hawser::testkit::run(tutorial::runs('a'));
  EXPECT_TRUE(r.passed()) << r.text();
}

namespace hawser {
namespace {

core::agreed_extension agreed(const any_factory& f) {
  return {std::string(f.name()), std::move(*f.confirm(f.offers().front()))};
}

std::vector<core::agreed_extension> stages_of(const std::vector<any_factory>& order) {
  std::vector<core::agreed_extension> stages;
  for (const any_factory& f : order)
    stages.push_back(agreed(f));
  return stages;
}

// ---- what is not what was sent

TEST(tutorial, a_wrong_run_is_1007) {
  for (const std::string& wire : {"abc\0"s, "abc\0\0def"s, "\0\x05\0"s}) {
    for (const std::size_t chunk : {0U, 1U, 2U}) {
      buffer_pool pool;
      core::pipeline p(stages_of({tutorial::runs()}), role::server, pool, {});
      p.open(test::at_time(0));
      EXPECT_TRUE(test::send(p, direction::in, wire, {.chunk = chunk}, test::head_of(wire, 2, tutorial::mark)).failed);
      EXPECT_EQ(p.fail_code(), close_code::invalid_payload);
      EXPECT_EQ(p.breaches(), 0U);
    }
  }
}

// 8 KiB of the wire say a mebibyte: it stops at the byte behind the limit.
TEST(tutorial, a_bomb_stops_at_the_limit_P_22) {
  std::string bomb;
  for (int i = 0; i < 4112; ++i)
    bomb += "\0\xFF"s;
  core::settings obey;
  obey.bounds.max_message = 100000;
  test::core_end server(role::server, obey);
  server->attach(stages_of({tutorial::runs()}), test::clock_start);
  test::frame_writer client(role::client);
  server.receive(client.frame(0xA2, bomb).bytes());
  ASSERT_EQ(server.events.size(), 1U);
  EXPECT_EQ(server.events[0].code, close_code::message_too_big);
}

// ---- step 6: beside another

TEST(tutorial, the_order_of_the_answer_is_the_order_of_work_N_11) {
  const std::string frame = "0123456789"s + std::string(10, '\0');
  const std::string written = "0123456789\0\x0A"s;
  struct row {
    std::vector<any_factory> order;
    std::string wire;
  };
  // The sum of the frame, and the sum of what is written.
  const std::vector<row> rows{{{ext::checksum(), tutorial::runs()}, written + "\xC1\x8E\xB2\x6A"},
                              {{tutorial::runs(), ext::checksum()}, written + "\x8C\xFF\x09\xFC"}};
  for (const row& r : rows) {
    test::in_every_pair({}, [&](test::core_pair& ends) {
      ends.client->attach(stages_of(r.order), test::clock_start);
      ends.server->attach(stages_of(r.order), test::clock_start);
      ends.server.turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::binary, as_bytes(frame)), errc::ok); });
      ends.run();
      EXPECT_EQ(as_text(byte_view(ends.server_wire).subspan(2)), r.wire);
      EXPECT_EQ(std::to_integer<unsigned>(ends.server_wire[0]), 0xB2U);  // FIN, RSV2, RSV3, binary
      ends.client.turn([&](core::connection& c) { EXPECT_EQ(c.send(opcode::binary, as_bytes(frame)), errc::ok); });
      ends.run();
      ASSERT_EQ(ends.client.events.size(), 1U);
      EXPECT_EQ(ends.client.events[0].payload, frame);
      ASSERT_EQ(ends.server.events.size(), 1U);
      EXPECT_EQ(ends.server.events[0].payload, frame);
    });
  }
}

}  // namespace
}  // namespace hawser
