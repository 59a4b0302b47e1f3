#include "command_line.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace hawser_tool {

namespace {

constexpr std::size_t columns = 80;

// The words of `text` in lines of at most `width`; a longer word has a line of its own.
std::string wrapped(std::string_view text, std::size_t width) {
  std::string made;
  std::size_t line = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const bool fits = line + 1 + end <= width;
    if (line != 0) made += fits ? ' ' : '\n';
    line = line != 0 && fits ? line + 1 + end : end;
    made += text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return made;
}

// The error begins with the name of the option.
std::string mismatch_in_words(const CLI::App& command, const std::string& said) {
  const std::string name = said.substr(0, said.find(':'));
  const CLI::Option* option = command.get_option_no_throw(name);
  if (option == nullptr) return said;
  return name + (option->count() > 1 ? " is given more than once" : " needs " + option->get_type_name() + " behind it");
}

// "--client excludes --listen": whichever was given, and whichever is meant.
std::string both_in_words(const std::string& said) {
  constexpr std::string_view between = " excludes ";
  const std::size_t at = said.find(between);
  if (at == std::string::npos) return said;
  return said.substr(0, at) + " and " + said.substr(at + between.size()) + " exclude each other";
}

std::string in_words(const CLI::App& command, const std::string& name, const CLI::Error& error) {
  const auto kind = static_cast<CLI::ExitCodes>(error.get_exit_code());
  if (kind == CLI::ExitCodes::ArgumentMismatch) return mismatch_in_words(command, error.what());
  if (kind == CLI::ExitCodes::ExcludesError) return both_in_words(error.what());
  if (kind != CLI::ExitCodes::ExtrasError) return error.what();
  const std::vector<std::string> extra = command.remaining();
  const auto option = std::find_if(extra.begin(), extra.end(), [](const std::string& word) {
    return word.size() > 1 && word.starts_with('-') && word != "--";
  });
  if (option != extra.end()) return "'" + *option + "' is no option of " + name;
  return extra.empty() ? error.what() : "'" + extra.front() + "' is one word too many";
}

}  // namespace

std::string narrow_help::make_option_desc(const CLI::Option* option) const {
  return wrapped(option->get_description(), columns - get_column_width());
}

std::string complaint(const CLI::App& app, const CLI::Error& error, int argc, char** argv) {
  const CLI::App* command = &app;
  std::string name = app.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  if (command != &app) return "hawser: " + in_words(*command, name, error) + " (" + name + " --help tells more)\n";
  const std::string_view word = argc > 1 ? argv[1] : "";
  const char* kind = word.starts_with('-') ? "option" : "command";
  const std::string wrong =
      argc > 1 ? "no " + std::string(kind) + " is called '" + std::string(word) + "'" : "no command";
  return "hawser: " + wrong +
         "; 'hawser echo' serves, 'hawser connect URL' connects, 'hawser ext' knows extensions (hawser --help tells "
         "more)\n";
}

}  // namespace hawser_tool
