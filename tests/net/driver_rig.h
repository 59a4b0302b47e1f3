// A loop over one driver or another, and how to get two connected handles from it.
#pragma once

#include "net/epoll_driver.h"
#include "net/loop.h"
#include "net/socket.h"
#include "support/fake_driver.h"
#include "support/recorder.h"
#include "support/seeded_random.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace hawser::test {

class rig {
 public:
  virtual ~rig() = default;
  net::loop& l() { return *loop_; }
  net::driver& io() { return loop_->io(); }
  /// Two connected handles.
  virtual std::pair<int, int> make_pair() = 0;
  /// An address to listen on.
  virtual net::address any_address() { return net::address::parse("127.0.0.1:0").value(); }
  /// Whether a reset is told from an end. A Unix socket knows none.
  virtual bool resets() { return true; }
  /// More bytes than there is room for on the way.
  virtual std::size_t flood() { return 20'000'000; }

  /// Runs batches until `done`. False when the watchdog bit: nothing happened for 5 s.
  bool until(const std::function<bool()>& done) {
    for (int batches = 0; batches < 200'000; ++batches) {
      if (done()) return true;
      const tick deadline = l().refresh_now() + std::chrono::seconds(5);
      l().run_once(deadline);
      if (l().now() >= deadline) return done();
    }
    return done();
  }
  /// Runs batches that do not wait: whatever is under way arrives.
  void settle() {
    for (int i = 0; i < 20; ++i)
      l().run_once(l().now());
  }

 protected:
  std::unique_ptr<net::loop> loop_;
};

class epoll_rig : public rig {
 public:
  epoll_rig() { loop_ = std::move(net::loop::create()).value(); }
};

class unix_rig final : public epoll_rig {
 public:
  std::pair<int, int> make_pair() override {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    return {fds[0], fds[1]};
  }
  net::address any_address() override {
    static int count = 0;
    return net::address::unix_socket("@hawser-" + std::to_string(::getpid()) + "-" + std::to_string(++count)).value();
  }
  bool resets() override { return false; }
};

class tcp_rig final : public epoll_rig {
 public:
  std::pair<int, int> make_pair() override {
    net::unique_fd listener;
    net::address bound;
    EXPECT_EQ(net::make_listener(any_address(), {}, listener, bound), errc::ok);
    recorder connecting(*loop_);
    EXPECT_EQ(io().connect(connecting, bound), errc::ok);
    EXPECT_TRUE(until([&] { return !connecting.events.empty(); }));
    EXPECT_EQ(connecting.events, "c");
    const int other = ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    EXPECT_GE(other, 0);
    return {io().release(connecting), other};
  }
};

class fake_rig : public rig {
 public:
  fake_rig() { loop_ = make_fake_loop(clock_); }
  std::pair<int, int> make_pair() override { return fake_driver::of(l()).make_pair(); }
  std::size_t flood() override { return 1'000'000; }

 protected:
  fake_script& script() { return fake_driver::of(l()).script; }

 private:
  manual_clock clock_;
};

// Completions late and out of order between streams, receives and writes in pieces.
class late_rig final : public fake_rig {
 public:
  late_rig() {
    script().lateness = [this] { return ticks(static_cast<ticks::rep>(random_.below(30'000'000))); };
    script().receive_size = [this] { return std::size_t{1} << random_.below(18); };
    script().write_size = [this] { return std::size_t{1} << random_.below(18); };
  }

 private:
  seeded_random random_{4501};
};

// Writes are only ever taken later.
class completing_rig final : public fake_rig {
 public:
  completing_rig() {
    script().late_writes = true;
    script().lateness = [] { return std::chrono::milliseconds(1); };
  }
};

}  // namespace hawser::test
