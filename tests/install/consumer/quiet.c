// A plug-in of a user: only the header that is installed. It lets every message be.
#include <hawser/plugin.h>
#include <stddef.h>

static uint32_t begin(void* stage, uint32_t way, hawser_head* head, hawser_context* c) {
  return (void)stage, (void)way, (void)head, (void)c, HAWSER_BYPASS;
}
static int32_t accept(void* self, const hawser_params* all, uint64_t count, hawser_negotiation* to,
                      hawser_claims* uses, void** stage) {
  return (void)self, (void)all, (void)count, (void)to, (void)uses, (void)stage, 1;
}
static int32_t confirm(void* self, const hawser_params* answer, hawser_negotiation* to, hawser_claims* uses,
                       void** stage) {
  return (void)self, (void)answer, (void)to, (void)uses, (void)stage, 1;
}

const hawser_plugin* hawser_plugin_v1(void) {
  static const hawser_stage stage = {.struct_size = sizeof stage, .begin = begin};
  static const hawser_plugin plugin = {.struct_size = sizeof plugin, .abi = HAWSER_PLUGIN_ABI, .name = "x-quiet",
      .stage = &stage, .accept = accept, .confirm = confirm};
  return &plugin;
}
