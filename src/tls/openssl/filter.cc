#include "tls/openssl/filter_data.h"
#include "tls/openssl/state.h"
#include "tls/openssl/words.h"

#include <hawser/tls/filter.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <utility>

HAWSER_BEGIN
namespace tls {

namespace {

constexpr unsigned most_late_messages = 32;  // A minute: key updates, tickets, wishes to renegotiate.
constexpr int alert_offset = SSL_AD_REASON_OFFSET;

SSL* as_ssl(void* ssl) noexcept { return static_cast<SSL*>(ssl); }

// Who came without TLS can read this.
constexpr std::string_view plain_answer =
    "HTTP/1.1 400 Use wss:// on this port\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: "
    "45\r\n\r\n"
    "This port speaks TLS: use wss://, not ws://.\n";

bool may_be_http(byte_view first) noexcept { return first[0] >= std::byte{'A'} && first[0] <= std::byte{'Z'}; }

// Records of TLS begin with one of four types (RFC 8446, 5.1).
bool may_be_tls(byte_view first) noexcept {
  const auto type = std::to_integer<unsigned>(first[0]);
  return type >= SSL3_RT_CHANGE_CIPHER_SPEC && type <= SSL3_RT_APPLICATION_DATA;
}

}  // namespace

// ---- OpenSSL's way to the bytes

struct filter_bio {
  static int write(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
    auto& f = *static_cast<filter*>(BIO_get_data(bio));
    const auto* const from = reinterpret_cast<const std::byte*>(data);
    try {
      f.out_->insert(f.out_->end(), from, from + size);
    } catch (const std::bad_alloc&) {
      f.give_up(errc::out_of_resources, {});
      return 0;
    }
    *written = size;
    return 1;
  }

  static int read(BIO* bio, char* to, std::size_t size, std::size_t* got) {
    auto& f = *static_cast<filter*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    // Who begins too much is not read any further.
    const std::size_t n = f.late_messages_ > most_late_messages ? 0 : std::min(size, f.in_.size());
    *got = n;
    if (n == 0) {
      f.dry_ = true;
      BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(to, f.in_.data(), n);
    f.in_ = f.in_.subspan(n);
    return 1;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  // Made once and never freed: a connection may outlive the statics of the program. Without memory for it the next
  // connection tries again.
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "hawser");
      if (m == nullptr) throw std::bad_alloc();
      BIO_meth_set_write_ex(m, write);
      BIO_meth_set_read_ex(m, read);
      BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return made;
  }
};

struct filter_events {
  static const filter& of(const SSL* ssl) noexcept { return *static_cast<const filter*>(SSL_get_app_data(ssl)); }
  static tick now(const SSL* ssl) noexcept { return of(ssl).now_; }
  static std::string server(const SSL* ssl) { return of(ssl).name_ + ":" + std::to_string(of(ssl).port_); }

  // The first thing that is wrong with the other end's chain: of which certificate is known only here.
  static int verified(int good, X509_STORE_CTX* chain) noexcept {
    if (good == 1) return good;
    auto* const ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto& f = *static_cast<filter*>(SSL_get_app_data(ssl));
    try {
      if (f.why_.empty() && f.shared_.shared().verifies)
        f.why_ = words_of_refusal(chain, f.shared_.shared().is_server ? std::string_view() : f.name_) + ".";
    } catch (const std::bad_alloc&) {
      // It is refused without words.
    }
    return good;
  }

  static void message(int written, int, int type, const void* data, std::size_t size, SSL*, void* self) {
    if (written != 0) return;
    auto& f = *static_cast<filter*>(self);
    if (type == SSL3_RT_HANDSHAKE) f.note_handshake_message();
    if (type == SSL3_RT_ALERT && size == 2 && static_cast<const unsigned char*>(data)[1] == SSL_AD_CLOSE_NOTIFY)
      f.ended_ = f.open_;
  }
};

tick now_of(const SSL* ssl) noexcept { return filter_events::now(ssl); }
std::string server_of(const SSL* ssl) { return filter_events::server(ssl); }

// ---- a connection

void filter::ssl_delete::operator()(void* ssl) const noexcept { SSL_free(as_ssl(ssl)); }

namespace {

// The macros for these cast as C does.
bool send_name(SSL* ssl, std::string name) {
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}

void tell_messages_to(SSL* ssl, filter& f) { SSL_ctrl(ssl, SSL_CTRL_SET_MSG_CALLBACK_ARG, 0, &f); }

bool only_newest(SSL* ssl) { return SSL_ctrl(ssl, SSL_CTRL_GET_MIN_PROTO_VERSION, 0, nullptr) == TLS1_3_VERSION; }

// Whose certificate it has to be; a DNS name goes to the server as well (RFC 6066, 3).
bool expect(SSL* ssl, const std::string& name) {
  X509_VERIFY_PARAM* const rules = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) == 1) return true;
  ERR_clear_error();
  return X509_VERIFY_PARAM_set1_host(rules, name.data(), name.size()) == 1 && send_name(ssl, name);
}

// Nobody looks at the certificate again when a session is taken up.
bool is_valid(SSL_SESSION* session) noexcept {
  const X509* const shown = SSL_SESSION_get0_peer(session);
  return shown != nullptr && X509_cmp_current_time(X509_get0_notAfter(shown)) > 0;
}

std::vector<std::byte> der_of(const X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  std::vector<std::byte> made(static_cast<std::size_t>(std::max(size, 0)));
  auto* to = reinterpret_cast<unsigned char*>(made.data());
  if (size <= 0 || i2d_X509(certificate, &to) != size) throw std::bad_alloc();
  return made;
}

}  // namespace

filter::filter(const context& shared, std::string_view name, std::uint16_t port) : shared_(shared), port_(port) {
  const context::state& s = shared_.shared();
  name_ = s.server_name.empty() ? std::string(name) : s.server_name;
  if (name_.ends_with('.')) name_.pop_back();  // The root, which stands in no certificate.
  SSL* const ssl = SSL_new(s.ctx.get());
  ssl_.reset(ssl);
  BIO* const bio = ssl == nullptr ? nullptr : BIO_new(filter_bio::method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  if (SSL_set_app_data(ssl, this) != 1) throw std::bad_alloc();
  SSL_set_msg_callback(ssl, filter_events::message);
  tell_messages_to(ssl, *this);
  SSL_set_verify(ssl, SSL_get_verify_mode(ssl), filter_events::verified);
  if (s.is_server) {
    SSL_set_accept_state(ssl);
    return;
  }
  SSL_set_connect_state(ssl);
  if (!expect(ssl, name_)) throw std::bad_alloc();
  const owned<SSL_SESSION> earlier = s.sessions.take(filter_events::server(ssl));
  if (earlier && is_valid(earlier.get())) SSL_set_session(ssl, earlier.get());
}

// A session can be taken up again unless its TLS failed: WebSocket has an end of its own, and many peers never say
// close_notify.
filter::~filter() {
  if (error_ == errc::ok) SSL_set_shutdown(as_ssl(ssl_.get()), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void filter::feed(byte_view encrypted, tick now) noexcept {
  in_ = encrypted;
  now_ = now;
}

bool filter::handshake(record_sink& sink) {
  if (open_ || error_ != errc::ok) return is_open();
  // OpenSSL takes some 45 KiB for a handshake: not for a client that says nothing.
  if (in_.empty() && shared_.shared().is_server && !heard_) return true;
  if (!in_.empty() && !std::exchange(heard_, true) && shared_.shared().is_server && !may_be_tls(in_)) {
    if (may_be_http(in_)) sink.insert(sink.end(), as_bytes(plain_answer).begin(), as_bytes(plain_answer).end());
    return give_up(errc::tls_failed, "The client does not speak TLS here: this port wants wss://, not ws://.");
  }
  out_ = &sink;
  dry_ = false;
  ERR_clear_error();
  if (SSL_do_handshake(as_ssl(ssl_.get())) != 1) return fail("shaking hands");
  open_ = true;
  return error_ == errc::ok;
}

// A record costs OpenSSL some thousand instructions beside its cipher. So it is not asked again only to hear that
// nothing is left, and its list of errors is not touched while there is none: that alone costs hundreds.
std::size_t filter::read(byte_span into, record_sink& sink) {
  std::size_t all = 0;
  if (!is_open() || ended_) return all;
  out_ = &sink;
  SSL* const ssl = as_ssl(ssl_.get());
  while (all < into.size() && !(in_.empty() && SSL_has_pending(ssl) == 0)) {
    std::size_t n = 0;
    dry_ = false;
    if (SSL_read_ex(ssl, into.data() + all, into.size() - all, &n) != 1) {
      if (!ended_) fail("reading");
      break;
    }
    all += n;
  }
  if (late_messages_ > most_late_messages)
    give_up(errc::tls_failed, "The other end began too many TLS key updates or renegotiations, as an attacker would.");
  return all;
}

bool filter::write(byte_view plain, record_sink& sink) {
  if (!is_open() || closed_) return false;
  if (plain.empty()) return true;
  out_ = &sink;
  std::size_t n = 0;
  if (SSL_write_ex(as_ssl(ssl_.get()), plain.data(), plain.size(), &n) == 1) return true;
  dry_ = false;  // Writing waits for nothing.
  return fail("encrypting");
}

void filter::close(record_sink& sink) noexcept {
  if (!is_open() || closed_) return;
  closed_ = true;
  out_ = &sink;
  ERR_clear_error();
  SSL_shutdown(as_ssl(ssl_.get()));
}

void filter::note_handshake_message() noexcept {
  spoke_ = true;
  if (!open_) return;
  if (now_ >= later(minute_, std::chrono::minutes(1))) {
    minute_ = now_;
    late_messages_ = 0;
  }
  if (late_messages_ <= most_late_messages) ++late_messages_;
}

// ---- the end

bool filter::give_up(errc what, std::string why) noexcept {
  if (error_ != errc::ok) return false;
  error_ = what;
  why_ = std::move(why);
  return false;
}

// What OpenSSL could not do. True: nothing is wrong, it only waits for more.
bool filter::fail(std::string_view doing) {
  SSL* const ssl = as_ssl(ssl_.get());
  // The list was empty before a handshake, of which the first error is the cause. Before all else it may hold what
  // somebody else left on this thread, and only the last one is certainly of TLS.
  const unsigned long code = open_ ? ERR_peek_last_error() : ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  // close_notify, which has the number 0, before there was anything to close.
  const bool was_closed = (static_cast<unsigned>(SSL_get_shutdown(ssl)) & SSL_RECEIVED_SHUTDOWN) != 0;
  const bool said_end = !open_ && ((code == 0 && was_closed) || reason == alert_offset);
  if (dry_ && error_ == errc::ok && !said_end) return true;
  const bool is_server = shared_.shared().is_server;
  const bool of_ssl = ERR_GET_LIB(code) == ERR_LIB_SSL;
  const own_end own = {is_server, only_newest(ssl), SSL_get_certificate(ssl) != nullptr, open_};
  if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
    give_up(errc::out_of_resources, {});
  } else if (said_end) {
    give_up(errc::tls_failed, std::string(is_server ? "The client" : "The server") +
                                  " ended TLS in the middle of the handshake (close_notify).");
  } else if (!why_.empty() || (of_ssl && reason == SSL_R_CERTIFICATE_VERIFY_FAILED)) {
    give_up(errc::certificate_refused, std::move(why_));
  } else if (of_ssl && reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    give_up(errc::certificate_refused, "The client showed no certificate, which this server requires.");
  } else if (of_ssl && reason > alert_offset && reason < alert_offset + 256) {
    give_up(errc::tls_failed, words_of_alert(reason - alert_offset, own) + ".");
  } else if (of_ssl && !spoke_ && (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)) {
    give_up(errc::tls_failed, is_server ? "The client does not speak TLS here: this port wants wss://, not ws://."
                                        : "The server does not speak TLS on this port: use ws://, or another port.");
  } else if (of_ssl) {
    give_up(errc::tls_failed, words_of_reason(reason, own));
  } else {
    const char* const words = ERR_reason_error_string(code);
    give_up(errc::tls_failed, std::string("TLS with the ") + (is_server ? "client" : "server") + " broke down while " +
                                  std::string(doing) + ": " + (words == nullptr ? "no reason is known" : words) + ".");
  }
  ERR_clear_error();
  return false;
}

std::string filter::describe() const { return open_ ? words_of_session(as_ssl(ssl_.get())) : std::string(); }

std::vector<std::vector<std::byte>> filter::peer_certificates() const {
  std::vector<std::vector<std::byte>> all;
  SSL* const ssl = as_ssl(ssl_.get());
  const X509* const own = SSL_get0_peer_certificate(ssl);
  if (!open_ || own == nullptr) return all;
  // Not what came beside it, which may be anything. OpenSSL forgets the chain with the handshake that verified it.
  const STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl);
  const int count = chain == nullptr ? 0 : sk_X509_num(chain);
  if (count == 0) all.push_back(der_of(own));
  for (int i = 0; i < count; ++i)
    all.push_back(der_of(sk_X509_value(chain, i)));
  return all;
}

std::string_view filter::alpn() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(as_ssl(ssl_.get()), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

bool filter::resumed() const noexcept { return SSL_session_reused(as_ssl(ssl_.get())) == 1; }

}  // namespace tls
HAWSER_END
