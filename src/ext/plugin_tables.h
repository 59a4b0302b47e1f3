// What is kept of a plug-in: its tables, copied once they were found good, and its stages on our side of the boundary.
#pragma once

#include "ext/plugin_context.h"

#include <hawser/core/extension.h>
#include <hawser/plugin.h>

#include <cstdint>
#include <memory>
#include <string>

HAWSER_BEGIN
namespace ext::detail {

/// The longest text that is read of a plug-in, by kind.
inline constexpr std::size_t max_plugin_name = 64;
inline constexpr std::size_t max_plugin_summary = 200;
inline constexpr std::size_t max_plugin_parameters = 2000;
inline constexpr std::size_t max_plugin_token = 256;

/// What a hook may call.
extern const hawser_context_api context_calls;

struct plugin_tables {
  plugin_tables() = default;
  plugin_tables(const plugin_tables&) = delete;
  plugin_tables& operator=(const plugin_tables&) = delete;
  ~plugin_tables();

  // Shared: with whoever loaded it. First, so that it goes last: all else here may point into its code.
  std::shared_ptr<const void> library;
  hawser_plugin calls{};
  hawser_stage hooks{};
  core::stage_table table{};
  mutable context_rings contexts{context_calls};  // Of the stages, which see the rest of this as it is.
  void* extension = nullptr;
  std::string name;
  std::string summary;
  std::string parameters;
};

/// What the pipeline calls for a stage with these hooks.
core::stage_table table_of(const hawser_stage& hooks) noexcept;

/// A stage of a plug-in, before it is known whether it will be needed: `state` is where the plug-in puts its own.
class new_plugin_stage {
 public:
  explicit new_plugin_stage(std::shared_ptr<const plugin_tables> from);
  ~new_plugin_stage();
  new_plugin_stage(const new_plugin_stage&) = delete;
  new_plugin_stage& operator=(const new_plugin_stage&) = delete;

  [[nodiscard]] void** state() const noexcept;
  /// Gives it to the pipeline. Without this call the plug-in is told nothing of it: it made no stage.
  core::any_stage take() noexcept;

 private:
  struct plugin_stage* made_;
};

/// The characters up to the first zero, at most `most`.
std::string_view text_up_to(const char* text, std::size_t most) noexcept;

}  // namespace ext::detail
HAWSER_END
