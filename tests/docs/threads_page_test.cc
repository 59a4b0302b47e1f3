// The code that docs/threads.md shows, as it stands there, at work between a client and a server.
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hawser::test {
namespace {

// What the page takes for granted.
class worker_threads {
 public:
  ~worker_threads() {
    for (std::thread& t : all_)
      t.join();
  }
  template <class F>
  void run(F f) {
    all_.emplace_back(std::move(f));
  }

 private:
  std::vector<std::thread> all_;
};

std::string answer_to(const std::string& question) { return question + ": 42"; }

struct visitor {
  int messages = 0;
};

class inbox_of_messages {
 public:
  void add(hawser::message m) {
    const std::lock_guard guard(lock_);
    all_.push_back(std::move(m));
  }
  [[nodiscard]] std::vector<hawser::message> take() {
    const std::lock_guard guard(lock_);
    return std::exchange(all_, {});
  }

 private:
  std::mutex lock_;
  std::vector<hawser::message> all_;
};

TEST(threads_page, another_thread_answers_through_the_handle) {
  worker_threads workers;
  running_server server;
  server->route("/").on_message([&](hawser::connection c, const hawser::message& m) {
    workers.run([c, question = std::string(m.text())] { c.send(answer_to(question)); });
  });
  server.start();
  auto ws = hawser::connect(server.url()).value();
  ASSERT_TRUE(ws.send("how many"));
  const hawser::message answer = ws.receive().value();
  EXPECT_EQ(answer.text(), "how many: 42");
}

TEST(threads_page, post_runs_on_the_loop) {
  journal seen;
  running_server server;
  server->route("/").on_message([](hawser::connection c, const hawser::message& m) { c.send(m); });
  server.start();
  auto ws = hawser::connect(server.url()).value();
  ASSERT_TRUE(ws.send("one"));
  ASSERT_TRUE(ws.receive());
  const hawser::connection c = ws.handle();
  EXPECT_EQ(std::error_code(c.stats().error()), errc::wrong_thread);

  c.post([c, &seen] {
    if (const auto all = c.stats()) seen.add(std::to_string(all->messages_in) + " came");
  });

  ASSERT_TRUE(seen.wait(1));
  EXPECT_EQ(seen.text(), "1 came");
}

TEST(threads_page, a_message_is_kept_longer_than_its_connection) {
  inbox_of_messages inbox;
  running_server server;
  server->route("/").on_connect([](hawser::connection c, const hawser::handshake&) {
    c.send("small");
    c.send(std::string(100'000, 'l'));
    c.close();
  });
  server.start();
  hawser::client ws(server.url());
  ws.on_message([&](hawser::connection, const hawser::message& m) { inbox.add(m.take()); });
  EXPECT_EQ(ws.run_forever(), 0);
  server.stop();
  const std::vector<hawser::message> all = inbox.take();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].text(), "small");
  EXPECT_EQ(all[1].text(), std::string(100'000, 'l'));
}

TEST(threads_page, an_object_comes_along_with_its_connection) {
  running_server server;
  server->route("/")
      .on_connect([](hawser::connection c, const hawser::handshake&) { c.set_data(std::make_unique<visitor>()); })
      .on_message([](hawser::connection c, const hawser::message&) {
        if (auto* who = c.data<visitor>()) c.send(std::to_string(++who->messages));
      });
  server.start();
  auto ws = hawser::connect(server.url()).value();
  for (const char* expected : {"1", "2"}) {
    ASSERT_TRUE(ws.send("again"));
    const hawser::message m = ws.receive().value();
    EXPECT_EQ(m.text(), expected);
  }
}

}  // namespace
}  // namespace hawser::test
