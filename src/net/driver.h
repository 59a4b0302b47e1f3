// The seam between streams and the system: completion-shaped, chosen at run time, one shared test suite.
#pragma once

#include "net/timer.h"

#include <hawser/base/buffer.h>
#include <hawser/base/bytes.h>
#include <hawser/base/clock.h>
#include <hawser/base/errc.h>
#include <hawser/net/address.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

HAWSER_BEGIN
namespace net {

class transport;
class loop;

/// What a stream keeps for its transport.
class stream_link {
 private:
  friend class transport;
  int handle_ = -1;
  std::uint32_t state_ = 0;
};

/// One byte stream of the system and what its owner hears from it. One virtual call a completion, on a final class.
/// After `driver::close` nothing more is heard. A stream is closed or released before it is destroyed, and not
/// destroyed inside one of its own call-backs: `loop::bury` it there.
class stream : public timed, public stream_link {
 public:
  /// Bytes came. They lie in the loop's receive area with at least 16 writable bytes in front, are lent for this call,
  /// and may be changed.
  virtual void on_received(byte_span bytes) = 0;
  /// A `read_into` finished: `n` bytes were put at its place. Its buffer is given back.
  virtual void on_received_into(buffer&& into, std::size_t n) = 0;
  /// The peer sent its last byte; nothing more will be received, and reading has ended. Writing may go on.
  virtual void on_end() = 0;
  /// After a `write` that was pending: `n` more bytes of it went out (0 when the system only says that there is room
  /// again): write the rest.
  virtual void on_written(std::size_t n) = 0;
  /// A connect finished well.
  virtual void on_connected() {}
  /// The stream is broken: reset, refused, unreachable, timed out. Close it.
  virtual void on_error(errc what) = 0;

 protected:
  ~stream() = default;
};

// Four pointers of the timer and the driver's word: it stands in every connection.
static_assert(sizeof(stream) == 40);

/// Hears of new connections.
class acceptor {
 public:
  /// A connection was accepted. The callee owns `handle` and adopts it with `driver::adopt`, or closes it with
  /// `driver::discard`.
  virtual void on_accepted(int handle, const address& peer) = 0;
  /// Descriptors have run out: accepting rests for a while (I1). Said once per rest.
  virtual void on_exhausted() {}

 protected:
  ~acceptor() = default;
};

/// What a `write` did.
struct write_result {
  std::size_t done = 0;   ///< Bytes that went out, or that the system has taken.
  bool pending = false;   ///< The rest did not fit: keep it; `on_written` will come.
  errc error = errc::ok;  ///< The stream is broken; nothing will be heard for it from this call.
};

/// Options of a listening socket.
struct listen_options {
  int backlog = 4096;
  bool reuse_port = false;         ///< Several loops listen on one port; the system spreads connections.
  bool replace_unix_path = false;  ///< Remove a stale socket file first.
  ticks user_timeout{};            ///< What `set_user_timeout` would do to each connection; zero: nothing.
};

/// How often the system was asked for what. Counted always: a sum costs nothing beside a system call.
struct call_counts {
  std::uint64_t waits = 0;
  std::uint64_t receives = 0;
  std::uint64_t sends = 0;
  std::uint64_t accepts = 0;
  std::uint64_t controls = 0;           ///< Changes of what is waited for.
  std::atomic<std::uint64_t> wakes{0};  ///< From any thread.
};

/// What can be done with an open stream, by whoever has taken it: the system's driver, or a layer over it. All calls on
/// the loop's thread.
class transport {
 public:
  transport() = default;
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;
  virtual ~transport() = default;

  /// Bytes are received over and over into the loop's receive area until `stop_reading` or the end. Harmless when it is
  /// so already, and after the end.
  virtual void start_reading(stream& s) = 0;
  /// Nothing is received or heard until `start_reading`, not even the end; bytes wait in the system.
  virtual void stop_reading(stream& s) = 0;
  /// The next bytes, at most `room`, go to `into` at `offset` instead, once; the operation owns the buffer until
  /// `on_received_into` or `close`. Reading must be started.
  virtual void read_into(stream& s, buffer into, std::size_t offset, std::size_t room) = 0;

  /// Writes the chunks in order. Synchronous where it can be: then no call-back comes. After `pending` no further
  /// `write` until `on_written`.
  virtual write_result write(stream& s, std::span<const byte_view> chunks) = 0;

  /// Sends FIN after what was written.
  virtual void shutdown_write(stream& s) noexcept = 0;
  /// Ends the stream at once, from any state; `reset` sends RST instead of FIN. Nothing more is heard, late completions
  /// are swallowed, memory of unfinished operations lives until the system is done with it.
  virtual void close(stream& s, bool reset = false) noexcept = 0;
  [[nodiscard]] virtual bool is_open(const stream& s) const noexcept = 0;

  [[nodiscard]] virtual address local_address(const stream& s) const = 0;
  [[nodiscard]] virtual address remote_address(const stream& s) const = 0;
  /// Tells the system to give up a peer that acknowledges nothing for this long (TCP_USER_TIMEOUT). No effect where
  /// there is none.
  virtual void set_user_timeout(stream& s, ticks after) noexcept = 0;
  /// Bytes that the system has taken and the peer's has not; 0 where nobody knows.
  [[nodiscard]] virtual std::size_t unsent(const stream& s) const noexcept = 0;
  /// True while bytes that `write` took wait for the system: `close` would lose them.
  [[nodiscard]] virtual bool holds(const stream&) const noexcept { return false; }

 protected:
  /// What a stream keeps for its transport: the handle, -1 when there is none, and a word of state.
  static int& handle_of(stream& s) noexcept { return s.handle_; }
  static int handle_of(const stream& s) noexcept { return s.handle_; }
  static std::uint32_t& state_of(stream& s) noexcept { return s.state_; }
};

/// The way to the system. All calls on the loop's thread.
class driver : public transport {
 public:
  /// Takes a handle from an acceptor or from `release`: non-blocking, CLOEXEC, TCP_NODELAY. Reading has not started.
  virtual void adopt(stream& s, int handle) = 0;
  /// Gives up the handle of an open stream without closing it, for another stream to adopt; nothing more is heard on
  /// this one. Bytes that were not delivered stay in the system. Not while a `write` is pending.
  [[nodiscard]] virtual int release(stream& s) noexcept = 0;
  /// Closes a handle that nobody adopted.
  virtual void discard(int handle) noexcept = 0;
  /// Starts to connect; `on_connected` or `on_error` follows, never within the call. With an error nothing was begun
  /// and nothing follows.
  virtual errc connect(stream& s, const address& to) = 0;

  /// Listens; `bound` gets the address with the port that was chosen. Errors: `address_in_use`, `address_invalid`,
  /// `permission_denied` ...
  virtual errc listen(acceptor& a, const address& on, const listen_options& options, address& bound) = 0;
  /// Nothing more is heard from any of this acceptor's sockets; a Unix socket's file is removed.
  virtual void stop_listening(acceptor& a) noexcept = 0;

  /// Waits for completions until `deadline`, has the loop read its clock, and delivers them. `wake` (any thread) ends
  /// the wait. True when something came, a wake-up included.
  virtual bool wait(tick deadline) = 0;
  virtual void wake() noexcept = 0;

  [[nodiscard]] const call_counts& calls() const noexcept { return calls_; }

 protected:
  call_counts calls_;
};

/// The epoll driver; null when the system has no descriptors left (EMFILE). `owner` outlives it.
HAWSER_API std::unique_ptr<driver> make_epoll_driver(loop& owner);

}  // namespace net
HAWSER_END
