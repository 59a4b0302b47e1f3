// What a server or a client counts and measures, all its loops and connections together.
#pragma once

#include <hawser/base/clock.h>
#include <hawser/base/config.h>
#include <hawser/base/errc.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ratio>
#include <string>
#include <type_traits>

HAWSER_BEGIN

/// How often spans of time were how long. Eight buckets for each doubling, so that a quantile is at most an eighth too
/// high; from 1 ns to 258 s, beyond which all are alike. Of fixed size: recording allocates nothing. One thread.
class HAWSER_API histogram {
 public:
  static constexpr std::size_t bucket_count = 288;  ///< How many it has.

  /// Counts one; less than nothing counts as nothing.
  void record(ticks span) noexcept {
    const auto n = span.count() > 0 ? static_cast<std::uint64_t>(span.count()) : 0U;
    ++buckets_[bucket_of(n)];
    sum_ += n;
  }
  /// Adds what `other` recorded.
  void merge(const histogram& other) noexcept;

  /// How many were recorded, and how long they are together.
  [[nodiscard]] std::uint64_t count() const noexcept;
  [[nodiscard]] ticks sum() const noexcept { return ticks(static_cast<ticks::rep>(sum_)); }
  /// How many were at most so long; exact for powers of two in nanoseconds, else of the whole buckets below. What is
  /// longer than 258 s is not among them.
  [[nodiscard]] std::uint64_t at_most(ticks span) const noexcept;
  /// So long is `share` (0 to 1) of them at most: 0.5 for the median. Zero when there are none.
  [[nodiscard]] ticks quantile(double share) const noexcept;

 private:
  static_assert(std::is_same_v<ticks::period, std::nano>);

  // Each bucket holds what is over the bound of the one before and at most its own.
  static std::size_t bucket_of(std::uint64_t n) noexcept {
    const std::uint64_t below = n == 0 ? 0 : n - 1;
    if (below < 8) return static_cast<std::size_t>(below);
    const auto doublings = static_cast<std::size_t>(std::bit_width(below)) - 4;
    const std::size_t at = 8 + doublings * 8 + static_cast<std::size_t>(below >> doublings & 7U);
    return at < bucket_count ? at : bucket_count - 1;
  }
  static std::uint64_t bound_of(std::size_t bucket) noexcept {
    if (bucket < 8) return bucket + 1;
    return (9 + (bucket - 8) % 8) << (bucket - 8) / 8;
  }

  std::array<std::uint64_t, bucket_count> buckets_{};
  std::uint64_t sum_ = 0;
};

/// The parts of `timings`, of all connections. Of each message that was measured, each opening, each error.
struct HAWSER_API timing_histograms {
  /// Opening a connection.
  struct {
    histogram names, tcp, request, response, acknowledge;
  } connect;
  /// Receiving a message.
  struct {
    histogram receive, prepare, confirm;
  } receive;
  /// Sending.
  struct {
    histogram prepare, send, confirm;
  } send;
  /// Errors.
  struct {
    histogram detect, handle, recover;
  } error;

  /// Adds what another one recorded.
  void merge(const timing_histograms& other) noexcept;
};

/// What is counted in any case: sums that connections keep anyway.
struct HAWSER_API metric_counts {
  std::uint64_t connections = 0;  ///< That are there now: open, opening or closing.
  std::uint64_t opened = 0;       ///< Opening handshakes that succeeded.
  std::uint64_t not_opened = 0;   ///< Those that were refused or failed, and pages that were asked for.
  /// Connections that were open and are not any more, by `fault` of what ended them: `fault::none` for a closing
  /// handshake.
  std::array<std::uint64_t, fault_count> closed{};
  std::uint64_t messages_received = 0;  ///< Whole ones.
  std::uint64_t messages_sent = 0;      ///< Framed to be sent; of a publication one for each subscriber.
  std::uint64_t bytes_received = 0;     ///< Once the connection is open: frames and all.
  std::uint64_t bytes_sent = 0;         ///< As taken by the system, with the handshake.

  /// Adds what another one counted.
  void merge(const metric_counts& other) noexcept;
};

/// What `server::metrics` and `client::metrics` give: a copy.
struct HAWSER_API metrics : metric_counts {
  /// Absent unless the options said `timings`, and before the first `listen` of a server or start of a client.
  std::optional<timing_histograms> times;

  /// Adds what another one counted and measured.
  void merge(const metrics& other) noexcept;

  /// All of it as text for Prometheus (exposition format 0.0.4): names begin with `hawser_`, times are in seconds. To
  /// be served as "text/plain; version=0.0.4".
  [[nodiscard]] std::string prometheus() const;
};

HAWSER_END
