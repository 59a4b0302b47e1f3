// Messages that are kept until they are acknowledged, sixteen at a time, and sixteen that come in and are acknowledged.

#include <benchmark/benchmark.h>
#include <hawser/core/pipeline.h>
#include <hawser/ext/ack.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace {

using namespace hawser;

constexpr std::size_t at_once = 16;

struct acknowledging {
  acknowledging() {
    std::vector<core::agreed_extension> stages;
    stages.push_back({"x-hawser-ack", std::move(*any_factory(ext::ack()).accept({{}}))});
    p = std::make_unique<core::pipeline>(std::move(stages), role::server, pool, core::pipeline_limits{});
    p->open(tick{});
  }
  void carry(direction way) {
    head h;
    h.opcode = 2;
    h.sized = 1;
    h.size = data.size();
    p->begin(way, h, tick{});
    p->push(way, data, true, tick{});
    byte_span piece;
    bool fin = false;
    while (p->pull(way, piece, fin) == core::pipeline::pulled::piece)
      benchmark::DoNotOptimize(piece.data());
  }
  buffer_pool pool;
  std::unique_ptr<core::pipeline> p;
  std::vector<std::byte> data = std::vector<std::byte>(128, std::byte{0x5A});
};

void ack_messages_out(benchmark::State& state) {
  acknowledging a;
  std::uint64_t sent = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < at_once; ++i)
      a.carry(direction::out);
    sent += at_once;
    std::byte count[8];
    for (unsigned i = 0; i < 8; ++i)
      count[i] = static_cast<std::byte>(sent >> (56 - 8 * i) & 0xFFU);
    a.p->control(11, count, tick{});
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(at_once));
}
BENCHMARK(ack_messages_out);

void ack_messages_in(benchmark::State& state) {
  acknowledging a;
  core::pipeline::work w;
  for (auto _ : state) {
    for (std::size_t i = 0; i < at_once; ++i)
      a.carry(direction::in);
    while (a.p->next_work(w))
      benchmark::DoNotOptimize(w.opcode);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(at_once));
}
BENCHMARK(ack_messages_in);

}  // namespace
