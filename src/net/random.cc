#include <fcntl.h>
#include <hawser/net/random.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

HAWSER_BEGIN
namespace net {

namespace {

// For systems that refuse getrandom, such as an old kernel or a strict seccomp filter. A predictable key would be worse
// than no program.
void read_device(byte_span out) noexcept {
  const int fd = ::open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) std::terminate();
  while (!out.empty()) {
    const ssize_t n = ::read(fd, out.data(), out.size());
    if (n > 0)
      out = out.subspan(static_cast<std::size_t>(n));
    else if (n == 0 || errno != EINTR)
      std::terminate();
  }
  ::close(fd);
}

void read_kernel(byte_span out) noexcept {
  while (!out.empty()) {
    const ssize_t n = ::getrandom(out.data(), out.size(), 0);
    if (n > 0)
      out = out.subspan(static_cast<std::size_t>(n));
    else if (n < 0 && errno != EINTR)
      return read_device(out);
  }
}

}  // namespace

void system_random::fill(byte_span out) noexcept {
  if (out.size() >= block_.size()) return read_kernel(out);
  while (!out.empty()) {
    if (used_ == block_.size()) {
      read_kernel(block_);
      used_ = 0;
    }
    const byte_span ready = byte_span(block_).subspan(used_, std::min(out.size(), block_.size() - used_));
    std::copy(ready.begin(), ready.end(), out.begin());
    // What was handed out is not kept where it could be read again.
    std::fill(ready.begin(), ready.end(), std::byte{0});
    used_ += ready.size();
    out = out.subspan(ready.size());
  }
}

}  // namespace net
HAWSER_END
