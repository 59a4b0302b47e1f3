// A plug-in that is wrong in the one way that FLAW names; 0 is sound. tests/ws/plugin_test.cc says what becomes of each.
#include <hawser/plugin.h>
#include <stddef.h>

enum { sound, wrong_abi, short_table, no_table, bad_name, null_hook, no_accept, lying_step, no_verdict, stolen_bit, wild_claims, double_release, kept_context };

static int32_t agree(hawser_claims* uses) {
  uses->rsv = FLAW == wild_claims ? 0x40 : HAWSER_RSV2;
  uses->flags = HAWSER_CLAIM_IN_NEEDS_RSV;
  return 1;
}
static int32_t accept(void* self, const hawser_params* all, uint64_t count, hawser_negotiation* to,
                      hawser_claims* uses, void** stage) {
  return (void)self, (void)all, (void)count, (void)to, (void)stage, agree(uses);
}
static int32_t confirm(void* self, const hawser_params* answer, hawser_negotiation* to, hawser_claims* uses,
                       void** stage) {
  return (void)self, (void)answer, (void)to, (void)stage, agree(uses);
}

static hawser_context* kept;
static uint64_t kept_of;  // The connection that it was of.

static uint32_t begin(void* stage, uint32_t way, hawser_head* head, hawser_context* c) {
  (void)stage, (void)way;
  head->rsv ^= HAWSER_RSV2;
  if (FLAW == stolen_bit) head->rsv ^= HAWSER_RSV3;
  if (FLAW == no_verdict) return 99;
  const uint64_t id = c->api->connection_id(c);
  if (FLAW == kept_context && kept != NULL && kept_of != id) kept->api->fail(kept, HAWSER_PROTOCOL_ERROR, "not my turn");
  kept = c;
  kept_of = id;
  return FLAW == lying_step ? HAWSER_TRANSFORM : FLAW == double_release ? HAWSER_WHOLE : HAWSER_IN_PLACE;
}
static void in_place(void* stage, uint32_t way, uint8_t* bytes, uint64_t size, int32_t fin, hawser_context* c) {
  (void)stage, (void)way, (void)bytes, (void)size, (void)fin, (void)c;
}
static void transform(void* stage, uint32_t way, const uint8_t* in, uint64_t in_size, uint8_t* out, uint64_t out_size,
                      int32_t fin, hawser_step* did, hawser_context* c) {
  (void)stage, (void)way, (void)in, (void)out, (void)fin, (void)c;
  did->consumed = in_size + 1;
  did->produced = out_size + 1;
  did->next = HAWSER_DONE;
}
static void whole(void* stage, uint32_t way, const hawser_head* head, hawser_buffer body, hawser_context* c) {
  (void)stage, (void)way, (void)head;
  c->api->release_buffer(c, body);
  c->api->release_buffer(c, body);
}

static const hawser_stage stage = {
    .struct_size = sizeof stage,
    .hooks = HAWSER_HOOK_IN_PLACE | HAWSER_HOOK_TRANSFORM | HAWSER_HOOK_WHOLE,
    .begin = begin,
    .in_place = FLAW == null_hook ? NULL : in_place,
    .transform = transform,
    .whole = whole};
static const hawser_plugin plugin = {
    .struct_size = FLAW == short_table ? 12 : sizeof plugin,
    .abi = FLAW == wrong_abi ? 99 : HAWSER_PLUGIN_ABI,
    .name = FLAW == bad_name ? "x broken" : "x-broken",
    .summary = "wrong on purpose",
    .stage = &stage,
    .accept = FLAW == no_accept ? NULL : accept,
    .confirm = confirm};
const hawser_plugin* hawser_plugin_v1(void) { return FLAW == no_table ? NULL : &plugin; }
