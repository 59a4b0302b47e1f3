#pragma once
/// Command line of the load generator.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bench {

enum class load_mode { echo, fanout, idle, churn };

struct load_options {
  load_mode mode = load_mode::echo;
  std::string host = "127.0.0.1";
  std::string path = "/";
  int port = 0;
  int pid = 0;
  int server_core = 0;
  unsigned connections = 64;
  unsigned pipeline = 1;
  std::size_t size = 32;
  std::uint64_t count = 0;  // messages to send in all; 0: as many as fit into `seconds`
  double seconds = 3;
  double warmup = 0.5;
  bool text = false;
  bool json = false;
};

inline constexpr std::string_view load_usage =
    "usage: load --port PORT [--host HOST] [--path PATH] [--mode echo|fanout|idle|churn]\n"
    "            [--conns N] [--size BYTES] [--pipeline N] [--text] [--secs S] [--warmup S] [--count N]\n"
    "            [--pid SERVER] [--server-cpu CORE] [--json]\n"
    "\n"
    "  echo     every connection keeps N messages in flight (--pipeline), the next N follow when all came back\n"
    "  fanout   one publisher sends N messages, the next N follow when all --conns subscribers and itself have them\n"
    "  idle     opens --conns connections, echoes one message on each, reports the server's growth per connection\n"
    "  churn    --conns at a time: connect, upgrade, reset; counts finished handshakes\n"
    "  --pid    the server's process: its CPU per message (and ksoftirqd of --server-cpu) is reported\n"
    "  --count  stop after this many messages instead of after --secs; for counting instructions\n";

/// Throws std::invalid_argument with one line for the person who typed it.
inline load_options parse_load_options(int argc, char** argv) {
  load_options out;
  const auto number = [](std::string_view name, const char* text, double low, double high) {
    char* end = nullptr;
    const double value = std::strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= low && value <= high))
      throw std::invalid_argument(std::string(name) + " wants a number from " + std::to_string(static_cast<long>(low)) +
                                  " to " + std::to_string(static_cast<long>(high)) + ", not \"" + text + "\"");
    return value;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--text") {
      out.text = true;
      continue;
    }
    if (name == "--json") {
      out.json = true;
      continue;
    }
    if (i + 1 == argc) throw std::invalid_argument(std::string(name) + " is unknown or wants a value");
    const char* value = argv[++i];
    if (name == "--mode") {
      const std::string_view mode = value;
      if (mode == "echo")
        out.mode = load_mode::echo;
      else if (mode == "fanout")
        out.mode = load_mode::fanout;
      else if (mode == "idle")
        out.mode = load_mode::idle;
      else if (mode == "churn")
        out.mode = load_mode::churn;
      else
        throw std::invalid_argument("--mode is echo, fanout, idle or churn, not \"" + std::string(mode) + "\"");
    } else if (name == "--host")
      out.host = value;
    else if (name == "--path")
      out.path = value;
    else if (name == "--port")
      out.port = static_cast<int>(number(name, value, 1, 65535));
    else if (name == "--pid")
      out.pid = static_cast<int>(number(name, value, 1, 1 << 30));
    else if (name == "--server-cpu")
      out.server_core = static_cast<int>(number(name, value, 0, 4095));
    else if (name == "--conns")
      out.connections = static_cast<unsigned>(number(name, value, 1, 1000000));
    else if (name == "--pipeline")
      out.pipeline = static_cast<unsigned>(number(name, value, 1, 100000));
    else if (name == "--size")
      out.size = static_cast<std::size_t>(number(name, value, 1, 1 << 30));
    else if (name == "--count")
      out.count = static_cast<std::uint64_t>(number(name, value, 1, 1e15));
    else if (name == "--secs")
      out.seconds = number(name, value, 0, 3600);
    else if (name == "--warmup")
      out.warmup = number(name, value, 0, 3600);
    else
      throw std::invalid_argument(std::string(name) + " is no option of this program");
  }
  if (out.port == 0) throw std::invalid_argument("--port is missing");
  return out;
}

}  // namespace bench
