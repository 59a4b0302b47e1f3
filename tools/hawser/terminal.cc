#include "terminal.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace hawser_tool {

namespace {

void escape(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(c);
  out += "\\x";
  out += digits[value >> 4U];
  out += digits[value & 15U];
}

bool printable(char c) { return c >= ' ' && c <= '~'; }

}  // namespace

std::string shown_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // U+0080 to U+009F: terminals take them for escape sequences too.
    const bool c1 = c == '\xC2' && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    const bool plain = printable(c) || c == '\n' || c == '\t' || static_cast<unsigned char>(c) >= 0x80;
    if (c1) {
      escape(out, text[++i]);
    } else if (plain) {
      out += c;
    } else {
      escape(out, c);
    }
  }
  return out;
}

std::string shown_bytes(hawser::byte_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char c : hawser::as_text(bytes)) {
    if (printable(c) && c != '\\')
      out += c;
    else
      escape(out, c);
  }
  return out;
}

bool flush_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
  std::fprintf(stderr, "hawser: standard output cannot be written: %s\n", std::strerror(errno));
  return false;
}

}  // namespace hawser_tool
