// CRC-32C by tables and by the instruction, and a message with it through the stage.

#include <benchmark/benchmark.h>
#include <hawser/core/crc32c.h>
#include <hawser/core/pipeline.h>
#include <hawser/core/simd.h>
#include <hawser/ext/checksum.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace hawser;

void sizes(benchmark::internal::Benchmark* b) { b->Arg(64)->Arg(1024)->Arg(16384)->Arg(1 << 20); }

void sum(benchmark::State& state, const char* level) {
  const std::string before(name_of(core::simd_now().masking));
  if (core::use_simd(level) != errc::ok) return state.SkipWithError("not on this machine");
  const std::vector<std::byte> data(static_cast<std::size_t>(state.range(0)), std::byte{0x5A});
  for (auto _ : state)
    benchmark::DoNotOptimize(core::crc32c(data));
  state.SetBytesProcessed(state.iterations() * state.range(0));
  static_cast<void>(core::use_simd(before));
}
BENCHMARK_CAPTURE(sum, crc32c_by_tables, "scalar")->Apply(sizes);
BENCHMARK_CAPTURE(sum, crc32c_by_instruction, "avx2")->Apply(sizes);

void checksum_stage_out(benchmark::State& state) {
  buffer_pool pool;
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-hawser-checksum", std::move(*any_factory(ext::checksum()).confirm({}))});
  core::pipeline p(std::move(stages), role::server, pool, {});
  p.open(tick{});
  std::vector<std::byte> data(static_cast<std::size_t>(state.range(0)), std::byte{0x5A});
  for (auto _ : state) {
    head h;
    h.opcode = 2;
    h.sized = 1;
    h.size = data.size();
    p.begin(direction::out, h, tick{});
    p.push(direction::out, data, true, tick{});
    byte_span piece;
    bool fin = false;
    while (p.pull(direction::out, piece, fin) == core::pipeline::pulled::piece)
      benchmark::DoNotOptimize(piece.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum_stage_out)->Apply(sizes);

}  // namespace
