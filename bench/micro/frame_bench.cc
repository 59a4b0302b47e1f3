// Frame headers: read at every length form, cut short, and written.

#include <benchmark/benchmark.h>
#include <hawser/core/frame.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using namespace hawser;

// A payload length for each of the three forms of the length field.
void each_form(benchmark::internal::Benchmark* b) { b->Arg(32)->Arg(1024)->Arg(1 << 20); }

std::vector<std::byte> header_for(std::uint64_t length) {
  std::vector<std::byte> out(core::max_frame_header);
  out.resize(core::write_frame_header(out.data(), 0x82, length, 0x3D21FA37));
  return out;
}

void parse_frame_header(benchmark::State& state) {
  const std::vector<std::byte> header = header_for(static_cast<std::uint64_t>(state.range(0)));
  core::frame_header parsed;
  for (auto _ : state) {
    benchmark::DoNotOptimize(header.data());
    benchmark::DoNotOptimize(core::parse_frame_header(header, parsed));
    benchmark::DoNotOptimize(parsed);
  }
}
BENCHMARK(parse_frame_header)->Apply(each_form);

void parse_cut_frame_header(benchmark::State& state) {
  const std::vector<std::byte> header = header_for(1 << 20);
  const byte_view cut = byte_view(header).first(header.size() - 1);
  core::frame_header parsed;
  for (auto _ : state) {
    benchmark::DoNotOptimize(header.data());
    benchmark::DoNotOptimize(core::parse_frame_header(cut, parsed));
  }
}
BENCHMARK(parse_cut_frame_header);

void write_server_header(benchmark::State& state) {
  std::array<std::byte, core::max_frame_header> out;
  auto length = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(length);
    benchmark::DoNotOptimize(core::write_frame_header(out.data(), 0x82, length));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(write_server_header)->Apply(each_form);

}  // namespace
