#include <hawser/core/extension_header.h>
#include <hawser/ws/handshake.h>

#include <algorithm>

HAWSER_BEGIN

const param* active_extension::find(std::string_view parameter) const& noexcept {
  const auto at =
      std::find_if(parameters.begin(), parameters.end(), [&](const param& p) { return p.name == parameter; });
  return at == parameters.end() ? nullptr : &*at;
}

std::string active_extension::text() const {
  return core::format_extensions({{name, parameters}}).value_or(std::string());
}

HAWSER_END
