// A header that is read although it may not have come yet.
// expect: unused-result|ignoring return value
#include <hawser/core/frame.h>

int main() {
  hawser::core::frame_header header;
#ifdef HAWSER_CONTROL
  return hawser::core::parse_frame_header({}, header) == hawser::core::parse_status::ok ? 0 : 1;
#else
  hawser::core::parse_frame_header({}, header);
#endif
}
