// I4: what a peer may begin again and again after the handshake. The peer here is OpenSSL itself, told to misbehave.

#include "pair.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

namespace hawser::test {
namespace {

/// A client over memory that does what filters never do.
class raw_client {
 public:
  raw_client(const authority& root, int version) : ctx_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_verify(ctx_.get(), SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_max_proto_version(ctx_.get(), version);
    ssl_.reset(SSL_new(ctx_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_connect_state(ssl_.get());
    static_cast<void>(root);
  }

  SSL* ssl() { return ssl_.get(); }

  /// Sends what it has to say and hears what the server answers.
  void talk(tls::filter& server, tick now) {
    std::string ignored;
    for (int turns = 0; turns < 8; ++turns) {
      std::byte bytes[65536];
      const int n = BIO_read(out_, bytes, sizeof bytes);
      if (n <= 0) return;
      server.feed(byte_view(bytes, static_cast<std::size_t>(n)), now);
      tls::record_sink answer;
      if (!server.is_open()) server.handshake(answer);
      std::byte room[1024];
      while (server.read(room, answer) > 0)
        continue;
      BIO_write(in_, answer.data(), static_cast<int>(answer.size()));
      char byte = 0;
      SSL_read(ssl_.get(), &byte, 0);
      if (SSL_is_init_finished(ssl_.get()) == 0) SSL_do_handshake(ssl_.get());
    }
  }

 private:
  struct freeing {
    void operator()(SSL_CTX* c) const noexcept { SSL_CTX_free(c); }
    void operator()(SSL* s) const noexcept { SSL_free(s); }
  };
  std::unique_ptr<SSL_CTX, freeing> ctx_;
  std::unique_ptr<SSL, freeing> ssl_;
  BIO* in_;
  BIO* out_;
};

struct flood : ::testing::Test {
  authority root = authority::root();
  tls::context of_server = [&] {
    server_tls how;
    how.identity = root.issue(certificate_wish("example.org")).identity();
    return server_context(how);
  }();
  tls::filter server{of_server, {}};

  raw_client met(int version) {
    raw_client client(root, version);
    SSL_do_handshake(client.ssl());
    client.talk(server, tick{});
    EXPECT_TRUE(server.is_open());
    return client;
  }
};

TEST_F(flood, I4_key_updates_are_answered_and_counted_by_the_minute) {
  raw_client client = met(TLS1_3_VERSION);
  tick now{};
  for (int i = 0; i < 32; ++i) {
    ASSERT_EQ(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(client.ssl()), 1);
    client.talk(server, now);
    ASSERT_TRUE(server.is_open()) << i << ": " << server.why();
  }
  now += std::chrono::minutes(1);
  SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
  SSL_do_handshake(client.ssl());
  client.talk(server, now);
  EXPECT_TRUE(server.is_open()) << server.why();
  for (int i = 0; i < 32 && server.is_open(); ++i) {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(client.ssl());
    client.talk(server, now);
  }
  EXPECT_EQ(server.error(), errc::tls_failed);
  EXPECT_NE(server.why().find("key updates"), std::string::npos) << server.why();
}

TEST_F(flood, I4_renegotiation_is_refused) {
  raw_client client = met(TLS1_2_VERSION);
  ASSERT_EQ(SSL_renegotiate(client.ssl()), 1);
  SSL_do_handshake(client.ssl());
  client.talk(server, tick{});
  EXPECT_EQ(SSL_is_init_finished(client.ssl()), 0);  // It was not begun.
}

}  // namespace
}  // namespace hawser::test
