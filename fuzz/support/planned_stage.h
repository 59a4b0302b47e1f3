// A stage that does what a plan says, and writes down all that it was asked.
#pragma once

#include "support/tape.h"

#include <hawser/core/extension.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

namespace hawser::fuzz {

/// What a stage claims, and what it does with one message after the other.
struct stage_plan {
  claims uses;
  std::array<std::uint8_t, 4> verdicts{};  ///< Bits 0-2: the verdict; 3-5: what it does beside; 6: an edge; 7: its bit.

  static stage_plan read(tape& input, unsigned rsv) {
    stage_plan p;
    const std::uint8_t what = input.next();
    p.uses.rsv = static_cast<std::uint8_t>(rsv);
    p.uses.in_needs_rsv = (what & 1) != 0;
    p.uses.opcodes_of_interest = static_cast<std::uint16_t>((what >> 1 & 3U) << 1 ^ 6U);
    p.uses.out_min_size = (what & 8) != 0 ? 126 : 0;
    if (rsv == 4) p.uses.opcodes = static_cast<std::uint16_t>(1U << 11 | ((what & 16) != 0 ? 1U << 3 : 0U));
    for (std::uint8_t& v : p.verdicts)
      v = input.next();
    return p;
  }
};

class planned_stage {
 public:
  static constexpr unsigned hooks = hook::observe | hook::in_place | hook::transform | hook::whole | hook::retained |
                                    hook::prefix | hook::suffix | hook::done | hook::control | hook::timer |
                                    hook::open | hook::flush | hook::closed;
  planned_stage(const stage_plan& plan, std::string& log) : plan_(plan), log_(&log) {}

  verdict begin(direction way, head& h, context& c) {
    said('b', h.opcode, h.rsv, h.sized, h.sized != 0 ? h.size : 0, c.now().time_since_epoch().count(), c.room(way),
         c.limit(way));
    const std::uint8_t what = plan_.verdicts[messages_++ % plan_.verdicts.size()];
    if (way == direction::in)
      h.rsv = static_cast<std::uint8_t>(h.rsv & ~plan_.uses.rsv);
    else if ((what & 0x80) != 0)
      h.rsv = static_cast<std::uint8_t>(h.rsv | plan_.uses.rsv);
    beside(way, h, what >> 3 & 7U, c);
    return verdict_of(what, c);
  }
  void observe(direction way, byte_view chunk, bool fin, context&) { passed('o', way, chunk, fin); }
  void in_place(direction way, byte_span chunk, bool fin, context&) {
    passed('i', way, chunk, fin);
    for (std::byte& b : chunk)
      b ^= std::byte{1};
  }
  step transform(direction way, byte_view in, byte_span out, bool fin, context&) {
    passed('t', way, in, fin);
    const std::size_t n = std::min(in.size(), out.size());
    if (n > 0) std::memcpy(out.data(), in.data(), n);
    return {n, n, n < in.size() ? flow::full : fin ? flow::done : flow::more};
  }
  void whole(direction way, const head& h, buffer body, context& c) {
    passed('w', way, body.view(), true);
    said('f', c.forward(way, h, std::move(body)));
  }
  void retained(direction way, const head&, const buffer& body, context&) { passed('r', way, body.view(), true); }
  void prefix(direction way, byte_span edge, context&) { mark('p', way, edge); }
  void suffix(direction way, byte_span edge, context&) { mark('s', way, edge); }
  void done(direction way, context&) { said('d', static_cast<int>(way)); }
  void control(std::uint8_t op, byte_view bytes, context&) { passed('c', direction::in, bytes, op == 11); }
  void timer(context& c) { said('T', c.emit_control(11, as_bytes("time"))); }
  void open(context&) { said('O'); }
  void flush(context& c) { said('F', c.room(direction::out)); }
  void closed(close_code code, context&) { said('C', static_cast<unsigned>(code)); }

 private:
  verdict verdict_of(std::uint8_t what, context& c) {
    constexpr verdict of[] = {verdict::bypass,    verdict::bypass, verdict::observe, verdict::in_place,
                              verdict::transform, verdict::whole,  verdict::retain,  verdict::bypass};
    if ((what & 0x7F) == 0x7F) {
      c.fail(close_code::policy_violation, "as planned");
      return verdict::reject;
    }
    const verdict v = of[what & 7U];
    const bool edges = v.what == verdict::kind::observe || v.what == verdict::kind::in_place;
    return edges && (what & 0x40) != 0 ? v.prefix(2).suffix(3) : v;
  }

  // What a stage asks for in the middle of its `begin`.
  void beside(direction way, const head& h, unsigned what, context& c) {
    switch (what) {
      case 1:
        said('e', c.emit_control(11, as_bytes("beside")));
        break;
      case 2:
        c.arm(c.now() + std::chrono::milliseconds(700));
        break;
      case 3: {
        head own;
        own.opcode = 2;
        buffer body = c.take_buffer(5);
        std::memcpy(body.data(), "extra", 5);
        said('x', h.opcode, c.forward(way, own, std::move(body)));
        break;
      }
      default:
        break;
    }
  }

  void mark(char what, direction way, byte_span edge) {
    if (way == direction::out) std::fill(edge.begin(), edge.end(), static_cast<std::byte>(what));
    passed(what, way, edge, false);
  }
  void passed(char what, direction way, byte_view bytes, bool fin) {
    said(what, static_cast<int>(way), bytes.size(), fin);
    if (!bytes.empty()) log_->append(as_text(bytes.first(std::min<std::size_t>(bytes.size(), 32))));
  }
  template <class... Numbers>
  void said(char what, Numbers... numbers) {
    log_->push_back(what);
    ((log_->append(std::to_string(numbers)), log_->push_back(':')), ...);
  }

  stage_plan plan_;
  std::string* log_;
  std::size_t messages_ = 0;
};

}  // namespace hawser::fuzz
