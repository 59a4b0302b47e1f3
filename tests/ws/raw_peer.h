// The other end of a connection, spoken by hand over a real socket: what it sends and sees owes nothing to the library.
#pragma once

#include "net/address_access.h"
#include "net/socket.h"
#include "support/raw_frames.h"

#include <gtest/gtest.h>
#include <hawser/core/handshake.h>
#include <hawser/net/address.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace hawser::test {

/// How long anything may take before a test gives up: only ever reached by a defect.
inline constexpr int patience_ms = 20'000;

/// A connected socket with blocking calls. Whatever takes too long fails the test and ends the wait.
class raw_peer {
 public:
  explicit raw_peer(net::unique_fd fd, role side = role::client) : fd_(std::move(fd)), side_(side), out_(side) {}
  explicit raw_peer(const net::address& to, int receive_buffer = 0) : out_(role::client) {
    const net::system_address system = net::address_access::to_system(to);
    fd_ = net::unique_fd(::socket(system.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer != 0) ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    connected_ = ::connect(fd_.get(), system.get(), system.size) == 0;
  }

  [[nodiscard]] bool connected() const noexcept { return connected_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  // ---- bytes
  raw_peer& send(byte_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) break;
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return *this;
  }
  raw_peer& send(std::string_view text) { return send(as_bytes(text)); }

  /// Receives once. False at the end, after a reset, or when nothing comes.
  bool receive(int timeout_ms = patience_ms) {
    pollfd wanted{fd_.get(), POLLIN, 0};
    if (::poll(&wanted, 1, timeout_ms) <= 0) {
      timed_out_ = true;
      return false;
    }
    char block[65536];
    const ssize_t n = ::recv(fd_.get(), block, sizeof block, 0);
    if (n > 0) in_.append(block, static_cast<std::size_t>(n));
    ended_ = ended_ || n == 0;
    reset_ = reset_ || (n < 0 && errno == ECONNRESET);
    return n > 0;
  }
  /// What comes until `mark`, with it. Without it what came.
  std::string until(std::string_view mark) {
    std::size_t at = 0;
    while ((at = in_.find(mark)) == std::string::npos)
      if (!receive()) return take();
    std::string found = in_.substr(0, at + mark.size());
    in_.erase(0, found.size());
    return found;
  }
  /// Everything until the end.
  std::string to_end() {
    while (receive()) {
    }
    EXPECT_FALSE(timed_out_) << "the connection does not end";
    return take();
  }
  std::string take() { return std::exchange(in_, {}); }
  [[nodiscard]] std::size_t waiting() const noexcept { return in_.size(); }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] bool was_reset() const noexcept { return reset_; }
  [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }

  void finish() { ::shutdown(fd_.get(), SHUT_WR); }
  void hang_up() { fd_.reset(); }
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    fd_.reset();
  }

  // ---- the opening handshake
  static std::string request(std::string_view path = "/", std::string_view host = "127.0.0.1",
                             std::string_view extra = {}) {
    std::string text = "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n";
    text += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    text += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + std::string(extra) + "\r\n";
    return text;
  }
  /// As a client: asks, and gives back the head of the answer.
  std::string upgrade(std::string_view path = "/", std::string_view extra = {}, std::string_view host = "127.0.0.1") {
    send(request(path, host, extra));
    return until("\r\n\r\n");
  }
  /// As a server: reads the request and agrees. Gives back the request.
  std::string accept_upgrade(std::string_view extra = {}) {
    std::string asked = until("\r\n\r\n");
    send(agreement(asked, extra));
    return asked;
  }
  static std::string agreement(std::string_view asked, std::string_view extra = {}) {
    constexpr std::string_view name = "Sec-WebSocket-Key: ";
    const std::size_t at = asked.find(name);
    const std::string key(at == std::string_view::npos ? std::string_view() : asked.substr(at + name.size(), 24));
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
           core::accept_key(key) + "\r\n" + std::string(extra) + "\r\n";
  }

  // ---- frames
  /// A writer whose frames `flush` sends.
  frame_writer& out() noexcept { return out_; }
  raw_peer& flush() { return send(out_.take()); }
  raw_peer& text(std::string_view payload) {
    out_.text(payload);
    return flush();
  }
  /// The next frame. One with `first` 0 and nothing in it when none comes.
  raw_frame frame() {
    for (;;) {
      const byte_view all = as_bytes(in_);
      const auto h = detail::read_raw_header(all);
      if (h && all.size() - h->size >= h->length) return cut(*h);
      if (!receive()) return {};
    }
  }
  /// Frames until one of this opcode, which is given back.
  raw_frame frame_of(unsigned op) {
    for (;;) {
      raw_frame f = frame();
      if (f.first == 0 || f.op() == op) return f;
    }
  }

 private:
  raw_frame cut(const detail::raw_header& h) {
    EXPECT_EQ(h.masked, side_ == role::server) << "masked or not masked against the role";
    raw_frame f;
    f.first = static_cast<unsigned char>(in_[0]);
    f.payload = in_.substr(h.size, static_cast<std::size_t>(h.length));
    if (h.masked)
      for (std::size_t i = 0; i < f.payload.size(); ++i)
        f.payload[i] = static_cast<char>(f.payload[i] ^ in_[h.size - 4 + i % 4]);
    in_.erase(0, h.size + f.payload.size());
    return f;
  }

  net::unique_fd fd_;
  role side_ = role::client;
  frame_writer out_;
  std::string in_;
  bool connected_ = true;
  bool ended_ = false;
  bool reset_ = false;
  bool timed_out_ = false;
};

/// A listening socket whose connections a test accepts by hand.
class raw_listener {
 public:
  explicit raw_listener(std::string_view at = "127.0.0.1:0") {
    const net::address on = net::address::parse(at).value();
    const errc made = net::make_listener(on, {}, fd_, bound_);
    EXPECT_EQ(made, errc::ok);
  }
  raw_peer accept() {
    pollfd wanted{fd_.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&wanted, 1, patience_ms), 1) << "nobody connects";
    return raw_peer(net::unique_fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)), role::server);
  }
  [[nodiscard]] const net::address& at() const noexcept { return bound_; }
  [[nodiscard]] std::string url(std::string_view path = "/") const {
    return "ws://" + bound_.text() + std::string(path);
  }

 private:
  net::unique_fd fd_;
  net::address bound_;
};

}  // namespace hawser::test
