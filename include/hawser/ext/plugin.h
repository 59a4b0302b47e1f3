// An extension out of the table that a plug-in gives: hawser/plugin.h is its side of the boundary, this is ours.
//
// `hawser::load_plugin` (hawser/ws/plugin.h) loads a shared object and calls this. By itself it makes an extension out
// of any table in memory, such as one that is linked into the program.
#pragma once

#include <hawser/base/result.h>
#include <hawser/core/extension.h>
#include <hawser/plugin.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN
namespace ext {

namespace detail {
struct plugin_tables;
}

/// The extension of a plug-in: a factory like any other. Its tables are copied and checked once; each of its stages
/// costs one call more a hook than a stage in C++. What a plug-in does wrong and can be noticed is refused by `from`,
/// declines the extension, or fails its connection with 1011 and a line that names it. Its code runs in this process,
/// with all rights: a plug-in that writes where it must not is not held back.
class HAWSER_API plugin {
 public:
  /// Checks `table`, which the entry of a plug-in gave, and makes the extension with the parameters that a person gave.
  /// `library` keeps the code of the plug-in loaded: it is let go after the last stage and the last copy of the
  /// factory. Errors: `invalid_plugin`; `why` gets a sentence that says what is wrong with the table, or with `given`.
  static result<plugin> from(const hawser_plugin* table, const params& given = {}, std::string* why = nullptr,
                             std::shared_ptr<const void> library = nullptr);

  /// One line for people.
  [[nodiscard]] std::string_view summary() const noexcept HAWSER_LIFETIME_BOUND;
  /// What it takes, for people: lines of "FORM  TEXT". Empty when it takes nothing.
  [[nodiscard]] std::string_view parameters() const noexcept HAWSER_LIFETIME_BOUND;

  /// What every factory has: see `hawser::factory`.
  [[nodiscard]] std::string_view name() const noexcept HAWSER_LIFETIME_BOUND;
  [[nodiscard]] std::vector<params> offers() const;
  [[nodiscard]] std::optional<core::agreement> accept(const std::vector<params>& all, std::string& why) const;
  [[nodiscard]] std::optional<core::agreement> confirm(const params& answer, std::string& why) const;

 private:
  explicit plugin(std::shared_ptr<const detail::plugin_tables> self) noexcept : self_(std::move(self)) {}

  // Shared: by the copies of the factory, and by every stage, which may outlive them.
  std::shared_ptr<const detail::plugin_tables> self_;
};

}  // namespace ext
HAWSER_END
