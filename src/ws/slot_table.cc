#include "ws/slot_table.h"

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

HAWSER_BEGIN

namespace {

constexpr std::uint32_t segment_bits = 10;
constexpr std::uint32_t segment_size = 1U << segment_bits;
constexpr std::uint32_t most_segments = 4096;

// The one allowed static state: segments are never moved or freed, so that a check needs no lock.
struct table {
  std::array<std::atomic<slot*>, most_segments> segments{};
  std::mutex lock;
  std::uint32_t free = 0;  // First free slot's index; 0: none. Index 0 is never handed out.
  std::uint32_t made = 0;
  mailbox* boxes = nullptr;  // Those that serve no loop.
};

table& the_table() noexcept {
  // Never destroyed: outlives every handle, also those in other static objects.
  alignas(table) static std::byte memory[sizeof(table)];
  // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): the one table of the process
  static table* t = ::new (static_cast<void*>(memory)) table;
  return *t;
}

slot& slot_at(table& t, std::uint32_t index) noexcept {
  return t.segments[index >> segment_bits].load(std::memory_order_acquire)[index & (segment_size - 1)];
}

void add_segment(table& t) {
  const std::uint32_t number = t.made >> segment_bits;
  if (number == most_segments) throw std::bad_alloc();
  auto segment = std::make_unique<slot[]>(segment_size);
  for (std::uint32_t i = segment_size; i-- > (number == 0 ? 1U : 0U);) {
    segment[i].link = t.free;
    t.free = t.made + i;
  }
  t.made += segment_size;
  t.segments[number].store(segment.release(), std::memory_order_release);
}

}  // namespace

bool mailbox::post(function<void()> call) {
  const std::lock_guard guard(lock_);
  if (loop_ == nullptr) return false;
  loop_->post(std::move(call));
  return true;
}

void mailbox::attach(net::loop& owner, const std::vector<session*>& sessions) {
  sessions_ = &sessions;
  const std::lock_guard guard(lock_);
  loop_ = &owner;
}

void mailbox::detach() {
  const std::lock_guard guard(lock_);
  loop_ = nullptr;
}

mailbox& acquire_mailbox() {
  table& t = the_table();
  const std::lock_guard guard(t.lock);
  if (t.boxes == nullptr) return *new mailbox;
  mailbox* box = t.boxes;
  t.boxes = box->next_free;
  return *box;
}

void release_mailbox(mailbox& box) {
  box.detach();
  table& t = the_table();
  const std::lock_guard guard(t.lock);
  box.next_free = t.boxes;
  t.boxes = &box;
}

slot_key acquire_slot(mailbox& box) {
  table& t = the_table();
  const std::lock_guard guard(t.lock);
  if (t.free == 0) add_segment(t);
  const std::uint32_t index = t.free;
  slot& s = slot_at(t, index);
  t.free = s.link;
  s.box.store(&box, std::memory_order_release);
  return {index, s.generation.load(std::memory_order_relaxed)};
}

void release_slot(std::uint32_t index) noexcept {
  table& t = the_table();
  slot& s = slot_at(t, index);
  const std::uint32_t next = s.generation.load(std::memory_order_relaxed) + 1;
  s.generation.store(next, std::memory_order_release);
  s.box.store(nullptr, std::memory_order_release);
  s.full.store(false, std::memory_order_relaxed);
  s.shut.store(false, std::memory_order_release);
  if (next == 0) return;  // All its generations are used up: it retires, so that no two connections share a handle.
  const std::lock_guard guard(t.lock);
  s.link = t.free;
  t.free = index;
}

slot* find_slot(std::uint32_t index) noexcept {
  table& t = the_table();
  slot* segment = t.segments[index >> segment_bits].load(std::memory_order_acquire);
  return segment == nullptr ? nullptr : segment + (index & (segment_size - 1));
}

HAWSER_END
