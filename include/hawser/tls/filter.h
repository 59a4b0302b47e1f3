// One TLS connection: encrypted bytes on one side, plain ones on the other, no socket.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/base/clock.h>
#include <hawser/base/errc.h>
#include <hawser/tls/context.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace tls {

/// Where encrypted bytes go that a filter makes. The owner empties it; it grows when it must.
using record_sink = std::vector<std::byte>;

/// TLS between two streams of bytes. The owner moves the bytes:
///
///   feed(bytes, now)            what came from the network, lent until the next call of `feed`
///   handshake(sink)             until `is_open`: what it puts into the sink goes to the network
///   read(into, sink)            plain bytes, until it answers 0: all that was fed is worked in then
///   write(plain, sink)          encrypts
///   close(sink)                 says that nothing more comes (close_notify)
///
/// After an error it does nothing more; the sink holds the alert for the peer. One thread at a time.
class HAWSER_API filter {
 public:
  /// For a server: `name` is empty. For a client: the host it means to reach, a DNS name or an IP address, unless the
  /// options named one. `port` tells sessions of several servers on one host apart. Throws `std::bad_alloc`.
  filter(const context& shared, std::string_view name, std::uint16_t port = 0);
  ~filter();
  filter(const filter&) = delete;
  filter& operator=(const filter&) = delete;

  /// What came from the network: lent until the next call of `feed`.
  void feed(byte_view encrypted, tick now) noexcept;
  /// A step of the handshake with what was fed; a client's first step needs nothing. False: failed, see `error`.
  bool handshake(record_sink& sink);
  /// Plain bytes into `into`; 0: more must be fed first, or see `error` and `peer_ended`. May put answers into the
  /// sink.
  std::size_t read(byte_span into, record_sink& sink);
  /// Encrypts all of `plain`, in records of up to 16 KiB. False: failed. Only while `is_open`.
  bool write(byte_view plain, record_sink& sink);
  /// Nothing more will be written. Once; harmless in any state.
  void close(record_sink& sink) noexcept;

  /// The handshake is finished and nothing has failed.
  [[nodiscard]] bool is_open() const noexcept { return open_ && error_ == errc::ok; }
  /// Something came from the other end, be it TLS or not.
  [[nodiscard]] bool has_begun() const noexcept { return heard_; }
  /// The peer has said that nothing more comes: an end of its stream before this was cut off by somebody else.
  [[nodiscard]] bool peer_ended() const noexcept { return ended_; }
  /// `certificate_refused`: the peer's is not to be trusted. `tls_failed`: the peer speaks no TLS, none that is allowed
  /// here, or gave up by an alert. `out_of_resources`.
  [[nodiscard]] errc error() const noexcept { return error_; }
  /// After an error: a sentence that says what was wrong, with which certificate and host, and what mends it.
  [[nodiscard]] const std::string& why() const noexcept { return why_; }

  /// Once open, in words: "TLS 1.3, TLS_AES_256_GCM_SHA384; certificate of CN = example.org, by CN = R3, until Jan  1
  /// 00:00:00 2027 GMT". For people; the words may change.
  [[nodiscard]] std::string describe() const;
  /// Once open, the certificate that the peer showed, in DER, and behind it those that lead to an authority, as they
  /// were verified; behind one of a session that was taken up stands nothing. Empty: it showed none. Unverified only
  /// with `dangerously_accept_any_certificate`. Throws `std::bad_alloc`.
  [[nodiscard]] std::vector<std::vector<std::byte>> peer_certificates() const;
  /// The protocol agreed on by ALPN (RFC 7301): "http/1.1" or nothing.
  [[nodiscard]] std::string_view alpn() const noexcept;
  /// True when an earlier session was taken up.
  [[nodiscard]] bool resumed() const noexcept;

 private:
  friend struct filter_bio;
  friend struct filter_events;
  struct ssl_delete {
    void operator()(void* ssl) const noexcept;
  };

  bool fail(std::string_view doing);
  bool give_up(errc what, std::string why) noexcept;
  void note_handshake_message() noexcept;

  context shared_;
  std::unique_ptr<void, ssl_delete> ssl_;
  byte_view in_;
  record_sink* out_ = nullptr;
  std::string name_;
  std::string why_;
  tick now_{};
  tick minute_{};                    // When the count below began ...
  std::uint16_t late_messages_ = 0;  // ... of handshake messages after the handshake.
  std::uint16_t port_ = 0;
  errc error_ = errc::ok;
  bool dry_ = false;  // OpenSSL has asked for more than was fed.
  bool heard_ = false;
  bool spoke_ = false;  // A message of TLS came.
  bool open_ = false;
  bool ended_ = false;
  bool closed_ = false;
};

}  // namespace tls
HAWSER_END
