// What all TLS connections of a client or of a server share.
#pragma once

#include <hawser/base/result.h>
#include <hawser/tls/options.h>

#include <memory>
#include <string>

HAWSER_BEGIN
namespace tls {

/// Certificates, keys and rules, read and checked once. Immutable; a copy is one more reference; any thread.
class HAWSER_API context {
 public:
  struct state;

  /// Reads what the options name. Errors: `invalid_certificate` for what cannot be read, does not fit together or is
  /// too weak, `out_of_resources`; `why` gets a sentence that names the file and the option.
  static result<context> client(const client_tls& how, std::string* why = nullptr);
  static result<context> server(const server_tls& how, std::string* why = nullptr);

  [[nodiscard]] const state& shared() const noexcept { return *state_; }  ///< For `filter`.

 private:
  explicit context(std::shared_ptr<const state> s) noexcept : state_(std::move(s)) {}
  std::shared_ptr<const state> state_;
};

}  // namespace tls
HAWSER_END
