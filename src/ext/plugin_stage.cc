// The hooks of plug-ins: each is one function of ours in front of one of theirs. And what a hook may ask for.
#include "ext/plugin_tables.h"

#include <cstring>
#include <utility>
#include <vector>

HAWSER_BEGIN
namespace ext::detail {

/// The bodies that a stage of a plug-in holds. A plug-in knows them by number, so that one it gave away, gave back
/// twice or made up is noticed.
class held_bodies {
 public:
  // Numbers begin where those of another stage hardly do.
  held_bodies() noexcept : next_(static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(this) >> 4U)) {}

  /// `cost` is what it adds to `cost()` while it is here.
  hawser_buffer add(buffer body, std::size_t cost) {
    std::size_t i = free_;
    if (i == held_.size()) {
      held_.emplace_back();
      ++free_;
    } else {
      free_ = held_[i].cost;
    }
    held_[i].body = std::move(body);
    cost_ += held_[i].cost = cost;
    held_[i].number = std::uint64_t{++next_} << 32U | (i + 1);
    return held_[i].number;
  }
  buffer* find(hawser_buffer number) noexcept {
    const std::size_t i = number & 0xFFFFFFFFU;
    return i == 0 || i > held_.size() || held_[i - 1].number != number ? nullptr : &held_[i - 1].body;
  }
  /// Only after `find`.
  void drop(hawser_buffer number) noexcept {
    reckon(number, 0);
    at(number) = {.body = {}, .number = 0, .cost = free_};
    free_ = (number & 0xFFFFFFFFU) - 1;
  }
  /// From here on the body of that number costs this. Only after `find`.
  void reckon(hawser_buffer number, std::size_t cost) noexcept {
    cost_ -= at(number).cost;
    cost_ += at(number).cost = cost;
  }
  void clear() noexcept {
    held_.clear();
    cost_ = free_ = 0;
  }
  /// What the stage has by its own doing: bytes that it had made for it, and places.
  [[nodiscard]] std::size_t cost() const noexcept { return cost_; }
  static constexpr std::size_t cost_of_place = 64;

 private:
  struct held {
    buffer body;
    hawser_buffer number = 0;  // 0: nothing is here.
    std::size_t cost = 0;      // Or the next place with nothing.
  };
  static_assert(sizeof(held) <= cost_of_place);

  held& at(hawser_buffer number) noexcept { return held_[(number & 0xFFFFFFFFU) - 1]; }

  std::vector<held> held_;
  std::size_t cost_ = 0;
  std::size_t free_ = 0;  // The first place with nothing, or the end.
  std::uint32_t next_;
};

/// A stage of a plug-in.
struct plugin_stage {
  explicit plugin_stage(std::shared_ptr<const plugin_tables> tables)
      : from(std::move(tables)), hooks(from->hooks), contexts(from->contexts.take(*this)) {}
  plugin_stage(const plugin_stage&) = delete;
  plugin_stage& operator=(const plugin_stage&) = delete;
  ~plugin_stage() {
    if (hooks.destroy != nullptr && made) core::guarded([this] { hooks.destroy(state); });
    from->contexts.give_back(contexts);
  }

  /// The context of the hook that was handed one last.
  [[nodiscard]] handed_context& latest() noexcept { return contexts->all[turn % context_ring::size]; }

  // Shared: the stage may outlive its factory, and needs the code of the plug-in until it is gone.
  std::shared_ptr<const plugin_tables> from;
  const hawser_stage& hooks;
  context_ring* contexts;
  std::size_t turn = 0;
  void* state = nullptr;
  bool made = false;
  held_bodies bodies;
};

namespace {

// ---- what a hook may ask for

constexpr const char* not_its_own = "used a body that it gave away, gave back or never had";

/// Only of a context whose hook runs.
plugin_stage& stage_of(hawser_context* c) noexcept { return *static_cast<handed_context*>(c)->owner; }

/// Somebody kept a context. In another hook of the same stage it is clear whose fault it is.
void kept(handed_context& c) noexcept {
  context* now = c.owner == nullptr ? nullptr : c.owner->latest().now;
  if (now == nullptr) return c.home->stray();
  now->breach("used the context of a hook that was over: each hook is given its own");
}

/// The context of the hook that `c` was handed to; null when that is over.
context* running(hawser_context* c) noexcept {
  if (c == nullptr) return nullptr;
  auto& handed = *static_cast<handed_context*>(c);
  if (handed.now == nullptr) [[unlikely]]
    kept(handed);
  return handed.now;
}

bool known(context& c, std::uint32_t way) noexcept {
  if (way <= HAWSER_IN) return true;
  c.breach("named a direction that is neither out nor in");
  return false;
}

/// The body of that number; null after a breach.
buffer* body_of(hawser_context* c, hawser_buffer number) noexcept {
  context* now = running(c);
  if (now == nullptr) return nullptr;
  buffer* found = stage_of(c).bodies.find(number);
  if (found == nullptr) now->breach(not_its_own);
  return found;
}

std::uint32_t side(hawser_context* c) noexcept {
  const context* now = running(c);
  return now != nullptr && now->side() == role::server ? HAWSER_SERVER : HAWSER_CLIENT;
}

std::int64_t now(hawser_context* c) noexcept {
  const context* now = running(c);
  if (now == nullptr) return 0;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now->now().time_since_epoch()).count();
}

std::uint64_t limit(hawser_context* c, std::uint32_t way) noexcept {
  context* now = running(c);
  return now != nullptr && known(*now, way) ? now->limit(static_cast<direction>(way)) : 0;
}

std::uint64_t room(hawser_context* c, std::uint32_t way) noexcept {
  context* now = running(c);
  return now != nullptr && known(*now, way) ? now->room(static_cast<direction>(way)) : 0;
}

void arm(hawser_context* c, std::int64_t when) noexcept {
  context* now = running(c);
  if (now == nullptr) return;
  if (stage_of(c).hooks.timer == nullptr) return now->breach("armed a timer and has no timer hook");
  now->arm(tick{std::chrono::nanoseconds(when)});
}

void disarm(hawser_context* c) noexcept {
  if (context* now = running(c)) now->disarm();
}

void fail(hawser_context* c, std::uint32_t code, const char* why) noexcept {
  context* now = running(c);
  if (now == nullptr) return;
  if (code > 0xFFFFU) return now->breach("failed with a code that is none");
  now->fail(static_cast<close_code>(code), text_up_to(why, max_close_reason + 1));
}

std::int32_t charge(hawser_context* c, std::int64_t bytes) noexcept {
  context* now = running(c);
  return now != nullptr && now->charge(static_cast<std::ptrdiff_t>(bytes)) ? 1 : 0;
}

std::int32_t emit_control(hawser_context* c, std::uint32_t opcode, const std::uint8_t* bytes,
                          std::uint64_t size) noexcept {
  context* now = running(c);
  if (now == nullptr) return 0;
  if (opcode > 0xFFU || (bytes == nullptr && size != 0)) {
    now->breach("emitted a control frame without an opcode or without its bytes");
    return 0;
  }
  const byte_view payload{reinterpret_cast<const std::byte*>(bytes), size};
  return now->emit_control(static_cast<std::uint8_t>(opcode), payload) ? 1 : 0;
}

std::int32_t forward(hawser_context* c, std::uint32_t way, const hawser_head* head, hawser_buffer body) noexcept {
  context* now = running(c);
  if (now == nullptr || !known(*now, way)) return 0;
  if (head == nullptr || head->struct_size < sizeof(hawser_head)) {
    now->breach("forwarded a message without a head");
    return 0;
  }
  buffer* found = body_of(c, body);
  if (found == nullptr) return 0;
  hawser::head going;
  going.opcode = head->opcode;
  going.rsv = head->rsv;
  going.priority = head->priority;
  going.flags = head->flags;
  if (!now->forward(static_cast<direction>(way), going, *found)) return 0;
  stage_of(c).bodies.drop(body);
  return 1;
}

// Whether what the stage has taken and still has leaves it within its budget: then it may take one more.
bool may_take(hawser_context* c, context& now) noexcept {
  const auto held = static_cast<std::ptrdiff_t>(stage_of(c).bodies.cost());
  return now.charge(held) && now.charge(-held);
}

hawser_buffer take_buffer(hawser_context* c, std::uint64_t size) noexcept {
  context* now = running(c);
  hawser_buffer made = 0;
  if (now == nullptr || !may_take(c, *now)) return made;
  core::guarded([&] {
    buffer body = now->take_buffer(static_cast<std::size_t>(size));
    const std::size_t cost = held_bodies::cost_of_place + body.size();
    made = stage_of(c).bodies.add(std::move(body), cost);
  });
  return made;
}

hawser_buffer share_buffer(hawser_context* c, hawser_buffer body) noexcept {
  hawser_buffer made = 0;
  const buffer* found = body_of(c, body);
  if (found == nullptr || !may_take(c, *running(c))) return made;
  core::guarded([&] { made = stage_of(c).bodies.add(buffer(*found), held_bodies::cost_of_place); });
  return made;
}

void release_buffer(hawser_context* c, hawser_buffer body) noexcept {
  if (body_of(c, body) != nullptr) stage_of(c).bodies.drop(body);
}

const std::uint8_t* read_buffer(hawser_context* c, hawser_buffer body, std::uint64_t* size) noexcept {
  const buffer* found = body_of(c, body);
  if (size != nullptr) *size = found == nullptr ? 0 : found->size();
  return found == nullptr ? nullptr : reinterpret_cast<const std::uint8_t*>(found->view().data());
}

std::uint8_t* write_buffer(hawser_context* c, hawser_buffer body) noexcept {
  buffer* found = body_of(c, body);
  if (found == nullptr) return nullptr;
  const auto bytes = [found] { return reinterpret_cast<std::uint8_t*>(found->data()); };
  if (*found && found->sole_owner()) return bytes();
  context& now = *running(c);
  const bool copied = may_take(c, now) && core::guarded([&] {
                        buffer copy = now.take_buffer(found->size());
                        if (!found->empty()) std::memcpy(copy.data(), found->data(), found->size());
                        *found = std::move(copy);
                      });
  if (!copied) return nullptr;
  stage_of(c).bodies.reckon(body, held_bodies::cost_of_place + found->size());
  return bytes();
}

std::int32_t cut_buffer(hawser_context* c, hawser_buffer body, std::uint64_t size) noexcept {
  buffer* found = body_of(c, body);
  if (found == nullptr || size > found->size()) return 0;
  found->resize(static_cast<std::size_t>(size));
  return 1;
}

std::uint64_t connection_id(hawser_context* c) noexcept {
  const context* now = running(c);
  return now == nullptr ? 0 : now->connection_id();
}

void note(hawser_context* c, const std::uint8_t* bytes, std::uint64_t size) noexcept {
  context* now = running(c);
  if (now == nullptr) return;
  if (bytes == nullptr && size != 0) return now->breach("left a note without its bytes");
  now->note({reinterpret_cast<const std::byte*>(bytes), static_cast<std::size_t>(size)});
}

}  // namespace

const hawser_context_api context_calls{
    .struct_size = sizeof(hawser_context_api),
    .abi = HAWSER_PLUGIN_ABI,
    .side = side,
    .now = now,
    .limit = limit,
    .room = room,
    .arm = arm,
    .disarm = disarm,
    .fail = fail,
    .charge = charge,
    .emit_control = emit_control,
    .forward = forward,
    .take_buffer = take_buffer,
    .share_buffer = share_buffer,
    .release_buffer = release_buffer,
    .read_buffer = read_buffer,
    .write_buffer = write_buffer,
    .cut_buffer = cut_buffer,
    .connection_id = connection_id,
    .note = note,
};

namespace {

// ---- hooks

// The numbers of plugin.h are those of the library.
static_assert(static_cast<unsigned>(direction::out) == HAWSER_OUT && static_cast<unsigned>(direction::in) == HAWSER_IN);
static_assert(static_cast<unsigned>(rsv::one) == HAWSER_RSV1 && static_cast<unsigned>(rsv::two) == HAWSER_RSV2 &&
              static_cast<unsigned>(rsv::three) == HAWSER_RSV3);
static_assert(static_cast<unsigned>(verdict::kind::bypass) == HAWSER_BYPASS &&
              static_cast<unsigned>(verdict::kind::observe) == HAWSER_OBSERVE &&
              static_cast<unsigned>(verdict::kind::retain) == HAWSER_RETAIN &&
              static_cast<unsigned>(verdict::kind::in_place) == HAWSER_IN_PLACE &&
              static_cast<unsigned>(verdict::kind::transform) == HAWSER_TRANSFORM &&
              static_cast<unsigned>(verdict::kind::whole) == HAWSER_WHOLE &&
              static_cast<unsigned>(verdict::kind::reject) == HAWSER_REJECT);
static_assert(static_cast<unsigned>(flow::more) == HAWSER_MORE && static_cast<unsigned>(flow::full) == HAWSER_FULL &&
              static_cast<unsigned>(flow::done) == HAWSER_DONE && static_cast<unsigned>(flow::error) == HAWSER_ERROR);
static_assert(hook::observe == HAWSER_HOOK_OBSERVE && hook::in_place == HAWSER_HOOK_IN_PLACE &&
              hook::transform == HAWSER_HOOK_TRANSFORM && hook::whole == HAWSER_HOOK_WHOLE &&
              hook::retained == HAWSER_HOOK_RETAINED && hook::prefix == HAWSER_HOOK_PREFIX &&
              hook::suffix == HAWSER_HOOK_SUFFIX && hook::done == HAWSER_HOOK_DONE &&
              hook::control == HAWSER_HOOK_CONTROL && hook::timer == HAWSER_HOOK_TIMER &&
              hook::open == HAWSER_HOOK_OPEN && hook::flush == HAWSER_HOOK_FLUSH && hook::closed == HAWSER_HOOK_CLOSED);
static_assert(head_flag::no_compression == HAWSER_NO_COMPRESSION);

/// Runs a hook of a plug-in. False when an exception came out of it, which only C++ can see.
template <class F>
bool call(void* self, context& c, F&& hook) noexcept {
  plugin_stage& s = *static_cast<plugin_stage*>(self);
  ++s.turn;
  handed_context& mine = s.latest();
  mine.now = &c;
  const bool returned = core::guarded([&] { hook(s, &mine); });
  mine.now = nullptr;
  return returned;
}

hawser_head told(const head& h) noexcept {
  return {sizeof(hawser_head), h.opcode, h.rsv, h.sized, h.priority, h.flags, 0, h.size};
}

// What is out of range becomes something that the pipeline knows to be out of range.
verdict verdict_of(std::uint32_t said) noexcept {
  const auto part = [said](unsigned shift) { return static_cast<std::uint8_t>(said >> shift & 0xFFU); };
  if (said >> 24U != 0) return {static_cast<verdict::kind>(0xFF), 0, 0, 0};
  return {static_cast<verdict::kind>(part(0)), part(8), part(16), 0};
}

step step_of(const hawser_step& did) noexcept {
  const auto next = static_cast<std::uint8_t>(did.next <= HAWSER_ERROR ? did.next : 0xFFU);
  const auto trim = static_cast<std::uint8_t>(did.trim <= 0xFFU ? did.trim : 0xFFU);
  return {static_cast<std::size_t>(did.consumed), static_cast<std::size_t>(did.produced), static_cast<flow>(next),
          trim};
}

std::uint32_t number_of(direction way) noexcept { return static_cast<std::uint32_t>(way); }
const std::uint8_t* start_of(byte_view bytes) noexcept { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }
std::uint8_t* start_of(byte_span bytes) noexcept { return reinterpret_cast<std::uint8_t*>(bytes.data()); }

std::uint32_t begin(void* self, direction way, head& h, context& c) noexcept {
  hawser_head seen = told(h);
  std::uint32_t said = 0;
  if (!call(self, c,
            [&](plugin_stage& s, hawser_context* mine) { said = s.hooks.begin(s.state, number_of(way), &seen, mine); }))
    return core::begin_threw;
  h.opcode = seen.opcode;
  h.rsv = seen.rsv;
  return core::packed(verdict_of(said));
}

bool observe(void* self, direction way, byte_view chunk, bool fin, context& c) noexcept {
  return call(self, c, [&](plugin_stage& s, hawser_context* mine) {
    s.hooks.observe(s.state, number_of(way), start_of(chunk), chunk.size(), fin ? 1 : 0, mine);
  });
}

bool in_place(void* self, direction way, byte_span chunk, bool fin, context& c) noexcept {
  return call(self, c, [&](plugin_stage& s, hawser_context* mine) {
    s.hooks.in_place(s.state, number_of(way), start_of(chunk), chunk.size(), fin ? 1 : 0, mine);
  });
}

bool transform(void* self, direction way, byte_view in, byte_span out, bool fin, step& did, context& c) noexcept {
  hawser_step made{};
  made.struct_size = sizeof made;
  const bool returned = call(self, c, [&](plugin_stage& s, hawser_context* mine) {
    s.hooks.transform(s.state, number_of(way), start_of(in), in.size(), start_of(out), out.size(), fin ? 1 : 0, &made,
                      mine);
  });
  did = step_of(made);
  return returned;
}

bool whole(void* self, direction way, const head& h, buffer&& body, context& c) noexcept {
  const hawser_head seen = told(h);
  return call(self, c, [&](plugin_stage& s, hawser_context* mine) {
    s.hooks.whole(s.state, number_of(way), &seen, s.bodies.add(std::move(body), 0), mine);
  });
}

bool retained(void* self, direction way, const head& h, buffer&& body, context& c) noexcept {
  const hawser_head seen = told(h);
  return call(self, c, [&](plugin_stage& s, hawser_context* mine) {
    s.hooks.retained(s.state, number_of(way), &seen, s.bodies.add(std::move(body), 0), mine);
  });
}

bool prefix(void* self, direction way, byte_span edge, context& c) noexcept {
  return call(self, c, [&](plugin_stage& s, hawser_context* mine) {
    s.hooks.prefix(s.state, number_of(way), start_of(edge), edge.size(), mine);
  });
}

bool suffix(void* self, direction way, byte_span edge, context& c) noexcept {
  return call(self, c, [&](plugin_stage& s, hawser_context* mine) {
    s.hooks.suffix(s.state, number_of(way), start_of(edge), edge.size(), mine);
  });
}

bool done(void* self, direction way, context& c) noexcept {
  return call(self, c, [&](plugin_stage& s, hawser_context* mine) { s.hooks.done(s.state, number_of(way), mine); });
}

bool control(void* self, std::uint8_t opcode, byte_view payload, context& c) noexcept {
  return call(self, c, [&](plugin_stage& s, hawser_context* mine) {
    s.hooks.control(s.state, opcode, start_of(payload), payload.size(), mine);
  });
}

bool timer(void* self, context& c) noexcept {
  return call(self, c, [](plugin_stage& s, hawser_context* mine) { s.hooks.timer(s.state, mine); });
}

bool open(void* self, context& c) noexcept {
  return call(self, c, [](plugin_stage& s, hawser_context* mine) { s.hooks.open(s.state, mine); });
}

bool flush(void* self, context& c) noexcept {
  return call(self, c, [](plugin_stage& s, hawser_context* mine) { s.hooks.flush(s.state, mine); });
}

// The bodies need not wait for the stage to go. And what the plug-in did wrong where it was no fault of the connection
// at hand is said here, where it ends none.
bool closed(void* self, close_code code, context& c) noexcept {
  return call(self, c, [&](plugin_stage& s, hawser_context* mine) {
    if (s.hooks.closed != nullptr) s.hooks.closed(s.state, static_cast<std::uint32_t>(code), mine);
    s.bodies.clear();
    if (s.from->contexts.take_strays() != 0) c.breach("used a context when no hook of its stage ran");
  });
}

/// `ours` when the plug-in has the hook.
template <class Ours, class Theirs>
Ours* for_hook(Ours* ours, Theirs theirs) noexcept {
  return theirs == nullptr ? nullptr : ours;
}

}  // namespace

core::stage_table table_of(const hawser_stage& hooks) noexcept {
  core::stage_table t{};
  t.hooks = hooks.hooks;
  t.destroy = [](void* self) noexcept { delete static_cast<plugin_stage*>(self); };
  t.begin = begin;
  t.observe = for_hook(observe, hooks.observe);
  t.in_place = for_hook(in_place, hooks.in_place);
  t.transform = for_hook(transform, hooks.transform);
  t.whole = for_hook(whole, hooks.whole);
  t.retained = for_hook(retained, hooks.retained);
  t.prefix = for_hook(prefix, hooks.prefix);
  t.suffix = for_hook(suffix, hooks.suffix);
  t.done = for_hook(done, hooks.done);
  t.control = for_hook(control, hooks.control);
  t.timer = for_hook(timer, hooks.timer);
  t.open = for_hook(open, hooks.open);
  t.flush = for_hook(flush, hooks.flush);
  t.closed = closed;
  return t;
}

new_plugin_stage::new_plugin_stage(std::shared_ptr<const plugin_tables> from)
    : made_(new plugin_stage(std::move(from))) {}
new_plugin_stage::~new_plugin_stage() { delete made_; }

void** new_plugin_stage::state() const noexcept { return &made_->state; }

core::any_stage new_plugin_stage::take() noexcept {
  made_->made = true;
  const core::stage_table* table = &made_->from->table;
  return {table, std::exchange(made_, nullptr)};
}

}  // namespace ext::detail
HAWSER_END
