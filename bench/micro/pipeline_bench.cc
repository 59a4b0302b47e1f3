// What stages cost a message that they let be: none, three without interest in it, three that look and bypass, in C++
// and as plug-ins. A turn of one burst each way, without any system call; subtract the row without stages. Instructions
// of one turn:
//   valgrind --tool=callgrind --toggle-collect='*_turn*' build/release/bench/micro --benchmark_min_time=1e-9
//            --benchmark_filter=receive/three_that_bypass

#include <benchmark/benchmark.h>
#include <hawser/core/connection.h>
#include <hawser/ext/plugin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace hawser;

constexpr std::size_t messages = 64;
constexpr std::size_t size = 32;

// Masking keys are not asked for in the server role; nothing here has to be secret.
class zeros final : public random_source {
 public:
  void fill(byte_span out) noexcept override { std::fill(out.begin(), out.end(), std::byte{0}); }
};

// Looks at a message, counts it, and lets it be.
struct onlooker {
  static constexpr unsigned hooks = hook::none;
  std::uint64_t seen = 0;
  verdict begin(direction, head& h, context&) {
    seen += h.size;
    return verdict::bypass;
  }
};

// The same in C, behind the boundary of plug-ins.
std::uint32_t plain_begin(void* stage, std::uint32_t, hawser_head* h, hawser_context*) {
  *static_cast<std::uint64_t*>(stage) += h->size;
  return HAWSER_BYPASS;
}

core::any_stage plugin_onlooker() {
  static std::uint64_t seen = 0;
  hawser_stage hooks{};
  hooks.struct_size = sizeof hooks;
  hooks.begin = plain_begin;
  hawser_plugin table{};
  table.struct_size = sizeof table;
  table.abi = HAWSER_PLUGIN_ABI;
  table.name = "x-plain";
  table.stage = &hooks;
  table.accept = [](void*, const hawser_params*, std::uint64_t, hawser_negotiation*, hawser_claims*, void** stage) {
    *stage = &seen;
    return 1;
  };
  table.confirm = [](void*, const hawser_params*, hawser_negotiation*, hawser_claims*, void**) { return 0; };
  std::string why;
  return std::move(ext::plugin::from(&table).value().accept({{}}, why)->work);
}

enum class company : std::uint8_t { nobody, uninterested, onlookers, plugins };

std::vector<core::agreed_extension> stages_of(company who) {
  std::vector<core::agreed_extension> list;
  for (int i = 0; who != company::nobody && i < 3; ++i) {
    claims uses;
    uses.rsv = static_cast<std::uint8_t>(1U << i);
    if (who == company::uninterested) {
      uses.in_needs_rsv = true;
      uses.out_min_size = 1024;
    }
    core::agreed_extension e;
    e.name = "x-" + std::to_string(i);
    e.terms.uses = uses;
    e.terms.work = who == company::plugins ? plugin_onlooker() : core::any_stage::of(onlooker{});
    list.push_back(std::move(e));
  }
  return list;
}

struct bench {
  explicit bench(company who) { c.attach(stages_of(who), now); }

  buffer_pool pool;
  zeros random;
  core::resources shared{pool, random};
  const core::settings obey;
  const tick now{std::chrono::seconds(1)};
  core::connection c{shared, obey, role::server, now};

  void flush() {
    std::size_t bytes = 0;
    for (const byte_view chunk : c.output())
      bytes += chunk.size();
    benchmark::DoNotOptimize(bytes);
    c.sent(bytes);
  }
};

// Not inlined, so that callgrind can count the instructions of one turn by itself.
[[gnu::noinline]] std::size_t receive_turn(bench& b, byte_span area) {
  b.c.begin_turn();
  b.c.receive(area, b.now);
  std::size_t seen = 0;
  while (b.c.next() == core::kind::message)
    ++seen;
  b.c.end_turn();
  return seen;
}

[[gnu::noinline]] std::size_t send_turn(bench& b, byte_view payload) {
  b.c.begin_turn();
  std::size_t taken = 0;
  for (std::size_t i = 0; i < messages; ++i)
    taken += b.c.send(opcode::binary, payload) == errc::ok ? 1U : 0U;
  b.flush();
  b.c.end_turn();
  return taken;
}

void receive(benchmark::State& state, company who) {
  bench b(who);
  std::vector<std::byte> area;
  for (std::size_t i = 0; i < messages; ++i) {
    std::byte header[core::max_frame_header];
    const std::size_t n =
        core::write_frame_header(header, 0x82, size, 0);  // A key of zeros: unmasking changes nothing.
    area.insert(area.end(), header, header + n);
    area.insert(area.end(), size, std::byte{'a'});
  }
  for (auto _ : state)
    if (receive_turn(b, area) != messages) return state.SkipWithError("a message was lost");
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages));
}

void send(benchmark::State& state, company who) {
  bench b(who);
  const std::vector<std::byte> payload(size, std::byte{'a'});
  for (auto _ : state)
    if (send_turn(b, payload) != messages) return state.SkipWithError("a message was not taken");
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages));
}

BENCHMARK_CAPTURE(receive, without_stages, company::nobody);
BENCHMARK_CAPTURE(receive, three_without_interest, company::uninterested);
BENCHMARK_CAPTURE(receive, three_that_bypass, company::onlookers);
BENCHMARK_CAPTURE(receive, three_plugins_that_bypass, company::plugins);
BENCHMARK_CAPTURE(send, without_stages, company::nobody);
BENCHMARK_CAPTURE(send, three_without_interest, company::uninterested);
BENCHMARK_CAPTURE(send, three_that_bypass, company::onlookers);
BENCHMARK_CAPTURE(send, three_plugins_that_bypass, company::plugins);

}  // namespace
