// Sec-WebSocket-Extensions: read and written. RFC 6455, 9.1 (N-01 to N-06).
#pragma once

#include <hawser/base/result.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

HAWSER_BEGIN

/// One parameter of an extension: a name and perhaps a value, both tokens; a quoted value is unquoted.
struct param {
  std::string name;                  ///< A token.
  std::optional<std::string> value;  ///< A token, or none.
  bool operator==(const param&) const = default;
};

/// The parameters of one offer or answer; order and doubles are kept.
using params = std::vector<param>;

namespace core {

/// One element of the header: an extension's name and its parameters.
struct extension_element {
  std::string name;   ///< A token; it matches exactly (N-15).
  params parameters;  ///< In the order in which they stand there.
  bool operator==(const extension_element&) const = default;
};

/// An offer or answer with more elements, or an element with more parameters, is refused as malformed.
inline constexpr std::size_t max_extension_elements = 8;
inline constexpr std::size_t max_extension_parameters = 16;  ///< See `max_extension_elements`.

/// Reads a field value (several fields joined by ", ", N-04). Linear in its length (E2). Errors:
/// `extension_header_malformed`; `why`, when given, says where. Blanks may stand around every separator and empty list
/// elements are passed over (N-03); an empty list is malformed (N-06), and so is a quoted value that is no token once
/// it is unquoted (N-02). Names keep their case: they match exactly (N-15).
HAWSER_API result<std::vector<extension_element>> parse_extensions(std::string_view value, std::string* why = nullptr);

/// The field value for `elements`: tokens are never quoted; no elements give an empty text, for which no field is sent
/// (N-06). `parse_extensions` reads it back as it was. Errors: `invalid_header` when a name or a value is not a token,
/// because it could carry an injection (E7), or when there are more than can be read back.
HAWSER_API result<std::string> format_extensions(const std::vector<extension_element>& elements);

}  // namespace core
HAWSER_END
