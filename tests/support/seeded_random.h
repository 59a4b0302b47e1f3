// The kit's random numbers, for all tests: the same on every machine and with every standard library.
#pragma once

#include "testkit/seeded_random.h"

namespace hawser::test {

using testkit::seeded_random;

}  // namespace hawser::test
