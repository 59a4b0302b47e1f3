// The shipped stages in-band: they see a head and bytes, and do not know what carries them.
#include "core/connection_kit.h"
#include "support/pair.h"

#include <gtest/gtest.h>
#include <hawser/ext/checksum.h>

namespace hawser {
namespace {

using test::core_end;
using test::frame_writer;
using test::other;
using test::raw_frame;
using test::seen_message;

std::vector<core::agreed_extension> summed() {
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-hawser-checksum", std::move(*any_factory(ext::checksum()).confirm({}))});
  return stages;
}

// The example of docs/wire/inband.md.
TEST(inband_checksum, it_runs_unchanged) {
  const std::string wire = "\x11Hello\x81\xd9\x0e\x1b";
  for (const role side : test::both_roles) {
    frame_writer w(other(side));
    test::in_every_cut(
        side, w.frame(0x82, wire).frame(0x82, "\x11Hallo\x81\xd9\x0e\x1b").bytes(), {},
        [](core_end& end) { end->attach_inband(summed(), end.now); },
        [](core_end& end) {
          ASSERT_EQ(end.events.size(), 2U);
          EXPECT_EQ(end.events[0], seen_message("Hello"));
          test::expect_failed(end, errc::corrupt_data, close_code::invalid_payload);
        });
  }
  core_end end(role::server);
  end->attach_inband(summed(), end.now);
  end.turn([](core::connection& c) { c.send(opcode::text, as_bytes("Hello")); });
  EXPECT_EQ(end.sent().frames, (std::vector{raw_frame{0x82, wire}}));
}

}  // namespace
}  // namespace hawser
