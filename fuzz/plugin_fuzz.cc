// Hostile plug-ins: tables with anything in them, answers with anything in them, and hooks that do what the input says.
// What is refused is refused in words; what is taken negotiates, runs under a pipeline that keeps its limits, and gives
// everything back.
// at least 5,000 inputs

#include "support/require.h"
#include "support/tape.h"

#include <hawser/core/http.h>
#include <hawser/core/negotiate.h>
#include <hawser/core/pipeline.h>
#include <hawser/core/utf8.h>
#include <hawser/ext/plugin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace hawser;
using hawser::core::pipeline;
using hawser::fuzz::require;
using hawser::fuzz::tape;

namespace {

constexpr std::size_t memory = 500;  // That a stage may charge.

/// What all functions of the plug-in of one run share; C tables have no other way to it.
struct world {
  tape* input = nullptr;
  int configured = 0;
  int stages = 0;
  bool ended = false;
  std::vector<hawser_buffer> bodies;
  std::vector<hawser_context*> contexts;
  std::int64_t charged = 0;
};
world& now() {
  static world w;
  return w;
}

std::uint8_t next() { return now().input->next(); }
std::uint64_t wide() {
  const std::uint8_t n = next();
  return n < 250 ? n : std::uint64_t{n} << (n - 250) * 11U;
}
hawser_buffer some_body() {
  const std::uint8_t n = next();
  if (now().bodies.empty() || n > 240) return n;
  return now().bodies[n % now().bodies.size()];
}
hawser_head some_head() {
  hawser_head h{};
  h.struct_size = next() == 1 ? 3 : sizeof h;
  h.opcode = static_cast<std::uint8_t>(next() % 12);
  h.rsv = static_cast<std::uint8_t>(next() % 8);
  h.sized = 1;
  h.size = wide();
  return h;
}

/// Looks at a body, writes to it.
void touch(hawser_context* c, hawser_buffer body) {
  std::uint64_t size = 0;
  const std::uint8_t* bytes = c->api->read_buffer(c, body, &size);
  if (bytes == nullptr) return;
  volatile unsigned sum = 0;
  for (std::uint64_t i = 0; i < size; ++i)
    sum = sum + bytes[i];
  if (std::uint8_t* mine = c->api->write_buffer(c, body)) std::memset(mine, 7, static_cast<std::size_t>(size));
}

/// Every call with a context of a hook that is over, which is every one but `own`: nothing is done, 0 is returned.
void use_kept(const hawser_context* own) {
  const hawser_head h{sizeof h, 1, 0, 1, 0, 0, 0, 0};
  for (hawser_context* c : now().contexts) {
    if (c == own) continue;
    const hawser_context_api& api = *c->api;
    std::uint64_t size = 1;
    std::uint64_t sum = api.limit(c, 0) + api.room(c, 0) + api.take_buffer(c, 1) + api.share_buffer(c, some_body());
    sum += static_cast<std::uint64_t>(api.charge(c, 1)) + static_cast<std::uint64_t>(api.now(c));
    sum += static_cast<std::uint64_t>(api.emit_control(c, 11, nullptr, 0) + api.forward(c, 0, &h, some_body()));
    sum += api.side(c) + api.connection_id(c) + static_cast<std::uint64_t>(api.cut_buffer(c, some_body(), 0));
    require(sum == 0, "a context that is over does nothing");
    require(api.read_buffer(c, some_body(), &size) == nullptr && size == 0, "a context that is over reads nothing");
    require(api.write_buffer(c, some_body()) == nullptr, "a context that is over writes nothing");
    api.arm(c, 0);
    api.disarm(c);
    api.fail(c, 1002, "late");
    api.release_buffer(c, some_body());
    api.note(c, nullptr, 0);
  }
}

void take_without_end(hawser_context* c) {
  const std::uint64_t size = next();
  std::uint64_t taken = 0;
  for (hawser_buffer b = 1; b != 0 && taken < 50; ++taken)
    now().bodies.push_back(b = c->api->take_buffer(c, size));
  require(taken * size <= memory + 2 * size, "what a stage takes is bounded");
}

/// What a hook does beside its work, also with a context that is not its own.
void act(hawser_context* own) {
  world& w = now();
  hawser_context* c = next() == 99 && !w.contexts.empty() ? w.contexts[next() % w.contexts.size()] : own;
  const std::array<std::uint8_t, 300> bytes{};
  switch (next() % 20) {
    case 1:
      c->api->emit_control(c, next() % 20, bytes.data(), next());
      break;
    case 2: {
      const hawser_head h = some_head();
      c->api->forward(c, next() % 3, next() == 7 ? nullptr : &h, some_body());
      break;
    }
    case 3:
      w.bodies.push_back(c->api->take_buffer(c, next() == 255 ? ~std::uint64_t{0} : next()));
      break;
    case 4:
      w.bodies.push_back(c->api->share_buffer(c, some_body()));
      break;
    case 5:
      c->api->release_buffer(c, some_body());
      break;
    case 6:
      touch(c, some_body());
      break;
    case 7:
      c->api->cut_buffer(c, some_body(), next());
      break;
    case 8:
      c->api->arm(c, c->api->now(c) + next() * 1'000'000);
      break;
    case 9:
      c->api->fail(c, static_cast<std::uint32_t>(990 + wide()), next() % 2 != 0 ? "because \xFF" : nullptr);
      break;
    case 10: {
      const auto bytes_more = static_cast<std::int64_t>(next()) - 100;
      if (c == own && c->api->charge(c, bytes_more) != 0) w.charged += bytes_more;
      break;
    }
    case 11:
      c->api->note(c, bytes.data(), next());
      break;
    case 12:
      static_cast<void>(c->api->limit(c, next() % 3) + c->api->room(c, next() % 3) + c->api->connection_id(c));
      break;
    case 14:
      use_kept(own);
      break;
    case 15:
      take_without_end(c);
      break;
    case 13:
      throw std::runtime_error("as the input wants");
    default:
      break;
  }
}

// ---- the functions of the plug-in

void* configure(const hawser_params* given, char* why, std::uint64_t size) {
  require(given->count == 0 || given->items != nullptr, "given parameters are there");
  std::memset(why, next() % 3 == 0 ? 0xFF : 'w', static_cast<std::size_t>(size));
  if (next() % 8 == 1) return nullptr;
  ++now().configured;
  return &now();
}
void release(void*) {
  require(now().stages == 0, "release comes after the last stage");
  --now().configured;
}

void answer(hawser_negotiation* to) {
  static const std::array<const char*, 6> words{"a", "level", "", "a b", "x\r\ny", nullptr};
  for (int n = next() % 20; n > 0; --n) {
    const char* name = words[next() % 8 < 6 ? 1 : next() % words.size()];
    const char* value = words[next() % words.size()];
    to->add(to, name, value);
    if (next() % 4 == 1) to->next(to);
    if (next() % 16 == 1) to->explain(to, value);
  }
}
void claim(hawser_claims* uses) {
  uses->rsv = static_cast<std::uint8_t>(next() % 9);
  if (next() % 8 == 1) uses->flags = next();
  if (next() % 8 == 1) uses->opcodes = static_cast<std::uint16_t>(next() << 8U);
  if (next() % 2 == 1) uses->opcodes = 1U << 11 | 1U << 3;
  if (next() % 8 == 1) uses->interest = next();
  uses->adds_max = claims::grows;
  if (next() % 8 == 1) uses->adds_max = static_cast<std::uint16_t>(wide());
  if (next() % 2 == 1) uses->trim_max = static_cast<std::uint8_t>(next() % 10);
  if (next() % 8 == 1) uses->out_min_size = wide();
  if (next() % 8 == 1) uses->struct_size = next();
}

std::int32_t offers(void*, hawser_negotiation* to) {
  answer(to);
  return next() % 8 == 1 ? 0 : 1;
}
std::int32_t agree(hawser_negotiation* to, hawser_claims* uses, void** stage) {
  if (next() % 4 == 1) answer(to);
  claim(uses);
  if (next() % 16 == 1) throw std::runtime_error("as the input wants");
  if (next() % 16 == 1) return 0;
  ++now().stages;
  *stage = &now();
  return 1;
}
std::int32_t accept(void*, const hawser_params* all, std::uint64_t count, hawser_negotiation* to, hawser_claims* uses,
                    void** stage) {
  require(all != nullptr && count != 0, "there is an offer");
  return agree(to, uses, stage);
}
std::int32_t confirm(void*, const hawser_params*, hawser_negotiation* to, hawser_claims* uses, void** stage) {
  return agree(to, uses, stage);
}

void destroy(void*) { --now().stages; }
std::uint32_t begin(void*, std::uint32_t, hawser_head* h, hawser_context* c) {
  now().contexts.push_back(c);
  if (next() % 16 == 1) h->rsv = next();
  if (next() % 16 == 1) h->opcode = next();
  if (next() % 16 == 1) h->size = wide();
  act(c);
  const std::uint8_t what = next();
  if (what > 240) return static_cast<std::uint32_t>(wide() << (what - 240));
  std::uint32_t verdict = what % 7;
  if ((verdict == HAWSER_OBSERVE || verdict == HAWSER_IN_PLACE) && what % 2 == 1)
    verdict |= HAWSER_PREFIX(next() % 34U) | HAWSER_SUFFIX(next() % 34U);
  return verdict;
}
void observe(void*, std::uint32_t, const std::uint8_t* bytes, std::uint64_t size, std::int32_t, hawser_context* c) {
  volatile unsigned sum = 0;
  for (std::uint64_t i = 0; i < size; ++i)
    sum = sum + bytes[i];
  act(c);
}
void in_place(void*, std::uint32_t, std::uint8_t* bytes, std::uint64_t size, std::int32_t, hawser_context* c) {
  for (std::uint64_t i = 0; i < size; ++i)
    bytes[i] ^= 1;
  act(c);
}
void transform(void*, std::uint32_t, const std::uint8_t*, std::uint64_t in_size, std::uint8_t* out,
               std::uint64_t out_size, std::int32_t fin, hawser_step* did, hawser_context* c) {
  std::fill_n(out, static_cast<std::size_t>(out_size), std::uint8_t{2});
  act(c);
  const std::uint8_t how = next();
  did->consumed = how % 8 == 1 ? wide() : in_size;
  did->produced = how % 8 == 2 ? wide() : std::min<std::uint64_t>(out_size, next());
  did->next = how % 8 == 3 ? static_cast<std::uint32_t>(wide()) : fin != 0 ? HAWSER_DONE : HAWSER_MORE;
  did->trim = how % 8 == 4 ? static_cast<std::uint32_t>(wide()) : 0;
}
void whole(void*, std::uint32_t way, const hawser_head* h, hawser_buffer body, hawser_context* c) {
  require(h->struct_size == sizeof(hawser_head) && h->sized == 1, "a whole message knows its size");
  if (next() % 2 == 0 && c->api->forward(c, way, h, body) != 0) return;
  now().bodies.push_back(body);
  act(c);
}
void edge(void*, std::uint32_t, std::uint8_t* bytes, std::uint64_t size, hawser_context* c) {
  require(size <= max_edge, "an edge is short");
  std::memset(bytes, 3, static_cast<std::size_t>(size));
  act(c);
}
void done(void*, std::uint32_t, hawser_context* c) {
  if (!now().ended) act(c);
}
void control(void*, std::uint32_t, const std::uint8_t* bytes, std::uint64_t size, hawser_context* c) {
  observe(nullptr, 0, bytes, size, 1, c);
}
void acting(void*, hawser_context* c) {
  now().contexts.push_back(c);
  act(c);
}
void closed(void*, std::uint32_t, hawser_context* c) {
  c->api->charge(c, -now().charged);
  now().charged = 0;
}

/// Tables, somewhere wrong. On the heap, so that a look too far is seen.
struct tables {
  std::unique_ptr<hawser_stage> stage = std::make_unique<hawser_stage>();
  std::unique_ptr<hawser_plugin> plugin = std::make_unique<hawser_plugin>();
  std::array<char, 300> text{};

  tables() {
    *stage = {sizeof(hawser_stage),
              (1U << 13) - 1,
              destroy,
              begin,
              observe,
              in_place,
              transform,
              whole,
              whole,
              edge,
              edge,
              done,
              control,
              acting,
              acting,
              acting,
              closed};
    *plugin = {sizeof(hawser_plugin),
               HAWSER_PLUGIN_ABI,
               "x-fuzz",
               "as the input wants",
               nullptr,
               stage.get(),
               configure,
               release,
               offers,
               accept,
               confirm};
    std::fill(text.begin(), text.end() - 1, 't');
    for (int n = next() % 4; n > 0; --n)
      spoil();
  }
  [[nodiscard]] const hawser_plugin* get() const { return plugin.get(); }

 private:
  void spoil() {
    switch (next() % 16) {
      case 0:
        plugin->struct_size = static_cast<std::uint32_t>(wide());
        break;
      case 1:
        stage->struct_size = static_cast<std::uint32_t>(wide());
        break;
      case 2:
        plugin->abi = next();
        break;
      case 3:
        text[next()] = static_cast<char>(next());
        plugin->name = text.data();
        break;
      case 4:
        text[next()] = static_cast<char>(next());
        plugin->summary = text.data();
        break;
      case 5:
        plugin->parameters = text.data();
        break;
      case 6:
        stage->hooks ^= 1U << next() % 32U;
        break;
      case 7:
        plugin->stage = nullptr;
        break;
      case 8: {  // A hook less, honestly.
        const unsigned which = next() % 13U;
        if (which == 0) stage->observe = nullptr;
        if (which == 2) stage->transform = nullptr;
        if (which == 3) stage->whole = nullptr;
        if (which == 9) stage->timer = nullptr;
        if (which == 0 || which == 2 || which == 3 || which == 9) stage->hooks &= ~(1U << which);
        break;
      }
      case 9:
        plugin->configure = nullptr;
        break;
      case 10:
        plugin->offers = nullptr;
        break;
      case 11:
        plugin->accept = nullptr;
        break;
      case 12:
        stage->begin = nullptr;
        break;
      case 13:
        plugin->name = nullptr;
        break;
      default:
        break;
    }
  }
};

void check_words(const std::string& why) {
  require(!why.empty() && core::valid_utf8(as_bytes(why)), "a refusal has words");
  require(std::none_of(why.begin(), why.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
          "words for a person move no cursor");
}

/// The stage, agreed on as two peers would, or alone.
std::optional<core::agreed_extension> agreed(const any_factory& f) {
  extension_list list;
  list.add(f);
  std::string why;
  const std::string offered = core::offer_extensions(list, {role::client, true});
  if (offered.empty()) return std::nullopt;
  auto answered = core::answer_extensions(offered, list, {role::server, true}, why);
  require(answered.has_value(), "what was offered can be read");
  for (const core::negotiation_note& n : answered->notes)
    check_words(n.text);
  static_cast<void>(core::confirm_extensions(answered->header, list, {role::client, true}, why));
  if (answered->agreed.empty()) return std::nullopt;
  return std::move(answered->agreed.front());
}

/// Drives the stage with messages in pieces, controls and time.
class owner {
 public:
  owner(tape& input, core::agreed_extension stage) : input_(input) {
    std::vector<core::agreed_extension> list;
    list.push_back(std::move(stage));
    limits_.max_message_in = 200;
    limits_.max_message_out = 4000;
    limits_.memory = memory;
    limits_.step = 1 + input_.below(40);
    limits_.work = input_.below(6);
    stages_ = std::make_unique<pipeline>(std::move(list), role::server, pool_, limits_);
  }

  void run() {
    stages_->open(tick{});
    for (int i = 0; i < 60 && !input_.done() && !stages_->failed(); ++i)
      one_action();
    if (input_.below(2) == 1) stages_->flush(tick{});
    now().ended = true;
    stages_->closed(close_code::normal, tick{});
    if (!stages_->failed()) return end();
    require(core::valid_utf8(as_bytes(stages_->fail_reason())), "a reason is UTF-8");
    require(may_send(static_cast<std::uint16_t>(stages_->fail_code()), role::server), "a code may be sent");
    end();
  }

 private:
  void end() {
    require(stages_->charged() == 0, "every account is zero");
    require(pool_.used_bytes() == 0, "every body is home when the connection has ended");
    stages_ = nullptr;
  }
  void one_action() {
    const std::uint8_t what = input_.next();
    const auto way = static_cast<direction>(what >> 7);
    if (what % 4 == 0) return control();
    if (what % 4 == 1) return work();
    head h;
    h.opcode = static_cast<std::uint8_t>(1 + input_.below(3));
    h.rsv = way == direction::in ? input_.next() & 7 : 0;
    if (stages_->begin(way, h, tick{})) feed(way);
  }
  void control() {
    const std::vector<std::byte> bytes(input_.below(126));
    stages_->control(11, bytes, tick{});
    stages_->on_timeout(tick{} + std::chrono::milliseconds(input_.next()));
  }
  void feed(direction way) {
    for (bool fin = false; !fin;) {
      const std::size_t n = input_.next();
      fin = input_.below(3) == 0;
      const auto bytes = std::make_unique<std::byte[]>(n);
      stages_->push(way, {bytes.get(), n}, fin, tick{});
      if (!pull(way)) return;
    }
  }
  bool pull(direction way) {
    for (int pulls = 0;; ++pulls) {
      require(pulls < 100000, "a chunk is used up some day");
      byte_span bytes;
      bool fin = false;
      const pipeline::pulled got = stages_->pull(way, bytes, fin);
      if (got != pipeline::pulled::piece) return got == pipeline::pulled::more;
    }
  }
  void work() {
    pipeline::work w;
    if (!stages_->next_work(w)) return;
    if (w.what == pipeline::work::kind::control) return require(w.body.size() <= 125, "a control frame is short");
    if (!stages_->begin_behind(w.stage, w.way, w.message, tick{})) return;
    stages_->push_owned(w.way, std::move(w.body), tick{});
    static_cast<void>(pull(w.way));
  }

  tape& input_;
  buffer_pool pool_;
  core::pipeline_limits limits_;
  std::unique_ptr<pipeline> stages_;
};

/// Another connection, whose hooks find the contexts of the one before.
void next_connection(tape& input, const any_factory& f) {
  use_kept(nullptr);
  now().ended = false;
  now().bodies.clear();
  if (std::optional<core::agreed_extension> stage = agreed(f)) owner(input, std::move(*stage)).run();
  use_kept(nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tape input(data, size);
  now() = {};
  now().input = &input;
  {
    const tables from;
    std::string why;
    result<ext::plugin> made = ext::plugin::from(from.get(), {}, &why);
    if (!made) check_words(why);
    std::optional<core::agreed_extension> stage;
    if (made) {
      require(is_token(made->name()), "a plug-in that was taken has a name");
      stage = agreed(*made);
    }
    if (input.below(2) == 0) made = errc::invalid_plugin;  // The stage keeps what it needs.
#ifdef HAWSER_PLANTED_BUG
    // A stage that is destroyed twice.
    if (stage && stage->terms.uses.trim_max == 5) --now().stages;
#endif
    if (stage) owner(input, std::move(*stage)).run();
    if (made) next_connection(input, *made);
  }
  require(now().stages == 0, "every stage is destroyed once");
  require(now().configured == 0, "what was configured is released once");
  return 0;
}
