#include <hawser/base/result.h>

#include <cstdlib>

HAWSER_BEGIN

namespace detail {

void throw_error(const std::error_code& code) {
#if defined(__cpp_exceptions)
  throw std::system_error(code);
#else
  static_cast<void>(code);
  std::abort();
#endif
}

}  // namespace detail

HAWSER_END
