// Which stages can work together, and in which order: the rules that no single extension can know.
#include <hawser/core/negotiate.h>

#include <array>
#include <string>

HAWSER_BEGIN
namespace core {

namespace {

constexpr unsigned rsv_bits = 7;
constexpr unsigned data_opcodes = 0x00F8;     // 3 to 7. RFC 6455, 5.2
constexpr unsigned control_opcodes = 0xF800;  // 11 to 15.
constexpr unsigned most_trim = 8;

// RFC 7692, 6: the bit that marks a compressed message.
bool compresses(const claims& c) noexcept {
  return c.at == layer::message && (c.rsv & static_cast<unsigned>(rsv::one)) != 0;
}

std::string name_of_bit(unsigned bits) {
  if ((bits & static_cast<unsigned>(rsv::one)) != 0) return "RSV1";
  return (bits & static_cast<unsigned>(rsv::two)) != 0 ? "RSV2" : "RSV3";
}

std::string name_of_opcode(unsigned set) {
  unsigned n = 0;
  while ((set >> n & 1U) == 0)
    ++n;
  return "opcode " + std::to_string(n);
}

// Why a stage cannot work whatever stands beside it; empty when it can.
std::string fault_of(const agreed_extension& e, const conditions& where) {
  const claims& c = e.terms.uses;
  if (!e.terms.work) return "has no stage";
  if (where.inband && (c.at == layer::frame || c.per_frame || c.interleaves || c.unmasked))
    return "works on frames, which in-band are not its own";
  const stage_table& hooks = e.terms.work.table();
  if ((c.rsv & ~rsv_bits) != 0) return "claims a bit that is none of RSV1 to RSV3";
  if ((c.opcodes & ~(data_opcodes | control_opcodes)) != 0)
    return "claims " + name_of_opcode(c.opcodes & ~(data_opcodes | control_opcodes)) +
           "; only 3 to 7 and 11 to 15 are free for extensions";
  if ((c.opcodes & control_opcodes) != 0 && hooks.control == nullptr)
    return "claims a control opcode and has no control hook";
  if (c.ext_data_max > max_ext_data) return "claims more than 16 bytes of extension data";
  if (c.ext_data_max != 0 && c.at != layer::frame) return "claims extension data and is no frame stage";
  if (c.trim_max > most_trim) return "claims to trim more than 8 bytes";
  if ((c.at == layer::frame) != (hooks.frame_in != nullptr))
    return c.at == layer::frame ? "is a frame stage without frame hooks" : "has frame hooks and is no frame stage";
  if (c.interleaves && c.at != layer::frame) return "claims to mix fragments and is no frame stage";
  if (hooks.frame_in == nullptr && (hooks.frame_quota != nullptr || hooks.frame_urgency != nullptr))
    return "has a quota or urgency hook and no frame hooks";
  if (hooks.frame_urgency != nullptr && !c.interleaves)
    return "says how urgent messages are and does not mix fragments";
  if (c.unmasked && !where.secure_path) return "takes masking away on a path that is neither TLS nor loopback";
  return {};
}

// Why `app` cannot stand nearer to the application than `net`; empty when it can.
std::string conflict(const claims& app, const claims& net) {
  if ((app.rsv & net.rsv) != 0) return "both claim " + name_of_bit(app.rsv & net.rsv);
  if ((app.opcodes & net.opcodes) != 0) return "both claim " + name_of_opcode(app.opcodes & net.opcodes);
  if (app.at == layer::frame && net.at == layer::message)
    return "the first works on frames and must stand behind all that work on messages";
  if (app.per_frame && compresses(net)) return "the first needs its frames kept and the second compresses them";
  if (app.ordered && net.reorders && !net.restores_order)
    return "the first must see messages in order and the second lets them out in another";
  if (app.ordered && net.replays)
    return "the second sends messages again that the first has encoded for this connection only";
  if (app.rsv != 0 && net.replays)
    return "the second keeps messages to have them sent again, and must get them before the first changes them";
  if (app.interleaves && net.interleaves) return "both let the fragments of several messages mix";
  if ((app.ordered && net.interleaves) || (app.interleaves && net.ordered))
    return "one must see messages in order and the other lets their fragments mix";
  return {};
}

}  // namespace

bool compose(std::span<const agreed_extension> stages, const conditions& where, std::string& why) {
  for (const agreed_extension& e : stages) {
    const std::string fault = fault_of(e, where);
    if (!fault.empty()) {
      why = e.name + " " + fault;
      return false;
    }
  }
  for (std::size_t net = 1; net < stages.size(); ++net) {
    for (std::size_t app = 0; app < net; ++app) {
      const std::string clash = conflict(stages[app].terms.uses, stages[net].terms.uses);
      if (clash.empty()) continue;
      why = stages[app].name + " and " + stages[net].name + ": " + clash;
      return false;
    }
  }
  unsigned ext_data = 0;
  for (const agreed_extension& e : stages)
    ext_data += e.terms.uses.ext_data_max;
  if (ext_data > max_ext_data) {
    why = "together they claim more than 16 bytes of extension data a frame";
    return false;
  }
  return true;
}

}  // namespace core
HAWSER_END
