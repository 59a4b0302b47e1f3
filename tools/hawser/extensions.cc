#include "extensions.h"

#include "demo_extensions.h"

#include <hawser/core/extension_header.h>

namespace hawser_tool {

namespace {

/// An extension that can be named. None of these takes parameters.
struct known {
  const char* name;
  hawser::any_factory (*make)();
};

constexpr known all[] = {
    {"x-rot13", [] { return hawser::any_factory(hawser::demo::rot13()); }},
    {"x-checksum", [] { return hawser::any_factory(hawser::demo::checksum()); }},
};

bool add_one(const std::string& spec, hawser::extension_list& list, std::string& why) {
  std::string wrong;
  const auto parsed = hawser::core::parse_extensions(spec, &wrong);
  if (!parsed) {
    why = "--extension '" + spec + "' is not NAME[;param[=value]]...: " + wrong;
    return false;
  }
  for (const hawser::core::extension_element& element : *parsed) {
    const known* found = nullptr;
    for (const known& k : all)
      if (element.name == k.name) found = &k;
    if (found == nullptr) {
      why = "no extension is called '" + element.name + "'; known are";
      for (const known& k : all)
        why.append(&k == all ? " " : ", ").append(k.name);
      return false;
    }
    if (!element.parameters.empty()) {
      why = element.name + " takes no parameters";
      return false;
    }
    for (const hawser::any_factory& there : list.all()) {
      if (there.name() != element.name) continue;
      why = "--extension " + element.name + " is given twice";
      return false;
    }
    list.add(found->make());
  }
  return true;
}

}  // namespace

bool add_extensions(const std::vector<std::string>& specs, hawser::extension_list& list, std::string& why) {
  for (const std::string& spec : specs)
    if (!add_one(spec, list, why)) return false;
  return true;
}

}  // namespace hawser_tool
