// What the stages of one loop lend each other: state that is too large to have one a connection and that a stage needs
// only while it works on a message.
#pragma once

#include <hawser/base/config.h>

#include <cstddef>
#include <cstdint>
#include <vector>

HAWSER_BEGIN
namespace core {

/// Objects that wait to be used again, by type and key, youngest first. Stages reach it by `context::borrow` and
/// `context::give_back`. One thread.
class HAWSER_API shelf {
 public:
  /// One object: `tag` stands for its type, and objects of one type and one key are as good as each other.
  struct object {
    const void* tag = nullptr;                       ///< Stands for its type.
    std::uint64_t key = 0;                           ///< Which ones of its type are alike.
    void* what = nullptr;                            ///< The object.
    void (*destroy)(void* what) noexcept = nullptr;  ///< Destroys it.
    std::size_t bytes = 0;                           ///< What it costs.
  };

  shelf() noexcept = default;
  ~shelf();
  shelf(const shelf&) = delete;
  shelf& operator=(const shelf&) = delete;

  /// The object put last under `tag` and `key`, which is then the caller's; null when there is none.
  [[nodiscard]] void* take(const void* tag, std::uint64_t key) noexcept;
  /// Keeps an object, or destroys it: at most `most_objects` and `most_bytes` are kept.
  void put(const object& o) noexcept;

  /// How many objects are kept, and what they cost.
  [[nodiscard]] std::size_t size() const noexcept { return objects_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  static constexpr std::size_t most_objects = 64;                  ///< More are not kept.
  static constexpr std::size_t most_bytes = std::size_t{4} << 20;  ///< Nor is what would cost more.

 private:
  std::vector<object> objects_;
  std::size_t bytes_ = 0;
};

}  // namespace core
HAWSER_END
