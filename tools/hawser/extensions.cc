#include "extensions.h"

namespace hawser_tool {

bool add_extensions(const std::vector<std::string>& specs, hawser::extension_list&, std::string& why) {
  if (specs.empty()) return true;
  why = "no extension is called '" + specs.front() + "'";
  return false;
}

}  // namespace hawser_tool
