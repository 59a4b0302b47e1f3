// HTTP/1.1 heads: read piece by piece in linear time within limits, written without a way to inject. RFC 9112.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/base/errc.h>
#include <hawser/base/result.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN

/// Bounds on a head. Defaults are safe ones; a limit is always a number.
struct http_limits {
  std::size_t head = 16 * 1024;   ///< Bytes of the whole head.
  std::size_t line = 8 * 1024;    ///< Bytes of one header line.
  std::size_t target = 4 * 1024;  ///< Bytes of the request target.
  std::size_t headers = 100;      ///< Header lines.
};

/// Header fields in the order they came or were added. Names compare without case.
class HAWSER_API headers {
 public:
  struct field {
    std::string name;
    std::string value;
  };

  /// Adds a field. Errors: `invalid_header` when the name is not a token or the value holds CR, LF, NUL or another
  /// control byte but tab (E6, E7: refused, never stripped). Nothing is added then.
  result<void> add(std::string_view name, std::string_view value);

  /// The first value of `name`, or null. Valid until the next change.
  [[nodiscard]] const std::string* find(std::string_view name) const& noexcept HAWSER_LIFETIME_BOUND;
  const std::string* find(std::string_view name) const&& = delete;

  /// How many fields have this name.
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;

  /// All values of `name`, joined by ", " in order (RFC 9110, 5.2).
  [[nodiscard]] std::string joined(std::string_view name) const;

  [[nodiscard]] const std::vector<field>& all() const& noexcept HAWSER_LIFETIME_BOUND { return fields_; }
  [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }

 private:
  friend class head_parser;
  std::vector<field> fields_;
};

/// Equal without regard to ASCII case.
HAWSER_API bool equal_no_case(std::string_view a, std::string_view b) noexcept;

/// True when `text` is a non-empty RFC 9110 token.
HAWSER_API bool is_token(std::string_view text) noexcept;

/// True when a comma-separated list holds `token`, without regard to case ("keep-alive, Upgrade").
HAWSER_API bool list_contains(std::string_view list, std::string_view token) noexcept;

/// A request or response head, whole.
struct http_head {
  std::string method;  ///< Requests.
  std::string target;  ///< Requests, as it came.
  int status = 0;      ///< Responses.
  std::string reason;  ///< Responses.
  headers fields;
};

/// Reads one head from bytes that come in any pieces. Each byte is looked at once (E1).
class HAWSER_API head_parser {
 public:
  enum class expects : std::uint8_t { request, response };
  enum class state : std::uint8_t { need_more, complete, failed };

  explicit head_parser(expects what, const http_limits& limits = {});

  /// Takes bytes from the front of `in` and says in `consumed` how many belonged to the head; what follows the empty
  /// line is never touched. After `failed`, `error()` says why: `http_malformed`, `http_version`,
  /// `http_head_too_large`, `http_target_too_long`. Strict: CRLF line ends, no white space before a colon, no folding,
  /// no NUL, only HTTP/1.1 (and for responses HTTP/1.0 is `http_version` too).
  state feed(byte_view in, std::size_t& consumed);

  [[nodiscard]] errc error() const noexcept { return error_; }

  /// What came; whole after `complete`.
  [[nodiscard]] http_head& head() & noexcept HAWSER_LIFETIME_BOUND { return head_; }

 private:
  state fail(errc error) noexcept;
  bool take_line(std::string_view line);
  bool take_start_line(std::string_view line);
  bool take_field(std::string_view line);

  http_limits limits_;
  expects what_;
  state state_ = state::need_more;
  errc error_ = errc::ok;
  bool started_ = false;
  std::size_t total_ = 0;
  std::string line_;
  http_head head_;
};

HAWSER_END
