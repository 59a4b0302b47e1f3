// A page whose content is asked for and comes later, on a driver without a system: who asks, and what the test answers.
#pragma once

#include "ws/server_opening.h"
#include "ws/timings_kit.h"

#include <gtest/gtest.h>
#include <hawser/net/address.h>

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::test {

struct asked_page {
  static constexpr std::string_view request = "GET /metrics HTTP/1.1\r\nHost: h.test\r\n\r\n";
  static constexpr ticks patience = 5s;  // The handshake timeout.

  server_shared shared;  // Outlives the loop.
  core::server_policy policy;
  std::vector<function<void(const metrics&)>> asked;
  timed_loop l{false};

  asked_page() {
    shared.metrics_path = "/metrics";
    shared.ask_metrics = [this](function<void(const metrics&)> done) { asked.push_back(std::move(done)); };
    admission_limits door;
    door.connections = 10;
    door.handshakes = 1;
    shared.door = std::make_unique<admission>(door);
    l.work.set_door(shared.door.get());
  }

  /// A peer that has asked. Its handle.
  int ask() {
    const auto [own, peer] = l.driver().make_pair();
    admission_ticket ticket{};
    const bool admitted = shared.door->admit(net::address::ip("127.0.0.1", 1).value(), l.loop->now(), ticket);
    auto* s = new (l.work) session(l.work, role::server, l.obey, l.handlers);
    s->admitted_by(ticket);
    s->start(own, std::make_unique<server_opening>(shared, policy, net::address(), !admitted),
             l.loop->now() + patience);
    l.put(peer, request);
    return peer;
  }
  void answer(std::size_t which = 0) {
    asked.at(which)(metrics{});
    l.turn();
  }
};

}  // namespace hawser::test
