// What an extension uses, in words.
#pragma once

#include <hawser/core/extension.h>

#include <string>
#include <vector>

namespace hawser_tool {

/// "RSV2", "RSV1, RSV3"; empty for none. `bits` as in `hawser::rsv`.
std::string bits_in_words(unsigned bits);

/// A line for each thing that `uses` says and that is not the default.
std::vector<std::string> claims_in_words(const hawser::claims& uses);

/// The hooks of a stage by their names, or "none".
std::string hooks_in_words(unsigned hooks);

}  // namespace hawser_tool
