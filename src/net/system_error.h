// The system's error numbers in the library's words.
#pragma once

#include <hawser/base/errc.h>

HAWSER_BEGIN
namespace net {

/// `error` is a value of `errno`. Any thread.
errc errc_of(int error) noexcept;

/// The same for a connect, where some numbers mean something else.
errc connect_errc_of(int error) noexcept;

}  // namespace net
HAWSER_END
