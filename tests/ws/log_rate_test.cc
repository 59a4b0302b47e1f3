// The log is written to at most ten times a second for each level: no peer can fill a disk with it.

#include "support/manual_clock.h"
#include "ws/running_server.h"
#include "ws/worker.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hawser::test {
namespace {

struct logging_worker {
  lines log;
  manual_clock clock;
  std::unique_ptr<net::loop> loop = make();
  worker work{*loop};

  std::unique_ptr<net::loop> make() {
    net::loop_options options;
    options.log = &log;
    options.clock = &clock;
    return net::loop::create(options).value();
  }
  void later(ticks by) {
    clock.advance(by);
    loop->refresh_now();
  }
};

TEST(log_rate, ten_lines_of_a_level_a_second_and_then_how_many_were_left_out) {
  logging_worker w;
  for (int i = 0; i < 25; ++i)
    w.work.log(log_level::info, "a peer did it");
  EXPECT_EQ(w.log.kept.lines(), std::vector<std::string>(10, "1 a peer did it"));
  w.work.log(log_level::error, "something else");
  EXPECT_EQ(w.log.kept.lines().size(), 11U) << "each level has its own";
  w.later(std::chrono::seconds(1));
  w.work.log(log_level::info, "again");
  const std::vector<std::string> all = w.log.kept.lines();
  ASSERT_EQ(all.size(), 13U);
  EXPECT_EQ(all[11], "1 15 more lines were left out before this one");
  EXPECT_EQ(all[12], "1 again");
  w.later(std::chrono::seconds(5));
  w.work.log(log_level::info, "and again");
  EXPECT_EQ(w.log.kept.lines().size(), 14U) << "said once";
}

}  // namespace
}  // namespace hawser::test
