// Masking keys from a source that is gone before the first of them is asked for.
// expect: bind|no matching (function|constructor)
#include <hawser/base/random.h>

class zeros final : public hawser::random_source {
 public:
  void fill(hawser::byte_span) noexcept override {}
};

int main() {
#ifdef HAWSER_CONTROL
  zeros source;
  hawser::masking_keys keys(source);
#else
  hawser::masking_keys keys(zeros{});
  keys.next();
#endif
}
