// The files of TLS that the command line names.
#pragma once

#include "commands.h"

#include <hawser/tls/options.h>

#include <string>

namespace hawser_tool {

/// What the command line says of TLS, for a client and for a server. All files are read here, each once, so a pipe will
/// do; one that nobody writes keeps the caller, so no signal must be blocked yet. False: `why` gets a line for people.
bool read_tls(const tls_args& args, hawser::client_tls& how, std::string& why);
bool read_tls(const tls_args& args, hawser::server_tls& how, std::string& why);

/// Overwrites the key and the passphrase, which the library has taken by then.
void wipe(hawser::tls_identity& own);

/// What the library said when it would not have the identity that was read, in the words of the command line.
std::string refused_tls(const tls_args& args, const hawser::tls_identity& own, const std::string& why);

}  // namespace hawser_tool
