// The command line, read and explained.

#include "commands.h"

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <hawser/base/config.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::uint64_t longest_message = std::uint64_t{1} << 62;
constexpr std::uint64_t largest_count = std::numeric_limits<std::uint32_t>::max();

// A whole number from 1 to `most`. CLI11's own conversion takes -1 and what is too large for the type.
CLI::Validator counts_to(std::uint64_t most) {
  const auto check = [most](const std::string& text) {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    const bool good = error == std::errc() && stop == end && number >= 1 && number <= most;
    return good ? std::string() : "'" + text + "' is not a whole number from 1 to " + std::to_string(most);
  };
  return {check, ""};
}

// An option that may be given several times, with one value each time: what follows is not taken for another value.
void add_repeated(CLI::App& app, const std::string& name, std::vector<std::string>& to, const std::string& text) {
  app.add_option(name, to, text + "; may be given several times")->take_all()->allow_extra_args(false);
}

void describe_extension(CLI::App& app, std::vector<std::string>& to) {
  add_repeated(app, "--extension", to, "Offer this extension: NAME[;param[=value]]...");
}

void describe_echo(CLI::App& app, hawser_tool::echo_args& args, std::string& client_url) {
  CLI::Option* client = app.add_option(
      "--client", client_url, "Drive the fuzzing server at this URL instead: run each of its cases, echo its messages");
  app.add_option("--listen", args.listen, "HOST:PORT, [V6]:PORT or unix:PATH; port 0 lets the system choose")
      ->capture_default_str()
      ->excludes(client);
  app.add_option("--threads", args.threads, "Event loops, each on a thread of its own")
      ->check(CLI::Range(1U, 256U))
      ->capture_default_str()
      ->excludes(client);
  describe_extension(app, args.extensions);
  app.add_option("--max-message", args.max_message,
                 "Longest message in bytes; a longer one closes with 1009 (1048576; with --client 67108864)")
      ->check(counts_to(longest_message));
  app.add_option("--max-fragments", args.max_fragments,
                 "Most frames of one message; more close with 1008 (1024; with --client 1048576)")
      ->check(counts_to(largest_count));
  app.add_option("--max-per-ip", args.max_per_ip,
                 "Most connections from one address, loopback included (256 without loopback)")
      ->check(counts_to(largest_count))
      ->excludes(client);
  app.add_option("--accept-rate", args.accept_rate,
                 "Most new connections a second, loopback included (1000 without loopback)")
      ->check(counts_to(largest_count))
      ->excludes(client);
  app.add_option("--driver", args.driver, "The way to the system")
      ->check(CLI::IsMember({"auto", "epoll"}))
      ->capture_default_str();
  app.add_flag("--broadcast", args.broadcast, "Send each message to every connection")->excludes(client);
}

void describe_connect(CLI::App& app, hawser_tool::connect_args& args) {
  app.add_option("url", args.url, "ws://HOST[:PORT][/PATH]")->required();
  add_repeated(app, "-H,--header", args.headers, "Add a header to the request: 'Name: value'");
  add_repeated(app, "--subprotocol", args.subprotocols, "Offer this subprotocol");
  describe_extension(app, args.extensions);
  app.add_flag("-v,--verbose", args.verbose, "Say what was negotiated, on standard error");
}

// A closed standard stream must not become a socket that messages are printed into.
void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  CLI::App app{"hawser: a WebSocket client and server with extensions of your own"};
  app.set_version_flag("--version", "hawser " + std::string(hawser::version()));
  app.require_subcommand(1);
  app.failure_message([](const CLI::App*, const CLI::Error& e) {
    return "hawser: " + std::string(e.what()) + " (hawser --help tells more)\n";
  });

  hawser_tool::echo_args echo;
  std::string client_url;
  CLI::App* echo_command = app.add_subcommand("echo", "Echo messages: a server, or the client of a fuzzing server");
  describe_echo(*echo_command, echo, client_url);
  hawser_tool::connect_args connect;
  CLI::App* connect_command = app.add_subcommand("connect", "Connect, send lines of standard input, print what comes");
  describe_connect(*connect_command, connect);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? hawser_tool::done : hawser_tool::usage;
  }
  if (connect_command->parsed()) return hawser_tool::connect(connect);
  if (!client_url.empty()) return hawser_tool::echo_client(client_url, echo);
  return hawser_tool::echo_server(echo);
}
