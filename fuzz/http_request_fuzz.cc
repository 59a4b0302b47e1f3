// A request head, whole and in pieces: one verdict, one head, and what was read can be written and read again. Its
// planted bug (HAWSER_PLANTED_BUG) is in support/head_input.h.

#include "support/head_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hawser::fuzz::check_head(data, size, hawser::head_parser::expects::request);
  return 0;
}
