// A build with HAWSER_WITH_TLS=OFF: both roles say so in one line, and what speaks ws:// is untouched.
#include "ws/raw_peer.h"
#include "ws/running_server.h"

#include <gtest/gtest.h>
#include <hawser/hawser.h>

#include <string>

namespace hawser {
namespace {

constexpr std::string_view sentence = "this build has no TLS: build it with HAWSER_WITH_TLS=ON, or use ws://";

TEST(without_tls, a_blocking_client_is_told) {
  std::string why;
  EXPECT_EQ(to_errc(connect("wss://127.0.0.1:1/", {}, {}, {}, &why).error()), errc::not_supported);
  EXPECT_NE(why.find(sentence), std::string::npos) << why;
}

TEST(without_tls, a_client_is_told_and_does_not_try_again) {
  const test::raw_listener nobody_may_come;
  client ws("wss" + nobody_may_come.url().substr(2));
  int told = 0;
  ws.on_error([&](const failure& f) {
    ++told;
    EXPECT_EQ(to_errc(f.code()), errc::not_supported);
    EXPECT_NE(std::string(f.what()).find(sentence), std::string::npos) << f.what();
  });
  EXPECT_NE(ws.run_forever(), 0);
  EXPECT_EQ(told, 1);
  std::string why;
  EXPECT_EQ(to_errc(ws.use_tls({}, &why).error()), errc::not_supported);
  EXPECT_NE(why.find(sentence), std::string::npos) << why;
}

TEST(without_tls, a_server_is_told_and_listens_nowhere) {
  server it;
  server_tls how;
  how.identity.certificate = pem::text("any");
  std::string why;
  EXPECT_EQ(to_errc(it.use_tls(how, &why).error()), errc::not_supported);
  EXPECT_NE(why.find(sentence), std::string::npos) << why;
  EXPECT_EQ(to_errc(it.listen("127.0.0.1", 0).error()), errc::not_supported);
}

TEST(without_tls, plain_connections_are_untouched) {
  test::running_server run;
  run.it().route("/").on_message([](connection c, const message& m) { c.send(m); });
  run.start();
  auto c = connect(run.url());
  ASSERT_TRUE(c);
  ASSERT_TRUE(c->send("plain"));
  EXPECT_EQ(c->receive()->text(), "plain");
}

}  // namespace
}  // namespace hawser
