// A forward that was refused keeps no message: who does not look loses it.
// expect: unused-result|ignoring return(ed)? value
#include <hawser/core/extension.h>

struct holder {
  static constexpr unsigned hooks = hawser::hook::whole;
  hawser::verdict begin(hawser::direction, hawser::head&, hawser::context&) { return hawser::verdict::whole; }
  void whole(hawser::direction way, const hawser::head& h, hawser::buffer body, hawser::context& c) {
#ifdef HAWSER_CONTROL
    if (!c.forward(way, h, std::move(body))) c.fail(hawser::close_code::policy_violation, "queue full");
#else
    c.forward(way, h, std::move(body));
#endif
  }
};

hawser::core::any_stage made() { return hawser::core::any_stage::of(holder{}); }
