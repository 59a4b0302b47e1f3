// What a fuzz target states about its subject.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace hawser::fuzz {

/// Ends the process with `rule` when it does not hold: that is how a fuzzer learns of a finding.
inline void require(bool holds, const char* rule) {
  if (holds) return;
  std::fprintf(stderr, "broken rule: %s\n", rule);
  std::abort();
}

}  // namespace hawser::fuzz
