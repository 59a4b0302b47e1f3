// Reading what a person wrote behind --extension.
#include "extensions.h"

#include <hawser/core/http.h>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace hawser_tool {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

// Cuts off `text` up to the next ';' that stands outside quotes.
std::string_view take_part(std::string_view& text, bool& more) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < text.size() && (quoted || text[end] != ';'); ++end)
    if (text[end] == '"') quoted = !quoted;
  const std::string_view part = text.substr(0, end);
  more = end < text.size();
  text.remove_prefix(more ? end + 1 : end);
  return trimmed(part);
}

bool read_parameter(std::string_view part, hawser::params& to) {
  const std::size_t equals = part.find('=');
  hawser::param one{std::string(trimmed(part.substr(0, equals))), std::nullopt};
  if (!hawser::is_token(one.name)) return false;
  if (equals != std::string_view::npos) {
    std::string_view value = trimmed(part.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    if (value.empty() || value.find('"') != std::string_view::npos) return false;
    one.value = std::string(value);
  }
  to.push_back(std::move(one));
  return true;
}

}  // namespace

bool names_plugin(std::string_view name) { return name.find('/') != std::string_view::npos || name.ends_with(".so"); }

bool read_extension(std::string_view text, extension_words& to, std::string& why) {
  std::string_view rest = text;
  bool more = false;
  to.name = take_part(rest, more);
  bool good = hawser::is_token(to.name) || names_plugin(to.name);
  while (good && more)
    good = read_parameter(take_part(rest, more), to.given);
  if (!good) why = "'" + std::string(text) + "' is not NAME[;parameter[=value]]...";
  return good;
}

given_parameters::given_parameters(std::string_view extension, const hawser::params& all) : extension_(extension) {
  for (const hawser::param& p : all)
    all_.push_back({p, false});
}

given_parameters::one* given_parameters::find(std::string_view name) {
  one* found = nullptr;
  for (one& o : all_) {
    if (o.given.name != name) continue;
    if (found != nullptr) refuse(std::string(name) + " is given twice");
    o.read = true;
    found = &o;
  }
  return found;
}

bool given_parameters::flag(std::string_view name) {
  const one* found = find(name);
  if (found != nullptr && found->given.value) refuse(std::string(name) + " takes no value");
  return found != nullptr;
}

const std::string* given_parameters::value_of(std::string_view name, std::string_view wanted) {
  const one* found = find(name);
  if (found == nullptr) return nullptr;
  if (found->given.value) return &*found->given.value;
  refuse(std::string(name) + " wants " + std::string(wanted));
  return nullptr;
}

std::optional<std::uint64_t> given_parameters::number(std::string_view name, std::uint64_t least, std::uint64_t most) {
  const std::string wanted = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  const std::string* value = value_of(name, wanted);
  if (value == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, number);
  // RFC 7692, 7.1.2.1 has no leading zeros; neither has anything else that is said to the other end.
  const bool plain = value->size() == 1 || value->front() != '0';
  if (plain && error == std::errc() && stop == end && number >= least && number <= most) return number;
  const std::string without = value->size() > 1 && value->front() == '0' ? " without a leading zero" : "";
  refuse(std::string(name) + " wants " + wanted + without + ", not '" + *value + "'");
  return std::nullopt;
}

std::optional<std::string> given_parameters::word(std::string_view name,
                                                  std::initializer_list<std::string_view> words) {
  std::string wanted = "one of";
  for (const std::string_view& w : words)
    wanted.append(&w == words.begin() ? " " : ", ").append(w);
  const std::string* value = value_of(name, wanted);
  if (value == nullptr) return std::nullopt;
  if (std::find(words.begin(), words.end(), *value) != words.end()) return *value;
  refuse(std::string(name) + " wants " + wanted + ", not '" + *value + "'");
  return std::nullopt;
}

std::optional<std::string> given_parameters::text(std::string_view name) {
  const std::string* value = value_of(name, "a value");
  return value == nullptr ? std::nullopt : std::optional(*value);
}

void given_parameters::refuse(const std::string& why) {
  if (wrong_.empty()) wrong_ = extension_ + ": " + why;
}

std::string given_parameters::complaint() const {
  if (!wrong_.empty()) return wrong_;
  const auto left = std::find_if(all_.begin(), all_.end(), [](const one& o) { return !o.read; });
  if (left == all_.end()) return {};
  const known_extension* known = find_extension(extension_);
  if (known == nullptr || known->parameters.empty()) return extension_ + " takes no parameters";
  std::string text = extension_ + " takes no parameter '" + left->given.name + "'; it takes";
  for (const known_parameter& p : known->parameters)
    text.append(&p == known->parameters.data() ? " " : ", ").append(p.form);
  return text;
}

}  // namespace hawser_tool
