// hawser echo: a server that sends back what it receives.

#include "commands.h"
#include "echo.h"
#include "extensions.h"

#include <hawser/hawser.h>
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <string>
#include <system_error>
#include <thread>

namespace hawser_tool {

namespace {

using net_address = hawser::net::address;

constexpr const char* topic = "all";

constexpr std::string_view page =
#include "echo_page.inc"
    ;

// Blocks SIGINT and SIGTERM in every thread that is made from now on, and lets one thread wait for them.
class signal_waiter {
 public:
  signal_waiter() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  void start(hawser::server& server) {
    thread_ = std::thread([this, &server] {
      int got = 0;
      sigwait(&set_, &got);
      if (got != SIGUSR1) server.stop();
    });
  }
  ~signal_waiter() {
    if (!thread_.joinable()) return;
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }

 private:
  sigset_t set_{};
  std::thread thread_;
};

hawser::server_options options_of(const echo_args& args) {
  hawser::server_options o;
  o.threads = args.threads;
  if (args.max_message) o.bounds.max_message = *args.max_message;
  if (args.max_fragments) o.bounds.max_fragments = *args.max_fragments;
  o.close_timeout = std::chrono::seconds(4);
  if (args.max_per_ip) o.max_per_host = *args.max_per_ip;
  if (args.accept_rate) o.accept_rate = *args.accept_rate;
  o.limit_loopback = args.max_per_ip.has_value() || args.accept_rate.has_value();
  if (args.max_per_ip && !args.accept_rate) o.accept_rate = static_cast<std::size_t>(-1);
  if (args.accept_rate && !args.max_per_ip) o.max_per_host = static_cast<std::size_t>(-1);
  if (args.driver == "epoll") o.io = hawser::driver::epoll;
  return o;
}

// Why `text` cannot be listened on, and the exit status for that.
int refuse(const std::string& text, std::string why, int status) {
  std::fprintf(stderr, "hawser: cannot listen on %s: %s\n", text.c_str(), why.c_str());
  return status;
}

int refuse(const std::string& text, const net_address& at, std::error_code error) {
  const bool path = at.family() == net_address::kind::unix_path;
  if (path && error == hawser::errc::address_invalid)
    return refuse(text, "The folder of this path does not exist. Create it, or correct the path.", usage);
  if (path && error == hawser::errc::permission_denied)
    return refuse(text, "The system does not allow it. Choose a path in a folder that you may write to.", failed);
  if (path && error == hawser::errc::address_in_use)
    return refuse(text, "There is such a file already. Stop the program that listens there, or choose another path.",
                  failed);
  return refuse(text, error.message(), error == hawser::errc::address_invalid ? usage : failed);
}

}  // namespace

int echo_server(const echo_args& args) {
  signal_waiter signals;
  hawser::server server(options_of(args));
  std::string why;
  if (!add_extensions(args.extensions, server.extensions(), why)) {
    std::fprintf(stderr, "hawser: %s\n", why.c_str());
    return usage;
  }
  hawser::route all = server.route("*");
  if (args.broadcast) {
    all.on_connect([](hawser::connection c, const hawser::handshake&) { c.subscribe(topic); });
    all.on_message([&server](hawser::connection, const hawser::message& m) { server.publish(topic, m); });
  } else {
    all.on_message(echo).on_drain(echo_waiting);
  }
  server.page("/", "text/html; charset=utf-8", page);
  const hawser::result<net_address> asked = net_address::parse(args.listen, &why);
  if (!asked) return refuse(args.listen, why, usage);
  const hawser::result<net_address> at = server.listen(args.listen);
  if (!at) return refuse(args.listen, *asked, at.error());
  std::printf("listening on ws://%s\n", at->text().c_str());
  std::fflush(stdout);
  signals.start(server);
  return server.run() ? done : failed;
}

}  // namespace hawser_tool
