// Ctrl-C while a server runs in the foreground.

#include <gtest/gtest.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <string>
#include <thread>

namespace hawser::test {
namespace {

// What the child does: 0 when all was well.
int serve_until_interrupted(int tell) {
  std::signal(SIGINT, SIG_DFL);  // Who starts the suite in the background may have it ignored.
  server s;
  s.route("/").on_message([](connection c, const message& m) { c.send(m); });
  const std::uint16_t port = s.listen("127.0.0.1", 0).value().port();
  if (::write(tell, &port, sizeof port) != sizeof port) return 6;
  if (!s.run_forever()) return 7;
  struct sigaction now {};
  ::sigaction(SIGINT, nullptr, &now);
  return now.sa_handler == SIG_DFL ? 0 : 8;
}

// In a child process: a signal belongs to the whole of one.
TEST(server_run_forever, ctrl_c_closes_with_1001_and_puts_the_handlers_back) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(serve_until_interrupted(ends[1]));
  ASSERT_GT(child, 0);
  ::close(ends[1]);
  std::uint16_t port = 0;
  ASSERT_EQ(::read(ends[0], &port, sizeof port), static_cast<ssize_t>(sizeof port));
  ::close(ends[0]);

  result<blocking_connection> c = connect("ws://127.0.0.1:" + std::to_string(port) + "/");
  ASSERT_TRUE(c);
  ASSERT_TRUE(c->send("still there?"));
  ASSERT_TRUE(c->receive());
  ::kill(child, SIGINT);
  EXPECT_EQ(c->receive().error(), errc::closed);
  EXPECT_NE(c->farewell().find("1001"), std::string::npos) << c->farewell();
  int how = 0;
  ASSERT_EQ(::waitpid(child, &how, 0), child);
  EXPECT_TRUE(WIFEXITED(how));
  EXPECT_EQ(WEXITSTATUS(how), 0);
}

TEST(server_run_forever, is_stopped_like_run_and_runs_once) {
  server s;
  ASSERT_TRUE(s.listen("127.0.0.1", 0));
  std::thread other([&] { s.stop(); });
  EXPECT_TRUE(s.run_forever());
  other.join();
  EXPECT_EQ(s.run_forever().error(), errc::wrong_state);
}

TEST(server_run_forever, says_that_it_listens_nowhere) { EXPECT_EQ(server().run_forever().error(), errc::wrong_state); }

}  // namespace
}  // namespace hawser::test
