// Certificates for tests, made on the fly: an authority of one's own and whatever it signs, right or wrong.
#pragma once

#include <hawser/tls/options.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace hawser::test {

/// What a certificate says of itself.
struct certificate_wish {
  certificate_wish() = default;
  explicit certificate_wish(std::string one) : names{std::move(one)} {}

  std::string common_name = "hawser test";
  std::vector<std::string> names;  ///< Subject alternative names: DNS names, or addresses as "IP:127.0.0.1".
  long valid_from = -24 * 3600;    ///< Seconds from now.
  long valid_until = 24 * 3600;
  int rsa_bits = 0;  ///< 0: ECDSA P-256.
  bool sha1 = false;
  int units = 0;  ///< So many organizational units in its subject.
  bool is_authority = false;
  std::string extended_usage = "serverAuth,clientAuth";
};

/// A key and a certificate, and with them the right to sign others.
class authority {
 public:
  /// Signed by itself.
  explicit authority(const certificate_wish& wish);
  static authority root(std::string name = "hawser test root");

  /// Signed by this one.
  [[nodiscard]] authority issue(const certificate_wish& wish) const;

  [[nodiscard]] std::string certificate() const;
  /// The certificate in DER.
  [[nodiscard]] std::vector<std::byte> der() const;
  /// Encrypted when there is a passphrase.
  [[nodiscard]] std::string key(const std::string& passphrase = {}) const;
  /// Both, in memory.
  [[nodiscard]] tls_identity identity() const;

 private:
  struct state;
  authority() = default;
  std::shared_ptr<const state> state_;
};

/// Leaves an error in OpenSSL's list of this thread, as other code in the same program may.
void leave_an_openssl_error();

}  // namespace hawser::test
