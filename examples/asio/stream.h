// A TCP socket with the calls that connection.h makes, and TLS on it where that is asked for.
#pragma once

#include <asio.hpp>
#include <hawser/tls/filter.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace embed {

using asio::ip::tcp;
using clock = std::chrono::steady_clock;

class stream {
 public:
  explicit stream(tcp::socket socket) : socket_(std::move(socket)) {
    socket_.non_blocking(true, ignored_);
    socket_.set_option(tcp::no_delay(true), ignored_);
  }

  // TLS from the first byte on. `name` and `port` are the server's; a server has no name to check.
  void secure(const hawser::tls::context& how, std::string_view name = {}, std::uint16_t port = 0) {
    tls_ = std::make_unique<hawser::tls::filter>(how, name, port);
    tls_->handshake(records_);
  }
  bool is_secure() const noexcept { return tls_ != nullptr; }
  // What was wrong with TLS, in words; empty otherwise.
  std::string_view why() const noexcept { return tls_ ? std::string_view(tls_->why()) : std::string_view(); }
  // Where the bytes that `read_some` gives must fit: all that can have come is decrypted at once.
  std::size_t least_room() const noexcept { return tls_ ? read_at_once + largest_record : 1; }

  // As with a socket; and `would_block` too when what came was for TLS alone.
  std::size_t read_some(hawser::byte_span into, std::error_code& e) {
    if (!tls_) return socket_.read_some(asio::buffer(into.data(), into.size()), e);
    std::array<std::byte, read_at_once> came;
    const std::size_t n = is_at_end() ? 0 : socket_.read_some(asio::buffer(came), e);
    if (e == asio::error::eof && tls_->is_open()) e = hawser::errc::truncated;  // Anybody may have cut it off.
    if (e) return 0;
    tls_->feed(hawser::byte_span(came).first(n), clock::now());
    if (!tls_->is_open()) tls_->handshake(records_);
    const std::size_t plain = tls_->read(into, records_);
    send_records(ignored_);
    if (plain > 0) return plain;
    e = asio::error::would_block;
    if (tls_->peer_ended()) e = asio::error::eof;
    if (tls_->error() != hawser::errc::ok) e = tls_->error();
    return 0;
  }

  // Whether `write_some` has something to do: nothing plain goes out before the handshake is done.
  bool has_to_write(std::size_t plain) const noexcept {
    return !records_.empty() || (plain > 0 && (!tls_ || tls_->is_open()));
  }
  // As with a socket; and with `would_block` bytes may have been taken that wait here, encrypted.
  std::size_t write_some(const std::vector<asio::const_buffer>& chunks, std::error_code& e) {
    if (!tls_) return socket_.write_some(chunks, e);
    send_records(e);
    if (!records_.empty() || !tls_->is_open()) return 0;
    std::array<std::byte, 4 * largest_record> piece;
    const std::size_t n = asio::buffer_copy(asio::buffer(piece), chunks);
    if (!tls_->write(hawser::byte_span(piece).first(n), records_)) e = tls_->error();
    if (!e) send_records(e);
    return n;
  }

  // An end that was told before bytes is not waited for.
  template <class Handler>
  void async_wait(tcp::socket::wait_type what, Handler&& then) {
    if (what == tcp::socket::wait_read && is_at_end())
      return asio::post(socket_.get_executor(), [then = std::forward<Handler>(then)] { then(std::error_code()); });
    socket_.async_wait(what, std::forward<Handler>(then));
  }

  // TLS has an end of its own (close_notify): without it the peer cannot tell this end from one that was cut off.
  void shutdown_send() {
    if (tls_) tls_->close(records_);
    ending_ = true;
    send_records(ignored_);
  }
  void close() {
    if (!ending_) shutdown_send();
    socket_.close(ignored_);
  }

  bool is_open() const { return socket_.is_open(); }
  auto get_executor() { return socket_.get_executor(); }
  tcp::endpoint remote_endpoint() { return socket_.remote_endpoint(ignored_); }

 private:
  static constexpr std::size_t largest_record = 16384;  // Plain; RFC 8446, 5.1.
  static constexpr std::size_t read_at_once = 32768;

  // Nothing more will come of TLS, whatever the socket still has.
  bool is_at_end() const noexcept { return tls_ && (tls_->peer_ended() || tls_->error() != hawser::errc::ok); }

  void send_records(std::error_code& e) {
    if (!records_.empty()) {
      const std::size_t n = socket_.write_some(asio::buffer(records_), e);
      records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(n));
    }
    if (!records_.empty()) return;
    records_ = {};  // Who waits for nothing keeps nothing.
    if (ending_) socket_.shutdown(tcp::socket::shutdown_send, ignored_);
  }

  tcp::socket socket_;
  std::unique_ptr<hawser::tls::filter> tls_;
  hawser::tls::record_sink records_;  // Encrypted, for the socket.
  bool ending_ = false;
  std::error_code ignored_;
};

}  // namespace embed
