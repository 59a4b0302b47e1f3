#include <hawser/core/close_code.h>

HAWSER_BEGIN

bool may_receive(std::uint16_t code) noexcept {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

bool may_send(std::uint16_t code, role side) noexcept {
  // A server refuses the handshake instead of closing with 1010.
  if (code == static_cast<std::uint16_t>(close_code::mandatory_extension) && side == role::server) return false;
  return may_receive(code);
}

close_code close_code_for(errc error) noexcept {
  switch (error) {
    case errc::ok:
      return close_code::normal;
    case errc::cancelled:
      return close_code::going_away;
    case errc::reserved_bits:
    case errc::reserved_opcode:
    case errc::frame_not_masked:
    case errc::frame_masked:
    case errc::length_invalid:
    case errc::control_too_long:
    case errc::control_fragmented:
    case errc::unexpected_continuation:
    case errc::expected_continuation:
    case errc::bad_close_payload:
    case errc::extension_failed:
    case errc::inband_malformed:
      return close_code::protocol_error;
    case errc::bad_utf8:
    case errc::corrupt_data:
      return close_code::invalid_payload;
    case errc::too_many_fragments:
    case errc::too_many_glitches:
    case errc::message_too_slow:
      return close_code::policy_violation;
    case errc::message_too_big:
    case errc::frame_too_big:
      return close_code::message_too_big;
    case errc::extension_missing:
      return close_code::mandatory_extension;
    case errc::slow_consumer:
      return close_code::try_again_later;
    default:
      break;
  }
  // Mistakes and defects of this end are nothing the peer can mend. All else means that the connection never was open,
  // or is gone.
  const fault whose = fault_of(error);
  const bool ours = whose == fault::internal || whose == fault::caller_mistake || error == errc::out_of_resources;
  return ours ? close_code::internal_error : close_code::abnormal;
}

std::string_view describe(close_code code) noexcept {
  switch (code) {
    case close_code::normal:
      return "normal";
    case close_code::going_away:
      return "going away";
    case close_code::protocol_error:
      return "protocol error";
    case close_code::unsupported_data:
      return "unsupported data";
    case close_code::no_status:
      return "no status given";
    case close_code::abnormal:
      return "lost without a closing handshake";
    case close_code::invalid_payload:
      return "invalid payload";
    case close_code::policy_violation:
      return "policy violation";
    case close_code::message_too_big:
      return "message too big";
    case close_code::mandatory_extension:
      return "mandatory extension missing";
    case close_code::internal_error:
      return "internal error";
    case close_code::service_restart:
      return "service restart";
    case close_code::try_again_later:
      return "try again later";
    case close_code::bad_gateway:
      return "bad gateway";
    case close_code::tls_handshake:
      return "TLS handshake failed";
  }
  return {};
}

HAWSER_END
