// UTF-8: whole texts of one, two, three and four bytes a character, and the same in pieces.

#include <benchmark/benchmark.h>
#include <hawser/core/utf8.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace {

using namespace hawser;

constexpr std::string_view alphabets[] = {"a", "\xC3\xA9", "\xE4\xB8\xAD", "\xF0\x9F\x9A\xA2"};

void scripts_and_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"bytes_a_character", "size"});
  for (const int script : {1, 3})
    for (const int size : {12, 33, 64, 126, 1026, 65538})
      b->Args({script, size});
  b->Args({2, 1026})->Args({4, 1024});
}

std::string text_of(benchmark::State& state) {
  const std::string_view character = alphabets[state.range(0) - 1];
  std::string text;
  while (text.size() < static_cast<std::size_t>(state.range(1)))
    text += character;
  return text;
}

byte_view as_bytes(const std::string& text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }

void valid_utf8(benchmark::State& state) {
  const std::string text = text_of(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(text.data());
    benchmark::DoNotOptimize(core::valid_utf8(as_bytes(text)));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(valid_utf8)->Apply(scripts_and_sizes);

// Pieces of 1,448 bytes, one TCP segment, which cut characters apart.
void utf8_in_segments(benchmark::State& state) {
  const std::string text = text_of(state);
  for (auto _ : state) {
    core::utf8_validator validator;
    bool good = true;
    for (byte_view rest = as_bytes(text); !rest.empty() && good;) {
      const std::size_t n = std::min<std::size_t>(rest.size(), 1448);
      good = validator.feed(rest.first(n));
      rest = rest.subspan(n);
    }
    benchmark::DoNotOptimize(good && validator.complete());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(utf8_in_segments)->Args({1, 65536})->Args({3, 65536})->Args({4, 65536});

}  // namespace
