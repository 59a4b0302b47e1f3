// Threads of the library's own.
#pragma once

#include <hawser/base/function.h>

#include <thread>

HAWSER_BEGIN

/// A thread that takes no signals: those are for the threads of the program. Not joinable when the system has no
/// thread or no memory left.
std::thread quiet_thread(function<void()> body) noexcept;

HAWSER_END
