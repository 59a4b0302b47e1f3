// A hook that is declared and misspelt: without this check it would never be called, and nobody would notice.
// expect: hooks_found|stage<|constraint|requirement
#include <hawser/core/extension.h>

struct watcher {
  static constexpr unsigned hooks = hawser::hook::observe;
  hawser::verdict begin(hawser::direction, hawser::head&, hawser::context&) { return hawser::verdict::observe; }
#ifdef HAWSER_CONTROL
  void observe(hawser::direction, hawser::byte_view, bool, hawser::context&) {}
#else
  void obseve(hawser::direction, hawser::byte_view, bool, hawser::context&) {}
#endif
};

hawser::core::any_stage made() { return hawser::core::any_stage::of(watcher{}); }
