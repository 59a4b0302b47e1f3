// The command line, read and explained.

#include "commands.h"
#include "origins.h"
#include "terminal.h"

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <hawser/base/config.h>
#include <hawser/core/simd.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::uint64_t longest_message = std::uint64_t{1} << 62;
constexpr std::uint64_t longest_poll = 1'000'000;
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

// Not what a shell makes of a variable that is not set: who names an authority must not be understood to name none.
CLI::Validator a_name() {
  return {[](const std::string& text) { return text.empty() ? std::string("the name is empty") : std::string(); }, ""};
}

// What an option takes, in the help and in complaints; nothing else is said of its kind.
CLI::Option* takes(CLI::Option* option, const std::string& what) { return option->type_name(what)->option_text(what); }

// An option that may be given several times, with one value each time: what follows is not taken for another value.
CLI::Option* add_repeated(CLI::App& app, const std::string& name, std::vector<std::string>& to, const std::string& what,
                          const std::string& text) {
  return takes(app.add_option(name, to, text + "; may be given several times"), what)
      ->take_all()
      ->allow_extra_args(false);
}

void describe_extension(CLI::App& app, std::vector<std::string>& to) {
  // Both say what is offered: their order on the command line is that of the offers, so each is taken when it is read.
  takes(
      app.add_option_function<std::string>(
          "--extension,--plugin", [&to](const std::string& one) { to.push_back(one); },
          "Speak it (hawser ext list), or the plug-in in\nFILE.so; may be given several times, in order of preference"),
      "NAME[;...]")
      ->trigger_on_parse();
  takes(app.add_option_function<std::string>(
            "--deflate", [&to](const std::string& preset) { to.push_back("permessage-deflate; preset=" + preset); },
            "Compress: fast, balanced, small or low_memory; in full it is\n--extension 'permessage-deflate; ...'"),
        "PRESET")
      ->trigger_on_parse()
      ->check(CLI::IsMember({"fast", "balanced", "small", "low_memory"}));
}

// The certificate of this end and its key.
CLI::Option* describe_identity(CLI::App& app, hawser_tool::tls_args& args, const std::string& what_for) {
  CLI::Option* certificate = takes(app.add_option("--cert", args.certificate, what_for), "FILE")->check(a_name());
  takes(app.add_option("--key", args.key, "Its private key, when that is not in the same file"), "FILE")
      ->needs(certificate)
      ->check(a_name());
  takes(app.add_option("--passphrase-file", args.passphrase_file,
                       "The passphrase of the private key, when that is encrypted: the\n"
                       "first line of FILE"),
        "FILE")
      ->needs(certificate)
      ->check(a_name());
  return certificate;
}

void describe_server(CLI::App& app, hawser_tool::echo_args& args, CLI::Option* client) {
  CLI::Option* certificate = describe_identity(app, args.tls,
                                               "Speak TLS (wss://) with this certificate, in PEM, followed by\n"
                                               "those between it and its authority");
  certificate->excludes(client);
  takes(app.add_option("--client-ca", args.tls.ca, "Let in only clients with a certificate by these authorities"),
        "FILE")
      ->needs(certificate)
      ->check(a_name());
  takes(app.add_option("--listen", args.listen,
                       "HOST:PORT, [V6]:PORT or unix:PATH; port 0 lets the system\nchoose (127.0.0.1:9001)"),
        "ADDRESS")
      ->excludes(client);
  add_repeated(app, "--allow-origin", args.allowed_origins, "ORIGIN",
               "Let pages of this site connect, https://HOST[:PORT],\nbeside those of this server")
      ->excludes(client)
      ->check([](const std::string& text) { return hawser_tool::wrong_origin(text); });
  takes(app.add_option("--threads", args.threads, "Event loops, each on a thread of its own, 1 to 256 (1)"), "N")
      ->check(CLI::Range(1U, 256U))
      ->excludes(client);
  app.add_flag("--broadcast", args.broadcast, "Send each message to all who connected to the same path")
      ->option_text(" ")
      ->excludes(client);
  app.add_flag("--metrics", args.metrics, "Measure, and answer GET /metrics with text for Prometheus")
      ->option_text(" ")
      ->excludes(client);
  app.add_flag(
         "-v,--verbose", args.verbose,
         "Say who comes, what was negotiated and who goes, on standard\nerror; -vv: and what passes, frame by frame")
      ->option_text(" ")
      ->excludes(client);
  takes(app.add_option("--max-per-ip", args.max_per_ip,
                       "Most connections from one address, loopback included (256\nwithout loopback)"),
        "N")
      ->check(counts_to(largest_count))
      ->excludes(client);
  takes(app.add_option("--accept-rate", args.accept_rate,
                       "Most new connections a second, loopback included (1000\nwithout loopback)"),
        "N")
      ->check(counts_to(largest_count))
      ->excludes(client);
  takes(app.add_option("--busy-poll", args.busy_poll,
                       "After the last message go on asking the system for so long\n"
                       "before a loop sleeps: less latency, for a core a loop (off)"),
        "MICROSECONDS")
      ->check(counts_to(longest_poll))
      ->excludes(client);
}

void describe_echo(CLI::App& app, hawser_tool::echo_args& args, std::string& client_url) {
  CLI::Option* client =
      takes(app.add_option("--client", client_url,
                           "Be the client of the fuzzing server at URL: run each of its\ncases, echo every message"),
            "URL");
  describe_server(app, args, client);
  describe_extension(app, args.extensions);
  takes(app.add_option("--max-message", args.max_message,
                       "Longest message; a longer one closes with 1009 (1048576; with\n--client 67108864)"),
        "BYTES")
      ->check(counts_to(longest_message));
  takes(app.add_option("--max-fragments", args.max_fragments,
                       "Most frames of one message, of any size; more close with 1008\n"
                       "(1024, fewer when tiny; with --client 1048576)"),
        "N")
      ->check(counts_to(largest_count));
  takes(app.add_option("--driver", args.driver, "The way to the system: auto or epoll (auto)"), "NAME")
      ->check(CLI::IsMember({"auto", "epoll"}));
  app.footer(
      "A conformance suite sends up to 16 MiB, also in 65,536 fragments, which a server takes with\n"
      "  hawser echo --max-message 67108864 --max-fragments 1048576");
}

void describe_connect(CLI::App& app, hawser_tool::connect_args& args) {
  app.add_option("URL", args.url, "ws://HOST[:PORT][/PATH], wss://..., or ws+unix:SOCKET[:/PATH]")
      ->option_text(" ")
      ->required();
  add_repeated(app, "-H,--header", args.headers, "'NAME: VALUE'", "Add a header to the request");
  add_repeated(app, "--subprotocol", args.subprotocols, "NAME", "Offer this subprotocol");
  describe_extension(app, args.extensions);
  takes(app.add_option("--ca", args.tls.ca,
                       "Trust the servers of these authorities, in PEM, in place of those\nthat the system trusts"),
        "FILE")
      ->check(a_name());
  takes(app.add_option("--server-name", args.tls.server_name,
                       "The name that the server's certificate must be for (the URL's\nhost)"),
        "NAME")
      ->check(a_name());
  describe_identity(app, args.tls, "Show this certificate, in PEM, to a server that asks for one");
  app.add_flag("--dangerously-accept-any-certificate", args.tls.any_certificate,
               "Whoever stands in between then reads and writes everything");
  app.add_flag("--inband", args.inband,
               "Carry extensions inside the messages, as a browser's script has\nto (ext1.hawser)");
  app.add_flag("-v,--verbose", args.verbose,
               "Say what was negotiated, on standard error; -vv: and each\n"
               "message between extensions, and each frame")
      ->option_text(" ");
  app.add_flag("--timings", args.timings, "Say at the end where the time went, on standard error");
  app.footer("Exit status: 0 after a clean end, 1 after a failure, 2 for a wrong call.");
}

/// `hawser ext` and what stands behind it.
struct ext_commands {
  CLI::App* list;
  CLI::App* info;
  CLI::App* test;
};

ext_commands describe_ext(CLI::App& app, hawser_tool::ext_args& args) {
  ext_commands made{};
  made.list = app.add_subcommand("list", "Name the extensions that --extension takes");
  made.info = app.add_subcommand("info", "Say what one is for, what it takes, claims and costs");
  made.test = app.add_subcommand("test", "Run the test kit on one");
  for (CLI::App* with_name : {made.info, made.test})
    with_name->add_option("NAME[;...]", args.name, "Its name or FILE.so, and parameters: 'NAME;parameter=value;flag'")
        ->option_text(" ")
        ->required();
  takes(made.test->add_option("--seed", args.seed, "Where the random numbers begin (6455)"), "N");
  takes(made.test->add_option("--rounds", args.rounds, "Connections for each kind of traffic (60)"), "N")
      ->check(counts_to(largest_count));
  for (CLI::App* one : {&app, made.list, made.info, made.test})
    one->footer("Exit status: 0 when all checks passed, 1 when one failed, 2 for a wrong call.");
  return made;
}

int run_ext(const ext_commands& chosen, const hawser_tool::ext_args& args) {
  if (chosen.list->parsed()) return hawser_tool::ext_list();
  if (chosen.info->parsed()) return hawser_tool::ext_info(args);
  if (chosen.test->parsed()) return hawser_tool::ext_test(args);
  std::cerr << "hawser: no command; 'hawser ext list', 'hawser ext info NAME' or 'hawser ext test NAME'\n";
  return hawser_tool::usage;
}

// What was wrong with the command line, in a line.
std::string complaint(const CLI::App& app, const CLI::Error& e, int argc, char** argv) {
  const std::vector<CLI::App*> commands = app.get_subcommands();
  if (!commands.empty())
    return "hawser: " + std::string(e.what()) + " (hawser " + commands.front()->get_name() + " --help tells more)\n";
  const std::string_view word = argc > 1 ? argv[1] : "";
  const char* kind = word.starts_with('-') ? "option" : "command";
  const std::string wrong =
      argc > 1 ? "no " + std::string(kind) + " is called '" + std::string(word) + "'" : "no command";
  return "hawser: " + wrong +
         "; 'hawser echo' serves, 'hawser connect URL' connects, 'hawser ext' knows extensions (hawser --help tells "
         "more)\n";
}

// A closed standard stream must not become a socket that messages are printed into.
void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) std::abort();
}

// HAWSER_SIMD chooses the registers that masking and the check of UTF-8 use. False, after a line about it: this machine
// has no such level.
bool choose_simd() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
  const char* level = std::getenv("HAWSER_SIMD");
  if (level == nullptr || *level == '\0' || hawser::core::use_simd(level) == hawser::errc::ok) return true;
  std::cerr << "hawser: HAWSER_SIMD=" << level << ": this machine has " << hawser::core::simd_here() << '\n';
  return false;
}

std::string version_text() {
  const hawser::core::simd_in_use simd = hawser::core::simd_now();
  return "hawser " + std::string(hawser::version()) + "\nmasking by " + std::string(name_of(simd.masking)) +
         ", UTF-8 by " + simd.utf8;
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  signal(SIGPIPE, SIG_IGN);  // Output that nobody reads is an error like any other.
  if (!choose_simd()) return hawser_tool::usage;
  CLI::App app{"A WebSocket client and server with extensions of your own.", "hawser"};
  app.set_version_flag("--version", version_text);
  app.require_subcommand(1);
  app.failure_message([argc, argv](const CLI::App* a, const CLI::Error& e) { return complaint(*a, e, argc, argv); });
  app.footer(
      "Try it out, in two terminals:\n"
      "  hawser echo --extension x-rot13\n"
      "  hawser connect -v --extension x-rot13 ws://127.0.0.1:9001");

  hawser_tool::echo_args echo;
  std::string client_url;
  CLI::App* echo_command = app.add_subcommand("echo", "Echo messages: a server, or the client of a fuzzing server");
  describe_echo(*echo_command, echo, client_url);
  hawser_tool::connect_args connect;
  CLI::App* connect_command = app.add_subcommand("connect", "Connect, send lines of standard input, print what comes");
  describe_connect(*connect_command, connect);
  hawser_tool::ext_args ext;
  CLI::App* ext_command = app.add_subcommand("ext", "List extensions, explain one, test one");
  const ext_commands chosen = describe_ext(*ext_command, ext);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (app.exit(e) != 0) return hawser_tool::usage;
    std::cout.flush();
    return hawser_tool::flush_output() && std::cout ? hawser_tool::done : hawser_tool::failed;
  }
  if (connect_command->parsed()) return hawser_tool::connect(connect);
  if (ext_command->parsed()) return run_ext(chosen, ext);
  if (!client_url.empty()) return hawser_tool::echo_client(client_url, echo);
  return hawser_tool::echo_server(echo);
}
