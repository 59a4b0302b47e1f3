// A plug-in in C++ that lets an exception out: of its entry where FLAW is 1, of a hook where it is 2.
#include <hawser/plugin.h>

#include <stdexcept>

namespace {

int32_t agree(hawser_claims* uses) {
  uses->rsv = HAWSER_RSV2;
  return 1;
}

uint32_t begin(void*, uint32_t, hawser_head*, hawser_context*) { throw std::runtime_error("out of C++"); }
int32_t accept(void*, const hawser_params*, uint64_t, hawser_negotiation*, hawser_claims* uses, void**) {
  return agree(uses);
}
int32_t confirm(void*, const hawser_params*, hawser_negotiation*, hawser_claims* uses, void**) { return agree(uses); }

hawser_stage stage() {
  hawser_stage s{};
  s.struct_size = sizeof s;
  s.begin = begin;
  return s;
}

}  // namespace

const hawser_plugin* hawser_plugin_v1() {
  if (FLAW == 1) throw std::runtime_error("out of C++");
  static const hawser_stage hooks = stage();
  static const hawser_plugin plugin = {sizeof plugin, HAWSER_PLUGIN_ABI, "x-throwing", "throws", nullptr, &hooks,
                                       nullptr,       nullptr,           nullptr,      accept,   confirm};
  return &plugin;
}
