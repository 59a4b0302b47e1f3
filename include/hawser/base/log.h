// Where the library's own words go.
#pragma once

#include <hawser/base/config.h>

#include <cstdint>
#include <string_view>

HAWSER_BEGIN

/// How much a line matters. Input from the network never rises above `info`.
enum class log_level : std::uint8_t { debug, info, warning, error };

/// Receives the library's lines; without one the library is silent. Lines hold no payloads and no credentials, and
/// bytes of a peer are escaped; a loop writes at most ten lines of one level a second and says how many it left out.
/// `write` is called on loop threads, from several at once when there are several loops.
class HAWSER_API log_sink {
 public:
  log_sink() = default;
  log_sink(const log_sink&) = delete;
  log_sink& operator=(const log_sink&) = delete;
  virtual ~log_sink() = default;

  /// One line without a line end; `line` is valid until the call returns.
  virtual void write(log_level level, std::string_view line) noexcept = 0;
};

HAWSER_END
