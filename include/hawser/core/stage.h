// What a stage is: the claims of an extension, what is known of a message, what a stage may do with it.
//
// A stage sees the messages of one connection. At the start of each message it gives a verdict, and pays only for what
// it asked. The library owns every buffer, so limits, memory and back-pressure are kept in one place, after each stage.
#pragma once

#include <hawser/base/buffer.h>
#include <hawser/base/bytes.h>
#include <hawser/base/clock.h>
#include <hawser/core/close_code.h>
#include <hawser/core/notes.h>
#include <hawser/core/opcode.h>
#include <hawser/core/shelf.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

HAWSER_BEGIN

// ---- negotiation ----------------------------------------------------------------------------------------------------

/// Where a stage stands: all message stages are nearer to the application than all frame stages (RFC 7692, 5).
enum class layer : std::uint8_t { message, frame };

/// What an agreed configuration uses and how it behaves. Made after the parameters are known; `compose` refuses
/// conflicts.
struct claims {
  std::uint8_t rsv = 0;  ///< RSV bits as in `rsv`: 4, 2, 1.
  /// Bit n: opcode n is mine. Only 3-7 (data) and 11-15 (control). Messages of an own data opcode come in to this stage
  /// and no further, whatever its verdict; outwards it makes them by `forward`.
  std::uint16_t opcodes = 0;
  layer at = layer::message;      ///< Where the stage stands.
  std::uint8_t ext_data_max = 0;  ///< Frame stages: the most extension data a frame carries, at most 16 bytes.
  std::uint8_t trim_max = 0;      ///< The most bytes `step::trim` ever takes back at the end of a message, at most 8.
  /// The most bytes by which this stage makes a message longer outwards and shorter inwards, besides the edges of its
  /// verdict: a message of exactly the limit may be so much longer until it has passed this stage. A `transform` that
  /// has made more than `most_made` of what it took breaks the contract. `grows`: no number can be named.
  std::uint16_t adds_max = 0;
  bool per_frame =
      false;  ///< Needs frame boundaries kept, or uses extension data per frame: never before a compressor (P-06).
  bool reorders = false;  ///< May let messages out in another order than they came in.
  bool restores_order =
      false;             ///< Undoes its own reordering at the other end, so `ordered` stages may stand app-side of it.
  bool ordered = false;  ///< State spans messages: must see them in order.
  /// Keeps messages to have them sent again on another connection: stands app-side of every stage that is `ordered` or
  /// marks messages by a bit, so that it keeps what the application sent.
  bool replays = false;
  bool unmasked = false;     ///< Takes masking away: allowed on TLS and loopback only.
  bool interleaves = false;  ///< Lets fragments of several messages mix.

  // Interest: what never concerns this stage costs it nothing, not even its `begin`.
  bool in_needs_rsv = false;  ///< Incoming messages without one of my RSV bits do not concern me.
  std::uint16_t opcodes_of_interest = 1U << 1 | 1U << 2;  ///< Bit n: messages of opcode n concern me.
  std::uint64_t out_min_size =
      0;  ///< Outgoing messages shorter than this, when their size is known, do not concern me.
  /// Keeps something between messages. False: once `done` was called nothing of the message is left in the stage.
  /// Stages that say so of themselves, have no `open`, and can be copied and compared with `==` without an exception,
  /// where equal means agreed on the same, serve all connections of a loop in turn: one that waits has none of its own.
  /// Their hooks come as always, `context` tells which connection it is about; but no object sees all of one. What a
  /// hook writes to the object beyond the message in hand is lost, or another connection finds it; what it writes to
  /// something that the copies share is everybody's. An object that `flush` or `closed` was called on serves no other
  /// connection. `closed` is not called where a connection that waits ends and there is no memory for an object.
  bool idle_state = true;

  /// For `adds_max`, when what is added depends on the message: it may come out `growth_max` times as long, and 65,535
  /// bytes more. The limit of a message is exceeded by 65,535 bytes at most then, too.
  static constexpr std::uint16_t grows = 0xFFFF;
  static constexpr std::uint64_t growth_max = 8;  ///< See `grows`.

  /// The most that a stage which claims `adds` may have made outwards when it has taken `taken` bytes of a message.
  static constexpr std::uint64_t most_made(std::uint16_t adds, std::uint64_t taken) noexcept {
    constexpr std::uint64_t most = std::uint64_t{1} << 58;  // What is longer must not overflow.
    return adds == grows ? growth_max * (taken < most ? taken : most) + adds : taken + adds;
  }

  friend bool operator==(const claims&, const claims&) = default;
};

// ---- a message on its way -------------------------------------------------------------------------------------------
// head, verdict, step and context are plain structs: the same ones cross the plug-in boundary.

/// What is known of a message before its bytes. In `begin` a stage may set or clear the RSV bits that it claimed
/// (inwards only clear), and nothing else: to touch another's bit or the opcode breaks the contract. All other members
/// are kept by the library; what a stage writes there is ignored.
struct head {
  std::uint8_t opcode = 0;    ///< 1 text, 2 binary, 3-7 as claimed.
  std::uint8_t rsv = 0;       ///< As in `rsv`.
  std::uint8_t sized = 0;     ///< 1: `size` is the whole message's size in bytes.
  std::uint8_t priority = 0;  ///< Outwards: `send_options::priority`.
  std::uint32_t flags = 0;    ///< Bits of `head_flag`.
  std::uint64_t size = 0;     ///< Payload bytes of the whole message as it enters this stage, when `sized`.
};

/// A data frame as frame stages see it. All but `channel` is kept by the library.
struct frame {
  std::uint8_t opcode = 0;  ///< As on the wire: 0 continues a message, 1 text, 2 binary, 3-7 as claimed.
  std::uint8_t rsv = 0;     ///< As in `rsv`.
  std::uint8_t fin = 0;     ///< 1: the last of its message. In `frame_quota`: all of the message is there.
  /// Outwards, 1: the peer has sent its close frame, so it says nothing more, not even that more may be sent.
  std::uint8_t peer_closed = 0;
  /// Which of the messages half-way it belongs to, below `max_half_way`. Outwards the library gives it, with the first
  /// frame of a message; inwards the stage that claims `interleaves` sets it; without one it is 0.
  std::uint32_t channel = 0;
  std::uint32_t urgency = 0;  ///< Outwards: what `frame_urgency` said of the message.
  /// Payload bytes. In `frame_out` what follows this stage's extension data; in `frame_in` that data is counted too; in
  /// `frame_quota` what is there to be sent of the message.
  std::uint64_t size = 0;
};

/// The most extension data of one frame, of all stages together.
inline constexpr std::size_t max_ext_data = 16;

/// The most messages that may be half-way at a time in one direction, with a stage that claims `interleaves`.
inline constexpr std::uint32_t max_half_way = 4;

/// Bits of `head::flags`. Those that a stage does not know mean nothing to it.
namespace head_flag {
enum : std::uint32_t {
  no_compression = 1U << 0,  ///< Outwards: the sender wants this message sent as it is (`send_options::compress`).
  shared = 1U << 1,          ///< Outwards: others of the loop get the same message (`send_options::shared`).
};
}  // namespace head_flag

/// What a stage wants of one message.
struct verdict {
  /// What a stage wants: see the constants of the same names.
  enum class kind : std::uint8_t { bypass, observe, retain, in_place, transform, whole, reject };

  kind what = kind::bypass;  ///< What it wants.
  std::uint8_t prefix_size =
      0;  ///< Bytes that this stage puts in front of (out) or takes from the front of (in) the message.
  std::uint8_t suffix_size = 0;  ///< The same at the end.
  std::uint8_t reserved = 0;     ///< 0.

  static const verdict bypass;     ///< Not interested: no further call for this message, no cost per byte.
  static const verdict observe;    ///< Sees chunks as they pass: `observe()`. No copy.
  static const verdict retain;     ///< Observes nothing, but gets the finished message: `retained()`. A reference when
                                   ///< the message owns its bytes and no stage behind writes into them, else a copy.
  static const verdict in_place;   ///< Changes bytes where they lie, size stays: `in_place()`.
  static const verdict transform;  ///< Between two buffers, like zlib: `transform()`.
  static const verdict whole;      ///< Takes the complete message away: `whole()`; `context::forward` lets it go on.
  static const verdict reject;     ///< `context::fail` was called.

  /// With observe and in_place: `bytes` (at most 32) in front or at the end of the message belong to this stage:
  /// `prefix()`, `suffix()`.
  [[nodiscard]] constexpr verdict prefix(std::uint8_t bytes) const noexcept { return {what, bytes, suffix_size, 0}; }
  [[nodiscard]] constexpr verdict suffix(std::uint8_t bytes) const noexcept { return {what, prefix_size, bytes, 0}; }
};
inline constexpr verdict verdict::bypass{kind::bypass, 0, 0, 0};
inline constexpr verdict verdict::observe{kind::observe, 0, 0, 0};
inline constexpr verdict verdict::retain{kind::retain, 0, 0, 0};
inline constexpr verdict verdict::in_place{kind::in_place, 0, 0, 0};
inline constexpr verdict verdict::transform{kind::transform, 0, 0, 0};
inline constexpr verdict verdict::whole{kind::whole, 0, 0, 0};
inline constexpr verdict verdict::reject{kind::reject, 0, 0, 0};

/// The longest prefix or suffix of a stage.
inline constexpr std::size_t max_edge = 32;

/// How a transform step ended.
enum class flow : std::uint8_t {
  more,   ///< All input taken; needs more input.
  full,   ///< Needs another call, for output room or for the rest of the input. Must have consumed or produced
          ///< something.
  done,   ///< The message is finished (only when `fin` was given and all input is taken).
  error,  ///< `context::fail` was called.
};

/// What one call of `transform` did.
struct step {
  std::size_t consumed = 0;  ///< Bytes taken from the input.
  std::size_t produced = 0;  ///< Bytes written into the room.
  flow next = flow::more;    ///< How it ended.
  std::uint8_t trim = 0;  ///< With `done`: take back this many of the bytes produced last, at most `claims::trim_max`.
};

namespace core {
class pipeline;
}

/// A stage's way to act, handed to every hook; valid until the hook returns, cheap to copy within it. Nothing happens
/// inside the call: actions are put on a bounded list and carried out after the hook, so they are safe from any hook.
/// When there is no memory for one, the call answers false and the connection fails with 1011 (`out_of_resources`).
class HAWSER_API context {
 public:
  /// For the pipeline: stage number `stage` of `owner`.
  context(core::pipeline& owner, std::uint32_t stage) noexcept : owner_(&owner), stage_(stage) {}

  [[nodiscard]] role side() const noexcept;  ///< Which end of the connection this is.
  /// The number that `connection::id` gives for this connection; 0 where the owner gave none.
  [[nodiscard]] std::uint64_t connection_id() const noexcept;
  /// The time of the event that caused this hook.
  [[nodiscard]] tick now() const noexcept;
  /// The most bytes that a message may have behind this stage. Outwards the same for all stages. Inwards the limit of
  /// what the application gets, and room for what the stages nearer to it may still take off: 32 for a prefix, 32 for a
  /// suffix, and `claims::adds_max`.
  [[nodiscard]] std::uint64_t limit(direction way) const noexcept;

  /// One timer a stage: `timer()` is called at or after `when`, once. `arm` replaces, `disarm` forgets.
  void arm(tick when) noexcept;
  void disarm() noexcept;

  /// Sends a control frame of an opcode that this stage claimed (11-15), at most 125 bytes; it overtakes queued data at
  /// the next frame boundary. False: not open or closing, or too many actions wait; nothing was sent. An opcode that is
  /// not claimed, or a longer payload, breaks the contract (F-03).
  bool emit_control(std::uint8_t opcode, byte_view payload) noexcept;

  /// Lets a message go on behind this stage: one that was held, a retransmission, or one of its own. It leaves when no
  /// other message is half-way in that direction. `h` is the head that `whole` or `retained` gave, or one of its own:
  /// opcode 1 or 2, outwards also a claimed one of 3 to 7, and no RSV bits but this stage's own and, outwards, those of
  /// stages nearer to the application. Its size is taken from `body`. False: not open, closing (outwards), too many
  /// actions wait, or there is no `room`, which a message does not need that the application sends just now; the
  /// message was not taken. A body over `limit(way)` fails with 1009.
  [[nodiscard]] bool forward(direction way, const head& h, buffer body) noexcept;

  /// Leaves a note with the incoming message in hand: the application finds it by `message::note` and the name of this
  /// extension, for as long as it has the message. At most `max_note` bytes; another note takes the place of the first.
  /// Nothing is left with a message that its `begin` bypasses: one with a note is at least observed.
  void note(byte_view bytes) noexcept;

  /// Fails the connection (RFC 6455, 7.1.7) with `code`; the first call wins. `why` is for people and goes into the
  /// close reason, cut to 123 bytes. No hook runs afterwards but, at the end, `done` of messages given up and `closed`.
  /// `code` is one that may be sent, and not 1010: that is for the handshake (N-24, N-25).
  void fail(close_code code, std::string_view why) noexcept;

  /// Fails the connection with 1011 because the stage broke its contract, with `what` for its author: "x-name: `what`".
  /// For stages that run what others wrote, such as a plug-in.
  void breach(std::string_view what) noexcept;

  /// Changes this stage's memory account by `bytes`. False when it would pass the connection's budget: nothing was
  /// charged. To give back more than was charged breaks the contract; so does an account that is not zero after
  /// `closed`.
  bool charge(std::ptrdiff_t bytes) noexcept;

  /// Bytes that may still be queued in this direction, before `forward` refuses: outwards up to `limits::write_hard`,
  /// inwards up to `limits::extension_memory`.
  [[nodiscard]] std::size_t room(direction way) const noexcept;

  /// While `held`, the application's messages are refused with `would_block`: back-pressure by a stage that has as much
  /// as it may keep. What was promised already, such as what other threads have queued, still comes. `on_drain` follows
  /// when no stage holds any more.
  void hold_sending(bool held) noexcept;

  /// Says how many messages of this connection passed this stage outwards, and of how many of these, in order, the peer
  /// has proved receipt: that is the confirm part of `timings`. Nothing else depends on it.
  void receipts(std::uint64_t sent, std::uint64_t proved) noexcept;

  /// A buffer from the loop's pool with `size` bytes, not initialised. To be charged for when it is kept after the
  /// hook.
  [[nodiscard]] buffer take_buffer(std::size_t size);

  /// An object that a stage of this loop gave back under the same key, whichever connection it worked for; null when
  /// there is none, and the stage makes one. For state that is large and needed only while a message is on its way:
  /// borrowed in `begin`, given back in `done`, so that a connection that waits has none (`claims::idle_state`). It
  /// comes as it was given back. `key` tells configurations apart that one type can have.
  template <class T>
  [[nodiscard]] std::unique_ptr<T> borrow(std::uint64_t key) noexcept {
    return std::unique_ptr<T>(static_cast<T*>(take_from_shelf(type_tag<T>(), key)));
  }
  /// Lends an object to whoever borrows next. `bytes` is what it occupies; the loop keeps a few megabytes of such
  /// objects and destroys what is more.
  template <class T>
  void give_back(std::uint64_t key, std::unique_ptr<T> object, std::size_t bytes) noexcept {
    if (object == nullptr) return;
    put_on_shelf({type_tag<T>(), key, object.release(), [](void* p) noexcept { delete static_cast<T*>(p); }, bytes});
  }

 private:
  template <class T>
  static const void* type_tag() noexcept {
    static constexpr char tag = 0;
    return &tag;
  }
  void* take_from_shelf(const void* tag, std::uint64_t key) noexcept;
  void put_on_shelf(const core::shelf::object& o) noexcept;

  core::pipeline* owner_;
  std::uint32_t stage_;
};

// ---- stages ---------------------------------------------------------------------------------------------------------

/// The optional hooks. A stage names the ones it has in `static constexpr unsigned hooks`; a hook that is declared but
/// misspelt, or found but not declared, does not compile.
namespace hook {
enum : unsigned {
  none = 0,
  observe = 1U << 0,
  in_place = 1U << 1,
  transform = 1U << 2,
  whole = 1U << 3,
  retained = 1U << 4,
  prefix = 1U << 5,
  suffix = 1U << 6,
  done = 1U << 7,
  control = 1U << 8,
  timer = 1U << 9,
  open = 1U << 10,
  flush = 1U << 11,
  closed = 1U << 12,
  frame = 1U << 13,  ///< `frame_in` and `frame_out`.
  quota = 1U << 14,
  urgency = 1U << 15,
};
}  // namespace hook

namespace detail {
template <class S>
concept has_observe = requires(S& s, byte_view b, context& c) {
  s.observe(direction::in, b, true, c);
};
template <class S>
concept has_in_place = requires(S& s, byte_span b, context& c) {
  s.in_place(direction::in, b, true, c);
};
template <class S>
concept has_transform = requires(S& s, byte_view i, byte_span o, context& c) {
  { s.transform(direction::in, i, o, true, c) } -> std::same_as<step>;
};
template <class S>
concept has_whole = requires(S& s, const head& h, buffer b, context& c) {
  s.whole(direction::in, h, std::move(b), c);
};
template <class S>
concept has_retained = requires(S& s, const head& h, buffer b, context& c) {
  s.retained(direction::in, h, std::move(b), c);
};
template <class S>
concept has_prefix = requires(S& s, byte_span b, context& c) {
  s.prefix(direction::in, b, c);
};
template <class S>
concept has_suffix = requires(S& s, byte_span b, context& c) {
  s.suffix(direction::in, b, c);
};
template <class S>
concept has_done = requires(S& s, context& c) {
  s.done(direction::in, c);
};
template <class S>
concept has_control = requires(S& s, byte_view b, context& c) {
  s.control(std::uint8_t{}, b, c);
};
template <class S>
concept has_timer = requires(S& s, context& c) {
  s.timer(c);
};
template <class S>
concept has_open = requires(S& s, context& c) {
  s.open(c);
};
template <class S>
concept has_flush = requires(S& s, context& c) {
  s.flush(c);
};
template <class S>
concept has_closed = requires(S& s, context& c) {
  s.closed(close_code::normal, c);
};
template <class S>
concept has_frame = requires(S& s, frame& f, const frame& out, byte_view i, byte_span o, context& c) {
  { s.frame_in(f, i, c) } -> std::same_as<std::size_t>;
  { s.frame_out(out, o, c) } -> std::same_as<std::size_t>;
};
template <class S>
concept has_quota = requires(S& s, const frame& f, context& c) {
  { s.frame_quota(f, c) } -> std::same_as<std::uint64_t>;
};
template <class S>
concept has_urgency = requires(S& s, const head& h, context& c) {
  { s.frame_urgency(h, c) } -> std::same_as<std::uint32_t>;
};

template <class S>
consteval unsigned hooks_found() {
  return (has_observe<S> ? hook::observe : 0U) | (has_in_place<S> ? hook::in_place : 0U) |
         (has_transform<S> ? hook::transform : 0U) | (has_whole<S> ? hook::whole : 0U) |
         (has_retained<S> ? hook::retained : 0U) | (has_prefix<S> ? hook::prefix : 0U) |
         (has_suffix<S> ? hook::suffix : 0U) | (has_done<S> ? hook::done : 0U) | (has_control<S> ? hook::control : 0U) |
         (has_timer<S> ? hook::timer : 0U) | (has_open<S> ? hook::open : 0U) | (has_flush<S> ? hook::flush : 0U) |
         (has_closed<S> ? hook::closed : 0U) | (has_frame<S> ? hook::frame : 0U) | (has_quota<S> ? hook::quota : 0U) |
         (has_urgency<S> ? hook::urgency : 0U);
}
}  // namespace detail

/// The work of one connection's side of an extension. Required: `verdict begin(direction, head&, context&)` and
/// `static constexpr unsigned hooks`. Optional hooks, by name:
///
///   void observe(direction, byte_view chunk, bool fin, context&)       const bytes as they pass
///   void in_place(direction, byte_span chunk, bool fin, context&)      change bytes, not their number
///   step transform(direction, byte_view in, byte_span out, bool fin, context&)
///   void whole(direction, const head&, buffer, context&)               the complete message, taken away
///   void retained(direction, const head&, buffer, context&)            a reference to the complete message; it goes on
///   void prefix(direction, byte_span, context&), void suffix(...)      out: fill the bytes; in: they came, check them.
///                                        A prefix comes before all observe() or in_place() of its message, a suffix
///                                        after the last; a message too short for both fails with 1002 (F-07)
///   void done(direction, context&)       the message ended or was given up: once for every `begin` whose verdict was
///                                        not bypass or reject
///   void control(std::uint8_t opcode, byte_view payload, context&)     a frame of an own control opcode arrived
///   void timer(context&)
///   void open(context&)                  negotiated, before the first message
///   void flush(context&)                 our close is about to be queued: the last forwards and controls
///   void closed(close_code, context&)    once, last, app-side first; whatever ended the connection
///
/// Frame stages (`claims::at`) have two more, for data frames; control frames pass them by:
///
///   std::size_t frame_in(frame&, byte_view first, context&)            a frame comes in: `first` is the front of its
///                                        payload, as much as extension data may be; the answer is how much it is.
///                                        More than there is: the frame is too short for it, 1002 (F-07)
///   std::size_t frame_out(const frame&, byte_span room, context&)      a frame goes out: extension data into `room`
///   std::uint64_t frame_quota(const frame&, context&)                  optional: the most that the next frame of this
///                                        message may carry behind this stage's extension data; 0: it has to wait.
///                                        Asked again after the stage's next `control` or `timer`, or when something
///                                        else is sent or came. Not asked for a frame that carries nothing. What waits
///                                        when the peer has closed is given up after half of `close_timeout`
///   std::uint32_t frame_urgency(const head&, context&)                 optional, with `interleaves`: how urgent the
///                                        message is that is to be queued, or may be: asked once or twice for each.
///                                        The higher goes first
///
/// `fin` marks the last chunk of a message, which may be empty. A hook that throws, or breaks the contract, fails the
/// connection with 1011 and a line that names the extension and what it did. One stage object serves one connection,
/// both directions, one thread; more of them in turn where it says that it may (`claims::idle_state`).
template <class S>
concept stage = requires(S& s, head& h, context& c) {
  { S::hooks } -> std::convertible_to<unsigned>;
  { s.begin(direction::out, h, c) } -> std::same_as<verdict>;
  requires static_cast<unsigned>(S::hooks) == detail::hooks_found<S>();
}
&&std::move_constructible<S>;

HAWSER_END
