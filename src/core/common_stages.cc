#include "core/common_stages.h"

#include <hawser/core/connection.h>

#include <utility>

HAWSER_BEGIN
namespace core {

namespace {

// What peers can choose by their offers is bounded, and so is what is compared in a handshake.
constexpr std::size_t most_known = 32;
// As many messages may be half-way, on connections of one kind, before a pipeline is made for a single message.
constexpr std::size_t most_ready = 64;

bool hears_of_end(const pipeline& stages) noexcept {
  for (std::size_t i = 0; i < stages.size(); ++i)
    if (stages.at(i).terms.work.table().closed != nullptr) return true;
  return false;
}

}  // namespace

common_stages::common_stages(std::unique_ptr<pipeline> first) : resting_(std::move(first)) {
  resting_->belong_to(*this);
  ready_.reserve(most_ready);
}

common_stages* common_stages::among(std::vector<std::unique_ptr<common_stages>>& known,
                                    std::vector<agreed_extension>& stages, role side, buffer_pool& pool,
                                    const pipeline_limits& limits, shelf& lent) {
  if (!can_be_shared(stages)) return nullptr;
  for (const auto& one : known)
    if (one->resting_->is_like(stages, side, limits)) return one.get();
  if (known.size() >= most_known) return nullptr;
  auto first = std::make_unique<pipeline>(std::move(stages), side, pool, limits, 0, &lent);
  known.push_back(std::make_unique<common_stages>(std::move(first)));
  return known.back().get();
}

std::unique_ptr<pipeline> common_stages::borrow() {
  if (!ready_.empty()) {
    std::unique_ptr<pipeline> one = std::move(ready_.back());
    ready_.pop_back();
    return one;
  }
  std::unique_ptr<pipeline> one = resting_->copy();
  one->belong_to(*this);
  return one;
}

void common_stages::give_back(std::unique_ptr<pipeline> borrowed) noexcept {
  if (borrowed->at_rest() && ready_.size() < most_ready) ready_.push_back(std::move(borrowed));
}

// ---- the stages of a connection

void connection::attach(std::vector<agreed_extension> stages, tick now) {
  if (!stages.empty()) set_to_work(std::move(stages), now);
}

void connection::set_to_work(std::vector<agreed_extension> stages, tick now) {
  const limits& l = settings_->bounds;
  pipeline_limits bounds;
  bounds.max_message_in = l.max_message;
  bounds.memory = l.extension_memory;
  common_stages* all = common_stages::among(res_->common_, stages, side_, res_->pool_, bounds, res_->lent_state_);
  if (all == nullptr) {
    pipeline_ =
        std::make_unique<pipeline>(std::move(stages), side_, res_->pool_, bounds, id_, &res_->lent_state_).release();
  } else {
    pipeline_ = &all->resting();
    ++all->users;
    stages_rest_ = true;
    borrow_stages(false);
  }
  in_opcodes_ = pipeline_->wants().in_opcodes;
  out_opcodes_ = pipeline_->wants().out_opcodes;
  if (pipeline_->wants().unmasked) masked_in_ = masked_out_ = false;
  framed_ = pipeline_->frames() != nullptr && !inband_;
  tell_room();
  pipeline_->open(now);
  refresh_hot();
}

void connection::borrow_stages(bool opened) {
  pipeline_ = pipeline_->common()->borrow().release();
  stages_rest_ = false;
  stages_lent_ = true;
  pipeline_->serve(id_, opened, state_ != state::open);
  tell_room();
}

// At the end of a turn: what is half-way, waits or is charged keeps them.
void connection::rest_stages() noexcept {
  if (settle_stages_ || !pipeline_->at_rest()) return;
  common_stages& all = *pipeline_->common();
  all.give_back(std::unique_ptr<pipeline>(pipeline_));
  pipeline_ = &all.resting();
  stages_lent_ = false;
  stages_rest_ = true;
}

// What rests is everybody's, so they hear of the end from one of their own; and not at all when there is no memory for
// one, since the end must need none.
void connection::close_stages(close_code code) {
  if (stages_rest_) {
    if (!hears_of_end(*pipeline_)) return;
    guarded([this] { borrow_stages(true); });
    if (stages_rest_) return;
  }
  pipeline_->closed(code, res_->now_);
}

void connection::leave_stages() noexcept {
  common_stages* all = pipeline_->common();
  std::unique_ptr<pipeline> own(stages_rest_ ? nullptr : pipeline_);
  if (all == nullptr) return;
  if (own) all->give_back(std::move(own));
  if (--all->users == 0) std::erase_if(res_->common_, [all](const auto& one) { return one.get() == all; });
}

}  // namespace core
HAWSER_END
