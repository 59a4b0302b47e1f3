// A reference into a result that is gone at the end of the line.
// only: Clang
// expect: -Wdangling
#include <hawser/base/result.h>

#include <string>

hawser::result<std::string> made();

int main() {
#ifdef HAWSER_CONTROL
  const std::string text = made().value();
#else
  const std::string& text = made().value();
#endif
  return text.empty() ? 1 : 0;
}
