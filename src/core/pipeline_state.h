// What a pipeline consists of. pipeline.cc begins messages and keeps the life, pipeline_run.cc moves the bytes,
// extension.cc is what stages see of it.
#pragma once

#include <hawser/core/pipeline.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace core {

struct frame_layer;

/// What is asked of a stage for each message: two of them to a line.
struct asked {
  decltype(stage_table::begin) begin;
  void* self;
  std::uint64_t out_min_size;
  std::uint16_t in_opcodes;   // Incoming messages of these concern it whatever their bits ...
  std::uint16_t of_interest;  // ... and of these with one of `in_bits`. Outgoing ones of these, from the size on.
  std::uint8_t in_bits;
  std::uint16_t stage;
};
static_assert(sizeof(asked) == 32);

/// One stage, with what else the loops ask of it beside its table.
struct slot {
  const stage_table* table;
  void* self;
  std::uint16_t own_opcodes;
  std::uint8_t rsv;
  std::uint8_t trim_max;
  std::uint16_t adds_max;
  std::uint64_t slack;  // Inwards: the most that the stages nearer to the application may take off.
  tick deadline = no_deadline;
  std::size_t charged = 0;
  bool holds = false;  // Lets the application send nothing.
};

/// Bytes at the edges of a message that belong to a stage: gathered or kept back, and let out.
struct edge_bytes {
  std::array<std::byte, max_edge> kept;
  std::array<std::byte, max_edge> out;
};

/// A stage's part in the message in hand. Reused from message to message.
struct link {
  std::uint32_t stage = 0;
  verdict::kind what = verdict::kind::bypass;
  std::uint8_t prefix_size = 0;
  std::uint8_t suffix_size = 0;
  std::uint8_t kept =
      0;  // Outwards: the prefix was made. Inwards: how much of the prefix, then of the suffix, is here.
  bool prefix_over = false;
  bool body_over = false;   // Outwards: only the suffix is missing.
  bool ready = false;       // There is something to do: input, or a transform that asked to be called again.
  bool fin = false;         // The input in hand is the last one.
  bool ended = false;       // `done` was called.
  std::uint8_t back = 0;    // Transform: bytes at the end of `store`, behind `given`, that it may still trim.
  byte_span in;             // Input not yet worked in.
  std::size_t given = 0;    // Transform: bytes of `store` given on by the last step.
  std::uint64_t made = 0;   // Bytes that left this stage.
  std::uint64_t taken = 0;  // Transform, outwards: bytes that it took.
  std::uint64_t most = 0;   // Bytes that may leave it.
  head h;                   // Whole and retain: what they are told.
  buffer store;             // Transform: its output. Whole and retain: the message so far.
  buffer stash;             // Input whose memory would have gone.
  std::unique_ptr<edge_bytes> edge;
};

/// One direction.
struct lane {
  std::vector<link> links;  // Those of the message in hand come first, in the order the bytes go.
  std::size_t count = 0;
  std::size_t depth = 0;     // Links from `depth` on have nothing to do.
  bool active = false;       // A message is half-way.
  bool used = false;         // A message has joined links or left buffers here, and was not settled yet.
  bool writes = false;       // A stage changes the caller's own bytes.
  bool copied = false;       // A transform stands before what joins now: its bytes are ours.
  bool whole_ahead = false;  // The last link takes the message away.
  bool pending = false;      // Bypassed, and a chunk was pushed.
  bool fin = false;
  byte_span in;
  buffer stash;
  buffer owned;
};

struct pipeline::state {
  state(pipeline& self, std::vector<agreed_extension> stages, role at, buffer_pool& from, const pipeline_limits& bounds,
        shelf* lends);
  ~state();

  // ---- pipeline.cc
  template <direction Way>
  bool start(head& h, const asked* from);
  bool start_noted(head& h, const asked* from);
  [[nodiscard]] const asked* owner_of(std::uint8_t opcode) const noexcept;
  bool answered(direction way, std::size_t stage, std::uint32_t said, const head& mine, head& h);
  bool clear(direction way, lane& l);
  void begun(direction way, lane& l, head& h);
  bool join(direction way, std::size_t stage, const verdict& v, head& h);
  void finish(lane& l);
  void give_up(direction way);
  void settle(direction way, lane& l);
  void end_link(direction way, link& k);

  // ---- pipeline_run.cc
  class step_of;
  pulled run(direction way, byte_span& bytes, bool& fin);
  void save(lane& l);

  // ---- failure. None of these needs memory to fail the connection.
  /// The first one wins.
  void fail(std::size_t stage, close_code why_code, errc what, std::string_view why) noexcept;
  /// A stage did what it must not: 1011, and a sentence for its author.
  void breach(std::size_t stage, std::string_view what) noexcept;
  void threw(std::size_t stage, std::string_view hook) noexcept;
  /// Runs what a stage asked for: 1011 when there is no memory for it.
  template <class F>
  bool attempt(std::size_t stage, F&& act) noexcept {
    bool done = false;
    if (guarded([&] { done = act(); })) return done;
    fail(stage, close_code::internal_error, errc::out_of_resources, "no memory for what an extension asked");
    return false;
  }
  /// After a hook returned: false when it threw or failed.
  bool ran(bool returned, std::size_t stage, std::string_view hook) {
    if (returned) [[likely]]
      return !failed;
    threw(stage, hook);
    return false;
  }
  void bound(direction way, lane& l, bool goes_on);
  bool count(link& k, std::size_t bytes);

  [[nodiscard]] lane& at(direction way) noexcept { return lanes[static_cast<std::size_t>(way)]; }
  [[nodiscard]] std::uint64_t limit(direction way) const noexcept {
    return way == direction::in ? limits.max_message_in : limits.max_message_out;
  }
  [[nodiscard]] std::uint64_t limit_behind(std::size_t stage, direction way) const noexcept {
    return limit(way) + (way == direction::in ? slots[stage].slack : 0);
  }
  void refresh_deadline() noexcept;
  /// Bytes that stages have wait on the way to the application.
  [[nodiscard]] std::uint64_t waiting_in() const noexcept;
  /// Outwards, a message of the application's that goes on was admitted already. Everything else needs room, or a stage
  /// that sends by itself would fill the memory while the peer does not read. Inwards one message may always wait.
  [[nodiscard]] bool may_forward(direction way) const noexcept {
    if (way == direction::out) return room_out > 0 || lanes[static_cast<std::size_t>(way)].active;
    const std::uint64_t waiting = waiting_in();
    return waiting == 0 || waiting < limits.memory;
  }

  // What a message that all stages let be touches comes first.
  pipeline* owner;
  std::vector<asked> front;  // One for each of `slots`.
  tick now{};
  std::vector<work> works;
  bool failed = false;
  bool over = false;  // `closed` has begun.
  std::array<lane, 2> lanes;
  std::vector<slot> slots;
  pipeline_limits limits;
  buffer_pool* pool;
  shelf* lent;
  role side;
  bool opened = false;
  bool closing = false;  // `flush` is over: nothing more goes out.
  bool spent = false;    // A stage was told that the connection ends: it is no good for another.
  std::uint32_t failed_stage = 0;
  close_code code = close_code::normal;
  errc error = errc::ok;
  std::string reason;
  std::uint64_t id = 0;
  std::uint64_t sent_on = 0;
  std::uint64_t proved = 0;
  notes noted;           // Of the message that comes in.
  notes carried;         // Of the one that a stage forwarded and that begins next.
  std::size_t room_out;  // What the owner can still queue.
  std::size_t charged = 0;
  std::size_t breaches = 0;
  std::string last_breach;
  std::unique_ptr<frame_layer> frames;
  std::vector<agreed_extension> agreed;  // Last: stages go before what they may refer to.
};

}  // namespace core
HAWSER_END
