// One session of a server on a driver without a system, under a clock that only the test moves, and its peer by hand.
#pragma once

#include "support/fake_driver.h"
#include "support/raw_frames.h"
#include "ws/meter.h"
#include "ws/session.h"
#include "ws/worker.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace hawser::test {

using namespace std::chrono_literals;

inline constexpr std::string_view the_request = "request";
inline constexpr std::string_view the_response = "response";

/// Agrees to whatever comes, once it is as long as `the_request`.
class agrees_at_length final : public opening {
 public:
  agrees_at_length(route_handlers& handlers, std::vector<core::agreed_extension> stages)
      : handlers_(handlers), stages_(std::move(stages)) {}
  void on_bytes(session& s, byte_span in) override {
    came_ += in.size();
    if (came_ >= the_request.size()) s.established(handlers_, the_response, std::move(stages_), handshake(), {});
  }
  void on_failed(session&, errc) override {}

 private:
  route_handlers& handlers_;
  std::vector<core::agreed_extension> stages_;
  std::size_t came_ = 0;
};

struct timed_loop {
  explicit timed_loop(bool measured = true) {
    obey.alive.ping_interval = no_keepalive;
    if (measured) work.measure();
  }
  ~timed_loop() { work.end(); }

  manual_clock clock;
  std::unique_ptr<net::loop> loop = make_fake_loop(clock);
  worker work{*loop};
  mailbox_visit here{work.box()};
  core::settings obey;
  route_handlers handlers;

  fake_driver& driver() { return fake_driver::of(*loop); }
  /// A session that is accepted now, and its peer's handle.
  std::pair<session*, int> accept(std::vector<core::agreed_extension> stages = {}) {
    const auto [own, peer] = driver().make_pair();
    auto* s = new (work) session(work, role::server, obey, handlers);
    s->start(own, std::make_unique<agrees_at_length>(handlers, std::move(stages)), loop->now() + 1h);
    turn();
    return {s, peer};
  }
  /// The same, open.
  std::pair<session*, int> open(std::vector<core::agreed_extension> stages = {}) {
    const auto made = accept(std::move(stages));
    put(made.second, the_request);
    EXPECT_EQ(take(made.second), the_response);
    return made;
  }
  /// What has come is worked in.
  void turn() {
    for (int i = 0; i < 4; ++i)
      loop->run_once(loop->now());
  }
  void put(int peer, std::string_view bytes) {
    driver().put(peer, as_bytes(bytes));
    turn();
  }
  std::string take(int peer) {
    std::string got = driver().take(peer);
    turn();
    return got;
  }
};

inline std::string text_frame(std::string_view payload) {
  return text_of(frame_writer(role::client).text(payload).take());
}

}  // namespace hawser::test
