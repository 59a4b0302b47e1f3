#include "core/extension_grammar.h"

#include <hawser/core/extension_header.h>
#include <hawser/core/http.h>

#include <algorithm>

HAWSER_BEGIN
namespace core {
namespace {

bool is_sound(const param& parameter) noexcept {
  return is_token(parameter.name) && (!parameter.value || is_token(*parameter.value));
}

bool is_sound(const extension_element& element) noexcept {
  return is_token(element.name) && element.parameters.size() <= max_extension_parameters &&
         std::all_of(element.parameters.begin(), element.parameters.end(), [](const param& p) { return is_sound(p); });
}

}  // namespace

result<std::vector<extension_element>> parse_extensions(std::string_view value, std::string* why) {
  detail::text_input in(value);
  detail::extension_grammar grammar(in);
  if (grammar.read()) return std::move(grammar.list());
  if (why != nullptr) *why = "byte " + std::to_string(in.at() + 1) + ": " + grammar.wrong();
  return errc::extension_header_malformed;
}

result<std::string> format_extensions(const std::vector<extension_element>& elements) {
  if (elements.size() > max_extension_elements) return errc::invalid_header;
  std::string out;
  for (const extension_element& element : elements) {
    if (!is_sound(element)) return errc::invalid_header;
    if (!out.empty()) out += ", ";
    out += element.name;
    for (const param& parameter : element.parameters) {
      out += "; ";
      out += parameter.name;
      if (parameter.value) {
        out += '=';
        out += *parameter.value;
      }
    }
  }
  return out;
}

}  // namespace core
HAWSER_END
