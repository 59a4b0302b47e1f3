// HTTP/1.1 heads: read piece by piece in linear time within limits, written without a way to inject. RFC 9112.
#pragma once

#include <hawser/base/bytes.h>
#include <hawser/base/errc.h>
#include <hawser/base/result.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN

/// Bounds on a head. Defaults are safe ones; a limit is always a number, and exactly that much is still accepted.
struct http_limits {
  std::size_t head = 16 * 1024;   ///< Bytes of the whole head, the empty line included.
  std::size_t line = 8 * 1024;    ///< Bytes of one line, its line end included.
  std::size_t target = 4 * 1024;  ///< Bytes of the request target.
  std::size_t headers = 100;      ///< Header lines.
};

/// Header fields in the order they came or were added, in one block of memory. Names compare without case.
class HAWSER_API headers {
 public:
  /// One field. Views the `headers` it came from, until their next change.
  struct field {
    std::string_view name;   ///< As it came; compared without case.
    std::string_view value;  ///< Without blanks around it.
    bool operator==(const field&) const = default;
  };

  /// Goes over the fields in order; `*it` is a `field` by value.
  class iterator {
   public:
    using value_type = field;                ///< What it gives.
    using difference_type = std::ptrdiff_t;  ///< What iterators must have.

    iterator() = default;
    field operator*() const noexcept { return (*of_)[at_]; }  ///< The field that it stands at.
    /// Goes on by one.
    iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    iterator operator++(int) noexcept {
      const iterator before = *this;
      ++at_;
      return before;
    }
    bool operator==(const iterator&) const = default;

   private:
    friend class headers;
    iterator(const headers* of, std::size_t at) noexcept : of_(of), at_(at) {}
    const headers* of_ = nullptr;
    std::size_t at_ = 0;
  };

  /// Adds a field. Errors: `invalid_header` when the name is not a token or the value holds CR, LF, NUL or another
  /// control byte but tab (E6, E7: refused, never stripped). Nothing is added then.
  result<void> add(std::string_view name, std::string_view value);

  /// The first value of `name`, or none. Valid until the next change.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const& noexcept HAWSER_LIFETIME_BOUND;
  std::optional<std::string_view> find(std::string_view name) const&& = delete;

  /// The value of `name` when there is exactly one field of that name. Valid until the next change.
  [[nodiscard]] std::optional<std::string_view> only(std::string_view name) const& noexcept HAWSER_LIFETIME_BOUND;
  std::optional<std::string_view> only(std::string_view name) const&& = delete;

  /// How many fields have this name.
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;

  /// True when one of the comma-separated lists in the fields called `name` holds `token`, without regard to case.
  [[nodiscard]] bool lists(std::string_view name, std::string_view token) const noexcept;

  /// All values of `name`, joined by ", " in order (RFC 9110, 5.2).
  [[nodiscard]] std::string joined(std::string_view name) const;

  /// Field number `index`, below `size()`.
  field operator[](std::size_t index) const& noexcept HAWSER_LIFETIME_BOUND {
    const entry& e = entries_[index];
    const std::string_view text = text_;
    return {text.substr(e.name, e.name_size), text.substr(e.value, e.value_size)};
  }
  field operator[](std::size_t index) const&& = delete;

  /// From the first field to behind the last. Valid until the next change.
  [[nodiscard]] iterator begin() const& noexcept HAWSER_LIFETIME_BOUND { return {this, 0}; }
  [[nodiscard]] iterator end() const& noexcept HAWSER_LIFETIME_BOUND { return {this, size()}; }
  iterator begin() const&& = delete;
  iterator end() const&& = delete;

  /// How many fields there are, and whether there are none.
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

 private:
  friend class head_parser;

  /// Offsets, not views: they stay right when the block moves.
  struct entry {
    std::size_t name;
    std::size_t name_size;
    std::size_t value;
    std::size_t value_size;
  };

  [[nodiscard]] std::size_t place_of(std::string_view name, std::size_t from) const noexcept;

  std::string text_;
  std::vector<entry> entries_;
};

/// Equal without regard to ASCII case.
HAWSER_API bool equal_no_case(std::string_view a, std::string_view b) noexcept;

/// True when `text` is a non-empty RFC 9110 token.
HAWSER_API bool is_token(std::string_view text) noexcept;

/// True when `text` may be a field's value: no control byte but tab. RFC 9110, 5.5.
HAWSER_API bool is_field_value(std::string_view text) noexcept;

/// True when a comma-separated list holds `token`, without regard to case ("keep-alive, Upgrade").
HAWSER_API bool list_contains(std::string_view list, std::string_view token) noexcept;

/// A request or response head, whole.
struct http_head {
  std::string method;  ///< Requests.
  std::string target;  ///< Requests, as it came: printable ASCII without blanks.
  int status = 0;      ///< Responses: 100 to 999.
  std::string reason;  ///< Responses; may be empty.
  headers fields;      ///< All header fields.
};

/// Reads one head from bytes that come in any pieces. Every byte is looked at twice at most, however small the pieces
/// (E1): once for its line end, once when its line is whole.
class HAWSER_API head_parser {
 public:
  /// Which kind of head is read.
  enum class expects : std::uint8_t { request, response };
  /// What `feed` came to.
  enum class state : std::uint8_t { need_more, complete, failed };

  /// Begins with nothing read.
  explicit head_parser(expects what, const http_limits& limits = {}) noexcept;

  /// Takes bytes from the front of `in` and says in `consumed` how many belonged to the head; what follows the empty
  /// line is never touched. The verdict does not depend on how the bytes were cut. After `failed`, `error()` says why:
  /// `http_malformed`, `http_version`, `http_head_too_large`, `http_target_too_long`; after `failed` and `complete`
  /// nothing more is taken. Strict: CRLF line ends, no white space before a colon, no folding, no control bytes, only
  /// HTTP/1.1 (also in responses). A request may have one empty line in front of it (RFC 9112, 2.2). Interim responses
  /// other than 101 are passed over; their bytes count towards the limit of the head (RFC 9110, 15.2).
  state feed(byte_view in, std::size_t& consumed);

  /// `ok` unless the state is `failed`.
  [[nodiscard]] errc error() const noexcept { return error_; }

  /// What came; whole after `complete`. May be moved from.
  [[nodiscard]] http_head& head() & noexcept HAWSER_LIFETIME_BOUND { return head_; }

  /// How often a byte was looked at so far: the proof of linear time.
  [[nodiscard]] std::size_t looked_at() const noexcept { return looked_at_; }

 private:
  std::size_t take_piece(std::string_view in);
  void take_line();
  void take_start_line(std::string_view line);
  void take_request_line(std::string_view line);
  void take_status_line(std::string_view line);
  bool check_version(std::string_view version) noexcept;
  void take_field(std::string_view line, std::size_t offset);
  void finish();
  void fail(errc error) noexcept;

  http_limits limits_;
  expects what_;
  state state_ = state::need_more;
  errc error_ = errc::ok;
  bool started_ = false;
  bool skipped_line_ = false;
  std::size_t total_ = 0;
  std::size_t line_ = 0;
  std::size_t looked_at_ = 0;
  http_head head_;
};

HAWSER_END
