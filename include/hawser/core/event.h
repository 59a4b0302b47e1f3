// What a connection tells its owner.
#pragma once

#include <hawser/base/buffer.h>
#include <hawser/base/bytes.h>
#include <hawser/base/clock.h>
#include <hawser/base/errc.h>
#include <hawser/core/close_code.h>
#include <hawser/core/opcode.h>

#include <cstdint>
#include <type_traits>

HAWSER_BEGIN
namespace core {

/// What `connection::next` found.
enum class kind : std::uint8_t {
  none,     ///< Nothing more until more input, time or a command.
  message,  ///< A whole message: `op`, `payload`, `first_byte`, `last_byte`.
  part,     ///< A piece of a message, with `settings::in_parts`: also `first`, `fin`.
  ping,     ///< A ping, already answered: `payload`.
  pong,     ///< A pong: `payload`.
  closed,   ///< The last event: `code`, `error`, `payload` (the reason or an explanation). The transport may be closed
            ///< once all output is sent.
};

/// The details of the event that `next` returned. Valid until the next call on the connection.
struct event {
  byte_span payload;         ///< May be changed by the owner, where no stages are at work: those may have kept it.
  buffer* owner = nullptr;   ///< When not null the payload is the content of this buffer, which may be moved away.
  tick first_byte{};         ///< When the first and the last byte of the message were received.
  tick last_byte{};          ///< See `first_byte`.
  opcode op = opcode::text;  ///< Text, binary, or an opcode that a stage claimed.
  bool first = true;         ///< Of a part: the first one of its message.
  bool fin = true;           ///< Of a part: the last one of its message.
  errc error = errc::ok;     ///< `closed`: ok after a closing handshake, else what ended the connection.
  close_code code = close_code::normal;  ///< `closed`: the peer's code, the code we sent when we failed it, or 1006.
};
static_assert(std::is_trivially_copyable_v<event>);

}  // namespace core
HAWSER_END
