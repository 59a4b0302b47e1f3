// The words of a frame's first byte. RFC 6455, 5.2.
#pragma once

#include <hawser/base/config.h>

#include <cstdint>

HAWSER_BEGIN

/// What a frame or message is. 3 to 7 are reserved for data, 11 to 15 for control; an extension may define them.
enum class opcode : std::uint8_t {
  continuation = 0x0,  ///< A further frame of the message before.
  text = 0x1,          ///< UTF-8.
  binary = 0x2,        ///< Bytes.
  close = 0x8,         ///< The closing handshake.
  ping = 0x9,          ///< Asks for a pong.
  pong = 0xA,          ///< Answers a ping.
};

/// The three reserved bits as they stand in a frame's first byte, shifted down by four.
enum class rsv : std::uint8_t { none = 0, three = 1, two = 2, one = 4 };

/// Which end of a connection this is.
enum class role : std::uint8_t { client, server };

/// Which way a message goes: `out` from the application to the network, `in` from the network to the application.
enum class direction : std::uint8_t { out = 0, in = 1 };

/// Control frames are 8 to 15, the ones of extensions included. RFC 6455, 5.5.
constexpr bool is_control(opcode op) noexcept { return (static_cast<std::uint8_t>(op) & 0x8) != 0; }

HAWSER_END
