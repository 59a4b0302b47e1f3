// Servers and their connections over real sockets: handles, other threads, back-pressure, topics, and the end.

#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hawser::test {
namespace {

TEST(server_life, a_handle_of_the_past_answers_closed_for_ever) {
  std::promise<connection> first;
  std::atomic<bool> told{false};
  journal closed;
  running_server server;
  server->route("/")
      .on_connect([&](connection c, const handshake&) {
        if (!told.exchange(true)) first.set_value(c);
      })
      .on_close([&](connection, close_code code, std::string_view) {
        closed.add(std::to_string(static_cast<unsigned>(code)));
      });
  server.start();
  connection old;
  {
    raw_peer peer(server.at());
    peer.upgrade();
    old = first.get_future().get();
    EXPECT_TRUE(old.is_open());
    EXPECT_EQ(to_errc(old.stats().error()), errc::wrong_thread);
    EXPECT_EQ(old.pause(), errc::wrong_thread);
    EXPECT_EQ(old.close(static_cast<close_code>(1006)), errc::invalid_close_code);
    EXPECT_EQ(old.send(std::string_view("\xFF")), errc::invalid_utf8);
    EXPECT_EQ(old.subscribe(""), errc::invalid_argument);
    peer.out().close(1000);
    peer.flush().to_end();
  }
  ASSERT_TRUE(closed.wait_for("1000"));
  for (int i = 0; i < 50; ++i) {
    raw_peer another(server.at());
    another.upgrade();
    EXPECT_NE(old.send("x"), errc::would_block);
    another.reset();
    ASSERT_TRUE(closed.wait(static_cast<std::size_t>(i) + 2));
  }
  EXPECT_EQ(old.send("x"), errc::closed);
  EXPECT_EQ(old.close(), errc::closed);
  EXPECT_EQ(old.terminate(), errc::closed);
  EXPECT_EQ(old.post([] {}), errc::closed);
  EXPECT_EQ(old.publish("t", "x"), errc::closed);
  EXPECT_EQ(to_errc(old.stats().error()), errc::closed);
  EXPECT_FALSE(old.is_open());
  server.stop();
  EXPECT_EQ(old.send("x"), errc::closed);
}

// For the thread sanitizer above all: every thread-safe call while connections come and go and the server ends.
TEST(server_life, other_threads_may_call_while_connections_come_and_go) {
  server_options options;
  options.threads = 2;
  std::mutex lock;
  std::vector<connection> handles;
  running_server server(options);
  server->route("/").on_connect([&](connection c, const handshake&) {
    c.subscribe("t");
    const std::lock_guard guard(lock);
    handles.push_back(c);
  });
  server.start();
  std::atomic<bool> done{false};
  std::vector<std::thread> callers;
  for (unsigned i = 0; i < 4; ++i)
    callers.emplace_back([&, i] {
      for (unsigned n = i; !done; ++n) {
        connection c;
        {
          const std::lock_guard guard(lock);
          if (!handles.empty()) c = handles[n % handles.size()];
        }
        static_cast<void>(c.send("hello"));
        static_cast<void>(c.publish("t", "news"));
        static_cast<void>(server->publish("t", "more"));
        static_cast<void>(c.post([] {}));
        static_cast<void>(c.is_open());
        static_cast<void>(c.subscribe("u"));
        static_cast<void>(c.unsubscribe("u"));
        if (n % 7 == 0) static_cast<void>(c.close());
        if (n % 11 == 0) static_cast<void>(c.terminate());
        std::this_thread::yield();
      }
    });
  for (int i = 0; i < 60; ++i) {
    raw_peer peer(server.at());
    peer.upgrade();
    peer.frame();
  }
  server.stop();
  done = true;
  for (std::thread& t : callers)
    t.join();
}

// Of what other threads were told is queued, nothing is lost and nothing is doubled, however slowly the peer reads.
TEST(server_life, what_another_thread_was_told_is_queued_arrives) {
  std::promise<connection> opened;
  journal drained;
  running_server server;
  server->route("/").on_connect([&](connection c, const handshake&) { opened.set_value(c); }).on_drain([&](connection) {
    drained.add("drain");
  });
  server.start();
  raw_peer peer(server.at(), 4096);
  peer.upgrade();
  const connection c = opened.get_future().get();
  constexpr std::size_t size = 20'000;
  std::size_t taken = 0;
  std::size_t refused = 0;
  while (refused == 0 && taken < 5000) {
    std::string text = std::to_string(taken) + ":";
    text.resize(size, 'x');
    const errc e = c.send(text);
    ASSERT_TRUE(e == errc::ok || e == errc::would_block);
    (e == errc::ok ? taken : refused) += 1;
  }
  EXPECT_EQ(refused, 1U) << "nothing bounds what may be queued";
  for (std::size_t i = 0; i < taken; ++i) {
    const raw_frame f = peer.frame();
    ASSERT_EQ(f.payload.size(), size);
    ASSERT_EQ(f.payload.substr(0, f.payload.find(':')), std::to_string(i));
  }
  EXPECT_TRUE(drained.wait(1)) << "who heard would_block hears when there is room";
}

// A loop inside a handler that sends until it hears would_block comes to an end.
TEST(server_life, sending_in_a_handler_feels_the_peers_pace) {
  std::promise<std::size_t> sent;
  running_server server;
  server->route("/").on_connect([&](connection c, const handshake&) {
    const std::string block(100'000, 'y');
    std::size_t n = 0;
    while (n < 2000 && c.send(block) == errc::ok)
      ++n;
    sent.set_value(n);
  });
  server.start();
  raw_peer peer(server.at(), 4096);
  peer.upgrade();
  const std::size_t n = sent.get_future().get();
  EXPECT_LT(n, 2000U);
  for (std::size_t i = 0; i < n; ++i)
    ASSERT_EQ(peer.frame().payload.size(), 100'000U);
}

TEST(server_life, nothing_is_delivered_while_paused_and_all_of_it_afterwards_in_order) {
  journal seen;
  running_server server;
  server->route("/").on_message([&](connection c, const message& m) {
    seen.add(std::string(m.text()));
    if (m.text() != "b") return;
    EXPECT_EQ(c.pause(), errc::ok);
    seen.add("paused");
    // Behind everything that came in the same read.
    EXPECT_EQ(c.post([&seen, c] {
      seen.add("resumed");
      EXPECT_EQ(c.resume(), errc::ok);
    }),
              errc::ok);
  });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.out().text("a").text("b").text("c").text(std::string(100'000, 'd')).text("e").close(1000);
  peer.flush();
  peer.finish();
  EXPECT_EQ(close_code_of(peer.frame_of(8)), 1000U);
  EXPECT_EQ(seen.text(), "a b paused resumed c " + std::string(100'000, 'd') + " e");
}

TEST(server_life, topics_reach_every_subscriber_once_and_in_order) {
  server_options options;
  options.threads = 2;
  running_server server(options);
  server->route("/")
      .on_connect([](connection c, const handshake&) {
        c.subscribe("t");
        c.send("in");
      })
      .on_message([](connection c, const message& m) {
        c.send("before");
        c.publish("t", m);
        c.send("after");
      });
  server.start();
  std::vector<std::unique_ptr<raw_peer>> peers;
  for (int i = 0; i < 6; ++i) {
    peers.push_back(std::make_unique<raw_peer>(server.at()));
    peers.back()->upgrade();
    EXPECT_EQ(peers.back()->frame().payload, "in");
  }
  peers[0]->out().text("one").text("two");
  peers[0]->flush();
  for (const char* expected : {"before", "after", "before", "after"})
    EXPECT_EQ(peers[0]->frame().payload, expected) << "the publisher itself is left out";
  for (std::size_t i = 1; i < peers.size(); ++i) {
    EXPECT_EQ(peers[i]->frame().payload, "one");
    EXPECT_EQ(peers[i]->frame().payload, "two");
  }
  EXPECT_EQ(server->publish("t", "all"), errc::ok);
  for (const auto& peer : peers)
    EXPECT_EQ(peer->frame().payload, "all");
  EXPECT_EQ(server->publish("", "x"), errc::invalid_argument);
}

// RFC 6455, 5.4: no other message between the frames of one.
TEST(server_life, publications_wait_for_the_end_of_a_message_in_parts) {
  running_server server;
  server->route("/").on_connect([&](connection c, const handshake&) {
    c.subscribe("t");
    EXPECT_EQ(c.begin_text(), errc::ok);
    EXPECT_EQ(c.send_part(as_bytes(std::string_view("one ")), false), errc::ok);
    EXPECT_EQ(server->publish("t", "news"), errc::ok);
    EXPECT_EQ(c.post([c] { EXPECT_EQ(c.send_part(as_bytes(std::string_view("two")), true), errc::ok); }), errc::ok);
  });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  EXPECT_EQ(peer.frame(), (raw_frame{0x01, "one "}));
  EXPECT_EQ(peer.frame(), (raw_frame{0x80, "two"}));
  EXPECT_EQ(peer.frame(), (raw_frame{0x81, "news"}));
}

TEST(server_life, a_handler_that_throws_closes_its_own_connection_and_tells_the_peer_nothing) {
  journal seen;
  running_server server;
  server->on_error([&](const failure& f) { seen.add(f.error() == errc::handler_threw ? "server" : "other"); });
  server->route("/")
      .on_message([](connection, const message&) { throw std::runtime_error("a secret"); })
      .on_error([&](connection, const failure& f) {
        seen.add(f.what().find("a secret") != std::string::npos ? "route" : "wordless");
      })
      .on_close([&](connection, close_code code, std::string_view) {
        seen.add(std::to_string(static_cast<unsigned>(code)));
      });
  server.start();
  raw_peer other(server.at());
  other.upgrade();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.text("x");
  const raw_frame f = peer.frame_of(8);
  EXPECT_EQ(close_code_of(f), 1011U);
  EXPECT_EQ(f.payload.find("secret"), std::string::npos);
  ASSERT_TRUE(seen.wait(3));
  EXPECT_EQ(seen.text(), "server route 1011");
  other.out().ping("still here");
  EXPECT_EQ(other.flush().frame().payload, "still here");
}

TEST(server_life, stop_says_1001_to_each_peer_and_ends_in_time_when_one_does_not_answer) {
  server_options options;
  options.close_timeout = std::chrono::milliseconds(200);
  options.threads = 2;
  journal closed;
  running_server server(options);
  server->route("/").on_close([&](connection, close_code, std::string_view) { closed.add("closed"); });
  server.start();
  raw_peer polite(server.at());
  raw_peer deaf(server.at());
  raw_peer half(server.at());
  polite.upgrade();
  deaf.upgrade();
  half.send("GET / HT");
  server->stop();
  server->stop(close_code::normal);
  EXPECT_EQ(close_code_of(polite.frame_of(8)), 1001U);
  polite.out().close(1001);
  polite.flush();
  EXPECT_EQ(close_code_of(deaf.frame_of(8)), 1001U);
  server.join();
  EXPECT_EQ(closed.lines().size(), 2U) << "each on_connect has its on_close";
}

TEST(server_life, the_socket_file_of_a_server_that_was_killed_is_replaced_and_no_other_one) {
  const std::string path = ::testing::TempDir() + "hawser_stale_" + std::to_string(::getpid());
  const std::string address = "unix:" + path;
  {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path.copy(at.sun_path, sizeof at.sun_path - 1);
    const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    ::close(dead);  // The file stays, as it does when its owner is killed.
  }
  server first;
  server second;
  EXPECT_TRUE(first.listen(address));
  const result<net::address> taken = second.listen(address);
  ASSERT_FALSE(taken);
  EXPECT_EQ(to_errc(taken.error()), errc::address_in_use);
}

TEST(server_life, stop_before_run_and_twice) {
  server one;
  one.stop();
  ASSERT_TRUE(one.listen("127.0.0.1:0"));
  one.stop();
  EXPECT_TRUE(one.run());
  EXPECT_EQ(to_errc(one.run().error()), errc::wrong_state) << "a server runs once";
}

// H3: after the end of the server no handler is called, on no loop.
TEST(server_life, a_handler_may_destroy_the_server) {
  for (const unsigned threads : {1U, 3U}) {
    server_options options;
    options.threads = threads;
    options.close_timeout = std::chrono::milliseconds(200);
    auto it = std::make_unique<server>(options);
    std::atomic<bool> gone{false};
    std::atomic<int> late{0};
    it->route("/")
        .on_connect([&](connection, const handshake&) { late += gone ? 1 : 0; })
        .on_message([&](connection c, const message&) {
          c.send("last words");
          it.reset();
          gone = true;
        })
        .on_close([&](connection, close_code, std::string_view) { late += gone ? 1 : 0; });
    const result<net::address> at = it->listen("127.0.0.1:0");
    ASSERT_TRUE(at);
    std::thread runner([s = it.get()] { EXPECT_TRUE(s->run()); });
    std::vector<std::unique_ptr<raw_peer>> peers;
    for (int i = 0; i < 5; ++i) {
      peers.push_back(std::make_unique<raw_peer>(*at));
      peers.back()->upgrade();
    }
    peers[0]->text("end");
    EXPECT_EQ(peers[0]->frame().payload, "last words");
    for (const auto& peer : peers)
      EXPECT_EQ(close_code_of(peer->frame_of(8)), 1001U);
    runner.join();
    EXPECT_EQ(late, 0);
  }
}

// Nor is what was to be done with the metrics, when they were asked for before.
TEST(server_life, a_handler_that_destroys_the_server_takes_back_what_it_asked) {
  for (const unsigned threads : {1U, 3U}) {
    server_options options;
    options.threads = threads;
    auto it = std::make_unique<server>(options);
    std::atomic<int> late{0};
    it->route("/").on_message([&](connection, const message&) {
      it->metrics([&](const metrics&) { ++late; });
      it.reset();
    });
    const result<net::address> at = it->listen("127.0.0.1:0");
    ASSERT_TRUE(at);
    std::thread runner([s = it.get()] { EXPECT_TRUE(s->run()); });
    raw_peer peer(*at);
    peer.upgrade();
    peer.text("end");
    EXPECT_EQ(close_code_of(peer.frame_of(8)), 1001U);
    peer.hang_up();
    runner.join();
    EXPECT_EQ(late, 0);
  }
}

// The log need not outlive the server's destructor.
TEST(server_life, what_is_done_with_the_metrics_may_destroy_the_server_and_throw) {
  lines log;
  server_options options;
  options.log = &log;
  auto it = std::make_unique<server>(options);
  std::size_t written = 0;
  it->route("/").on_message([&](connection, const message&) {
    it->metrics([&](const metrics&) {
      it.reset();
      written = log.kept.lines().size();
      throw 7;
    });
  });
  const result<net::address> at = it->listen("127.0.0.1:0");
  ASSERT_TRUE(at);
  std::thread runner([s = it.get()] { EXPECT_TRUE(s->run()); });
  raw_peer peer(*at);
  peer.upgrade();
  peer.text("end");
  EXPECT_EQ(close_code_of(peer.frame_of(8)), 1001U);
  peer.hang_up();
  runner.join();
  EXPECT_EQ(log.kept.lines().size(), written) << log.kept.text();
}

}  // namespace
}  // namespace hawser::test
