// OpenSSL's objects with owners.
#pragma once

#include <hawser/base/config.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

HAWSER_BEGIN
namespace tls {

struct openssl_delete {
  void operator()(BIO* b) const noexcept { BIO_free(b); }
  void operator()(SSL_CTX* c) const noexcept { SSL_CTX_free(c); }
  void operator()(SSL_SESSION* s) const noexcept { SSL_SESSION_free(s); }
  void operator()(X509* x) const noexcept { X509_free(x); }
  void operator()(EVP_PKEY* k) const noexcept { EVP_PKEY_free(k); }
  void operator()(ASN1_OCTET_STRING* s) const noexcept { ASN1_OCTET_STRING_free(s); }
};
template <class T>
using owned = std::unique_ptr<T, openssl_delete>;

/// What OpenSSL says of the newest error of this thread, in its words; forgets them all.
std::string take_reason();

}  // namespace tls
HAWSER_END
