// Stages that serve all connections of a loop that agreed on the same, one message at a time.
#pragma once

#include <hawser/core/pipeline.h>

#include <cstddef>
#include <memory>
#include <vector>

HAWSER_BEGIN
namespace core {

/// Where nothing is left of a message when it is over (`claims::idle_state`), nothing tells the stages of one
/// connection from those of another that agreed on the same. So a connection has a pipeline only for the turns and the
/// messages in which it needs one; while it waits it refers to one that all of them share, which says what was agreed
/// and does nothing: no hook ever runs on it, so that copies of it are like new.
class common_stages {
 public:
  /// Those of `known` that are like `stages`, or new ones, which it gets; null where each connection needs its own.
  static common_stages* among(std::vector<std::unique_ptr<common_stages>>& known, std::vector<agreed_extension>& stages,
                              role side, buffer_pool& pool, const pipeline_limits& limits, shelf& lent);

  explicit common_stages(std::unique_ptr<pipeline> first);

  [[nodiscard]] pipeline& resting() noexcept { return *resting_; }
  [[nodiscard]] std::unique_ptr<pipeline> borrow();
  /// At rest it waits for the next to borrow it; otherwise it goes, as does one whose stages were told of an end.
  void give_back(std::unique_ptr<pipeline> borrowed) noexcept;

  std::size_t users = 0;

 private:
  std::unique_ptr<pipeline> resting_;
  std::vector<std::unique_ptr<pipeline>> ready_;
};

}  // namespace core
HAWSER_END
