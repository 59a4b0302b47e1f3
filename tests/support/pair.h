// A client core and a server core with a wire between them, a clock that only the test moves, and bytes that arrive in
// whatever pieces the test wants.
#pragma once

#include "support/core_end.h"
#include "support/cutter.h"

#include <hawser/core/connection.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace hawser::test {

class core_pair {
 public:
  explicit core_pair(const core::settings& both = {}) : core_pair(both, both) {}
  core_pair(const core::settings& for_client, const core::settings& for_server)
      : client(role::client, for_client), server(role::server, for_server) {}

  core_end client;
  core_end server;
  /// The size of the next piece that arrives; everything when not set.
  std::function<std::size_t()> next_size;
  /// Every byte that was on the wire, for a test that looks at it.
  byte_string client_wire;
  byte_string server_wire;

  /// Carries bytes until nothing moves. A blocked end is told that it may write again when all it wrote was carried.
  void run() {
    for (bool moved = true; moved;) {
      moved = carry(client, server, client_wire);
      moved = carry(server, client, server_wire) || moved;
      moved = unblock(client) || moved;
      moved = unblock(server) || moved;
    }
  }
  /// Lets time pass for both, with what they send to each other on the way.
  void advance(ticks by) {
    const tick until = client.now + by;
    for (run(); next_deadline() <= until; run()) {
      const tick when = std::max(client.now, next_deadline());
      client.now = server.now = when;
      for (core_end* end : {&client, &server})
        if (end->core().deadline() <= when) end->turn([&](core::connection& c) { c.on_timeout(when); });
    }
    client.now = server.now = until;
  }
  /// Each byte from `from` that was not carried yet is lost, as on a dead line.
  void lose(core_end& from) { from.out.clear(); }

 private:
  [[nodiscard]] tick next_deadline() const { return std::min(client_core().deadline(), server_core().deadline()); }
  [[nodiscard]] const core::connection& client_core() const { return const_cast<core_end&>(client).core(); }
  [[nodiscard]] const core::connection& server_core() const { return const_cast<core_end&>(server).core(); }

  bool carry(core_end& from, core_end& to, byte_string& wire) {
    if (from.out.empty()) return false;
    const byte_string moving = std::exchange(from.out, {});
    wire.insert(wire.end(), moving.begin(), moving.end());
    for (byte_view left = moving; !left.empty();) {
      const std::size_t n = next_size ? std::clamp<std::size_t>(next_size(), 1, left.size()) : left.size();
      to.receive(left.first(n));
      left = left.subspan(n);
    }
    return true;
  }
  static bool unblock(core_end& end) {
    if (!end.blocked) return false;
    const std::size_t before = end.core().pending();
    end.writable();
    return end.core().pending() < before;
  }
};

/// How the bytes between two cores are cut; the name is printed when a test fails.
struct wire_cut {
  std::string name;
  std::function<std::size_t()> next_size;
};

/// Calls `run(core_pair&)` with a fresh pair whose bytes travel whole, byte by byte and in random pieces.
template <class Run>
void in_every_pair(const core::settings& both, Run&& run, int random_cuts = 8, std::uint64_t first_seed = 6455) {
  const auto with = [&](const std::string& name, std::function<std::size_t()> next_size) {
    SCOPED_TRACE(name);
    core_pair ends(both);
    ends.next_size = std::move(next_size);
    run(ends);
  };
  with("whole", {});
  with("byte by byte", [] { return std::size_t{1}; });
  for (int i = 0; i < random_cuts; ++i) {
    seeded_random random(first_seed + static_cast<std::uint64_t>(i));
    const std::size_t longest = std::size_t{1} << random.between(1, 16);
    with("random pieces with seed " + std::to_string(first_seed + static_cast<std::uint64_t>(i)),
         [random, longest]() mutable { return random.between(1, longest); });
  }
}

}  // namespace hawser::test
