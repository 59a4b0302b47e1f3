// The times of a connection, in words.
#pragma once

#include <hawser/ws/timings.h>

#include <string>
#include <vector>

namespace hawser_tool {

/// A span with three digits and its unit: "812 ns", "45.6 us", "1.23 ms", "2.50 s".
std::string shown_span(hawser::ticks span);

/// A line for each of the four sums, with its parts.
std::vector<std::string> times_in_words(const hawser::timings& t);

}  // namespace hawser_tool
