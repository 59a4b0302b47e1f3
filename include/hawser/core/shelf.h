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
    const void* tag = nullptr;
    std::uint64_t key = 0;
    void* what = nullptr;
    void (*destroy)(void* what) noexcept = nullptr;
    std::size_t bytes = 0;
  };

  shelf() noexcept = default;
  ~shelf();
  shelf(const shelf&) = delete;
  shelf& operator=(const shelf&) = delete;

  /// The object put last under `tag` and `key`, which is then the caller's; null when there is none.
  [[nodiscard]] void* take(const void* tag, std::uint64_t key) noexcept;
  /// Keeps an object, or destroys it: at most `most_objects` and `most_bytes` are kept.
  void put(const object& o) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return objects_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  static constexpr std::size_t most_objects = 64;
  static constexpr std::size_t most_bytes = std::size_t{4} << 20;

 private:
  std::vector<object> objects_;
  std::size_t bytes_ = 0;
};

}  // namespace core
HAWSER_END
