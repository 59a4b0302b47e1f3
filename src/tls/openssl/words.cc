#include "tls/openssl/words.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstddef>

HAWSER_BEGIN
namespace tls {

namespace {

constexpr int most_names = 4;
constexpr std::size_t longest_name = 100;  // Of what is shown of a name.

// What was written into a memory BIO.
std::string text_of(BIO* from) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(from, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::string time_in(const ASN1_TIME* when) {
  const owned<BIO> out(BIO_new(BIO_s_mem()));
  return out && ASN1_TIME_print(out.get(), when) == 1 ? text_of(out.get()) : std::string("an unknown time");
}

// A name out of a certificate, which anybody may have written: its beginning.
std::string shortened(std::string text) {
  if (text.size() > longest_name) text.replace(longest_name, std::string::npos, "...");
  return text;
}

bool is_address(const std::string& text) {
  const owned<ASN1_OCTET_STRING> read(a2i_IPADDRESS(text.c_str()));
  ERR_clear_error();
  return read != nullptr;
}

std::string dns_name(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; }, '?');
  if (is_address(text)) return text + " (as a name)";  // Which is for no address.
  return shortened(std::move(text));
}

std::string ip_address(const unsigned char* data, std::size_t size) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  const int family = size == 4 ? AF_INET : AF_INET6;
  const bool known = (size == 4 || size == 16) && inet_ntop(family, data, text.data(), text.size()) != nullptr;
  return known ? std::string(text.data()) : std::string("an address that is none");
}

std::string host_in(const GENERAL_NAME* name) {
  const ASN1_STRING* value = nullptr;
  if (name->type == GEN_DNS)
    value = name->d.dNSName;
  else if (name->type == GEN_IPADD)
    value = name->d.iPAddress;
  if (value == nullptr) return {};
  const unsigned char* const data = ASN1_STRING_get0_data(value);
  const auto size = static_cast<std::size_t>(ASN1_STRING_length(value));
  if (name->type == GEN_IPADD) return ip_address(data, size);
  return dns_name(std::string(reinterpret_cast<const char*>(data), size));
}

// The hosts that a certificate is for: its subject alternative names, and nothing else (RFC 6125, 6.4.4).
std::string hosts_of(const X509* certificate) {
  struct names_delete {
    void operator()(GENERAL_NAMES* n) const noexcept { GENERAL_NAMES_free(n); }
  };
  const std::unique_ptr<GENERAL_NAMES, names_delete> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  std::string all;
  int listed = 0;
  for (int i = 0; i < count && listed < most_names; ++i) {
    const std::string one = host_in(sk_GENERAL_NAME_value(names.get(), i));
    if (one.empty()) continue;
    all.append(listed++ == 0 ? "" : ", ").append(one);
  }
  if (count > most_names) all += ", ...";
  return all;
}

std::string subject_of(const X509* certificate) {
  return certificate == nullptr ? std::string("no certificate") : words_of(X509_get_subject_name(certificate));
}

std::string untrusted(long result, const X509* certificate, std::string_view where) {
  if (result == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
    return std::string("it is signed by itself. If it is the right one, give it as ").append(where);
  std::string text;
  if (result == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)
    text = "the authority at the end of the chain is not among those trusted here";
  else
    text = "its authority, " +
           (certificate == nullptr ? std::string("unknown") : words_of(X509_get_issuer_name(certificate))) +
           ", is not among those trusted here, or a certificate between them was not sent";
  return text.append(". If it is the right one, give the authority's certificate as ").append(where);
}

}  // namespace

std::string take_reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    const int reason = ERR_GET_REASON(code);
    if (reason == SSL_R_EE_KEY_TOO_SMALL || reason == SSL_R_CA_KEY_TOO_SMALL)
      return "its key is too weak; it takes ECDSA P-256, or RSA of 2048 bits";
    if (reason == SSL_R_CA_MD_TOO_WEAK) return "it is signed with too weak a hash; it takes SHA-256";
  }
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? std::string("no reason is known") : std::string(reason);
}

std::string words_of(const X509_NAME* name) {
  const owned<BIO> out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_ONELINE) < 0) return "(no name)";
  std::string text = text_of(out.get());
  return text.empty() ? std::string("(no name)") : shortened(std::move(text));
}

std::string words_of_refusal(X509_STORE_CTX* chain, std::string_view host) {
  const int result = X509_STORE_CTX_get_error(chain);
  const X509* const certificate = X509_STORE_CTX_get_current_cert(chain);
  const bool of_server = !host.empty();
  const std::string where = of_server ? "tls.ca (--ca)" : "tls.client_ca (--client-ca)";
  std::string text = X509_STORE_CTX_get_error_depth(chain) == 0 ? "The certificate" : "A certificate in the chain";
  text.append(" of ").append(of_server ? host : "the client").append(" (").append(subject_of(certificate));
  text += ") is refused: ";
  switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: {
      const std::string hosts = hosts_of(certificate);
      if (hosts.empty())
        return text +
               "it names no host. It must be made anew, with the host as a subject alternative name: the common name "
               "does not count";
      return text + "it is for " + hosts + ", not for " + std::string(host) +
             ". Connect by a name that it is for, or, if it is the right server, set tls.server_name "
             "(--server-name) to that name";
    }
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return text + "it has expired: its time ended " + time_in(X509_get0_notAfter(certificate)) +
             ". It must be renewed; check the clock here as well";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return text + "it is not valid yet: its time begins " + time_in(X509_get0_notBefore(certificate)) +
             ". Check the clock here";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
      return text + untrusted(result, certificate, where);
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return text +
             "its key or its signature is too weak to protect anything. It must be made "
             "anew, with ECDSA P-256 or RSA of 2,048 bits or more, and SHA-256";
    case X509_V_ERR_INVALID_PURPOSE:
      return text + (of_server ? "it was not made for servers" : "it was not made for clients") +
             " (extended key usage). It must be made anew";
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return text + "its signature is not that of its authority, " + words_of(X509_get_issuer_name(certificate)) +
             ". It was changed or forged, or another authority has that name";
    case X509_V_ERR_INVALID_CA:
      return text + "it was not made to sign others. Only an authority's certificate may stand there";
    default:
      return text + X509_verify_cert_error_string(result) + ". It must be made anew";
  }
}

namespace {

// RFC 8446, 6.2. OpenSSL 3.0 has no names for these.
constexpr int inappropriate_fallback = 86;
constexpr int missing_extension = 109;
constexpr int certificate_required = 116;

const char* name_of_alert(int code) {
  if (code == inappropriate_fallback) return "inappropriate fallback";
  if (code == missing_extension) return "missing extension";
  if (code == certificate_required) return "certificate required";
  return SSL_alert_desc_string_long(code);
}

// What only a server has a reason to say.
bool is_of_servers(int code) noexcept {
  return code == inappropriate_fallback || code == SSL_AD_UNRECOGNIZED_NAME || code == certificate_required ||
         code == SSL_AD_NO_APPLICATION_PROTOCOL;
}

// The versions that are allowed here, and what to do about an end that has none of them.
std::string versions_here(const own_end& own) {
  return own.only_newest ? "1.3 alone (tls.least). It must be updated, or tls.least set to 1.2"
                         : "1.2 and 1.3. It must be updated";
}

// It did not like the certificate of this end, or that there is none.
std::string about_certificate(int code, const own_end& own) {
  if (!own.shows_certificate) return "it wants a client's certificate; give one as tls.identity (--cert, --key)";
  if (code == SSL_AD_CERTIFICATE_EXPIRED)
    return "the certificate of this end, tls.identity (--cert), has expired; renew it, and check both clocks";
  if (code == SSL_AD_UNKNOWN_CA)
    return "it does not trust the authority that signed the certificate of this end, tls.identity (--cert), or misses "
           "a "
           "certificate between them there";
  return "it does not accept the certificate of this end, tls.identity (--cert)";
}

// For what no peer says to a sound end.
constexpr const char* one_is_defective =
    "one of the two is defective and must be updated, or somebody in between changes what is sent";

std::string meaning_of_alert(int code, const own_end& own) {
  switch (code) {
    case SSL_AD_HANDSHAKE_FAILURE:
      // RFC 5746 has no other way to say it.
      if (own.is_open) return "it wanted to renegotiate, most likely, which is refused here; TLS 1.3 does not need it";
      return own.is_server ? "the two have no cipher or key exchange in common; it must be updated"
                           : "the two have no cipher or key exchange in common, or it wanted a certificate from here";
    case SSL_AD_INSUFFICIENT_SECURITY:
      return "the ciphers and keys of this end are too weak for it";
    case inappropriate_fallback:
      return "it was asked for an older version of TLS than it has. That is never asked for here: somebody in between "
             "changes what is sent";
    case missing_extension:
      return "it misses something in what was sent from here, which is complete. It is defective and must be updated, "
             "or somebody in between changes what is sent";
    case SSL_AD_NO_RENEGOTIATION:
      return "it will not renegotiate, which was never asked for here. It is defective and must be updated";
    case SSL_AD_PROTOCOL_VERSION:
      return "the two have no version of TLS in common; here it is " + versions_here(own);
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_UNKNOWN_CA:
    case certificate_required:
      return about_certificate(code, own);
    case SSL_AD_UNRECOGNIZED_NAME:
      return "it serves no host of that name";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return "it does not speak HTTP/1.1, which WebSocket needs";
    case SSL_AD_USER_CANCELLED:
      return "its user did not want to wait";
    case SSL_AD_INTERNAL_ERROR:
      return "something broke down there; look into its log";
    default:
      return std::string("what was sent from here was wrong for it: ") + one_is_defective;
  }
}

}  // namespace

std::string words_of_alert(int code, const own_end& own) {
  const std::string text = std::string("The ") + (own.is_server ? "client" : "server") +
                           " gave up with the TLS alert \"" + name_of_alert(code) + "\" (" + std::to_string(code) +
                           "): ";
  if (own.is_server && is_of_servers(code))
    return text + "only servers have a reason to send it, so that client is defective and must be updated";
  return text + meaning_of_alert(code, own);
}

std::string words_of_reason(int reason, const own_end& own) {
  const std::string other = own.is_server ? "The client" : "The server";
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_WRONG_SSL_VERSION:
      return other + (own.is_server ? " offers" : " chose") + " no version of TLS that is allowed here, which is " +
             versions_here(own) + ".";
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
      return other + " offers no cipher or signature that is allowed here: docs/tls.md lists them. It must be updated.";
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
      return other +
             " offers no key exchange that is allowed here, which is X25519, P-256 and P-384. It must be updated.";
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return other + " asks (ALPN) for other protocols than HTTP/1.1, which WebSocket needs.";
    case SSL_R_NO_RENEGOTIATION:
      return other +
             " said that it will not renegotiate, which was never asked for here. It is defective and must be updated.";
    case SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED:
      return other +
             " does not know secure renegotiation (RFC 5746), without which TLS 1.2 can be attacked. It must be "
             "updated.";
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
      return other + " sent a longer handshake than anybody needs, such as hundreds of certificates.";
    default: {
      const char* const words = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
      return other + " sent what is no sound TLS" + (own.is_open ? "" : ", in the handshake") + " (" +
             (words == nullptr ? "no reason is known" : words) + "): " + one_is_defective + ".";
    }
  }
}

std::string words_of_session(const SSL* ssl) {
  std::string_view version = SSL_get_version(ssl);
  std::string text = version == "TLSv1.3" ? "TLS 1.3" : version == "TLSv1.2" ? "TLS 1.2" : std::string(version);
  text.append(", ").append(SSL_get_cipher_name(ssl));
  if (SSL_session_reused(ssl) == 1) text += ", an earlier session taken up";
  const X509* const shown = SSL_get0_peer_certificate(ssl);
  if (shown == nullptr) return text;
  text.append("; certificate of ").append(subject_of(shown)).append(", by ");
  text.append(words_of(X509_get_issuer_name(shown))).append(", until ").append(time_in(X509_get0_notAfter(shown)));
  return text;
}

}  // namespace tls
HAWSER_END
