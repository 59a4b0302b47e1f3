// A view of a string that is gone at the end of the line.
// expect: temporary.*destroyed at the end of the full-expression
// only: Clang
#include <hawser/base/bytes.h>

#include <string>

std::string name();

int main() {
#ifdef HAWSER_CONTROL
  const std::string kept = name();
  const hawser::byte_view bytes = hawser::as_bytes(kept);
#else
  const hawser::byte_view bytes = hawser::as_bytes(name());
#endif
  return bytes.empty() ? 1 : 0;
}
