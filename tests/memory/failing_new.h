// An operator new that fails when a test wants it to, for the whole program that this is part of: one source includes
// it.
#pragma once

#include <malloc.h>
#include <string.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string_view>

namespace hawser::test {

inline constexpr std::size_t many = 2000;  // More allocations than any scenario makes.

inline thread_local bool spared = false;        // The test's own thread.
inline std::atomic<std::int64_t> fails_at{-1};  // Counts down; below zero nothing fails.
inline std::atomic<bool> failed{false};
inline std::atomic<bool> new_is_spared{false};  // What fails is allocated in another way.
inline std::atomic<std::int64_t> alive{0};      // What has been allocated and not been freed.
inline std::string_view secret;                 // Must not stand in what is freed. Set while nothing else runs.
inline std::atomic<int> leaked{0};              // How often it did.

inline bool fails_now() noexcept {
  if (spared || fails_at.load(std::memory_order_relaxed) < 0) return false;
  if (fails_at.fetch_sub(1, std::memory_order_relaxed) != 0) return false;
  failed.store(true, std::memory_order_relaxed);
  return true;
}

inline void note_freed(void* p) noexcept {
  alive.fetch_sub(1, std::memory_order_relaxed);
  if (!secret.empty() && ::memmem(p, ::malloc_usable_size(p), secret.data(), secret.size()) != nullptr)
    leaked.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace hawser::test

[[gnu::noinline]] void* operator new(std::size_t n) {
  if (hawser::test::new_is_spared.load(std::memory_order_relaxed) || !hawser::test::fails_now()) {
    if (void* p = std::malloc(n == 0 ? 1 : n)) {
      hawser::test::alive.fetch_add(1, std::memory_order_relaxed);
      return p;
    }
  }
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  if (p != nullptr) hawser::test::note_freed(p);
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { operator delete(p); }
