// Names to addresses, off the loop: a name server that never answers holds up nobody else.
#pragma once

#include "net/loop.h"

#include <hawser/base/function.h>
#include <hawser/base/result.h>
#include <hawser/net/address.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

HAWSER_BEGIN
namespace net {

/// A lookup under way. The loop's thread; goes before the loop. Destroying it, also from its own answer, means that no
/// answer is delivered; the thread that asks ends by itself.
class HAWSER_API lookup {
 public:
  using answer = function<void(result<std::vector<address>>)>;

  /// Lookups of the whole process that ask at the same time, each on a thread of its own. More wait in a line.
  static constexpr std::size_t max_asking = 16;
  /// How many wait in the line at most.
  static constexpr std::size_t max_waiting = 1024;

  /// Asks for the addresses of `host` in the system's order. IP literals, "localhost" and names below it are answered
  /// without a thread, still not within the call. `done` runs on `owner`'s thread, once. Errors: `name_not_found`,
  /// `out_of_resources`.
  lookup(loop& owner, const std::string& host, std::uint16_t port, answer done);
  ~lookup();
  lookup(const lookup&) = delete;
  lookup& operator=(const lookup&) = delete;

 private:
  friend struct resolver_access;
  struct state;
  std::shared_ptr<state> state_;  // Shared with the asking thread, which may outlive this object.
};

/// What is called instead of the system's resolver; for tests. Null restores it. Blocks the asking thread only.
using resolve_function = result<std::vector<address>> (*)(const std::string& host, std::uint16_t port);
HAWSER_API void set_resolve_function(resolve_function f) noexcept;

}  // namespace net
HAWSER_END
