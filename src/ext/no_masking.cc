#include <hawser/ext/no_masking.h>

#include <algorithm>

HAWSER_BEGIN
namespace ext {

std::vector<params> no_masking::offers() { return {{}}; }

std::optional<accepted<no_masking::work>> no_masking::accept(const std::vector<params>& all) {
  return std::find(all.begin(), all.end(), params{}) == all.end() ? std::nullopt : confirm({});
}

std::optional<accepted<no_masking::work>> no_masking::confirm(const params& answer) {
  if (!answer.empty()) return std::nullopt;
  accepted<work> agreed;
  agreed.uses.unmasked = true;
  agreed.uses.opcodes_of_interest = 0;
  agreed.uses.idle_state = false;
  return agreed;
}

}  // namespace ext
HAWSER_END
