// TLS spoken by hand over a real socket, by a filter whose bytes a test moves.
#pragma once

#include "ws/raw_peer.h"

#include <gtest/gtest.h>
#include <hawser/tls/filter.h>

#include <string>
#include <string_view>
#include <utility>

namespace hawser::test {

/// One end of TLS over a real socket, and of WebSocket within. It is open once it is made, unless the other end fails.
class tls_by_hand {
 public:
  tls_by_hand(raw_peer peer, const tls::context& how, std::string_view host)
      : peer_(std::move(peer)), filter_(how, host, 443) {
    while (!filter_.is_open()) {
      filter_.handshake(sink_);
      flush();
      if (!filter_.is_open() && !hear()) break;
    }
  }

  [[nodiscard]] bool is_open() const noexcept { return filter_.is_open(); }
  [[nodiscard]] const tls::filter& filter() const noexcept { return filter_; }
  raw_peer& socket() { return peer_; }
  void send(std::string_view plain) {
    EXPECT_TRUE(filter_.write(as_bytes(plain), sink_));
    flush();
  }
  /// The same with what TLS makes of it changed: it is no record of this connection any more.
  void send_damaged(std::string_view plain) {
    EXPECT_TRUE(filter_.write(as_bytes(plain), sink_));
    sink_.back() ^= std::byte{1};
    flush();
  }
  /// The same as `send`, and only `n` bytes of its record.
  void send_cut(std::string_view plain, std::size_t n) {
    EXPECT_TRUE(filter_.write(as_bytes(plain), sink_));
    sink_.resize(n);
    flush();
  }
  void say_end() {
    filter_.close(sink_);
    flush();
  }
  /// `plain` and the end of TLS, in one piece.
  void send_last(std::string_view plain) {
    EXPECT_TRUE(filter_.write(as_bytes(plain), sink_));
    say_end();
  }
  /// Waits for `mark`; what came with it.
  std::string until(std::string_view mark) {
    std::size_t at = 0;
    while ((at = plain_.find(mark)) == std::string::npos)
      if (!hear()) return {};
    std::string found = plain_.substr(0, at + mark.size());
    plain_.erase(0, found.size());
    return found;
  }
  /// Whether exactly `expected` comes next. What comes in its place stays.
  bool expect(std::string_view expected) {
    while (plain_.size() < expected.size())
      if (!hear()) return false;
    if (!plain_.starts_with(expected)) return false;
    plain_.erase(0, expected.size());
    return true;
  }
  /// What has come and was not asked for.
  [[nodiscard]] const std::string& left() const noexcept { return plain_; }

 private:
  void flush() {
    peer_.send(byte_view(sink_));
    sink_.clear();
  }
  bool hear() {
    if (peer_.waiting() == 0 && !peer_.receive()) return false;
    const std::string bytes = peer_.take();
    filter_.feed(as_bytes(bytes), {});
    filter_.handshake(sink_);
    std::byte room[4096];
    while (const std::size_t n = filter_.read(room, sink_))
      plain_.append(as_text(byte_view(room, n)));
    flush();
    return true;
  }

  raw_peer peer_;
  tls::filter filter_;
  tls::record_sink sink_;
  std::string plain_;
};

}  // namespace hawser::test
