// wss:// in both roles over real sockets. F1, I4, I5; RFC 8446, RFC 5246.
#include "support/authority.h"
#include "ws/raw_peer.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/hawser.h>
#include <hawser/tls/filter.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using test::authority;
using test::certificate_wish;
using test::running_server;

struct secure_echo : running_server {
  explicit secure_echo(const authority& of, const certificate_wish& wish = certificate_wish("IP:127.0.0.1"),
                       server_options options = {})
      : running_server(std::move(options)) {
    server_tls how;
    how.identity = of.issue(wish).identity();
    it().use_tls(how).value();
    it().route("/").on_message([](connection c, const message& m) { c.send(m); });
  }
  [[nodiscard]] std::string secure_url() const { return "wss" + url().substr(2); }
};

/// An empty folder to work in while it lives.
class working_folder {
 public:
  working_folder() : before_(std::filesystem::current_path()) {
    std::string name = std::filesystem::temp_directory_path() / "hawser-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    here_ = name;
    std::filesystem::current_path(here_);
  }
  ~working_folder() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(here_);
  }
  static void write(const std::string& name, const std::string& text) { std::ofstream(name) << text; }

 private:
  std::filesystem::path before_;
  std::filesystem::path here_;
};

client_options trusting(const authority& who) {
  client_options options;
  options.tls.ca = pem::text(who.certificate());
  return options;
}

TEST(tls_ws, messages_of_all_sizes_come_back) {
  const authority root = authority::root();
  secure_echo server(root);
  server.start();
  std::string why;
  auto c = connect(server.secure_url(), trusting(root), {}, {}, &why);
  ASSERT_TRUE(c) << why;
  EXPECT_NE(c->agreed().tls.find("TLS 1.3"), std::string::npos) << c->agreed().tls;
  for (const std::size_t size : {0U, 1U, 125U, 126U, 16384U, 65536U, 1U << 20}) {
    const std::string sent(size, 'x');
    ASSERT_TRUE(c->send(sent)) << size;
    auto m = c->receive();
    ASSERT_TRUE(m) << size << c->farewell();
    EXPECT_EQ(m->text(), sent);
  }
  EXPECT_EQ(c->close().value(), close_code::normal);
}

TEST(tls_ws, F1_who_is_refused_is_told_why_at_both_ends) {
  const authority root = authority::root();
  secure_echo server(root, certificate_wish("other.example"));
  test::journal told;
  server.it().on_error([&](const failure& f) { told.add(f.what()); });
  server.start();
  std::string why;
  const auto c = connect(server.secure_url(), trusting(root), {}, {}, &why);
  EXPECT_EQ(to_errc(c.error()), errc::certificate_refused);
  EXPECT_NE(why.find("it is for other.example, not for 127.0.0.1"), std::string::npos) << why;
  ASSERT_TRUE(told.wait(1));
  EXPECT_NE(told.text().find("TLS alert"), std::string::npos) << told.text();
  EXPECT_EQ(to_errc(connect(server.secure_url(), {}, {}, {}, &why).error()), errc::certificate_refused);
  EXPECT_NE(why.find("--ca"), std::string::npos) << why;
}

TEST(tls_ws, a_server_that_is_not_trusted_is_not_tried_again) {
  const authority root = authority::root();
  secure_echo server(root);
  server.start();
  client ws(server.secure_url());
  int attempts = 0;
  errc met = errc::ok;
  ws.on_error([&](const failure& f) { met = to_errc(f.code()); }).on_disconnect([&](const disconnect& d) {
    ++attempts;
    EXPECT_FALSE(d.will_retry);
  });
  EXPECT_EQ(ws.run_forever(), 1);
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(met, errc::certificate_refused);
}

// A server that restarts ends TLS in the middle, too.
TEST(tls_ws, TLS_that_broke_down_is_tried_again) {
  test::raw_listener listener;
  client_options o;
  o.reconnect.first = o.reconnect.cap = std::chrono::milliseconds(1);
  client ws("wss" + listener.url().substr(2), o);
  int failures = 0;
  ws.on_error([&](const failure& f) { failures += to_errc(f.code()) == errc::tls_failed ? 1 : 0; });
  ws.on_disconnect([&](const disconnect& d) {
    EXPECT_TRUE(d.will_retry);
    if (failures == 2) ws.stop();
  });
  std::thread peer([&] {
    for (int i = 0; i < 2; ++i) {
      test::raw_peer one = listener.accept();
      one.receive();
      one.send(std::string_view("\x15\x03\x03\x00\x02\x01\x00", 7));
      one.finish();
      one.to_end();
    }
  });
  ws.run_forever();
  peer.join();
  EXPECT_EQ(failures, 2);
}

// A file that is missing must not mean that everybody is served in plain text.
TEST(tls_ws, a_server_whose_tls_cannot_be_serves_nobody) {
  server it;
  it.route("/");
  server_tls how;
  how.identity.certificate = pem::file("/nowhere/cert.pem");
  EXPECT_EQ(it.use_tls(how).error(), errc::invalid_certificate);
  EXPECT_EQ(it.listen("127.0.0.1", 0).error(), errc::invalid_certificate);
  how.identity = authority::root().issue(certificate_wish("IP:127.0.0.1")).identity();
  EXPECT_TRUE(it.use_tls(how));
  EXPECT_TRUE(it.listen("127.0.0.1", 0));
}

// Who begins TLS and does not go on is told of; who only connected has asked for nothing.
TEST(tls_ws, a_handshake_of_tls_that_stalls_is_said) {
  server_options o;
  o.handshake_timeout = std::chrono::milliseconds(150);
  secure_echo server(authority::root(), certificate_wish("IP:127.0.0.1"), o);
  test::journal told;
  server.it().on_error([&](const failure& f) { told.add(f.what()); });
  server.start();
  test::raw_peer silent(server.at());
  test::raw_peer peer(server.at());
  peer.out().raw({0x16, 3, 1, 2, 0, 1, 0});
  peer.flush();
  EXPECT_EQ(peer.to_end(), "");
  EXPECT_EQ(silent.to_end(), "");
  ASSERT_TRUE(told.wait(1));
  EXPECT_NE(told.text().find("the TLS handshake was not complete"), std::string::npos) << told.text();
  EXPECT_EQ(told.lines().size(), 1U) << told.text();
}

TEST(tls_ws, what_is_mixed_up_is_said) {
  const authority root = authority::root();
  secure_echo secure(root);
  test::journal told;
  secure.it().on_error([&](const failure& f) { told.add(f.what()); });
  secure.start();
  std::string why;
  EXPECT_EQ(to_errc(connect(secure.url(), {}, {}, {}, &why).error()), errc::http_refused);
  EXPECT_NE(why.find("Use wss://"), std::string::npos) << why;
  ASSERT_TRUE(told.wait(1));
  EXPECT_NE(told.text().find("this port wants wss://"), std::string::npos) << told.text();

  running_server plain;
  plain.it().route("/");
  plain.start();
  EXPECT_EQ(to_errc(connect("wss" + plain.url().substr(2), trusting(root), {}, {}, &why).error()), errc::tls_failed);
  EXPECT_NE(why.find("use ws://"), std::string::npos) << why;
}

TEST(tls_ws, certificates_are_renewed_while_it_runs) {
  const authority root = authority::root();
  certificate_wish first("IP:127.0.0.1");
  first.common_name = "the first";
  certificate_wish second("IP:127.0.0.1");
  second.common_name = "the second";
  secure_echo server(root, first);
  server.start();
  auto before = connect(server.secure_url(), trusting(root));
  ASSERT_TRUE(before);
  EXPECT_NE(before->agreed().tls.find("the first"), std::string::npos);
  server_tls how;
  how.identity.certificate = pem::text("nonsense");
  std::string why;
  EXPECT_EQ(to_errc(server.it().use_tls(how, &why).error()), errc::invalid_certificate);
  how.identity = root.issue(second).identity();
  ASSERT_TRUE(server.it().use_tls(how, &why)) << why;
  auto after = connect(server.secure_url(), trusting(root));
  ASSERT_TRUE(after);
  EXPECT_NE(after->agreed().tls.find("the second"), std::string::npos);
  ASSERT_TRUE(before->send("still here"));
  EXPECT_EQ(before->receive()->text(), "still here");
}

// E5: the deadline is absolute; bytes that dribble in do not move it, and what is no TLS is not answered in the clear.
TEST(tls_ws, a_handshake_that_stalls_holds_up_nobody) {
  const authority root = authority::root();
  server_options options;
  options.handshake_timeout = std::chrono::milliseconds(300);
  secure_echo server(root, certificate_wish("IP:127.0.0.1"), options);
  server.start();
  tls::filter says(*tls::context::client(trusting(root).tls), "127.0.0.1");
  tls::record_sink hello;
  says.handshake(hello);
  test::raw_peer silent(server.at());
  test::raw_peer half(server.at());
  half.send(byte_view(hello).first(hello.size() / 2));
  test::raw_peer answered(server.at());  // And says no more once it has the server's part.
  answered.send(byte_view(hello));
  test::raw_peer dribbles(server.at());
  auto c = connect(server.secure_url(), trusting(root));
  ASSERT_TRUE(c);
  std::size_t at = 0;
  for (; at < hello.size() && !dribbles.ended() && !dribbles.was_reset(); ++at) {
    dribbles.send(byte_view(hello).subspan(at, 1));
    dribbles.receive(10);  // The server's end, or the time until the next byte.
    ASSERT_TRUE(c->send("beside it"));
    EXPECT_EQ(c->receive()->text(), "beside it");
  }
  EXPECT_LT(at, hello.size()) << "it had all the time that it wanted";
  for (test::raw_peer* const p : {&silent, &half, &answered})
    EXPECT_EQ(p->to_end().find("HTTP"), std::string::npos);
  EXPECT_EQ(dribbles.take().find("HTTP"), std::string::npos);
  ASSERT_TRUE(c->send("and afterwards"));
  EXPECT_EQ(c->receive()->text(), "and afterwards");
}

TEST(tls_ws, topics_reach_subscribers_behind_tls) {
  const authority root = authority::root();
  secure_echo server(root);
  server.it().route("/").on_connect([](connection c, const handshake&) { c.subscribe("room"); });
  server.start();
  auto one = connect(server.secure_url(), trusting(root));
  auto two = connect(server.secure_url(), trusting(root));
  ASSERT_TRUE(one && two);
  ASSERT_TRUE(one->send("hello"));  // Its echo says that both have joined.
  EXPECT_EQ(one->receive()->text(), "hello");
  ASSERT_TRUE(two->send("hello"));
  EXPECT_EQ(two->receive()->text(), "hello");
  ASSERT_EQ(server.it().publish("room", "to all"), errc::ok);
  EXPECT_EQ(one->receive()->text(), "to all");
  EXPECT_EQ(two->receive()->text(), "to all");
}

TEST(tls_ws, timings_and_extensions_work_behind_it) {
  const authority root = authority::root();
  secure_echo server(root);
  server.it().extensions().add(ext::deflate());
  server.start();
  client_options options = trusting(root);
  options.timings = true;
  extension_list list;
  list.add(ext::deflate());
  auto c = connect(server.secure_url(), options, list);
  ASSERT_TRUE(c);
  const std::string text(50'000, 'z');
  ASSERT_TRUE(c->send(text));
  EXPECT_EQ(c->receive()->text(), text);
  EXPECT_EQ(c->agreed().extensions.size(), 1U);
  const auto times = c->timings();
  ASSERT_TRUE(times);
  EXPECT_TRUE(times->connect.response);
}

// A server's certificate is changed from one thread, again and again, while others connect to loops on further threads,
// and one session store is used by all.
TEST(tls_ws, certificates_are_renewed_from_another_thread_while_clients_come) {
  const authority root = authority::root();
  server_options options;
  options.threads = 3;
  secure_echo server(root, certificate_wish("IP:127.0.0.1"), options);
  server.it().route("/").on_connect([](connection c, const handshake&) { c.subscribe("all"); });
  server.start();
  std::atomic<bool> over{false};
  std::thread renews([&] {
    for (int i = 0; !over; i = (i + 1) % 8) {
      certificate_wish wish("IP:127.0.0.1");
      wish.common_name = "number " + std::to_string(i);
      server_tls how;
      how.identity = root.issue(wish).identity();
      EXPECT_TRUE(server.it().use_tls(how));
      how.identity.key = pem::text("nonsense");
      EXPECT_FALSE(server.it().use_tls(how));
      EXPECT_EQ(server.it().publish("all", "renewed"), errc::ok);
    }
  });
  std::vector<std::thread> clients;
  for (int t = 0; t < 3; ++t) {
    clients.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        std::string why;
        auto c = connect(server.secure_url(), trusting(root), {}, {}, &why);
        ASSERT_TRUE(c) << why;
        const std::string sent = "from " + std::to_string(t) + std::string(20'000, 'x');
        ASSERT_TRUE(c->send(sent));
        std::string got;
        do {
          auto m = c->receive();
          ASSERT_TRUE(m) << c->farewell();
          got = m->text();
        } while (got == "renewed");
        EXPECT_EQ(got, sent);
        EXPECT_EQ(c->close().value(), close_code::normal);
      }
    });
  }
  for (std::thread& t : clients)
    t.join();
  over = true;
  renews.join();
}

// RFC 8446, 2.2: a client that connects again takes its session up, in every loop of the server.
TEST(tls_ws, a_client_that_comes_back_takes_its_session_up) {
  const authority root = authority::root();
  for (const tls_version least : {tls_version::v1_2, tls_version::v1_3}) {
    server_options options;
    options.threads = 2;
    running_server server(options);
    server_tls how;
    how.identity = root.issue(certificate_wish("IP:127.0.0.1")).identity();
    how.least = least;
    server.it().use_tls(how).value();
    server.it()
        .route("/")
        .on_connect([](connection c, const handshake&) { c.send("hello"); })
        .on_message([](connection c, const message&) { c.terminate(); });
    server.start();
    client_options soon = trusting(root);
    soon.reconnect.first = soon.reconnect.cap = std::chrono::milliseconds(1);
    client ws("wss" + server.url().substr(2), soon);
    std::vector<std::string> told;
    ws.on_connect([&](connection, const handshake& h) { told.push_back(h.tls); });
    ws.on_message([&](connection c, const message&) {
      if (told.size() == 3)
        ws.stop();
      else
        c.send("break it off");
    });
    ws.run_forever();
    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told[0].find("taken up"), std::string::npos) << told[0];
    EXPECT_NE(told[1].find("an earlier session taken up"), std::string::npos) << told[1];
    EXPECT_NE(told[2].find("an earlier session taken up"), std::string::npos) << told[2];
  }
}

// Whoever ends TCP in the middle of TLS, or says something else, is one clear line for a client.
TEST(tls_ws, servers_that_speak_no_tls_are_told_apart) {
  struct peer_case {
    const char* what;
    std::string_view says;
    errc code;
    const char* words;
  };
  const peer_case cases[] = {
      {"nothing", "", errc::connection_lost, "TLS handshake with 127.0.0.1:"},
      {"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", errc::tls_failed, "use ws://"},
      {"SSH", "SSH-2.0-OpenSSH_9.2\r\n", errc::tls_failed, "does not speak TLS"},
      {"half a record", std::string_view("\x16\x03\x03\x40", 4), errc::connection_lost, "TLS handshake with"},
      {"an alert", std::string_view("\x15\x03\x03\x00\x02\x02\x28", 7), errc::tls_failed, "handshake failure"},
      {"its end", std::string_view("\x15\x03\x03\x00\x02\x01\x00", 7), errc::tls_failed, "close_notify"},
  };
  for (const peer_case& c : cases) {
    test::raw_listener listener;
    std::thread peer([&] {
      test::raw_peer one = listener.accept();
      one.receive();
      one.send(c.says);
      one.finish();
      one.to_end();
    });
    std::string why;
    const auto made = connect("wss" + listener.url().substr(2), {}, {}, {}, &why);
    peer.join();
    EXPECT_EQ(to_errc(made.error()), c.code) << c.what << ": " << why;
    EXPECT_NE(why.find(c.words), std::string::npos) << c.what << ": " << why;
    EXPECT_FALSE(why.empty()) << c.what;
    EXPECT_EQ(why.find('\n'), std::string::npos) << why;
  }
}

// What docs/tls.md shows, as it stands there.
TEST(tls_ws, the_page_works) {
  const authority root = authority::root();
  const working_folder here;
  here.write("our-authority.pem", root.certificate());
  const authority own = root.issue(certificate_wish("IP:127.0.0.1"));
  here.write("fullchain.pem", own.certificate());
  here.write("privkey.pem", own.key());
  running_server run;
  server& server = run.it();
  {
    hawser::server_tls tls;
    tls.identity.certificate = hawser::pem::file("fullchain.pem");
    tls.identity.key = hawser::pem::file("privkey.pem");
    server.use_tls(tls).value();
  }
  server.route("/").on_message([](connection c, const message& m) { c.send(m); });
  run.start();
  hawser::client ws("wss://example.org/chat");
  {
    hawser::client_tls renewed;
    renewed.ca = hawser::pem::file("our-authority.pem");
    renewed.identity.certificate = hawser::pem::file("fullchain.pem");
    renewed.identity.key = hawser::pem::file("privkey.pem");
    std::string why;
    if (!ws.use_tls(renewed, &why)) std::cerr << why << '\n';
    EXPECT_EQ(why, "");
  }
  hawser::client_options options;
  options.tls.ca = hawser::pem::file("our-authority.pem");
  auto c = connect("wss" + run.url().substr(2), options);
  ASSERT_TRUE(c);
  ASSERT_TRUE(c->send("x"));
  EXPECT_EQ(c->receive()->text(), "x");
}

}  // namespace
}  // namespace hawser
