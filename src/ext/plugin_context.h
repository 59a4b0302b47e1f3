// What a plug-in is handed as its context, and how one that is over is told from the one of the hook that runs.
//
// Each hook is handed the next of a few contexts of its stage. They stay where they are when the stage has gone, and
// are used again as late as can be: whoever kept one finds that it stands for nothing, not memory of somebody else.
#pragma once

#include <hawser/core/stage.h>
#include <hawser/plugin.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

HAWSER_BEGIN
namespace ext::detail {

struct plugin_stage;
class context_rings;

/// One of a stage's contexts. The plug-in sees its base.
struct handed_context : hawser_context {
  context* now = nullptr;         ///< Of the hook that it was handed to, while that runs.
  plugin_stage* owner = nullptr;  ///< Null when the stage has gone.
  context_rings* home = nullptr;
};

/// The contexts of a stage, handed out in turn: one from up to seven hooks ago is certainly another one.
struct context_ring {
  static constexpr std::size_t size = 8;
  std::array<handed_context, size> all;
  context_ring* next = nullptr;  ///< While no stage has it.
};

/// The contexts of all stages of a plug-in. Safe from any thread: stages of one plug-in live on several.
class context_rings {
 public:
  explicit context_rings(const hawser_context_api& api) noexcept : api_(&api) {}
  ~context_rings();
  context_rings(const context_rings&) = delete;
  context_rings& operator=(const context_rings&) = delete;

  context_ring* take(plugin_stage& owner);
  void give_back(context_ring* ring) noexcept;

  /// Counts a call with the context of a hook that is over, where no other hook of that stage runs.
  void stray() noexcept { strays_.fetch_add(1, std::memory_order_relaxed); }
  /// How many there were since this was asked.
  std::uint32_t take_strays() noexcept {
    return strays_.load(std::memory_order_relaxed) == 0 ? 0 : strays_.exchange(0, std::memory_order_relaxed);
  }

 private:
  // So many wait at least before one of them is used again.
  static constexpr std::size_t rest = 64;

  class holding;  // Holds `busy_`, for a few instructions.

  const hawser_context_api* api_;
  std::atomic_flag busy_;
  std::atomic<std::uint32_t> strays_ = 0;
  context_ring* oldest_ = nullptr;
  context_ring* youngest_ = nullptr;
  std::size_t waiting_ = 0;
};

}  // namespace ext::detail
HAWSER_END
