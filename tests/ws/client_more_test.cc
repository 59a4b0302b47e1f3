// The attempts of a client as its engine makes them, and its beginnings and ends beside other clients.

#include "net/resolver.h"
#include "support/fake_driver.h"
#include "ws/access.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace hawser::test {
namespace {

using namespace std::chrono_literals;

/// A server within the client's own loop: answers the n-th request with the n-th of `answers`, the last one for ever,
/// and hangs up. It notes when each request came.
class refusing_server final : public net::acceptor {
 public:
  explicit refusing_server(manual_clock& clock) : clock_(clock) {}

  fake_driver* driver = nullptr;
  std::vector<std::string> answers;
  std::vector<tick> came;

  void on_accepted(int handle, const net::address&) override {
    came.push_back(clock_.now());
    peers_.push_back(std::make_unique<peer>(*this));
    driver->adopt(*peers_.back(), handle);
    driver->start_reading(*peers_.back());
  }

 private:
  struct peer final : net::stream {
    explicit peer(refusing_server& s) : home(s) {}
    void on_received(byte_span bytes) override {
      asked += as_text(bytes);
      if (asked.find("\r\n\r\n") == std::string::npos) return;
      const std::size_t n = std::min(home.came.size(), home.answers.size());
      const byte_view chunk = as_bytes(std::string_view(home.answers[n - 1]));
      static_cast<void>(home.driver->write(*this, {&chunk, 1}));
      home.driver->close(*this);
    }
    void on_received_into(buffer&&, std::size_t) override {}
    void on_end() override { home.driver->close(*this); }
    void on_written(std::size_t) override {}
    void on_error(errc) override { home.driver->close(*this); }
    void on_timer(tick) override {}
    refusing_server& home;
    std::string asked;
  };

  manual_clock& clock_;
  std::vector<std::unique_ptr<peer>> peers_;
};

struct stage;
stage* the_stage = nullptr;
std::unique_ptr<net::driver> make_stage_driver(net::loop& owner);

/// A client on a driver without a system, under a clock that moves when nothing else is to be done.
struct stage {
  explicit stage(client_options options = {}, std::string_view url = "ws://127.0.0.1:1/") : it(url, options) {
    the_stage = this;
    client_access::loop(it).clock = &clock;
    client_access::loop(it).make_driver = make_stage_driver;
    it.on_connect([this](connection, const handshake&) { seen += "connect "; });
    it.on_error([this](const failure&) { seen += "error "; });
    it.on_disconnect([this](const disconnect& d) {
      seen += "disconnect ";
      ends.push_back(d);
      ended_at.push_back(clock.now());
    });
  }
  ~stage() { the_stage = nullptr; }

  manual_clock clock;
  refusing_server server{clock};
  std::function<errc(const net::address&)> connect_to_nobody;
  client it;
  std::string seen;
  std::vector<disconnect> ends;
  std::vector<tick> ended_at;
};

std::unique_ptr<net::driver> make_stage_driver(net::loop& owner) {
  auto made = std::make_unique<fake_driver>(owner);
  made->script.connect_to_nobody = the_stage->connect_to_nobody;
  the_stage->server.driver = made.get();
  net::address bound;
  EXPECT_EQ(made->listen(the_stage->server, net::address::ip("127.0.0.1", 1).value(), {}, bound), errc::ok);
  return made;
}

std::string busy(std::string_view extra = {}) {
  return "HTTP/1.1 503 Busy\r\n" + std::string(extra) + "Content-Length: 0\r\n\r\n";
}

// ---- attempts

// RFC 9110, 10.2.3: not sooner than the server asks; without it, or with a date, by the policy alone.
TEST(client_attempts, retry_after_is_heeded) {
  stage s;
  s.server.answers = {busy("Retry-After: 100\r\n"), busy("Retry-After: 120\r\n"), busy(),
                      busy("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
                      "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};
  EXPECT_EQ(s.it.run_forever(), 1);
  EXPECT_EQ(s.seen, "error disconnect error disconnect error disconnect error disconnect error disconnect ");
  ASSERT_EQ(s.server.came.size(), 5U);
  ASSERT_EQ(s.ends.size(), 5U);
  EXPECT_EQ(s.ends[0].retry_after, ticks(100s));
  EXPECT_EQ(s.ends[1].retry_after, ticks(120s));
  EXPECT_LE(s.ends[2].retry_after, ticks(4s));
  EXPECT_LE(s.ends[3].retry_after, ticks(8s));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(s.ends[i].will_retry);
    EXPECT_EQ(s.ends[i].attempt, i + 1);
    const ticks waited = s.server.came[i + 1] - s.ended_at[i];
    EXPECT_GE(waited, s.ends[i].retry_after);
    EXPECT_LE(waited, s.ends[i].retry_after + 2 * net::timer_wheel::granule);
  }
  EXPECT_FALSE(s.ends[4].will_retry) << "404 stays 404";
}

TEST(client_attempts, end_after_max_attempts) {
  client_options options;
  options.reconnect.max_attempts = 3;
  stage s(options, "ws://127.0.0.1:3/");
  s.connect_to_nobody = [](const net::address&) { return errc::connection_refused; };
  EXPECT_EQ(s.it.run_forever(), 1);
  EXPECT_EQ(s.seen, "error disconnect error disconnect error disconnect ");
  ASSERT_EQ(s.ends.size(), 3U);
  EXPECT_TRUE(s.ends[0].will_retry);
  EXPECT_TRUE(s.ends[1].will_retry);
  EXPECT_FALSE(s.ends[2].will_retry);
  EXPECT_EQ(s.ends[2].attempt, 3U);
  EXPECT_FALSE(s.ends[2].was_open);
}

// At once, not when the time for connecting is over; and it is no error.
TEST(client_attempts, stop_while_connecting) {
  stage s({}, "ws://127.0.0.1:2/");
  const tick began = s.clock.now();
  s.connect_to_nobody = [&s](const net::address&) {
    s.it.stop();
    return errc::ok;
  };
  EXPECT_EQ(s.it.run_forever(), 0);
  EXPECT_EQ(s.seen, "disconnect ");
  EXPECT_LT(s.clock.now() - began, ticks(1s));
}

TEST(client_attempts, stop_while_waiting_for_the_next_one) {
  stage s;
  s.server.answers = {busy("Retry-After: 100\r\n")};
  const tick began = s.clock.now();
  s.it.on_disconnect([&](const disconnect& d) {
    EXPECT_TRUE(d.will_retry);
    s.it.stop();
  });
  static_cast<void>(s.it.run_forever());
  EXPECT_EQ(s.server.came.size(), 1U);
  EXPECT_LT(s.clock.now() - began, ticks(50s));
}

// ---- beginnings and ends

std::promise<void>* asked_for_a_name = nullptr;
std::shared_future<void>* may_answer = nullptr;

// A resolver may hang for minutes; who stops does not wait for it.
TEST(client_life, stop_while_the_name_is_looked_up) {
  std::promise<void> asked;
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  asked_for_a_name = &asked;
  may_answer = &released;
  net::set_resolve_function([](const std::string&, std::uint16_t) -> result<std::vector<net::address>> {
    const std::shared_future<void> wait_for = *may_answer;
    asked_for_a_name->set_value();
    wait_for.wait();
    return errc::name_not_found;
  });
  journal seen;
  {
    client it("ws://slow.test/");
    it.on_error([&](const failure&) { seen.add("error"); });
    it.on_disconnect([&](const disconnect& d) { seen.add(d.will_retry ? "again" : "end"); });
    ASSERT_TRUE(it.start());
    asked.get_future().wait();
    it.stop();
    EXPECT_TRUE(seen.wait_for("end"));
  }
  EXPECT_EQ(seen.text(), "end");
  release.set_value();
  net::set_resolve_function(nullptr);
}

/// A server that sends back what it gets.
struct echo : running_server {
  echo() {
    it().route("/").on_message([](connection c, const message& m) { c.send(m); });
    start();
  }
};

TEST(client_life, stop_in_on_connect_says_1001) {
  raw_listener listener;
  std::thread peer([&] {
    raw_peer it = listener.accept();
    it.accept_upgrade();
    EXPECT_EQ(close_code_of(it.frame_of(8)), 1001U);
    it.out().close(1001);
    it.flush();
  });
  client it(listener.url());
  std::string seen;
  it.on_connect([&](connection, const handshake&) {
    seen += "connect ";
    it.stop();
  });
  it.on_error([&](const failure&) { seen += "error "; });
  it.on_close([&](close_code, std::string_view) { seen += "close "; });
  it.on_disconnect([&](const disconnect& d) { seen += d.will_retry ? "again" : "disconnect"; });
  EXPECT_EQ(it.run_forever(), 0);
  EXPECT_EQ(seen, "connect close disconnect");
  peer.join();
}

TEST(client_life, runs_again_after_it_has_ended_in_either_way) {
  echo server;
  client it(server.url());
  std::vector<std::string> got;
  it.on_connect([&](connection c, const handshake&) { c.send("run " + std::to_string(got.size())); });
  it.on_message([&](connection c, const message& m) {
    got.emplace_back(m.text());
    c.close();
  });
  journal ends;
  it.on_disconnect([&](const disconnect& d) { ends.add(std::to_string(d.attempt)); });
  EXPECT_EQ(it.run_forever(), 0);
  EXPECT_EQ(it.run_forever(), 0);
  EXPECT_FALSE(it.current().is_open());
  ASSERT_TRUE(it.start());
  ASSERT_TRUE(ends.wait(3));
  it.stop();
  EXPECT_EQ(ends.text(), "1 1 1") << "each run counts its own attempts";
  EXPECT_EQ(got, (std::vector<std::string>{"run 0", "run 1", "run 2"}));
}

TEST(client_life, a_second_run_at_the_same_time_is_refused) {
  echo server;
  client it(server.url());
  std::promise<void> open;
  it.on_connect([&](connection, const handshake&) {
    EXPECT_EQ(to_errc(it.start().error()), errc::wrong_state);
    EXPECT_EQ(it.run_forever(), 2);
    open.set_value();
  });
  ASSERT_TRUE(it.start());
  open.get_future().wait();
  EXPECT_EQ(to_errc(it.start().error()), errc::wrong_state);
}

// Each has its own loop; of two that run in the foreground one gets the signals, and both run and end.
TEST(client_life, two_clients_in_one_process) {
  echo server;
  const auto converse = [&](const std::string& name) {
    client it(server.url());
    int left = 100;
    bool right = true;
    it.on_connect([&](connection c, const handshake&) { c.send(name); });
    it.on_message([&](connection c, const message& m) {
      right = right && m.text() == name;
      if (--left > 0)
        c.send(name);
      else
        it.stop();
    });
    EXPECT_EQ(it.run_forever(), 0);
    EXPECT_EQ(left, 0);
    EXPECT_TRUE(right);
  };
  std::thread other([&] { converse("other"); });
  converse("one");
  other.join();
}

// One client's end leaves the other one alone, and either may be ended from the other one's handler.
TEST(client_life, a_client_may_stop_another_one) {
  echo server;
  client first(server.url());
  client second(server.url());
  journal seen;
  first.on_disconnect([&](const disconnect&) { seen.add("first"); });
  second.on_message([&](connection, const message&) { first.stop(); });
  second.on_disconnect([&](const disconnect&) { seen.add("second"); });
  std::promise<void> open;
  first.on_connect([&](connection, const handshake&) { open.set_value(); });
  ASSERT_TRUE(first.start());
  open.get_future().wait();
  second.on_connect([&](connection c, const handshake&) { c.send("x"); });
  ASSERT_TRUE(second.start());
  ASSERT_TRUE(seen.wait_for("first"));
  EXPECT_TRUE(second.current().is_open());
  second.stop();
  ASSERT_TRUE(seen.wait_for("second"));
}

}  // namespace
}  // namespace hawser::test
