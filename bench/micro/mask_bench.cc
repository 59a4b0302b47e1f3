// Masking in place and while moving, beside a loop over bytes and beside memcpy: the slowest and the fastest it can be.

#include <benchmark/benchmark.h>
#include <hawser/core/mask.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

using namespace hawser;

constexpr std::uint32_t key = 0x3D21FA37;

void sizes(benchmark::internal::Benchmark* b) { b->Arg(8)->Arg(32)->Arg(64)->Arg(125)->Arg(1024)->Arg(65536); }

void count_bytes(benchmark::State& state) { state.SetBytesProcessed(state.iterations() * state.range(0)); }

std::vector<std::byte> payload(benchmark::State& state) {
  return std::vector<std::byte>(static_cast<std::size_t>(state.range(0)), std::byte{0x5A});
}

void mask_in_place(benchmark::State& state) {
  std::vector<std::byte> data = payload(state);
  for (auto _ : state) {
    core::mask(data, key);
    benchmark::ClobberMemory();
  }
  count_bytes(state);
}
BENCHMARK(mask_in_place)->Apply(sizes);

// As received: four bytes of header in front, so that nothing is aligned.
void mask_in_place_unaligned(benchmark::State& state) {
  std::vector<std::byte> data = payload(state);
  data.resize(data.size() + 6);
  for (auto _ : state) {
    core::mask(byte_span(data).subspan(6), key);
    benchmark::ClobberMemory();
  }
  count_bytes(state);
}
BENCHMARK(mask_in_place_unaligned)->Apply(sizes);

void mask_copy(benchmark::State& state) {
  const std::vector<std::byte> in = payload(state);
  std::vector<std::byte> out(in.size());
  for (auto _ : state) {
    core::mask_copy(out.data(), in, key);
    benchmark::ClobberMemory();
  }
  count_bytes(state);
}
BENCHMARK(mask_copy)->Apply(sizes);

void byte_by_byte(benchmark::State& state) {
  std::vector<std::byte> data = payload(state);
  std::byte keys[4];
  std::memcpy(keys, &key, sizeof key);
  for (auto _ : state) {
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] ^= keys[i % 4];
      benchmark::DoNotOptimize(data[i]);
    }
    benchmark::ClobberMemory();
  }
  count_bytes(state);
}
BENCHMARK(byte_by_byte)->Apply(sizes);

void plain_memcpy(benchmark::State& state) {
  const std::vector<std::byte> in = payload(state);
  std::vector<std::byte> out(in.size());
  for (auto _ : state) {
    std::memcpy(out.data(), in.data(), in.size());
    benchmark::ClobberMemory();
  }
  count_bytes(state);
}
BENCHMARK(plain_memcpy)->Apply(sizes);

}  // namespace
