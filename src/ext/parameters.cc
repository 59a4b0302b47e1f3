#include "ext/parameters.h"

#include <algorithm>
#include <charconv>

HAWSER_BEGIN
namespace ext::detail {

namespace {
constexpr std::size_t most_shown = 40;   // Bytes of a name or a value.
constexpr std::size_t most_words = 200;  // What core shows of them.

// Names and values are tokens: nothing in them needs escaping.
std::string cut(const std::string& text) {
  return text.size() > most_shown ? text.substr(0, most_shown) + "..." : text;
}

}  // namespace

void add_words(std::string& why, std::string_view words) {
  if (why.size() > most_words) return;
  if (!why.empty()) why += "; ";
  why += words;
}

std::string shown(const param& p) { return p.value ? cut(p.name) + "=" + cut(*p.value) : cut(p.name); }

bool is_first(const params& all, const param& p, std::string& why) {
  const auto same = std::find_if(all.begin(), all.end(), [&p](const param& other) { return other.name == p.name; });
  if (same == all.end() || &*same == &p) return true;
  add_words(why, shown({p.name, std::nullopt}) + " is there twice");
  return false;
}

bool is_flag(const param& p, std::string& why) {
  if (p.value) add_words(why, shown({p.name, std::nullopt}) + " takes no value");
  return !p.value;
}

std::optional<std::uint32_t> number_of(const param& p, std::uint32_t least, std::uint32_t most, std::string& why) {
  if (p.value && !p.value->empty() && p.value->front() != '0') {
    std::uint32_t number = 0;
    const char* end = p.value->data() + p.value->size();
    const auto [stopped, bad] = std::from_chars(p.value->data(), end, number);
    if (bad == std::errc() && stopped == end && number >= least && number <= most) return number;
  }
  const bool leading = p.value && p.value->size() > 1 && p.value->front() == '0';
  add_words(why, shown(p) + (p.value ? " is no number from " : " wants a number from ") + std::to_string(least) +
                     " to " + std::to_string(most) + (leading ? " without a leading zero" : ""));
  return std::nullopt;
}

void say_unknown(const param& p, std::string& why) {
  add_words(why, "there is no parameter " + shown({p.name, std::nullopt}));
}

bool is_empty(const params& all, std::string& why) {
  if (!all.empty()) add_words(why, "it takes no parameters, such as " + shown(all.front()));
  return all.empty();
}

bool keeps_to(std::string_view name, std::uint32_t answered, std::uint32_t offered, std::string& why) {
  if (answered == 0)
    add_words(why, std::string(name) + " is missing");
  else if (answered > offered)
    add_words(why, std::string(name) + "=" + std::to_string(answered) + " is over the " + std::to_string(offered) +
                       " that was offered");
  return answered != 0 && answered <= offered;
}

}  // namespace ext::detail
HAWSER_END
