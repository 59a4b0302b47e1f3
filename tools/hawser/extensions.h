// The extensions that the tool knows by name.
#pragma once

#include <hawser/core/extension.h>

#include <string>
#include <vector>

namespace hawser_tool {

/// Adds what "NAME[;param[=value]]..." names to `list`, in order. False: `why` gets a sentence that names the known
/// ones.
bool add_extensions(const std::vector<std::string>& specs, hawser::extension_list& list, std::string& why);

}  // namespace hawser_tool
