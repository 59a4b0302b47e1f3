// The system's randomness, for who drives `core` with a loop of their own.
#pragma once

#include <hawser/base/random.h>

#include <array>
#include <cstddef>

HAWSER_BEGIN
namespace net {

/// Random bytes of the kernel, buffered: what clients and servers use themselves, and what `core::resources` is given
/// under another loop. Unpredictable (RFC 6455, 10.3). One thread. Ends the program where the system gives none.
class HAWSER_API system_random final : public random_source {
 public:
  void fill(byte_span out) noexcept override;

 private:
  std::array<std::byte, 1024> block_{};
  std::size_t used_ = sizeof block_;
};

}  // namespace net
HAWSER_END
