// What core costs a server for an echo, without any system call: a turn of one receive, its messages, one output.

#include <benchmark/benchmark.h>
#include <hawser/core/connection.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using namespace hawser;

// Masking keys are not asked for in the server role; nothing here has to be secret.
class zeros final : public random_source {
 public:
  void fill(byte_span out) noexcept override { std::fill(out.begin(), out.end(), std::byte{0}); }
};

std::vector<std::byte> burst(opcode op, std::size_t messages, std::size_t size) {
  std::vector<std::byte> out;
  for (std::size_t i = 0; i < messages; ++i) {
    std::byte header[core::max_frame_header];
    // A key of zeros leaves ASCII as it is, so that text stays UTF-8; XOR costs the same with any key.
    const auto first = static_cast<std::uint8_t>(0x80U | static_cast<unsigned>(op));
    const std::size_t n = core::write_frame_header(header, first, size, 0);
    out.insert(out.end(), header, header + n);
    out.insert(out.end(), size, std::byte{'a'});
  }
  return out;
}

// Arguments: messages a turn, payload size. The copy stands for the kernel's: unmasking changes what was received.
void echo_turn(benchmark::State& state, opcode op) {
  buffer_pool pool;
  zeros random;
  core::resources shared(pool, random);
  const core::settings obey;
  const tick now{std::chrono::seconds(1)};
  core::connection c(shared, obey, role::server, now);
  const std::vector<std::byte> input =
      burst(op, static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  std::vector<std::byte> area(input.size());
  for (auto _ : state) {
    std::copy(input.begin(), input.end(), area.begin());
    c.begin_turn();
    c.receive(area, now);
    while (c.next() == core::kind::message)
      if (c.send(c.current().op, c.current().payload) != errc::ok) return state.SkipWithError("an echo was not taken");
    std::size_t bytes = 0;
    for (const byte_view chunk : c.output())
      bytes += chunk.size();
    benchmark::DoNotOptimize(bytes);
    c.sent(bytes);
    c.end_turn();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void turns(benchmark::internal::Benchmark* b) {
  b->ArgNames({"messages", "size"});
  b->Args({1, 32})->Args({64, 32})->Args({1, 1024})->Args({64, 1024})->Args({1, 16384});
}
BENCHMARK_CAPTURE(echo_turn, binary, opcode::binary)->Apply(turns);
BENCHMARK_CAPTURE(echo_turn, text, opcode::text)->Apply(turns);

// A message of 1 MiB that comes in reads of 64 KiB, put where core wants them.
void echo_large(benchmark::State& state) {
  buffer_pool pool;
  zeros random;
  core::resources shared(pool, random);
  const core::settings obey;
  const tick now{std::chrono::seconds(1)};
  core::connection c(shared, obey, role::server, now);
  const std::vector<std::byte> input = burst(opcode::binary, 1, std::size_t{1} << 20);
  std::vector<std::byte> area(std::size_t{64} << 10);
  for (auto _ : state) {
    for (byte_view rest = input; !rest.empty();) {
      c.begin_turn();
      const byte_span own = c.receive_area();
      const byte_span to = own.empty() ? byte_span(area) : own;
      const std::size_t n = std::min({rest.size(), to.size(), area.size()});
      std::copy_n(rest.begin(), n, to.begin());
      rest = rest.subspan(n);
      if (own.empty())
        c.receive(to.first(n), now);
      else
        c.received(n, now);
      while (c.next() == core::kind::message) {
        core::event& e = c.current();
        const errc sent = e.owner != nullptr ? c.send(e.op, *e.owner) : c.send(e.op, e.payload);
        if (sent != errc::ok) return state.SkipWithError("an echo was not taken");
      }
      std::size_t bytes = 0;
      for (const byte_view chunk : c.output())
        bytes += chunk.size();
      c.sent(bytes);
      c.end_turn();
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(echo_large);

}  // namespace
