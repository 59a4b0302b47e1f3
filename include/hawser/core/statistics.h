// What a connection counts.
#pragma once

#include <hawser/base/config.h>

#include <cstddef>
#include <cstdint>

HAWSER_BEGIN
namespace core {

/// Counters of a connection.
struct statistics {
  std::uint64_t bytes_in = 0;      ///< As received, frames and all.
  std::uint64_t bytes_out = 0;     ///< As taken by the system.
  std::uint64_t messages_in = 0;   ///< Whole ones, as the application gets them.
  std::uint64_t messages_out = 0;  ///< Framed to be sent.
  std::size_t backlog = 0;         ///< Bytes the system has not taken.
};

}  // namespace core
HAWSER_END
