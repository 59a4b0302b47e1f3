// Secrets that a client has copied out of its options.
#pragma once

#include <hawser/tls/options.h>
#include <string.h>  // NOLINT(modernize-deprecated-headers): explicit_bzero is not C++.

#include <string>

HAWSER_BEGIN

/// Overwrites all that `text` has room for: what was moved from is empty, and a short one still stands there.
inline void wipe(std::string& text) noexcept {
  text.resize(text.capacity());
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

/// Overwrites the key and the passphrase of `who`, which is of no use any more.
inline void wipe(tls_identity& who) noexcept {
  wipe(who.passphrase);
  for (const pem* text : {&who.certificate, &who.key})  // The key may stand in either; `who` is not const.
    if (!text->is_file()) wipe(const_cast<std::string&>(text->value()));
  who = {};
}

/// Wipes at the end of a scope, however that is left.
class wipe_guard {
 public:
  explicit wipe_guard(tls_identity& who) noexcept : who_(who) {}
  ~wipe_guard() { wipe(who_); }
  wipe_guard(const wipe_guard&) = delete;
  wipe_guard& operator=(const wipe_guard&) = delete;

 private:
  tls_identity& who_;
};

HAWSER_END
