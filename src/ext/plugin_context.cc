#include "ext/plugin_context.h"

#include <utility>

HAWSER_BEGIN
namespace ext::detail {

class context_rings::holding {
 public:
  explicit holding(std::atomic_flag& flag) noexcept : flag_(flag) {
    while (flag_.test_and_set(std::memory_order_acquire)) {
    }
  }
  ~holding() { flag_.clear(std::memory_order_release); }
  holding(const holding&) = delete;
  holding& operator=(const holding&) = delete;

 private:
  std::atomic_flag& flag_;
};

context_rings::~context_rings() {
  while (oldest_ != nullptr)
    delete std::exchange(oldest_, oldest_->next);
}

context_ring* context_rings::take(plugin_stage& owner) {
  context_ring* ring = nullptr;
  {
    const holding now(busy_);
    if (waiting_ > rest) {
      ring = std::exchange(oldest_, oldest_->next);
      --waiting_;
    }
  }
  if (ring == nullptr) ring = new context_ring;
  for (handed_context& c : ring->all) {
    c.api = api_;
    c.owner = &owner;
    c.home = this;
  }
  return ring;
}

void context_rings::give_back(context_ring* ring) noexcept {
  for (handed_context& c : ring->all)
    c.owner = nullptr;
  ring->next = nullptr;
  const holding now(busy_);
  (oldest_ == nullptr ? oldest_ : youngest_->next) = ring;
  youngest_ = ring;
  ++waiting_;
}

}  // namespace ext::detail
HAWSER_END
