// What a context holds.
#pragma once

#include "tls/openssl/objects.h"
#include "tls/openssl/tickets.h"

#include <hawser/tls/context.h>

#include <string>

HAWSER_BEGIN
namespace tls {

struct context::state {
  owned<SSL_CTX> ctx;
  bool is_server = false;
  bool verifies = true;     // The other end's certificate, when it shows one.
  std::string server_name;  // A client's, instead of the host it connects to.
  // The tables change behind a context that does not: each locks for itself.
  mutable ticket_keys keys;
  mutable session_store sessions;
};

}  // namespace tls
HAWSER_END
