// Nor one that nobody may call.
// expect: factory<|constraint|no matching
#include <hawser/core/extension.h>

struct nothing {
  static constexpr unsigned hooks = hawser::hook::none;
  hawser::verdict begin(hawser::direction, hawser::head&, hawser::context&) { return hawser::verdict::bypass; }
};

struct extension {
  using agreed = std::optional<hawser::accepted<nothing>>;
  static std::string_view name() { return "x-nothing"; }
  static std::vector<hawser::params> offers() { return {{}}; }
  static agreed confirm(const hawser::params&) { return hawser::accepted<nothing>{}; }
#ifdef HAWSER_CONTROL
  static agreed accept(const std::vector<hawser::params>&) { return hawser::accepted<nothing>{}; }
#else
 private:
  static agreed accept(const std::vector<hawser::params>&) { return hawser::accepted<nothing>{}; }
#endif
};

hawser::any_factory made() { return hawser::any_factory(extension{}); }
