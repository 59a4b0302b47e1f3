#include <hawser/base/buffer.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <limits>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAWSER_ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAWSER_ADDRESS_SANITIZER 1
#endif
#if defined(HAWSER_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#endif

HAWSER_BEGIN

namespace detail {
namespace {

// Contents are powers of two and the three quarter steps between them: 64, 80, 96, 112, 128, 160 ... 64 MiB, each
// behind its headroom. So at most a fifth of a block is unused, nothing where the size is one that people choose, and
// every capacity is a multiple of 16.
constexpr std::size_t smallest = 64;
constexpr std::size_t largest = std::size_t{64} << 20;
constexpr std::uint8_t class_count = 4 * (std::bit_width(largest) - std::bit_width(smallest)) + 1;
constexpr std::uint8_t no_class = 0xFF;  // Larger than the largest class: never kept.
// Below this nothing overflows; whether there is that much is for the system to say.
constexpr std::size_t most_content = std::numeric_limits<std::size_t>::max() / 2 - buffer::headroom;

static_assert(sizeof(block) % buffer::headroom == 0 && alignof(block) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);

constexpr std::uint8_t class_for(std::size_t content) noexcept {
  if (content <= smallest) return 0;
  if (content > largest) return no_class;
  const std::size_t exponent = std::bit_width(content - 1) - 1U;  // 2^exponent < content <= 2^(exponent + 1)
  const std::size_t quarter = (content - 1 - (std::size_t{1} << exponent)) >> (exponent - 2);
  return static_cast<std::uint8_t>(4 * (exponent + 1U - std::bit_width(smallest)) + quarter + 1);
}

constexpr std::size_t content_of(std::uint8_t size_class) noexcept {
  const std::size_t base = smallest << (size_class / 4);
  return base + base / 4 * (size_class % 4);
}

static_assert(class_for(largest) == class_count - 1 && content_of(class_count - 1) == largest);
static_assert(content_of(class_for(65)) == 80 && content_of(class_for(128)) == 128);

[[noreturn]] void throw_bad_alloc() {
#if defined(__cpp_exceptions)
  throw std::bad_alloc();
#else
  std::abort();
#endif
}

// A kept block is free memory: with AddressSanitizer, touching it is reported as if the system had it back.
void poison([[maybe_unused]] block* b) noexcept {
#if defined(HAWSER_ADDRESS_SANITIZER)
  ASAN_POISON_MEMORY_REGION(b->bytes(), b->capacity);
#endif
}
void unpoison([[maybe_unused]] block* b) noexcept {
#if defined(HAWSER_ADDRESS_SANITIZER)
  ASAN_UNPOISON_MEMORY_REGION(b->bytes(), b->capacity);
#endif
}

block* allocate(std::uint8_t size_class, std::size_t capacity, pool_core* home) {
  void* memory = ::operator new(sizeof(block) + capacity);
  return ::new (memory) block{{1}, {false}, size_class, capacity, home, nullptr};
}

void deallocate(block* b) noexcept {
  unpoison(b);
  b->~block();
  ::operator delete(static_cast<void*>(b));
}

}  // namespace

// What blocks know of their pool. Lives until the pool and its last block are gone.
struct pool_core {
  explicit pool_core(std::size_t keep) noexcept : keep_bytes(keep) {}

  block* take(std::size_t content);
  void come_home(block* b) noexcept;         // on the pool's thread
  void come_home_shared(block* b) noexcept;  // on any thread
  void drain() noexcept;
  void close() noexcept;

  void keep(block* b) noexcept;
  void make_room(std::size_t capacity, std::uint8_t spared) noexcept;
  void take_back(block* list) noexcept;
  void lose_orphan(block* b) noexcept;
  // Stands in `returned` for "the pool is gone"; never looked into.
  block* gone_mark() noexcept { return reinterpret_cast<block*>(this); }

  const std::size_t keep_bytes;
  std::size_t kept = 0;
  std::size_t used = 0;
  std::size_t out = 0;  // Blocks that are not kept, those on the way home included.
  bool closed = false;
  std::uint8_t victim = 0;
  std::array<block*, class_count> free{};

  // Shared blocks on their way home. Only whole lists are ever taken off, so a block that leaves and comes back between
  // two looks at the head does no harm.
  std::atomic<block*> returned{nullptr};
  // Blocks still out after the pool is gone. Below zero while blocks come home and `close` has not counted them yet.
  std::atomic<std::ptrdiff_t> orphans{0};
};

block* pool_core::take(std::size_t content) {
  drain();
  const std::uint8_t size_class = class_for(content);
  block* b = size_class == no_class ? nullptr : free[size_class];
  if (b != nullptr) {
    free[size_class] = b->next;
    kept -= b->capacity;
    unpoison(b);
    b->count.store(1, std::memory_order_relaxed);
    b->shared.store(false, std::memory_order_relaxed);
  } else {
    b = allocate(size_class, buffer::headroom + (size_class == no_class ? content : content_of(size_class)), this);
  }
  used += b->capacity;
  ++out;
  return b;
}

void pool_core::come_home(block* b) noexcept {
  if (closed) return lose_orphan(b);
  used -= b->capacity;
  --out;
  keep(b);
}

void pool_core::come_home_shared(block* b) noexcept {
  block* head = returned.load(std::memory_order_acquire);
  do {
    if (head == gone_mark()) return lose_orphan(b);
    b->next = head;
  } while (!returned.compare_exchange_weak(head, b, std::memory_order_release, std::memory_order_acquire));
}

void pool_core::keep(block* b) noexcept {
  if (b->size_class == no_class || b->capacity > keep_bytes) return deallocate(b);
  if (kept + b->capacity > keep_bytes) make_room(b->capacity, b->size_class);
  if (kept + b->capacity > keep_bytes) return deallocate(b);
  poison(b);
  b->next = std::exchange(free[b->size_class], b);
  kept += b->capacity;
}

// What came home last is what is used now; blocks of other sizes give way, so that a program whose messages change
// their size is not stuck with blocks it no longer needs.
void pool_core::make_room(std::size_t capacity, std::uint8_t spared) noexcept {
  for (int tries = 0; tries < class_count && kept + capacity > keep_bytes; ++tries) {
    victim = static_cast<std::uint8_t>((victim + 1) % class_count);
    if (victim == spared) continue;
    while (free[victim] != nullptr && kept + capacity > keep_bytes) {
      block* b = free[victim];
      free[victim] = b->next;
      kept -= b->capacity;
      deallocate(b);
    }
  }
}

void pool_core::drain() noexcept {
  if (returned.load(std::memory_order_relaxed) == nullptr) return;
  take_back(returned.exchange(nullptr, std::memory_order_acquire));
}

void pool_core::take_back(block* list) noexcept {
  while (list != nullptr)
    come_home(std::exchange(list, list->next));
}

void pool_core::close() noexcept {
  take_back(returned.exchange(gone_mark(), std::memory_order_acq_rel));
  for (block* list : free) {
    while (list != nullptr)
      deallocate(std::exchange(list, list->next));
  }
  closed = true;
  const auto left = static_cast<std::ptrdiff_t>(out);
  if (orphans.fetch_add(left, std::memory_order_acq_rel) + left == 0) delete this;
}

void pool_core::lose_orphan(block* b) noexcept {
  deallocate(b);
  if (orphans.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void release(block* b) noexcept {
  if (b->shared.load(std::memory_order_relaxed))
    b->home->come_home_shared(b);
  else
    b->home->come_home(b);
}

}  // namespace detail

buffer_pool::buffer_pool(std::size_t keep_bytes) : core_(new detail::pool_core(keep_bytes)) {}

buffer_pool::~buffer_pool() { core_->close(); }

buffer buffer_pool::take(std::size_t size, std::size_t extra) {
  if (size > detail::most_content || extra > detail::most_content - size) detail::throw_bad_alloc();
  return {core_->take(size + extra), buffer::headroom, size};
}

std::size_t buffer_pool::kept_bytes() const noexcept {
  core_->drain();
  return core_->kept;
}

std::size_t buffer_pool::used_bytes() const noexcept {
  core_->drain();
  return core_->used;
}

HAWSER_END
