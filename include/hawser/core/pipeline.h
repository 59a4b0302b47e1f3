// The stages of one connection at work: messages go in at one end and come out at the other, in chunks.
//
// The pipeline knows no connection: it takes head, chunks and fin, so the same one runs over frames, over a subprotocol
// and in the test kit. Pull style: `begin`, then `push` a chunk and `pull` until it wants more. Nothing calls up,
// nothing recurses. What was begun in one direction has no effect on what lies in the other: an echo may push the very
// piece that it pulled.
#pragma once

#include <hawser/base/buffer.h>
#include <hawser/core/extension.h>
#include <hawser/core/negotiate.h>
#include <hawser/core/notes.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

HAWSER_BEGIN
namespace core {

/// Bounds of a pipeline.
struct pipeline_limits {
  /// Bytes of a message inwards, held after each stage (1009). Behind the last stage it is exact; before, a message may
  /// be longer by what the stages still to come take off: the edges of their verdicts and `claims::adds_max`, and,
  /// where a stage took the message away before they gave one, the most that they could ask for. A message that all
  /// stages bypass is not looked at.
  std::uint64_t max_message_in = 1 << 20;
  std::uint64_t max_message_out = std::uint64_t{1} << 62;  ///< Outwards, of what leaves each stage.
  std::size_t memory =
      std::size_t{8} << 20;      ///< Bytes that all stages of the connection may charge (1008), and have wait inwards.
  std::size_t step = 16 * 1024;  ///< The most output room a transform gets at once.
  std::size_t work = 64;         ///< Actions of stages that may wait; more are refused.

  friend bool operator==(const pipeline_limits&, const pipeline_limits&) = default;
};

/// Whether these stages can serve one connection after another (`claims::idle_state`). An object that serves the next
/// was not told of its `open`, so those that have one cannot.
inline bool can_be_shared(const std::vector<agreed_extension>& stages) noexcept {
  return !stages.empty() && std::ranges::all_of(stages, [](const agreed_extension& e) {
    const claims& uses = e.terms.uses;
    const any_stage& work = e.terms.work;
    return !uses.idle_state && !uses.ordered && uses.at == layer::message && work.can_be_copied() &&
           work.table().open == nullptr;
  });
}

/// What stages care for, tested by the connection before it calls: what concerns nobody costs nothing.
struct interest {
  std::uint16_t in_opcodes = 0;    ///< Incoming messages of these opcodes concern a stage whatever their RSV bits.
  std::uint16_t out_opcodes = 0;   ///< Outgoing messages of these opcodes concern a stage ...
  std::uint64_t out_min_size = 0;  ///< ... when they are at least this long.
  std::uint8_t rsv = 0;            ///< RSV bits claimed by any stage: with one of them a message concerns a stage.
  std::uint16_t own_opcodes = 0;   ///< Opcodes claimed by any stage.
  bool unmasked = false;           ///< A stage takes masking away: nobody masks.
};

struct frame_layer;
struct frame_cut;
class asking_stages;
class common_stages;

/// What an owner can carry out of the actions of its stages at the moment.
struct work_allowed {
  bool control = true;  ///< Control frames.
  bool out = true;      ///< Messages outwards: none that this pipeline does not see is half-way.
  bool in = true;       ///< The same inwards.
};

/// The stages of one connection, in order. Calls for one message: `begin`, then `push` and `pull` for each chunk of it.
/// One thread.
class HAWSER_API pipeline {
 public:
  /// `stages` in response order (N-11), proved by `compose`. `pool`, and `lent`, where stages find what others gave
  /// back, must outlive the pipeline; without the latter nothing is kept for the next. `id` is what
  /// `context::connection_id` says.
  pipeline(std::vector<agreed_extension> stages, role side, buffer_pool& pool, const pipeline_limits& limits,
           std::uint64_t id = 0, shelf* lent = nullptr);
  ~pipeline();
  pipeline(const pipeline&) = delete;
  pipeline& operator=(const pipeline&) = delete;

  [[nodiscard]] const interest& wants() const noexcept { return wants_; }      ///< What concerns any stage.
  [[nodiscard]] std::size_t size() const noexcept;                             ///< Stages.
  [[nodiscard]] const agreed_extension& at(std::size_t index) const noexcept;  ///< In response order.

  // ---- life
  /// Calls `open` on each stage, app-side first.
  void open(tick now);
  /// Calls `flush` on each stage, app-side first: before our close frame is queued. What they forwarded and emitted
  /// must be drained before it; later they may send nothing more (F-10).
  void flush(tick now);
  /// Gives up messages half-way (`done`), then calls `closed` on each stage once, app-side first, when `open` was
  /// called. No hook runs afterwards, every account is zero, all actions and buffers are dropped.
  void closed(close_code code, tick now);

  // ---- one message at a time and direction
  /// Starts a message at the application's (out) or the network's (in) end: asks each interested stage for its verdict
  /// and lets it change its bits of `h`; `begin_behind` those behind that stage, for a forwarded message. Afterwards
  /// `h` is what leaves: for `in`, RSV bits that are still set belong to nobody, and the caller fails the connection
  /// (F-01). False: `failed()`. The caller drains `next_work` first, or what a stage held may be overtaken.
  bool begin(direction way, head& h, tick now);
  bool begin_behind(std::size_t stage, direction way, head& h, tick now);

  /// True when every stage bypasses the message in hand: the caller may pass the bytes itself and skip push and pull.
  /// Until it is through the message it says so to `next_work`.
  [[nodiscard]] bool bypassed(direction way) const noexcept;
  /// True when a stage will write into the chunks that are pushed: they must be the caller's to change.
  [[nodiscard]] bool writes(direction way) const noexcept;

  /// Gives the next chunk of the message in hand; `fin` with the last one (which may be empty). Only after `pull` said
  /// `more`. The bytes must stay until `pull` says `more` again, or `stash` was called.
  void push(direction way, byte_span chunk, bool fin, tick now);
  /// Gives the whole message at once and keeps its bytes alive until it is over: for forwarded messages. A body that
  /// has other owners is copied when a stage would write into it; `whole` and `retain` get it, or the part of it that
  /// came to them, without a copy where it comes as it is and no stage behind a `retain` writes into it. So the caller
  /// must not write into the pieces that it pulls of it.
  void push_owned(direction way, buffer body, tick now);

  /// What `pull` found.
  enum class pulled : std::uint8_t {
    more,   ///< Everything pushed has been worked in; after a piece with `fin`: the message is over.
    piece,  ///< Here is a piece of the message; valid until the next call of begin, push, pull or stash in this
            ///< direction.
    gone,   ///< A stage took the whole message away; it is over in this direction.
    failed,
  };
  /// The next piece at the other end. The last piece has `fin`. Pull once more after it: that gives the message's
  /// buffers back to the pool (so does the next `begin`).
  pulled pull(direction way, byte_span& bytes, bool& fin);

  /// Copies what was pushed and not yet worked in, because its memory is about to go.
  void stash(direction way);

  /// What stages noted of the incoming message in hand, until it is over and was settled by `pull` or the next begin.
  [[nodiscard]] const notes& noted() const& noexcept HAWSER_LIFETIME_BOUND;
  const notes& noted() const&& = delete;

  // ---- own frames and time
  /// A control frame of a claimed opcode arrived.
  void control(std::uint8_t opcode, byte_view payload, tick now);
  /// The earliest time a stage armed, or `no_deadline`.
  [[nodiscard]] tick deadline() const noexcept { return earliest_; }
  /// Calls `timer` on each stage whose time has come.
  void on_timeout(tick now);

  // ---- frames, where a stage works on them. For the connection.
  /// What is half-way in frames; null where no stage works on them.
  [[nodiscard]] frame_layer* frames() const noexcept;
  /// The stages take their extension data from `front`, the front of a frame's payload; `used` bytes in all, and `f`
  /// gets its channel. False: `failed()`.
  bool take_ext(frame& f, byte_view front, std::size_t& used, tick now);
  /// Cuts the next outgoing frame, of at most `most` bytes of payload. False: none can go now, or `failed()`.
  bool cut(std::uint64_t most, frame_cut& out, tick now);
  /// What the frame stages say of the urgency of a message.
  [[nodiscard]] std::uint32_t urgency_of(const head& h, tick now);

  // ---- what stages asked for
  /// Something that a stage asked for, to be carried out by the owner.
  struct work {
    /// A control frame, or a message that goes on.
    enum class kind : std::uint8_t { control, forward };
    kind what;            ///< Which of the two.
    std::uint8_t opcode;  ///< control
    direction way;        ///< forward
    std::size_t stage;    ///< forward: continue with `begin_behind(stage, ...)`
    head message;         ///< forward
    buffer body;          ///< The payload of either.
    notes noted;          ///< forward, inwards: what `begin_behind` takes for the message's.
  };
  /// Takes the oldest action that can be carried out now. A forward waits while a message is half-way in its direction;
  /// among forwards the stage nearest to their end goes first, so that what was held there is not overtaken. False:
  /// none.
  bool next_work(work& out, const work_allowed& now = {});
  /// True when actions wait, also when none can be carried out now.
  [[nodiscard]] bool has_work() const noexcept;

  /// How many bytes the owner can still queue outwards; stages read it by `context::room`, less what they forwarded
  /// since. At 0 they can forward only what the application sends. Unlimited until it is set.
  void set_room(std::size_t bytes) noexcept;

  /// True while a stage lets the application send nothing (`context::hold_sending`).
  [[nodiscard]] bool sending_held() const noexcept { return holding_ != 0; }
  /// True inside a hook that is asked about a message to be sent, or whose time has come.
  [[nodiscard]] bool is_asking() const noexcept { return (holding_ & asks) != 0; }
  /// True once the last stage that held has let go, until `take_released` was asked.
  [[nodiscard]] bool sending_released() const noexcept { return released_; }
  bool take_released() noexcept { return std::exchange(released_, false); }  ///< Asks that, and forgets it.
  /// What a stage said by `context::receipts`; 0 where none did.
  [[nodiscard]] std::uint64_t sent_on() const noexcept;
  /// How many of those the peer is known to have.
  [[nodiscard]] std::uint64_t proved() const noexcept;

  // ---- failure: the first one wins; afterwards nothing runs but `closed`
  [[nodiscard]] bool failed() const noexcept;                      ///< A stage, or what it was given, has failed.
  [[nodiscard]] close_code fail_code() const noexcept;             ///< What the peer is told.
  [[nodiscard]] errc fail_error() const noexcept;                  ///< What the owner is told.
  [[nodiscard]] std::string_view fail_reason() const noexcept;     ///< For the close frame: at most 123 bytes of UTF-8.
  [[nodiscard]] std::string_view fail_extension() const noexcept;  ///< The name of the extension that failed.

  /// Bytes charged by all stages now.
  [[nodiscard]] std::size_t charged() const noexcept;
  /// How often a stage broke the contract, those after the failure and in `closed` included, and how the last one did:
  /// for the author, in a test.
  [[nodiscard]] std::size_t breaches() const noexcept;
  [[nodiscard]] std::string_view last_breach() const noexcept;

  // ---- for one connection after another: common_stages
  /// True between messages, when nothing waits, is charged, armed, held or noted, nothing has failed, and no stage was
  /// told that its connection ends (`flush`, `closed`).
  [[nodiscard]] bool at_rest() const noexcept;
  /// From here on the stages work for connection `id`: one that `open` is to be called for, or was, and that sends
  /// nothing more when it is `closing`. At rest only.
  void serve(std::uint64_t id, bool opened, bool closing) noexcept;
  /// The same stages again, where all can be copied.
  [[nodiscard]] std::unique_ptr<pipeline> copy() const;
  /// Whom to give it back to; null for the pipeline of one connection.
  [[nodiscard]] common_stages* common() const noexcept { return common_; }
  /// Sets that.
  void belong_to(common_stages& all) noexcept { common_ = &all; }
  /// Whether it was made of the same stages, for the same side and limits.
  [[nodiscard]] bool is_like(const std::vector<agreed_extension>& stages, role side,
                             const pipeline_limits& limits) const noexcept;

 private:
  friend class connection;
  friend class hawser::context;
  friend struct frame_layer;
  friend class asking_stages;
  struct state;
  static constexpr std::uint32_t asks = std::uint32_t{1} << 31;

  // The same as `begin`, and true when nothing came of it: every stage lets the message be, and no action waits.
  // Otherwise `failed`, `bypassed` and `has_work` say what did. For the connection, in line: core/pipeline_begin.h.
  template <direction Way>
  bool lets_be(head& h, tick now);

  // What the connection asks for each message, or each turn.
  interest wants_;
  tick earliest_ = no_deadline;
  std::uint32_t holding_ = 0;  // Stages that hold, and `asks`.
  bool released_ = false;      // The last one has let go, and nobody has asked since.
  common_stages* common_ = nullptr;
  std::unique_ptr<state> state_;  // Last: it fills in the others.
};

}  // namespace core
HAWSER_END
