// From a name to a connected socket: all addresses, both families, within one deadline.
#pragma once

#include "net/driver.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/timer.h"

#include <hawser/base/clock.h>
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

/// Connects to the first address that answers: IPv6 and IPv4 by turns, the next one when the one before has failed or
/// has not answered within `head_start` (RFC 8305, 4 and 5). The loop's thread; goes before the loop. Destroying it,
/// also from its own answer, means that no answer is delivered and nothing stays open.
class HAWSER_API connector final : private timed {
 public:
  /// A handle for `driver::adopt`, which the callee owns from now on, or why there is none; `peer` is the address it
  /// is about, of family `none` when no address was found. Errors: those of a lookup and of a connect,
  /// `connect_timeout`.
  using answer = function<void(result<int> handle, const address& peer)>;

  /// How long an address is waited for before the next one is tried beside it.
  static constexpr ticks head_start = std::chrono::milliseconds(250);
  /// Attempts under way at a time; for a further one the oldest is given up.
  static constexpr std::size_t max_attempts = 8;

  /// `done` runs once, never within the call. A Unix socket has no name: use the other one.
  connector(loop& owner, const std::string& host, std::uint16_t port, tick deadline, answer done);
  connector(loop& owner, const std::vector<address>& to, tick deadline, answer done);
  ~connector();

  /// When the addresses were known. Before that `no_deadline`.
  [[nodiscard]] tick resolved() const noexcept { return resolved_; }

 private:
  class attempt;

  void on_timer(tick now) override;
  void on_addresses(const std::vector<address>& found);
  void on_attempt_connected(attempt& a);
  void on_attempt_failed(attempt& a, errc what);
  void try_next();
  errc start(const address& to) noexcept;
  void schedule();
  void note(errc what, const address& peer);
  void drop(std::size_t index);
  void drop_all();
  void finish(result<int> handle, const address& peer);

  loop& owner_;
  tick deadline_;
  tick next_start_ = no_deadline;
  tick resolved_ = no_deadline;
  answer done_;
  std::unique_ptr<lookup> lookup_;
  std::vector<address> addresses_;
  std::size_t next_ = 0;
  std::vector<std::unique_ptr<attempt>> attempts_;  // Oldest first.
  errc error_ = errc::name_not_found;               // What to say if nothing else comes of it.
  address error_peer_;
};

}  // namespace net
HAWSER_END
