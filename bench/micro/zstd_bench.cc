// A JSON message compressed and read with Zstandard, with a dictionary and without; the size on the wire as a counter.

#include <benchmark/benchmark.h>
#include <hawser/core/pipeline.h>
#include <hawser/ext/zstd.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace hawser;

std::string json(std::size_t size) {
  std::string text;
  for (unsigned i = 0; text.size() < size; ++i)
    text += R"({"type":"trade","symbol":"HAWSER","price":)" + std::to_string(1000 + i * i % 977) + "}";
  text.resize(size);
  return text;
}

std::string carried(core::pipeline& p, direction way, std::string& text) {
  head h;
  h.opcode = 2;
  h.rsv = way == direction::in ? 4 : 0;
  h.sized = 1;
  h.size = text.size();
  p.begin(way, h, tick{});
  p.push(way, {reinterpret_cast<std::byte*>(text.data()), text.size()}, true, tick{});
  std::string out;
  byte_span piece;
  bool fin = false;
  while (p.pull(way, piece, fin) == core::pipeline::pulled::piece)
    out.append(as_text(piece));
  return out;
}

void zstd_message(benchmark::State& state, direction way, bool with_dictionary) {
  if (!ext::zstd::available()) return state.SkipWithError("this build has no libzstd");
  ext::zstd speaks;
  if (with_dictionary) speaks = speaks.dictionary(as_bytes(json(2000)));
  std::vector<core::agreed_extension> stages;
  stages.push_back({"x-hawser-zstd", std::move(*any_factory(speaks).accept(speaks.offers()))});
  buffer_pool pool;
  core::shelf shelf;
  core::pipeline p(std::move(stages), role::server, pool, {}, 0, &shelf);
  p.open(tick{});
  std::string text = json(static_cast<std::size_t>(state.range(0)));
  std::string wire = carried(p, direction::out, text);
  for (auto _ : state)
    benchmark::DoNotOptimize(carried(p, way, way == direction::out ? text : wire).size());
  state.counters["wire"] = static_cast<double>(wire.size());
}
BENCHMARK_CAPTURE(zstd_message, out, direction::out, false)->Arg(128)->Arg(1024)->Arg(16384);
BENCHMARK_CAPTURE(zstd_message, out_with_dictionary, direction::out, true)->Arg(128)->Arg(1024);
BENCHMARK_CAPTURE(zstd_message, in, direction::in, false)->Arg(128)->Arg(1024)->Arg(16384);
BENCHMARK_CAPTURE(zstd_message, in_with_dictionary, direction::in, true)->Arg(128)->Arg(1024);

}  // namespace
