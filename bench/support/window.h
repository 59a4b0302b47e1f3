#pragma once
/// How a run of the load generator ends, and which stretch of it counts.

#include "load_options.h"
#include "server_meter.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

namespace bench {

using steady = std::chrono::steady_clock;

/// What the process tells its caller.
enum exit_status { failed = 1, usage = 2, not_an_echo = 3, protocol_error = 4, stalled = 5 };

[[noreturn]] inline void fail(exit_status status, const std::string& text) {
  std::fprintf(stderr, "load: %s\n", text.c_str());
  std::_Exit(status);
}
[[noreturn]] inline void fail_errno(const char* call) {
  fail(failed, std::string(call) + ": " + std::system_category().message(errno));
}

inline double seconds_between(steady::time_point from, steady::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// The stretch of a run that counts: after the warm-up, until the time or the number of messages is reached.
class window {
 public:
  window(const load_options& options, const server_meter& meter)
      : meter_(meter), counted_(options.count != 0), start_(steady::now()), last_event_(start_) {
    const auto span = [](double s) {
      return std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(s));
    };
    begin_ = start_ + (counted_ ? steady::duration::zero() : span(options.warmup));
    end_ = begin_ + span(options.seconds);
  }

  /// Called once for each batch of events.
  void tick(steady::time_point now, bool any_events) {
    if (any_events) last_event_ = now;
    if (now - last_event_ > std::chrono::seconds(5)) fail(stalled, "the server has sent nothing for 5 s");
    if (measuring_ || now < begin_) return;
    measuring_ = true;
    before_ = meter_.cpu();
    measured_from_ = steady::now();
  }
  [[nodiscard]] bool measuring() const { return measuring_; }
  [[nodiscard]] bool over(steady::time_point now) const { return !counted_ && now >= end_; }

  void finish() {
    after_ = meter_.cpu();
    seconds_ = seconds_between(measured_from_, steady::now());
  }
  [[nodiscard]] double seconds() const { return seconds_; }
  [[nodiscard]] const cpu_sample& before() const { return before_; }
  [[nodiscard]] const cpu_sample& after() const { return after_; }

 private:
  const server_meter& meter_;
  bool counted_;
  bool measuring_ = false;
  double seconds_ = 0;
  steady::time_point start_;
  steady::time_point last_event_;
  steady::time_point begin_;
  steady::time_point end_;
  steady::time_point measured_from_;
  cpu_sample before_;
  cpu_sample after_;
};

}  // namespace bench
