// A field of headers that are gone at the end of the line.
// expect: deleted (member )?function
#include <hawser/core/http.h>

hawser::headers parsed();

int main() {
#ifdef HAWSER_CONTROL
  const hawser::headers kept = parsed();
  const std::optional<std::string_view> origin = kept.find("Origin");
#else
  const std::optional<std::string_view> origin = parsed().find("Origin");
#endif
  return !origin ? 1 : 0;
}
