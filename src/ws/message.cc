#include <hawser/core/utf8.h>
#include <hawser/ws/message.h>

#include <cstring>
#include <utility>

HAWSER_BEGIN

bool message::is_utf8() const noexcept { return core::valid_utf8(payload_); }

message message::take() const {
  message owned = *this;
  owned.lent_owner_ = nullptr;
  if (lent_owner_ != nullptr && *lent_owner_ && lent_owner_->data() == payload_.data()) {
    owned.owner_ = *lent_owner_;
  } else if (!owner_ && pool_ != nullptr && !payload_.empty()) {
    owned.owner_ = pool_->take(payload_.size());
    std::memcpy(owned.owner_.data(), payload_.data(), payload_.size());
  }
  if (notes_ && notes_.use_count() == 0) owned.notes_ = std::make_shared<const core::notes>(*notes_);
  owned.pool_ = nullptr;
  if (owned.owner_) {
    owned.owner_.share();
    owned.payload_ = owned.owner_.view();
  }
  return owned;
}

HAWSER_END
