#include "core/printable.h"

#include <hawser/core/close_code.h>
#include <hawser/core/http.h>
#include <hawser/core/negotiate.h>

#include <algorithm>
#include <exception>
#include <utility>

HAWSER_BEGIN
namespace core {

namespace {

constexpr std::size_t most_reason = 512;

bool all_tokens(const params& list) noexcept {
  return std::all_of(list.begin(), list.end(),
                     [](const param& p) { return is_token(p.name) && (!p.value || is_token(*p.value)); });
}

/// What a call of a factory gave; `threw` when it did not return. `said`: its own words.
template <class T>
struct asked {
  T value{};
  bool threw = false;
  std::string said;
};

template <class T, class F>
asked<T> ask(F&& call) {
  asked<T> answer;
#if defined(__cpp_exceptions)
  try {
    answer.value = call(answer.said);
  } catch (const std::exception& e) {
    answer.threw = true;
    answer.said = e.what();
  } catch (...) {
    answer.threw = true;
    answer.said.clear();
  }
#else
  answer.value = call(answer.said);
#endif
  return answer;
}

// Words of a factory behind ours: on one line, and no longer than people read.
std::string with_words(const std::string& ours, const std::string& said) {
  constexpr std::size_t most_words = 200;
  return said.empty() ? ours : ours + ": " + detail::one_line(said, most_words);
}

std::vector<params> offers_of(const any_factory& f, const conditions& where) {
  if (f.secure_only() && !where.secure_path) return {};
  asked<std::vector<params>> offers = ask<std::vector<params>>([&](std::string&) { return f.offers(); });
  if (offers.threw || !is_token(f.name())) return {};
  std::erase_if(offers.value, [](const params& p) { return !all_tokens(p) || p.size() > max_extension_parameters; });
  return std::move(offers.value);
}

// Every element was checked to consist of tokens.
std::string field_value(const std::vector<extension_element>& elements) {
  return format_extensions(elements).value_or(std::string());
}

std::string written(const std::string& name, const params& parameters) { return field_value({{name, parameters}}); }

// What is sent as a close reason is cut there; people get all of it that they read.
void say(std::string& why, std::string text) {
  if (text.size() > most_reason) text.resize(most_reason);
  why = std::move(text);
}

void note(negotiation& n, const std::string& name, bool active, std::string text) {
  n.notes.push_back({name, active, name + ": " + std::move(text)});
}

bool was_noted(const negotiation& n, const std::string& name) {
  return std::any_of(n.notes.begin(), n.notes.end(), [&](const negotiation_note& one) { return one.name == name; });
}

const std::string* missing_of(const extension_list& list, const std::vector<agreed_extension>& agreed) {
  for (const std::string& name : list.required())
    if (std::none_of(agreed.begin(), agreed.end(), [&](const agreed_extension& e) { return e.name == name; }))
      return &name;
  return nullptr;
}

// ---- server

/// All that the client offered under one name.
struct offered_name {
  std::string name;
  std::vector<params> offers;
};

std::vector<offered_name> by_name(std::vector<extension_element> elements) {
  std::vector<offered_name> names;
  for (extension_element& e : elements) {
    auto at = std::find_if(names.begin(), names.end(), [&](const offered_name& n) { return n.name == e.name; });
    if (at == names.end()) at = names.insert(at, {e.name, {}});
    at->offers.push_back(std::move(e.parameters));
  }
  return names;
}

/// An extension that a factory agreed to and that fits beside the others.
struct admitted {
  agreed_extension extension;
  std::size_t place;  // In the client's order.
};

class answering {
 public:
  answering(const extension_list& list, const conditions& where, negotiation& out)
      : list_(list), where_(where), out_(out) {}

  // A required one is preferred to all others; among equals the client's order decides (N-10).
  void ask_all(const std::vector<offered_name>& names) {
    for (const bool required : {true, false})
      for (std::size_t i = 0; i < names.size(); ++i)
        if (is_required(names[i].name) == required) ask_for(names[i], i);
    for (admitted& a : admitted_)
      out_.agreed.push_back(std::move(a.extension));
  }

  // What is known here and was not asked for: why it is not at work is what people look for first.
  void note_not_offered() {
    for (const any_factory& f : list_.all()) {
      const std::string name(f.name());
      if (!was_noted(out_, name)) note(out_, name, false, "not offered by the client");
    }
  }

 private:
  // Each factory of the name in turn; one whose answer cannot stand beside the others is asked again without the offers
  // before, as long as there are some.
  void ask_for(const offered_name& offered, std::size_t place) {
    std::string reason = "not known here, ignored";
    std::string conflict;
    for (const any_factory& f : list_.all()) {
      if (f.name() != offered.name) continue;
      for (std::size_t from = 0; from < offered.offers.size(); ++from) {
        const std::vector<params> left(offered.offers.begin() + static_cast<std::ptrdiff_t>(from),
                                       offered.offers.end());
        std::optional<agreement> terms = ask_one(f, left, reason);
        if (!terms) break;
        std::string why;
        if (admit({{offered.name, std::move(*terms)}, place}, why)) return;
        if (conflict.empty()) conflict = "declined: " + why;
      }
    }
    note(out_, offered.name, false, conflict.empty() ? reason : conflict);
  }

  static std::optional<agreement> ask_one(const any_factory& f, const std::vector<params>& offers,
                                          std::string& reason) {
    asked<std::optional<agreement>> terms =
        ask<std::optional<agreement>>([&](std::string& why) { return f.accept(offers, why); });
    if (terms.threw)
      reason = with_words("declined: its factory threw", terms.said);
    else
      reason = terms.said.empty() ? "declined: no offer is acceptable" : with_words("declined", terms.said);
    if (terms.threw || !terms.value) return std::nullopt;
    if (all_tokens(terms.value->response) && terms.value->response.size() <= max_extension_parameters)
      return std::move(terms.value);
    reason = "declined: its factory answered what is no token";
    return std::nullopt;
  }

  bool is_required(const std::string& name) const {
    return std::find(list_.required().begin(), list_.required().end(), name) != list_.required().end();
  }

  // Message stages before frame stages, each group in the client's order.
  static bool goes_before(const admitted& a, const admitted& b) noexcept {
    const layer la = a.extension.terms.uses.at;
    const layer lb = b.extension.terms.uses.at;
    return la != lb ? la == layer::message : a.place < b.place;
  }

  bool admit(admitted one, std::string& why) {
    const std::string name = one.extension.name;
    const auto at = std::upper_bound(admitted_.begin(), admitted_.end(), one, goes_before) - admitted_.begin();
    admitted_.insert(admitted_.begin() + at, std::move(one));
    std::vector<agreed_extension> all;
    for (admitted& a : admitted_)
      all.push_back(std::move(a.extension));
    const bool works = compose(all, where_, why);
    for (std::size_t i = 0; i < all.size(); ++i)
      admitted_[i].extension = std::move(all[i]);
    if (works)
      note(out_, name, true,
           "accepted as " + written(name, admitted_[static_cast<std::size_t>(at)].extension.terms.response));
    else
      admitted_.erase(admitted_.begin() + at);
    return works;
  }

  const extension_list& list_;
  const conditions& where_;
  negotiation& out_;
  std::vector<admitted> admitted_;
};

}  // namespace

result<void> check_extension_names(const extension_list& list, std::string& why) {
  for (const any_factory& f : list.all()) {
    if (is_token(f.name())) continue;
    why = "the extension name " + detail::quoted(f.name()) + " is not a token: use letters, digits and dashes";
    return errc::invalid_extension;
  }
  return {};
}

std::string offer_extensions(const extension_list& list, const conditions& where) {
  std::vector<extension_element> elements;
  for (const any_factory& f : list.all()) {
    for (params& p : offers_of(f, where))
      if (elements.size() < max_extension_elements) elements.push_back({std::string(f.name()), std::move(p)});
  }
  return field_value(elements);
}

result<negotiation> answer_extensions(std::string_view offered, const extension_list& list, const conditions& where,
                                      std::string& why) {
  negotiation out;
  answering one(list, where, out);
  if (!offered.empty()) {
    result<std::vector<extension_element>> elements = parse_extensions(offered, &why);
    if (!elements) {
      why.insert(0, where.inband ? "the in-band offer, " : "Sec-WebSocket-Extensions, ");
      return elements.error();
    }
    one.ask_all(by_name(std::move(*elements)));
  }
  one.note_not_offered();
  if (const std::string* name = missing_of(list, out.agreed)) {
    say(why, "the extension " + *name + " is required here and was not agreed on");
    return errc::extension_missing;
  }
  std::vector<extension_element> answer;
  for (const agreed_extension& e : out.agreed)
    answer.push_back({e.name, e.terms.response});
  out.header = field_value(answer);
  return out;
}

// ---- client

namespace {

bool was_offered(const extension_list& list, const std::string& name, const conditions& where) {
  return std::any_of(list.all().begin(), list.all().end(),
                     [&](const any_factory& f) { return f.name() == name && !offers_of(f, where).empty(); });
}

// The first factory of the name that takes the answer, and whose stage can stand behind those before it.
errc confirm_one(const extension_element& e, const extension_list& list, const conditions& where, negotiation& out,
                 std::string& why) {
  const bool twice =
      std::any_of(out.agreed.begin(), out.agreed.end(), [&](const agreed_extension& a) { return a.name == e.name; });
  if (twice || !was_offered(list, e.name, where)) {
    say(why, "the server answered the extension " + e.name + (twice ? " twice" : ", which was not offered"));
    return errc::extension_not_offered;
  }
  bool threw = false;
  std::string said;
  std::string conflict;
  std::string defect;
  for (const any_factory& f : list.all()) {
    if (f.name() != e.name || offers_of(f, where).empty()) continue;
    asked<std::optional<agreement>> terms =
        ask<std::optional<agreement>>([&](std::string& words) { return f.confirm(e.parameters, words); });
    threw = threw || terms.threw;
    if (terms.threw || !terms.value) {
      if (said.empty()) said = terms.said;
      continue;
    }
    terms.value->response = e.parameters;
    out.agreed.push_back({e.name, std::move(*terms.value)});
    std::string reason;
    if (compose({&out.agreed.back(), 1}, {where.side, true, false}, reason)) {
      if (compose(out.agreed, where, reason)) {
        note(out, e.name, true, "agreed as " + written(e.name, e.parameters));
        return errc::ok;
      }
    } else if (defect.empty()) {
      defect = "an extension of this program is wrong: " + reason;
    }
    out.agreed.pop_back();
    if (conflict.empty()) conflict = "the server's answer cannot work: " + reason;
  }
  if (!defect.empty()) {
    say(why, defect);
    return errc::invalid_extension;
  }
  if (!conflict.empty()) {
    say(why, conflict);
    return errc::extension_conflict;
  }
  const std::string ours = threw ? "the extension " + e.name + " threw while it looked at the server's answer"
                                 : "the server's parameters are not acceptable: " + written(e.name, e.parameters);
  // The words say what is wrong with it: there is room for them, or for the whole answer.
  if (threw || said.empty())
    say(why, with_words(ours, said));
  else
    say(why, with_words("the server's answer for " + e.name + " is not acceptable", said));
  return errc::extension_parameters;
}

void note_declined(const extension_list& list, const conditions& where, negotiation& out) {
  for (const any_factory& f : list.all()) {
    const std::string name(f.name());
    if (!was_noted(out, name))
      note(out, name, false, offers_of(f, where).empty() ? "not offered" : "declined by the server");
  }
}

}  // namespace

result<negotiation> confirm_extensions(std::string_view answered, const extension_list& list, const conditions& where,
                                       std::string& why) {
  negotiation out;
  if (!answered.empty()) {
    result<std::vector<extension_element>> elements = parse_extensions(answered, &why);
    if (!elements) {
      why.insert(0, where.inband ? "the extensions in the in-band answer, " : "Sec-WebSocket-Extensions, ");
      return elements.error();
    }
    for (const extension_element& e : *elements)
      if (const errc wrong = confirm_one(e, list, where, out, why); wrong != errc::ok) return wrong;
    out.header = field_value(*elements);
  }
  note_declined(list, where, out);
  if (const std::string* name = missing_of(list, out.agreed)) {
    say(why, "the server declined the extension " + *name);
    return errc::extension_missing;
  }
  return out;
}

}  // namespace core
HAWSER_END
