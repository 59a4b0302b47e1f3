#include "support/authority.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <stdexcept>
#include <utility>

namespace hawser::test {

namespace {

template <auto Free>
struct freeing {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freeing<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freeing<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freeing<BIO_free>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, freeing<X509_EXTENSION_free>>;

void check(bool good) {
  if (!good) throw std::runtime_error("a certificate for a test could not be made");
}

key_ptr make_key(int rsa_bits) {
  EVP_PKEY* made = nullptr;
  if (rsa_bits == 0)
    made = EVP_EC_gen("P-256");
  else
    made = EVP_RSA_gen(static_cast<unsigned>(rsa_bits));
  check(made != nullptr);
  return key_ptr(made);
}

void add_extension(X509* to, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const extension_ptr made(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  check(made != nullptr && X509_add_ext(to, made.get(), -1) == 1);
}

void add_to(X509_NAME* name, const char* kind, const std::string& value) {
  const auto* const text = reinterpret_cast<const unsigned char*>(value.c_str());
  check(X509_NAME_add_entry_by_txt(name, kind, MBSTRING_UTF8, text, -1, -1, 0) == 1);
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names)
    all.append(all.empty() ? "" : ",")
        .append(name.starts_with("IP:") || name.starts_with("email:") ? "" : "DNS:")
        .append(name);
  return all;
}

}  // namespace

struct authority::state {
  key_ptr key;
  certificate_ptr certificate;

  static std::shared_ptr<const state> make(const certificate_wish& wish, const state* issuer) {
    static std::atomic<long> serial{1};
    auto made = std::make_shared<state>();
    made->key = make_key(wish.rsa_bits);
    made->certificate.reset(X509_new());
    X509* const x = made->certificate.get();
    check(x != nullptr && X509_set_version(x, 2) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), wish.valid_from);
    X509_gmtime_adj(X509_getm_notAfter(x), wish.valid_until);
    X509_NAME* const subject = X509_get_subject_name(x);
    add_to(subject, "CN", wish.common_name);
    for (int i = 0; i < wish.units; ++i)
      add_to(subject, "OU", std::string(60, 'u'));
    X509* const signer = issuer == nullptr ? x : issuer->certificate.get();
    check(X509_set_issuer_name(x, X509_get_subject_name(signer)) == 1 && X509_set_pubkey(x, made->key.get()) == 1);
    add_extension(x, signer, NID_basic_constraints, wish.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (wish.is_authority) add_extension(x, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (!wish.is_authority && !wish.extended_usage.empty())
      add_extension(x, signer, NID_ext_key_usage, wish.extended_usage);
    if (!wish.names.empty()) add_extension(x, signer, NID_subject_alt_name, alternative_names(wish.names));
    EVP_PKEY* const key = issuer == nullptr ? made->key.get() : issuer->key.get();
    check(X509_sign(x, key, wish.sha1 ? EVP_sha1() : EVP_sha256()) > 0);
    return made;
  }
};

authority::authority(const certificate_wish& wish) : state_(state::make(wish, nullptr)) {}

authority authority::root(std::string name) {
  certificate_wish wish;
  wish.common_name = std::move(name);
  wish.is_authority = true;
  return authority(wish);
}

authority authority::issue(const certificate_wish& wish) const {
  authority made;
  made.state_ = state::make(wish, state_.get());
  return made;
}

namespace {

std::string text_of(const bio_ptr& from) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(from.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

std::string authority::certificate() const {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_X509(out.get(), state_->certificate.get()) == 1);
  return text_of(out);
}

std::vector<std::byte> authority::der() const {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  check(i2d_X509_bio(out.get(), state_->certificate.get()) == 1);
  const std::string text = text_of(out);
  const auto* const from = reinterpret_cast<const std::byte*>(text.data());
  return {from, from + text.size()};
}

std::string authority::key(const std::string& passphrase) const {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  const EVP_CIPHER* const cipher = passphrase.empty() ? nullptr : EVP_aes_256_cbc();
  check(PEM_write_bio_PKCS8PrivateKey(out.get(), state_->key.get(), cipher, passphrase.data(),
                                      static_cast<int>(passphrase.size()), nullptr, nullptr) == 1);
  return text_of(out);
}

tls_identity authority::identity() const {
  tls_identity who;
  who.certificate = pem::text(certificate());
  who.key = pem::text(key());
  return who;
}

void leave_an_openssl_error() { ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR); }

}  // namespace hawser::test
