// A block that goes back to the pool at once: the caller meant to keep it.
// expect: unused-result|ignoring return value
#include <hawser/base/buffer.h>

int main() {
  hawser::buffer_pool pool;
#ifdef HAWSER_CONTROL
  return pool.take(5) ? 0 : 1;
#else
  pool.take(5);
#endif
}
