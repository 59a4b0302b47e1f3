// What a handshake costs: HTTP heads as programs and browsers send them, extension headers, URLs, and each role whole.

#include <benchmark/benchmark.h>
#include <hawser/core/extension_header.h>
#include <hawser/core/handshake.h>
#include <hawser/core/http.h>
#include <hawser/core/url.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace {

using namespace hawser;

constexpr std::string_view short_request =
    "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: aGF3c2VyIGJlbmNobWFyaw==\r\nSec-WebSocket-Version: 13\r\n\r\n";

constexpr std::string_view browser_request =
    "GET /chat?room=harbour HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    "Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: https://example.com\r\nSec-WebSocket-Version: "
    "13\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: session=0123456789abcdef; "
    "theme=dark\r\n"
    "Sec-WebSocket-Key: aGF3c2VyIGJlbmNobWFyaw==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

void read_head(benchmark::State& state, std::string_view request, std::size_t piece) {
  for (auto _ : state) {
    head_parser parser(head_parser::expects::request);
    byte_view rest = as_bytes(request);
    while (!rest.empty()) {
      std::size_t consumed = 0;
      const head_parser::state read = parser.feed(rest.first(std::min(piece, rest.size())), consumed);
      if (read == head_parser::state::failed) return state.SkipWithError("a good head was refused");
      rest = rest.subspan(consumed);
    }
    benchmark::DoNotOptimize(parser.head());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(request.size()));
}
BENCHMARK_CAPTURE(read_head, short_whole, short_request, short_request.size());
BENCHMARK_CAPTURE(read_head, browser_whole, browser_request, browser_request.size());
BENCHMARK_CAPTURE(read_head, browser_byte_by_byte, browser_request, 1);

// Time has to grow with the length of the head and not faster: the last line of the output judges it.
void read_head_with_fields(benchmark::State& state) {
  std::string request = "GET / HTTP/1.1\r\n";
  for (std::int64_t i = 0; i < state.range(0); ++i)
    request += "X-Field: a value of some length, as they are\r\n";
  request += "\r\n";
  read_head(state, request, request.size());
  state.SetComplexityN(state.range(0));
}
BENCHMARK(read_head_with_fields)->RangeMultiplier(2)->Range(4, 64)->Complexity();

void accept_key(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(core::accept_key("aGF3c2VyIGJlbmNobWFyaw=="));
}
BENCHMARK(accept_key);

void parse_extensions(benchmark::State& state, std::string_view value) {
  for (auto _ : state)
    benchmark::DoNotOptimize(core::parse_extensions(value));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(value.size()));
}
BENCHMARK_CAPTURE(parse_extensions, one_name, "x-example");
BENCHMARK_CAPTURE(parse_extensions, browser, "permessage-deflate; client_max_window_bits");
BENCHMARK_CAPTURE(parse_extensions, quoted_and_many,
                  "permessage-deflate; server_no_context_takeover; client_max_window_bits=\"12\", "
                  "permessage-deflate; client_max_window_bits, x-sign; algorithm=hmac; key-id=\"a17\", x-trace");

void parse_url(benchmark::State& state, std::string_view text) {
  for (auto _ : state)
    benchmark::DoNotOptimize(hawser::parse_url(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK_CAPTURE(parse_url, shortest, "ws://localhost");
BENCHMARK_CAPTURE(parse_url, usual, "wss://stream.example.com:9443/v2/market/ticker?symbol=EURUSD&depth=20");
BENCHMARK_CAPTURE(parse_url, ipv6, "ws://[2001:db8::1]:9001/chat");

// All that a server does between the bytes of a request and those of its answer, extensions left aside.
void answer_request(benchmark::State& state, std::string_view request) {
  for (auto _ : state) {
    head_parser parser(head_parser::expects::request);
    std::size_t consumed = 0;
    parser.feed(as_bytes(request), consumed);
    core::upgrade_request asked;
    core::refusal why;
    if (!core::check_policy(parser.head(), {}, true, why) || !core::check_upgrade(parser.head(), asked, why)) {
      return state.SkipWithError("a good request was refused");
    }
    benchmark::DoNotOptimize(core::switching_protocols(asked.key, "", "", {}));
  }
}
BENCHMARK_CAPTURE(answer_request, short_one, short_request);
BENCHMARK_CAPTURE(answer_request, browser, browser_request);

// All that a client does: writing its request, reading and checking the answer.
void open_as_client(benchmark::State& state) {
  const url to = hawser::parse_url("ws://example.com:9001/chat").value();
  const core::client_request asked;
  const std::string key = core::make_key({});
  const std::string answer = core::switching_protocols(key, "", "", {});
  for (auto _ : state) {
    benchmark::DoNotOptimize(core::upgrade_request_text(to, key, asked));
    head_parser parser(head_parser::expects::response);
    std::size_t consumed = 0;
    parser.feed(as_bytes(answer), consumed);
    core::upgrade_response agreed;
    std::string why;
    if (!core::check_response(parser.head(), key, asked, false, agreed, why)) {
      return state.SkipWithError("a good answer was refused");
    }
  }
}
BENCHMARK(open_as_client);

}  // namespace
