#include "core/chars.h"

#include <hawser/core/http.h>

#include <algorithm>
#include <cstring>

HAWSER_BEGIN

using detail::is_char;

bool equal_no_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  if (a == b) return true;  // Most write a name as its RFC does.
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (detail::lower(a[i]) != detail::lower(b[i])) return false;
  }
  return true;
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is_char(c, detail::token_char); });
}

bool is_field_value(std::string_view text) noexcept {
  // One pass without a branch, which the compiler turns into vector instructions.
  unsigned bad = 0;
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    bad |= static_cast<unsigned>(value < 0x20) & static_cast<unsigned>(value != '\t');
    bad |= static_cast<unsigned>(value == 0x7F);
  }
  return bad == 0;
}

bool list_contains(std::string_view list, std::string_view token) noexcept {
  while (true) {
    const std::size_t comma = list.find(',');
    if (equal_no_case(detail::trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

result<void> headers::add(std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_field_value(value)) return errc::invalid_header;
  value = detail::trim(value);
  const std::size_t at = text_.size();
  const std::size_t needed = at + name.size() + value.size();
  if (needed <= text_.capacity()) {
    text_.append(name).append(value);
  } else {
    // Both views may point into our own block, so it stays where it is until both are copied.
    std::string grown;
    grown.reserve(std::max(needed, 2 * at));
    grown.append(text_).append(name).append(value);
    text_ = std::move(grown);
  }
  entries_.push_back({at, name.size(), at + name.size(), value.size()});
  return {};
}

// The first field called `name` at `from` or behind it; `size()` for none. Few names have the same length.
std::size_t headers::place_of(std::string_view name, std::size_t from) const noexcept {
  for (; from < entries_.size(); ++from) {
    const entry& e = entries_[from];
    if (e.name_size == name.size() && equal_no_case({text_.data() + e.name, e.name_size}, name)) break;
  }
  return from;
}

std::optional<std::string_view> headers::find(std::string_view name) const& noexcept {
  const std::size_t at = place_of(name, 0);
  if (at == size()) return std::nullopt;
  return (*this)[at].value;
}

std::optional<std::string_view> headers::only(std::string_view name) const& noexcept {
  const std::size_t at = place_of(name, 0);
  if (at == size() || place_of(name, at + 1) != size()) return std::nullopt;
  return (*this)[at].value;
}

std::size_t headers::count(std::string_view name) const noexcept {
  std::size_t found = 0;
  for (std::size_t at = place_of(name, 0); at < size(); at = place_of(name, at + 1))
    ++found;
  return found;
}

bool headers::lists(std::string_view name, std::string_view token) const noexcept {
  for (std::size_t at = place_of(name, 0); at < size(); at = place_of(name, at + 1))
    if (list_contains((*this)[at].value, token)) return true;
  return false;
}

std::string headers::joined(std::string_view name) const {
  std::string all;
  const std::size_t first = place_of(name, 0);
  for (std::size_t at = first; at < size(); at = place_of(name, at + 1)) {
    if (at != first) all += ", ";
    all += (*this)[at].value;
  }
  return all;
}

head_parser::head_parser(expects what, const http_limits& limits) noexcept : limits_(limits), what_(what) {}

head_parser::state head_parser::feed(byte_view in, std::size_t& consumed) {
  consumed = 0;
  const std::string_view text = as_text(in);
  while (state_ == state::need_more && consumed < text.size())
    consumed += take_piece(text.substr(consumed));
  return state_;
}

std::size_t head_parser::take_piece(std::string_view in) {
  std::string& all = head_.fields.text_;
  if (total_ == 0) {
    // A peer that speaks another protocol (TLS, say) is told so by its first byte, not by the deadline.
    const bool plausible =
        what_ == expects::request ? is_char(in[0], detail::token_char) || in[0] == '\r' : in[0] == 'H';
    if (!plausible) {
      fail(errc::http_malformed);
      return 0;
    }
    all.reserve(std::min<std::size_t>(in.size(), 2048));
  }
  const std::size_t room = std::min(limits_.head - total_, limits_.line - (all.size() - line_));
  const std::size_t looked = std::min(in.size(), room);
  const void* end = std::memchr(in.data(), '\n', looked);
  const std::size_t taken =
      end == nullptr ? looked : static_cast<std::size_t>(static_cast<const char*>(end) - in.data()) + 1;
  all.append(in.data(), taken);
  total_ += taken;
  looked_at_ += taken;
  if (end != nullptr) {
    take_line();
  } else if (taken < in.size()) {
    const bool target = !started_ && what_ == expects::request;
    fail(target ? errc::http_target_too_long : errc::http_head_too_large);
  }
  return taken;
}

void head_parser::take_line() {
  const std::string_view all = head_.fields.text_;
  std::string_view line = all.substr(line_);
  const std::size_t offset = line_;
  line_ = all.size();
  looked_at_ += line.size();
  if (!line.ends_with("\r\n")) return fail(errc::http_malformed);
  line.remove_suffix(2);
  if (!started_) return take_start_line(line);
  if (line.empty()) return finish();
  take_field(line, offset);
}

void head_parser::take_start_line(std::string_view line) {
  if (line.empty() && what_ == expects::request && !skipped_line_) {
    skipped_line_ = true;
    return;
  }
  started_ = true;
  head_.fields.entries_.reserve(16);
  what_ == expects::request ? take_request_line(line) : take_status_line(line);
}

void head_parser::take_request_line(std::string_view line) {
  const std::size_t space = line.find(' ');
  const std::string_view method = line.substr(0, space);
  if (space == std::string_view::npos || !is_token(method)) return fail(errc::http_malformed);
  line.remove_prefix(space + 1);
  const std::size_t end = line.find(' ');
  const std::string_view target = line.substr(0, end);
  if (target.size() > limits_.target) return fail(errc::http_target_too_long);
  const bool printable = std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (end == std::string_view::npos || target.empty() || !printable) return fail(errc::http_malformed);
  if (!check_version(line.substr(end + 1))) return;
  head_.method = method;
  head_.target = target;
}

void head_parser::take_status_line(std::string_view line) {
  if (!check_version(line.substr(0, line.find(' ')))) return;
  line.remove_prefix(8);
  const bool number = line.size() >= 4 && line[0] == ' ' && line[1] >= '1' && is_char(line[1], detail::digit_char) &&
                      is_char(line[2], detail::digit_char) && is_char(line[3], detail::digit_char);
  // Some servers leave out the blank that stands before an empty reason.
  if (!number || (line.size() > 4 && line[4] != ' ') || !is_field_value(line)) return fail(errc::http_malformed);
  head_.status = (line[1] - '0') * 100 + (line[2] - '0') * 10 + (line[3] - '0');
  head_.reason = detail::trim(line.substr(4));
}

bool head_parser::check_version(std::string_view version) noexcept {
  if (version == "HTTP/1.1") return true;
  const bool other = version.size() == 8 && version.starts_with("HTTP/") && is_char(version[5], detail::digit_char) &&
                     version[6] == '.' && is_char(version[7], detail::digit_char);
  fail(other ? errc::http_version : errc::http_malformed);
  return false;
}

void head_parser::take_field(std::string_view line, std::size_t offset) {
  if (head_.fields.size() == limits_.headers) return fail(errc::http_head_too_large);
  std::size_t colon = 0;
  while (colon < line.size() && is_char(line[colon], detail::token_char))
    ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') return fail(errc::http_malformed);
  const std::string_view value = detail::trim(line.substr(colon + 1));
  if (!is_field_value(value)) return fail(errc::http_malformed);
  const auto value_at = static_cast<std::size_t>(value.data() - line.data());
  head_.fields.entries_.push_back({offset, colon, offset + value_at, value.size()});
}

void head_parser::finish() {
  const bool interim = what_ == expects::response && head_.status < 200 && head_.status != 101;
  if (!interim) {
    state_ = state::complete;
    return;
  }
  head_ = {};
  line_ = 0;
  started_ = false;
}

void head_parser::fail(errc error) noexcept {
  state_ = state::failed;
  error_ = error;
}

HAWSER_END
