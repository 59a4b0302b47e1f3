// Private to core: the grammar of Sec-WebSocket-Extensions. RFC 6455, 9.1.
#pragma once

#include "core/chars.h"

#include <hawser/core/extension_header.h>

#include <string>
#include <utility>
#include <vector>

HAWSER_BEGIN
namespace detail {

/// The field value as the grammar reads it: one byte of foresight, never a step back.
class text_input {
 public:
  explicit text_input(std::string_view text) noexcept : text_(text) {}
  bool done() const noexcept { return at_ == text_.size(); }
  char peek() const noexcept { return text_[at_]; }
  void next() noexcept { ++at_; }
  std::size_t at() const noexcept { return at_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

/// Reads a list of extensions. `Input` is `text_input`, or something that counts its calls (E2).
template <class Input>
class extension_grammar {
 public:
  explicit extension_grammar(Input& in) noexcept : in_(in) {}

  /// False when the text is malformed; `wrong()` says what is.
  bool read() {
    skip_blanks();
    while (!in_.done()) {
      if (!take(',') && (!read_element() || !end_of_element())) return false;
      skip_blanks();
    }
    return list_.empty() ? fail("it names no extension") : true;
  }

  std::vector<core::extension_element>& list() noexcept { return list_; }
  const char* wrong() const noexcept { return wrong_; }

 private:
  bool fail(const char* wrong) noexcept {
    wrong_ = wrong;
    return false;
  }

  void skip_blanks() noexcept {
    while (!in_.done() && is_blank(in_.peek()))
      in_.next();
  }

  bool take(char c) noexcept {
    if (in_.done() || in_.peek() != c) return false;
    in_.next();
    return true;
  }

  bool end_of_element() noexcept { return in_.done() || take(',') || fail("a comma or semicolon should stand here"); }

  bool read_element() {
    if (list_.size() == core::max_extension_elements) return fail("there are too many extensions");
    core::extension_element& element = list_.emplace_back();
    if (!read_token(element.name)) return fail("an extension begins with its name, a token");
    skip_blanks();
    while (take(';')) {
      if (!read_parameter(element.parameters)) return false;
      skip_blanks();
    }
    return true;
  }

  bool read_parameter(params& parameters) {
    if (parameters.size() == core::max_extension_parameters) return fail("there are too many parameters");
    param& parameter = parameters.emplace_back();
    skip_blanks();
    if (!read_token(parameter.name)) return fail("a parameter begins with its name, a token");
    skip_blanks();
    if (!take('=')) return true;
    skip_blanks();
    std::string& value = parameter.value.emplace();
    if (take('"')) return read_quoted(value);
    return read_token(value) || fail("a value is a token or a quoted token");
  }

  bool read_token(std::string& out) {
    while (!in_.done() && is_char(in_.peek(), token_char)) {
      out += in_.peek();
      in_.next();
    }
    return !out.empty();
  }

  bool read_quoted(std::string& out) {
    while (!in_.done()) {
      if (take('"')) return !out.empty() || fail("a quoted value is a token, so it cannot be empty");
      take('\\');
      if (in_.done()) break;
      if (!is_char(in_.peek(), token_char)) return fail("a quoted value holds nothing that a token could not");
      out += in_.peek();
      in_.next();
    }
    return fail("the quoted value is not closed");
  }

  Input& in_;
  std::vector<core::extension_element> list_;
  const char* wrong_ = "";
};

}  // namespace detail
HAWSER_END
