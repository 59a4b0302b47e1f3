// RFC 6455 after the opening handshake, both roles, as a state machine: bytes and time in; events, bytes and a deadline
// out.
#pragma once

#include <hawser/base/buffer.h>
#include <hawser/base/bytes.h>
#include <hawser/base/clock.h>
#include <hawser/base/errc.h>
#include <hawser/base/random.h>
#include <hawser/core/close_code.h>
#include <hawser/core/event.h>
#include <hawser/core/frame.h>
#include <hawser/core/opcode.h>
#include <hawser/core/outbox.h>
#include <hawser/core/pipeline.h>
#include <hawser/core/send_options.h>
#include <hawser/core/settings.h>
#include <hawser/core/statistics.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace core {

class connection;
struct assembly;
struct frame_layer;
struct frame_cut;
struct half_message;
struct fast_path;

/// What the connections of one loop share: memory, randomness, the output block, the input of the connection whose turn
/// it is. One thread. Must outlive its connections.
class HAWSER_API resources {
 public:
  /// `pool` and `random` must outlive this object.
  resources(buffer_pool& pool, random_source& random);
  ~resources();
  resources(const resources&) = delete;
  resources& operator=(const resources&) = delete;

  [[nodiscard]] buffer_pool& pool() noexcept { return pool_; }   ///< The memory of all its connections.
  [[nodiscard]] turn_block& block() noexcept { return block_; }  ///< What the connection in turn sends.
  /// What the stages of all its connections lend each other.
  [[nodiscard]] shelf& lent() noexcept { return lent_state_; }

 private:
  friend class connection;
  friend struct fast_path;
  void end_input() noexcept {
    if (held_) held_ = {};
    in_ = {};
    lent_ = {};
    headed_payload_ = nullptr;
    turn_ = nullptr;
  }

  // What every turn needs comes first, in as few lines as it takes.
  alignas(64) const connection* turn_ = nullptr;  // Whose input this is: the connection in turn.
  byte_span in_;                                  // What is left of the bytes that it received.
  byte_span lent_;                                // All of them: where a payload can be sent from without a copy.
  byte_span nothing_;                             // The input of all others.
  tick now_{};
  // The last payload, while the header that it came with stands in front of it: an echo's is written over that.
  const std::byte* headed_payload_ = nullptr;
  buffer held_;  // The message of the last event, when it owns its bytes.
  turn_block block_;
  buffer_pool& pool_;
  event event_;
  masking_keys keys_;
  std::string last_words_;                // The text of the last `closed`.
  std::array<std::byte, 125> control_{};  // The last control frame that came in pieces.
  std::size_t unproven_ = 0;              // Bytes reserved for declared lengths that have not arrived (A11).
  std::vector<std::unique_ptr<assembly>> spare_;
  shelf lent_state_;
  std::vector<std::unique_ptr<common_stages>> common_;  // Last: these refer to the others.
};

/// One WebSocket connection. Four groups of calls, and an order to drain in:
///
///   from below    `receive` or `receive_area` + `received`, `end_of_input`, `on_timeout`
///   from above    `send`, `begin_message` + `send_part`, `ping`, `close` ...
///   drain         after any of these, and when output is no longer blocked: `next` until `none`, then `output` +
///                 `sent` until nothing is pending, both again while `is_ending`, then `deadline`
///   getters
///
/// A turn begins with `begin_turn` and ends with `end_turn`; in between, frames go to the loop's block. Calls outside a
/// turn are fine and go to the backlog; so does what others send to this connection in their turn. Nothing is called
/// back. `docs/embedding.md` goes through one loop around it. No call throws but `std::bad_alloc`, after which the
/// connection is only good for being destroyed, or for `fail` and the last event; where the throwing call was `sent` or
/// `end_turn`, bytes are missing, and `abandon_turn` and `transport_failed` are what is left.
class HAWSER_API connection {
 public:
  /// `shared` and `obey` must outlive the connection.
  connection(resources& shared, const settings& obey, role side, tick now) noexcept;
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// The number that stages know it by (`context::connection_id`); 0 until it was given one.
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  void give_id(std::uint64_t id) noexcept { id_ = id; }  ///< Sets it, before stages are attached.

  /// Sets the agreed stages to work. Before the first byte, once.
  void attach(std::vector<agreed_extension> stages, tick now);
  /// The same in-band: from here on every message is a binary one on the wire and begins with the byte that says what
  /// it is, also when there are no stages (core/inband.h). Between messages, once, in place of `attach`.
  void attach_inband(std::vector<agreed_extension> stages, tick now);
  /// Other settings from here on, which must outlive the connection. Between messages, before stages are attached.
  void obey(const settings& others) noexcept { settings_ = &others; }

  // ---- getters
  [[nodiscard]] role side() const noexcept { return side_; }  ///< Which end this is.
  /// True while messages can be sent.
  [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }
  /// True between `begin_message` and the last part: no other message can be sent.
  [[nodiscard]] bool sending_parts() const noexcept { return sending_parts_; }
  /// True while the peer has closed and the answer waits behind what was sent before, which a stage on frames still
  /// has: nothing more is read or taken to be sent. `kind::closed` comes when the answer is on its way.
  [[nodiscard]] bool is_answering() const noexcept { return state_ == state::answering; }
  /// True while `kind::closed` is the next event, behind what stages still hold.
  [[nodiscard]] bool is_ending() const noexcept { return state_ == state::ending; }
  /// True once `kind::closed` has been delivered.
  [[nodiscard]] bool is_over() const noexcept { return state_ == state::over; }
  /// True when the closing handshake was done or tried and it is this end that closes the transport first: the server,
  /// or either end after a failure (RFC 6455, 7.1.1). Otherwise the owner waits for the end of input before it closes,
  /// and in both cases for no longer than `settings::close_timeout`: the core has no deadline any more.
  [[nodiscard]] bool closes_first() const noexcept { return closes_first_; }
  [[nodiscard]] statistics stats() const noexcept;  ///< What was sent and received until now.
  /// Messages framed to be sent, whether the system has taken them yet or not. One in parts counts with its last part.
  [[nodiscard]] std::uint64_t messages_out() const noexcept { return messages_out_; }
  /// Bytes that the system has taken: frames, and what `send_raw` put in front of them.
  [[nodiscard]] std::uint64_t bytes_out() const noexcept { return bytes_out_; }
  /// When the peer was heard of last; before it was, when the connection was made.
  [[nodiscard]] tick last_in() const noexcept { return last_in_; }
  /// The stages at work, or null; until the end of the turn.
  [[nodiscard]] const pipeline* stages() const noexcept { return pipeline_; }
  /// True while a stage lets nothing be sent: then `would_block`. `take_released` says, once, that this is over.
  [[nodiscard]] bool sending_held() const noexcept { return pipeline_ && pipeline_->sending_held(); }
  bool take_released() noexcept { return pipeline_ && pipeline_->take_released(); }
  /// What stages noted of the message that `next` gave last, or null: valid as long as its event.
  [[nodiscard]] const notes* noted() const noexcept {
    const bool staged = pipeline_ && (staged_ || settle_stages_) && !pipeline_->noted().empty();
    return staged ? &pipeline_->noted() : nullptr;
  }
  [[nodiscard]] const settings& obeys() const noexcept { return *settings_; }  ///< Its settings.
  /// The next time `on_timeout` wants to be called; `no_deadline` for never.
  [[nodiscard]] tick deadline() const noexcept;

  // ---- turns
  /// Takes the block of the loop, when it is free: see `output`.
  void begin_turn() noexcept { out_.begin_turn(res_->block_); }
  /// Gives it back. What is still to be sent of it goes to the backlog, what was received goes with the turn: `stash`
  /// first where `next` did not say `none`.
  void end_turn() {
    out_.end_turn(res_->block_, res_->pool_);
    // What was received goes with the turn, unless it is another connection's: a turn may end inside another's.
    if (res_->turn_ == this || res_->turn_ == nullptr) res_->end_input();
    if (stages_lent_) rest_stages();
  }
  /// Ends the turn without memory: what it received, and everything that is still to be sent, is thrown away.
  void abandon_turn() noexcept;

  // ---- from below
  /// Bytes from the peer. They are unmasked where they lie and must stay until `next` said `none`, or `unconsumed` was
  /// rescued.
  void receive(byte_span in, tick now) noexcept {
    last_in_ = now;
    bytes_in_ += in.size();
    receive_again(in, now);
  }
  /// Bytes that were received before and waited: as `receive`, but counted already.
  void receive_again(byte_span in, tick now) noexcept {
    res_->turn_ = this;
    res_->in_ = in;  // One by one: a copy in memory of what was just written would have to wait for it.
    res_->lent_ = in;
    res_->now_ = now;
  }
  /// When the middle of a large message is awaited: where its next bytes should be put. Empty otherwise: use `receive`.
  [[nodiscard]] byte_span receive_area() noexcept;
  /// The buffer that `receive_area` lies in, for an operation that outlives the call, and the area's offset in it.
  [[nodiscard]] buffer receive_buffer(std::size_t& offset, std::size_t& room) noexcept;
  /// `n` bytes were put at the front of `receive_area`, at most its size.
  void received(std::size_t n, tick now) noexcept;
  /// The peer's last byte has been received. While `is_answering` that is no news.
  void end_of_input(tick now) noexcept;
  /// The transport is gone for the reason given.
  void transport_failed(errc why, tick now) noexcept;
  /// The owner has stopped reading, or reads again: until then no message is delivered, and the peer is not judged by
  /// what did not come.
  void input_paused(bool paused, tick now) noexcept;
  /// The time of `deadline` has come.
  void on_timeout(tick now);

  // ---- drain
  /// The next event; its details are in `current()`. Iterate until `none`.
  kind next();
  [[nodiscard]] event& current() const noexcept { return res_->event_; }
  /// Input that `next` has not worked in: to be kept and given again when the owner stops before `none`.
  [[nodiscard]] byte_view unconsumed() const noexcept { return res_->turn_ == this ? res_->in_ : byte_view{}; }
  /// Copies what lies half-worked in memory that is about to go. Call before leaving a turn that was not drained.
  void stash();

  /// The bytes to send now, at most 64 chunks; valid until the next call.
  std::span<const byte_view> output() { return out_.gather(res_->block_, res_->pool_); }
  /// `n` of them were taken by the system.
  void sent(std::size_t n) {
    bytes_out_ += n;
    out_.sent(res_->block_, res_->pool_, n);
    if (framed_) refill();
  }
  /// True where a stage works on frames: then messages wait to be cut into them, and `refill` lets frames go where the
  /// system took what was `pending`. `sent` and `next` do it too.
  [[nodiscard]] bool is_framed() const noexcept { return framed_; }
  void refill();
  /// Bytes that wait. Of messages that are not in frames yet, the payload and as much for each as a header may take.
  [[nodiscard]] std::size_t queued() const noexcept;
  /// Bytes of those that are in frames: what `output` has, and of those what the system would not take before.
  [[nodiscard]] std::size_t pending() const noexcept { return out_.pending(res_->block_); }
  [[nodiscard]] std::size_t backlog() const noexcept { return out_.backlog(); }
  /// The system takes nothing at the moment, or it does again.
  void output_blocked(bool blocked) noexcept {
    out_.set_blocked(blocked);
    if (pipeline_) tell_room();
  }
  /// The system has taken more of what waited: the peer reads, if slowly, so its time to answer a close begins anew.
  void output_moved(tick now) noexcept;

  // ---- from above. Errors of all: `closed`; nothing was taken then.
  /// Sends a message: `text` or `binary`, or an opcode for data that a stage claimed. The bytes are copied, or
  /// referenced until the end of the turn when they lie in what this turn received; the four bytes in front of a
  /// payload that this turn received, the masking key, may then be overwritten. Text must be UTF-8 (not checked here).
  /// Errors: `would_block` (not taken), `invalid_argument` for another opcode, `wrong_state` inside a message in parts
  /// and inside a hook of a stage that is asked about a message to be sent, or whose time has come.
  errc send(opcode op, byte_view payload);
  errc send(opcode op, byte_view payload, send_options how);
  /// The same, sharing the buffer. When it has no other owner its bytes may be changed.
  errc send(opcode op, buffer payload, send_options how = {});
  /// As `send`, for what was promised to be sent: taken whatever waits. The owner bounds how much.
  errc send_promised(opcode op, byte_view payload, send_options how = {});
  /// A message in parts: each part is a frame, or several. Errors: `invalid_argument`, `wrong_state`, `would_block`.
  errc begin_message(opcode op, send_options how = {});
  errc send_part(byte_view payload, bool fin);
  /// Frames made elsewhere by the same rules, shared by many connections. Errors: `would_block` when the backlog is at
  /// its hard limit.
  errc send_frames(const buffer& frames, std::uint32_t messages);
  /// True when frames of so many bytes that were made elsewhere may go to the system past this connection: it is open
  /// and plain, outside a turn and a message in parts, and nothing waits. Then `frames_written` tells of it.
  [[nodiscard]] bool takes_frames_now(std::size_t size) const noexcept {
    return state_ == state::open && !pipeline_ && !sending_parts_ && out_.idle(res_->block_) &&
           size <= settings_->bounds.max_outgoing_frame;
  }
  /// Of `frames` from `from` on the owner has written the first `done` bytes; the rest goes to the backlog.
  void frames_written(const buffer& frames, std::size_t from, std::size_t done, std::uint32_t messages);
  /// Sends a ping, or a pong that answers none. Errors: `invalid_argument` over 125 bytes, `would_block` when the lane
  /// is full.
  errc ping(byte_view payload);
  errc pong(byte_view payload);
  /// Starts the closing handshake. `no_status` sends an empty close frame. Errors: `invalid_close_code` for a code or
  /// reason that must not be sent, `wrong_state` inside a hook as for `send`.
  errc close(close_code code, std::string_view reason, tick now);
  /// Fails the connection (RFC 6455, 7.1.7): a close frame with `code` and `text`, or the words for `why`, and `closed`
  /// as the next event. `abnormal` sends none; any other code that must not be sent becomes 1011.
  void fail(close_code code, errc why, std::string_view text, tick now);
  /// Appends bytes in front of all frames: the handshake's response or request.
  void send_raw(byte_view bytes) { out_.append_raw(res_->block_, res_->pool_, bytes); }

 private:
  friend struct fast_path;
  friend struct plain_path;  // Of the tests: the long way alone, to be compared with.
  enum class state : std::uint8_t { open, close_sent, answering, ending, over };

  kind next_slow();
  kind find_next();
  void refresh_hot() noexcept;
  [[nodiscard]] byte_span& input() const noexcept { return res_->turn_ == this ? res_->in_ : res_->nothing_; }

  // receive.cc
  /// True while the message in hand has an opcode of 3 to 7, which a stage claimed.
  [[nodiscard]] bool is_own() const noexcept { return message_op_ > 2 && message_op_ < 8; }
  bool read_header();
  bool accept_header(const frame_header& h);
  bool accept_control(const frame_header& h);
  bool accept_data(const frame_header& h);
  bool accept_size(std::uint64_t length);
  bool begin_staged(unsigned op, unsigned rsv, bool sized, std::uint64_t size);
  bool stages_let_be(unsigned op, std::size_t header, std::size_t length);
  bool let_be_after_all(unsigned op, std::size_t header, std::size_t length);
  kind read_payload();
  kind store(byte_span masked, bool fin);
  kind pull_pieces();
  kind take_piece(byte_span piece, bool fin);
  kind deliver(byte_span payload, bool fin);
  void end_message() noexcept;
  void settle_stages();
  bool glitch();
  buffer reserve_for(assembly& a, std::size_t more);

  // control.cc
  kind read_control();
  kind take_control(opcode op, byte_span payload);
  kind take_close(byte_span payload);

  // send.cc
  errc send_slow(opcode op, byte_view payload, send_options how);
  void put_masked(std::byte* to, std::uint8_t first, byte_view payload) noexcept;
  errc admit(std::size_t size) const noexcept;
  errc admit_message(opcode op, std::size_t size);
  [[nodiscard]] errc check_message(opcode op) const;
  void put_message(std::uint8_t first, byte_view payload, bool fin);
  void put_message(std::uint8_t first, buffer payload, bool fin);
  void put_frames(std::uint8_t first, byte_view payload, bool fin);
  void put_frames(std::uint8_t first, buffer payload, bool fin);
  void put_frame(std::uint8_t first, byte_view payload);
  void put_frame(std::uint8_t first, buffer payload);
  void put_large(std::uint8_t first, byte_view payload);
  bool put_control(std::uint8_t op, byte_view payload);

  // send_staged.cc
  bool begin_out(head& h);
  bool began();
  errc send_asked(opcode op, byte_view payload, send_options how);
  errc send_staged(head& h, byte_view payload, buffer* owner);
  void put_whole(std::uint8_t first, byte_view payload, buffer* owner);
  errc push_staged(byte_view payload, bool fin);
  errc put_staged();
  void append_to(buffer& made, byte_view piece);
  void tell_room() noexcept;
  void tell_room(std::size_t waiting) noexcept;
  [[nodiscard]] std::size_t all_queued() const noexcept;
  void drain_out();
  kind next_work(bool inwards = true);
  void forward_out(pipeline::work& w);
  kind forward_in(pipeline::work& w);

  // framed.cc
  bool accept_framed(const frame_header& h);
  kind read_framed();
  bool begin_frame(frame_layer& f);
  bool accept_part(half_message& h, std::uint64_t size);
  kind end_half_way(frame_layer& f);
  void announce(const head& h);
  [[nodiscard]] errc admit_framed(std::size_t size) const noexcept;
  void queue_framed(std::uint8_t first, buffer payload, bool fin);
  void put_cut(frame_cut& cut);
  bool hold_close(byte_view payload);
  [[nodiscard]] bool close_waits() const noexcept;
  void put_held_close();
  void answer_at_last();

  // inband.cc
  bool begin_inband();
  kind store_inband_control(byte_span piece, bool fin);
  void put_inband(std::uint8_t first, buffer payload, bool fin);
  [[nodiscard]] bool controls_go() const noexcept;

  // common_stages.cc
  void set_to_work(std::vector<agreed_extension> stages, tick now);
  /// Before stages are told of anything: they are this connection's until `rest_stages`.
  void working() {
    if (stages_rest_) borrow_stages(true);
  }
  void borrow_stages(bool opened);
  void rest_stages() noexcept;
  /// After what others had this connection do in their turn: its own may be long in coming.
  errc done_outside(errc result) noexcept {
    if (stages_lent_ && res_->turn_ != this && !out_.holds(res_->block_)) rest_stages();
    return result;
  }
  void close_stages(close_code code);
  void leave_stages() noexcept;

  // life.cc
  assembly& need_assembly();
  assembly& half_way();
  void drop_assembly() noexcept;
  void end(errc why, close_code code, std::string_view text);
  void end_staged();
  [[nodiscard]] ticks time_to_answer() const noexcept;
  void flush_stages();
  void put_close(std::uint16_t code, std::string_view reason);
  kind deliver_end();
  [[nodiscard]] tick progress_deadline() const noexcept;
  void schedule_ping(tick from) noexcept;
  void send_keepalive_ping(tick now);

  // What every turn and message asks comes first.
  resources* res_;
  const settings* settings_;
  [[no_unique_address]] outbox out_;  // What follows fills the word that it ends in.
  role side_;
  state state_ = state::open;
  bool in_hot_state_ = true;
  bool sending_parts_ = false;
  bool masked_in_;   // What the peer's frames must be (RFC 6455, 5.1; otherwise only where a stage agreed so).
  bool masked_out_;  // What ours are.
  bool settle_stages_ : 1 = false;  // The pipeline still holds the memory of the message that was delivered.
  bool paused_ : 1 = false;
  bool closes_first_ : 1 = false;
  // Whose the pipeline is. Only common_stages.cc changes these three, and frees it, in `leave_stages`:
  //
  //   pipeline_    stages_rest_ stages_lent_
  //   null         false        false        plain: no stages
  //   this one's   false        false        from `set_to_work` to the end
  //   borrowed     false        true         this one's from `borrow_stages` to `rest_stages`, or to the end
  //   the shared   true         false        of `common_stages`, between turns; says what was agreed, runs no hook
  bool stages_rest_ : 1 = false;
  bool stages_lent_ : 1 = false;
  pipeline* pipeline_ = nullptr;
  std::uint64_t id_ = 0;
  tick last_in_;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  std::uint64_t messages_in_ = 0;
  std::uint64_t messages_out_ = 0;
  std::uint16_t in_opcodes_ = 0;  // Interest, copied here from the pipeline: tested for each message.
  std::uint16_t out_opcodes_ = 0;

  // The message in hand.
  std::uint32_t fragments_ = 0;
  assembly* assembly_ = nullptr;  // A message, header, control frame or work half-way; null between messages.
  tick wake_;                     // The next ping, the end of the wait for a pong, or for the peer's close.
  std::uint8_t message_op_ = 0;   // 0: none.
  bool staged_ = false;           // It goes through the pipeline.

  // The frame in hand.
  std::uint8_t frame_first_ = 0;
  bool in_frame_ = false;
  std::uint32_t frame_key_ = 0;
  std::uint64_t frame_left_ = 0;

  bool ping_waiting_ : 1 = false;
  bool parts_staged_ : 1 = false;
  bool framed_ : 1 = false;         // Frames pass the stages' frame layer.
  bool inband_ : 1 = false;         // Messages begin with the byte that says what they are.
  bool inband_begins_ : 1 = false;  // A message has begun, and that byte has not come yet.
  errc end_error_ = errc::ok;
  std::uint8_t send_first_ = 0;  // Opcode and bits of the next frame of a message in parts.
  std::uint8_t pings_out_ = 0;   // Pings that were not answered: so many pongs are asked for.
  std::uint16_t end_code_ = 0;
  std::uint32_t glitches_ = 0;
  std::uint32_t glitch_second_ = 0;
};

// A server has many that only wait. What a message needs while it is half-way lies in a side block.
static_assert(sizeof(connection) <= 144);

}  // namespace core
HAWSER_END
