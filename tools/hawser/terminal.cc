#include "terminal.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

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

// How many bytes of UTF-8 at the front a terminal would obey: control characters, U+0080 to U+009F among them, and
// those that turn the direction of what follows (U+202A to U+202E, U+2066 to U+2069).
std::size_t obeyed(std::string_view text) {
  const auto byte = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  if (byte(0) < 0x80) return printable(text[0]) || text[0] == '\n' || text[0] == '\t' ? 0 : 1;
  if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) < 0xA0) return 2;
  const bool turns = (byte(1) == 0x80 && byte(2) >= 0xAA && byte(2) <= 0xAE) ||
                     (byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9);
  return byte(0) == 0xE2 && turns ? 3 : 0;
}

}  // namespace

std::string shown_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t bad = obeyed(text);
    if (bad == 0) out += text.front();
    for (const char c : text.substr(0, bad))
      escape(out, c);
    text.remove_prefix(bad == 0 ? 1 : bad);
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
  std::fprintf(stderr, "hawser: standard output cannot be written: %s\n",
               std::system_category().message(errno).c_str());
  return false;
}

}  // namespace hawser_tool
