// Two pools that both believe they own the same free blocks.
// expect: deleted (member )?(function|constructor)|implicitly-deleted
#include <hawser/base/buffer.h>

int main() {
  hawser::buffer_pool pool;
#ifdef HAWSER_CONTROL
  const hawser::buffer_pool& again = pool;
#else
  const hawser::buffer_pool again = pool;
#endif
  return again.kept_bytes() == 0 ? 0 : 1;
}
