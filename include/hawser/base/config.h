// Version, visibility and namespace macros. The only header that every other public header may count on.
#pragma once

#include <string_view>

/// The version of these headers. The build reads it from here, so this is the only place where it is written.
#define HAWSER_VERSION_MAJOR 0
#define HAWSER_VERSION_MINOR 1
#define HAWSER_VERSION_PATCH 0
#define HAWSER_VERSION_STRING "0.1.0"

/// Marks what the shared library exports. Everything else is compiled with hidden visibility.
#define HAWSER_API __attribute__((visibility("default")))

/// Opens and closes `hawser` and its ABI namespace: a break of the ABI changes `v1`, and old and new can share a
/// process.
#define HAWSER_BEGIN \
  namespace hawser { \
  inline namespace v1 {
#define HAWSER_END \
  }                \
  }

/// Lets clang warn when the result outlives the object or argument it points into. No effect on other compilers.
#if defined(__clang__)
#define HAWSER_LIFETIME_BOUND [[clang::lifetimebound]]
#else
#define HAWSER_LIFETIME_BOUND
#endif

HAWSER_BEGIN

/// The version of the library that runs, which differs from `HAWSER_VERSION_STRING` when a program was built against
/// other headers. Static storage, any thread, never fails.
HAWSER_API std::string_view version() noexcept;

HAWSER_END
