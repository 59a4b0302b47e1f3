// What a client and a server are told about TLS. Every default is safe; what is insecure says so in its name.
#pragma once

#include <hawser/base/config.h>

#include <cstdint>
#include <string>
#include <utility>

HAWSER_BEGIN

/// Certificates or a key in PEM, in a file or in memory; read when the context is made. An empty path or text is one
/// that cannot be read, never one that was not given: who meant to name an authority does not trust those of the
/// system.
class pem {
 public:
  pem() = default;
  /// What stands in the file at `path`.
  [[nodiscard]] static pem file(std::string path) { return {std::move(path), kind::file}; }
  [[nodiscard]] static pem text(std::string text) { return {std::move(text), kind::text}; }  ///< What stands in `text`.

  [[nodiscard]] bool empty() const noexcept { return kind_ == kind::none; }    ///< True when none was given.
  [[nodiscard]] bool is_file() const noexcept { return kind_ == kind::file; }  ///< True when `value` is a path.
  /// The path or the text.
  [[nodiscard]] const std::string& value() const noexcept { return value_; }

 private:
  enum class kind : std::uint8_t { none, file, text };
  pem(std::string value, kind of) noexcept : value_(std::move(value)), kind_(of) {}
  std::string value_;
  kind kind_ = kind::none;
};

/// The versions of TLS that there are here; older ones are broken (RFC 8996).
enum class tls_version : std::uint8_t { v1_2, v1_3 };

/// Who one says one is: a certificate with what leads from it to an authority, its own first, and its private key.
struct tls_identity {
  tls_identity() = default;

  pem certificate;  ///< The certificate, and those that lead to the authority.
  pem key;          ///< Empty: it stands in `certificate` too.
  /// Of an encrypted key. It and `key` are yours to wipe. Hawser overwrites its own copies before it gives their memory
  /// back; what OpenSSL makes of them while it reads the key is OpenSSL's.
  std::string passphrase;
};

/// TLS of a client (RFC 8446, RFC 5246). The server's chain and its host name are always verified.
struct client_tls {
  client_tls() = default;

  /// Authorities that are trusted, and a folder of such (as `openssl rehash` makes it). With neither those of the
  /// system.
  pem ca;
  std::string ca_folder;  ///< See `ca`.
  /// The name that the server's certificate must be for, and that is sent as SNI (RFC 6066, 3). Empty: the URL's host.
  /// One that begins with a dot would stand for all below it, and is refused.
  std::string server_name;
  /// For servers that want to know who connects.
  tls_identity identity;
  tls_version least = tls_version::v1_2;  ///< Nothing older is agreed on.
  /// Takes up sessions of earlier connections (RFC 8446, 2.2; RFC 5077): cheaper, and verified when they were begun.
  bool tickets = true;
  /// Takes any certificate, of anybody: whoever stands in between reads and writes everything. For tests only.
  bool dangerously_accept_any_certificate = false;
};

/// Whether a server asks its clients for a certificate.
enum class client_certificates : std::uint8_t {
  not_asked,
  optional,  ///< A client may come without one; one that it shows is verified.
  required,
};

/// TLS of a server.
struct server_tls {
  server_tls() = default;

  /// Without it a server does not speak TLS.
  tls_identity identity;
  /// With `optional` and `required`: the authorities of clients' certificates. Must be given then: those of the system
  /// would let in everybody who owns a domain. With `not_asked` it must be empty, so that nobody takes it for a lock.
  pem client_ca;
  client_certificates clients = client_certificates::not_asked;  ///< Whether clients are asked for a certificate.
  tls_version least = tls_version::v1_2;                         ///< Nothing older is agreed on.
  /// Lets clients take up their sessions. Keys are made here, kept in memory, and changed every hour. Not where clients
  /// show certificates, which are verified anew each time.
  bool tickets = true;
};

HAWSER_END
