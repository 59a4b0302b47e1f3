// Views of a field, and a walk over fields, of headers that are gone at the end of the line.
// expect: deleted (member )?function
#include <hawser/core/http.h>

hawser::headers parsed();

int main() {
#ifdef HAWSER_CONTROL
  const hawser::headers kept = parsed();
  const hawser::headers::field first = kept[0];
  const auto walk = kept.begin();
#else
  const hawser::headers::field first = parsed()[0];
  const auto walk = parsed().begin();
#endif
  return first.name.empty() || *walk != first ? 1 : 0;
}
