// One connection of a loop: the only place where the stream, the opening handshake and the protocol core meet.
#pragma once

#include "net/driver.h"
#include "ws/admission.h"
#include "ws/worker.h"

#include <hawser/base/buffer.h>
#include <hawser/base/function.h>
#include <hawser/core/connection.h>
#include <hawser/ws/connection.h>
#include <hawser/ws/failure.h>
#include <hawser/ws/handshake.h>
#include <hawser/ws/message.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN

/// What a route or a client wants to hear. Shared by many sessions; outlives them; handlers may be empty.
struct route_handlers {
  function<void(connection, const handshake&)> connect;
  function<void(connection, const message&)> message;
  function<void(connection, byte_view)> ping;
  function<void(connection, byte_view)> pong;
  function<void(connection)> drain;
  function<void(connection, const failure&)> error;
  function<void(connection, close_code, std::string_view)> close;
  /// The transport is gone and the session with it: the very last call, also for one that never opened. For clients.
  function<void(bool was_open)> gone;
  std::vector<std::string> subprotocols;
};

/// The opening handshake of a session: from the first byte until `session::established` or `session::refuse`.
class opening {
 public:
  opening() = default;
  opening(const opening&) = delete;
  opening& operator=(const opening&) = delete;
  virtual ~opening() = default;
  /// Bytes came. May establish or refuse the session, which destroys this object at the end of the call.
  virtual void on_bytes(session& s, byte_span in) = 0;
  /// The peer is gone, or the handshake's time is over (`handshake_timeout`): the session dies after the call.
  virtual void on_failed(session& s, errc why) = 0;
};

class session final : public net::stream {
 public:
  /// Made with `new (w) session(w, ...)`; dies by `worker::bury`. `obey` and `handlers` outlive it.
  session(worker& w, role side, const core::settings& obey, route_handlers& handlers);

  static void* operator new(std::size_t size, worker& w) { return w.take_session_memory(size); }
  static void operator delete(void*, worker&) noexcept {}  // The constructor threw: its memory goes with the worker.

  // ---- opening
  /// Takes an accepted or connected handle, reads, and lets `how` open the connection until `deadline`.
  void start(int handle, std::unique_ptr<opening> how, tick deadline);
  /// The handshake has succeeded: `response` goes out first (servers), the stages are set to work, `on_connect` is
  /// called, then `rest` is worked in.
  void established(route_handlers& handlers, std::string_view response, std::vector<core::agreed_extension> stages,
                   const handshake& agreed, byte_span rest);
  /// Sends bytes that are no frames: the client's request.
  void send_opening(std::string_view bytes);
  /// Sends `response` and closes the connection; no handler is called but `gone`.
  void refuse(std::string_view response);
  /// The handshake succeeded but is not acceptable to this end: closes with `code`; no handler is called but `gone`.
  void reject(close_code code, errc why, std::string_view text);
  /// Ends a session that has not been established, at once.
  void abandon();

  // ---- calls of handles, on the loop's thread
  errc send(opcode op, byte_view payload);
  errc send(const message& m);
  errc begin_message(opcode op);
  errc send_part(byte_view part, bool last);
  errc ping(byte_view payload);
  errc close(close_code code, std::string_view reason);
  errc terminate();
  errc pause();
  errc resume();
  errc subscribe(std::string_view name);
  errc unsubscribe(std::string_view name);
  errc publish(std::string_view name, opcode op, byte_view payload);
  /// Frames of a topic; a peer that does not read them is closed with 1013.
  void send_frames(const buffer& frames, std::uint32_t messages);
  /// Closes with `code`, if it is open; ends the opening, if it is not.
  void shut_down(close_code code);
  void set_data(void* object, const void* tag, void (*destroy)(void*));
  [[nodiscard]] void* find_data(const void* tag) const noexcept;

  // ---- getters
  [[nodiscard]] connection handle() const noexcept { return {slot_, generation_}; }
  [[nodiscard]] core::connection& core() noexcept { return core_; }
  [[nodiscard]] worker& home() noexcept { return *worker_; }
  [[nodiscard]] bool is_open() const noexcept { return phase_ == phase::open && core_.is_open(); }
  [[nodiscard]] std::string extensions() const;
  [[nodiscard]] std::vector<subscription>& subscriptions();
  [[nodiscard]] bool has_subscriptions() const noexcept { return extras_ && !extras_->subscriptions.empty(); }
  [[nodiscard]] route_handlers& handlers() noexcept { return *handlers_; }
  [[nodiscard]] bool was_open() const noexcept { return was_open_; }
  /// Says at its end to `door` that this peer has left. Before `start`.
  void count_at(admission& door, admission::host_count* host) noexcept {
    door_ = &door;
    host_ = host;
  }

  /// The session of a handle, when it is alive and belongs to the loop of this thread.
  static session* here(connection c) noexcept;
  /// The handle that `connection::id` gave the number of.
  static connection unpack(std::uint64_t id) noexcept {
    return {static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32)};
  }
  /// True when the handle's connection is alive, or was when asked.
  static bool alive(connection c) noexcept;
  /// Runs `call` with the session on its loop: at once when this is its thread, else queued. `closed` when it is gone.
  static errc reach(connection c, function<errc(session&)> call);

 private:
  friend class worker;
  enum class phase : std::uint8_t { opening, open, lingering, dead };

  struct extras {
    std::unique_ptr<opening> how;
    buffer stash;  // Input that waits while receiving is paused.
    void* data = nullptr;
    const void* data_tag = nullptr;
    void (*data_destroy)(void*) = nullptr;
    std::vector<subscription> subscriptions;
    ~extras() {
      if (data != nullptr) data_destroy(data);
    }
  };

  ~session();
  void on_received(byte_span bytes) override;
  void on_received_into(buffer&& into, std::size_t n) override;
  void on_end() override;
  void on_written(std::size_t n) override;
  void on_error(errc what) override;
  void on_timer(tick now) override;

  void on_batch_end();  // From the worker, for a marked session.
  extras& need_extras();
  void begin_turn();
  void finish_turn();
  void pump();
  void keep_unconsumed();
  void deliver(core::kind k);
  void deliver_message(core::event& e);
  void deliver_closed(const core::event& e);
  void work_off_stash();
  void flush();
  void write_failed(errc why);
  void after_flush();
  void worker_mark();
  void linger();
  void fail_opening(errc why);
  void forget_opening();
  void touch();
  void die(bool reset);
  template <class Handler, class... Args>
  void call(const Handler& h, Args&&... args);

  worker* worker_;
  admission* door_ = nullptr;
  admission::host_count* host_ = nullptr;
  route_handlers* handlers_;
  std::unique_ptr<extras> extras_;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;
  std::uint32_t place_ = 0;  // In the worker's list.
  phase phase_ = phase::opening;
  bool in_turn_ : 1 = false;
  bool marked_ : 1 = false;
  bool paused_ : 1 = false;
  bool write_pending_ : 1 = false;
  bool drain_wanted_ : 1 = false;
  bool input_over_ : 1 = false;  // The peer's FIN came while paused.
  bool fin_sent_ : 1 = false;
  bool was_open_ : 1 = false;
  core::connection core_;
};

HAWSER_END
