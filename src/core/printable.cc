#include "core/printable.h"

#include <hawser/core/utf8.h>

#include <algorithm>

HAWSER_BEGIN
namespace detail {

namespace {

// How long a character of UTF-8 is that begins so.
std::size_t length_from(char first) noexcept {
  const auto value = static_cast<unsigned char>(first);
  if (value < 0xC0) return 1;
  if (value < 0xE0) return 2;
  return value < 0xF0 ? 3 : 4;
}

// Characters that people do not see and programs obey: of C0 and C1, line and paragraph separators, and those that turn
// the direction of writing, by which a line shows something else than it says.
bool commands(std::string_view character) noexcept {
  if (character.size() == 1) return character[0] < ' ' || character[0] == '\x7F';
  if (character.size() == 2) return character < "\xC2\xA0" || character == "\xD8\x9C";
  if (character.size() != 3 || character[0] != '\xE2') return false;
  const auto in = [character](std::string_view from, std::string_view to) {
    return character >= from && character <= to;
  };
  return in("\xE2\x80\x8E", "\xE2\x80\x8F") || in("\xE2\x80\xA8", "\xE2\x80\xAE") || in("\xE2\x81\xA6", "\xE2\x81\xA9");
}

// How many characters at the front are nothing but themselves: mostly all, so that they are not looked at one by one.
std::size_t plain_run(std::string_view text) noexcept {
  const auto* const end = std::find_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; });
  return static_cast<std::size_t>(end - text.begin());
}

void append_escaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto value = static_cast<unsigned char>(c);
    out += "\\x";
    out += digits[value >> 4U];
    out += digits[value & 15U];
  }
}

}  // namespace

void append_printable(std::string& out, char c) {
  if (c >= ' ' && c <= '~' && c != '\\')
    out += c;
  else
    append_escaped(out, {&c, 1});
}

std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  for (const char c : text.substr(0, most))
    append_printable(out, c);
  if (text.size() > most) out += "...";
  return out;
}

std::string one_line(std::string_view text, std::size_t most) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t run = plain_run(text.substr(at, most - std::min(at, most)));
    out.append(text, at, run);
    at += run;
    if (at == text.size()) break;
    const std::string_view character = text.substr(at, length_from(text[at]));
    if (at + character.size() > most) break;
    if (!core::valid_utf8(as_bytes(character))) {
      append_escaped(out, text.substr(at++, 1));
      continue;
    }
    if (commands(character))
      append_escaped(out, character);
    else
      out += character;
    at += character.size();
  }
  if (at < text.size()) out += "...";
  return out;
}

}  // namespace detail
HAWSER_END
