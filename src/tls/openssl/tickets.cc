#include "tls/openssl/tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <chrono>
#include <utility>

HAWSER_BEGIN
namespace tls {

namespace {

constexpr ticks key_life = std::chrono::hours(1);
constexpr std::size_t most_servers = 64;

}  // namespace

ticket_keys::key::~key() {
  OPENSSL_cleanse(cipher.data(), cipher.size());
  OPENSSL_cleanse(mac.data(), mac.size());
}

bool ticket_keys::renew(tick now) {
  if (newest_.set && now < later(newest_.made, key_life)) return true;
  key made;
  if (RAND_bytes(made.name.data(), static_cast<int>(made.name.size())) != 1 ||
      RAND_priv_bytes(made.cipher.data(), static_cast<int>(made.cipher.size())) != 1 ||
      RAND_priv_bytes(made.mac.data(), static_cast<int>(made.mac.size())) != 1)
    return false;
  made.made = now;
  made.set = true;
  before_ = std::exchange(newest_, made);
  return true;
}

const ticket_keys::key* ticket_keys::find(const unsigned char* name, tick now) const noexcept {
  for (const key* k : {&newest_, &before_})
    if (k->set && now < later(k->made, 2 * key_life) && std::equal(k->name.begin(), k->name.end(), name)) return k;
  return nullptr;
}

int ticket_keys::use(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool making,
                     tick now) {
  const std::lock_guard lock(guard_);
  if (!renew(now)) return -1;
  const key* k = making ? &newest_ : find(name, now);
  if (k == nullptr) return 0;
  const EVP_CIPHER* const aes = EVP_aes_256_cbc();
  if (making) {
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) != 1) return -1;
    std::copy(k->name.begin(), k->name.end(), name);
  }
  std::array<unsigned char, 32>& mac_key = (making || k == &newest_ ? newest_ : before_).mac;  // Read only.
  std::array<char, 7> digest = {"SHA256"};
  const std::array<OSSL_PARAM, 3> settings = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key.data(), mac_key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0), OSSL_PARAM_construct_end()};
  if (EVP_MAC_CTX_set_params(mac, settings.data()) != 1) return -1;
  const int ready = making ? EVP_EncryptInit_ex(cipher, aes, nullptr, k->cipher.data(), iv)
                           : EVP_DecryptInit_ex(cipher, aes, nullptr, k->cipher.data(), iv);
  if (ready != 1) return -1;
  return k == &newest_ ? 1 : 2;
}

void session_store::keep(std::string server, owned<SSL_SESSION> session) {
  const std::lock_guard lock(guard_);
  sessions_.insert_or_assign(std::move(server), kept{std::move(session), ++count_});
  if (sessions_.size() <= most_servers) return;
  const auto older = [](const auto& a, const auto& b) { return a.second.number < b.second.number; };
  sessions_.erase(std::min_element(sessions_.begin(), sessions_.end(), older));
}

owned<SSL_SESSION> session_store::take(const std::string& server) {
  const std::lock_guard lock(guard_);
  const auto found = sessions_.find(server);
  if (found == sessions_.end()) return nullptr;
  SSL_SESSION* const newest = found->second.session.get();
  if (SSL_SESSION_get_protocol_version(newest) < TLS1_3_VERSION)
    return owned<SSL_SESSION>(SSL_SESSION_up_ref(newest) == 1 ? newest : nullptr);
  owned<SSL_SESSION> taken = std::move(found->second.session);
  sessions_.erase(found);
  return taken;
}

}  // namespace tls
HAWSER_END
