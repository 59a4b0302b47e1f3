// Extensions that do not do what they claim: found by the kit, in bounded time and memory.
#include "testkit/flawed.h"

namespace hawser {
namespace {

using test::expect_found;
using test::flawed;

TEST(claim_flaws, it_makes_more_and_more_of_a_message) {
  for (const std::uint16_t adds : {std::uint16_t{0}, claims::grows}) {
    flawed f;
    f.uses.adds_max = adds;
    f.stage.what = verdict::transform;
    f.stage.transform = [](direction way, byte_view in, byte_span out, bool fin, context&) {
      if (way == direction::in) return step{in.size(), 0, fin ? flow::done : flow::more};
      std::fill(out.begin(), out.end(), std::byte{'m'});
      return step{0, out.size(), flow::full};
    };
    expect_found(f, "it adds no more than it claims");
    expect_found(f, "the contract is kept");
  }
}

}  // namespace
}  // namespace hawser
