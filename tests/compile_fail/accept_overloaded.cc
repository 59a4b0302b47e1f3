// Nor one that is overloaded, and does not fit: here a `const` is forgotten.
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
  agreed accept(const std::vector<hawser::params>&) const { return hawser::accepted<nothing>{}; }
  agreed accept(const hawser::params&) const { return hawser::accepted<nothing>{}; }
#else
  agreed accept(const std::vector<hawser::params>&) { return hawser::accepted<nothing>{}; }
  agreed accept(const hawser::params&) { return hawser::accepted<nothing>{}; }
#endif
};

hawser::any_factory made() { return hawser::any_factory(extension{}); }
