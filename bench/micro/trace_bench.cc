// A message with a trace context through the stage, in and out, and one without.

#include <benchmark/benchmark.h>
#include <hawser/core/pipeline.h>
#include <hawser/ext/trace.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace {

using namespace hawser;

void trace_message(benchmark::State& state, direction way, bool with_context) {
  const auto context = ext::trace_context::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const ext::trace speaks =
      ext::trace().sent_with([&](std::uint64_t) { return with_context ? context : std::nullopt; });
  buffer_pool pool;
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-hawser-trace", std::move(*any_factory(speaks).confirm({}))});
  core::pipeline p(std::move(stages), role::server, pool, {});
  p.open(tick{});
  std::vector<std::byte> data(128, std::byte{0x5A});
  data[0] = std::byte{0};  // The version.
  for (auto _ : state) {
    head h;
    h.opcode = 2;
    h.rsv = way == direction::in && with_context ? 2 : 0;
    h.sized = 1;
    h.size = data.size();
    p.begin(way, h, tick{});
    if (p.bypassed(way)) continue;
    p.push(way, data, true, tick{});
    byte_span piece;
    bool fin = false;
    while (p.pull(way, piece, fin) == core::pipeline::pulled::piece)
      benchmark::DoNotOptimize(piece.data());
  }
}
BENCHMARK_CAPTURE(trace_message, out, direction::out, true);
BENCHMARK_CAPTURE(trace_message, out_without, direction::out, false);
BENCHMARK_CAPTURE(trace_message, in, direction::in, true);
BENCHMARK_CAPTURE(trace_message, in_without, direction::in, false);

}  // namespace
