// Reading the parameters of offers and answers, with words for people where one is wrong. RFC 6455, 9.1.
#pragma once

#include <hawser/core/extension_header.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

HAWSER_BEGIN
namespace ext::detail {

/// Adds `words` to `why`: of several offers each may have its own fault. A long `why` stays as it is.
void add_words(std::string& why, std::string_view words);

/// "window=7", "window": what the peer wrote, cut where it is long.
std::string shown(const param& p);

/// False when `all` has the name of `p` before `p` already.
bool is_first(const params& all, const param& p, std::string& why);

/// False, and words, when `p` has a value.
bool is_flag(const param& p, std::string& why);

/// The value of `p`: decimal, no leading zero, in [least, most], where `least` is at least 1.
std::optional<std::uint32_t> number_of(const param& p, std::uint32_t least, std::uint32_t most, std::string& why);

/// Says that there is no parameter `p`.
void say_unknown(const param& p, std::string& why);

/// False, and words, when there are parameters.
bool is_empty(const params& all, std::string& why);

/// Whether the answer's number for `name` keeps to the `offered` one; it must be there, and be no larger.
bool keeps_to(std::string_view name, std::uint32_t answered, std::uint32_t offered, std::string& why);

}  // namespace ext::detail
HAWSER_END
