// I4: what a peer may begin again and again after the handshake. The peer here is OpenSSL itself, told to misbehave.

#include "pair.h"
#include "raw_end.h"

#include <gtest/gtest.h>

namespace hawser::test {
namespace {

struct flood : ::testing::TestWithParam<bool> {
  authority root = authority::root();
  authority own = root.issue(certificate_wish("example.org"));
  bool of_server = GetParam();  // The filter's role; the raw end has the other.
  std::unique_ptr<tls::filter> filter = make();

  std::unique_ptr<tls::filter> make() {
    server_tls server;
    server.identity = own.identity();
    client_tls client;
    client.ca = pem::text(root.certificate());
    if (of_server) return std::make_unique<tls::filter>(server_context(server), "");
    return std::make_unique<tls::filter>(client_context(client), "example.org");
  }

  raw_end met(int version) {
    raw_end other(!of_server, version, of_server ? shown_identity() : shown_identity(own));
    other.talk(*filter);
    EXPECT_TRUE(filter->is_open()) << filter->why();
    return other;
  }

  void update(raw_end& other, tick now) {
    ASSERT_EQ(SSL_key_update(other.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(other.ssl()), 1);
    other.talk(*filter, now);
  }
};

TEST_P(flood, I4_key_updates_are_answered_and_counted_by_the_minute) {
  raw_end other = met(TLS1_3_VERSION);
  const unsigned tickets = of_server ? 0 : 2;  // A server's tickets count as well.
  tick now{};
  for (unsigned i = tickets; i < 32; ++i) {
    update(other, now);
    ASSERT_TRUE(filter->is_open()) << i << ": " << filter->why();
  }
  now += std::chrono::minutes(1);
  update(other, now);
  EXPECT_TRUE(filter->is_open()) << filter->why();
  tls::record_sink sent;
  EXPECT_TRUE(filter->write(as_bytes("under new keys"), sent));
  other.hear(sent);
  other.talk(*filter, now);
  EXPECT_EQ(other.received(), "under new keys");
  for (int i = 0; i < 32 && filter->is_open(); ++i)
    update(other, now);
  EXPECT_EQ(filter->error(), errc::tls_failed);
  EXPECT_EQ(filter->why(), "The other end began too many TLS key updates or renegotiations, as an attacker would.");
}

// Many of them in one span are not all read, and not all answered, before it is over.
TEST_P(flood, I4_key_updates_that_come_at_once_end_early) {
  raw_end other = met(TLS1_3_VERSION);
  for (int i = 0; i < 3000; ++i) {
    ASSERT_EQ(SSL_key_update(other.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(other.ssl()), 1);
  }
  const std::string all = other.take();
  tls::record_sink answers;
  std::byte room[1024];
  filter->feed(as_bytes(all), {});
  EXPECT_EQ(filter->read(room, answers), 0U);
  EXPECT_EQ(filter->error(), errc::tls_failed);
  EXPECT_GT(all.size(), std::size_t{60} << 10);
  EXPECT_LT(answers.size(), std::size_t{20} << 10) << "of what one read of OpenSSL takes at most";
}

TEST_P(flood, I4_renegotiation_is_refused) {
  raw_end other = met(TLS1_2_VERSION);
  ASSERT_EQ(SSL_renegotiate(other.ssl()), 1);
  SSL_do_handshake(other.ssl());
  other.talk(*filter);
  EXPECT_EQ(other.alert(), SSL_AD_NO_RENEGOTIATION);
  // OpenSSL gives up with a handshake failure then.
  EXPECT_NE(filter->why().find("(40): it wanted to renegotiate, most likely"), std::string::npos) << filter->why();
}

INSTANTIATE_TEST_SUITE_P(roles, flood, ::testing::Bool(),
                         [](const auto& of_server) { return of_server.param ? "server" : "client"; });

}  // namespace
}  // namespace hawser::test
