#include "core/frame_layer.h"

#include <hawser/core/frame.h>
#include <hawser/core/mask.h>

#include <algorithm>
#include <cstring>
#include <utility>

HAWSER_BEGIN
namespace core {

namespace {

constexpr std::uint64_t frame_size = 16 * 1024;  // With interleaving: so much may stand in the way of what is urgent.
constexpr std::uint64_t message_weight = max_frame_header;  // What a message counts that has no payload at all.
constexpr std::uint8_t fin_bit = 0x80;

}  // namespace

frame_layer::frame_layer(pipeline::state& owner) : s(owner) {
  for (std::uint32_t i = 0; i < s.slots.size(); ++i) {
    const claims& uses = s.agreed[i].terms.uses;
    if (uses.at != layer::frame) continue;
    stages.push_back(i);
    ext_max += uses.ext_data_max;
    interleaves = interleaves || uses.interleaves;
  }
}

// ---- in

bool frame_layer::take_ext(frame& f, byte_view all, std::size_t& used) {
  const std::uint64_t length = f.size;
  used = 0;
  for (std::size_t i = stages.size(); i-- > 0;) {
    const std::uint32_t stage = stages[i];
    const claims& uses = s.agreed[stage].terms.uses;
    const std::size_t there = std::min<std::size_t>(uses.ext_data_max, all.size() - used);
    frame mine = f;
    mine.size = length - used;
    std::size_t took = 0;
    context c(*s.owner, stage);
    const bool returned = s.slots[stage].table->frame_in(s.slots[stage].self, mine, all.subspan(used, there), took, c);
    if (!s.ran(returned, stage, "frame_in")) return false;
    if (took > uses.ext_data_max) {
      s.breach(stage, "its frame_in took more extension data than it claimed");
      return false;
    }
    if (took > there) {
      s.fail(stage, close_code::protocol_error, errc::extension_failed, "frame shorter than its extension data");
      return false;
    }
    used += took;
    if (!uses.interleaves) continue;
    f.channel = mine.channel;
    if (f.channel < max_half_way) continue;
    s.breach(stage, "its frame_in named a channel that does not exist");
    return false;
  }
  return true;
}

// What has come doubles: no place is taken on the word of a header (A11).
void frame_layer::append(half_message& h, byte_view piece, std::uint32_t key) {
  if (piece.empty()) return;
  const std::size_t have_now = h.body.size();
  if (!h.body || h.body.back_room() < piece.size()) {
    buffer grown = s.pool->take(have_now, std::max(piece.size(), have_now));
    if (have_now > 0) std::memcpy(grown.data(), h.body.data(), have_now);
    h.body = std::move(grown);
  }
  mask_copy(h.body.data() + have_now, piece, key);
  h.body.resize(have_now + piece.size());
}

bool frame_layer::waits_for_peer() const noexcept {
  return std::any_of(in.begin(), in.end(), [](const half_message& h) { return h.open; });
}

void frame_layer::note_wait(tick now, std::uint64_t n) noexcept {
  if (since == tick{}) since = now;
  came += n;
}

void frame_layer::settle_wait() noexcept {
  if (waits_for_peer()) return;
  since = {};
  came = 0;
}

// ---- out

std::uint32_t frame_layer::urgency_of(const head& h) {
  if (!interleaves) return 0;
  std::uint32_t urgency = 0;
  for (const std::uint32_t stage : stages) {
    const slot& one = s.slots[stage];
    if (!s.agreed[stage].terms.uses.interleaves || one.table->frame_urgency == nullptr) continue;
    context c(*s.owner, stage);
    s.ran(one.table->frame_urgency(one.self, h, urgency, c), stage, "frame_urgency");
  }
  return urgency;
}

std::uint64_t frame_layer::waiting_before(std::uint32_t urgency) const noexcept {
  std::uint64_t waits = 0;
  for (auto it = classes.begin(); it != classes.end() && it->first >= urgency; ++it)
    waits += it->second.bytes;
  return waits;
}

void frame_layer::queue(std::uint8_t first, buffer piece, bool fin) {
  urgency_class& same = classes[open == nullptr ? announced : open->urgency];
  if (open == nullptr) {
    same.messages.emplace_back();
    open = &same.messages.back();
    open->first = first;
    open->urgency = announced;
  }
  const std::uint64_t weight = piece.size() + (fin ? message_weight : 0);
  same.bytes += weight;
  bytes += weight;
  open->left += piece.size();
  if (!piece.empty()) open->pieces.push_back(std::move(piece));
  open->complete = fin;
  if (fin) open = nullptr;
}

// How much of this message may go in the next frame. False: nothing now.
bool frame_layer::candidate(outgoing& m, std::uint64_t most, std::uint64_t& size) {
  if (m.left == 0 && !m.complete) return false;
  if (interleaves && m.channel == max_half_way && channels == (1U << max_half_way) - 1) return false;
  size = m.pieces.empty() ? 0 : m.pieces.front().size();
  size = std::min(size, most);
  if (interleaves) size = std::min(size, frame_size);
  return ask_quotas(m, size);
}

// What a stage lets pass has to hold the extension data of those nearer to the application as well.
bool frame_layer::ask_quotas(const outgoing& m, std::uint64_t& size) {
  frame f;
  f.opcode = m.first & 0x0FU;
  f.rsv = static_cast<std::uint8_t>(m.first >> 4);
  f.fin = m.complete ? 1 : 0;
  f.channel = m.channel % max_half_way;
  f.urgency = m.urgency;
  f.peer_closed = peer_closed ? 1 : 0;
  std::uint64_t ext = 0;
  for (const std::uint32_t stage : stages) {
    const slot& one = s.slots[stage];
    if (one.table->frame_quota != nullptr && size + ext > 0) {
      std::uint64_t quota = 0;
      f.size = m.left + ext;
      context c(*s.owner, stage);
      if (!s.ran(one.table->frame_quota(one.self, f, quota, c), stage, "frame_quota")) return false;
      if (quota < ext || (quota == ext && size > 0)) return false;
      size = std::min(size, quota - ext);
    }
    ext += s.agreed[stage].terms.uses.ext_data_max;
  }
  return true;
}

// The most urgent that can go. Where a message may not begin, those behind it that are as urgent may not either.
bool frame_layer::cut(std::uint64_t most, frame_cut& out) {
  for (auto& [urgency, same] : classes) {
    for (auto m = same.messages.begin(); m != same.messages.end(); ++m) {
      std::uint64_t size = 0;
      if (candidate(*m, most, size)) return make(same, m, size, out);
      if (s.failed || !interleaves) return false;
      if (m->channel == max_half_way && (m->left > 0 || m->complete)) break;
    }
  }
  return false;
}

// Extension data of all stages: that of the one nearest to the network comes first on the wire.
bool frame_layer::put_ext(const outgoing& m, std::uint64_t size, bool fin, frame_cut& out) {
  frame f;
  f.opcode = m.first & 0x0FU;
  f.rsv = static_cast<std::uint8_t>(m.first >> 4);
  f.fin = fin ? 1 : 0;
  f.channel = m.channel;
  f.urgency = m.urgency;
  f.peer_closed = peer_closed ? 1 : 0;
  out.ext_size = 0;
  for (const std::uint32_t stage : stages) {
    const slot& one = s.slots[stage];
    std::array<std::byte, max_ext_data> room{};
    const std::size_t allowed = s.agreed[stage].terms.uses.ext_data_max;
    f.size = size + out.ext_size;
    std::size_t made = 0;
    context c(*s.owner, stage);
    if (!s.ran(one.table->frame_out(one.self, f, {room.data(), allowed}, made, c), stage, "frame_out")) return false;
    if (made > allowed) {
      s.breach(stage, "its frame_out made more extension data than it claimed");
      return false;
    }
    std::memmove(out.ext.data() + made, out.ext.data(), out.ext_size);
    std::memcpy(out.ext.data(), room.data(), made);
    out.ext_size += made;
  }
  return true;
}

bool frame_layer::make(urgency_class& from, std::list<outgoing>::iterator m, std::uint64_t size, frame_cut& out) {
  if (m->channel == max_half_way) {
    m->channel = 0;
    while (interleaves && (channels >> m->channel & 1U) != 0)
      ++m->channel;
    channels |= 1U << m->channel;
  }
  const bool fin = m->complete && size == m->left;
  if (!put_ext(*m, size, fin, out)) return false;
  out.first = static_cast<std::uint8_t>(m->first | (fin ? fin_bit : 0));
  out.payload = {};
  if (size > 0) {
    buffer& piece = m->pieces.front();
    const auto n = static_cast<std::size_t>(size);
    out.payload = piece.slice(0, n);
    piece.trim_front(n);
    if (piece.empty()) m->pieces.pop_front();
  }
  const std::uint64_t weight = size + (fin ? message_weight : 0);
  m->left -= size;
  from.bytes -= weight;
  bytes -= weight;
  m->first = 0;
  if (!fin) return true;
  channels &= ~(1U << m->channel);
  const std::uint32_t urgency = m->urgency;
  from.messages.erase(m);
  if (from.messages.empty()) classes.erase(urgency);
  return true;
}

void frame_layer::drop_out() noexcept {
  classes.clear();
  channels = 0;
  open = nullptr;
  bytes = 0;
  close_waits = false;
}

void frame_layer::clear() noexcept {
  drop_out();
  for (half_message& h : in)
    h = {};
  gathering = false;
  since = {};
}

}  // namespace core
HAWSER_END
