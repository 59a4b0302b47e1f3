// The extensions that the tool knows by name, those in files, and the words that make one: NAME[;parameter[=value]]...
#pragma once

#include <hawser/core/extension.h>
#include <hawser/ext/plugin.h>
#include <hawser/testkit/testkit.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hawser_tool {

/// One extension as a person named it. A value may be any text, such as the name of a file.
struct extension_words {
  std::string name;
  hawser::params given;
};

/// True when `name` is that of a plug-in's file: it has a '/' in it or ends in ".so".
bool names_plugin(std::string_view name);

/// Reads "NAME[;parameter[=value]]...", where NAME may be a plug-in's file; a value with ';', '"' or blanks at its ends
/// stands in quotes. False: `why` gets a sentence.
bool read_extension(std::string_view text, extension_words& to, std::string& why);

/// The parameters that a person gave. What makes an extension reads those that it knows; the first that is wrong, and
/// one that nobody read, becomes a sentence.
class given_parameters {
 public:
  given_parameters(std::string_view extension, const hawser::params& all);

  /// Whether `name` was given. It takes no value.
  bool flag(std::string_view name);
  /// The whole number behind `name`, in [least, most].
  std::optional<std::uint64_t> number(std::string_view name, std::uint64_t least, std::uint64_t most);
  /// One of `words`.
  std::optional<std::string> word(std::string_view name, std::initializer_list<std::string_view> words);
  /// Any text but an empty one.
  std::optional<std::string> text(std::string_view name);
  /// Says that what was given cannot be used.
  void refuse(const std::string& why);

  /// Empty when all was read and good.
  [[nodiscard]] std::string complaint() const;

 private:
  struct one {
    hawser::param given;
    bool read = false;
  };
  const std::string* value_of(std::string_view name, std::string_view wanted);
  one* find(std::string_view name);

  std::string extension_;
  std::vector<one> all_;
  std::string wrong_;
};

/// A parameter, for people.
struct known_parameter {
  std::string_view form;  ///< "level=1..9"
  std::string_view text;  ///< One line, with the default.
};

/// An extension that can be named.
struct known_extension {
  std::string_view name;
  std::string_view summary;  ///< One line.
  std::string_view page;     ///< Its page, such as "docs/ext/trace.md"; empty for none.
  std::span<const known_parameter> parameters;
  /// Makes it. Nothing only after `refuse`.
  std::optional<hawser::any_factory> (*make)(given_parameters& given);
  /// What the kit should know of it besides; null for nothing.
  void (*suit)(hawser::testkit::options& how) = nullptr;
};

/// All of them, in the order in which people see them.
std::span<const known_extension> known_extensions();
/// The one of this name, or null.
const known_extension* find_extension(std::string_view name);
/// "no extension is called ...; known are ..."
std::string no_such_extension(std::string_view name);

/// The bytes of the regular file `path`, which a person named: at most `most` of them. Nothing: `why` gets a sentence.
std::optional<std::string> read_file(const std::string& path, std::size_t most, std::string& why);

/// The plug-in in a file. Nothing: `why` gets a sentence.
hawser::result<hawser::ext::plugin> plugin_in(const extension_words& words, std::string& why);

/// Makes what `words` name. Nothing: `why` gets a sentence.
std::optional<hawser::any_factory> make_extension(const extension_words& words, std::string& why);

/// Adds what "NAME[;parameter[=value]]..." names to `list`, in order. False: `why` gets a sentence that names the known
/// ones.
bool add_extensions(const std::vector<std::string>& specs, hawser::extension_list& list, std::string& why);

}  // namespace hawser_tool
