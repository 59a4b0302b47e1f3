// Runs one part of the library a given number of times, and nothing else: `bench/instructions` counts two numbers of
// times under callgrind and takes the difference. Times are what bench/micro measures.

#include <hawser/core/connection.h>
#include <hawser/core/extension_header.h>
#include <hawser/core/frame.h>
#include <hawser/core/handshake.h>
#include <hawser/core/http.h>
#include <hawser/core/mask.h>
#include <hawser/core/url.h>
#include <hawser/core/utf8.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace hawser;

// What a parser found is used, as far as the compiler can tell.
template <class T>
void use(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

constexpr std::string_view request =
    "GET /chat?room=harbour HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nUpgrade: websocket\r\nOrigin: https://example.com\r\n"
    "Sec-WebSocket-Version: 13\r\nCookie: session=0123456789abcdef\r\nSec-WebSocket-Key: aGF3c2VyIGJlbmNobWFyaw==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

void frame_header(std::size_t times) {
  std::vector<std::byte> header(core::max_frame_header);
  header.resize(core::write_frame_header(header.data(), 0x82, 1000, 0x3D21FA37));
  for (; times > 0; --times) {
    core::frame_header parsed;
    use(header);
    use(core::parse_frame_header(header, parsed));
    use(parsed);
  }
}

template <std::size_t Size>
void mask(std::size_t times) {
  std::vector<std::byte> payload(Size);
  for (; times > 0; --times) {
    core::mask(payload, 0x3D21FA37);
    use(payload);
  }
}

template <std::size_t Size>
void utf8(std::string_view character, std::size_t times) {
  std::string text;
  while (text.size() < Size)
    text += character;
  for (; times > 0; --times) {
    use(text);
    use(core::valid_utf8(as_bytes(text)));
  }
}

void answer_request(std::size_t times) {
  for (; times > 0; --times) {
    head_parser parser(head_parser::expects::request);
    std::size_t consumed = 0;
    parser.feed(as_bytes(request), consumed);
    core::upgrade_request asked;
    core::refusal why;
    if (!core::check_policy(parser.head(), {}, true, why) || !core::check_upgrade(parser.head(), asked, why))
      std::abort();
    use(core::switching_protocols(asked.key, "", "", {}));
  }
}

void open_as_client(std::size_t times) {
  const url to = parse_url("ws://example.com:9001/chat").value();
  const core::client_request asked;
  const std::string key = core::make_key({});
  const std::string answer = core::switching_protocols(key, "", "", {});
  for (; times > 0; --times) {
    use(core::upgrade_request_text(to, key, asked));
    head_parser parser(head_parser::expects::response);
    std::size_t consumed = 0;
    parser.feed(as_bytes(answer), consumed);
    core::upgrade_response agreed;
    std::string why;
    if (!core::check_response(parser.head(), key, asked, false, agreed, why)) std::abort();
    use(agreed);
  }
}

class zeros final : public random_source {
 public:
  void fill(byte_span out) noexcept override { std::fill(out.begin(), out.end(), std::byte{0}); }
};

// Turns of a server's connection that echoes: `Messages` come at once, and go out at once.
template <std::size_t Messages, std::size_t Size>
void echo(opcode op, std::string_view character, std::size_t times) {
  buffer_pool pool;
  zeros random;
  core::resources shared(pool, random);
  const core::settings obey;
  const tick now{std::chrono::seconds(1)};
  core::connection c(shared, obey, role::server, now);
  std::string text;
  while (text.size() + character.size() <= Size)
    text += character;
  std::vector<std::byte> input;
  for (std::size_t i = 0; i < Messages; ++i) {
    // A key of zeros, so that unmasking leaves the bytes as they are for the next turn.
    std::byte header[core::max_frame_header];
    const auto first = static_cast<std::uint8_t>(0x80U | static_cast<unsigned>(op));
    const std::size_t n = core::write_frame_header(header, first, text.size(), 0);
    input.insert(input.end(), header, header + n);
    const byte_view payload = as_bytes(text);
    input.insert(input.end(), payload.begin(), payload.end());
  }
  for (std::size_t done = 0; done < times; done += Messages) {
    c.begin_turn();
    c.receive(input, now);
    while (c.next() == core::kind::message)
      if (c.send(c.current().op, c.current().payload) != errc::ok) std::abort();
    std::size_t bytes = 0;
    for (const byte_view chunk : c.output())
      bytes += chunk.size();
    c.sent(bytes);
    c.end_turn();
  }
  if (c.stats().messages_out < times) std::abort();
}

struct part {
  std::string_view name;
  void (*run)(std::size_t times);
};

constexpr part parts[] = {
    {"echo-32", [](std::size_t n) { echo<1, 32>(opcode::binary, "a", n); }},
    {"echo-64x32", [](std::size_t n) { echo<64, 32>(opcode::binary, "a", n); }},
    {"echo-64x1k", [](std::size_t n) { echo<64, 1024>(opcode::binary, "a", n); }},
    {"echo-64x1k-ascii", [](std::size_t n) { echo<64, 1024>(opcode::text, "a", n); }},
    {"echo-64x1k-chinese", [](std::size_t n) { echo<64, 1024>(opcode::text, "\xE4\xB8\xAD", n); }},
    {"echo-16k", [](std::size_t n) { echo<1, 16384>(opcode::binary, "a", n); }},
    {"frame-header", frame_header},
    {"mask-32", mask<32>},
    {"mask-1k", mask<1024>},
    {"utf8-ascii-32", [](std::size_t n) { utf8<32>("a", n); }},
    {"utf8-ascii-1k", [](std::size_t n) { utf8<1024>("a", n); }},
    {"utf8-chinese-1k", [](std::size_t n) { utf8<1023>("\xE4\xB8\xAD", n); }},
    {"extensions",
     [](std::size_t n) {
       for (; n > 0; --n)
         use(core::parse_extensions("permessage-deflate; client_max_window_bits, x-sign; key-id=\"a17\""));
     }},
    {"url",
     [](std::size_t n) {
       for (; n > 0; --n)
         use(parse_url("ws://stream.example.com:9443/v2/market/ticker?symbol=EURUSD"));
     }},
    {"handshake-server", answer_request},
    {"handshake-client", open_as_client},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3)
    for (const part& p : parts)
      if (p.name == argv[1]) {
        p.run(std::strtoull(argv[2], nullptr, 10));
        return 0;
      }
  std::fputs("usage: parts NAME TIMES\nNAME is one of:", stderr);
  for (const part& p : parts)
    std::fprintf(stderr, " %s", std::string(p.name).c_str());
  std::fputs("\n", stderr);
  return 2;
}
