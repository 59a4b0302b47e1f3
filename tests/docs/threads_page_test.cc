// docs/threads.md: its code as it stands there, at work between a client and a server, and its table of calls against
// the headers.
#include "docs/table.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>

#include <memory>
#include <mutex>
#include <regex>
#include <set>
#include <string>
#include <string_view>
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

// "server::stop", for each call of the class `owner` of which its comment says that it may come from any thread.
std::set<std::string> calls_from_any_thread(const std::string& path, const std::string& owner) {
  std::string header = text_of(path);
  std::string_view rest = header;
  static_cast<void>(take_until(rest, "\nclass HAWSER_API " + owner + " {"));
  const std::string body(take_until(rest, "\n private:"));
  static const std::regex comment_and_call(R"(((?: +///[^\n]*\n)+) +[^/\n(]*?(\w+)\()");
  static const std::regex any_thread(R"(Any\s+(///\s+)?thread)");
  std::set<std::string> calls;
  for (std::sregex_iterator at(body.begin(), body.end(), comment_and_call), end; at != end; ++at)
    if (std::regex_search(at->str(1), any_thread)) calls.insert(owner + "::" + at->str(2));
  return calls;
}

// What is said of a call stands in both places, or in neither.
TEST(threads_page, the_table_has_the_calls_that_come_from_any_thread) {
  std::set<std::string> in_headers = calls_from_any_thread("include/hawser/ws/server.h", "server");
  in_headers.merge(calls_from_any_thread("include/hawser/ws/client.h", "client"));
  std::set<std::string> on_page;
  for (const auto& [heading, cells] : rows_of("docs/threads.md")) {
    if (heading != "Which call on which thread" || !cells.at(1).starts_with("any")) continue;
    static const std::regex name(R"((?:(\w+)::)?(\w+))");
    std::string owner = "connection";  // As the first row means it.
    for (std::sregex_iterator at(cells[0].begin(), cells[0].end(), name), end; at != end; ++at) {
      if (at->length(1) > 0) owner = at->str(1);
      if (owner != "connection") on_page.insert(owner + "::" + at->str(2));
    }
  }
  EXPECT_EQ(in_headers, on_page);
}

}  // namespace
}  // namespace hawser::test
