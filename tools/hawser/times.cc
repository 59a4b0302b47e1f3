#include "times.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

namespace hawser_tool {

namespace {

using span = hawser::timings::span;

struct unit {
  double nanoseconds;
  const char* name;
};
constexpr std::array<unit, 4> units{{{1, "ns"}, {1e3, "us"}, {1e6, "ms"}, {1e9, "s"}}};

std::string part(std::string_view name, const span& took) {
  return std::string(name) + " " + (took ? shown_span(*took) : std::string("unknown"));
}

// The parts that were, in the order in which they end.
std::string unfinished(const hawser::timings::connecting& c) {
  std::string parts;
  for (const auto& [name, took] :
       {std::pair("name", c.names), std::pair("TCP", c.tcp), std::pair("request", c.request)})
    if (took) parts += (parts.empty() ? "; " : ", ") + part(name, took);
  return "connecting: not finished" + parts;
}

std::string connecting(const hawser::timings::connecting& c) {
  if (!c.total()) return unfinished(c);
  std::string inside;
  if (c.names) inside = part("name", c.names) + ", ";
  inside += part("TCP", c.tcp);
  return "connecting: " + shown_span(*c.total()) + " = " + part("request", c.request) + " (" + inside + ") + " +
         part("response", c.response) + " + " + part("acknowledge", c.acknowledge);
}

std::string mean_of(std::uint64_t count) { return " (the mean of " + std::to_string(count) + " measured)"; }

std::string receiving(const hawser::timings::receiving& r) {
  if (r.receive.count == 0) return "receiving: no message";
  const hawser::ticks all = *r.receive.mean() + *r.prepare.mean() + *r.confirm.mean();
  return "receiving: " + shown_span(all) + " = " + part("receive", r.receive.mean()) + " + " +
         part("prepare", r.prepare.mean()) + " + " + part("confirm", r.confirm.mean()) + mean_of(r.receive.count);
}

std::string sending(const hawser::timings::sending& s) {
  if (s.send.count == 0) return "sending: no message";
  const hawser::ticks all = *s.prepare.mean() + *s.send.mean() + s.confirm.mean().value_or(hawser::ticks{});
  std::string text =
      "sending: " + shown_span(all) + " = " + part("prepare", s.prepare.mean()) + " + " + part("send", s.send.mean());
  if (s.confirm.count > 0) text += " + " + part("confirm", s.confirm.mean());
  return text + mean_of(s.send.count);
}

std::string failing(const hawser::timings::failing& e) {
  if (!e.total()) return "errors: none";
  std::string text = "error: " + shown_span(*e.total()) + " = " + part("detect", e.detect);
  if (e.handle) text += " + " + part("handle", e.handle);
  if (e.recover) text += " + " + part("recover", e.recover);
  return text;
}

}  // namespace

std::string shown_span(hawser::ticks span) {
  const auto ns = static_cast<double>(span.count());
  std::size_t at = 0;
  // What would be rounded to 1000 is one of the next unit.
  while (at + 1 < units.size() && ns / units.at(at).nanoseconds >= 999.5)
    ++at;
  const double value = ns / units.at(at).nanoseconds;
  const int decimals = at == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.*f %s", decimals, value, units.at(at).name);
  return text.data();
}

std::vector<std::string> times_in_words(const hawser::timings& t) {
  return {connecting(t.connect), receiving(t.receive), sending(t.send), failing(t.error)};
}

}  // namespace hawser_tool
