// What the epoll driver promises beyond the suite of all drivers: how it deals with the system.

#include "net/epoll_driver.h"

#include "net/socket.h"
#include "support/manual_clock.h"
#include "support/recorder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hawser::test {
namespace {

using net::address;
using net::listen_options;
using net::loop;
using net::unique_fd;
using namespace std::chrono_literals;

std::unique_ptr<loop> make_loop() { return std::move(loop::create()).value(); }

address parsed(const std::string& text) { return address::parse(text).value(); }

// Blocks until there is something to read, the end included; false when the watchdog bites.
bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 5000) == 1;
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, name, &value, &size), 0);
  return value;
}

// Keeps what it accepts, read or not.
class keeper final : public net::acceptor {
 public:
  explicit keeper(loop& l, bool read = false) : loop_(l), read_(read) {}
  ~keeper() {
    loop_.io().stop_listening(*this);
    for (const int fd : handles)
      loop_.io().discard(fd);
  }
  void on_accepted(int handle, const address& peer) override {
    last_peer = peer;
    if (!read_) return handles.push_back(handle);
    streams.push_back(std::make_unique<recorder>(loop_, handle));
    adopted.push_back(handle);
  }
  void on_exhausted() override { ++rests; }

  address listen(const address& on, const listen_options& options = {}) {
    address bound;
    EXPECT_EQ(loop_.io().listen(*this, on, options, bound), errc::ok) << on.text();
    return bound;
  }

  std::vector<int> handles;  // Not read: ours.
  std::vector<std::unique_ptr<recorder>> streams;
  std::vector<int> adopted;  // Their handles, to look at.
  address last_peer;
  int rests = 0;

 private:
  loop& loop_;
  bool read_;
};

// A client that is none of ours: a plain socket.
unique_fd plain_client(const address& to) {
  unique_fd fd = net::make_socket(to);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(to.port());
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at);
  EXPECT_TRUE(result == 0 || errno == EINPROGRESS);
  pollfd p{fd.get(), POLLOUT, 0};
  EXPECT_EQ(::poll(&p, 1, 5000), 1);
  return fd;
}

bool run_until(loop& l, const std::function<bool()>& done) {
  for (int i = 0; i < 1000 && !done(); ++i)
    l.run_once(l.refresh_now() + 5s);
  return done();
}

// ---- system calls

// One receive and one send a message, and one wait for all that came meanwhile: there is nothing left to save.
TEST(epoll_driver, an_echo_costs_one_receive_one_send_and_a_share_of_a_wait) {
  constexpr std::size_t count = 64;
  constexpr int rounds = 20;
  auto l = make_loop();
  keeper server(*l, true);
  const address bound = server.listen(parsed("127.0.0.1:0"));
  std::vector<unique_fd> clients;
  for (std::size_t i = 0; i < count; ++i)
    clients.push_back(plain_client(bound));
  ASSERT_TRUE(run_until(*l, [&] { return server.streams.size() == count; }));
  for (auto& s : server.streams)
    s->when_received = [stream = s.get()](byte_span bytes) { stream->send(as_text(bytes)); };

  const net::call_counts& calls = l->io().calls();
  const std::uint64_t waits = calls.waits;
  const std::uint64_t receives = calls.receives;
  const std::uint64_t sends = calls.sends;
  const std::uint64_t controls = calls.controls;
  const std::string message(32, 'm');
  for (int round = 0; round < rounds; ++round) {
    for (const unique_fd& c : clients)
      ASSERT_EQ(::send(c.get(), message.data(), message.size(), 0), 32);
    // So that the batch is known to be complete.
    for (const int fd : server.adopted)
      ASSERT_TRUE(readable(fd));
    l->run_once(l->now());
    for (const unique_fd& c : clients) {
      std::array<char, 64> answer{};
      ASSERT_TRUE(readable(c.get()));
      ASSERT_EQ(::recv(c.get(), answer.data(), answer.size(), 0), 32);
    }
  }
  EXPECT_EQ(calls.waits - waits, rounds);
  EXPECT_EQ(calls.receives - receives, rounds * count);
  EXPECT_EQ(calls.sends - sends, rounds * count);
  EXPECT_EQ(calls.controls, controls);
}

TEST(epoll_driver, room_is_only_waited_for_while_a_write_is_pending) {
  auto l = make_loop();
  std::array<int, 2> fds{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
  recorder a(*l, fds[0]);
  recorder b(*l, fds[1], false);
  const std::uint64_t controls = l->io().calls().controls;
  a.send("fits");
  EXPECT_EQ(l->io().calls().controls, controls);
  a.send(std::string(5'000'000, 'x'));
  ASSERT_TRUE(a.waiting);
  EXPECT_EQ(l->io().calls().controls, controls + 1);
  l->io().start_reading(b);
  ASSERT_TRUE(run_until(*l, [&] { return b.received.size() == 5'000'004; }));
  // One call for the other end to start reading; and one to wait for room no longer, not one for each pending write.
  EXPECT_EQ(l->io().calls().controls, controls + 3);
  const tick deadline = l->refresh_now() + 20ms;
  l->run_once(deadline);
  EXPECT_GE(l->now(), deadline) << "something woke the loop";
  EXPECT_FALSE(a.waiting);
}

TEST(epoll_driver, a_short_pause_costs_no_call) {
  auto l = make_loop();
  std::array<int, 2> fds{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
  recorder a(*l, fds[0]);
  const std::uint64_t controls = l->io().calls().controls;
  for (int i = 0; i < 10; ++i) {
    l->io().stop_reading(a);
    l->io().start_reading(a);
  }
  EXPECT_EQ(l->io().calls().controls, controls);
  ::close(fds[1]);
}

// ---- sockets

TEST(epoll_driver, sockets_are_nonblocking_closed_on_exec_and_without_delay) {
  auto l = make_loop();
  keeper server(*l);
  listen_options patience;
  patience.user_timeout = 20s;
  const address bound = server.listen(parsed("127.0.0.1:0"), patience);
  recorder client(*l);
  ASSERT_EQ(l->io().connect(client, bound), errc::ok);
  ASSERT_TRUE(run_until(*l, [&] { return server.handles.size() == 1 && client.events == "c"; }));
  const int mine = l->io().release(client);
  for (const int fd : {server.handles[0], mine}) {
    EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  }
  l->io().adopt(client, mine);
  l->io().set_user_timeout(client, 30s);
  EXPECT_EQ(option(mine, IPPROTO_TCP, TCP_USER_TIMEOUT), 30'000);
  EXPECT_EQ(option(server.handles[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 20'000);
}

// Every descriptor of the loop itself, too.
TEST(epoll_driver, nothing_of_it_survives_an_exec) {
  auto l = make_loop();
  keeper server(*l);
  server.listen(parsed("127.0.0.1:0"));
  for (int fd = 3; fd < 200; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    struct stat file {};
    if (flags < 0 || ::fstat(fd, &file) != 0 || S_ISREG(file.st_mode) || S_ISFIFO(file.st_mode)) continue;
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    std::array<char, 200> name{};
    ASSERT_GT(::readlink(link.c_str(), name.data(), name.size() - 1), 0);
    const std::string_view what(name.data());
    const bool of_a_loop =
        what.find("eventpoll") != what.npos || what.find("eventfd") != what.npos || what.starts_with("socket:");
    EXPECT_TRUE(!of_a_loop || (flags & FD_CLOEXEC) != 0) << what;
  }
}

TEST(epoll_driver, listens_on_ipv6_and_both_at_once) {
  auto l = make_loop();
  keeper six(*l);
  const address on_six = six.listen(parsed("[::1]:0"));
  recorder a(*l);
  ASSERT_EQ(l->io().connect(a, on_six), errc::ok);
  ASSERT_TRUE(run_until(*l, [&] { return six.handles.size() == 1 && a.events == "c"; }));
  EXPECT_EQ(six.last_peer.family(), address::kind::ipv6);
  EXPECT_TRUE(six.last_peer.loopback());

  keeper all(*l);
  const address on_all = all.listen(parsed("[::]:0"));
  recorder b(*l);
  ASSERT_EQ(l->io().connect(b, parsed("127.0.0.1:" + std::to_string(on_all.port()))), errc::ok);
  ASSERT_TRUE(run_until(*l, [&] { return all.handles.size() == 1; }));
  EXPECT_EQ(all.last_peer.family(), address::kind::ipv4) << "counted and logged as what it is";
  EXPECT_TRUE(all.last_peer.loopback());
}

TEST(epoll_driver, several_loops_share_a_port) {
  auto first = make_loop();
  auto second = make_loop();
  listen_options options;
  options.reuse_port = true;
  keeper a(*first);
  keeper b(*second);
  const address bound = a.listen(parsed("127.0.0.1:0"), options);
  EXPECT_EQ(b.listen(bound, options), bound);
  std::vector<unique_fd> clients;
  for (int i = 0; i < 64; ++i)
    clients.push_back(plain_client(bound));
  for (int i = 0; i < 10; ++i) {
    first->run_once(first->now());
    second->run_once(second->now());
  }
  EXPECT_EQ(a.handles.size() + b.handles.size(), 64U);
  EXPECT_FALSE(a.handles.empty());
  EXPECT_FALSE(b.handles.empty());
  address other;
  EXPECT_EQ(first->io().listen(a, bound, {}, other), errc::address_in_use) << "only for those who ask";
}

TEST(epoll_driver, an_address_of_another_machine_is_refused) {
  auto l = make_loop();
  keeper server(*l);
  address bound;
  EXPECT_EQ(l->io().listen(server, parsed("192.0.2.1:0"), {}, bound), errc::address_invalid);
  EXPECT_EQ(l->io().listen(server, parsed("unix:/no/such/folder/s"), {}, bound), errc::address_invalid);
}

class unix_file : public ::testing::Test {
 protected:
  unix_file() {
    std::string name = ::testing::TempDir() + "hawser-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = name + "/socket";
  }
  ~unix_file() override {
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }
  [[nodiscard]] bool exists() const {
    struct stat file {};
    return ::lstat(path_.c_str(), &file) == 0;
  }
  [[nodiscard]] address at() const { return address::unix_socket(path_).value(); }
  // What a program that was killed leaves behind.
  void leave_stale_file() const {
    const unique_fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path_.copy(name.sun_path, sizeof name.sun_path - 1);
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  }

  std::string folder_;
  std::string path_;
  std::unique_ptr<loop> l_ = make_loop();
};

TEST_F(unix_file, is_removed_by_who_made_it) {
  {
    keeper server(*l_);
    server.listen(at());
    EXPECT_TRUE(exists());
  }
  EXPECT_FALSE(exists());
}

TEST_F(unix_file, of_somebody_else_is_left_alone) {
  {
    keeper server(*l_);
    server.listen(at());
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    leave_stale_file();
  }
  EXPECT_TRUE(exists());
}

TEST_F(unix_file, stale_is_replaced_only_on_request) {
  leave_stale_file();
  keeper server(*l_);
  address bound;
  EXPECT_EQ(l_->io().listen(server, at(), {}, bound), errc::address_in_use);
  listen_options options;
  options.replace_unix_path = true;
  EXPECT_EQ(server.listen(at(), options), at());
  recorder client(*l_);
  ASSERT_EQ(l_->io().connect(client, at()), errc::ok);
  EXPECT_TRUE(run_until(*l_, [&] { return client.events == "c"; }));
}

TEST_F(unix_file, that_is_in_use_or_no_socket_is_never_replaced) {
  listen_options options;
  options.replace_unix_path = true;
  address bound;
  keeper server(*l_);
  keeper second(*l_);
  server.listen(at());
  EXPECT_EQ(l_->io().listen(second, at(), options, bound), errc::address_in_use);
  l_->io().stop_listening(server);
  const unique_fd plain(::open(path_.c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_EQ(l_->io().listen(second, at(), options, bound), errc::address_in_use);
  EXPECT_TRUE(exists());
  // A datagram socket in use does not answer "refused" either.
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  const unique_fd datagrams(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path_.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(datagrams.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  EXPECT_EQ(l_->io().listen(second, at(), options, bound), errc::address_in_use);
  EXPECT_TRUE(exists());
}

TEST_F(unix_file, missing_is_a_refusal) {
  recorder client(*l_);
  EXPECT_EQ(l_->io().connect(client, at()), errc::connection_refused);
  EXPECT_FALSE(client.is_open());
}

// ---- what goes wrong

// The range for outgoing ports is also that of port 0, so a client that retries a dead local port can meet itself.
TEST(epoll_driver, a_socket_never_connects_to_itself) {
  auto l = make_loop();
  const unique_fd fd = net::make_socket(parsed("127.0.0.1:0"));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  socklen_t size = sizeof at;
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size), 0);
  ::connect(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at);
  EXPECT_EQ(net::local_address_of(fd.get()), net::remote_address_of(fd.get())) << "the system does it";
  EXPECT_TRUE(net::connected_to_itself(fd.get()));
}

// A child that was forked and has not called exec holds every socket open; epoll must not go on to report them.
TEST(epoll_driver, a_forked_child_brings_no_events_of_closed_streams) {
  auto l = make_loop();
  std::array<int, 2> fds{};
  std::array<int, 2> hold{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
  ASSERT_EQ(::pipe2(hold.data(), O_CLOEXEC), 0);
  auto stream = std::make_unique<recorder>(*l, fds[0]);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(hold[1]);
    ::_exit(static_cast<int>(::read(hold[0], &byte, 1)));
  }
  ASSERT_GT(child, 0);
  stream.reset();
  ASSERT_EQ(::send(fds[1], "x", 1, MSG_NOSIGNAL), 1) << "the child still holds the other end";
  const tick deadline = l->refresh_now() + 20ms;
  l->run_once(deadline);
  EXPECT_GE(l->now(), deadline) << "something woke the loop";
  ::close(hold[0]);
  ::close(hold[1]);
  ::close(fds[1]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
}

// Lowers the limit on descriptors so that not one more can be opened, and puts it back.
class no_more_descriptors {
 public:
  no_more_descriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const unique_fd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit low = before_;
    low.rlim_cur = static_cast<rlim_t>(next.get());
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  }
  ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  no_more_descriptors(const no_more_descriptors&) = delete;
  no_more_descriptors& operator=(const no_more_descriptors&) = delete;

 private:
  rlimit before_{};
};

// Makes every accept on `bound` fail with EINVAL from now on.
void break_listener(const address& bound) {
  for (int fd = 3; fd < 1000; ++fd)
    if (net::local_address_of(fd) == bound && option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1) ::shutdown(fd, SHUT_RDWR);
}

// A loop whose time the test moves, 10 ms a batch.
class stepped {
 public:
  void pass(ticks span) {
    for (ticks passed{}; passed < span; passed += 10ms) {
      clock_.advance(10ms);
      l->run_once(l->now());
    }
  }

 private:
  manual_clock clock_;

 public:
  std::unique_ptr<loop> l = [this] {
    net::loop_options options;
    options.clock = &clock_;
    return std::move(loop::create(options)).value();
  }();
};

// UndefinedBehaviorSanitizer opens a pipe when it meets a class for the first time: let it meet them all in time.
void prepare_for_no_descriptors(loop& l, const std::function<void()>& pass_a_second) {
  keeper other(l);
  break_listener(other.listen(parsed("127.0.0.1:0")));
  pass_a_second();
  net::acceptor& exhausted = other;
  exhausted.on_exhausted();
}

TEST(epoll_driver, an_error_that_nobody_foresaw_rests_as_well) {
  stepped steps;
  keeper server(*steps.l);
  break_listener(server.listen(parsed("127.0.0.1:0")));
  steps.pass(10s);
  EXPECT_GE(steps.l->io().calls().accepts, 10U);
  EXPECT_LE(steps.l->io().calls().accepts, 20U);
  EXPECT_EQ(server.rests, 0) << "descriptors are not what is missing";
}

// I1: with 200 connections waiting and no descriptor left for 10 s, under 100 accept calls; within a second of relief
// all that still wait are accepted.
TEST(epoll_driver, running_out_of_descriptors_rests_instead_of_spinning) {
  stepped steps;
  prepare_for_no_descriptors(*steps.l, [&] { steps.pass(1s); });
  keeper server(*steps.l);
  const address bound = server.listen(parsed("127.0.0.1:0"));
  std::vector<unique_fd> clients;
  for (int i = 0; i < 200; ++i)
    clients.push_back(plain_client(bound));

  const std::uint64_t accepts = steps.l->io().calls().accepts;
  {
    const no_more_descriptors none;
    steps.pass(10s);
  }
  EXPECT_LT(steps.l->io().calls().accepts - accepts, 100U);
  EXPECT_GE(server.rests, 10) << "it tries again, at least once a second";
  EXPECT_LE(server.rests, 20);
  EXPECT_TRUE(server.handles.empty());
  // One peer a rest learns that nobody will serve it; the others wait.
  std::size_t turned_away = 0;
  for (const unique_fd& c : clients) {
    pollfd p{c.get(), POLLIN, 0};
    if (::poll(&p, 1, 0) == 1) ++turned_away;
  }
  EXPECT_EQ(turned_away, static_cast<std::size_t>(server.rests));

  steps.pass(1s);
  EXPECT_EQ(server.handles.size(), clients.size() - turned_away);
  // And after it the first rest is short again.
  const int rests = server.rests;
  clients.push_back(plain_client(bound));
  {
    const no_more_descriptors none;
    steps.pass(110ms);
    EXPECT_EQ(server.rests, rests + 1);
  }
  clients.push_back(plain_client(bound));
  steps.pass(120ms);
  EXPECT_EQ(server.handles.size() + turned_away + 1, clients.size());
}

TEST(epoll_driver, a_rest_ends_with_its_listener) {
  stepped steps;
  prepare_for_no_descriptors(*steps.l, [&] { steps.pass(1s); });
  auto server = std::make_unique<keeper>(*steps.l);
  const address bound = server->listen(parsed("127.0.0.1:0"));
  const unique_fd client = plain_client(bound);
  {
    const no_more_descriptors none;
    steps.pass(10ms);
  }
  EXPECT_EQ(server->rests, 1);
  server.reset();
  steps.pass(2s);
}

// Runs `call` without descriptors; what came of it is looked at when there are some again.
template <class Call>
auto without_descriptors(const Call& call) {
  const no_more_descriptors none;
  return call();
}

// A rest that ends in the very moment in which its listener is stopped.
TEST(epoll_driver, a_stopped_listener_is_not_woken_from_its_rest) {
  class stopper final : public net::timed {
   public:
    stopper(loop& l, keeper& k) : loop_(l), keeper_(k) {}
    void on_timer(tick) override { loop_.io().stop_listening(keeper_); }

   private:
    loop& loop_;
    keeper& keeper_;
  };
  for (const bool stopper_first : {false, true}) {
    stepped steps;
    keeper server(*steps.l);
    stopper s(*steps.l, server);
    const address bound = server.listen(parsed("127.0.0.1:0"));
    const tick rest_ends = steps.l->now() + 10ms + 100ms;
    if (stopper_first) steps.l->timers().schedule(s, rest_ends);
    break_listener(bound);
    steps.pass(10ms);
    if (!stopper_first) steps.l->timers().schedule(s, rest_ends);
    const std::uint64_t accepts = steps.l->io().calls().accepts;
    steps.pass(2s);
    EXPECT_LE(steps.l->io().calls().accepts, accepts + 1);
    EXPECT_EQ(server.rests, 0);
  }
}

TEST(epoll_driver, a_loop_without_descriptors_is_an_error) {
  make_loop();
  const auto made = without_descriptors([] { return loop::create(); });
  EXPECT_EQ(made.error(), errc::out_of_resources);
}

TEST(epoll_driver, a_connect_without_descriptors_is_an_error) {
  auto l = make_loop();
  recorder client(*l);
  EXPECT_FALSE(client.is_open());
  const address to = parsed("127.0.0.1:9");
  EXPECT_EQ(without_descriptors([&] { return l->io().connect(client, to); }), errc::out_of_resources);
  EXPECT_FALSE(client.is_open());
}

// Signals belong to the program: the library sets no handler and blocks none.
TEST(epoll_driver, signals_are_left_alone) {
  std::array<struct sigaction, 32> before{};
  for (int s = 1; s < 32; ++s)
    ::sigaction(s, nullptr, &before[static_cast<std::size_t>(s)]);
  auto l = make_loop();
  keeper server(*l);
  server.listen(parsed("127.0.0.1:0"));
  l->run_once(l->now());
  for (int s = 1; s < 32; ++s) {
    struct sigaction now {};
    ::sigaction(s, nullptr, &now);
    EXPECT_EQ(now.sa_handler, before[static_cast<std::size_t>(s)].sa_handler) << s;
  }
  sigset_t blocked;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  for (int s = 1; s < 32; ++s)
    EXPECT_EQ(::sigismember(&blocked, s), 0) << s;
}

// A signal whose handler was set without SA_RESTART ends a wait early, and nothing else.
TEST(epoll_driver, a_signal_only_ends_the_wait) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGALRM, &action, &before), 0);
  auto l = make_loop();
  std::array<int, 2> fds{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
  recorder a(*l, fds[0]);
  itimerval soon{};
  soon.it_value.tv_usec = 10'000;
  ASSERT_EQ(::setitimer(ITIMER_REAL, &soon, nullptr), 0);
  l->run_once(l->refresh_now() + 5s);
  EXPECT_EQ(a.events, "");
  ASSERT_EQ(::send(fds[1], "x", 1, 0), 1);
  EXPECT_TRUE(run_until(*l, [&] { return a.received == "x"; }));
  ::close(fds[1]);
  ::sigaction(SIGALRM, &before, nullptr);
}

}  // namespace
}  // namespace hawser::test
