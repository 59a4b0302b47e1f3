// A view into a block whose only buffer is gone at the end of the line.
// only: Clang
// expect: -Wdangling
#include <hawser/base/buffer.h>

int main() {
  hawser::buffer_pool pool;
#ifdef HAWSER_CONTROL
  const hawser::buffer kept = pool.take(5);
  const hawser::byte_view bytes = kept.view();
#else
  const hawser::byte_view bytes = pool.take(5).view();
#endif
  return bytes.empty() ? 1 : 0;
}
