// Names to addresses, off the loop: a name server that never answers holds up nobody else.
#pragma once

#include "net/loop.h"

#include <hawser/base/function.h>
#include <hawser/base/result.h>
#include <hawser/net/address.h>

#include <cstdint>
#include <string>
#include <vector>

HAWSER_BEGIN
namespace net {

/// A lookup under way. Destroying it means its answer is never delivered; the thread that asks ends by itself.
class lookup {
 public:
  using answer = function<void(result<std::vector<address>>)>;
  /// Asks for the addresses of `host` in the system's order. IP literals are answered without a thread, still not
  /// within the call. `done` runs on `owner`'s thread. Errors: `name_not_found`, `out_of_resources`.
  lookup(loop& owner, const std::string& host, std::uint16_t port, answer done);
  ~lookup();
  lookup(const lookup&) = delete;
  lookup& operator=(const lookup&) = delete;

 private:
  struct state;
  std::shared_ptr<state> state_;  // Shared with the asking thread, which may outlive this object.
};

/// What is called instead of the system's resolver; for tests. Null restores it. Blocks the asking thread only.
using resolve_function = result<std::vector<address>> (*)(const std::string& host, std::uint16_t port);
void set_resolve_function(resolve_function f) noexcept;

}  // namespace net
HAWSER_END
