#include "tls/openssl/material.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <climits>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

HAWSER_BEGIN
namespace tls {

namespace {

std::string called(const pem& what, const char* option) {
  return what.is_file() ? std::string(option) + ": " + what.value() : std::string(option);
}

/// A text in PEM, from its beginning. What was read ahead of a file, which may be a key, is overwritten in the end.
class pem_source {
 public:
  pem_source() = default;
  ~pem_source() {
    in_.reset();
    OPENSSL_cleanse(ahead_.data(), ahead_.size());
  }
  pem_source(const pem_source&) = delete;
  pem_source& operator=(const pem_source&) = delete;

  /// False: `why` says why.
  bool open(const pem& what, const char* option, std::string& why);
  [[nodiscard]] BIO* get() const noexcept { return in_.get(); }

 private:
  bool read_ahead_here() noexcept {
    std::FILE* file = nullptr;
    return BIO_ctrl(in_.get(), BIO_C_GET_FILE_PTR, 0, &file) == 1 &&
           std::setvbuf(file, ahead_.data(), _IOFBF, ahead_.size()) == 0;
  }

  std::array<char, 4096> ahead_;
  owned<BIO> in_;
};

bool pem_source::open(const pem& what, const char* option, std::string& why) {
  const std::string& value = what.value();
  std::error_code error;
  if (what.is_file() && std::filesystem::is_directory(value, error)) {
    why = called(what, option) + " is a folder, and no file";
    return false;
  }
  ERR_clear_error();
  if (what.is_file())
    in_.reset(BIO_new_file(value.c_str(), "r"));
  else if (value.size() <= INT_MAX)
    in_.reset(BIO_new_mem_buf(value.data(), static_cast<int>(value.size())));
  if (in_ && (!what.is_file() || read_ahead_here())) return true;
  const unsigned long first = ERR_peek_error();  // The last one only says that there was another.
  if (ERR_SYSTEM_ERROR(first))
    why = called(what, option) + " cannot be read: " + std::generic_category().message(ERR_GET_REASON(first));
  else
    why = called(what, option) + " cannot be read: " + take_reason();
  return false;
}

// What a person is asked for elsewhere: here it stands in the options, or the key is not encrypted.
struct passphrase_asked {
  std::string_view text;  // Theirs, not a copy.
  int most = -1;          // So long it may be; less than 0: nobody has asked.
};

int give_passphrase(char* to, int size, int, void* asked) {
  auto& own = *static_cast<passphrase_asked*>(asked);
  own.most = size;
  if (own.text.size() > static_cast<std::size_t>(size)) return -1;  // Cut off it would be another one.
  std::memcpy(to, own.text.data(), own.text.size());
  return static_cast<int>(own.text.size());
}

owned<X509> next_certificate(BIO* in) {
  passphrase_asked none;
  return owned<X509>(PEM_read_bio_X509(in, nullptr, give_passphrase, &none));
}

// After the last certificate: false when what follows it was meant to be one.
bool ended_well(const std::string& where, std::string& why) {
  const unsigned long code = ERR_peek_last_error();
  if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE) {
    ERR_clear_error();
    return true;
  }
  why = where + " holds a certificate that cannot be read: " + take_reason();
  return false;
}

bool use_certificate(SSL_CTX* ctx, const pem& from, std::string& why) {
  const char* const option = "tls.identity.certificate (--cert)";
  pem_source in;
  if (!in.open(from, option, why)) return false;
  const owned<X509> own = next_certificate(in.get());
  if (!own) {
    why = called(from, option) + " holds no certificate in PEM: " + take_reason();
    return false;
  }
  if (SSL_CTX_use_certificate(ctx, own.get()) != 1) {
    why = called(from, option) + " holds a certificate that cannot be used: " + take_reason();
    return false;
  }
  while (owned<X509> further = next_certificate(in.get())) {
    if (SSL_CTX_add0_chain_cert(ctx, further.get()) != 1) {
      why = called(from, option) + " holds a certificate of its chain that cannot be used: " + take_reason();
      return false;
    }
    static_cast<void>(further.release());
  }
  return ended_well(called(from, option), why);
}

// Why the key in `where` could not be had.
std::string words_of_key(const std::string& where, const passphrase_asked& asked) {
  const std::string because = " (OpenSSL: " + take_reason() + ")";
  if (asked.most < 0)
    return where + " holds no private key in PEM, or one that is damaged or of a kind that is not known here, " +
           "whatever tls.identity.passphrase is" + because;
  if (asked.text.empty()) return where + " is encrypted, and tls.identity.passphrase is empty";
  if (asked.text.size() > static_cast<std::size_t>(asked.most))
    return where + " is encrypted, and tls.identity.passphrase is longer than " + std::to_string(asked.most) +
           " bytes, which no passphrase may be";
  return where + " holds a private key that tls.identity.passphrase does not open: that is another one, or the key " +
         "is damaged" + because;
}

bool use_key(SSL_CTX* ctx, const pem& from, const tls_identity& who, std::string& why) {
  const char* const option = "tls.identity.key (--key)";
  pem_source in;
  if (!in.open(from, option, why)) return false;
  passphrase_asked asked{who.passphrase};
  const owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(in.get(), nullptr, give_passphrase, &asked));
  if (!key) {
    why = words_of_key(called(from, option), asked);
    return false;
  }
  // A key of another kind than the certificate's would be kept beside it, and be of no use.
  const bool belongs = X509_check_private_key(SSL_CTX_get0_certificate(ctx), key.get()) == 1;
  if (belongs && SSL_CTX_use_PrivateKey(ctx, key.get()) == 1) return true;
  why = called(from, option) + " is not the key of the certificate, which is the first in its file: " + take_reason();
  return false;
}

}  // namespace

bool use_identity(SSL_CTX* ctx, const tls_identity& who, std::string& why) {
  return use_certificate(ctx, who.certificate, why) &&
         use_key(ctx, who.key.empty() ? who.certificate : who.key, who, why);
}

bool use_authorities(SSL_CTX* ctx, const pem& ca, const char* option, bool names_sent, std::string& why) {
  pem_source in;
  if (!in.open(ca, option, why)) return false;
  int count = 0;
  while (const owned<X509> one = next_certificate(in.get())) {
    const bool taken = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), one.get()) == 1 &&
                       (!names_sent || SSL_CTX_add_client_CA(ctx, one.get()) == 1);
    if (!taken) {
      why = called(ca, option) + " holds a certificate that cannot be used: " + take_reason();
      return false;
    }
    ++count;
  }
  if (count == 0) why = called(ca, option) + " holds no certificate in PEM: " + take_reason();
  return count > 0 && ended_well(called(ca, option), why);
}

bool use_authority_folder(SSL_CTX* ctx, const std::string& path, std::string& why) {
  if (path.empty()) {
    if (SSL_CTX_set_default_verify_paths(ctx) == 1) return true;
    why = "the authorities of the system cannot be used: " + take_reason();
    return false;
  }
  std::error_code error;
  if (std::filesystem::is_directory(path, error) && SSL_CTX_load_verify_dir(ctx, path.c_str()) == 1) return true;
  why = "tls.ca_folder: " + path + " is no folder that can be read";
  ERR_clear_error();
  return false;
}

}  // namespace tls
HAWSER_END
