// Looking into a running server from a test: whatever is asked is asked on the loop's own thread, between its batches.
#pragma once

#include "net/loop.h"
#include "ws/access.h"
#include "ws/raw_peer.h"
#include "ws/worker.h"

#include <gtest/gtest.h>
#include <hawser/ws/server.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <type_traits>
#include <utility>

namespace hawser::test {

/// Calls `ask(worker&)` on the loop of `of` and gives back what it says.
template <class Ask>
auto on_loop(server& of, Ask ask) {
  worker& w = server_access::loop(of);
  std::promise<std::invoke_result_t<Ask, worker&>> said;
  auto answer = said.get_future();
  w.loop().post([&w, &said, &ask] { said.set_value(ask(w)); });
  return answer.get();
}

/// What the loop has asked the system for.
struct io_counts {
  std::uint64_t receives = 0;
  std::uint64_t sends = 0;
  std::uint64_t controls = 0;
};

inline io_counts counts_of(server& of) {
  return on_loop(of, [](worker& w) {
    const net::call_counts& c = w.loop().io().calls();
    return io_counts{c.receives, c.sends, c.controls};
  });
}

/// What was asked for since `before`.
inline io_counts since(const io_counts& before, server& of) {
  const io_counts now = counts_of(of);
  return {now.receives - before.receives, now.sends - before.sends, now.controls - before.controls};
}

/// Asks over and over, giving way in between, until it is so. False: it never is.
template <class Ask>
bool comes_true(server& of, Ask ask) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (!on_loop(of, ask))
    if (std::chrono::steady_clock::now() > give_up) return false;
  return true;
}

}  // namespace hawser::test
