// Stands in for the system's resolver while it lives. The library takes a plain function, so there is one at a time.
#pragma once

#include "net/resolver.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace hawser::test {

class resolver_stand_in {
 public:
  using function_type = std::function<result<std::vector<net::address>>(const std::string&, std::uint16_t)>;

  explicit resolver_stand_in(function_type f) {
    const std::lock_guard lock(state().lock);
    state().f = std::move(f);
    net::set_resolve_function(&call);
  }
  /// Waits for the threads that are inside it.
  ~resolver_stand_in() {
    net::set_resolve_function(nullptr);
    std::unique_lock lock(state().lock);
    state().changed.wait(lock, [] { return state().inside == 0; });
    state().f = nullptr;
  }
  resolver_stand_in(const resolver_stand_in&) = delete;
  resolver_stand_in& operator=(const resolver_stand_in&) = delete;

 private:
  struct shared {
    std::mutex lock;
    std::condition_variable changed;
    std::size_t inside = 0;
    function_type f;
  };
  static shared& state() {
    static shared s;
    return s;
  }
  static result<std::vector<net::address>> call(const std::string& host, std::uint16_t port) {
    function_type f;
    {
      const std::lock_guard lock(state().lock);
      ++state().inside;
      f = state().f;
    }
    struct leave {
      ~leave() {
        const std::lock_guard lock(state().lock);
        --state().inside;
        state().changed.notify_all();
      }
    } const at_end;
    if (!f) return errc::name_not_found;
    return f(host, port);
  }
};

/// A resolver that does not answer for "stuck.test" until it is let go, and does at once for everything else. Every
/// answer is 192.0.2.1.
class latched_resolver {
 public:
  latched_resolver() : stand_in_([this](const std::string& host, std::uint16_t port) { return answer(host, port); }) {}
  ~latched_resolver() { let_go(); }
  latched_resolver(const latched_resolver&) = delete;
  latched_resolver& operator=(const latched_resolver&) = delete;

  void let_go() {
    const std::lock_guard lock(lock_);
    open_ = true;
    changed_.notify_all();
  }
  void wait_for_asking(std::size_t n) {
    std::unique_lock lock(lock_);
    changed_.wait(lock, [&] { return asking_ >= n; });
  }
  void wait_until_all_returned() {
    std::unique_lock lock(lock_);
    changed_.wait(lock, [&] { return asking_ == 0; });
  }
  /// Threads that wait inside now; names that were asked for so far, the stuck ones.
  [[nodiscard]] std::size_t asking() {
    const std::lock_guard lock(lock_);
    return asking_;
  }
  [[nodiscard]] std::size_t asked() {
    const std::lock_guard lock(lock_);
    return asked_;
  }

 private:
  result<std::vector<net::address>> answer(const std::string& host, std::uint16_t port) {
    if (host == "stuck.test") {
      std::unique_lock lock(lock_);
      ++asking_;
      ++asked_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return open_; });
      --asking_;
      changed_.notify_all();
    }
    return std::vector{net::address::ip("192.0.2.1", port).value()};
  }

  std::mutex lock_;
  std::condition_variable changed_;
  bool open_ = false;
  std::size_t asking_ = 0;
  std::size_t asked_ = 0;
  resolver_stand_in stand_in_;  // The last: it waits for the threads before the rest goes.
};

}  // namespace hawser::test
