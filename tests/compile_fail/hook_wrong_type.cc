// A hook whose type does not fit: it wants to change bytes that it may only look at.
// expect: hooks_found|stage<|constraint|requirement
#include <hawser/core/extension.h>

struct watcher {
  static constexpr unsigned hooks = hawser::hook::observe;
  hawser::verdict begin(hawser::direction, hawser::head&, hawser::context&) { return hawser::verdict::observe; }
#ifdef HAWSER_CONTROL
  void observe(hawser::direction, hawser::byte_view, bool, hawser::context&) {}
#else
  void observe(hawser::direction, hawser::byte_span, bool, hawser::context&) {}
#endif
};

hawser::core::any_stage made() { return hawser::core::any_stage::of(watcher{}); }
