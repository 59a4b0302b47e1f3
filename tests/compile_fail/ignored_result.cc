// A result that nobody looks at is an error that nobody handles.
// expect: unused-result|unused-value|ignoring return(ed)? value
#include <hawser/base/result.h>

hawser::result<int> answer();

int main() {
#ifdef HAWSER_CONTROL
  return answer() ? 0 : 1;
#else
  answer();
#endif
}
