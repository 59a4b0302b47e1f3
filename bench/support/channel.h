#pragma once
/// What a connection of the load generator sends and receives through: the socket, or TLS over it. With TLS in the
/// build (BENCH_WITH_TLS) by OpenSSL, of which the generator uses nothing that the library does.

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#ifdef BENCH_WITH_TLS
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>
#endif

namespace bench {

using wire_span = std::span<std::uint8_t>;
using wire_view = std::span<const std::uint8_t>;

#ifdef BENCH_WITH_TLS

struct ssl_delete {
  void operator()(SSL_CTX* c) const { SSL_CTX_free(c); }
  void operator()(SSL* s) const { SSL_free(s); }
};

/// What all connections share. TLS 1.3 with one cipher and one group, so that every server does the same work; the
/// certificate is not looked at; no session is ever taken up, so that every handshake is a full one.
class tls_settings {
 public:
  static constexpr bool available = true;

  /// `frugal`: connections that wait keep no buffers.
  explicit tls_settings(bool frugal) : context_(SSL_CTX_new(TLS_client_method())), staging_(std::size_t{256} << 10U) {
    SSL_CTX* const c = context_.get();
    good_ = c != nullptr && SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
            SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256") == 1 && SSL_CTX_set1_groups_list(c, "X25519") == 1;
    if (!good_) return;
    SSL_CTX_set_verify(c, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (frugal) SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] SSL_CTX* context() const { return context_.get(); }
  /// Encrypted bytes between the system and TLS. A receive area has to be larger by a record.
  [[nodiscard]] wire_span staging() { return staging_; }

 private:
  std::unique_ptr<SSL_CTX, ssl_delete> context_;
  std::vector<std::uint8_t> staging_;
  bool good_ = false;
};

/// Answers as recv(2) and send(2) do. Stays where it is once it is secure.
class channel {
 public:
  /// Plain until `secure`.
  void open(int fd) { fd_ = fd; }

  /// TLS from now on; `shared` outlives it. False: it cannot be had.
  bool secure(tls_settings& shared) {
    shared_ = &shared;
    ssl_.reset(SSL_new(shared.context()));
    BIO* const bio = ssl_ ? BIO_new(method()) : nullptr;
    if (bio == nullptr) return false;
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_connect_state(ssl_.get());
    return true;
  }

  /// Moves the TLS handshake along: 1 when it is done, 0 when bytes are awaited, -1 when it failed.
  int handshake() {
    if (!fetch()) return -1;
    const int returned = SSL_do_handshake(ssl_.get());
    return returned == 1 ? 1 : waits(returned) ? 0 : -1;
  }

  /// Says that nothing more is sent (close_notify).
  void end() { SSL_shutdown(ssl_.get()); }

  ssize_t receive(wire_span to) {
    if (!ssl_) return recv(fd_, to.data(), to.size(), 0);
    return receive_secured(to);
  }

  ssize_t transmit(wire_view bytes) {
    if (!ssl_) return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return transmit_secured(bytes);
  }

 private:
  // Kept out of line: without TLS a message costs no more than its system calls.
  [[gnu::noinline]] ssize_t receive_secured(wire_span to) {
    const bool more = fetch();
    std::size_t all = 0;
    while (all < to.size()) {
      std::size_t n = 0;
      const int returned = SSL_read_ex(ssl_.get(), to.data() + all, to.size() - all, &n);
      all += n;
      if (returned == 1) continue;
      if (all == 0 && SSL_get_error(ssl_.get(), returned) == SSL_ERROR_ZERO_RETURN) return 0;
      if (all == 0) errno = !waits(returned) ? EPROTO : more ? EAGAIN : ECONNRESET;
      break;
    }
    return all == 0 ? -1 : static_cast<ssize_t>(all);
  }

  [[gnu::noinline]] ssize_t transmit_secured(wire_view bytes) {
    std::size_t n = 0;
    const int returned = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n);
    if (returned == 1) return static_cast<ssize_t>(n);
    errno = waits(returned) ? EAGAIN : EPROTO;
    return -1;
  }

  // What has come, for TLS to read. False: the stream is over.
  bool fetch() {
    const ssize_t n = recv(fd_, shared_->staging().data(), shared_->staging().size(), 0);
    in_ = shared_->staging().first(n > 0 ? static_cast<std::size_t>(n) : 0);
    return n > 0 || (n < 0 && errno == EAGAIN);
  }

  bool waits(int returned) {
    const int kind = SSL_get_error(ssl_.get(), returned);
    if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE) ERR_clear_error();
    return kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE;
  }

  static int read(BIO* bio, char* to, std::size_t size, std::size_t* got) {
    auto& c = *static_cast<channel*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *got = std::min(size, c.in_.size());
    if (*got == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(to, c.in_.data(), *got);
    c.in_ = c.in_.subspan(*got);
    return 1;
  }

  static int write(BIO* bio, const char* from, std::size_t size, std::size_t* written) {
    auto& c = *static_cast<channel*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const ssize_t n = ::send(c.fd_, from, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
    *written = n > 0 ? static_cast<std::size_t>(n) : 0;
    return n > 0 ? 1 : 0;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "load");
      BIO_meth_set_read_ex(m, read);
      BIO_meth_set_write_ex(m, write);
      BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return made;
  }

  int fd_ = -1;
  tls_settings* shared_ = nullptr;
  wire_view in_;  // Encrypted, not yet read; inside the staging area.
  std::unique_ptr<SSL, ssl_delete> ssl_;
};

#else

class tls_settings {
 public:
  static constexpr bool available = false;
  explicit tls_settings(bool) {}
  [[nodiscard]] bool good() const { return false; }
};

class channel {
 public:
  void open(int fd) { fd_ = fd; }
  bool secure(tls_settings&) { return false; }
  int handshake() { return -1; }
  void end() {}
  ssize_t receive(wire_span to) { return recv(fd_, to.data(), to.size(), 0); }
  ssize_t transmit(wire_view bytes) { return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

 private:
  int fd_ = -1;
};

#endif

}  // namespace bench
