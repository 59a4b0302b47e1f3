// Text that goes on although the check may have said no.
// expect: unused-result|ignoring return value
#include <hawser/core/utf8.h>

int main() {
  hawser::core::utf8_validator validator;
#ifdef HAWSER_CONTROL
  return validator.feed({}) ? 0 : 1;
#else
  validator.feed({});
#endif
}
