// The command line, read and explained.

#include "commands.h"

#include <CLI/CLI.hpp>
#include <hawser/base/config.h>

#include <string>
#include <string_view>

namespace {

void describe_echo(CLI::App& app, hawser_tool::echo_server_args& args, std::string& client_url) {
  app.add_option("--listen", args.listen, "HOST:PORT, [V6]:PORT or unix:PATH; port 0 lets the system choose")
      ->capture_default_str();
  app.add_option("--client", client_url,
                 "Drive the fuzzing server at this URL instead: run each of its cases, echo its messages");
  app.add_option("--threads", args.threads, "Event loops, each on a thread of its own")
      ->check(CLI::Range(1U, 256U))
      ->capture_default_str();
  app.add_option("--extension", args.extensions,
                 "Offer this extension: NAME[;param[=value]]...; may be given several times")
      ->take_all();
  app.add_option("--max-message", args.max_message, "Longest message in bytes; a longer one closes with 1009")
      ->capture_default_str();
  app.add_option("--max-fragments", args.max_fragments, "Most frames of one message; more close with 1008")
      ->capture_default_str();
  app.add_option("--max-per-ip", args.max_per_ip,
                 "Most connections from one address, loopback included (256 without loopback)");
  app.add_option("--accept-rate", args.accept_rate,
                 "Most new connections a second, loopback included (1000 without loopback)");
  app.add_option("--driver", args.driver, "The way to the system")
      ->check(CLI::IsMember({"auto", "epoll"}))
      ->capture_default_str();
  app.add_flag("--broadcast", args.broadcast, "Send each message to every connection");
}

void describe_connect(CLI::App& app, hawser_tool::connect_args& args) {
  app.add_option("url", args.url, "ws://HOST[:PORT][/PATH]")->required();
  app.add_option("-H,--header", args.headers, "Add a header to the request: 'Name: value'; may be given several times")
      ->take_all();
  app.add_option("--subprotocol", args.subprotocols, "Offer this subprotocol; may be given several times")->take_all();
  app.add_option("--extension", args.extensions,
                 "Offer this extension: NAME[;param[=value]]...; may be given several times")
      ->take_all();
  app.add_flag("-v,--verbose", args.verbose, "Say what was negotiated, on standard error");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"hawser: a WebSocket client and server with extensions of your own"};
  app.set_version_flag("--version", "hawser " + std::string(hawser::version()));
  app.require_subcommand(1);
  app.failure_message([](const CLI::App*, const CLI::Error& e) {
    return "hawser: " + std::string(e.what()) + " (hawser --help tells more)\n";
  });

  hawser_tool::echo_server_args echo;
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
  if (!client_url.empty()) return hawser_tool::echo_client(client_url);
  return hawser_tool::echo_server(echo);
}
