// What `connection::timings` says at a client: the opening part by part, and an error from the last sign of life until
// the client is connected again. On a driver without a system and under a virtual clock.

#include "support/fake_driver.h"
#include "support/raw_frames.h"
#include "ws/access.h"
#include "ws/raw_peer.h"

#include <gtest/gtest.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ws/client.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hawser::test {
namespace {

using namespace std::chrono_literals;

class scripted_server;

// The one fake driver that the client under test makes for itself, and who listens on it.
struct stage_of_test {
  manual_clock clock;
  scripted_server* server = nullptr;
  fake_driver* driver = nullptr;
  net::loop* loop = nullptr;
};
stage_of_test* the_stage = nullptr;

/// Accepts, and calls what the test wants it to do: when a request has come, and when a time it asked for has.
class scripted_server final : public net::acceptor, public net::stream {
 public:
  std::function<void(scripted_server&)> on_request;
  std::function<void(scripted_server&)> on_time;
  tick sent_at{};

  void on_accepted(int handle, const net::address&) override {
    if (driver().is_open(*this)) driver().close(*this);
    in_.clear();
    driver().adopt(*this, handle);
    driver().start_reading(*this);
  }
  void on_received(byte_span bytes) override {
    in_ += as_text(bytes);
    if (in_.ends_with("\r\n\r\n")) on_request(*this);
  }
  void on_received_into(buffer&&, std::size_t) override {}
  void on_end() override { hang_up(false); }
  void on_written(std::size_t) override {}
  void on_error(errc) override { hang_up(false); }
  void on_timer(tick) override { on_time(*this); }

  void after(ticks wait) { the_stage->loop->timers().schedule(*this, later(the_stage->loop->now(), wait)); }
  void send(std::string_view text) {
    sent_at = the_stage->clock.now();
    const byte_view chunk = as_bytes(text);
    static_cast<void>(driver().write(*this, {&chunk, 1}));
  }
  void agree(std::string_view extra = {}) { send(raw_peer::agreement(in_, extra)); }
  void hang_up(bool reset) {
    if (driver().is_open(*this)) driver().close(*this, reset);
  }

 private:
  static fake_driver& driver() { return *the_stage->driver; }
  std::string in_;
};

std::unique_ptr<net::driver> make_staged_driver(net::loop& owner) {
  auto made = std::make_unique<fake_driver>(owner);
  the_stage->driver = made.get();
  the_stage->loop = &owner;
  made->script.connect_to_nobody = [](const net::address&) { return errc::connection_refused; };
  net::address bound;
  EXPECT_EQ(made->listen(*the_stage->server, net::address::ip("127.0.0.1", 1).value(), {}, bound), errc::ok);
  return made;
}

struct timed_client {
  explicit timed_client(bool measured = true, bool reconnect = false) {
    the_stage = &stage;
    stage.server = &server;
    client_options options;
    options.timings = measured;
    options.reconnect.enabled = reconnect;
    it = std::make_unique<client>("ws://127.0.0.1:1/", options);
    client_access::loop(*it).clock = &stage.clock;
    client_access::loop(*it).make_driver = make_staged_driver;
  }
  ~timed_client() {
    it.reset();
    the_stage = nullptr;
  }

  stage_of_test stage;
  scripted_server server;
  std::unique_ptr<client> it;
};

struct slow_stage {
  static constexpr unsigned hooks = 0;
  verdict begin(direction, head&, context&) { return verdict::bypass; }
};
/// Takes 7 ms to check the server's answer.
struct slow_factory {
  manual_clock* clock;
  static std::string_view name() { return "x-slow-to-start"; }
  static std::vector<params> offers() { return {params{}}; }
  static std::optional<accepted<slow_stage>> accept(const std::vector<params>&) { return std::nullopt; }
  [[nodiscard]] std::optional<accepted<slow_stage>> confirm(const params&) const {
    clock->advance(7ms);
    return accepted<slow_stage>{};
  }
};

TEST(client_timings, are_not_kept_when_nobody_asked) {
  timed_client t(false);
  t.server.on_request = [](scripted_server& s) { s.agree(); };
  t.it->on_connect([](connection c, const handshake&) {
    EXPECT_EQ(c.timings().error(), errc::not_kept);
    EXPECT_EQ(c.terminate(), errc::ok);
  });
  EXPECT_EQ(t.it->run_forever(), 0);
}

TEST(client_timings, of_the_opening_are_request_response_and_acknowledge) {
  timed_client t;
  manual_clock& clock = t.stage.clock;
  const tick began = clock.now();
  t.server.on_request = [&](scripted_server& s) { s.after(30ms); };
  t.server.on_time = [&](scripted_server& s) {
    t.stage.driver->script.lateness = [] { return ticks(4ms); };
    s.agree("Sec-WebSocket-Extensions: x-slow-to-start\r\n");
  };
  t.it->extensions().add(slow_factory{&clock});
  std::optional<timings> seen;
  t.it->on_connect([&](connection c, const handshake&) {
    EXPECT_EQ(clock.now(), t.server.sent_at + 4ms + 7ms);
    seen = c.timings().value();
    EXPECT_EQ(seen->connect.total(), clock.now() - began);
    EXPECT_EQ(c.terminate(), errc::ok);
  });
  EXPECT_EQ(t.it->run_forever(), 0);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->connect.names, 0ms) << "a literal address";
  EXPECT_EQ(seen->connect.tcp, 0ms);
  EXPECT_EQ(seen->connect.request, 0ms);
  EXPECT_EQ(seen->connect.response, t.server.sent_at + 4ms - began);
  EXPECT_EQ(seen->connect.acknowledge, 7ms);
  EXPECT_FALSE(seen->error.detect);
}

TEST(client_timings, of_a_request_show_the_connect_inside_and_end_with_its_last_byte) {
  timed_client t;
  manual_clock& clock = t.stage.clock;
  t.server.on_request = [&](scripted_server& s) { s.agree(); };
  std::optional<timings> seen;
  t.it->on_connect([&](connection c, const handshake&) {
    seen = c.timings().value();
    EXPECT_EQ(c.terminate(), errc::ok);
  });
  // The script is there as soon as the client has made its loop.
  struct late_driver {
    static std::unique_ptr<net::driver> make(net::loop& owner) {
      std::unique_ptr<net::driver> made = make_staged_driver(owner);
      fake_script& script = static_cast<fake_driver&>(*made).script;
      script.lateness = [] { return ticks(5ms); };
      script.write_size = [] {
        the_stage->clock.advance(2ms);
        return std::size_t{100'000};
      };
      return made;
    }
  };
  client_access::loop(*t.it).make_driver = late_driver::make;
  const tick began = clock.now();
  EXPECT_EQ(t.it->run_forever(), 0);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->connect.names, 0ms);
  EXPECT_EQ(seen->connect.tcp, 5ms);
  EXPECT_EQ(seen->connect.request, 5ms + 2ms);
  EXPECT_EQ(seen->connect.response, t.server.sent_at + 2ms + 5ms - (began + 7ms));
}

// lost at 0, known 300 ms later, handled in 20 ms; then two failed attempts and their waits.
TEST(client_timings, of_an_error_go_from_the_last_sign_of_life_until_connected_again) {
  timed_client t(true, true);
  manual_clock& clock = t.stage.clock;
  int attempts = 0;
  t.server.on_request = [&](scripted_server& s) {
    ++attempts;
    if (attempts == 2 || attempts == 3) return s.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    s.agree();
    if (attempts == 1) s.after(300ms);
  };
  tick lost_at{};
  t.server.on_time = [&](scripted_server& s) {
    lost_at = clock.now();
    s.hang_up(true);
  };
  int connected = 0;
  int errors = 0;
  tick first_sign{};
  tick told{};
  timings first;
  timings at_close;
  timings second;
  tick again{};
  t.it->on_connect([&](connection c, const handshake&) {
    if (++connected == 1) {
      first_sign = clock.now();
      first = c.timings().value();
      return;
    }
    again = clock.now();
    second = c.timings().value();
    EXPECT_EQ(c.terminate(), errc::ok);
  });
  t.it->on_error([&](const failure&) {
    clock.advance(20ms);
    if (++errors == 1) told = clock.now();
  });
  t.it->on_close([&](close_code, std::string_view) {
    if (connected == 1) at_close = t.it->current().timings().value();
  });
  EXPECT_EQ(t.it->run_forever(), 0);
  EXPECT_EQ(errors, 3);
  EXPECT_FALSE(first.error.detect);
  EXPECT_EQ(at_close.error.detect, lost_at - first_sign);
  EXPECT_GE(*at_close.error.detect, 300ms);
  EXPECT_EQ(at_close.error.handle, 20ms);
  EXPECT_FALSE(at_close.error.recover);
  EXPECT_EQ(second.error.detect, at_close.error.detect);
  EXPECT_EQ(second.error.handle, 20ms);
  EXPECT_EQ(second.error.recover, again - told) << "failed attempts and waits included";
  EXPECT_EQ(second.error.total(), again - first_sign) << "nothing is left out between the parts";
}

TEST(client_timings, of_a_first_attempt_that_fails_begin_with_it) {
  timed_client t(true, true);
  manual_clock& clock = t.stage.clock;
  const tick began = clock.now();
  int attempts = 0;
  t.server.on_request = [&](scripted_server& s) {
    if (++attempts == 1) return s.after(150ms);
    s.agree();
  };
  t.server.on_time = [](scripted_server& s) { s.hang_up(false); };
  timings seen;
  tick connected{};
  t.it->on_connect([&](connection c, const handshake&) {
    connected = clock.now();
    seen = c.timings().value();
    EXPECT_EQ(c.terminate(), errc::ok);
  });
  EXPECT_EQ(t.it->run_forever(), 0);
  EXPECT_GE(*seen.error.detect, 150ms);
  EXPECT_EQ(seen.error.handle, 0ms);
  EXPECT_EQ(seen.error.total(), connected - began);
}

// Where the time went of what never opened, for the calls that wait.
TEST(client_timings, of_an_attempt_that_fails_say_how_far_it_came) {
  client_options options;
  options.timings = true;
  timings seen;
  raw_listener listener;
  std::thread server([&] {
    raw_peer peer = listener.accept();
    peer.until("\r\n\r\n");
    peer.reset();
  });
  const auto made = connect(listener.url(), options, {}, {}, nullptr, &seen);
  server.join();
  ASSERT_FALSE(made);
  EXPECT_TRUE(seen.connect.names && seen.connect.tcp && seen.connect.request);
  EXPECT_FALSE(seen.connect.response);
  EXPECT_TRUE(seen.error.detect && seen.error.handle);

  timings nobody;
  std::string url;
  {
    const raw_listener gone;
    url = gone.url();
  }
  ASSERT_FALSE(connect(url, options, {}, {}, nullptr, &nobody));
  EXPECT_TRUE(nobody.connect.names);
  EXPECT_FALSE(nobody.connect.tcp);
  EXPECT_TRUE(nobody.error.detect);

  timings off;
  ASSERT_FALSE(connect(url, {}, {}, {}, nullptr, &off));
  EXPECT_FALSE(off.connect.names);
  EXPECT_FALSE(off.error.detect);
}

// A clean end is no error, also when the client comes back after it.
TEST(client_timings, of_a_clean_end_and_return_have_no_error) {
  timed_client t(true, true);
  int connected = 0;
  t.server.on_request = [&](scripted_server& s) {
    s.agree();
    if (connected == 0) s.after(10ms);
  };
  t.server.on_time = [](scripted_server& s) {
    s.send(text_of(frame_writer(role::server).close(1012).take()));
    s.hang_up(false);
  };
  timings seen;
  t.it->on_connect([&](connection c, const handshake&) {
    if (++connected == 1) return;
    seen = c.timings().value();
    EXPECT_EQ(c.terminate(), errc::ok);
  });
  EXPECT_EQ(t.it->run_forever(), 0);
  EXPECT_EQ(connected, 2);
  EXPECT_FALSE(seen.error.detect);
}

}  // namespace
}  // namespace hawser::test
