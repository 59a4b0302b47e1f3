// A server that runs on a thread of its own while a test talks to it.
#pragma once

#include "ws/raw_peer.h"

#include <gtest/gtest.h>
#include <hawser/base/log.h>
#include <hawser/ws/server.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hawser::test {

/// Lines that several threads write and one reads.
class journal {
 public:
  void add(std::string line) {
    const std::lock_guard guard(lock_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  /// Waits until there are `n` lines. False: they do not come.
  bool wait(std::size_t n) {
    std::unique_lock guard(lock_);
    return changed_.wait_for(guard, std::chrono::milliseconds(patience_ms), [&] { return lines_.size() >= n; });
  }
  /// Waits for a line. False: it does not come.
  bool wait_for(std::string_view line) {
    std::unique_lock guard(lock_);
    return changed_.wait_for(guard, std::chrono::milliseconds(patience_ms), [&] { return find(line); });
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    const std::lock_guard guard(lock_);
    return lines_;
  }
  /// All lines in one, with blanks between.
  [[nodiscard]] std::string text() const {
    std::string all;
    for (const std::string& line : lines())
      all += (all.empty() ? "" : " ") + line;
    return all;
  }

 private:
  bool find(std::string_view line) const {
    for (const std::string& l : lines_)
      if (l == line) return true;
    return false;
  }
  mutable std::mutex lock_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

/// A log that keeps its lines, each behind the number of its level and a blank.
struct lines final : log_sink {
  void write(log_level level, std::string_view line) noexcept override {
    kept.add(std::to_string(static_cast<int>(level)) + " " + std::string(line));
  }
  journal kept;
};

class running_server {
 public:
  explicit running_server(server_options options = {}) : it_(std::move(options)) {}
  ~running_server() { stop(); }

  server& it() noexcept { return it_; }
  server* operator->() noexcept { return &it_; }

  /// Listens and runs.
  void start(std::string_view address = "127.0.0.1:0") {
    const result<net::address> bound = it_.listen(address);
    ASSERT_TRUE(bound) << bound.error().message();
    at_ = *bound;
    run();
  }
  void run() {
    thread_ = std::thread([this] { EXPECT_TRUE(it_.run()); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    it_.stop();
    thread_.join();
  }
  /// Waits for `run` to end by itself.
  void join() { thread_.join(); }

  [[nodiscard]] const net::address& at() const noexcept { return at_; }
  [[nodiscard]] std::string url(std::string_view path = "/") const { return "ws://" + at_.text() + std::string(path); }

 private:
  server it_;
  net::address at_;
  std::thread thread_;
};

}  // namespace hawser::test
