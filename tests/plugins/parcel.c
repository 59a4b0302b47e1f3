// A sound plug-in with a data opcode of its own: x-parcel sends texts and binaries of up to 64 bytes as messages of
// opcode 3, which begin with the opcode that they had. Longer ones, and those whose bits another extension has set, go
// as they are.
#include <hawser/plugin.h>
#include <string.h>

#define PARCEL 3

static int32_t agree(const hawser_params* p, hawser_claims* uses) {
  uses->opcodes = 1U << PARCEL;
  uses->adds_max = 1;
  return p->count == 0;
}
static int32_t accept(void* self, const hawser_params* all, uint64_t count, hawser_negotiation* to, hawser_claims* uses,
                      void** stage) {
  (void)self, (void)to, (void)stage;
  for (uint64_t i = 0; i < count; ++i)
    if (agree(&all[i], uses)) return 1;
  return 0;
}
static int32_t confirm(void* self, const hawser_params* answer, hawser_negotiation* to, hawser_claims* uses,
                       void** stage) {
  return (void)self, (void)to, (void)stage, agree(answer, uses);
}

static uint32_t begin(void* stage, uint32_t way, hawser_head* head, hawser_context* c) {
  (void)stage, (void)c;
  if (way == HAWSER_IN) return head->opcode == PARCEL ? HAWSER_WHOLE : HAWSER_BYPASS;
  return head->sized && head->size <= 64 && head->rsv == 0 ? HAWSER_WHOLE : HAWSER_BYPASS;
}
// Lets a new body go on in the place of `body`: a byte `front` more, or, when that is 0, one less.
static void let_go(uint32_t way, uint8_t opcode, uint8_t front, hawser_buffer body, hawser_context* c) {
  uint64_t size = 0;
  const uint8_t* from = c->api->read_buffer(c, body, &size);
  const uint64_t skip = front == 0;
  const hawser_buffer made = c->api->take_buffer(c, size - skip + (front != 0));
  uint8_t* to = made != 0 ? c->api->write_buffer(c, made) : NULL;
  if (to == NULL) {
    c->api->fail(c, HAWSER_INTERNAL_ERROR, "no memory");
    return;
  }
  if (front != 0) *to++ = front;
  memcpy(to, from + skip, (size_t)(size - skip));
  c->api->release_buffer(c, body);
  const hawser_head head = {.struct_size = sizeof head, .opcode = opcode};
  if (!c->api->forward(c, way, &head, made)) c->api->fail(c, HAWSER_INTERNAL_ERROR, "it cannot go on");
}
static void whole(void* stage, uint32_t way, const hawser_head* head, hawser_buffer body, hawser_context* c) {
  uint64_t size = 0;
  const uint8_t* bytes = c->api->read_buffer(c, body, &size);
  (void)stage;
  if (way == HAWSER_OUT)
    let_go(way, PARCEL, head->opcode, body, c);
  else if (size > 0 && (bytes[0] == HAWSER_TEXT || bytes[0] == HAWSER_BINARY))
    let_go(way, bytes[0], 0, body, c);
  else
    c->api->fail(c, HAWSER_PROTOCOL_ERROR, "a parcel of neither text nor bytes");
}

static const hawser_stage stage = {
    .struct_size = sizeof stage, .hooks = HAWSER_HOOK_WHOLE, .begin = begin, .whole = whole};
static const hawser_plugin plugin = {.struct_size = sizeof plugin,
                                     .abi = HAWSER_PLUGIN_ABI,
                                     .name = "x-parcel",
                                     .summary = "short messages on a data opcode of its own",
                                     .stage = &stage,
                                     .accept = accept,
                                     .confirm = confirm};
const hawser_plugin* hawser_plugin_v1(void) { return &plugin; }
