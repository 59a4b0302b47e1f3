// Plug-ins: what their tables must be like, and how they negotiate.
#include "ext/plugin_tables.h"

#include <hawser/core/http.h>
#include <hawser/core/utf8.h>
#include <hawser/ext/plugin.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

HAWSER_BEGIN
namespace ext {

namespace detail {

plugin_tables::~plugin_tables() {
  if (extension != nullptr && calls.release != nullptr) core::guarded([this] { calls.release(extension); });
}

std::string_view text_up_to(const char* text, std::size_t most) noexcept {
  if (text == nullptr) return {};
  const void* end = std::memchr(text, 0, most);
  return {text, end == nullptr ? most : static_cast<std::size_t>(static_cast<const char*>(end) - text)};
}

namespace {

/// A table longer than this is a lie about its size.
constexpr std::size_t most_table = 4096;

/// Reads a table of a plug-in, up to what is known of it here.
template <class T>
bool copy_table(const T* from, const char* called, T& to, std::string& why) {
  if (from == nullptr) {
    why = std::string("gives no ") + called;
    return false;
  }
  if (reinterpret_cast<std::uintptr_t>(from) % alignof(T) != 0) {
    why = std::string("gives a ") + called + " at an address where none can be";
    return false;
  }
  const std::uint32_t size = from->struct_size;
  if (size < sizeof(T) || size > most_table) {
    why = std::string("says that its ") + called + " has " + std::to_string(size) + " bytes; " +
          std::to_string(sizeof(T)) + " are needed and " + std::to_string(most_table) + " are the most";
    return false;
  }
  std::memcpy(&to, from, sizeof(T));
  return true;
}

bool has_control_characters(std::string_view text, bool lines) noexcept {
  return std::any_of(text.begin(), text.end(), [lines](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && !(lines && c == '\n')) || byte == 0x7F;
  });
}

bool copy_text(const char* from, const char* called, std::size_t most, std::string& to, std::string& why) {
  const std::string_view text = text_up_to(from, most + 1);
  if (text.size() > most) {
    why = std::string("has a ") + called + " of more than " + std::to_string(most) + " bytes";
    return false;
  }
  if (has_control_characters(text, most == max_plugin_parameters) || !core::valid_utf8(as_bytes(text))) {
    why = std::string("has a ") + called + " that is not UTF-8 or has control characters in it";
    return false;
  }
  to = text;
  return true;
}

/// A hook's bit, its name, and whether it is there.
struct hook_row {
  std::uint32_t bit;
  const char* name;
  bool there;
};

std::array<hook_row, 13> rows_of(const hawser_stage& s) noexcept {
  return {{{HAWSER_HOOK_OBSERVE, "observe", s.observe != nullptr},
           {HAWSER_HOOK_IN_PLACE, "in_place", s.in_place != nullptr},
           {HAWSER_HOOK_TRANSFORM, "transform", s.transform != nullptr},
           {HAWSER_HOOK_WHOLE, "whole", s.whole != nullptr},
           {HAWSER_HOOK_RETAINED, "retained", s.retained != nullptr},
           {HAWSER_HOOK_PREFIX, "prefix", s.prefix != nullptr},
           {HAWSER_HOOK_SUFFIX, "suffix", s.suffix != nullptr},
           {HAWSER_HOOK_DONE, "done", s.done != nullptr},
           {HAWSER_HOOK_CONTROL, "control", s.control != nullptr},
           {HAWSER_HOOK_TIMER, "timer", s.timer != nullptr},
           {HAWSER_HOOK_OPEN, "open", s.open != nullptr},
           {HAWSER_HOOK_FLUSH, "flush", s.flush != nullptr},
           {HAWSER_HOOK_CLOSED, "closed", s.closed != nullptr}}};
}

bool check_hooks(const hawser_stage& s, std::string& why) {
  if (s.begin == nullptr) {
    why = "has no begin hook";
    return false;
  }
  std::uint32_t known = 0;
  for (const hook_row& row : rows_of(s)) {
    known |= row.bit;
    const bool said = (s.hooks & row.bit) != 0;
    if (said == row.there) continue;
    why = said ? std::string("says that it has the hook ") + row.name + ", which is null"
               : std::string("has the hook ") + row.name + " and does not say so in hooks";
    return false;
  }
  if ((s.hooks & ~known) == 0) return true;
  why = "has hooks that this version does not know";
  return false;
}

bool check_calls(const hawser_plugin& calls, std::string& why) {
  if (calls.accept == nullptr || calls.confirm == nullptr)
    why = std::string("has no ") + (calls.accept == nullptr ? "accept" : "confirm");
  return calls.accept != nullptr && calls.confirm != nullptr;
}

bool read_tables(const hawser_plugin* from, plugin_tables& to, std::string& why) {
  if (!copy_table(from, "table", to.calls, why)) return false;
  if (to.calls.abi != HAWSER_PLUGIN_ABI) {
    why = "is built for version " + std::to_string(to.calls.abi) + " of the boundary, and this is version " +
          std::to_string(HAWSER_PLUGIN_ABI);
    return false;
  }
  if (!copy_text(to.calls.name, "name", max_plugin_name, to.name, why)) return false;
  if (!is_token(to.name)) {
    to.name.clear();  // It is not one to speak of.
    why = "has a name that is no token: use letters, digits and dashes";
    return false;
  }
  if (!copy_text(to.calls.summary, "summary", max_plugin_summary, to.summary, why) ||
      !copy_text(to.calls.parameters, "text on its parameters", max_plugin_parameters, to.parameters, why) ||
      !copy_table(to.calls.stage, "table of hooks", to.hooks, why) || !check_hooks(to.hooks, why) ||
      !check_calls(to.calls, why))
    return false;
  to.table = table_of(to.hooks);
  return true;
}

// ---- parameters

hawser_text text_of(const std::string& text) noexcept { return {text.c_str(), text.size()}; }

/// Parameters as a plug-in sees them. Valid as long as what they were made of.
class shown_params {
 public:
  explicit shown_params(const params& all) {
    items_.reserve(all.size());
    for (const param& p : all)
      items_.push_back({text_of(p.name), p.value ? text_of(*p.value) : hawser_text{nullptr, 0}});
  }
  [[nodiscard]] hawser_params get() const noexcept { return {items_.empty() ? nullptr : items_.data(), items_.size()}; }

 private:
  std::vector<hawser_param> items_;
};

constexpr std::size_t most_words = 100;

// What a plug-in says to people, as far as people can read it.
std::string words_of(const char* text, std::size_t most) {
  const std::string_view said = text_up_to(text, most);
  if (!core::valid_utf8(as_bytes(said)) || has_control_characters(said, false)) return "it says nothing readable";
  return std::string(said);
}

/// Takes what a plug-in offers or answers. The base is what it sees.
struct writing : hawser_negotiation {
  explicit writing(std::size_t most)
      : hawser_negotiation{sizeof(hawser_negotiation), 0, add_one, begin_next, keep_words},
        most_offers(most),
        written(most != 0 ? 1 : 0) {}

  std::size_t most_offers;
  std::vector<params> written;
  std::string words;
  bool wrong = false;

 private:
  static std::int32_t add_one(hawser_negotiation* to, const char* name, const char* value) noexcept {
    if (to == nullptr) return 0;
    auto& self = *static_cast<writing*>(to);
    bool taken = false;
    core::guarded([&] { taken = self.take(name, value); });
    self.wrong = self.wrong || !taken;
    return taken ? 1 : 0;
  }
  static std::int32_t begin_next(hawser_negotiation* to) noexcept {
    if (to == nullptr) return 0;
    auto& self = *static_cast<writing*>(to);
    if (self.written.size() >= self.most_offers) return 0;
    return core::guarded([&] { self.written.emplace_back(); }) ? 1 : 0;
  }
  static void keep_words(hawser_negotiation* to, const char* why) noexcept {
    if (to != nullptr) core::guarded([&] { static_cast<writing*>(to)->words = words_of(why, most_words); });
  }
  bool take(const char* name, const char* value) {
    const std::string_view n = text_up_to(name, max_plugin_token + 1);
    const std::string_view v = text_up_to(value, max_plugin_token + 1);
    if (n.size() > max_plugin_token || v.size() > max_plugin_token || !is_token(n)) return false;
    if (value != nullptr && !is_token(v)) return false;
    if (written.empty() || written.back().size() >= core::max_extension_parameters) return false;
    param one{std::string(n), std::nullopt};
    if (value != nullptr) one.value = std::string(v);
    written.back().push_back(std::move(one));
    return true;
  }
};

constexpr const char* wrong_words = "gives a parameter that is no token, or one too many";

bool read_offers(const plugin_tables& tables, std::vector<params>& to) {
  to = {{}};
  if (tables.calls.offers == nullptr) return true;
  writing offers(core::max_extension_elements);
  const bool any = tables.calls.offers(tables.extension, &offers) != 0;
  to = any && !offers.wrong ? std::move(offers.written) : std::vector<params>();
  return !offers.wrong;
}

// ---- configuration

bool configure(plugin_tables& tables, const params& given, std::string& why) {
  if (tables.calls.configure == nullptr) {
    if (!given.empty()) why = "takes no parameters";
    return given.empty();
  }
  std::array<char, 256> said{};
  const shown_params shown(given);
  const hawser_params list = shown.get();
  const bool returned =
      core::guarded([&] { tables.extension = tables.calls.configure(&list, said.data(), said.size()); });
  if (tables.extension != nullptr) return true;
  const std::string words = words_of(said.data(), said.size());
  why = returned ? "refuses its parameters" + (words.empty() ? words : ": " + words) : "threw while it was made";
  return false;
}

// ---- agreement

constexpr std::uint32_t known_flags = HAWSER_CLAIM_IN_NEEDS_RSV | HAWSER_CLAIM_REORDERS | HAWSER_CLAIM_RESTORES_ORDER |
                                      HAWSER_CLAIM_ORDERED | HAWSER_CLAIM_REPLAYS | HAWSER_CLAIM_NO_IDLE_STATE;

hawser_claims default_claims() noexcept {
  hawser_claims c{};
  c.struct_size = sizeof c;
  c.interest = claims{}.opcodes_of_interest;
  return c;
}

claims claims_of(const hawser_claims& said) noexcept {
  claims c;
  c.rsv = said.rsv;
  c.opcodes = said.opcodes;
  c.trim_max = said.trim_max;
  c.adds_max = said.adds_max;
  c.opcodes_of_interest = said.interest;
  c.out_min_size = said.out_min_size;
  c.in_needs_rsv = (said.flags & HAWSER_CLAIM_IN_NEEDS_RSV) != 0;
  c.reorders = (said.flags & HAWSER_CLAIM_REORDERS) != 0;
  c.restores_order = (said.flags & HAWSER_CLAIM_RESTORES_ORDER) != 0;
  c.ordered = (said.flags & HAWSER_CLAIM_ORDERED) != 0;
  c.replays = (said.flags & HAWSER_CLAIM_REPLAYS) != 0;
  c.idle_state = (said.flags & HAWSER_CLAIM_NO_IDLE_STATE) == 0;
  return c;
}

// Why an agreement cannot be kept; null when it can.
const char* fault_of(const writing& answer, const hawser_claims& uses) noexcept {
  if (answer.wrong) return wrong_words;
  if ((uses.flags & ~known_flags) != 0) return "claims what this version does not know";
  return nullptr;
}

// `ask` calls accept or confirm.
template <class F>
std::optional<core::agreement> agree(const std::shared_ptr<const plugin_tables>& tables, writing& answer,
                                     std::string& why, F&& ask) {
  new_plugin_stage stage(tables);
  hawser_claims uses = default_claims();
  if (!ask(uses, stage.state())) {
    why = answer.words;
    return std::nullopt;
  }
  core::agreement made{answer.written.empty() ? params() : std::move(answer.written.front()), claims_of(uses),
                       stage.take()};
  if (const char* wrong = fault_of(answer, uses)) {
    why = std::string("the plug-in ") + wrong;
    return std::nullopt;
  }
  return made;
}

}  // namespace
}  // namespace detail

result<plugin> plugin::from(const hawser_plugin* table, const params& given, std::string* why,
                            std::shared_ptr<const void> library) {
  auto tables = std::make_shared<detail::plugin_tables>();
  tables->library = std::move(library);
  std::string text;
  std::vector<params> offers;
  bool good = detail::read_tables(table, *tables, text) && detail::configure(*tables, given, text);
  if (good) {
    const bool returned = core::guarded([&] { good = detail::read_offers(*tables, offers); });
    if (!returned) text = "threw while it was asked for its offers";
    if (returned && !good) text = detail::wrong_words;
    good = good && returned;
  }
  if (good) return plugin(std::move(tables));
  if (why != nullptr) *why = (tables->name.empty() ? "the plug-in" : tables->name) + " " + text;
  return errc::invalid_plugin;
}

std::string_view plugin::name() const noexcept { return self_->name; }
std::string_view plugin::summary() const noexcept { return self_->summary; }
std::string_view plugin::parameters() const noexcept { return self_->parameters; }

std::vector<params> plugin::offers() const {
  std::vector<params> made;
  static_cast<void>(detail::read_offers(*self_, made));
  return made;
}

std::optional<core::agreement> plugin::accept(const std::vector<params>& all, std::string& why) const {
  if (all.empty()) return std::nullopt;
  const std::vector<detail::shown_params> shown(all.begin(), all.end());
  std::vector<hawser_params> lists;
  lists.reserve(shown.size());
  for (const detail::shown_params& one : shown)
    lists.push_back(one.get());
  detail::writing answer(1);
  return detail::agree(self_, answer, why, [&](hawser_claims& uses, void** stage) {
    return self_->calls.accept(self_->extension, lists.data(), lists.size(), &answer, &uses, stage) != 0;
  });
}

std::optional<core::agreement> plugin::confirm(const params& answer, std::string& why) const {
  const detail::shown_params shown(answer);
  const hawser_params list = shown.get();
  detail::writing nothing(0);
  return detail::agree(self_, nothing, why, [&](hawser_claims& uses, void** stage) {
    return self_->calls.confirm(self_->extension, &list, &nothing, &uses, stage) != 0;
  });
}

}  // namespace ext
HAWSER_END
