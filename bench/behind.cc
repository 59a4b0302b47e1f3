// How long the answer to a message of 64 bytes takes on a connection that is full of messages of 64 MiB, without and
// with priority, in turn, over loopback. Client and server are both over the library, on a thread each: what is
// compared is the library with itself.
//   behind [SAMPLES]
// So many in each of three rounds without it (100 unless told otherwise), ten times as many with it.

#include <hawser/hawser.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

constexpr std::size_t large = std::size_t{64} << 20;
constexpr std::size_t small = 64;
constexpr int rounds = 3;

template <class Options>
Options roomy() {
  Options options;
  options.bounds.max_message = large;
  options.bounds.write_soft = options.bounds.write_hard = 4 * large;
  return options;
}

// Two large messages are always on their way to the client: for each that came it asks for another.
void serve(hawser::server& server) {
  const std::string bulk(large, 'b');
  server.route("/").on_message([&bulk](hawser::connection c, const hawser::message& m) {
    static_cast<void>(m.bytes().size() == small ? c.send(m) : c.send(hawser::as_bytes(bulk)));
  });
  static_cast<void>(server.run());
}

// Microseconds from sending to the answer, sorted.
std::vector<double> waits(const std::string& url, bool with, std::size_t samples) {
  hawser::client ws(url, roomy<hawser::client_options>());
  if (with) ws.extensions().require(hawser::ext::priority());
  std::vector<double> all;
  clock_type::time_point asked;
  const std::string question(small, 'q');
  const auto ask = [&](hawser::connection c) {
    asked = clock_type::now();
    static_cast<void>(c.send(question));
  };
  ws.on_connect([&](hawser::connection c, const hawser::handshake&) {
    static_cast<void>(c.send("more"));
    static_cast<void>(c.send("more"));
  });
  bool asking = false;  // Once the line is full.
  ws.on_message([&](hawser::connection c, const hawser::message& m) {
    if (m.bytes().size() == large) {
      static_cast<void>(c.send("more"));
      return std::exchange(asking, true) ? void() : ask(c);
    }
    all.push_back(std::chrono::duration<double, std::micro>(clock_type::now() - asked).count());
    if (all.size() < samples) return ask(c);
    c.terminate();
    static_cast<void>(ws.stop());
  });
  ws.run_forever();
  std::sort(all.begin(), all.end());
  return all;
}

double at(const std::vector<double>& sorted, double part) {
  return sorted.at(static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1)));
}

int measure(std::size_t samples) {
  hawser::server server(roomy<hawser::server_options>());
  server.extensions().add(hawser::ext::priority());
  const auto bound = server.listen("127.0.0.1:0");
  if (!bound) return 1;
  std::thread serving([&server] { serve(server); });
  const std::string url = "ws://" + bound->text() + "/";
  std::vector<double> found[2];
  for (int round = 0; round < rounds; ++round) {
    for (const bool with : {false, true}) {
      std::vector<double> some = waits(url, with, with ? 10 * samples : samples);
      found[with ? 1 : 0].insert(found[with ? 1 : 0].end(), some.begin(), some.end());
    }
  }
  server.stop();
  serving.join();
  for (std::vector<double>& all : found)
    std::sort(all.begin(), all.end());
  std::printf("64 bytes behind 64 MiB, microseconds\n");
  for (const bool with : {false, true})
    std::printf("%-18s p50 %10.0f   p99 %10.0f   of %zu\n", with ? "with priority" : "without priority",
                at(found[with ? 1 : 0], 0.5), at(found[with ? 1 : 0], 0.99), found[with ? 1 : 0].size());
  std::printf("ratio              p50 %10.4f   p99 %10.4f\n", at(found[1], 0.5) / at(found[0], 0.5),
              at(found[1], 0.99) / at(found[0], 0.99));
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  return measure(argc > 1 ? std::max(1UL, std::strtoul(argv[1], nullptr, 10)) : 100);
} catch (const std::exception& e) {
  std::fprintf(stderr, "behind: %s\n", e.what());
  return 1;
}
