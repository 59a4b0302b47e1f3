// A client that changes its certificate and its authorities while it runs.
#include "support/authority.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/hawser.h>

#include <chrono>
#include <string>
#include <thread>
#include <utility>

namespace hawser {
namespace {

using test::authority;
using test::certificate_wish;

certificate_wish called(std::string name) {
  certificate_wish wish("IP:127.0.0.1");
  wish.common_name = std::move(name);
  return wish;
}

// Lets in only clients that show a certificate, breaks off at every message, and writes down who came.
struct strict_server : test::running_server {
  strict_server() {
    it().route("/")
        .on_connect([this](connection c, const handshake& h) {
          came.add(h.tls);
          c.send("welcome");
        })
        .on_message([](connection c, const message&) { c.terminate(); });
  }
  ~strict_server() { stop(); }  // Before what its handlers write to is gone.
  static server_tls trusting(const authority& root) {
    server_tls how;
    how.identity = root.issue(certificate_wish("IP:127.0.0.1")).identity();
    how.client_ca = pem::text(root.certificate());
    how.clients = client_certificates::required;
    return how;
  }
  [[nodiscard]] std::string secure_url() const { return "wss" + url().substr(2); }

  test::journal came;
};

client_tls known_to(const authority& root, std::string name) {
  client_tls how;
  how.ca = pem::text(root.certificate());
  how.identity = root.issue(called(std::move(name))).identity();
  return how;
}

client_options soon(client_tls how) {
  client_options options;
  options.tls = std::move(how);
  options.reconnect.first = options.reconnect.cap = std::chrono::milliseconds(1);
  return options;
}

TEST(tls_renewal, a_client_shows_its_new_certificate_to_a_new_authority_at_the_next_attempt) {
  const authority before = authority::root("before");
  const authority after = authority::root("after");
  strict_server server;
  server.it().use_tls(strict_server::trusting(before)).value();
  server.start();
  client ws(server.secure_url(), soon(known_to(before, "the first")));
  test::journal heard;
  ws.on_connect([&](connection, const handshake&) { heard.add("connected"); });
  ASSERT_TRUE(ws.start());
  ASSERT_TRUE(server.came.wait(1) && heard.wait(1));
  // Nothing of what cannot be used is taken over.
  client_tls wrong = known_to(after, "never seen");
  wrong.identity.key = pem::text("nonsense");
  std::string why;
  EXPECT_EQ(to_errc(ws.use_tls(wrong, &why).error()), errc::invalid_certificate);
  EXPECT_NE(why.find("tls.identity.key"), std::string::npos) << why;
  ASSERT_EQ(ws.current().send("break it off"), errc::ok);
  ASSERT_TRUE(server.came.wait(2) && heard.wait(2));
  // Both ends change; the connection that is open does not mind.
  ASSERT_TRUE(server.it().use_tls(strict_server::trusting(after)));
  ASSERT_TRUE(ws.use_tls(known_to(after, "the second"), &why)) << why;
  ASSERT_EQ(ws.current().send("break it off"), errc::ok);
  ASSERT_TRUE(server.came.wait(3) && heard.wait(3));
  EXPECT_TRUE(ws.stop());
  // Another run has what was renewed, too.
  ASSERT_TRUE(ws.start());
  ASSERT_TRUE(server.came.wait(4));
  EXPECT_TRUE(ws.stop());
  server.stop();
  const std::vector<std::string> came = server.came.lines();
  ASSERT_EQ(came.size(), 4U);
  for (std::size_t i = 0; i < came.size(); ++i)
    EXPECT_NE(came[i].find(i < 2 ? "CN = the first, by CN = before" : "CN = the second, by CN = after"),
              std::string::npos)
        << i << ": " << came[i];
}

// What its options say is not read any more, and need not be there.
TEST(tls_renewal, a_client_that_has_not_run_yet) {
  const authority root = authority::root();
  strict_server server;
  server.it().use_tls(strict_server::trusting(root)).value();
  server.start();
  client_options options;
  options.tls.ca = pem::file("/nowhere/ca.pem");
  options.reconnect.enabled = false;
  client ws(server.secure_url(), options);
  EXPECT_EQ(ws.run_forever(), 2);
  ASSERT_TRUE(ws.use_tls(known_to(root, "late")));
  ws.on_message([](connection c, const message&) { c.close(); });
  EXPECT_EQ(ws.run_forever(), 0);
  EXPECT_NE(server.came.text().find("CN = late"), std::string::npos) << server.came.text();
}

// Sessions are of those authorities that verified them.
TEST(tls_renewal, no_session_of_before_is_taken_up) {
  const authority root = authority::root();
  test::running_server server;
  server_tls own;
  own.identity = root.issue(certificate_wish("IP:127.0.0.1")).identity();
  server.it().use_tls(own).value();
  server.it()
      .route("/")
      .on_connect([](connection c, const handshake&) { c.send("welcome"); })
      .on_message([](connection c, const message&) { c.terminate(); });
  server.start();
  client_tls how;
  how.ca = pem::text(root.certificate());
  client ws("wss" + server.url().substr(2), soon(how));
  std::vector<bool> resumed;
  ws.on_connect([&](connection, const handshake& h) {
    resumed.push_back(h.tls.find("an earlier session taken up") != std::string::npos);
  });
  ws.on_message([&](connection c, const message&) {
    if (resumed.size() == 4) {
      ws.stop();
      return;
    }
    EXPECT_TRUE(resumed.size() != 2 || ws.use_tls(how));
    c.send("break it off");
  });
  ws.run_forever();
  EXPECT_EQ(resumed, (std::vector<bool>{false, true, false, true}));
}

TEST(tls_renewal, from_several_threads_while_it_connects_over_and_over) {
  const authority root = authority::root();
  strict_server server;
  server.it().use_tls(strict_server::trusting(root)).value();
  server.start();
  client ws(server.secure_url(), soon(known_to(root, "one of many")));
  ws.on_message([](connection c, const message&) { c.send("break it off"); });
  ASSERT_TRUE(ws.start());
  const client_tls how = known_to(root, "one of many");
  const auto renew = [&] {
    for (int i = 0; i < 50; ++i)
      EXPECT_TRUE(ws.use_tls(how));
  };
  std::thread other(renew);
  renew();
  other.join();
  EXPECT_TRUE(server.came.wait(5));
  EXPECT_TRUE(ws.stop());
}

}  // namespace
}  // namespace hawser
