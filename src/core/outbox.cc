#include <hawser/core/frame.h>
#include <hawser/core/outbox.h>

#include <algorithm>
#include <cstring>

HAWSER_BEGIN
namespace core {

namespace {

constexpr std::size_t most_chunks = 64;   // Gathered at once.
constexpr std::size_t lane_limit = 4096;  // Bytes of control frames that may wait.
constexpr std::size_t longest_control = max_frame_header + 125;
constexpr std::size_t small_chunk = 1024;   // The first chunk of a backlog.
constexpr std::size_t large_chunk = 16384;  // Every further one.

// Copies up to `n` bytes at `at` of the chunks to `to`.
std::size_t peek(std::span<const byte_view> chunks, std::size_t at, std::byte* to, std::size_t n) noexcept {
  std::size_t got = 0;
  for (const byte_view chunk : chunks) {
    if (at >= chunk.size()) {
      at -= chunk.size();
      continue;
    }
    const std::size_t part = std::min(n - got, chunk.size() - at);
    std::memcpy(to + got, chunk.data() + at, part);
    got += part;
    at = 0;
    if (got == n) break;
  }
  return got;
}

// The chunks hold our own frames behind `begun` bytes of something already begun. After `sent` bytes went out, how many
// bytes are left of what is begun then? Walks from frame to frame, so it costs only as much as was sent.
std::size_t left_of_begun(std::span<const byte_view> chunks, std::size_t begun, std::size_t sent) noexcept {
  std::uint64_t at = begun;
  while (at < sent) {
    std::byte head[max_frame_header];
    const std::size_t n = peek(chunks, static_cast<std::size_t>(at), head, sizeof head);
    frame_header h{};
    if (parse_frame_header({head, n}, h) != parse_status::ok) break;
    at += h.size + h.length;
  }
  return static_cast<std::size_t>(at > sent ? at - sent : 0);
}

}  // namespace

struct outbox::queue {
  std::vector<buffer> chunks;
  std::size_t head = 0;      // The first chunk that still has bytes.
  std::size_t bytes = 0;     // In all chunks.
  std::size_t begun = 0;     // At the front: bytes of a frame of which a part has gone.
  std::size_t lane_end = 0;  // From the front to the end of control frames that were let in; 0 when they have gone.
  buffer lane;               // Control frames that wait for a boundary.
  std::byte pong[longest_control];
  std::size_t pong_size = 0;

  [[nodiscard]] std::size_t waiting() const noexcept { return lane.size() + pong_size; }
  void append(buffer b);
  void drop(std::size_t n) noexcept;
  buffer take_lane(buffer_pool& pool);
  void admit_lane(buffer_pool& pool);
};

void outbox::queue::append(buffer b) {
  bytes += b.size();
  if (!chunks.empty()) {
    buffer& last = chunks.back();
    if (last.continues_with(b)) {
      last.resize(last.size() + b.size());
      return;
    }
  }
  chunks.push_back(std::move(b));
}

void outbox::queue::drop(std::size_t n) noexcept {
  bytes -= n;
  while (n > 0) {
    buffer& front = chunks[head];
    const std::size_t part = std::min(n, front.size());
    front.trim_front(part);
    n -= part;
    if (front.empty()) {
      front = {};
      ++head;
    }
  }
  if (head == chunks.size() || head > 2 * most_chunks) {
    chunks.erase(chunks.begin(), chunks.begin() + static_cast<std::ptrdiff_t>(head));
    head = 0;
  }
}

buffer outbox::queue::take_lane(buffer_pool& pool) {
  buffer control = pool.take(waiting());
  if (!lane.empty()) std::memcpy(control.data(), lane.data(), lane.size());
  if (pong_size > 0) std::memcpy(control.data() + lane.size(), pong, pong_size);
  lane = {};
  pong_size = 0;
  return control;
}

// Puts what waits in the control lane at the first frame boundary: it becomes part of the queue.
void outbox::queue::admit_lane(buffer_pool& pool) {
  if (lane_end != 0 || waiting() == 0) return;
  buffer control = take_lane(pool);
  std::size_t at = head;
  std::size_t before = begun;
  while (before > 0 && before >= chunks[at].size())
    before -= chunks[at++].size();
  if (before > 0) {
    buffer rest = chunks[at].slice(before, chunks[at].size() - before);
    chunks[at].resize(before);
    chunks.insert(chunks.begin() + static_cast<std::ptrdiff_t>(++at), std::move(rest));
  }
  bytes += control.size();
  lane_end = begun + control.size();
  chunks.insert(chunks.begin() + static_cast<std::ptrdiff_t>(at), std::move(control));
}

turn_block::turn_block() : bytes_(new std::byte[capacity]) {}
turn_block::~turn_block() = default;

outbox::~outbox() { delete queue_; }

outbox::queue& outbox::need_queue() {
  if (queue_ == nullptr) queue_ = new queue;
  return *queue_;
}

std::byte* outbox::reserve(turn_block& block, buffer_pool& pool, std::size_t n) {
  if (block.holder_ == this) {
    if (block.size_ + n <= turn_block::capacity) return block.bytes_.get() + block.size_;
    spill(block, pool, block.sent_);
  }
  queue& q = need_queue();
  if (q.chunks.empty() || q.chunks.back().back_room() < n || !q.chunks.back().sole_owner())
    q.chunks.push_back(pool.take(0, std::max(n, q.chunks.empty() ? small_chunk : large_chunk)));
  return q.chunks.back().data() + q.chunks.back().size();
}

void outbox::commit(turn_block& block, std::size_t n) noexcept {
  if (block.holder_ == this) {
    block.size_ += n;
    return;
  }
  buffer& last = queue_->chunks.back();
  last.resize(last.size() + n);
  queue_->bytes += n;
}

void outbox::append(turn_block& block, buffer bytes) {
  if (block.holder_ != this) return need_queue().append(std::move(bytes));
  const std::size_t size = bytes.size();
  if (!block.references_.empty()) {
    turn_block::reference& last = block.references_.back();
    if (last.at == block.size_ && last.owner && last.owner.continues_with(bytes)) {
      last.owner.resize(last.owner.size() + size);
      last.bytes = last.owner.view();
      block.referenced_ += size;
      return;
    }
  }
  const byte_view view = bytes.view();
  block.references_.push_back({block.size_, view, std::move(bytes)});
  block.referenced_ += size;
}

void outbox::append_view(turn_block& block, buffer_pool& pool, byte_view bytes) {
  if (block.holder_ == this) {
    block.references_.push_back({block.size_, bytes, {}});
    block.referenced_ += bytes.size();
    return;
  }
  buffer copy = pool.take(bytes.size());
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  need_queue().append(std::move(copy));
}

void outbox::append_raw(turn_block& block, buffer_pool& pool, byte_view bytes) {
  if (block.holder_ == this)
    block.raw_ += bytes.size();
  else
    need_queue().begun += bytes.size();
  for (std::size_t at = 0; at < bytes.size();) {
    const byte_view part = bytes.subspan(at, std::min<std::size_t>(bytes.size() - at, 65536));
    std::memcpy(reserve(block, pool, part.size()), part.data(), part.size());
    commit(block, part.size());
    at += part.size();
  }
}

void outbox::append_rest(buffer_pool& pool, const buffer& frames, std::size_t done, bool copy) {
  buffer rest = frames.slice(done, frames.size() - done);
  if (copy) {
    buffer own = pool.take(rest.size());
    std::memcpy(own.data(), rest.data(), rest.size());
    rest = std::move(own);
  }
  queue& q = need_queue();
  const byte_view all = frames.view();
  q.begun = left_of_begun({&all, 1}, 0, done);
  q.append(std::move(rest));
}

bool outbox::overtake(buffer_pool& pool, byte_view frame) {
  queue& q = need_queue();
  if (q.lane.size() + frame.size() > lane_limit) return false;
  if (!q.lane) q.lane = pool.take(0, lane_limit);
  std::memcpy(q.lane.data() + q.lane.size(), frame.data(), frame.size());
  q.lane.resize(q.lane.size() + frame.size());
  return true;
}

void outbox::overtake_with_pong(byte_view frame) {
  queue& q = need_queue();
  std::memcpy(q.pong, frame.data(), frame.size());
  q.pong_size = frame.size();
}

bool outbox::lane_has_room() const noexcept {
  return queue_ == nullptr || queue_->lane.size() + longest_control <= lane_limit;
}

void outbox::settle_lane(buffer_pool& pool) {
  if (queue_ == nullptr || queue_->waiting() == 0) return;
  queue_->admit_lane(pool);
  if (queue_->waiting() > 0) queue_->append(queue_->take_lane(pool));
}

// What the block holds and the system has not taken, in order.
void outbox::view_block(turn_block& block) {
  std::vector<byte_view>& out = block.gathered_;
  out.clear();
  std::size_t skip = block.sent_;
  const auto add = [&](byte_view bytes) {
    const std::size_t cut = std::min(skip, bytes.size());
    skip -= cut;
    if (cut < bytes.size()) out.push_back(bytes.subspan(cut));
  };
  const std::byte* bytes = block.bytes_.get();
  std::size_t at = 0;
  for (const turn_block::reference& r : block.references_) {
    add({bytes + at, r.at - at});
    add(r.bytes);
    at = r.at;
  }
  add({bytes + at, block.size_ - at});
}

void outbox::view_queue(turn_block& block) const {
  block.gathered_.clear();
  const std::size_t n = std::min(queue_->chunks.size() - queue_->head, most_chunks);
  for (std::size_t i = 0; i < n; ++i)
    block.gathered_.push_back(queue_->chunks[queue_->head + i].view());
}

std::span<const byte_view> outbox::gather_chunks(turn_block& block, buffer_pool& pool) {
  if (block.holder_ == this) {
    view_block(block);
  } else if (queue_ != nullptr) {
    queue_->admit_lane(pool);
    view_queue(block);
  } else {
    return {};
  }
  const std::span<const byte_view> all(block.gathered_);
  return all.first(std::min(all.size(), most_chunks));
}

// Less than everything. A short write ends the use of the block for this turn: what is left waits in the backlog. That
// not everything was offered at once is no short write.
void outbox::sent_part(turn_block& block, buffer_pool& pool, std::size_t n) {
  if (block.holder_ == this) {
    view_block(block);
    std::size_t offered = 0;
    for (std::size_t i = 0; i < std::min(block.gathered_.size(), most_chunks); ++i)
      offered += block.gathered_[i].size();
    block.sent_ += n;
    if (n < offered) spill(block, pool, block.sent_);
    return;
  }
  if (queue_ == nullptr) return;
  queue& q = *queue_;
  view_queue(block);
  q.begun = left_of_begun(block.gathered_, q.begun, n);
  q.lane_end -= std::min(q.lane_end, n);
  q.drop(n);
  if (q.bytes + q.waiting() == 0) {
    delete queue_;
    queue_ = nullptr;
  }
}

// Moves what follows the first `from` bytes of the block into the queue and gives the block back: counted bytes by
// reference, all else by copy, because the block and the receive area go to the next connection.
void outbox::spill(turn_block& block, buffer_pool& pool, std::size_t from) {
  queue& q = need_queue();
  block.sent_ = 0;
  view_block(block);
  q.begun += left_of_begun(block.gathered_, block.raw_, from);
  std::size_t skip = from;
  const auto take = [&](byte_view bytes, const buffer* owner) {
    const std::size_t cut = std::min(skip, bytes.size());
    skip -= cut;
    bytes = bytes.subspan(cut);
    if (bytes.empty()) return;
    if (owner != nullptr) return q.append(owner->slice(cut, bytes.size()));
    buffer copy = pool.take(bytes.size());
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    q.append(std::move(copy));
  };
  std::size_t at = 0;
  for (const turn_block::reference& r : block.references_) {
    take({block.bytes_.get() + at, r.at - at}, nullptr);
    take(r.bytes, r.owner ? &r.owner : nullptr);
    at = r.at;
  }
  take({block.bytes_.get() + at, block.size_ - at}, nullptr);
  reset(block);
  block.holder_ = nullptr;
}

std::size_t outbox::queued() const noexcept { return queue_->bytes + queue_->waiting(); }

std::size_t outbox::backlog_bytes() const noexcept { return queue_->bytes; }

void outbox::clear(turn_block& block) noexcept {
  if (block.holder_ == this) {
    reset(block);
    block.holder_ = nullptr;
  }
  delete queue_;
  queue_ = nullptr;
}

}  // namespace core
HAWSER_END
