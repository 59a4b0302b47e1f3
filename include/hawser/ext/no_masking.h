// "no-masking": a client that agreed on it with its server sends its frames unmasked
// (draft-damjanovic-websockets-nomasking-02).
//
//   ws.extensions().add(hawser::ext::no_masking());
//
// Masking protects caches on the way from pages that choose what their browser sends (RFC 6455, 10.3). Where nobody on
// the way can read along, on TLS and on loopback, it protects nothing and costs both ends a pass over the bytes.
#pragma once

#include <hawser/core/extension.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace ext {

/// The factory. No parameters; an offer with any is declined. A client never offers it on an open path, and a server
/// there declines it; a Unix socket counts as loopback. Once it is agreed on, a masked frame fails the connection with
/// 1002. Any thread.
class HAWSER_API no_masking {
 public:
  /// It has nothing to do with messages: no message costs anything for it.
  struct work {
    static constexpr unsigned hooks = hook::none;                                 ///< None.
    static verdict begin(direction, head&, context&) { return verdict::bypass; }  ///< Lets every message be.
    bool operator==(const work&) const = default;
  };

  static constexpr bool secure_only = true;  ///< Not offered on an open path.
  /// What every factory has: see `hawser::factory`.
  static constexpr std::string_view name() { return "no-masking"; }
  static std::vector<params> offers();
  static std::optional<accepted<work>> confirm(const params& terms, std::string& why);
};

}  // namespace ext
HAWSER_END
