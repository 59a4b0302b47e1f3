// Requests that a server answers without a WebSocket, and those that it refuses: seen by a raw socket.

#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/ws/server.h>

#include <memory>
#include <string>
#include <string_view>

namespace hawser::test {
namespace {

/// A server with an echo on /echo and a page on /page; `errors` hears what it refused.
struct web : running_server {
  explicit web(server_options options = {}) : running_server(std::move(options)) {
    it().route("/echo").on_message([](connection c, const message& m) { c.send(m); });
    it().page("/page", "text/html; charset=utf-8", "<p>hello</p>");
    it().on_error([this](const failure& f) { errors.add(f.what()); });
  }
  ~web() { stop(); }
  std::string answer(std::string_view request) {
    raw_peer peer(at());
    peer.send(request);
    return peer.to_end();
  }
  std::string status(std::string_view request) {
    const std::string all = answer(request);
    return all.substr(0, all.find("\r\n"));
  }
  journal errors;
};

std::string get(std::string_view path, std::string_view extra = {}) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + std::string(extra) + "\r\n";
}

TEST(server_requests, a_page_is_given_to_a_plain_get_and_the_connection_ends) {
  web server;
  server.start();
  const std::string all = server.answer(get("/page?v=1"));
  EXPECT_TRUE(all.starts_with("HTTP/1.1 200 OK\r\n")) << all;
  EXPECT_NE(all.find("Content-Type: text/html; charset=utf-8\r\n"), std::string::npos) << all;
  EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos) << all;
  EXPECT_TRUE(all.ends_with("\r\n\r\n<p>hello</p>")) << all;
}

TEST(server_requests, what_is_refused_has_the_status_of_the_table) {
  web server;
  server.start();
  EXPECT_EQ(server.status(get("/nowhere")), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(server.status(get("/echo")), "HTTP/1.1 426 Upgrade Required");
  EXPECT_EQ(server.status("POST /page HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_EQ(server.status(raw_peer::request("/nowhere")), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(server.status("GET /echo HTTP/1.0\r\n\r\n"), "HTTP/1.1 505 HTTP Version Not Supported");
  EXPECT_EQ(server.status("GET /echo HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(server.status("nonsense\r\n\r\n"), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(server.status(get("/" + std::string(5000, 'a'))), "HTTP/1.1 414 URI Too Long");
  EXPECT_EQ(server.status(get("/page", "X: " + std::string(9000, 'a') + "\r\n")),
            "HTTP/1.1 431 Request Header Fields Too Large");
  EXPECT_EQ(server.errors.lines().size(), 9U) << server.errors.text();
}

// RFC 9110, 15.5.22: 426 names what to upgrade to, and Upgrade is a connection option (7.8).
TEST(server_requests, a_plain_get_of_a_websocket_is_told_what_is_spoken_there) {
  web server;
  server.start();
  const std::string all = server.answer(get("/echo"));
  for (const char* line : {"Upgrade: websocket\r\n", "Connection: close, Upgrade\r\n", "Sec-WebSocket-Version: 13\r\n"})
    EXPECT_NE(all.find(line), std::string::npos) << all;
  EXPECT_NE(all.find("\r\n\r\nHere is a WebSocket and no page"), std::string::npos) << all;
}

// RFC 9110, 9.3.2.
TEST(server_requests, the_answer_to_head_has_no_body) {
  web server;
  server.start();
  const std::string all = server.answer("HEAD /page HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  EXPECT_TRUE(all.starts_with("HTTP/1.1 405 ")) << all;
  EXPECT_TRUE(all.ends_with("\r\n\r\n")) << all;
}

TEST(server_requests, the_route_of_the_star_is_for_every_path_without_one) {
  running_server server;
  server->route("*").on_connect([](connection c, const handshake& h) { c.send(h.path()); });
  server->route("/own").on_connect([](connection c, const handshake&) { c.send("own"); });
  server.start();
  raw_peer any(server.at());
  any.upgrade("/a/b?c=d");
  EXPECT_EQ(any.frame().payload, "/a/b");
  raw_peer own(server.at());
  own.upgrade("/own");
  EXPECT_EQ(own.frame().payload, "own");
}

// G1: the page's origin must be that of the host that was asked. G2: on loopback only its usual names are served, so
// that no page reaches the server by a name of its own that points here.
TEST(server_requests, origin_and_host_are_checked_by_default) {
  web server;
  server.start();
  const std::string port = std::to_string(server.at().port());
  const auto status = [&](std::string_view host, std::string_view extra) {
    raw_peer peer(server.at());
    return peer.upgrade("/echo", extra, host).substr(0, 12);
  };
  const std::string here = "127.0.0.1:" + port;
  EXPECT_EQ(status(here, ""), "HTTP/1.1 101");
  EXPECT_EQ(status("localhost:" + port, ""), "HTTP/1.1 101");
  EXPECT_EQ(status(here, "Origin: http://" + here + "\r\n"), "HTTP/1.1 101");
  EXPECT_EQ(status(here, "Origin: http://127.0.0.1:1\r\n"), "HTTP/1.1 403");
  EXPECT_EQ(status(here, "Origin: https://" + here + "\r\n"), "HTTP/1.1 403");
  EXPECT_EQ(status(here, "Origin: http://evil.test\r\n"), "HTTP/1.1 403");
  EXPECT_EQ(status(here, "Origin: null\r\n"), "HTTP/1.1 403");
  EXPECT_EQ(status(here, "Origin: http://a.test\r\nOrigin: http://b.test\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(status("evil.test", ""), "HTTP/1.1 421");
  EXPECT_EQ(status("evil.test", "Origin: http://evil.test\r\n"), "HTTP/1.1 421");
}

TEST(server_requests, origins_and_hosts_can_be_allowed) {
  server_options options;
  options.allowed_hosts = {"chat.test"};
  options.allowed_origins = {"https://app.test"};
  web server(options);
  server.start();
  const auto status = [&](std::string_view host, std::string_view extra) {
    raw_peer peer(server.at());
    return peer.upgrade("/echo", extra, host).substr(0, 12);
  };
  EXPECT_EQ(status("chat.test", ""), "HTTP/1.1 101");
  EXPECT_EQ(status("chat.test:1234", "Origin: https://app.test\r\n"), "HTTP/1.1 101");
  EXPECT_EQ(status("chat.test", "Origin: https://app.test.evil\r\n"), "HTTP/1.1 403");
  EXPECT_EQ(status("127.0.0.1", ""), "HTTP/1.1 421");
}

TEST(server_requests, any_origin_is_let_in_where_that_was_asked_for_by_its_name) {
  server_options options;
  options.insecure_any_origin = true;
  web server(options);
  server.start();
  raw_peer peer(server.at());
  EXPECT_TRUE(peer.upgrade("/echo", "Origin: http://evil.test\r\n").starts_with("HTTP/1.1 101"));
}

TEST(server_requests, hosts_and_origins_that_would_never_match_are_refused_when_listening) {
  server_options options;
  options.allowed_hosts = {"chat.test:80"};
  server one(options);
  EXPECT_EQ(to_errc(one.listen("127.0.0.1:0").error()), errc::invalid_argument);
  EXPECT_EQ(to_errc(one.run().error()), errc::wrong_state) << "it listens nowhere";
}

// E8: a proxy that takes a refused upgrade for a tunnel must get nothing out of it.
TEST(server_requests, what_follows_a_refused_upgrade_is_not_answered) {
  web server;
  server.start();
  raw_peer peer(server.at());
  std::string bad = raw_peer::request("/echo");
  bad.replace(bad.find("Version: 13"), 11, "Version: 99");
  peer.send(bad + get("/page"));
  const std::string all = peer.to_end();
  EXPECT_TRUE(all.starts_with("HTTP/1.1 426 ")) << all;
  EXPECT_NE(all.find("Sec-WebSocket-Version: 13\r\n"), std::string::npos) << all;
  EXPECT_NE(all.find("Connection: close"), std::string::npos) << all;
  EXPECT_EQ(all.find("hello"), std::string::npos) << all;
}

// A frame that came in one segment with the request is the connection's first.
TEST(server_requests, frames_may_follow_the_request_at_once) {
  web server;
  server.start();
  for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, std::size_t{400}}) {
    raw_peer peer(server.at());
    std::string all = raw_peer::request("/echo");
    peer.out().text("one").text("two");
    all += text_of(peer.out().take());
    for (std::size_t at = 0; at < all.size(); at += cut)
      peer.send(std::string_view(all).substr(at, cut));
    EXPECT_TRUE(peer.until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    EXPECT_EQ(peer.frame(), (raw_frame{0x81, "one"}));
    EXPECT_EQ(peer.frame(), (raw_frame{0x81, "two"}));
  }
}

TEST(server_requests, the_subprotocol_is_the_clients_first_that_the_route_speaks) {
  running_server server;
  server->route("/").subprotocols({"b", "c"}).on_connect([](connection c, const handshake& h) {
    c.send(h.subprotocol);
  });
  server.start();
  raw_peer peer(server.at());
  const std::string head = peer.upgrade("/", "Sec-WebSocket-Protocol: a, c, b\r\n");
  EXPECT_NE(head.find("Sec-WebSocket-Protocol: c\r\n"), std::string::npos) << head;
  EXPECT_EQ(peer.frame().payload, "c");
  raw_peer none(server.at());
  EXPECT_EQ(none.upgrade("/", "Sec-WebSocket-Protocol: a\r\n").find("Sec-WebSocket-Protocol"), std::string::npos);
}

TEST(server_requests, on_connect_sees_the_request) {
  journal seen;
  running_server server;
  server->route("/").on_connect([&](connection c, const handshake& h) {
    seen.add(h.target);
    seen.add(std::string(h.peer.fields.find("Cookie").value_or("none")));
    seen.add(h.remote.host());
    seen.add(c.remote_address()->text() == h.remote.text() ? "same" : "other");
    seen.add(c.local_address()->text());
    seen.add(std::to_string(c.extensions()->size()) + "-" + h.extensions_header);
  });
  server.start();
  raw_peer peer(server.at());
  peer.upgrade("/?token=1", "Cookie: a=b\r\n");
  ASSERT_TRUE(seen.wait(6));
  EXPECT_EQ(seen.text(), "/?token=1 a=b 127.0.0.1 same " + server.at().text() + " 0-");
}

// E5: the deadline is absolute; bytes that dribble in do not move it.
// E5: the time is that of the whole head, however the bytes dribble. The peer hears 408 (RFC 9110, 15.5.9), the log and
// the handler of errors one line.
TEST(server_requests, a_peer_that_dribbles_its_request_hears_408_at_the_deadline) {
  lines log;
  server_options options;
  options.handshake_timeout = std::chrono::milliseconds(300);
  options.log = &log;
  web server(options);
  journal told;
  server->on_error([&](const failure& f) { told.add(f.what()); });
  server.start();
  raw_peer peer(server.at());
  const std::string all = raw_peer::request("/echo", "127.0.0.1", "X: " + std::string(7000, 'x') + "\r\n");
  std::size_t sent = 0;
  while (sent < all.size() && !peer.ended() && peer.waiting() == 0)
    peer.send(std::string_view(all).substr(sent++, 1)).receive(20);
  EXPECT_LT(sent, all.size());
  const std::string answer = peer.until("\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n")) << answer;
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
  while (peer.receive()) {
  }
  EXPECT_TRUE(peer.ended() || peer.was_reset());
  ASSERT_TRUE(told.wait(1));
  ASSERT_TRUE(log.kept.wait(1));
  EXPECT_EQ(log.kept.lines(), std::vector{std::to_string(static_cast<int>(log_level::info)) + " " + told.lines()[0]});
  EXPECT_NE(told.lines()[0].find("handshake timeout"), std::string::npos) << told.lines()[0];
}

// Browsers open connections in advance: one that asks for nothing hears nothing, and is no error.
TEST(server_requests, a_peer_that_asks_for_nothing_is_let_go_without_a_word) {
  lines log;
  server_options options;
  options.handshake_timeout = std::chrono::milliseconds(50);
  options.log = &log;
  web server(options);
  server->on_error([](const failure& f) { ADD_FAILURE() << f.what(); });
  server.start();
  raw_peer peer(server.at());
  EXPECT_EQ(peer.to_end(), "");
  ASSERT_TRUE(log.kept.wait(1));
  EXPECT_TRUE(log.kept.lines()[0].starts_with(std::to_string(static_cast<int>(log_level::debug)) + " "));
}

}  // namespace
}  // namespace hawser::test
