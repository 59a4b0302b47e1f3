// Sec-WebSocket-Extensions: the reader agrees with a plain one made of three splits, and what it read can be written.

#include "support/require.h"

#include <hawser/core/extension_header.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using hawser::core::extension_element;
using hawser::core::format_extensions;
using hawser::core::parse_extensions;
using hawser::fuzz::require;

namespace {

using list = std::vector<extension_element>;

bool is_token(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
             std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Splits where `separator` stands outside quotes.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  bool quoted = false;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] == separator) {
      parts.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  parts.push_back(text.substr(start));
  return parts;
}

// What a quoted string stands for; none when it is no quoted string, or not one from end to end.
std::optional<std::string> unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"') return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1 == text.size() ? std::optional(out) : std::nullopt;
#ifndef HAWSER_PLANTED_BUG
    if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
#endif
    out += text[i];
  }
  return std::nullopt;
}

bool read_part(std::string_view part, hawser::params& out) {
  const std::size_t sign = part.find('=');
  const std::string_view name = trimmed(part.substr(0, sign));
  if (!is_token(name)) return false;
  if (sign == std::string_view::npos) {
    out.push_back({std::string(name), std::nullopt});
    return true;
  }
  const std::string_view text = trimmed(part.substr(sign + 1));
  const std::optional<std::string> value = text.starts_with('"') ? unquoted(text) : std::string(text);
  if (!value || !is_token(*value)) return false;
  out.push_back({std::string(name), *value});
  return true;
}

// The grammar of RFC 6455, 9.1, from the outside in. None: malformed.
std::optional<list> read_plainly(std::string_view text) {
  list out;
  for (const std::string_view element : split(text, ',')) {
    if (trimmed(element).empty()) continue;
    const std::vector<std::string_view> parts = split(element, ';');
    extension_element read{std::string(trimmed(parts[0])), {}};
    if (!is_token(read.name)) return std::nullopt;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      if (!read_part(parts[i], read.parameters)) return std::nullopt;
    }
    if (read.parameters.size() > hawser::core::max_extension_parameters) return std::nullopt;
    out.push_back(std::move(read));
  }
  if (out.empty() || out.size() > hawser::core::max_extension_elements) return std::nullopt;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string why;
  const auto parsed = parse_extensions(text, &why);
  require(parsed.has_value() == why.empty(), "a refusal has a sentence");
  const std::optional<list> expected = read_plainly(text);
  require(parsed.has_value() == expected.has_value(), "the plain reader comes to the same verdict");
  if (!parsed) return 0;
  require(*parsed == *expected, "the plain reader reads the same");
  const auto again = format_extensions(*parsed);
  require(again.has_value(), "what was read can be written");
  require(*parse_extensions(*again) == *parsed, "what was written reads back the same");
  return 0;
}
