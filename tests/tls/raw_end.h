// OpenSSL itself as the other end of a filter, in memory: it shows any certificate and does what filters never do.
#pragma once

#include "support/authority.h"

#include <gtest/gtest.h>
#include <hawser/tls/filter.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace hawser::test {

/// Who a raw end says it is: PEM texts; empty for nobody.
struct shown_identity {
  std::string certificate;
  std::string between;  ///< Sent behind it.
  std::string key;

  shown_identity() = default;
  explicit shown_identity(const authority& who, std::string chain = {})
      : certificate(who.certificate()), between(std::move(chain)), key(who.key()) {}
};

class raw_end {
 public:
  /// Of exactly this version of TLS. It takes any certificate of the other end.
  raw_end(bool is_server, int version, const shown_identity& who = {})
      : ctx_(SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method())) {
    SSL_CTX_set_security_level(ctx_.get(), 0);
    SSL_CTX_set_verify(ctx_.get(), SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_min_proto_version(ctx_.get(), version);
    SSL_CTX_set_max_proto_version(ctx_.get(), version);
    if (!who.certificate.empty()) show(who);
    ssl_.reset(SSL_new(ctx_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    if (is_server)
      SSL_set_accept_state(ssl_.get());
    else
      SSL_set_connect_state(ssl_.get());
  }

  SSL* ssl() { return ssl_.get(); }
  /// The name that the client asked for.
  std::string name_asked_for() {
    const char* const name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? std::string() : std::string(name);
  }
  /// The alert that the other end gave up with; -1: none came.
  [[nodiscard]] int alert() const noexcept { return alert_; }
  /// Plain bytes that came.
  [[nodiscard]] const std::string& received() const noexcept { return received_; }

  /// What the other end has to say on its own.
  void hear(const tls::record_sink& bytes) { BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())); }
  /// What it has to say.
  std::string take() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(out_, &data);
    std::string bytes(data, static_cast<std::size_t>(size));
    BIO_reset(out_);
    return bytes;
  }
  /// Both say what they have to say until neither does.
  void talk(tls::filter& other, tick now = {}) {
    for (;;) {
      step();
      const std::string bytes = take();
      other.feed(as_bytes(bytes), now);
      tls::record_sink answer;
      if (!other.is_open()) other.handshake(answer);
      std::byte room[1024];
      while (other.read(room, answer) > 0)
        continue;
      if (bytes.empty() && answer.empty()) return;
      hear(answer);
    }
  }

 private:
  struct freeing {
    void operator()(SSL_CTX* c) const noexcept { SSL_CTX_free(c); }
    void operator()(SSL* s) const noexcept { SSL_free(s); }
    void operator()(X509* x) const noexcept { X509_free(x); }
    void operator()(EVP_PKEY* k) const noexcept { EVP_PKEY_free(k); }
    void operator()(BIO* b) const noexcept { BIO_free(b); }
  };
  template <class T>
  using owned = std::unique_ptr<T, freeing>;

  static owned<BIO> text(const std::string& of) {
    return owned<BIO>(BIO_new_mem_buf(of.data(), static_cast<int>(of.size())));
  }

  void show(const shown_identity& who) {
    const owned<BIO> certificate = text(who.certificate);
    const owned<X509> own(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
    EXPECT_EQ(SSL_CTX_use_certificate(ctx_.get(), own.get()), 1);
    const owned<BIO> key_text = text(who.key);
    const owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
    EXPECT_EQ(SSL_CTX_use_PrivateKey(ctx_.get(), key.get()), 1);
    const owned<BIO> between = text(who.between);
    while (X509* further = PEM_read_bio_X509(between.get(), nullptr, nullptr, nullptr))
      SSL_CTX_add_extra_chain_cert(ctx_.get(), further);
    ERR_clear_error();
  }

  void step() {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_.get()) == 0) {
      note(SSL_do_handshake(ssl_.get()));
      return;
    }
    char bytes[1024];
    for (;;) {
      const int n = SSL_read(ssl_.get(), bytes, sizeof bytes);
      if (n <= 0) return note(n);
      received_.append(bytes, static_cast<std::size_t>(n));
    }
  }

  void note(int returned) {
    if (returned > 0) return;
    const int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == SSL_R_NO_RENEGOTIATION) alert_ = SSL_AD_NO_RENEGOTIATION;  // OpenSSL's word for that alert.
    if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) alert_ = reason - SSL_AD_REASON_OFFSET;
    ERR_clear_error();
  }

  owned<SSL_CTX> ctx_;
  owned<SSL> ssl_;
  BIO* in_;   // The SSL's.
  BIO* out_;  // The SSL's.
  std::string received_;
  int alert_ = -1;
};

}  // namespace hawser::test
