// Secrets that a client has copied out of its options.
#pragma once

#include <hawser/tls/options.h>
#include <string.h>  // NOLINT(modernize-deprecated-headers): explicit_bzero is not C++.

HAWSER_BEGIN

/// Overwrites the key and the passphrase of `who`, which is of no use any more.
inline void wipe(tls_identity& who) noexcept {
  ::explicit_bzero(who.passphrase.data(), who.passphrase.size());
  for (const pem* text : {&who.certificate, &who.key})  // The key may stand in either; `who` is not const.
    if (!text->is_file()) ::explicit_bzero(const_cast<char*>(text->value().data()), text->value().size());
  who = {};
}

HAWSER_END
