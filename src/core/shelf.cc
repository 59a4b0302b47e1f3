#include <hawser/core/shelf.h>

#include <algorithm>
#include <new>

HAWSER_BEGIN
namespace core {

shelf::~shelf() {
  for (const object& o : objects_)
    o.destroy(o.what);
}

void* shelf::take(const void* tag, std::uint64_t key) noexcept {
  const auto found =
      std::find_if(objects_.rbegin(), objects_.rend(), [&](const object& o) { return o.tag == tag && o.key == key; });
  if (found == objects_.rend()) return nullptr;
  void* what = found->what;
  bytes_ -= found->bytes;
  objects_.erase(std::next(found).base());
  return what;
}

void shelf::put(const object& o) noexcept {
  bool kept = objects_.size() < most_objects && o.bytes <= most_bytes - bytes_;
  if (kept) {
    try {
      objects_.push_back(o);
      bytes_ += o.bytes;
    } catch (const std::bad_alloc&) {
      kept = false;
    }
  }
  if (!kept) o.destroy(o.what);
}

}  // namespace core
HAWSER_END
