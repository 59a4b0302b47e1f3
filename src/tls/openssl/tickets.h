// Sessions that are taken up again: keys of a server's tickets, and what a client keeps of its servers.
#pragma once

#include "tls/openssl/objects.h"

#include <hawser/base/clock.h>

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

HAWSER_BEGIN
namespace tls {

/// The keys that a server seals its tickets with (RFC 5077, 4): made here, known to nobody else, a new one every hour.
/// A ticket is good as long as its key is the newest or the one before. Any thread.
class ticket_keys {
 public:
  /// Sets OpenSSL's contexts for a ticket to be made (`iv` and `name` are filled) or opened. The answer is what its
  /// callback wants: 1, 2 (opened, and to be made anew), 0 (unknown key: a full handshake), -1 (failed).
  int use(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool making, tick now);

 private:
  struct key {
    key() = default;
    key(const key&) = default;
    key& operator=(const key&) = default;
    ~key();  // Nothing of it stays in memory.

    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> mac;
    tick made{};
    bool set = false;
  };
  bool renew(tick now);
  const key* find(const unsigned char* name, tick now) const noexcept;

  std::mutex guard_;
  key newest_;
  key before_;
};

/// The newest session of each server that a client reached, of the 64 that gave one last. Any thread.
class session_store {
 public:
  void keep(std::string server, owned<SSL_SESSION> session);
  /// Null when there is none. One of TLS 1.3 is taken away: its ticket is used once, so that nobody who listens can
  /// tell two connections of a client (RFC 8446, C.4), and the server sends another.
  owned<SSL_SESSION> take(const std::string& server);

 private:
  struct kept {
    owned<SSL_SESSION> session;
    std::uint64_t number = 0;  // They are counted as they come.
  };

  std::mutex guard_;
  std::map<std::string, kept> sessions_;
  std::uint64_t count_ = 0;
};

}  // namespace tls
HAWSER_END
