// The code of docs/timings.md, run.

#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/hawser.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <string>

namespace hawser::test {
namespace {

TEST(timings_page, says_how_long_it_took_to_connect) {
  running_server it;
  it->route("/").on_connect([](hawser::connection c, const hawser::handshake&) { static_cast<void>(c.send("hello")); });
  it.start();
  const std::string url = it.url();
  hawser::ticks connected_in{};
  hawser::ticks out_of_reach_for{};
  std::promise<void> told;

  hawser::client_options options;
  options.timings = true;
  hawser::client ws(url, options);
  ws.on_connect([&](hawser::connection c, const hawser::handshake&) {
    const hawser::timings t = c.timings().value();
    if (t.connect.total()) connected_in = *t.connect.total();
    if (t.error.total()) out_of_reach_for = *t.error.total();
  });
  ws.on_message([&](hawser::connection, const hawser::message&) { told.set_value(); });

  ASSERT_TRUE(ws.start());
  ASSERT_EQ(told.get_future().wait_for(std::chrono::milliseconds(patience_ms)), std::future_status::ready);
  ASSERT_TRUE(ws.stop());
  EXPECT_GT(connected_in, hawser::ticks{});
  EXPECT_EQ(out_of_reach_for, hawser::ticks{});
}

TEST(timings_page, says_how_to_serve_and_read_metrics) {
  hawser::server_options options;
  options.timings = true;
  hawser::server server(options);
  server.metrics_page("/metrics");

  ASSERT_TRUE(server.listen("127.0.0.1", 0));

  const hawser::metrics m = server.metrics().value();
  const std::uint64_t lost = m.closed[static_cast<std::size_t>(hawser::fault::transport)];
  const hawser::ticks slow = m.times->receive.confirm.quantile(0.99);

  EXPECT_EQ(lost, 0U);
  EXPECT_EQ(slow, hawser::ticks{});
}

}  // namespace
}  // namespace hawser::test
