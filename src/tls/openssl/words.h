// What went wrong with TLS, for people: which certificate, which host, what mends it.
#pragma once

#include "tls/openssl/objects.h"

#include <string>
#include <string_view>

HAWSER_BEGIN
namespace tls {

/// "CN = example.org, O = Example", with everything escaped that is no plain character.
std::string words_of(const X509_NAME* name);

/// What is wrong with the certificate that `chain` stopped at: a server's that is to be `host`, or without one a
/// client's.
std::string words_of_refusal(X509_STORE_CTX* chain, std::string_view host);

/// What this end is, where TLS with the other one failed.
struct own_end {
  bool is_server;
  bool only_newest;        ///< No version but 1.3 is allowed.
  bool shows_certificate;  ///< It has one.
  bool is_open;            ///< The handshake was finished.
};

/// What the other end meant by the alert `code` (RFC 8446, 6.2).
std::string words_of_alert(int code, const own_end& own);

/// What the reason `reason` of OpenSSL's library of TLS means; one without words here is the other end's fault.
std::string words_of_reason(int reason, const own_end& own);

/// "TLS 1.3, TLS_AES_256_GCM_SHA384", with the certificate that the other end showed.
std::string words_of_session(const SSL* ssl);

}  // namespace tls
HAWSER_END
