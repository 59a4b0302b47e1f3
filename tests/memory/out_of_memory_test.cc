// What happens when the system has no memory: for every allocation that a scenario makes on the library's own threads,
// the scenario is run once with that one failing. At most the connection that needed it ends; nothing is left behind,
// and the others go on.

#include "memory/failing_new.h"
#include "ws/asked_page.h"
#include "ws/on_loop.h"
#include "ws/running_server.h"
#include "ws/session.h"

#include <gtest/gtest.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace hawser::test {
namespace {

std::string pattern(std::size_t size) {
  std::string made(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    made[i] = static_cast<char>('a' + i % 23);
  return made;
}

void flip(byte_span message) {
  for (std::byte& b : message)
    b ^= std::byte{1};
}

struct counted {
  counted() { ++alive; }
  ~counted() { --alive; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  static inline std::atomic<int> alive{0};
};

/// Echoes; "/kept" keeps an object with the connection, "/topic" publishes what it hears to everybody, "/parts" answers
/// in parts.
struct rig : running_server {
  rig() {
    spared = true;
    it().extensions().add(ext::message_extension("x-flip", rsv::one).encode(flip).decode(flip));
    it().route("/")
        .on_connect(opened())
        .on_message([](connection c, const message& m) { c.send(m); })
        .on_close(closed());
    it().route("/topic")
        .on_connect([this](connection c, const handshake&) {
          ++open;
          c.subscribe("t");
        })
        .on_message([this](connection c, const message& m) {
          c.publish("t", m);
          c.send("published");
          it().publish("t", "from the server");
        })
        .on_close(closed());
    it().route("/kept")
        .on_connect(opened())
        .on_message([](connection c, const message&) {
          c.set_data(std::make_unique<counted>());
          c.send("done");
        })
        .on_close(closed());
    it().route("/parts")
        .on_connect(opened())
        .on_message([](connection c, const message& m) {
          c.begin_text();
          c.send_part(m.bytes(), false);
          c.send_part(m.bytes(), true);
        })
        .on_close(closed());
    start();
    witness = std::make_unique<raw_peer>(at());
    witness->upgrade("/");
    subscriber = std::make_unique<raw_peer>(at());
    subscriber->upgrade("/topic");
  }
  ~rig() {
    fails_at = -1;
    witness.reset();
    subscriber.reset();
    stop();
  }

  /// Runs the scenario with the allocation number `n` failing, and sees that nothing but its connection was harmed.
  void run_failing(std::size_t n, const std::function<void(raw_peer&)>& scenario) {
    ASSERT_TRUE(comes_true(it(), [this](worker&) { return open == 2; }));
    failed = false;
    raw_peer peer(at());
    fails_at = static_cast<std::int64_t>(n);
    scenario(peer);
    peer.hang_up();
    ASSERT_TRUE(comes_true(it(), [](worker& w) { return w.sessions().size() == 2; })) << "it is still there";
    fails_at = -1;
    ASSERT_EQ(open, 2) << "on_connect and on_close balance";
    drain(*subscriber);
    witness->text("still here");
    ASSERT_EQ(witness->frame().payload, "still here");
    ASSERT_TRUE(comes_true(it(), [](worker& w) { return w.loop().pool().used_bytes() == 0; }));
  }

 private:
  function<void(connection, const handshake&)> opened() {
    return [this](connection, const handshake&) { ++open; };
  }
  function<void(connection, close_code, std::string_view)> closed() {
    return [this](connection, close_code, std::string_view) { --open; };
  }
  // The one that stays hears publications; whatever came, it is alive.
  void drain(raw_peer& peer) {
    peer.out().ping("sync");
    peer.flush();
    raw_frame f = peer.frame();
    while (f.op() == 1)
      f = peer.frame();
    ASSERT_EQ(f, (raw_frame{0x8A, "sync"})) << "the subscriber was ended with another one";
  }

 public:
  std::atomic<int> open{0};
  std::unique_ptr<raw_peer> witness;
  std::unique_ptr<raw_peer> subscriber;
};

// With the first, the second ... allocation failing, each on a server that has nothing spare yet, until the scenario
// needs no more of them.
void sweep(const std::function<void(raw_peer&)>& scenario) {
  std::size_t n = 0;
  for (failed = true; failed && n < many && !testing::Test::HasFatalFailure(); ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    rig server;
    server.run_failing(n, scenario);
  }
  EXPECT_GT(n, 1U) << "nothing was tried";
  EXPECT_LT(n, many);
}

bool opens(raw_peer& peer, std::string_view path = "/", std::string_view extra = {}) {
  return peer.upgrade(path, extra).find(" 101 ") != std::string::npos;
}

// Either what was expected, or the end: 1011, or no more bytes.
void expect_or_end(raw_peer& peer, const raw_frame& expected) {
  const raw_frame f = peer.frame();
  if (f == expected || f.first == 0) return;
  EXPECT_EQ(f.op(), 8U);
  if (f.op() == 8) {
    EXPECT_EQ(close_code_of(f), 1011U);
  }
}

TEST(out_of_memory, opening) {
  sweep([](raw_peer& peer) { opens(peer); });
}

TEST(out_of_memory, short_message) {
  sweep([](raw_peer& peer) {
    if (opens(peer)) expect_or_end(peer.text("hello"), {0x81, "hello"});
  });
}

TEST(out_of_memory, object_of_a_connection) {
  sweep([](raw_peer& peer) {
    if (opens(peer, "/kept")) expect_or_end(peer.text("keep it"), {0x81, "done"});
  });
  EXPECT_EQ(counted::alive, 0) << "what could not be kept is destroyed";
}

TEST(out_of_memory, large_message) {
  const std::string large = pattern(300'000);
  sweep([&](raw_peer& peer) {
    if (opens(peer)) expect_or_end(peer.text(large), {0x81, large});
  });
}

TEST(out_of_memory, fragments_and_an_extension) {
  sweep([](raw_peer& peer) {
    // Without memory for its answer an extension is declined, and the connection does without it.
    if (peer.upgrade("/", "Sec-WebSocket-Extensions: x-flip\r\n").find("x-flip") == std::string::npos) return;
    peer.out().frame(0x41, pattern(5000)).frame(0x80, pattern(5000));
    expect_or_end(peer.flush(), {0xC1, pattern(5000) + pattern(5000)});
  });
}

TEST(out_of_memory, answer_in_parts) {
  sweep([](raw_peer& peer) {
    if (!opens(peer, "/parts")) return;
    expect_or_end(peer.text(pattern(3000)), {0x01, pattern(3000)});
  });
}

TEST(out_of_memory, publication) {
  sweep([](raw_peer& peer) {
    if (!opens(peer, "/topic")) return;
    peer.text(pattern(3000));
    while (!peer.frame().payload.empty() && !failed && peer.receive(0)) {
    }
  });
}

TEST(out_of_memory, close) {
  sweep([](raw_peer& peer) {
    if (!opens(peer)) return;
    peer.out().frame(0x88, "\x03\xE8");
    const raw_frame f = peer.flush().frame();
    if (f.first != 0) {
      EXPECT_EQ(f.op(), 8U);
    }
  });
}

// An answer that is gathered first comes from no call-back of the stream; it needs the same net.
TEST(out_of_memory, late_answer) {
  const bool outer = std::exchange(spared, false);
  bool all_well = false;
  for (std::size_t n = 0; n < many && !all_well; ++n) {
    asked_page p;
    p.l.handlers.message = [](connection c, const message& m) { EXPECT_EQ(c.send(m), errc::ok); };
    const auto [other, other_peer] = p.l.open();
    const int peer = p.ask();
    failed = false;
    fails_at = static_cast<std::int64_t>(n);
    try {
      p.asked.at(0)(metrics{});
    } catch (const std::bad_alloc&) {
      // There is no page: that is for whoever gathered the figures to see.
    }
    fails_at = -1;
    p.l.turn();
    p.l.put(other_peer, text_frame("x"));
    EXPECT_EQ(p.l.take(other_peer), "\x81\x01x") << n;
    all_well = !failed;
    const std::string got = p.l.take(peer);
    EXPECT_TRUE(got.empty() || got.starts_with("HTTP/1.1 200 OK\r\n")) << n;
    EXPECT_TRUE(!all_well || !got.empty());
  }
  EXPECT_TRUE(all_well);
  spared = outer;
}

// A client's connection, from `on_connect` on: the client tells that it is over, and the program goes on.
TEST(out_of_memory, connection_of_a_client) {
  spared = true;
  std::size_t n = 0;
  for (failed = true; failed && n < many && !testing::Test::HasFatalFailure(); ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    raw_listener server;
    std::atomic<int> open{0};
    std::atomic<bool> over{false};
    client_options options;
    options.reconnect.enabled = false;
    client it(server.url(), options);
    it.on_connect([&](connection, const handshake&) {
        ++open;
        fails_at = static_cast<std::int64_t>(n);
      })
        .on_message([](connection c, const message& m) { c.send(m); })
        .on_close([&](close_code, std::string_view) { --open; })
        .on_disconnect([&](const disconnect&) {
          over = true;
          over.notify_all();
        });
    failed = false;
    ASSERT_TRUE(it.start());
    {
      raw_peer peer = server.accept();
      peer.accept_upgrade();
      const std::string sent = pattern(200'000);
      expect_or_end(peer.text(sent), {0x81, sent});
      expect_or_end(peer.text("short"), {0x81, "short"});
    }
    over.wait(false);
    fails_at = -1;
    ASSERT_EQ(open, 0) << "on_connect and on_close balance";
  }
  EXPECT_GT(n, 1U) << "nothing was tried";
}

// Opening a client's connection: the attempt fails and is told, and the program goes on.
TEST(out_of_memory, attempt_of_a_client) {
  spared = true;
  running_server server;
  server->route("/").on_connect([](connection c, const handshake&) { c.close(); });
  server.start();
  on_loop(server.it(), [](worker&) { return spared = true; });
  std::size_t n = 0;
  for (failed = true; failed && n < many && !testing::Test::HasFatalFailure(); ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    int open = 0;
    std::string seen;
    std::atomic<bool> over{false};
    client_options options;
    options.reconnect.enabled = false;
    client it(server.url(), options);
    it.on_connect([&](connection, const handshake&) {
        fails_at = -1;
        ++open;
        seen += "connect ";
      })
        .on_error([&](const failure&) { seen += "error "; })
        .on_close([&](close_code, std::string_view) { --open; })
        .on_disconnect([&](const disconnect&) {
          seen += "disconnect";
          over = true;
          over.notify_all();
        });
    failed = false;
    fails_at = static_cast<std::int64_t>(n);
    ASSERT_TRUE(it.start());
    over.wait(false);
    fails_at = -1;
    ASSERT_TRUE(it.stop());
    ASSERT_EQ(open, 0) << "on_connect and on_close balance";
    ASSERT_TRUE(seen == "connect disconnect" || (failed && seen == "error disconnect")) << seen;
  }
  EXPECT_GT(n, 1U) << "nothing was tried";
}

// `stop` has its end without memory as well: that of a client as that of a server.
TEST(out_of_memory, stop) {
  spared = true;
  std::size_t n = 0;
  for (failed = true; failed && n < many && !testing::Test::HasFatalFailure(); ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    std::promise<void> opened;
    running_server server;
    server->route("/");
    server.start();
    client_options options;
    options.reconnect.enabled = false;
    client it(server.url(), options);
    it.on_connect([&](connection, const handshake&) { opened.set_value(); });
    ASSERT_TRUE(it.start());
    opened.get_future().wait();
    ASSERT_TRUE(comes_true(server.it(), [](worker& w) { return w.sessions().front()->is_open(); }));
    failed = false;
    fails_at = static_cast<std::int64_t>(n);
    if (n % 2 == 0) {
      EXPECT_TRUE(it.stop());
      server.stop();
    } else {
      server.stop();
      EXPECT_TRUE(it.stop());
    }
    fails_at = -1;
  }
  EXPECT_GT(n, 1U) << "nothing was tried";
}

// Calls `run` on a thread that memory may fail on; it may say so by throwing.
void run_unspared(std::size_t n, const std::function<void()>& run, const std::function<void()>& stop) {
  std::thread runs([&] {
    fails_at = static_cast<std::int64_t>(n);
    try {
      run();
    } catch (const std::bad_alloc&) {
    }
    fails_at = -1;
  });
  stop();
  runs.join();
}

// Who cannot even begin without memory says so, and can be tried again and destroyed.
TEST(out_of_memory, run) {
  spared = true;
  std::size_t n = 0;
  for (failed = true; failed && n < many && !testing::Test::HasFatalFailure(); ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    failed = false;
    server_options options;
    options.threads = 2;
    server it(options);
    ASSERT_TRUE(it.listen("127.0.0.1:0"));
    run_unspared(
        n, [&] { static_cast<void>(it.run()); }, [&] { it.stop(); });
  }
  EXPECT_GT(n, 1U) << "nothing was tried";
  running_server server;
  server->route("/").on_connect([](connection c, const handshake&) { c.close(); });
  server.start();
  on_loop(server.it(), [](worker&) { return spared = true; });
  for (const bool apart : {false, true}) {
    n = 0;
    for (failed = true; failed && n < many && !testing::Test::HasFatalFailure(); ++n) {
      SCOPED_TRACE("allocation " + std::to_string(n));
      failed = false;
      client_options options;
      options.reconnect.enabled = false;
      client it(server.url(), options);
      const auto run = [&] {
        if (apart)
          static_cast<void>(it.start());
        else
          static_cast<void>(it.run_forever());
      };
      run_unspared(n, run, [] {});
      run_unspared(many, run, [] {});
    }
    EXPECT_GT(n, 1U) << "nothing was tried";
  }
}

}  // namespace
}  // namespace hawser::test
