// The extension of docs/tutorial.md, both ways: a sparse frame, of which one byte in sixteen is not zero, and one
// without a zero.

#include "../../examples/tutorial/runs.h"

#include <benchmark/benchmark.h>
#include <hawser/core/pipeline.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace hawser;

std::vector<std::byte> frame(bool sparse) {
  std::vector<std::byte> bytes(16384, sparse ? std::byte{0} : std::byte{0x55});
  for (std::size_t i = 0; i < bytes.size(); i += 16)
    bytes[i] = std::byte{0x5A};
  return bytes;
}

std::vector<std::byte> pass(core::pipeline& p, direction way, std::vector<std::byte>& bytes, bool keep) {
  head h;
  h.opcode = 2;
  h.rsv = way == direction::in ? tutorial::mark : std::uint8_t{0};
  p.begin(way, h, tick{});
  p.push(way, bytes, true, tick{});
  std::vector<std::byte> out;
  byte_span piece;
  bool fin = false;
  while (p.pull(way, piece, fin) == core::pipeline::pulled::piece) {
    benchmark::DoNotOptimize(piece.data());
    if (keep) out.insert(out.end(), piece.begin(), piece.end());
  }
  return out;
}

void runs(benchmark::State& state, direction way, bool sparse) {
  buffer_pool pool;
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-runs", std::move(*any_factory(tutorial::runs()).confirm({{"byte", "0"}}))});
  core::pipeline p(std::move(stages), role::server, pool, {});
  p.open(tick{});
  std::vector<std::byte> bytes = frame(sparse);
  const std::size_t size = bytes.size();
  if (way == direction::in) bytes = pass(p, direction::out, bytes, true);
  for (auto _ : state)
    pass(p, way, bytes, false);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
}
BENCHMARK_CAPTURE(runs, out_sparse, direction::out, true);
BENCHMARK_CAPTURE(runs, out_dense, direction::out, false);
BENCHMARK_CAPTURE(runs, in_sparse, direction::in, true);
BENCHMARK_CAPTURE(runs, in_dense, direction::in, false);

}  // namespace
