// The command line, read and explained.

#include "command_line.h"
#include "commands.h"
#include "origins.h"
#include "terminal.h"

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <hawser/base/config.h>
#include <hawser/core/simd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr std::uint64_t longest_message = std::uint64_t{1} << 62;
constexpr std::uint64_t longest_poll = 1'000'000;
constexpr std::uint64_t most_threads = 256;
constexpr std::uint64_t largest_count = std::numeric_limits<std::uint32_t>::max();

// A whole number from `least` to `most`. CLI11's own conversion takes -1 and what is too large for the type.
CLI::Validator whole(std::uint64_t least, std::uint64_t most) {
  const auto check = [least, most](const std::string& text) {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    const bool good = error == std::errc() && stop == end && number >= least && number <= most;
    return good ? std::string()
                : "'" + text + "' is not a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  };
  return {check, ""};
}

CLI::Validator counts_to(std::uint64_t most) { return whole(1, most); }

// Not what a shell makes of a variable that is not set: who names an authority must not be understood to name none.
CLI::Validator a_name() {
  return {[](const std::string& text) { return text.empty() ? std::string("the name is empty") : std::string(); }, ""};
}

// In words of our own.
CLI::Validator one_of(std::vector<std::string> names) {
  const auto check = [names = std::move(names)](const std::string& text) {
    if (std::find(names.begin(), names.end(), text) != names.end()) return std::string();
    std::string said = "'" + text + "' is none of ";
    for (const std::string& name : names)
      said += (&name == &names.front() ? "" : ", ") + name;
    return said;
  };
  return {check, ""};
}

// As a certificate has it.
CLI::Validator a_host() {
  const auto check = [](const std::string& text) {
    const bool good =
        text.find_first_of("/@[] ") == std::string::npos && std::count(text.begin(), text.end(), ':') != 1;
    return good ? std::string() : "'" + text + "' is more than a host: write example.org, 192.0.2.1 or 2001:db8::1";
  };
  return {check, ""};
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
          "Speak this extension (hawser ext list), with parameters: 'NAME;parameter=value', or the plug-in in FILE.so; "
          "may be given several times, in order of preference"),
      "NAME[;...]")
      ->trigger_on_parse();
  takes(app.add_option_function<std::string>(
            "--deflate", [&to](const std::string& preset) { to.push_back("permessage-deflate; preset=" + preset); },
            "Compress: fast, balanced, small or low_memory; short for --extension 'permessage-deflate;preset=PRESET'"),
        "PRESET")
      ->trigger_on_parse()
      ->check(one_of({"fast", "balanced", "small", "low_memory"}));
}

// The certificate of this end and its key.
CLI::Option* describe_identity(CLI::App& app, hawser_tool::tls_args& args, const std::string& what_for) {
  CLI::Option* certificate = takes(app.add_option("--cert", args.certificate, what_for), "FILE")->check(a_name());
  takes(app.add_option("--key", args.key, "Its private key, in PEM, when that is not in the same file"), "FILE")
      ->needs(certificate)
      ->check(a_name());
  takes(app.add_option("--passphrase-file", args.passphrase_file,
                       "What opens the private key, when that is encrypted: the first line of FILE"),
        "FILE")
      ->needs(certificate)
      ->check(a_name());
  return certificate;
}

void describe_who_may_come(CLI::App& app, hawser_tool::echo_args& args) {
  CLI::Option* certificate = describe_identity(
      app, args.tls,
      "Speak TLS (wss://) with this certificate, in PEM, followed by those between it and its authority");
  takes(app.add_option("--client-ca", args.tls.ca,
                       "Let in only clients that show a certificate by these authorities, in PEM"),
        "FILE")
      ->needs(certificate)
      ->check(a_name());
  add_repeated(app, "--allow-origin", args.allowed_origins, "ORIGIN",
               "Let in pages of this site, https://HOST[:PORT], beside those of this server")
      ->check([](const std::string& text) { return hawser_tool::wrong_origin(text); });
  takes(app.add_option("--max-per-ip", args.max_per_ip,
                       "Most connections from one address, this machine's too (256, and any number from this machine)"),
        "N")
      ->check(counts_to(largest_count));
  takes(app.add_option("--accept-rate", args.accept_rate,
                       "Most new connections a second, this machine's too (1000, and any number from this machine)"),
        "N")
      ->check(counts_to(largest_count));
}

void describe_server(CLI::App& app, hawser_tool::echo_args& args) {
  takes(app.add_option("--listen", args.listen,
                       "HOST:PORT, [V6]:PORT or unix:PATH; port 0 lets the system choose (127.0.0.1:9001)"),
        "ADDRESS");
  app.add_flag("--broadcast", args.broadcast, "Send each message to all who connected to the same path")
      ->option_text(" ");
  app.add_flag("-v,--verbose", args.verbose,
               "Say who comes, what was negotiated and who goes, on standard error; -vv: and each message between "
               "extensions, and each frame")
      ->option_text(" ");
  app.add_flag("--metrics", args.metrics, "Measure, and answer GET /metrics with text for Prometheus")
      ->option_text(" ");
  describe_who_may_come(app, args);
  takes(app.add_option("--threads", args.threads, "Event loops, each on a thread of its own, 1 to 256 (1)"), "N")
      ->check(counts_to(most_threads));
  takes(app.add_option("--busy-poll", args.busy_poll,
                       "After the last message go on asking the system for so long before a loop sleeps: less latency, "
                       "for a whole core per loop (off)"),
        "MICROSECONDS")
      ->check(counts_to(longest_poll));
}

void describe_echo(CLI::App& app, hawser_tool::echo_args& args, std::string& client_url) {
  describe_server(app, args);
  std::vector<CLI::Option*> of_servers =
      app.get_options([&app](const CLI::Option* o) { return o != app.get_help_ptr(); });
  describe_extension(app, args.extensions);
  takes(app.add_option("--max-message", args.max_message,
                       "Longest message; a longer one closes with 1009 (1048576; with --client 67108864)"),
        "BYTES")
      ->check(counts_to(longest_message));
  takes(app.add_option("--max-fragments", args.max_fragments,
                       "Most frames of one message, of any size; more close with 1008 (1024, fewer when tiny; with "
                       "--client 1048576)"),
        "N")
      ->check(counts_to(largest_count));
  takes(app.add_option("--driver", args.driver, "How the network is waited for: auto or epoll (auto)"), "NAME")
      ->check(one_of({"auto", "epoll"}));
  CLI::Option* client =
      takes(app.add_option("--client", client_url,
                           "In place of serving, be the client of the fuzzing server at URL: run each "
                           "of its cases, echo every message"),
            "URL");
  for (CLI::Option* option : of_servers)
    client->excludes(option);
  app.footer(
      "In parentheses stands what holds without the option.\n\n"
      "Exit status: 0 after Ctrl-C or SIGTERM, 1 after a failure, 2 for a wrong call;\n"
      "with --client 128 and the number of the signal that ended it.\n\n"
      "A conformance suite sends up to 16 MiB, also in 65,536 fragments, which a\n"
      "server takes with\n"
      "  hawser echo --max-message 67108864 --max-fragments 1048576");
}

void describe_connect(CLI::App& app, hawser_tool::connect_args& args) {
  app.add_option("URL", args.url, "ws://HOST[:PORT][/PATH], wss://... for TLS, or ws+unix:SOCKET[:/PATH]")
      ->option_text(" ")
      ->required();
  add_repeated(app, "-H,--header", args.headers, "'NAME: VALUE'", "Add a header to the request");
  add_repeated(app, "--subprotocol", args.subprotocols, "NAME", "Offer this subprotocol");
  app.add_flag("-v,--verbose", args.verbose,
               "Say what was negotiated, on standard error; -vv: and each message between extensions, and each frame")
      ->option_text(" ");
  app.add_flag("--timings", args.timings, "Say at the end where the time went, on standard error");
  takes(app.add_option("--ca", args.tls.ca,
                       "Trust the servers of these authorities, in PEM, in place of those that the system trusts"),
        "FILE")
      ->check(a_name());
  takes(app.add_option("--server-name", args.tls.server_name,
                       "The name that the server's certificate must be for (the URL's host)"),
        "NAME")
      ->check(a_name())
      ->check(a_host());
  describe_identity(app, args.tls, "Show this certificate, in PEM, to a server that asks for one");
  app.add_flag("--dangerously-accept-any-certificate", args.tls.any_certificate,
               "Do not verify the server: whoever stands in between reads and writes everything");
  describe_extension(app, args.extensions);
  app.add_flag("--inband", args.inband,
               "Carry extensions inside the messages, as a browser's script has to (subprotocol ext1.hawser)");
  app.footer(
      "Each line is sent as a message of text. The end of the input closes, and so does\n"
      "Ctrl-C; a second Ctrl-C does not wait for the peer.\n\n"
      "Exit status: 0 after a clean end, 1 after a failure, 2 for a wrong call.");
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
  made.info = app.add_subcommand("info", "Say what one is for, takes, claims and costs");
  made.test = app.add_subcommand("test", "Run the test kit on one");
  for (CLI::App* with_name : {made.info, made.test})
    with_name->add_option("NAME[;...]", args.name, "Its name or FILE.so, and parameters: 'NAME;parameter=value;flag'")
        ->option_text(" ")
        ->required();
  takes(made.test->add_option("--seed", args.seed, "Where the random numbers begin (6455)"), "N")
      ->check(whole(0, std::numeric_limits<std::uint64_t>::max()));
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
  app.formatter(std::make_shared<hawser_tool::narrow_help>());
  app.require_subcommand(1);
  app.failure_message(
      [argc, argv](const CLI::App* a, const CLI::Error& e) { return hawser_tool::complaint(*a, e, argc, argv); });
  app.footer(
      "Try it out, in two terminals:\n"
      "  hawser echo --extension x-rot13\n"
      "  hawser connect -v --extension x-rot13 ws://127.0.0.1:9001\n\n"
      "Over TLS, with a certificate made for the purpose:\n"
      "  openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost \\\n"
      "    -addext subjectAltName=DNS:localhost \\\n"
      "    -keyout key.pem -out cert.pem\n"
      "  hawser echo --cert cert.pem --key key.pem\n"
      "  hawser connect -v --ca cert.pem wss://localhost:9001");

  hawser_tool::echo_args echo;
  std::string client_url;
  CLI::App* echo_command = app.add_subcommand("echo", "Serve, and send back each message");
  describe_echo(*echo_command, echo, client_url);
  hawser_tool::connect_args connect;
  CLI::App* connect_command = app.add_subcommand("connect", "Connect, send each line typed, print what comes");
  describe_connect(*connect_command, connect);
  hawser_tool::ext_args ext;
  CLI::App* ext_command = app.add_subcommand("ext", "List extensions, explain one, test one");
  const ext_commands chosen = describe_ext(*ext_command, ext);

  app.set_help_flag("-h,--help", "Print this help and exit; hawser COMMAND --help says what a command takes");
  app.set_version_flag("--version", version_text, "Print the version, and which registers are in use, and exit");

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
