// A value, or why there is none.
#pragma once

#include <hawser/base/errc.h>

#include <optional>
#include <system_error>
#include <utility>

HAWSER_BEGIN

namespace detail {
/// Throws `std::system_error` with `code`; ends the program in a build without exceptions.
[[noreturn]] HAWSER_API void throw_error(const std::error_code& code);
}  // namespace detail

/// A `T`, or the error that stood in its way. A subset of the names of `std::expected`.
/// `value()` throws `std::system_error`: that is the exception style, for those who want it.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : value_(std::move(value)) {}                    ///< A success.
  result(errc error) noexcept : error_(make_error_code(error)) {}  ///< A failure; `error` is not `ok`.
  result(std::error_code error) noexcept : error_(error) {}        ///< The same, also with codes of the system.

  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }  ///< True when there is a value.
  explicit operator bool() const noexcept { return value_.has_value(); }        ///< The same.

  /// The error; a default `std::error_code` when there is a value.
  [[nodiscard]] std::error_code error() const noexcept { return error_; }

  /// The value, or throws `std::system_error`. A reference dies with the result: keep the result, or copy.
  T& value() & HAWSER_LIFETIME_BOUND {
    check();
    return *value_;
  }
  const T& value() const& HAWSER_LIFETIME_BOUND {
    check();
    return *value_;
  }
  T&& value() && HAWSER_LIFETIME_BOUND {
    check();
    return std::move(*value_);
  }

  /// Unchecked access: only after a test.
  T& operator*() & noexcept HAWSER_LIFETIME_BOUND { return *value_; }
  const T& operator*() const& noexcept HAWSER_LIFETIME_BOUND { return *value_; }
  T&& operator*() && noexcept HAWSER_LIFETIME_BOUND { return std::move(*value_); }
  T* operator->() noexcept { return &*value_; }              ///< Unchecked, too.
  const T* operator->() const noexcept { return &*value_; }  ///< Unchecked, too.

  /// The value, or `other`.
  template <class U>
  T value_or(U&& other) && {
    return value_ ? std::move(*value_) : static_cast<T>(std::forward<U>(other));
  }

 private:
  void check() const {
    if (!value_) detail::throw_error(error_);
  }

  std::optional<T> value_;
  std::error_code error_;
};

/// Success without a value, or an error.
template <>
class [[nodiscard]] result<void> {
 public:
  result() noexcept = default;                                     ///< A success.
  result(errc error) noexcept : error_(make_error_code(error)) {}  ///< A failure; `ok` makes it a success.
  result(std::error_code error) noexcept : error_(error) {}        ///< The same, also with codes of the system.

  [[nodiscard]] bool has_value() const noexcept { return !error_; }        ///< True when there is no error.
  explicit operator bool() const noexcept { return !error_; }              ///< The same.
  [[nodiscard]] std::error_code error() const noexcept { return error_; }  ///< The error, if any.

  /// Throws `std::system_error` unless this is a success.
  void value() const {
    if (error_) detail::throw_error(error_);
  }

 private:
  std::error_code error_;
};

HAWSER_END
