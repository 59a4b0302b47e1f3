// A hook that is there and not declared.
// expect: hooks_found|stage<|constraint|requirement
#include <hawser/core/extension.h>

struct watcher {
#ifdef HAWSER_CONTROL
  static constexpr unsigned hooks = hawser::hook::observe | hawser::hook::timer;
#else
  static constexpr unsigned hooks = hawser::hook::observe;
#endif
  hawser::verdict begin(hawser::direction, hawser::head&, hawser::context&) { return hawser::verdict::observe; }
  void observe(hawser::direction, hawser::byte_view, bool, hawser::context&) {}
  void timer(hawser::context&) {}
};

hawser::core::any_stage made() { return hawser::core::any_stage::of(watcher{}); }
