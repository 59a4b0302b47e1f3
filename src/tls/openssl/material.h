// Certificates and keys out of files and memory into OpenSSL's contexts.
#pragma once

#include "tls/openssl/objects.h"

#include <hawser/tls/options.h>

#include <string>

HAWSER_BEGIN
namespace tls {

/// The certificate with its chain and the key of `who`. False: `why` says what was wrong with which file.
bool use_identity(SSL_CTX* ctx, const tls_identity& who, std::string& why);

/// Trusts every certificate in `ca`; `option` is its name for people. `names_sent`: clients are told which they are.
bool use_authorities(SSL_CTX* ctx, const pem& ca, const char* option, bool names_sent, std::string& why);

/// Trusts the certificates in the folder `path`, or with an empty one those of the system.
bool use_authority_folder(SSL_CTX* ctx, const std::string& path, std::string& why);

}  // namespace tls
HAWSER_END
