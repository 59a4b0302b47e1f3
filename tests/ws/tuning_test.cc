// What docs/tuning.md shows does what the page says of it.

#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/hawser.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace hawser::test {
namespace {

constexpr int row_count = 2000;

// Rows of a table that is far too long to wait in memory until the peer has read it.
class row_source {
 public:
  [[nodiscard]] bool done() const { return next_ == row_count; }
  [[nodiscard]] std::string front() const { return std::to_string(next_) + std::string(4096, '.'); }
  void pop() { ++next_; }

 private:
  int next_ = 0;
};

// Sends until the peer does not keep up; `on_drain` calls it again.
void send_rows(hawser::connection c) {
  auto* rows = c.data<row_source>();
  while (rows != nullptr && !rows->done() && c.send(rows->front()) == hawser::errc::ok)
    rows->pop();
}

TEST(tuning, rows_wait_for_a_peer_that_reads_slowly) {
  running_server running;
  server& server = running.it();
  server.route("/rows")
      .on_connect([](hawser::connection c, const hawser::handshake&) {
        c.set_data(std::make_unique<row_source>());
        send_rows(c);
      })
      .on_drain(send_rows);
  running.start();
  raw_peer peer(running.at(), 16 << 10);
  peer.upgrade("/rows");
  for (int i = 0; i < row_count; ++i)
    ASSERT_EQ(peer.frame().payload, std::to_string(i) + std::string(4096, '.'));
}

struct upload {
  std::uint64_t bytes = 0;
};

TEST(tuning, an_upload_longer_than_any_message_may_be_is_heard_in_parts) {
  hawser::server_options options;
  options.in_parts = true;
  options.bounds.max_message = std::uint64_t{1} << 40;
  running_server running(options);
  server& server = running.it();
  server.route("/upload")
      .on_connect([](hawser::connection c, const hawser::handshake&) { c.set_data(std::make_unique<upload>()); })
      .on_message([](hawser::connection c, const hawser::message& part) {
        auto* all = c.data<upload>();
        all->bytes += part.size();
        if (part.last()) c.send(std::to_string(all->bytes));
      });
  running.start();
  raw_peer peer(running.at());
  peer.upgrade("/upload");
  peer.out().binary(as_bytes(std::string(3 << 20, 'u')));
  peer.flush();
  EXPECT_EQ(peer.frame().payload, std::to_string(3 << 20));
}

TEST(tuning, a_server_with_every_screw_turned_still_serves) {
  hawser::server_options options;
  options.threads = 4;
  options.max_per_host = 20'000;
  options.accept_rate = 5'000;
  options.alive.ping_interval = std::chrono::minutes(2);
  options.bounds.max_message = std::uint64_t{16} << 20;
  options.bounds.max_outgoing_frame = std::uint64_t{64} << 10;
  options.bounds.write_soft = std::size_t{1} << 20;
  options.busy_poll = std::chrono::microseconds(200);
  running_server running(options);
  running->route("/").on_message([](connection c, const message& m) { c.send(m); });
  running.start();
  raw_peer peer(running.at());
  peer.upgrade();
  EXPECT_EQ(peer.text("still here").frame().payload, "still here");
}

}  // namespace
}  // namespace hawser::test
