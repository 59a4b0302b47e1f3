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

/// What the other end meant by the alert `code` (RFC 8446, 6.2). `only_newest`: no version but 1.3 is allowed here.
std::string words_of_alert(int code, bool from_server, bool only_newest);

/// What the reason `reason` of OpenSSL's library of TLS means; empty: it is not one that has words here. `only_newest`:
/// as above.
std::string words_of_reason(int reason, bool of_server, bool only_newest);

/// "TLS 1.3, TLS_AES_256_GCM_SHA384", with the certificate that the other end showed.
std::string words_of_session(const SSL* ssl);

}  // namespace tls
HAWSER_END
