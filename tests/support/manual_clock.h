// Time that stands still until a test moves it.
#pragma once

#include "net/loop.h"

namespace hawser::test {

class manual_clock : public net::clock_source {
 public:
  tick now() noexcept override { return now_; }
  void advance(ticks by) noexcept { now_ += by; }
  void set(tick when) noexcept { now_ = when; }

 private:
  tick now_{std::chrono::hours(24)};
};

}  // namespace hawser::test
