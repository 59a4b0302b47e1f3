// How a message begins: each stage that it concerns is asked, in line with what sends or receives it.
#pragma once

#include "core/pipeline_state.h"

#include <cstring>
#include <type_traits>

HAWSER_BEGIN
namespace core {

template <direction Way>
constexpr bool concerns(const asked& a, const head& h) noexcept {
  if constexpr (Way == direction::in)
    return (a.in_opcodes >> h.opcode & 1U) != 0 || ((h.rsv & a.in_bits) != 0 && (a.of_interest >> h.opcode & 1U) != 0);
  return (a.of_interest >> h.opcode & 1U) != 0 && (h.size >= a.out_min_size || h.sized == 0);
}

// A head in two registers, from which each stage gets a copy of its own. The statement without instructions keeps them
// two: a head that was just stored as two words and is read as one makes the processor wait for its own stores.
struct head_words {
  explicit head_words(const head& h) noexcept : size(h.size) {
    std::memcpy(&front, &h, sizeof front);
    asm("" : "+r"(front), "+r"(size));  // NOLINT(hicpp-no-assembler)
  }
  void put(head& to) const noexcept {
    std::memcpy(static_cast<void*>(&to), &front, sizeof front);
    to.size = size;
  }

  std::uint64_t front;
  std::uint64_t size;
};
static_assert(sizeof(head) == sizeof(head_words) && offsetof(head, size) == sizeof(std::uint64_t));

/// While it lives, nobody sends or closes on the connection: a stage calls what its user gave it, and that the
/// connection, which is in the middle of the same work.
class asking_stages {
 public:
  explicit asking_stages(pipeline& p) noexcept : p_(p) { p_.holding_ |= pipeline::asks; }
  ~asking_stages() { p_.holding_ &= ~pipeline::asks; }
  asking_stages(const asking_stages&) = delete;
  asking_stages& operator=(const asking_stages&) = delete;

 private:
  pipeline& p_;
};
struct asking_none {
  explicit asking_none(pipeline&) noexcept {}
};

/// Asks each stage that the message concerns; true when nothing came of it. What all of them let be passes here and
/// nowhere else: one call a stage, and nothing is set up that would have to be taken down.
template <direction Way>
[[gnu::always_inline]] inline bool pipeline::state::start(head& h, const asked* from) {
  lane& l = at(Way);
  if ((failed | over | l.used) && !clear(Way, l)) return false;
  // A message of a stage's own opcode comes no further than to its owner.
  const asked* const first = front.data();
  const asked* const end = Way == direction::out ? first + front.size() : h.opcode <= 2 ? first : owner_of(h.opcode);
  head_words known(h);
  const std::conditional_t<Way == direction::out, asking_stages, asking_none> here(*owner);
  for (const asked* i = from; i != end; Way == direction::out ? ++i : --i) {
    const asked& a = Way == direction::out ? *i : i[-1];
    if (!concerns<Way>(a, h)) continue;
    head mine;
    known.put(mine);
    context c(*owner, a.stage);
    const std::uint32_t said = a.begin(a.self, Way, mine, c);
    if (said == packed(verdict::bypass) && !failed && mine.opcode == h.opcode && mine.rsv == h.rsv) [[likely]]
      continue;
    if (!answered(Way, a.stage, said, mine, h)) return false;
    if (l.whole_ahead) break;
    known = head_words(h);
  }
  if (l.count == 0) return works.empty();
  begun(Way, l, h);
  return false;
}

template <direction Way>
[[gnu::always_inline]] inline bool pipeline::lets_be(head& h, tick now) {
  state& s = *state_;
  s.now = now;
  return s.start<Way>(h, s.front.data() + (Way == direction::out ? 0 : s.front.size()));
}

}  // namespace core
HAWSER_END
