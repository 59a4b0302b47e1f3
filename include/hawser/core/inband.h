// The in-band mode: message stages for peers that cannot negotiate extensions, which is every browser. The subprotocol
// "ext1.hawser" is agreed in the opening handshake; then the client's first message is what it would have offered in
// Sec-WebSocket-Extensions, the server's first message is the answer, and from there on each message begins with one
// byte: the bits and the opcode that a frame would have had. docs/wire/inband.md is the format, with vectors.
#pragma once

#include <hawser/base/result.h>
#include <hawser/core/settings.h>

#include <cstddef>
#include <string>
#include <string_view>

HAWSER_BEGIN
namespace core {

/// The subprotocol that stands for the in-band mode. An application's own are offered beside it.
inline constexpr std::string_view inband_subprotocol = "ext1.hawser";

/// The longest offer and the longest answer, in bytes.
inline constexpr std::size_t max_inband_agreement = 4096;

/// What a connection obeys while it is being agreed on.
HAWSER_API settings settings_of_agreement(settings later) noexcept;

/// What a server answers to the offer.
struct inband_answer {
  std::string subprotocol;  ///< The application's own; empty: none.
  std::string extensions;   ///< As Sec-WebSocket-Extensions would say it; empty: none.
};

/// The answer's text: "ext1.hawser; protocol=chat, x-rot13". What it is made of are tokens and a valid list.
HAWSER_API std::string format_inband_answer(const inband_answer& answer);

/// Reads an answer; its list of extensions is not parsed yet. Errors: `extension_header_malformed`; `why` says where.
HAWSER_API result<inband_answer> parse_inband_answer(std::string_view text, std::string& why);

}  // namespace core
HAWSER_END
