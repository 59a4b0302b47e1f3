// Whatever others put into a text, people and logs get one line of it, without control characters.

#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/core/extension.h>
#include <hawser/ws/client.h>
#include <hawser/ws/server.h>

#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace hawser::test {
namespace {

constexpr std::string_view forged = "bad\r\n\x1B]0;title\x07 \xC2\x9B 2026 error: all is lost";
constexpr std::string_view harmless = "bad\\x0d\\x0a\\x1b]0;title\\x07 \\xc2\\x9b 2026 error: all is lost";

void expect_one_line(const std::string& line) {
  for (const char c : line)
    EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != '\x7F') << line;
  EXPECT_NE(line.find(harmless), std::string::npos) << line;
}

/// Fails the connection at its first message, with words of its author's.
struct failing_stage {
  static constexpr unsigned hooks = 0;
  verdict begin(direction, head&, context& c) {
    c.fail(close_code::policy_violation, forged);
    return verdict::bypass;
  }
};
struct failing_factory {
  static std::string_view name() { return "x-failing"; }
  static std::vector<params> offers() { return {params{}}; }
  static std::optional<accepted<failing_stage>> accept(const std::vector<params>&) { return accepted<failing_stage>{}; }
  static std::optional<accepted<failing_stage>> confirm(const params&) { return accepted<failing_stage>{}; }
};

TEST(one_line, what_a_handler_of_a_server_threw) {
  lines log;
  journal told;
  server_options options;
  options.log = &log;
  running_server server(options);
  server->on_error([&](const failure& f) { told.add(f.what()); });
  server->route("/")
      .on_message([](connection, const message&) { throw std::runtime_error(std::string(forged)); })
      .on_error([&](connection, const failure& f) { told.add(f.what()); });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade();
  peer.text("x");
  ASSERT_TRUE(told.wait(2));
  ASSERT_TRUE(log.kept.wait(1));
  peer.hang_up();
  server.stop();
  for (const std::string& line : told.lines())
    expect_one_line(line);
  for (const std::string& line : log.kept.lines())
    expect_one_line(line);
}

TEST(one_line, the_reason_that_a_stage_fails_with) {
  lines log;
  journal told;
  server_options options;
  options.log = &log;
  running_server server(options);
  server->extensions().add(failing_factory());
  server->route("/").on_error([&](connection, const failure& f) { told.add(f.what()); });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade("/", "Sec-WebSocket-Extensions: x-failing\r\n");
  peer.text("x");
  ASSERT_TRUE(told.wait(1));
  ASSERT_TRUE(log.kept.wait(1));
  peer.hang_up();
  server.stop();
  expect_one_line(told.lines()[0]);
  expect_one_line(log.kept.lines()[0]);
}

TEST(one_line, the_reason_phrase_of_a_response) {
  raw_listener listener;
  auto result = std::async(std::launch::async, [&] {
    std::string why;
    EXPECT_FALSE(connect(listener.url(), {}, {}, {}, &why));
    return why;
  });
  raw_peer peer = listener.accept();
  peer.until("\r\n\r\n");
  peer.send("HTTP/1.1 404 N\xC2\x9B 31m\r\nContent-Length: 0\r\n\r\n");
  const std::string why = result.get();
  EXPECT_NE(why.find("404"), std::string::npos) << why;
  EXPECT_EQ(why.find('\xC2'), std::string::npos) << why;
}

TEST(one_line, the_reason_that_the_peer_closes_with) {
  raw_listener listener;
  auto opening = std::async(std::launch::async, [&] { return connect(listener.url()); });
  raw_peer peer = listener.accept();
  peer.accept_upgrade();
  auto ws = opening.get();
  ASSERT_TRUE(ws);
  peer.out().close(1000, forged);
  peer.flush();
  EXPECT_EQ(to_errc(ws->receive().error()), errc::closed);
  peer.hang_up();
  expect_one_line(ws->farewell());
}

TEST(one_line, a_failure_is_cut_where_it_becomes_too_long) {
  const failure f(errc::internal, std::string(1'000'000, 'x'));
  EXPECT_LT(f.what().size(), 2'000U);
}

}  // namespace
}  // namespace hawser::test
