// The commands of the tool: what they take, and what they return to the shell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hawser_tool {

/// Exit statuses: 0 done, 1 it failed, 2 it was asked wrongly.
inline constexpr int done = 0;
inline constexpr int failed = 1;
inline constexpr int usage = 2;

/// Files of TLS, as the command line names them; empty: not given.
struct tls_args {
  std::string certificate;
  std::string key;
  std::string passphrase_file;
  std::string ca;  // connect: of the server; echo: of clients, who must show one then.
  std::string server_name;
  bool any_certificate = false;
};

struct echo_args {
  std::string listen = "127.0.0.1:9001";
  unsigned threads = 1;
  std::vector<std::string> extensions;
  std::optional<std::uint64_t> max_message;
  std::optional<std::uint32_t> max_fragments;
  std::optional<std::size_t> max_per_ip;
  std::optional<std::size_t> accept_rate;
  std::string driver = "auto";
  std::optional<std::uint32_t> busy_poll;  // Microseconds.
  std::vector<std::string> allowed_origins;
  bool broadcast = false;
  bool metrics = false;
  tls_args tls;
  int verbose = 0;  // 1: what was negotiated; 2: what passes, too.
};

struct connect_args {
  std::string url;
  std::vector<std::string> headers;
  std::vector<std::string> subprotocols;
  std::vector<std::string> extensions;
  bool inband = false;
  tls_args tls;
  int verbose = 0;  // As above.
  bool timings = false;
};

struct ext_args {
  std::string name;  // NAME[;parameter[=value]]...
  std::uint64_t seed = 6455;
  std::size_t rounds = 60;
};

/// Echoes what it receives until SIGINT or SIGTERM.
int echo_server(const echo_args& args);
/// Runs every case of a fuzzing server at `url`, echoing its messages. Of `args` the extensions, the limits of messages
/// and the driver count.
int echo_client(const std::string& url, const echo_args& args);
/// Sends lines of standard input, prints what comes.
int connect(const connect_args& args);
/// Prints a line for each extension that can be named.
int ext_list();
/// Prints what one extension is, takes, claims and costs.
int ext_info(const ext_args& args);
/// Runs the kit on one extension and prints each check as it goes.
int ext_test(const ext_args& args);

}  // namespace hawser_tool
