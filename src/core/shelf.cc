#include <hawser/core/shelf.h>
#include <hawser/core/stage_table.h>

#include <algorithm>

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
  const bool fits = objects_.size() < most_objects && o.bytes <= most_bytes - bytes_;
  if (!fits || !guarded([&] { objects_.push_back(o); })) return o.destroy(o.what);
  bytes_ += o.bytes;
}

}  // namespace core
HAWSER_END
