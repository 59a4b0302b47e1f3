// What permessage-deflate costs a server for a message of 1 KiB of JSON, by preset, with and without takeover: in, out,
// and the size on the wire against the text's ("ratio"). One message after the other through the stages of one
// connection, without any system call.

#include "../support/compressed_json.h"

#include <benchmark/benchmark.h>
#include <hawser/core/negotiate.h>
#include <hawser/core/pipeline.h>
#include <hawser/ext/deflate.h>

#include <cstddef>
#include <string>
#include <vector>

namespace {

using namespace hawser;

constexpr std::size_t size = 1024;
constexpr unsigned messages = 256;

/// Two ends on one loop.
struct line {
  buffer_pool pool;
  core::shelf lent;
  std::unique_ptr<core::pipeline> client;
  std::unique_ptr<core::pipeline> server;

  explicit line(ext::deflate_options o) {
    o.threshold = 0;
    extension_list list;
    list.add(ext::deflate(o));
    std::string why;
    auto answer =
        core::answer_extensions(core::offer_extensions(list, {role::client, false}), list, {role::server, false}, why);
    auto agreed = core::confirm_extensions(answer->header, list, {role::client, false}, why);
    client = std::make_unique<core::pipeline>(std::move(agreed->agreed), role::client, pool, core::pipeline_limits{}, 0,
                                              &lent);
    server = std::make_unique<core::pipeline>(std::move(answer->agreed), role::server, pool, core::pipeline_limits{}, 0,
                                              &lent);
    client->open(tick{});
    server->open(tick{});
  }
  /// One message; what comes out replaces what was in `out`.
  static void pass(core::pipeline& p, direction way, byte_span in, std::string& out) {
    head h;
    h.opcode = 1;
    h.rsv = way == direction::in ? 4 : 0;
    h.sized = 1;
    h.size = in.size();
    out.clear();
    p.begin(way, h, tick{});
    p.push(way, in, true, tick{});
    byte_span piece;
    bool fin = false;
    while (p.pull(way, piece, fin) == core::pipeline::pulled::piece)
      out.append(as_text(piece));
  }
};

byte_span bytes_of(std::string& s) { return {reinterpret_cast<std::byte*>(s.data()), s.size()}; }

ext::deflate_options options_of(ext::deflate_preset p, bool takeover) {
  ext::deflate_options o(p);
  o.server_no_context_takeover = o.client_no_context_takeover = !takeover;
  return o;
}

std::vector<std::string> texts() {
  std::vector<std::string> all;
  for (unsigned i = 0; i < messages; ++i)
    all.push_back(bench::quotes_json(size, i));
  return all;
}

void report(benchmark::State& state, std::size_t wire) {
  state.SetItemsProcessed(state.iterations() * messages);
  state.counters["ratio"] = static_cast<double>(messages * size) / static_cast<double>(wire);
  state.counters["us"] = benchmark::Counter(static_cast<double>(state.iterations() * messages) / 1e6,
                                            benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void out(benchmark::State& state, ext::deflate_preset p, bool takeover) {
  line l(options_of(p, takeover));
  std::vector<std::string> all = texts();
  std::string wire;
  std::size_t sum = 0;
  for (auto _ : state) {
    sum = 0;
    for (std::string& text : all) {
      line::pass(*l.server, direction::out, bytes_of(text), wire);
      sum += wire.size();
    }
  }
  report(state, sum);
}

void in(benchmark::State& state, ext::deflate_preset p, bool takeover) {
  ext::deflate_options o = options_of(p, takeover);
  // What a peer with zlib sends.
  ext::deflate_options peer(ext::deflate_preset::small);
  peer.level = 6;
  peer.memory_level = 8;
  peer.server_no_context_takeover = peer.client_no_context_takeover = !takeover;
  line writer(peer);
  std::vector<std::string> wires(messages);
  std::vector<std::string> all = texts();
  // A message may refer to the one before: the whole round again begins a new connection.
  std::size_t sum = 0;
  for (unsigned i = 0; i < messages; ++i) {
    line::pass(*writer.client, direction::out, bytes_of(all[i]), wires[i]);
    sum += wires[i].size();
  }
  o.client_max_window_bits = 15;
  std::string text;
  for (auto _ : state) {
    state.PauseTiming();
    line reader(o);
    line::pass(*reader.server, direction::in, bytes_of(wires[0]), text);
    state.ResumeTiming();
    for (unsigned i = 1; i < messages; ++i)
      line::pass(*reader.server, direction::in, bytes_of(wires[i]), text);
  }
  report(state, sum);
}

#define HAWSER_DEFLATE_BENCH(preset)                                                       \
  BENCHMARK_CAPTURE(out, preset##_takeover, ext::deflate_preset::preset, true);            \
  BENCHMARK_CAPTURE(out, preset##_each_message_alone, ext::deflate_preset::preset, false); \
  BENCHMARK_CAPTURE(in, preset##_takeover, ext::deflate_preset::preset, true);             \
  BENCHMARK_CAPTURE(in, preset##_each_message_alone, ext::deflate_preset::preset, false)

HAWSER_DEFLATE_BENCH(fast);
HAWSER_DEFLATE_BENCH(balanced);
HAWSER_DEFLATE_BENCH(small);
HAWSER_DEFLATE_BENCH(low_memory);

}  // namespace
