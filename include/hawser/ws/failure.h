// What went wrong, for people and for programs; and how an attempt ended.
#pragma once

#include <hawser/base/clock.h>
#include <hawser/base/errc.h>

#include <string>
#include <string_view>
#include <system_error>

HAWSER_BEGIN

/// An error with the sentence that a person needs: what happened, whose fault it was, what to do.
class HAWSER_API failure {
 public:
  failure() = default;  ///< No error.
  /// `detail` says more than the code knows; may be empty.
  failure(errc code, std::string_view detail);

  /// The error, for what takes the standard's.
  [[nodiscard]] std::error_code code() const noexcept { return make_error_code(code_); }
  [[nodiscard]] errc error() const noexcept { return code_; }                     ///< The error.
  [[nodiscard]] hawser::fault fault() const noexcept { return fault_of(code_); }  ///< Whose fault it is.
  /// One line, without a line end, whoever had a hand in it: control characters and what is not UTF-8 stand as `\xHH`,
  /// and after 1,024 bytes of detail it is cut.
  [[nodiscard]] const std::string& what() const& noexcept HAWSER_LIFETIME_BOUND { return text_; }
  const std::string& what() const&& = delete;

 private:
  errc code_ = errc::ok;
  std::string text_;
};

/// The transport of one attempt is gone.
struct disconnect {
  bool will_retry = false;  ///< Another attempt follows by the reconnect policy.
  ticks retry_after{};      ///< When it does: how long from now.
  unsigned attempt = 1;     ///< Which attempt this was since the last stable connection, from 1.
  bool was_open = false;    ///< `on_connect` had been called.
};

HAWSER_END
