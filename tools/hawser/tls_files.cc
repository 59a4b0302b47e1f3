#include "tls_files.h"

#include <fcntl.h>
#include <hawser/tls/context.h>
#include <string.h>  // NOLINT(modernize-deprecated-headers): explicit_bzero is not C++.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace hawser_tool {

namespace {

constexpr std::size_t longest_file = std::size_t{16} << 20;  // The authorities of a whole system have 220 KB.
constexpr std::size_t piece = 65536;
constexpr std::size_t longest_passphrase = 1024;  // More OpenSSL does not take.

/// An open file, and how to speak of it.
class input {
 public:
  // Waits for who writes a pipe. Not open: `why` says why.
  input(const char* option, const std::string& path, std::string& why)
      : name_(std::string(option) + " " + path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat found {};
    if (fd_ < 0)
      why = problem(errno);
    else if (::fstat(fd_, &found) == 0 && S_ISDIR(found.st_mode))
      why = name_ + " is a folder, and no file";
    else
      good_ = true;
    regular_ = S_ISREG(found.st_mode);
  }
  input(const input&) = delete;
  input& operator=(const input&) = delete;
  ~input() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool is_open() const { return good_; }
  [[nodiscard]] bool can_be_read_again() const { return regular_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  // At most `most` bytes to the end of `to`. False: `why` says why. `to` stays as it is at the end of the file.
  template <class Text>
  bool read(Text& to, std::size_t most, std::string& why) const {
    const std::size_t before = to.size();
    to.resize(before + most);
    ssize_t n = -1;
    do
      n = ::read(fd_, to.data() + before, most);
    while (n < 0 && errno == EINTR);
    if (n < 0) why = problem(errno);
    to.resize(before + (n > 0 ? static_cast<std::size_t>(n) : 0));
    return n >= 0;
  }

 private:
  [[nodiscard]] std::string problem(int number) const {
    return name_ + " cannot be read: " + std::generic_category().message(number);
  }
  std::string name_;
  int fd_;
  bool good_ = false;
  bool regular_ = false;
};

/// Overwrites what it gives back.
template <class T>
struct wiping_allocator {
  using value_type = T;
  T* allocate(std::size_t n) { return std::allocator<T>().allocate(n); }
  void deallocate(T* at, std::size_t n) noexcept {
    ::explicit_bzero(at, n * sizeof(T));
    std::allocator<T>().deallocate(at, n);
  }
  bool operator==(const wiping_allocator&) const = default;
};

/// PEM that was read: for the library, and for the checks here.
struct pem_file {
  std::string name;                                                              // "--key FILE"
  std::basic_string<char, std::char_traits<char>, wiping_allocator<char>> text;  // A key may stand in it.
  hawser::pem source;
};

void wipe(const std::string& text) {  // Of one that is not const, whoever shows it as such.
  ::explicit_bzero(const_cast<char*>(text.data()), text.capacity());
}

bool read_pem(const char* option, const std::string& path, pem_file& to, std::string& why) {
  const input file(option, path, why);
  if (!file.is_open()) return false;
  to.name = file.name();
  for (;;) {
    const std::size_t before = to.text.size();
    if (!file.read(to.text, piece, why)) return false;
    if (to.text.size() == before) break;
    if (to.text.size() <= longest_file) continue;
    why = to.name + " is longer than 16 MiB, which nothing in PEM is";
    return false;
  }
  // A path says more than a text when the library complains.
  to.source = file.can_be_read_again() ? hawser::pem::file(path) : hawser::pem::text(std::string(to.text));
  if (to.text.empty()) why = to.name + " is empty";
  return !to.text.empty();
}

constexpr std::string_view begin = "-----BEGIN ";

// What stands between the dashes of the line that `part` begins with.
std::string_view label_of(std::string_view part) {
  part.remove_prefix(std::min(begin.size(), part.size()));
  return part.substr(0, std::min(part.find("-----"), part.find('\n')));
}

bool is_any(std::string_view) { return true; }
bool is_certificate(std::string_view label) { return label == "CERTIFICATE" || label == "X509 CERTIFICATE"; }
bool is_key(std::string_view label) { return label.ends_with("PRIVATE KEY"); }

// From the first line "-----BEGIN LABEL-----" on whose label `is` what is looked for; empty: there is none.
std::string_view part_of(std::string_view text, bool (*is)(std::string_view)) {
  for (std::size_t at = 0; (at = text.find(begin, at)) != std::string_view::npos; at += begin.size()) {
    const std::string_view part = text.substr(at);
    if ((at == 0 || text[at - 1] == '\n') && is(label_of(part))) return part;
  }
  return {};
}

// A sequence whose length takes a byte of its own or more, as that of a certificate and of a key does.
bool seems_der(std::string_view text) {
  return text.size() > 1 && text[0] == '\x30' && (static_cast<unsigned char>(text[1]) & 0x80U) != 0;
}

// Why a file without what was looked for may have none.
std::string guess(const pem_file& file) {
  if (seems_der(file.text)) return "; it seems to be DER or PKCS #12: openssl x509, pkey or pkcs12 makes PEM of it";
  const std::string_view any = part_of(file.text, is_any);
  if (any.empty()) return "; none of its lines begins with -----BEGIN";
  const std::string_view label = label_of(any);
  const bool request = label.ends_with("CERTIFICATE REQUEST");
  return "; what it begins with is called " + std::string(label) +
         (is_key(label)                    ? ", which is for --key"
          : request                        ? ", of which an authority makes a certificate"
          : label == "TRUSTED CERTIFICATE" ? ", of which openssl x509 makes a certificate"
                                           : "");
}

bool read_certificates(const char* option, const std::string& path, pem_file& to, std::string& why) {
  if (!read_pem(option, path, to, why)) return false;
  if (!part_of(to.text, is_certificate).empty()) return true;
  why = to.name + " holds no certificate in PEM" + guess(to);
  return false;
}

bool is_encrypted(std::string_view key) {
  const std::size_t second = key.find('\n');
  return key.starts_with("-----BEGIN ENCRYPTED ") ||
         (second != std::string_view::npos && key.substr(second + 1).starts_with("Proc-Type: 4,ENCRYPTED"));
}

// The first line, and of a pipe nothing behind it: as openssl -passin file: does. `line` has room from the beginning,
// so that no part of it stays where it once was.
bool read_passphrase(const std::string& path, std::string& line, std::string& why) {
  const input file("--passphrase-file", path, why);
  if (!file.is_open()) return false;
  line.reserve(longest_passphrase + 1);
  for (std::size_t before = 0; line.size() <= longest_passphrase && !line.ends_with('\n'); before = line.size()) {
    if (!file.read(line, 1, why)) return false;
    if (line.size() == before) break;
  }
  while (line.ends_with('\n') || line.ends_with('\r'))
    line.pop_back();
  if (line.empty())
    why = file.name() + ": the first line is empty, and should be the passphrase";
  else if (line.size() > longest_passphrase)
    why = file.name() + ": the first line is longer than 1024 bytes, which no passphrase is";
  return why.empty();
}

bool read_identity(const tls_args& args, hawser::tls_identity& to, std::string& why) {
  pem_file certificate;
  if (!read_certificates("--cert", args.certificate, certificate, why)) return false;
  to.certificate = std::move(certificate.source);
  pem_file own;
  if (!args.key.empty()) {
    if (!read_pem("--key", args.key, own, why)) return false;
    to.key = std::move(own.source);
  }
  const pem_file& file = args.key.empty() ? certificate : own;
  const std::string_view key = part_of(file.text, is_key);
  if (key.empty()) {
    why = args.key.empty() ? file.name + " holds no private key: name the file that has it by --key"
                           : file.name + " holds no private key in PEM" + guess(file);
    return false;
  }
  if (!args.passphrase_file.empty() && !read_passphrase(args.passphrase_file, to.passphrase, why)) return false;
  if (!is_encrypted(key)) {
    wipe(to.passphrase);
    to.passphrase.clear();
    return true;
  }
  if (!to.passphrase.empty()) return true;
  why = "the private key in " + file.name + " is encrypted: name the file with its passphrase by --passphrase-file";
  return false;
}

// To a build without TLS the files do not matter: what it lacks, the library says.
bool fail(std::string& why) {
  std::string said;
  if (hawser::tls::context::server({}, &said).error() == hawser::errc::not_supported) why = said;
  return false;
}

}  // namespace

bool read_tls(const tls_args& args, hawser::client_tls& how, std::string& why) {
  how.server_name = args.server_name;
  how.dangerously_accept_any_certificate = args.any_certificate;
  pem_file ca;
  if (!args.ca.empty() && !read_certificates("--ca", args.ca, ca, why)) return fail(why);
  how.ca = ca.source;
  return args.certificate.empty() || read_identity(args, how.identity, why) || fail(why);
}

bool read_tls(const tls_args& args, hawser::server_tls& how, std::string& why) {
  if (!read_identity(args, how.identity, why)) return fail(why);
  if (args.ca.empty()) return true;
  pem_file ca;
  how.clients = hawser::client_certificates::required;
  if (!read_certificates("--client-ca", args.ca, ca, why)) return fail(why);
  how.client_ca = ca.source;
  return true;
}

void wipe(hawser::tls_identity& own) {
  wipe(own.passphrase);
  for (const hawser::pem* one : {&own.certificate, &own.key})
    if (!one->is_file()) wipe(one->value());
  own = {};
}

std::string refused_tls(const tls_args& args, const hawser::tls_identity& own, const std::string& why) {
  if (why.find("tls.identity.passphrase") == std::string::npos) return why;
  const std::string key =
      "the private key in " + (args.key.empty() ? "--cert " + args.certificate : "--key " + args.key);
  if (own.passphrase.empty()) return key + " cannot be read: it is damaged, or of a kind that TLS does not know";
  return key + " is not opened by the first line of --passphrase-file " + args.passphrase_file +
         ": that is another passphrase, or the key is damaged";
}

}  // namespace hawser_tool
