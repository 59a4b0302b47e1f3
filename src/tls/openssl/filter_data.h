// How OpenSSL's callbacks find the filter that they work for.
#pragma once

#include "tls/openssl/objects.h"

#include <hawser/base/clock.h>

#include <string>

HAWSER_BEGIN
namespace tls {

/// Of the filter behind `ssl`: the time of what it works on, and the server that it reaches.
tick now_of(const SSL* ssl) noexcept;
std::string server_of(const SSL* ssl);

}  // namespace tls
HAWSER_END
