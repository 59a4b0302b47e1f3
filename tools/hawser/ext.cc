// hawser ext: which extensions there are, what one is, whether it holds what an extension must.

#include "ext.h"

#include "claims_in_words.h"
#include "commands.h"
#include "extensions.h"
#include "terminal.h"

#include <hawser/core/negotiate.h>
#include <hawser/core/pipeline.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace hawser_tool {

namespace {

namespace core = hawser::core;

void print(const std::string& line) { std::printf("%s\n", line.c_str()); }

std::string padded(std::string_view text, std::size_t width) {
  std::string made(text);
  made.resize(std::max(width, made.size()), ' ');
  return made;
}

// "  claims      RSV2 is its own", and further lines under the first.
void print_lines(std::string_view title, const std::vector<std::string>& lines) {
  for (const std::string& line : lines)
    print("  " + padded(&line == lines.data() ? title : "", 12) + line);
}

/// An extension that was named, and what is known of it.
struct chosen_extension {
  hawser::any_factory made;
  known_extension what;
  std::optional<hawser::ext::plugin> from;  // Keeps the texts of a plug-in.
  std::vector<known_parameter> parameters;
};

// A plug-in's lines of "FORM  TEXT".
std::vector<known_parameter> parameters_of(std::string_view lines) {
  std::vector<known_parameter> all;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    const std::string_view form = line.substr(0, line.find("  "));
    const std::size_t text = line.find_first_not_of(' ', form.size());
    all.push_back({form, text == std::string_view::npos ? std::string_view() : line.substr(text)});
  }
  return all;
}

std::optional<chosen_extension> load(const extension_words& words, std::string& why) {
  hawser::result<hawser::ext::plugin> loaded = plugin_in(words, why);
  if (!loaded) return std::nullopt;
  chosen_extension one{*loaded, {}, *loaded, parameters_of(loaded->parameters())};
  one.what.name = one.from->name();
  one.what.summary = one.from->summary();
  one.what.parameters = one.parameters;
  return one;
}

std::optional<chosen_extension> choose(const std::string& text, std::string& why) {
  extension_words words;
  if (!read_extension(text, words, why)) return std::nullopt;
  if (names_plugin(words.name)) return load(words, why);
  std::optional<hawser::any_factory> made = make_extension(words, why);
  if (!made) return std::nullopt;
  return chosen_extension{*made, *find_extension(words.name), std::nullopt, {}};
}

std::optional<chosen_extension> chosen_or_complaint(const ext_args& args) {
  std::string why;
  std::optional<chosen_extension> one = choose(args.name, why);
  if (!one) std::fprintf(stderr, "hawser: %s\n", why.c_str());
  return one;
}

/// Both ends of one agreement.
struct both_ends {
  std::string offered;
  std::string answered;
  std::vector<core::agreed_extension> client;
  std::vector<core::agreed_extension> server;
};

// Negotiates `one` with itself, as on loopback. False: `why` says what became of it.
bool agree(const hawser::any_factory& one, both_ends& ends, std::string& why) {
  hawser::extension_list list;
  list.add(one);
  ends.offered = core::offer_extensions(list, {hawser::role::client, true});
  auto answer = core::answer_extensions(ends.offered, list, {hawser::role::server, true}, why);
  if (!answer) return false;
  if (answer->agreed.empty()) {
    why = answer->notes.empty() ? "it offers nothing" : answer->notes.front().text;
    return false;
  }
  ends.answered = answer->header;
  auto confirmed = core::confirm_extensions(ends.answered, list, {hawser::role::client, true}, why);
  if (!confirmed) return false;
  ends.client = std::move(confirmed->agreed);
  ends.server = std::move(answer->agreed);
  return true;
}

/// Bytes on the account of an end's stage.
struct charges {
  std::size_t most = 0;
  std::size_t left = 0;  // When it has left.
  std::string fault;     // Of its stages, for their author.
};

// What an end charges while a text of 64 KiB leaves it, which no stage passes on in one piece.
charges measure(std::vector<core::agreed_extension> stages, hawser::role side) {
  hawser::buffer_pool pool;
  core::pipeline line(std::move(stages), side, pool, {});
  const hawser::tick now{};
  line.open(now);
  charges found;
  std::string text(64UL * 1024, ' ');
  unsigned last = 1;
  for (char& letter : text)
    letter = static_cast<char>('!' + (last = last * 1103515245U + 12345U) / 65536U % 90U);
  hawser::head h;
  h.opcode = 1;
  h.sized = 1;
  h.size = text.size();
  if (line.begin(hawser::direction::out, h, now) && !line.bypassed(hawser::direction::out)) {
    line.push(hawser::direction::out, {reinterpret_cast<std::byte*>(text.data()), text.size()}, true, now);
    hawser::byte_span piece;
    bool fin = false;
    found.most = line.charged();
    while (line.pull(hawser::direction::out, piece, fin) == core::pipeline::pulled::piece)
      found.most = std::max(found.most, line.charged());
  }
  found.left = line.charged();
  found.fault = line.last_breach();
  line.closed(hawser::close_code::normal, now);
  return found;
}

std::string in_bytes(const charges& c) {
  return std::to_string(std::max(c.most, c.left)) + " bytes charged while a text of 64 KiB leaves, " +
         std::to_string(c.left) + " afterwards" + (c.fault.empty() ? "" : "; it broke its contract: " + c.fault);
}

void explain(const known_extension& known, const ext_args& args, both_ends ends) {
  print(std::string(known.name) + ": " + std::string(known.summary));
  print("");
  std::vector<std::string> lines;
  for (const known_parameter& p : known.parameters)
    lines.push_back(padded(p.form, 32) + std::string(p.text));
  if (lines.empty()) lines.emplace_back("none");
  print_lines("parameters", lines);
  print_lines("offered", {ends.offered});
  print_lines("answered", {ends.answered});
  print_lines("claims", claims_in_words(ends.client.front().terms.uses));
  print_lines("hooks", {hooks_in_words(ends.client.front().terms.work.table().hooks)});
  print_lines("client", {in_bytes(measure(std::move(ends.client), hawser::role::client))});
  print_lines("server", {in_bytes(measure(std::move(ends.server), hawser::role::server))});
  if (!known.page.empty()) print_lines("page", {std::string(known.page)});
  const std::string word = args.name.find_first_of("; \"") == std::string::npos ? args.name : "'" + args.name + "'";
  const std::string option = names_plugin(args.name.substr(0, args.name.find(';'))) ? "--plugin " : "--extension ";
  print_lines("try it", {"hawser echo " + option + word, "hawser connect -v " + option + word + " ws://127.0.0.1:9001",
                         "hawser ext test " + word});
}

/// Prints checks as they come, under the names of their groups.
class check_printer {
 public:
  check_printer() : color_(::isatty(STDOUT_FILENO) == 1) {}

  void operator()(const hawser::testkit::check& c) {
    if (c.group != group_) print("\n" + c.group);
    group_ = c.group;
    print(std::string("  ") + (c.passed ? marked("PASS", "32") : marked("FAIL", "1;31")) + "  " + c.name);
    if (!c.passed) print("        " + c.detail);
    std::fflush(stdout);
  }

 private:
  [[nodiscard]] std::string marked(const std::string& word, const char* color) const {
    return color_ ? std::string("\x1B[") + color + "m" + word + "\x1B[0m" : word;
  }
  bool color_;
  std::string group_;
};

}  // namespace

int ext_list() {
  std::size_t widest = 0;
  for (const known_extension& k : known_extensions())
    widest = std::max(widest, k.name.size());
  for (const known_extension& k : known_extensions()) {
    print(padded(k.name, widest + 2) + std::string(k.summary));
    for (const known_parameter& p : k.parameters)
      print(std::string(widest + 4, ' ') + padded(p.form, 32) + std::string(p.text));
  }
  return flush_output() ? done : failed;
}

int ext_info(const ext_args& args) {
  const std::optional<chosen_extension> one = chosen_or_complaint(args);
  if (!one) return usage;
  both_ends ends;
  std::string why;
  if (!agree(one->made, ends, why)) {
    std::fprintf(stderr, "hawser: %s cannot be agreed on: %s\n", args.name.c_str(), why.c_str());
    return failed;
  }
  explain(one->what, args, std::move(ends));
  return flush_output() ? done : failed;
}

int test_extension(const hawser::any_factory& one, const std::string& called, hawser::testkit::options how) {
  how.on_check = check_printer();
  print("testing " + called + ": seed " + std::to_string(how.seed) + ", " + std::to_string(how.rounds) +
        " rounds of each kind");
  const hawser::testkit::report found = hawser::testkit::run(one, how);
  const auto failures = std::count_if(found.all().begin(), found.all().end(), [](const auto& c) { return !c.passed; });
  const std::string all = std::to_string(found.all().size());
  print("");
  print(failures == 0 ? called + " passed: " + all + " of " + all + " checks"
                      : called + " FAILED: " + std::to_string(failures) + " of " + all + " checks");
  const bool good = found.passed();
  return flush_output() && good ? done : failed;
}

int ext_test(const ext_args& args) {
  const std::optional<chosen_extension> one = chosen_or_complaint(args);
  if (!one) return usage;
  hawser::testkit::options how;
  how.seed = args.seed;
  how.rounds = args.rounds;
  if (one->what.suit != nullptr) one->what.suit(how);
  return test_extension(one->made, args.name, std::move(how));
}

}  // namespace hawser_tool
