// A peer that reads slowly gets what was sent to it before a close, and the close: its time to answer begins anew as
// long as it takes its share (5.5.1: the close frame goes behind everything that was sent).

#include "support/fake_driver.h"
#include "support/manual_clock.h"
#include "ws/session.h"
#include "ws/worker.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace hawser::test {
namespace {

using namespace std::chrono_literals;

struct never_opens final : opening {
  void on_bytes(session&, byte_span) override {}
  void on_failed(session&, errc) override {}
};

/// A server's session on a driver without a system, and its peer by hand.
struct closing_session {
  manual_clock clock;
  std::unique_ptr<net::loop> loop = make_fake_loop(clock);
  worker work{*loop};
  mailbox_visit here{work.box()};
  core::settings obey;
  route_handlers handlers;
  int ended = 0;
  int peer = -1;

  closing_session() {
    obey.close_timeout = 5s;
    obey.alive.ping_interval = no_keepalive;
    handlers.gone = [this](bool) { ++ended; };
    fake_driver& driver = fake_driver::of(*loop);
    const auto [own, other] = driver.make_pair();
    peer = other;
    session& s = *new (work) session(work, role::server, obey, handlers);
    s.start(own, std::make_unique<never_opens>(), loop->now() + 1h);
    s.established(handlers, {}, {}, handshake(), {});
    EXPECT_EQ(s.send(opcode::binary, as_bytes(std::string(100'000, 'x'))), errc::ok);
    EXPECT_EQ(s.close(close_code::normal, {}), errc::ok);
    loop->run_once(loop->now());
  }
  ~closing_session() { work.end(); }

  void later(ticks by) {
    clock.advance(by);
    for (int i = 0; i < 4; ++i)
      loop->run_once(loop->now());
  }
  std::string take() { return fake_driver::of(*loop).take(peer); }
};

TEST(slow_close, a_peer_that_takes_its_share_is_waited_for) {
  closing_session c;
  c.later(5100ms);
  EXPECT_EQ(c.ended, 0) << "it has had no chance yet to show that it reads";
  const std::string got = c.take();
  EXPECT_EQ(got.size(), 10 + 100'000 + 4U) << "the message, and the close frame behind it";
  c.later(5100ms);
  EXPECT_EQ(c.ended, 0) << "it has just taken the last of it";
  c.later(5100ms);
  EXPECT_EQ(c.ended, 1);
}

TEST(slow_close, a_peer_that_takes_nothing_is_given_up) {
  closing_session c;
  c.later(5100ms);
  EXPECT_EQ(c.ended, 0);
  c.later(5100ms);
  EXPECT_EQ(c.ended, 1);
}

TEST(slow_close, a_peer_that_has_taken_all_and_does_not_answer_has_one_timeout) {
  closing_session c;
  c.take();
  c.later(5100ms);
  EXPECT_EQ(c.ended, 1);
}

}  // namespace
}  // namespace hawser::test
