// Randomness as an argument.
#pragma once

#include <hawser/base/bytes.h>

#include <array>
#include <cstdint>
#include <cstring>

HAWSER_BEGIN

/// Where random bytes come from. The owner of a loop injects one; `net` has the default one over the kernel's
/// generator. Used for masking keys and handshake keys, so it must be unpredictable to peers (RFC 6455, 5.3 and 10.3).
class HAWSER_API random_source {
 public:
  random_source() = default;
  random_source(const random_source&) = delete;
  random_source& operator=(const random_source&) = delete;
  virtual ~random_source() = default;

  /// Fills `out` entirely. Called on the owner's thread only.
  virtual void fill(byte_span out) noexcept = 0;
};

/// Hands out masking keys from a block of random bytes, so that the source is asked once in 256 frames.
class masking_keys {
 public:
  /// `source` must outlive this object.
  explicit masking_keys(random_source& source HAWSER_LIFETIME_BOUND) noexcept : source_(&source) {}

  /// A fresh key, never handed out before. RFC 6455, 5.3.
  std::uint32_t next() noexcept {
    if (used_ == keys_.size()) refill();
    return keys_[used_++];
  }

 private:
  void refill() noexcept {
    source_->fill(std::as_writable_bytes(std::span(keys_)));
    used_ = 0;
  }

  random_source* source_;
  std::array<std::uint32_t, 256> keys_{};
  std::size_t used_ = keys_.size();
};

HAWSER_END
