// A client's and a server's filter with nothing but memory between them.
#pragma once

#include "support/authority.h"

#include <hawser/tls/filter.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace hawser::test {

inline tls::context client_context(client_tls how) {
  std::string why;
  auto made = tls::context::client(how, &why);
  if (!made) throw std::runtime_error(why);
  return *made;
}

inline tls::context server_context(server_tls how) {
  std::string why;
  auto made = tls::context::server(how, &why);
  if (!made) throw std::runtime_error(why);
  return *made;
}

inline std::string to_text(const tls::record_sink& bytes) { return std::string(as_text(byte_view(bytes))); }

/// Both ends; bytes go between them in pieces of at most `cut`.
struct tls_pair {
  tls_pair(const tls::context& of_client, const tls::context& of_server, std::string_view host,
           std::size_t most = SIZE_MAX)
      : client(of_client, host, 443), server(of_server, {}), cut(most) {}

  /// Hands over everything that waits, until nothing more comes of it. What is read is kept.
  void settle() {
    for (;;) {
      if (!client.is_open()) client.handshake(to_server);
      const bool there = hand_over(to_server, server, to_client, at_server);
      const bool back = hand_over(to_client, client, to_server, at_client);
      if (!there && !back) return;
    }
  }

  bool hand_over(tls::record_sink& wire, tls::filter& to, tls::record_sink& answers, std::string& got) {
    if (wire.empty()) return false;
    const tls::record_sink bytes = std::exchange(wire, {});
    for (std::size_t from = 0; from < bytes.size(); from += cut) {
      const auto piece = byte_view(bytes).subspan(from, std::min(cut, bytes.size() - from));
      give(to, piece, answers, got);
      if (cut > bytes.size()) break;
    }
    return true;
  }

  void give(tls::filter& to, byte_view piece, tls::record_sink& answers, std::string& got) {
    to.feed(piece, now);
    if (!to.is_open()) to.handshake(answers);
    std::byte room[1000];
    while (const std::size_t n = to.read(room, answers))
      got.append(as_text(byte_view(room, n)));
  }

  tls::filter client;
  tls::filter server;
  std::size_t cut;
  tls::record_sink to_server;
  tls::record_sink to_client;
  std::string at_server;
  std::string at_client;
  tick now{};
};

}  // namespace hawser::test
