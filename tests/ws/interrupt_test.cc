// Ctrl-C beside what others do with the signal: their handlers are put back, and stay where they are newer than ours.

#include "ws/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>
#include <future>

namespace hawser::test {
namespace {

void of_a_user(int) {}
void of_another(int) {}

using handler = void (*)(int);

handler current_handler() {
  struct sigaction now {};
  ::sigaction(SIGTERM, nullptr, &now);
  return now.sa_handler;
}

/// Puts the signal back as it was.
class signal_kept {
 public:
  signal_kept() { ::sigaction(SIGTERM, nullptr, &before_); }
  ~signal_kept() { ::sigaction(SIGTERM, &before_, nullptr); }
  signal_kept(const signal_kept&) = delete;
  signal_kept& operator=(const signal_kept&) = delete;

 private:
  struct sigaction before_ {};
};

TEST(interrupt, the_handler_that_was_there_is_put_back) {
  const signal_kept kept;
  std::signal(SIGTERM, of_a_user);
  std::promise<void> called;
  {
    const interrupt_guard guard([&] { called.set_value(); });
    EXPECT_NE(current_handler(), of_a_user);
    ::raise(SIGTERM);
    called.get_future().wait();
    EXPECT_EQ(current_handler(), of_a_user) << "the second signal does what it did before";
  }
  EXPECT_EQ(current_handler(), of_a_user);
}

TEST(interrupt, a_handler_that_somebody_installed_meanwhile_stays) {
  const signal_kept kept;
  std::signal(SIGTERM, of_a_user);
  {
    const interrupt_guard guard([] {});
    std::signal(SIGTERM, of_another);
  }
  EXPECT_EQ(current_handler(), of_another);
}

TEST(interrupt, an_ignored_signal_stays_ignored) {
  const signal_kept kept;
  std::signal(SIGTERM, SIG_IGN);
  const interrupt_guard guard([] { FAIL() << "called for an ignored signal"; });
  EXPECT_EQ(current_handler(), SIG_IGN);
  ::raise(SIGTERM);
}

}  // namespace
}  // namespace hawser::test
