// TLS under a session: the calls and the events of a plain stream, with a filter in between.
#pragma once

#include "net/driver.h"
#include "net/loop.h"

#include <hawser/tls/filter.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

HAWSER_BEGIN

/// The secured streams of one loop. What the owner writes before TLS is agreed waits for it. What goes wrong with TLS
/// comes as `on_error` with `certificate_refused`, `tls_failed` or `truncated`, and `filter_of` has the words. A buffer
/// of `read_into` is used while more fits into it than can have come; else the bytes come by `on_received`. The loop's
/// thread.
class secure_transport final : public net::transport {
 public:
  /// `on` outlives it, and it outlives its streams.
  explicit secure_transport(net::loop& on) noexcept;
  ~secure_transport() override;

  /// Takes a handle as `driver::adopt` does and begins TLS: a client's with the server `name`, or a server's.
  void adopt(net::stream& s, int handle, const tls::context& how, std::string_view name, std::uint16_t port);
  /// TLS of an open stream.
  [[nodiscard]] const tls::filter& filter_of(const net::stream& s) const noexcept;

  void start_reading(net::stream& s) override;
  void stop_reading(net::stream& s) override;
  void read_into(net::stream& s, buffer into, std::size_t offset, std::size_t room) override;
  net::write_result write(net::stream& s, std::span<const byte_view> chunks) override;
  void shutdown_write(net::stream& s) noexcept override;
  void close(net::stream& s, bool reset) noexcept override;
  [[nodiscard]] bool is_open(const net::stream& s) const noexcept override { return handle_of(s) >= 0; }
  [[nodiscard]] net::address local_address(const net::stream& s) const override;
  [[nodiscard]] net::address remote_address(const net::stream& s) const override;
  void set_user_timeout(net::stream& s, ticks after) noexcept override;
  [[nodiscard]] bool holds(const net::stream& s) const noexcept override;
  [[nodiscard]] std::size_t unsent(const net::stream& s) const noexcept override;

 private:
  class link;
  class own_records;

  [[nodiscard]] link& link_of(const net::stream& s) const noexcept;

  net::loop& loop_;
  std::vector<std::unique_ptr<link>> links_;  // A stream's handle is its place here.
  std::vector<int> free_;                     // As large as `links_` may get: a death needs no room.
  // Lent to one turn after the other, and empty between.
  std::unique_ptr<std::byte[]> plain_memory_;
  byte_span plain_;
  tls::record_sink records_;
  std::vector<std::byte> gathered_;
};

HAWSER_END
