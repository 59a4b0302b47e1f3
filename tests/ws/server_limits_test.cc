// The bounds of a server: how many come in, and what becomes of one too many. And its doors: Unix sockets, IPv6,
// several loops on one port, signals.

#include "support/sanitizers.h"
#include "ws/access.h"
#include "ws/running_server.h"
#include "ws/worker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

namespace hawser::test {
namespace {

using namespace std::chrono_literals;

// A field added later must not change what a braced list of an older program means.
static_assert(!std::is_aggregate_v<server_options>);
static_assert(!std::is_aggregate_v<client_options>);

constexpr std::string_view yes = "HTTP/1.1 101 Switching Protocols\r\n";
constexpr std::string_view full = "HTTP/1.1 503 Service Unavailable\r\n";

/// Stands still until a test moves it, from another thread than the one that reads it.
class shared_clock final : public net::clock_source {
 public:
  tick now() noexcept override { return tick(ticks(now_.load())); }
  void advance(ticks by) noexcept { now_ += by.count(); }

 private:
  std::atomic<ticks::rep> now_{ticks(24h).count()};
};

/// Hears the log.
class heard_log final : public log_sink {
 public:
  void write(log_level level, std::string_view line) noexcept override {
    if (level >= log_level::warning) lines.add(std::string(line.substr(0, line.find(':'))));
  }
  journal lines;
};

/// A server that echoes.
struct echo : running_server {
  explicit echo(server_options options = {}) : running_server(std::move(options)) {
    it().route("/")
        .on_message([](connection c, const message& m) { c.send(m); })
        .on_close([this](connection, close_code, std::string_view) { closed.add("closed"); });
  }
  ~echo() { stop(); }

  /// Runs `what` on the loop, after it has looked at its clock, and waits for it.
  void on_loop(std::function<void(net::loop&)> what = [](net::loop&) {}) {
    worker& w = server_access::loop(it());
    std::promise<void> done;
    ASSERT_TRUE(w.box().post([&] {
      what(w.loop());
      done.set_value();
    }));
    ASSERT_EQ(done.get_future().wait_for(std::chrono::milliseconds(patience_ms)), std::future_status::ready);
  }
  /// Waits until so many connections are counted.
  void wait_for_connections(std::size_t n) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
    while (it().connections() != n && std::chrono::steady_clock::now() < give_up)
      std::this_thread::yield();
    ASSERT_EQ(it().connections(), n);
  }
  journal closed;
};

void expect_echo(raw_peer& peer) {
  peer.text("still here");
  EXPECT_EQ(peer.frame().payload, "still here");
}

void expect_full(raw_peer& peer) {
  peer.send(raw_peer::request());
  const std::string answer = peer.to_end();
  EXPECT_TRUE(answer.starts_with(full)) << answer;
  EXPECT_NE(answer.find("\r\nRetry-After: "), std::string::npos) << answer;
}

void close_cleanly(raw_peer& peer) {
  peer.out().close(1000);
  peer.flush().to_end();
  peer.hang_up();
}

net::unique_fd tcp_socket() { return net::unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

bool connect_to(const net::unique_fd& fd, const net::address& to) {
  const net::system_address system = net::address_access::to_system(to);
  return ::connect(fd.get(), system.get(), system.size) == 0;
}

/// A peer that comes from another address of this machine.
raw_peer peer_from(std::string_view host, const net::address& to) {
  net::unique_fd fd = tcp_socket();
  const net::system_address from = net::address_access::to_system(net::address::ip(host, 0).value());
  EXPECT_EQ(::bind(fd.get(), from.get(), from.size), 0);
  EXPECT_TRUE(connect_to(fd, to));
  return raw_peer(std::move(fd));
}

// ---- one too many

TEST(server_limits, over_max_connections_is_503_and_a_place_that_is_left_is_free_again) {
  server_options options;
  options.max_connections = 2;
  echo server(options);
  server.start();
  raw_peer a(server.at());
  raw_peer b(server.at());
  EXPECT_TRUE(a.upgrade().starts_with(yes));
  EXPECT_TRUE(b.upgrade().starts_with(yes));
  for (int i = 0; i < 3; ++i) {
    raw_peer c(server.at());
    expect_full(c);
  }
  expect_echo(a);
  expect_echo(b);
  close_cleanly(a);
  server.wait_for_connections(1);
  raw_peer d(server.at());
  EXPECT_TRUE(d.upgrade().starts_with(yes));
  expect_echo(d);
  raw_peer e(server.at());
  expect_full(e);
  expect_echo(b);
}

TEST(server_limits, over_max_per_host_is_503_and_other_hosts_still_come_in) {
  server_options options;
  options.max_per_host = 2;
  options.max_per_host_on_loopback = options.accept_rate_on_loopback = true;
  echo server(options);
  server.start();
  raw_peer a(server.at());
  raw_peer b(server.at());
  EXPECT_TRUE(a.upgrade().starts_with(yes));
  EXPECT_TRUE(b.upgrade().starts_with(yes));
  raw_peer c(server.at());
  expect_full(c);
  raw_peer other = peer_from("127.0.0.2", server.at());
  EXPECT_TRUE(other.upgrade().starts_with(yes));
  expect_echo(other);
  expect_echo(a);
  close_cleanly(b);
  server.wait_for_connections(2);
  raw_peer d(server.at());
  EXPECT_TRUE(d.upgrade().starts_with(yes));
}

TEST(server_limits, peers_on_this_machine_are_not_limited_by_host_and_rate_unless_asked_for) {
  server_options options;
  options.max_per_host = 1;
  options.accept_rate = 1;
  echo server(options);
  server.start();
  std::vector<std::unique_ptr<raw_peer>> peers;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(std::make_unique<raw_peer>(server.at()));
    EXPECT_TRUE(peers.back()->upgrade().starts_with(yes));
  }
}

// Under a clock that stands still: not before the next second.
TEST(server_limits, over_the_accept_rate_is_503_until_the_next_second) {
  server_options options;
  options.accept_rate = 3;
  options.max_per_host_on_loopback = options.accept_rate_on_loopback = true;
  shared_clock clock;
  echo server(options);
  server_access::loops(server.it()).clock = &clock;
  server.start();
  std::vector<std::unique_ptr<raw_peer>> in;
  const auto come_in = [&] {
    for (int i = 0; i < 3; ++i) {
      in.push_back(std::make_unique<raw_peer>(server.at()));
      EXPECT_TRUE(in.back()->upgrade().starts_with(yes));
    }
    raw_peer over(server.at());
    expect_full(over);
  };
  come_in();
  clock.advance(999ms);
  server.on_loop();
  raw_peer early(server.at());
  expect_full(early);
  clock.advance(1ms);
  server.on_loop();
  come_in();
  for (const auto& peer : in)
    expect_echo(*peer);
}

// Who is refused must not cost more than who is let in: beyond as many answers again, it is only hung up.
TEST(server_limits, over_max_handshakes_is_503_and_a_finished_handshake_frees_its_place) {
  server_options options;
  options.max_handshakes = 2;
  echo server(options);
  server.start();
  raw_peer open(server.at());
  EXPECT_TRUE(open.upgrade().starts_with(yes));
  raw_peer slow_a(server.at());
  raw_peer slow_b(server.at());
  slow_a.send("GET /");
  slow_b.send("GET /");
  server.wait_for_connections(3);
  raw_peer over(server.at());
  expect_full(over);
  expect_echo(open);

  const std::string request = raw_peer::request();
  slow_a.send(request.substr(5));
  EXPECT_TRUE(slow_a.until("\r\n\r\n").starts_with(yes));
  raw_peer next(server.at());
  EXPECT_TRUE(next.upgrade().starts_with(yes));

  // One half-open handshake is left; a second, two refused that say nothing, and there is no answer for more.
  raw_peer slow_c(server.at());
  slow_c.send("GET /");
  server.wait_for_connections(5);
  raw_peer mute_a(server.at());
  raw_peer mute_b(server.at());
  raw_peer hung_up(server.at());
  hung_up.send(raw_peer::request());
  EXPECT_EQ(hung_up.to_end(), "");
  mute_a.hang_up();
  mute_b.hang_up();
  slow_b.hang_up();
  slow_c.hang_up();
  server.wait_for_connections(3);
  raw_peer last(server.at());
  EXPECT_TRUE(last.upgrade().starts_with(yes));
  expect_echo(open);
}

// ---- no file descriptors

/// Uses up the descriptors of this process.
class full_table {
 public:
  full_table() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit low = before_;
    low.rlim_cur = 200;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
      taken_.emplace_back(fd);
    EXPECT_EQ(errno, EMFILE);
  }
  ~full_table() {
    taken_.clear();
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  full_table(const full_table&) = delete;
  full_table& operator=(const full_table&) = delete;

 private:
  rlimit before_{};
  std::vector<net::unique_fd> taken_;
};

// The listening socket stays readable while nobody can be accepted: a loop that asked again and again would spin.
// Under a clock that stands still it must not ask at all; each rest that passes allows two calls, one that fails and
// one with the spare descriptor.
TEST(server_limits, without_descriptors_accepting_rests_and_goes_on_when_there_are_some) {
  // UBSan wants a descriptor of its own when it first meets a class, and reports falsely when there is none.
  if (under_sanitizer) GTEST_SKIP() << "the sanitizer needs descriptors itself";
  heard_log log;
  server_options options;
  options.log = &log;
  shared_clock clock;
  echo server(options);
  server_access::loops(server.it()).clock = &clock;
  server.start();
  raw_peer first(server.at());
  EXPECT_TRUE(first.upgrade().starts_with(yes));
  std::vector<net::unique_fd> waiting;
  for (int i = 0; i < 8; ++i)
    waiting.push_back(tcp_socket());
  std::uint64_t before = 0;
  const auto accepts = [&] {
    std::uint64_t n = 0;
    server.on_loop([&](net::loop& l) { n = l.io().calls().accepts; });
    return n - before;
  };
  before = accepts();
  {
    const full_table none_left;
    for (const net::unique_fd& fd : waiting)
      ASSERT_TRUE(connect_to(fd, server.at()));
    ASSERT_TRUE(log.lines.wait_for("out of file descriptors"));
    for (int i = 0; i < 50; ++i)
      expect_echo(first);
    EXPECT_EQ(accepts(), 2U);
    clock.advance(1s);
    ASSERT_TRUE((server.on_loop(), log.lines.wait(2)));
    for (int i = 0; i < 50; ++i)
      expect_echo(first);
    EXPECT_EQ(accepts(), 4U);
  }
  clock.advance(1s);
  server.on_loop();
  std::size_t hung_up = 0;
  std::size_t served = 0;
  for (net::unique_fd& fd : waiting) {
    raw_peer peer(std::move(fd));
    const bool open = peer.upgrade().starts_with(yes);
    (open ? served : hung_up) += 1;
    if (open) expect_echo(peer);
  }
  EXPECT_EQ(hung_up, 2U) << "those that were shed with the spare descriptor";
  EXPECT_EQ(served, 6U);
}

// ---- doors

/// A client's conversation: what came back, or what went wrong.
std::string echoed(std::string_view url, const client_options& options = {}) {
  std::string why;
  result<blocking_connection> c = connect(url, options, {}, {}, &why);
  if (!c) return why;
  if (const result<void> sent = c->send("hello"); !sent) return sent.error().message();
  const result<message> m = c->receive();
  if (!m) return m.error().message();
  const result<close_code> code = c->close();
  return std::string(m->text()) + (code && *code == close_code::normal ? " 1000" : " not closed");
}

TEST(server_doors, a_unix_socket_serves_and_its_file_goes_with_the_server) {
  const std::string path = "/tmp/hawser-ws-test-" + std::to_string(::getpid());
  for (const std::string& where : {path, "@" + path}) {
    echo server;
    server.start("unix:" + where);
    client_options options;
    options.unix_path = where;
    EXPECT_EQ(echoed("ws://any.test/", options), "hello 1000") << where;
    struct stat file {};
    EXPECT_EQ(::lstat(path.c_str(), &file) == 0, where == path);
    server.stop();
    EXPECT_NE(::lstat(path.c_str(), &file), 0);
    EXPECT_NE(echoed("ws://any.test/", options), "hello 1000");
  }
}

TEST(server_doors, ipv6_serves) {
  const net::unique_fd probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const net::system_address any = net::address_access::to_system(net::address::ip("::1", 0).value());
  if (!probe || ::bind(probe.get(), any.get(), any.size) != 0) GTEST_SKIP() << "this machine has no ::1";
  echo server;
  server.start("[::1]:0");
  EXPECT_TRUE(server.url().starts_with("ws://[::1]:")) << server.url();
  EXPECT_EQ(echoed(server.url()), "hello 1000");
}

TEST(server_doors, several_loops_share_a_port_and_each_gets_connections) {
  server_options options;
  options.threads = 3;
  std::mutex lock;
  std::set<std::thread::id> loops;
  running_server server(options);
  server->route("/").on_connect([&](connection c, const handshake&) {
    const std::lock_guard guard(lock);
    loops.insert(std::this_thread::get_id());
    c.send(std::to_string(loops.size()));
  });
  server.start();
  std::string seen;
  std::vector<std::unique_ptr<raw_peer>> peers;
  // The system deals them out by chance: that one loop of three gets none of 100 happens once in 10^17 times.
  for (int i = 0; i < 100 && seen != "3"; ++i) {
    peers.push_back(std::make_unique<raw_peer>(server.at()));
    EXPECT_TRUE(peers.back()->upgrade().starts_with(yes));
    seen = peers.back()->frame().payload;
  }
  EXPECT_EQ(seen, "3");
}

// ---- the end

TEST(server_end, stop_in_a_handler_says_1001_to_each_peer_of_each_loop) {
  server_options options;
  options.threads = 2;
  std::atomic<int> closed{0};
  running_server server(options);
  server->route("/")
      .on_message([&](connection c, const message&) {
        c.send("last words");
        server->stop();
        server->stop(close_code::normal);
      })
      .on_close([&](connection, close_code code, std::string_view) {
        EXPECT_EQ(code, close_code::going_away);
        ++closed;
      });
  server.start();
  std::vector<std::unique_ptr<raw_peer>> peers;
  for (int i = 0; i < 12; ++i) {
    peers.push_back(std::make_unique<raw_peer>(server.at()));
    EXPECT_TRUE(peers.back()->upgrade().starts_with(yes));
  }
  peers.front()->text("stop");
  EXPECT_EQ(peers.front()->frame().payload, "last words");
  for (const auto& peer : peers) {
    EXPECT_EQ(close_code_of(peer->frame_of(8)), 1001U);
    peer->out().close(1001);
    peer->flush().hang_up();
  }
  server.join();
  EXPECT_EQ(closed, 12);
}

TEST(server_end, nobody_comes_in_after_stop) {
  echo server;
  server.start();
  {
    raw_peer peer(server.at());
    EXPECT_TRUE(peer.upgrade().starts_with(yes));
  }
  server.stop();
  EXPECT_FALSE(connect_to(tcp_socket(), server.at()));
  EXPECT_EQ(server.closed.lines().size(), 1U);
}

std::atomic<int> pipe_signals{0};

// The default action of SIGPIPE ends the process. A peer that ended its side and then reset makes
// the next write fail with EPIPE, and so does any write to a Unix socket whose peer is gone.
TEST(server_end, writing_to_a_peer_that_is_gone_raises_no_sigpipe) {
  struct sigaction counting {};
  struct sigaction before {};
  counting.sa_handler = [](int) { ++pipe_signals; };
  ::sigaction(SIGPIPE, &counting, &before);
  const std::string path = "unix:@hawser-ws-pipe-" + std::to_string(::getpid());
  for (const std::string& where : {std::string("127.0.0.1:0"), path}) {
    std::promise<void> asked;
    std::promise<void> gone;
    journal closed;
    running_server server;
    server->route("/")
        .on_message([&](connection c, const message&) {
          asked.set_value();
          gone.get_future().wait();
          c.send("too late");
        })
        .on_close([&](connection, close_code, std::string_view) { closed.add("closed"); });
    server.start(where);
    raw_peer peer(server.at());
    EXPECT_TRUE(peer.upgrade("/", {}, "localhost").starts_with(yes));
    peer.text("x");
    asked.get_future().wait();
    peer.finish();
    peer.reset();
    gone.set_value();
    EXPECT_TRUE(closed.wait(1)) << where;
    server.stop();
  }
  EXPECT_EQ(pipe_signals, 0);
  ::sigaction(SIGPIPE, &before, nullptr);
}

}  // namespace
}  // namespace hawser::test
