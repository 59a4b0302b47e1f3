// A move-only callable: one pointer to call, no copy, small targets in place.
#pragma once

#include <hawser/base/config.h>

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

HAWSER_BEGIN

/// See the one below: `function<R(Args...)>`.
template <class Signature>
class function;

/// Holds anything callable as `R(Args...)`, also what can only be moved. Targets of up to three pointers lie inside.
/// Calling an empty one is the caller's defect; test it with `operator bool`.
template <class R, class... Args>
class function<R(Args...)> {
 public:
  function() noexcept = default;        ///< An empty one.
  function(std::nullptr_t) noexcept {}  ///< An empty one.

  /// Holds `target`, which is moved or copied in. Throws what that throws.
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, function> && std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
      function(F&& target) {
    using T = std::decay_t<F>;
    if constexpr (fits<T>()) {
      ::new (static_cast<void*>(space_)) T(std::forward<F>(target));
      call_ = [](void* self, Args... args) -> R { return (*static_cast<T*>(self))(std::forward<Args>(args)...); };
      manage_ = [](void* from, void* to) noexcept {
        T* object = static_cast<T*>(from);
        if (to != nullptr) ::new (to) T(std::move(*object));
        object->~T();
      };
    } else {
      using Box = std::unique_ptr<T>;
      ::new (static_cast<void*>(space_)) Box(std::make_unique<T>(std::forward<F>(target)));
      call_ = [](void* self, Args... args) -> R { return (**static_cast<Box*>(self))(std::forward<Args>(args)...); };
      manage_ = [](void* from, void* to) noexcept {
        Box* object = static_cast<Box*>(from);
        if (to != nullptr) ::new (to) Box(std::move(*object));
        object->~Box();
      };
    }
  }

  function(function&& other) noexcept { take(other); }
  function& operator=(function&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~function() { reset(); }

  /// True when there is something to call.
  explicit operator bool() const noexcept { return call_ != nullptr; }
  /// Calls it. What it throws is passed on.
  R operator()(Args... args) const { return call_(const_cast<std::byte*>(space_), std::forward<Args>(args)...); }

 private:
  static constexpr std::size_t size = 3 * sizeof(void*);

  template <class T>
  static constexpr bool fits() {
    return sizeof(T) <= size && alignof(T) <= alignof(void*) && std::is_nothrow_move_constructible_v<T>;
  }

  void take(function& other) noexcept {
    if (other.call_ == nullptr) return;
    other.manage_(other.space_, space_);
    call_ = std::exchange(other.call_, nullptr);
    manage_ = std::exchange(other.manage_, nullptr);
  }
  void reset() noexcept {
    if (call_ == nullptr) return;
    call_ = nullptr;
    std::exchange(manage_, nullptr)(space_, nullptr);
  }

  alignas(void*) std::byte space_[size];
  R (*call_)(void*, Args...) = nullptr;
  void (*manage_)(void* from, void* to) noexcept = nullptr;
};

HAWSER_END
