#pragma once
/// Command line of the load generator.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bench {

enum class load_mode { echo, fanout, idle, churn, secure };
enum class load_deflate { off, takeover, no_takeover };

struct load_options {
  load_mode mode = load_mode::echo;
  load_deflate deflate = load_deflate::off;
  std::string host = "127.0.0.1";
  std::string path = "/";
  std::string offer;  // extensions to offer; what is agreed is the server's affair
  int port = 0;
  int pid = 0;
  int server_core = 0;
  unsigned connections = 64;
  unsigned pipeline = 1;
  unsigned topics = 1;
  std::size_t size = 32;
  std::uint64_t count = 0;  // messages to send in all; 0: as many as fit into `seconds`
  double seconds = 3;
  double warmup = 0.5;
  bool text = false;     // text messages, of ASCII letters
  bool chinese = false;  // text messages, of characters of three bytes
  bool spin = false;     // never sleep while a reply is awaited
  bool tls = false;      // under everything; `secure` has nothing else
  bool json = false;
};

inline constexpr std::string_view load_usage =
    "usage: load --port PORT [--host HOST] [--path PATH] [--mode echo|fanout|idle|churn|secure]\n"
    "            [--offer EXTENSIONS] [--conns N] [--topics N] [--size BYTES] [--pipeline N]\n"
    "            [--text|--chinese] [--deflate takeover|no_takeover] [--tls]\n"
    "            [--secs S] [--warmup S] [--count N] [--pid SERVER] [--server-cpu CORE] [--spin] [--json]\n"
    "\n"
    "  echo     every connection keeps N messages in flight (--pipeline), the next N follow when all came back\n"
    "  fanout   one publisher sends N messages, the next N follow when all --conns subscribers and itself have them\n"
    "           --topics: that many publishers, each on a path of its own (PATH0, PATH1, ...), which the\n"
    "           subscribers are spread over\n"
    "  idle     opens --conns connections, echoes one message on each, reports the server's growth per connection\n"
    "           and its CPU while --secs pass, in which only pings are answered\n"
    "  churn    --conns at a time: connect, upgrade, reset; counts finished handshakes\n"
    "  secure   --conns at a time: connect, TLS handshake, close_notify both ways, reset; counts finished handshakes\n"
    "  --tls    TLS 1.3 with AES-128-GCM and X25519 below; the certificate is not looked at, and every handshake is\n"
    "           a full one\n"
    "  --offer  sent as Sec-WebSocket-Extensions; they must leave these messages as they are\n"
    "  --deflate  offer permessage-deflate, with context takeover both ways or without, and send JSON text that is\n"
    "           compressed beforehand, one message at a time (echo, idle); the ratio that the server reached is told\n"
    "  --pid    the server's process: its CPU per message (and ksoftirqd of --server-cpu) is reported\n"
    "  --count  stop after this many messages instead of after --secs; for counting instructions\n"
    "  --spin   never sleep while a reply is awaited (echo, fanout): the latency is then that of the server alone\n";

/// A numeric option: its name, its least and greatest value, and where the value goes.
struct load_number {
  std::string_view name;
  double least;
  double greatest;
  void (*store)(load_options&, double);
};

inline constexpr load_number load_numbers[] = {
    {"--port", 1, 65535, [](load_options& o, double v) { o.port = static_cast<int>(v); }},
    {"--pid", 1, 1 << 30, [](load_options& o, double v) { o.pid = static_cast<int>(v); }},
    {"--server-cpu", 0, 4095, [](load_options& o, double v) { o.server_core = static_cast<int>(v); }},
    {"--conns", 1, 1000000, [](load_options& o, double v) { o.connections = static_cast<unsigned>(v); }},
    {"--topics", 1, 65536, [](load_options& o, double v) { o.topics = static_cast<unsigned>(v); }},
    {"--pipeline", 1, 100000, [](load_options& o, double v) { o.pipeline = static_cast<unsigned>(v); }},
    {"--size", 1, 1 << 30, [](load_options& o, double v) { o.size = static_cast<std::size_t>(v); }},
    {"--count", 1, 1e15, [](load_options& o, double v) { o.count = static_cast<std::uint64_t>(v); }},
    {"--secs", 0, 3600, [](load_options& o, double v) { o.seconds = v; }},
    {"--warmup", 0, 3600, [](load_options& o, double v) { o.warmup = v; }},
};

/// Throws std::invalid_argument with one line for the person who typed it, as the next two do.
inline void store_number(load_options& out, const load_number& option, const char* text) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= option.least && value <= option.greatest))
    throw std::invalid_argument(std::string(option.name) + " wants a number from " +
                                std::to_string(static_cast<long>(option.least)) + " to " +
                                std::to_string(static_cast<long>(option.greatest)) + ", not \"" + text + "\"");
  option.store(out, value);
}

inline load_mode parse_load_mode(std::string_view text) {
  if (text == "echo") return load_mode::echo;
  if (text == "fanout") return load_mode::fanout;
  if (text == "idle") return load_mode::idle;
  if (text == "churn") return load_mode::churn;
  if (text == "secure") return load_mode::secure;
  throw std::invalid_argument("--mode is echo, fanout, idle, churn or secure, not \"" + std::string(text) + "\"");
}

inline load_deflate parse_load_deflate(std::string_view text) {
  if (text == "takeover") return load_deflate::takeover;
  if (text == "no_takeover") return load_deflate::no_takeover;
  throw std::invalid_argument("--deflate is takeover or no_takeover, not \"" + std::string(text) + "\"");
}

inline std::string* find_text(load_options& o, std::string_view name) {
  if (name == "--host") return &o.host;
  if (name == "--offer") return &o.offer;
  return name == "--path" ? &o.path : nullptr;
}

inline bool* find_flag(load_options& o, std::string_view name) {
  if (name == "--text") return &o.text;
  if (name == "--chinese") return &o.chinese;
  if (name == "--spin") return &o.spin;
  if (name == "--tls") return &o.tls;
  return name == "--json" ? &o.json : nullptr;
}

/// Throws as the ones above: what --deflate does by itself cannot be asked for besides.
inline void check_deflate(const load_options& o) {
  if (o.deflate == load_deflate::off) return;
  if (o.text || o.chinese || !o.offer.empty() || o.pipeline > 1)
    throw std::invalid_argument("--deflate chooses the message, the offer and how many are in flight");
  if (o.mode != load_mode::echo && o.mode != load_mode::idle)
    throw std::invalid_argument("--deflate is for echo and idle");
}

inline load_options parse_load_options(int argc, char** argv) {
  load_options out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (bool* flag = find_flag(out, name)) {
      *flag = true;
      continue;
    }
    const auto* number = std::find_if(std::begin(load_numbers), std::end(load_numbers),
                                      [&](const load_number& option) { return option.name == name; });
    std::string* text = find_text(out, name);
    const bool known = number != std::end(load_numbers) || name == "--mode" || name == "--deflate" || text != nullptr;
    if (!known) throw std::invalid_argument(std::string(name) + " is no option of this program");
    if (++i == argc) throw std::invalid_argument(std::string(name) + " wants a value");
    if (number != std::end(load_numbers))
      store_number(out, *number, argv[i]);
    else if (name == "--mode")
      out.mode = parse_load_mode(argv[i]);
    else if (name == "--deflate")
      out.deflate = parse_load_deflate(argv[i]);
    else
      *text = argv[i];
  }
  if (out.text && out.chinese) throw std::invalid_argument("--text and --chinese are two kinds of message: choose one");
  check_deflate(out);
  if (out.mode == load_mode::secure) out.tls = true;
  if (out.port == 0) throw std::invalid_argument("--port is missing");
  if (out.topics > 1 && out.mode != load_mode::fanout) throw std::invalid_argument("--topics is for --mode fanout");
  if (out.topics > out.connections) throw std::invalid_argument("--topics wants at least as many --conns");
  return out;
}

}  // namespace bench
