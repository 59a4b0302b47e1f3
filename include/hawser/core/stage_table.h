// Any stage, erased: a table of its hooks and its state. Not for users.
#pragma once

#include <hawser/core/extension_header.h>
#include <hawser/core/stage.h>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

HAWSER_BEGIN
namespace core {

/// A stage's hooks as a table of functions, null where the stage has none; made in the author's translation unit.
struct stage_table {
  unsigned hooks;
  void (*destroy)(void* self) noexcept;
  void* (*copy)(const void* self);  // This one and the next: of stages that can be copied and compared, see below.
  bool (*equal)(const void* self, const void* other) noexcept;
  std::uint32_t (*begin)(void* self, direction way, head& h, context& c) noexcept;  // `packed`, or `begin_threw`.
  bool (*observe)(void* self, direction way, byte_view chunk, bool fin, context& c) noexcept;
  bool (*in_place)(void* self, direction way, byte_span chunk, bool fin, context& c) noexcept;
  bool (*transform)(void* self, direction way, byte_view in, byte_span out, bool fin, step& did, context& c) noexcept;
  bool (*whole)(void* self, direction way, const head& h, buffer&& body, context& c) noexcept;
  bool (*retained)(void* self, direction way, const head& h, buffer&& body, context& c) noexcept;
  bool (*prefix)(void* self, direction way, byte_span edge, context& c) noexcept;
  bool (*suffix)(void* self, direction way, byte_span edge, context& c) noexcept;
  bool (*done)(void* self, direction way, context& c) noexcept;
  bool (*control)(void* self, std::uint8_t opcode, byte_view payload, context& c) noexcept;
  bool (*timer)(void* self, context& c) noexcept;
  bool (*open)(void* self, context& c) noexcept;
  bool (*flush)(void* self, context& c) noexcept;
  bool (*closed)(void* self, close_code code, context& c) noexcept;
  bool (*frame_in)(void* self, frame& f, byte_view first, std::size_t& used, context& c) noexcept;
  bool (*frame_out)(void* self, const frame& f, byte_span room, std::size_t& made, context& c) noexcept;
  bool (*frame_quota)(void* self, const frame& f, std::uint64_t& most, context& c) noexcept;
  bool (*frame_urgency)(void* self, const head& h, std::uint32_t& urgency, context& c) noexcept;
};

/// A verdict in a register: a bare bypass, which is what most are, is 0.
constexpr std::uint32_t packed(verdict v) noexcept { return std::bit_cast<std::uint32_t>(v); }
constexpr verdict unpacked(std::uint32_t word) noexcept { return std::bit_cast<verdict>(word); }
static_assert(packed(verdict::bypass) == 0);
/// No verdict: the hook threw.
inline constexpr std::uint32_t begin_threw = 0xFFFFFFFF;

/// Runs a hook; false when it threw.
template <class F>
bool guarded(F&& f) noexcept {
#if defined(__cpp_exceptions)
  try {
    std::forward<F>(f)();
    return true;
  } catch (...) {
    return false;
  }
#else
  std::forward<F>(f)();
  return true;
#endif
}

/// Those of the frame layer.
template <stage S>
constexpr void add_frame_hooks(stage_table& t) {
  if constexpr (hawser::detail::has_frame<S>) {
    t.frame_in = [](void* p, frame& f, byte_view b, std::size_t& used, context& c) noexcept {
      return guarded([&] { used = static_cast<S*>(p)->frame_in(f, b, c); });
    };
    t.frame_out = [](void* p, const frame& f, byte_span b, std::size_t& made, context& c) noexcept {
      return guarded([&] { made = static_cast<S*>(p)->frame_out(f, b, c); });
    };
  }
  if constexpr (hawser::detail::has_quota<S>)
    t.frame_quota = [](void* p, const frame& f, std::uint64_t& most, context& c) noexcept {
      return guarded([&] { most = static_cast<S*>(p)->frame_quota(f, c); });
    };
  if constexpr (hawser::detail::has_urgency<S>)
    t.frame_urgency = [](void* p, const head& h, std::uint32_t& urgency, context& c) noexcept {
      return guarded([&] { urgency = static_cast<S*>(p)->frame_urgency(h, c); });
    };
}

/// Those that are not about a message.
template <stage S>
constexpr void add_connection_hooks(stage_table& t) {
  if constexpr (hawser::detail::has_control<S>)
    t.control = [](void* p, std::uint8_t op, byte_view b, context& c) noexcept {
      return guarded([&] { static_cast<S*>(p)->control(op, b, c); });
    };
  if constexpr (hawser::detail::has_timer<S>)
    t.timer = [](void* p, context& c) noexcept { return guarded([&] { static_cast<S*>(p)->timer(c); }); };
  if constexpr (hawser::detail::has_open<S>)
    t.open = [](void* p, context& c) noexcept { return guarded([&] { static_cast<S*>(p)->open(c); }); };
  if constexpr (hawser::detail::has_flush<S>)
    t.flush = [](void* p, context& c) noexcept { return guarded([&] { static_cast<S*>(p)->flush(c); }); };
  if constexpr (hawser::detail::has_closed<S>)
    t.closed = [](void* p, close_code code, context& c) noexcept {
      return guarded([&] { static_cast<S*>(p)->closed(code, c); });
    };
}

/// Stages of which `claims::idle_state` may make more: what the library does of its own accord must not bring an
/// exception of theirs into the core. `copy` may lack memory, nothing else.
template <class S>
concept copied_and_compared = std::is_nothrow_copy_constructible_v<S> && std::equality_comparable<S> &&
    noexcept(std::declval<const S&>() == std::declval<const S&>());

template <stage S>
constexpr stage_table make_stage_table() {
  stage_table t{};
  t.hooks = S::hooks;
  t.destroy = [](void* p) noexcept { delete static_cast<S*>(p); };
  if constexpr (copied_and_compared<S>) {
    t.copy = [](const void* p) -> void* { return new S(*static_cast<const S*>(p)); };
    t.equal = [](const void* p, const void* q) noexcept {
      return *static_cast<const S*>(p) == *static_cast<const S*>(q);
    };
  }
  t.begin = [](void* p, direction w, head& h, context& c) noexcept {
    std::uint32_t said = begin_threw;
    guarded([&] { said = packed(static_cast<S*>(p)->begin(w, h, c)); });
    return said;
  };
  if constexpr (hawser::detail::has_observe<S>)
    t.observe = [](void* p, direction w, byte_view b, bool fin, context& c) noexcept {
      return guarded([&] { static_cast<S*>(p)->observe(w, b, fin, c); });
    };
  if constexpr (hawser::detail::has_in_place<S>)
    t.in_place = [](void* p, direction w, byte_span b, bool fin, context& c) noexcept {
      return guarded([&] { static_cast<S*>(p)->in_place(w, b, fin, c); });
    };
  if constexpr (hawser::detail::has_transform<S>)
    t.transform = [](void* p, direction w, byte_view i, byte_span o, bool fin, step& did, context& c) noexcept {
      return guarded([&] { did = static_cast<S*>(p)->transform(w, i, o, fin, c); });
    };
  if constexpr (hawser::detail::has_whole<S>)
    t.whole = [](void* p, direction w, const head& h, buffer&& b, context& c) noexcept {
      return guarded([&] { static_cast<S*>(p)->whole(w, h, std::move(b), c); });
    };
  if constexpr (hawser::detail::has_retained<S>)
    t.retained = [](void* p, direction w, const head& h, buffer&& b, context& c) noexcept {
      return guarded([&] { static_cast<S*>(p)->retained(w, h, std::move(b), c); });
    };
  if constexpr (hawser::detail::has_prefix<S>)
    t.prefix = [](void* p, direction w, byte_span b, context& c) noexcept {
      return guarded([&] { static_cast<S*>(p)->prefix(w, b, c); });
    };
  if constexpr (hawser::detail::has_suffix<S>)
    t.suffix = [](void* p, direction w, byte_span b, context& c) noexcept {
      return guarded([&] { static_cast<S*>(p)->suffix(w, b, c); });
    };
  if constexpr (hawser::detail::has_done<S>)
    t.done = [](void* p, direction w, context& c) noexcept { return guarded([&] { static_cast<S*>(p)->done(w, c); }); };
  add_connection_hooks<S>(t);
  add_frame_hooks<S>(t);
  return t;
}

template <stage S>
inline constexpr stage_table stage_table_for = make_stage_table<S>();

/// Any stage, erased: its table and its state. Move-only owner of the state.
class any_stage {
 public:
  any_stage() noexcept = default;
  template <stage S>
  static any_stage of(S s) {
    return {&stage_table_for<S>, new S(std::move(s))};
  }
  /// Takes ownership of `state`, which `table->destroy` will delete.
  any_stage(const stage_table* table, void* state) noexcept : table_(table), state_(state) {}
  any_stage(any_stage&& other) noexcept : table_(other.table_), state_(std::exchange(other.state_, nullptr)) {}
  any_stage& operator=(any_stage&& other) noexcept {
    std::swap(table_, other.table_);
    std::swap(state_, other.state_);
    return *this;
  }
  ~any_stage() {
    if (state_ != nullptr) table_->destroy(state_);
  }

  /// False: made by default or moved from; there is no table then.
  explicit operator bool() const noexcept { return table_ != nullptr; }
  [[nodiscard]] const stage_table& table() const noexcept { return *table_; }
  [[nodiscard]] void* state() const noexcept { return state_; }

  /// Whether `copy` can be called.
  [[nodiscard]] bool can_be_copied() const noexcept { return table_->copy != nullptr; }
  [[nodiscard]] any_stage copy() const { return {table_, table_->copy(state_)}; }
  /// Whether the other one is of the same type, and equal.
  [[nodiscard]] bool is_like(const any_stage& other) const noexcept {
    return table_ == other.table_ && can_be_copied() && table_->equal(state_, other.state_);
  }

 private:
  const stage_table* table_ = nullptr;
  void* state_ = nullptr;
};

/// What a factory agreed to, erased.
struct agreement {
  params response;
  claims uses;
  any_stage work;
};

}  // namespace core

HAWSER_END
