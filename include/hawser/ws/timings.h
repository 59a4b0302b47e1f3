// Where the time of a connection goes: four sums and their parts.
#pragma once

#include <hawser/base/clock.h>

#include <cstdint>
#include <optional>

HAWSER_BEGIN

/// What `connection::timings` gives when the options said `timings`: a copy, good for as long as it is kept. All of it
/// is measured on the monotonic clock; what was not measured is absent, and a sum of which a part is absent is the sum
/// of the others.
///
/// "Came" means that the loop learned of it: it reads the clock once for all that came together. "In the kernel" means
/// that the system has taken it, not that the peer has it.
struct timings {
  using span = std::optional<ticks>;  ///< A time, or nothing where none was measured.

  /// Something that happens again and again.
  struct repeated {
    span last;                ///< The latest one; absent when none was measured.
    ticks sum{};              ///< Of all that were measured ...
    std::uint64_t count = 0;  ///< ... and how many those are.

    /// Counts one more.
    void add(ticks one) noexcept {
      last = one;
      sum += one;
      ++count;
    }
    /// `sum / count`, or absent.
    [[nodiscard]] span mean() const noexcept {
      return count == 0 ? span() : span(sum / static_cast<ticks::rep>(count));
    }
  };

  /// t_connect = t_request + t_response + t_acknowledge
  struct connecting {
    /// Client: from the beginning of the attempt until the last byte of the request is in the kernel. Server: from
    /// accepted until the last byte of the request came.
    span request;
    span names;  ///< Inside `request`, client: until the addresses were known. Absent for a Unix socket.
    span tcp;    ///< Inside `request`, client: from then until connected.
    /// Client: from then until the last byte of the response's head came. Server: until the last byte of the response
    /// is in the kernel, which is after `on_connect` has returned: it leaves together with what was sent there.
    span response;
    /// Client: until `on_connect` is called: accept key, subprotocol and extensions are checked, the stages opened.
    /// Server: absent, since nothing tells it when the client has the response.
    span acknowledge;

    /// The sum; absent as long as `response` is.
    [[nodiscard]] span total() const noexcept {
      return response ? span(request.value_or(ticks{}) + *response + acknowledge.value_or(ticks{})) : span();
    }
  };

  /// t_receive = t_receive + t_prepare + t_confirm, of whole messages. Of those that come together the first one is
  /// measured, so that measuring costs the same however many they are.
  struct receiving {
    repeated receive;  ///< From the message's first byte until its last one came; nothing when they came together.
    /// From then until the handler is called: waiting for the connections that the loop serves before it, unmasking,
    /// stages, UTF-8.
    repeated prepare;
    repeated confirm;  ///< Until the handler returned.

    /// The sum for the latest message.
    [[nodiscard]] span last() const noexcept {
      return receive.last ? span(*receive.last + *prepare.last + *confirm.last) : span();
    }
  };

  /// t_send = t_prepare + t_send + t_confirm, of what leaves in one go: all that a handler sends.
  struct sending {
    /// From the beginning of the call of `on_message` that sends, for all else of the batch of events in which it is
    /// sent, until it is given to the system: what the handler does before, stages, framing, masking, and waiting for
    /// what leaves together with it.
    repeated prepare;
    repeated send;  ///< From then until its last byte is in the kernel.
    /// From then until the peer's proof of receipt came, where an extension gives one (`ext::ack`); otherwise absent.
    /// Of one flush at a time: what leaves while a proof is waited for is not measured.
    repeated confirm;

    /// The sum for what was sent last.
    [[nodiscard]] span last() const noexcept {
      return send.last ? span(*prepare.last + *send.last + confirm.last.value_or(ticks{})) : span();
    }
  };

  /// t_error = t_detect + t_handle + t_recover. In `on_close` it is about the error that ends this connection; before
  /// that, at a client, about the one that ended the connection, or the first attempt, before this one.
  struct failing {
    /// From the last sign of life, which is what came last from the peer, or being connected, or without that the
    /// beginning of the attempt, until the error is known. After a pause from `connection::resume` on, if nothing came
    /// since: nobody listened before.
    span detect;
    span handle;   ///< Inside `on_error`.
    span recover;  ///< Client: from then until connected again, failed attempts and the waits between them included.

    /// The sum; absent when there was no error.
    [[nodiscard]] span total() const noexcept {
      return detect ? span(*detect + handle.value_or(ticks{}) + recover.value_or(ticks{})) : span();
    }
  };

  connecting connect;  ///< Opening the connection.
  receiving receive;   ///< Its messages, inwards.
  sending send;        ///< Its messages, outwards.
  failing error;       ///< What ended it, if an error did.
};

HAWSER_END
