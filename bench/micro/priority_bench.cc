// A message of 64 bytes on a connection with x-hawser-priority, out and in: the way of all messages where frames may
// mix.

#include <benchmark/benchmark.h>
#include <hawser/core/connection.h>
#include <hawser/ext/priority.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

namespace {

using namespace hawser;

constexpr std::size_t message_size = 64;

class zeros final : public random_source {
 public:
  void fill(byte_span out) noexcept override { std::fill(out.begin(), out.end(), std::byte{0}); }
};

struct prioritised {
  prioritised() {
    std::vector<core::agreed_extension> stages;
    stages.push_back({"x-hawser-priority", std::move(*any_factory(ext::priority()).accept({{}}))});
    c.attach(std::move(stages), now);
  }
  void turn(byte_span in) {
    c.begin_turn();
    if (in.empty()) sent = c.send(opcode::binary, message) == errc::ok;
    c.receive(in, now);
    while (c.next() != core::kind::none)
      benchmark::DoNotOptimize(c.current().payload.data());
    std::size_t bytes = 0;
    for (const byte_view chunk : c.output())
      bytes += chunk.size();
    c.sent(bytes);
    c.end_turn();
  }

  buffer_pool pool;
  zeros random;
  core::resources shared{pool, random};
  core::settings obey;
  tick now{std::chrono::seconds(1)};
  core::connection c{shared, obey, role::server, now};
  std::array<std::byte, message_size> message{};
  bool sent = true;
};

// After each quarter of a window comes a grant.
void priority_message_out(benchmark::State& state) {
  constexpr std::size_t quarter = std::size_t{64} << 10;
  prioritised p;
  std::array<std::byte, 10> grant{std::byte{0x8F}, std::byte{0x84}};
  grant[7] = std::byte{1};  // 65536, with a key of zeros.
  std::size_t since = 0;
  for (auto _ : state) {
    p.turn({});
    since += message_size;
    if (since < quarter) continue;
    since = 0;
    std::array<std::byte, 10> in = grant;
    p.turn(in);
  }
  if (!p.sent || !p.c.is_open()) state.SkipWithError("a message was not taken");
}
BENCHMARK(priority_message_out);

void priority_message_in(benchmark::State& state) {
  prioritised p;
  std::array<std::byte, 6 + 1 + message_size> frame{std::byte{0x82}, std::byte{0x80 | (message_size + 1)}};
  for (auto _ : state) {
    std::array<std::byte, 6 + 1 + message_size> in = frame;
    p.turn(in);
  }
  if (!p.c.is_open()) state.SkipWithError("a frame was not taken");
}
BENCHMARK(priority_message_in);

}  // namespace
