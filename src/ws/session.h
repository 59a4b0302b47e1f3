// One connection of a loop: the only place where the stream, the opening handshake and the protocol core meet.
#pragma once

#include "core/fast_path.h"
#include "net/driver.h"
#include "ws/admission.h"
#include "ws/meter.h"
#include "ws/secure_transport.h"
#include "ws/watching.h"
#include "ws/worker.h"

#include <hawser/base/buffer.h>
#include <hawser/base/function.h>
#include <hawser/core/connection.h>
#include <hawser/core/utf8.h>
#include <hawser/ws/connection.h>
#include <hawser/ws/failure.h>
#include <hawser/ws/handshake.h>
#include <hawser/ws/message.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
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

/// How long the system may hold bytes that the peer does not acknowledge: a little longer than a pong may take, so that
/// the keepalive, which knows more, judges first. Zero without keepalive: as long as the system likes.
constexpr ticks system_patience(const keepalive& alive) noexcept {
  if (alive.ping_interval >= no_keepalive / 2) return ticks::zero();
  return alive.pong_timeout > ticks::max() / 2 ? ticks::max() : alive.pong_timeout + alive.pong_timeout / 2;
}

/// The opening handshake of a session: from the first byte until `session::established` or `session::refuse`.
class opening {
 public:
  opening() = default;
  opening(const opening&) = delete;
  opening& operator=(const opening&) = delete;
  virtual ~opening() = default;
  /// Bytes came. May establish or refuse the session, which destroys this object at the end of the call.
  virtual void on_bytes(session& s, byte_span in) = 0;
  /// True when all that was to come has come and `session::answer_later` is to follow: the peer may end its side.
  [[nodiscard]] virtual bool answers_later() const noexcept { return false; }
  /// After `session::speak_frames`: a message came. As `on_bytes`.
  virtual void on_message(session&, opcode, byte_view) {}
  /// After `session::speak_frames`: the connection ended, by the peer or because it broke the protocol; `code` and
  /// `text` as in a `closed` event. The session lingers after the call.
  virtual void on_closed(session&, errc, close_code, std::string_view) {}
  /// The peer is gone, or the handshake's time is over (`handshake_timeout`): the session dies after the call.
  virtual void on_failed(session& s, errc why) = 0;
};

/// TLS for a connection that is to have it.
struct secure_start {
  const tls::context& how;
  std::string_view name;  // A client's: the server that it means to reach.
  std::uint16_t port = 0;
};

class session final : public net::stream {
 public:
  /// Made with `new (w) session(w, ...)`; dies by `worker::bury`. `obey` and `handlers` outlive it.
  session(worker& w, role side, const core::settings& obey, route_handlers& handlers);

  static void* operator new(std::size_t size, worker& w) { return w.take_session_memory(size); }
  static void operator delete(void* memory, worker& w) noexcept { w.give_session_memory_back(memory); }

  // ---- opening
  /// Takes an accepted or connected handle, reads, and lets `how` open the connection until `deadline`; behind TLS when
  /// there is `secure`.
  void start(int handle, std::unique_ptr<opening> how, tick deadline, const secure_start* secure = nullptr);
  /// The handshake has succeeded: `response` goes out first (servers), the stages are set to work, `on_connect` is
  /// called, then `rest` is worked in.
  void established(route_handlers& handlers, std::string_view response, std::vector<core::agreed_extension> stages,
                   const handshake& agreed, byte_span rest);
  /// The opening goes on in messages, under `obey` until it is over: `response` goes out first (servers), `offer` (when
  /// there is one) as a message, and what comes goes to `opening::on_message`, beginning with `rest`.
  void speak_frames(std::string_view response, std::string_view offer, const core::settings& obey, byte_span rest);
  /// The opening has succeeded in messages: `answer` (when there is one) goes out as a message, the stages are set to
  /// work in-band under `obey`, `on_connect` is called. From within `opening::on_message`.
  void established_inband(route_handlers& handlers, std::string_view answer, const core::settings& obey,
                          std::vector<core::agreed_extension> stages, const handshake& agreed);
  /// Keeps a copy for `request`. Before `established`.
  void keep_request(const handshake& agreed);
  /// Sends bytes that are no frames: the client's request.
  void send_opening(std::string_view bytes);
  /// Sends `response` and closes the connection; no handler is called but `gone`.
  void refuse(std::string_view response);
  /// The same for an opening that said `answers_later`; of no effect when it comes too late. Destroys the opening. Not
  /// in a turn, and not from within the opening.
  void answer_later(std::string_view response) noexcept;
  /// The handshake succeeded but is not acceptable to this end: closes with `code`; no handler is called but `gone`.
  /// `stages` are those by which the close frame goes.
  void reject(close_code code, errc why, std::string_view text, std::vector<core::agreed_extension> stages = {});
  /// Ends a session that has not been established, at once.
  void abandon();

  // ---- calls of handles, on the loop's thread
  /// What a handler sends on its own connection, nearly always: true when it was taken. Otherwise `send` is to be
  /// asked. That this turn's block has room says that the connection is open and nothing waits in front.
  bool send_at_once(opcode op, byte_view payload) noexcept {
    return !worker_->topics_waiting() && core::fast_path::send(core_, op, payload);
  }
  errc send(opcode op, byte_view payload, send_options how = {});
  errc send(const message& m, send_options how = {});
  /// What another thread was told would be sent: whatever waits already.
  void send_promised(opcode op, byte_view payload, send_options how);
  /// Another thread heard `would_block`: `on_drain` when there is room.
  void ask_drain();
  errc begin_message(opcode op, send_options how);
  errc send_part(byte_view part, bool last);
  errc ping(byte_view payload);
  errc close(close_code code, std::string_view reason);
  errc terminate();
  errc pause();
  errc resume();
  errc subscribe(std::string_view name);
  errc unsubscribe(std::string_view name);
  errc publish(std::string_view name, opcode op, byte_view payload, send_options how);
  /// Frames of a topic; a peer that does not read them is closed with 1013.
  void send_frames(const buffer& frames, std::uint32_t messages, send_options how);
  /// True when nothing stands in the way of `write_frames` of so many bytes: no turn to come, nothing that waits.
  [[nodiscard]] bool takes_frames_now(std::size_t size) const noexcept {
    return !marked_ && !watched_ && !secured_ && phase_ == phase::open && write_error_ == errc::ok &&
           core_.takes_frames_now(size);
  }
  /// Writes `frames` from `from` on, without a turn.
  void write_frames(const buffer& frames, std::size_t from, std::uint32_t messages);
  /// Calls what was posted for this connection, as a handler: a throw closes it with 1011.
  errc run(const function<void()>& posted);
  /// Closes with `code`, if it is open; ends the opening, if it is not.
  void shut_down(close_code code);
  /// No handler is called any more.
  void silence() noexcept;
  void set_data(void* object, const void* tag, void (*destroy)(void*));
  [[nodiscard]] void* find_data(const void* tag) const noexcept;

  // ---- getters
  [[nodiscard]] connection handle() const noexcept {
    return {slot_index(), static_cast<std::uint32_t>(core_.id() >> 32)};
  }
  /// Its place in the table that handles refer to.
  [[nodiscard]] std::uint32_t slot_index() const noexcept { return static_cast<std::uint32_t>(core_.id()); }
  [[nodiscard]] core::connection& core() noexcept { return core_; }
  [[nodiscard]] worker& home() noexcept { return *worker_; }
  /// Its stream: the system's, or TLS over it.
  [[nodiscard]] net::transport& io() noexcept {
    if (secured_) [[unlikely]]
      return worker_->secure();
    return worker_->loop().io();
  }
  /// TLS of a connection that has it and is not gone, or null.
  [[nodiscard]] const tls::filter* secured() noexcept {
    return secured_ && io().is_open(*this) ? &worker_->secure().filter_of(*this) : nullptr;
  }
  [[nodiscard]] bool is_open() const noexcept {
    return phase_ == phase::open && write_error_ == errc::ok && core_.is_open();
  }
  /// True when `close` or `terminate` was called at this end before the connection was over.
  [[nodiscard]] bool ended_here() const noexcept { return ended_here_; }
  [[nodiscard]] std::vector<active_extension> extensions() const;
  /// What `keep_request` kept, or null.
  [[nodiscard]] std::shared_ptr<const handshake> request() const noexcept {
    return extras_ ? extras_->agreed : nullptr;
  }
  [[nodiscard]] std::vector<subscription>& subscriptions();
  [[nodiscard]] bool has_subscriptions() const noexcept { return extras_ && !extras_->subscriptions.empty(); }
  [[nodiscard]] route_handlers& handlers() noexcept { return *handlers_; }
  [[nodiscard]] bool was_open() const noexcept { return was_open_; }
  /// What was measured so far, or null when nothing is.
  [[nodiscard]] connection_times* times() noexcept { return timed_ ? extras_->times.get() : nullptr; }
  /// The head of the server's response is complete.
  void note_response() noexcept;
  /// Gives the ticket back to the worker's door at its end. Before `start`.
  void admitted_by(admission_ticket ticket) noexcept { ticket_ = ticket; }

  /// The session of a handle, when it is alive and belongs to the loop of this thread.
  static session* here(connection c) noexcept {
    session* s = speaker(c);
    return s != nullptr ? s : find(c);
  }
  /// The same, when it is the one whose messages are being delivered; else null.
  static session* speaker(connection c) noexcept {
    session* s = current_speaker;
    return s != nullptr && s->handle() == c && s->phase_ != phase::dead ? s : nullptr;
  }
  /// The handle that `connection::id` gave the number of.
  static connection unpack(std::uint64_t id) noexcept {
    return {static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32)};
  }
  /// True when the handle's connection is alive, or was when asked.
  static bool alive(connection c) noexcept;
  /// The same, and something can still be sent on it.
  static bool open_elsewhere(connection c) noexcept;
  /// Runs `call` with the session on its loop: at once when this is its thread, else queued. `closed` when it is gone.
  static errc reach(connection c, function<errc(session&)> call);
  /// From another thread: queues a copy. `would_block` when too much is under way or the backlog is full.
  static errc send_from_elsewhere(connection c, opcode op, byte_view payload, send_options how = {});
  static errc publish_from_elsewhere(connection c, std::string_view topic, opcode op, byte_view payload,
                                     send_options how);

 private:
  friend class worker;
  enum class phase : std::uint8_t { opening, open, ending, lingering, dead };

  // What must not go between the frames of a message in parts, and waits for its end.
  struct held_back {
    buffer bytes;
    std::uint32_t messages = 0;
    opcode op = opcode::continuation;  // Continuation: `bytes` are frames.
    send_options how;
  };

  static constexpr std::size_t never_asked = std::numeric_limits<std::size_t>::max();
  struct extras {
    std::unique_ptr<opening> how;
    bool framed = false;      // The opening goes on in messages.
    bool peer_ended = false;  // The peer sent its last byte while it was still to be answered.
    buffer stash;             // Input that waits while receiving is paused.
    void* data = nullptr;
    const void* data_tag = nullptr;
    void (*data_destroy)(void*) = nullptr;
    std::vector<subscription> subscriptions;
    std::vector<held_back> behind;
    std::size_t behind_bytes = 0;
    std::size_t left_for_peer = never_asked;  // When its time to take it was over last.
    core::utf8_validator text_out;            // What was sent so far of a text in parts.
    bool sending_text = false;
    std::shared_ptr<const handshake> agreed;  // Shared with whoever asked for it.
    std::string thrown;                       // What a handler threw, in words: for this end only.
    std::unique_ptr<connection_times> times;
    std::unique_ptr<watching> watched;
    ~extras() {
      if (data != nullptr) data_destroy(data);
    }
  };

  // What is measured of the messages of a turn: the first one.
  struct measured_turn {
    tick first{};  // Its first byte came ...
    tick last{};   // ... its last one ...
    tick called = no_deadline;
    bool under_way = false;  // ... and its handler has not returned.
    bool over = false;       // Something came behind it: of the rest of the turn nothing is noted.
  };

  // Makes a session this thread's speaker while it lives.
  class speaking {
   public:
    explicit speaking(session& who) noexcept : outer_(std::exchange(current_speaker, &who)) {}
    ~speaking() { current_speaker = outer_; }
    speaking(const speaking&) = delete;
    speaking& operator=(const speaking&) = delete;

   private:
    session* outer_;
  };

  ~session();
  static session* find(connection c) noexcept;
  void on_received(byte_span bytes) override;
  void on_received_into(buffer&& into, std::size_t n) override;
  void on_end() override;
  void on_written(std::size_t n) override;
  void on_error(errc what) override;
  void on_timer(tick now) override;

  void on_batch_end();  // From the worker, for a marked session.
  extras& need_extras();
  void begin_turn();
  inline void finish_turn();
  void settle_turn();
  void write_frames_that_wait();
  void pump();
  template <bool Measures>
  void pump_all();
  void keep_unconsumed();
  void open(route_handlers& handlers, const handshake& agreed);
  void read_opening();
  void deliver(core::kind k);
  void deliver_message(const core::event& e);
  void deliver_closed(const core::event& e);
  void go_on_reading(buffer& kept);
  inline void flush_turn();
  void flush();
  template <bool Watched>
  void write_out();
  void note_write(const net::write_result& r);
  void write_failed(errc why);
  void after_flush();
  void note_backlog() noexcept;
  void shut() noexcept;
  void tell_drained();
  [[nodiscard]] std::size_t waiting() const noexcept;
  void hold_back(held_back what);
  void let_go();
  void worker_mark();
  void linger();
  void await_end();
  bool peer_takes();
  void fail_opening(errc why);
  void forget_opening();
  void touch();
  errc settle(errc outcome);
  /// Whatever comes from below comes through here: what finds no memory ends this connection, and nothing else.
  template <class Act>
  void guarded(Act&& act) noexcept {
    try {
      return act();
    } catch (...) {
      // Nothing but std::bad_alloc: handlers have a net of their own.
    }
    no_memory();
  }
  /// The same for what handles ask.
  template <class Act>
  errc attempt(Act&& act) noexcept {
    try {
      return act();
    } catch (...) {
      fail_without_memory();
    }
    return errc::out_of_resources;
  }
  void fail_without_memory() noexcept;
  void no_memory() noexcept;
  inline void received(byte_span bytes);
  void received_before(byte_span bytes);
  void received_into(std::size_t n);
  void ended();
  void broke(errc what);
  void written(std::size_t n);
  void time_came(tick now);
  void turn_at_batch_end();
  void tell_error(errc error, std::string_view text);
  void note_sent(std::size_t n);
  void die(bool reset);
  // What is done only when somebody asked for timings, or watches.
  void pump_looked_at();
  void flush_looked_at();
  void flush_piece_looked_at(byte_view piece);
  void begin_watch();
  void watch_stages(std::vector<core::agreed_extension>& stages);
  void watch_input();
  void watch_output();
  // session_timings.cc: what is done only when somebody asked for timings.
  void begin_times();
  void note_handshake_made(std::size_t size) noexcept;
  void note_opened() noexcept;
  void flush_piece_measured(byte_view piece);
  void begin_flush() noexcept;
  void begin_messages() noexcept;
  void note_delivery(measured_turn& t, const core::event* e, core::kind what) noexcept;
  void note_delivered(measured_turn& t) noexcept;
  void begin_write(tick asked, tick ready) noexcept;
  void begin_frames(std::size_t size) noexcept;
  void end_write() noexcept;
  void await_proof(tick sent) noexcept;
  void note_proof() noexcept;
  void note_error() noexcept;
  void note_error_told() noexcept;
  void threw(std::string_view what);
  template <class Handler, class... Args>
  void call(const Handler& h, Args&&... args);

  worker* worker_;
  route_handlers* handlers_;
  std::unique_ptr<extras> extras_;
  admission_ticket ticket_ = admission_ticket::uncounted;
  phase phase_ = phase::opening;
  errc write_error_ = errc::ok;  // The system takes nothing any more; what it still has to give is awaited.
  bool in_turn_ : 1 = false;
  bool marked_ : 1 = false;
  bool paused_ : 1 = false;
  bool write_pending_ : 1 = false;
  bool torn_ : 1 = false;          // Bytes that were to be sent are lost: nothing can follow them.
  bool timed_ : 1 = false;         // There are times in `extras_`.
  bool watched_ : 1 = false;       // Somebody is told what passes.
  bool secured_ : 1 = false;       // There is TLS below.
  bool reading_held_ : 1 = false;  // The driver was told to stop reading.
  bool drain_wanted_ : 1 = false;
  bool part_refused_ : 1 = false;  // It waits for the system alone: what waits behind its message waits for it.
  bool full_ : 1 = false;          // The slot says so to other threads.
  bool fin_sent_ : 1 = false;
  bool was_open_ : 1 = false;
  bool ended_here_ : 1 = false;
  bool end_now_ : 1 = false;  // Terminated while its end was being told.
  core::connection core_;
};

// A server has many of them that only wait. What only some need, or only for a while, lies in `extras`.
static_assert(sizeof(session) <= 216);

HAWSER_END
