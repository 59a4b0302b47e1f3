#include "ext/parameters.h"

#include <hawser/ext/no_masking.h>

HAWSER_BEGIN
namespace ext {

std::vector<params> no_masking::offers() { return {{}}; }

std::optional<accepted<no_masking::work>> no_masking::confirm(const params& terms, std::string& why) {
  if (!detail::is_empty(terms, why)) return std::nullopt;
  accepted<work> agreed;
  agreed.uses.unmasked = true;
  agreed.uses.opcodes_of_interest = 0;
  agreed.uses.idle_state = false;
  return agreed;
}

}  // namespace ext
HAWSER_END
