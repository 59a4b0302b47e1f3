#include "tls/openssl/filter_data.h"
#include "tls/openssl/material.h"
#include "tls/openssl/state.h"

#include <hawser/tls/context.h>
#include <openssl/err.h>

#include <array>
#include <new>
#include <utility>

HAWSER_BEGIN
namespace tls {

namespace {

// What is taken of TLS 1.2: forward secrecy and authenticated ciphers only. TLS 1.3 has nothing else.
constexpr const char* ciphers_of_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr int security_level = 2;  // RSA of 2,048 bits, SHA-2, and what is as strong.
constexpr long ticket_seconds = 2 * 3600;
constexpr std::array<unsigned char, 9> http = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};  // As RFC 7301 wants it.

// A server that is asked for protocols and speaks none of them has to say so (RFC 7301, 3.2).
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered, unsigned length,
                    void*) {
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, size, http.data(), http.size(), offered, length);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

const context::state& state_of(SSL* ssl) noexcept {
  return *static_cast<const context::state*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

int use_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                   int making) {
  const int used = state_of(ssl).keys.use(name, iv, cipher, mac, making == 1, now_of(ssl));
  // Clients of TLS 1.3 use a ticket once: with each they get the next.
  return used == 1 && making == 0 && SSL_version(ssl) == TLS1_3_VERSION ? 2 : used;
}

// 1: the session is ours now.
int keep_session(SSL* ssl, SSL_SESSION* session) {
  owned<SSL_SESSION> made(session);
  try {
    state_of(ssl).sessions.keep(server_of(ssl), std::move(made));
  } catch (const std::bad_alloc&) {
    // The next handshake is a full one.
  }
  return 1;
}

bool set_rules(SSL_CTX* ctx, tls_version least) {
  SSL_CTX_set_security_level(ctx, security_level);
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(ctx, 1);  // Head and rest of a record in one step.
  return SSL_CTX_set_min_proto_version(ctx, least == tls_version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(ctx, ciphers_of_1_2) == 1 && SSL_CTX_set1_groups_list(ctx, groups) == 1;
}

// Null: there is no memory.
std::shared_ptr<context::state> make_state(bool is_server, tls_version least) {
  auto made = std::make_shared<context::state>();
  made->is_server = is_server;
  made->ctx.reset(SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* const ctx = made->ctx.get();
  if (ctx != nullptr && set_rules(ctx, least) && SSL_CTX_set_app_data(ctx, made.get()) == 1) return made;
  ERR_clear_error();
  return nullptr;
}

// For OpenSSL a name that begins with a dot stands for all hosts below it.
bool names_one_host(std::string_view name) noexcept {
  return name.size() < 254 && name.front() != '.' && name.find('\0') == std::string_view::npos;
}

errc refuse(std::string* why, std::string text) {
  if (why != nullptr) *why = std::move(text);
  return errc::invalid_certificate;
}

// Said and not thrown: a server that was refused TLS must know it.
errc no_memory() noexcept {
  ERR_clear_error();
  return errc::out_of_resources;
}

}  // namespace

result<context> context::client(const client_tls& how, std::string* why) try {
  const std::shared_ptr<state> made = make_state(false, how.least);
  if (!made) return errc::out_of_resources;
  SSL_CTX* const ctx = made->ctx.get();
  if (!how.server_name.empty() && !names_one_host(how.server_name))
    return refuse(why, "tls.server_name (--server-name) is no name of one host, as example.org is");
  made->verifies = !how.dangerously_accept_any_certificate;
  made->server_name = how.server_name;
  SSL_CTX_set_verify(ctx, made->verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  std::string text;
  const bool has_own = !how.ca.empty() || !how.ca_folder.empty();
  if (made->verifies) {
    if (!how.ca.empty() && !use_authorities(ctx, how.ca, "tls.ca (--ca)", false, text)) return refuse(why, text);
    if ((!has_own || !how.ca_folder.empty()) && !use_authority_folder(ctx, how.ca_folder, text))
      return refuse(why, text);
  }
  if (how.identity.certificate.empty() && !how.identity.key.empty())
    return refuse(why, "tls.identity.key (--key) is given without tls.identity.certificate (--cert)");
  if (!how.identity.certificate.empty() && !use_identity(ctx, how.identity, text)) return refuse(why, text);
  if (SSL_CTX_set_alpn_protos(ctx, http.data(), http.size()) != 0) return errc::out_of_resources;
  if (how.tickets) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
  } else {
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  }
  return context(made);
} catch (const std::bad_alloc&) {
  return no_memory();
}

result<context> context::server(const server_tls& how, std::string* why) try {
  const std::shared_ptr<state> made = make_state(true, how.least);
  if (!made) return errc::out_of_resources;
  SSL_CTX* const ctx = made->ctx.get();
  std::string text;
  if (how.identity.certificate.empty())
    return refuse(why, "tls.identity.certificate (--cert) is empty: a server must have one");
  if (!use_identity(ctx, how.identity, text)) return refuse(why, text);
  made->verifies = how.clients != client_certificates::not_asked;
  if (!made->verifies && !how.client_ca.empty())
    return refuse(why, "tls.client_ca is given, and nobody is asked for a certificate: set tls.clients to required");
  if (made->verifies) {
    if (how.client_ca.empty())
      return refuse(why, "tls.client_ca (--client-ca) is empty: say whose clients' certificates are trusted");
    if (!use_authorities(ctx, how.client_ca, "tls.client_ca (--client-ca)", true, text)) return refuse(why, text);
    const bool must = how.clients == client_certificates::required;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  }
  SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, nullptr);
  // Sessions live in the tickets that clients keep, never here.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(ctx, ticket_seconds);
  if (how.tickets && !made->verifies) {
    if (SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, use_ticket_key) != 1 || SSL_CTX_set_num_tickets(ctx, 1) != 1)
      return errc::out_of_resources;
  } else {
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    if (SSL_CTX_set_num_tickets(ctx, 0) != 1) return errc::out_of_resources;
  }
  return context(made);
} catch (const std::bad_alloc&) {
  return no_memory();
}

}  // namespace tls
HAWSER_END
