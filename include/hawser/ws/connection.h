// The handle of a connection: what users hold, from any thread, for ever.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/base/errc.h>
#include <hawser/base/function.h>
#include <hawser/base/result.h>
#include <hawser/core/close_code.h>
#include <hawser/core/opcode.h>
#include <hawser/core/send_options.h>
#include <hawser/core/statistics.h>
#include <hawser/net/address.h>
#include <hawser/ws/handshake.h>
#include <hawser/ws/message.h>
#include <hawser/ws/timings.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

HAWSER_BEGIN

/// A handle: eight bytes, copied freely, never dangling. After the connection has ended every call answers
/// `errc::closed`, from any thread, for ever.
///
/// Threads: `send`, `close`, `terminate`, `publish`, `subscribe`, `unsubscribe`, `post` and `is_open` may be called on
/// any thread. On the connection's own loop they act at once, and `ok` means done. All other calls belong to the loop's
/// thread (the handlers run there) and answer `errc::wrong_thread` elsewhere.
///
/// On another thread they copy what they need and queue it for the loop, and `ok` means queued, no more: the loop does
/// it in the order in which one thread asked, unless the connection has begun to close, or is gone, by the time it gets
/// there; then it is dropped without a word, and what there is to hear is `on_close`. A message that is not dropped so
/// is sent whatever the backlog. How much may be queued is bounded, beyond that they answer `would_block`. From the
/// moment on which the loop begins to close the connection, whoever asked for it, nothing more is queued: all but
/// `terminate` and `post` answer `closed`, and so do these two when the transport is gone as well.
///
/// When memory runs out on the loop the call answers `out_of_resources`, and the connection ends with 1011. On another
/// thread, where only the copy needs memory, `std::bad_alloc` is thrown and nothing was queued.
class HAWSER_API connection {
 public:
  /// Refers to no connection: every call answers `errc::closed`.
  connection() noexcept = default;

  /// Sends a text message; `text` is copied and must be UTF-8. Errors: `closed`, `would_block` (not taken: wait for
  /// `on_drain`), `invalid_utf8`.
  errc send(std::string_view text) const;
  errc send(const char* text) const { return send(std::string_view(text)); }
  /// Sends a binary message; `data` is copied.
  errc send(byte_view data) const;
  /// Sends a message on as it is, text or binary: without a copy where it lies in this loop's memory. A part of one
  /// (see `in_parts`) becomes a message of its own. Errors: as above; `invalid_utf8` for a part of a text that is cut
  /// inside a character.
  errc send(const message& m) const;

  /// The same, each with wishes for this message: `c.send(secret, {.compress = false})`.
  errc send(std::string_view text, send_options how) const;
  errc send(const char* text, send_options how) const { return send(std::string_view(text), how); }
  errc send(byte_view data, send_options how) const;
  errc send(const message& m, send_options how) const;

  /// Sends a message in parts, each a frame of its own (loop thread); each is copied. The parts of a text must be UTF-8
  /// together, and may be cut inside a character (RFC 6455, 5.6). Errors: `closed`, `would_block` and `invalid_utf8`
  /// (the part is not taken, and the message can go on with another one), `wrong_state` when the calls are out of
  /// order, `wrong_thread`.
  errc begin_text(send_options how = {}) const;
  errc begin_binary(send_options how = {}) const;
  errc send_part(byte_view part, bool last) const;

  /// Sends a ping of at most 125 bytes (loop thread); `on_pong` hears the answer.
  errc ping(byte_view payload = {}) const;

  /// Starts the closing handshake behind everything that was sent. `reason` is at most 123 bytes of UTF-8. What the
  /// peer sent before it answers still reaches `on_message`: `terminate` ends that. Errors: `closed`,
  /// `invalid_close_code`.
  errc close(close_code code = close_code::normal, std::string_view reason = {}) const;
  /// Ends the connection at once, without a closing handshake; the peer sees a reset.
  errc terminate() const;

  /// Joins or leaves a topic of this server. Errors: `invalid_argument` for a name that is empty or over 255 bytes,
  /// `wrong_state` for a client's connection, `too_many_subscriptions` beyond `limits.max_subscriptions`.
  errc subscribe(std::string_view topic) const;
  errc unsubscribe(std::string_view topic) const;
  /// Sends to every other subscriber of `topic` on this server. Errors: as `subscribe`, `invalid_utf8`, `would_block`
  /// (sent to nobody) when too much waits for one of the server's loops already.
  errc publish(std::string_view topic, std::string_view text, send_options how = {}) const;
  errc publish(std::string_view topic, const char* text, send_options how = {}) const {
    return publish(topic, std::string_view(text), how);
  }
  errc publish(std::string_view topic, byte_view data, send_options how = {}) const;
  errc publish(std::string_view topic, const message& m, send_options how = {}) const;

  /// Runs `call` on the connection's loop. Errors: `closed`; then `call` is destroyed uncalled.
  errc post(function<void()> call) const;

  /// True while messages can be sent. Another thread may close it the next moment.
  [[nodiscard]] bool is_open() const noexcept;

  // ---- the loop's thread only

  [[nodiscard]] result<core::statistics> stats() const;  ///< What was sent and received.
  /// Where its time went, part by part. Errors: `not_kept` when the options did not say `timings`, `closed`,
  /// `wrong_thread`.
  [[nodiscard]] result<hawser::timings> timings() const;
  /// The addresses of this end and of the other one. Errors: `closed`, `wrong_thread`.
  [[nodiscard]] result<net::address> local_address() const;
  [[nodiscard]] result<net::address> remote_address() const;
  /// What was asked and agreed in the opening handshake, as `on_connect` saw it: path, headers, subprotocol. Kept only
  /// when the options said `keep_request`. Shared, so that it is good for as long as you keep it, on any thread, also
  /// after the connection has ended; nobody changes it. Errors: `not_kept`, `closed`, `wrong_thread`.
  ///
  ///     if (auto r = c.request()) log((*r)->path(), (*r)->peer.fields.find("User-Agent"));
  [[nodiscard]] result<std::shared_ptr<const handshake>> request() const;
  /// The extensions at work, with their parameters, in the order of work: the first is nearest to the application.
  ///
  ///     if (auto all = c.extensions())
  ///       for (const hawser::active_extension& e : *all) log(e.text());
  [[nodiscard]] result<std::vector<active_extension>> extensions() const;

  /// Stops and resumes receiving: back-pressure by hand. What was received already waits; `close` resumes. Meanwhile
  /// nothing is heard of the peer: its pings are not answered, and it is not judged by its silence. Errors: `closed`,
  /// `wrong_thread`.
  errc pause() const;
  errc resume() const;

  /// Keeps an object with the connection; it is destroyed with it, or when it is replaced, and at once where it cannot
  /// be kept. `data<T>()` finds it, null when there is none of this type.
  template <class T>
  errc set_data(std::unique_ptr<T> object) const {
    return set_data(object.release(), type_tag<T>(), [](void* p) { delete static_cast<T*>(p); });
  }
  template <class T>
  [[nodiscard]] T* data() const noexcept {
    return static_cast<T*>(find_data(type_tag<T>()));
  }

  /// The same connection. A number that no other connection of this process ever had or will have.
  bool operator==(const connection&) const noexcept = default;
  [[nodiscard]] std::uint64_t id() const noexcept { return std::uint64_t{generation_} << 32 | index_; }

 private:
  friend class session;
  connection(std::uint32_t index, std::uint32_t generation) noexcept : index_(index), generation_(generation) {}

  template <class T>
  static const void* type_tag() noexcept {
    static constexpr char tag = 0;
    return &tag;
  }
  errc send_slow(const message& m) const;
  errc set_data(void* object, const void* tag, void (*destroy)(void*)) const;
  void* find_data(const void* tag) const noexcept;

  std::uint32_t index_ = 0;
  std::uint32_t generation_ = 0;  // 0: no connection.
};

HAWSER_END
