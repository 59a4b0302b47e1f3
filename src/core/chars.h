// Private to core: which bytes may stand where in URLs and HTTP heads.
#pragma once

#include <hawser/base/config.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

HAWSER_BEGIN
namespace detail {

/// RFC 9110, 5.6.2.
inline constexpr std::uint8_t token_char = 1;
/// What a host name is made of: the unreserved set of RFC 3986, 2.3. Sub-delimiters are legal there by the letter, but
/// no name has them, and a comma or a quote would be read differently by every program the name passes through.
inline constexpr std::uint8_t host_char = 2;
/// pchar, "/" and "?" of RFC 3986, 3.3 and 3.4, without the percent sign.
inline constexpr std::uint8_t path_char = 4;
inline constexpr std::uint8_t hex_char = 8;
inline constexpr std::uint8_t digit_char = 16;
inline constexpr std::uint8_t alpha_char = 32;

constexpr std::array<std::uint8_t, 256> make_char_table() {
  std::array<std::uint8_t, 256> table{};
  const auto mark = [&table](std::string_view set, std::uint8_t classes) {
    for (const char c : set)
      table[static_cast<std::uint8_t>(c)] |= classes;
  };
  mark("0123456789", token_char | host_char | path_char | hex_char | digit_char);
  mark("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", token_char | host_char | path_char | alpha_char);
  mark("abcdefABCDEF", hex_char);
  mark("-._~", token_char | host_char | path_char);
  mark("!#$%&'*+^`|", token_char);
  mark("!$&'()*+,;=:@/?", path_char);
  return table;
}

inline constexpr std::array<std::uint8_t, 256> char_table = make_char_table();

/// True when `c` belongs to one of `classes`.
constexpr bool is_char(char c, std::uint8_t classes) noexcept {
  return (char_table[static_cast<std::uint8_t>(c)] & classes) != 0;
}

/// `c` in lower case; ASCII only.
constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

/// `text` without blanks at its ends (OWS of RFC 9110, 5.6.3).
constexpr std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

/// RFC 3986, 3.1.
constexpr bool is_scheme(std::string_view text) noexcept {
  for (const char c : text) {
    if (!is_char(c, alpha_char | digit_char) && c != '+' && c != '-' && c != '.') return false;
  }
  return !text.empty() && is_char(text[0], alpha_char);
}

}  // namespace detail
HAWSER_END
