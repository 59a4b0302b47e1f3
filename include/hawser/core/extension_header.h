// Sec-WebSocket-Extensions: read and written. RFC 6455, 9.1 (N-01 to N-06).
#pragma once

#include <hawser/base/result.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN

/// One parameter of an extension: a name and perhaps a value, both tokens; a quoted value is unquoted.
struct param {
  std::string name;
  std::optional<std::string> value;
  bool operator==(const param&) const = default;
};

/// The parameters of one offer or answer; order and doubles are kept.
using params = std::vector<param>;

namespace core {

/// One element of the header: an extension's name and its parameters.
struct extension_element {
  std::string name;
  params parameters;
  bool operator==(const extension_element&) const = default;
};

/// An offer or answer with more elements, or an element with more parameters, is refused as malformed.
inline constexpr std::size_t max_extension_elements = 8;
inline constexpr std::size_t max_extension_parameters = 16;

/// Reads a field value (several fields joined by ", "). Linear in its length (E2). Errors:
/// `extension_header_malformed`; `why`, when given, says where. Empty list elements are passed over, an empty list is
/// malformed.
HAWSER_API result<std::vector<extension_element>> parse_extensions(std::string_view value, std::string* why = nullptr);

/// The field value for `elements`: tokens are never quoted, empty ones never written.
HAWSER_API std::string format_extensions(const std::vector<extension_element>& elements);

}  // namespace core
HAWSER_END
