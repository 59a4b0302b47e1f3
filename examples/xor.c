// A plug-in in plain C: x-xor mixes every byte with a key, which keeps messages from who sees them in passing, not from
// who wants to read them. The client proposes a key, the server's answer settles it. docs/plugins.md goes through it.
//   hawser echo --plugin xor.so        hawser connect -v --plugin 'xor.so;key=90' ws://127.0.0.1:9001
#include <hawser/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The key in `given`, `otherwise` when nothing is given, 0 when that is not a key from 1 to 255 and nothing else.
static uintptr_t key_of(const hawser_params* given, uintptr_t otherwise) {
  if (given->count == 0) return otherwise;
  const hawser_param* p = given->items;
  if (given->count > 1 || strcmp(p->name.data, "key") != 0 || p->value.data == NULL) return 0;
  const unsigned long key = strspn(p->value.data, "0123456789") == p->value.size ? strtoul(p->value.data, NULL, 10) : 0;
  return key <= 255 ? key : 0;
}
// The extension and its stages are no more than a key, which fits into the pointers that stand for them.
static void* configure(const hawser_params* given, char* why, uint64_t why_size) {
  snprintf(why, (size_t)why_size, "key is a number from 1 to 255");
  return (void*)key_of(given, 90);
}
static int32_t offers(void* self, hawser_negotiation* to) {
  char text[16];
  snprintf(text, sizeof text, "%u", (unsigned)(uintptr_t)self);
  return to->add(to, "key", text);
}
static int32_t agree(uintptr_t key, hawser_claims* uses, void** stage) {
  uses->rsv = HAWSER_RSV2;
  uses->flags = HAWSER_CLAIM_IN_NEEDS_RSV;
  *stage = (void*)key;
  return 1;
}
static int32_t accept(void* self, const hawser_params* all, uint64_t count, hawser_negotiation* to,
                      hawser_claims* uses, void** stage) {
  uintptr_t key = 0;  // Of the first offer that can be taken: those in front are liked best.
  for (uint64_t i = 0; i < count && key == 0; ++i) key = key_of(&all[i], 0);
  return (void)self, key != 0 && offers((void*)key, to) && agree(key, uses, stage);
}
static int32_t confirm(void* self, const hawser_params* answer, hawser_negotiation* to, hawser_claims* uses,
                       void** stage) {
  const uintptr_t key = key_of(answer, 0);
  if (key == 0) to->explain(to, "there is no key in it");
  return (void)self, key != 0 && agree(key, uses, stage);
}
static uint32_t begin(void* stage, uint32_t way, hawser_head* head, hawser_context* c) {
  head->rsv ^= HAWSER_RSV2;  // Set on the way out; only messages that have it come here on their way in.
  return (void)stage, (void)way, (void)c, HAWSER_IN_PLACE;
}
static void in_place(void* stage, uint32_t way, uint8_t* bytes, uint64_t size, int32_t fin, hawser_context* c) {
  const uint8_t key = (uint8_t)(uintptr_t)stage;
  for (uint64_t i = 0; i < size; ++i) bytes[i] ^= key;
  (void)way, (void)fin, (void)c;
}

static const hawser_stage stage = {
    .struct_size = sizeof stage, .hooks = HAWSER_HOOK_IN_PLACE, .begin = begin, .in_place = in_place};
static const hawser_plugin plugin = {
    sizeof plugin, HAWSER_PLUGIN_ABI, "x-xor", "every byte mixed with a key: a plug-in in plain C",
    "key=1..255  what is mixed in (90)", &stage, configure, NULL, offers, accept, confirm};
const hawser_plugin* hawser_plugin_v1(void) { return &plugin; }
