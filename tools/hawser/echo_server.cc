// hawser echo: a server that sends back what it receives.

#include "commands.h"
#include "echo.h"
#include "extensions.h"
#include "sightings.h"
#include "signals.h"
#include "terminal.h"
#include "tls_files.h"
#include "words.h"

#include <hawser/hawser.h>
#include <sys/resource.h>

#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace hawser_tool {

namespace {

using net_address = hawser::net::address;

constexpr std::string_view page =
#include "echo_page.inc"
    ;

// js/hawser-inband.mjs, for that page and for every other.
constexpr std::string_view inband_module =
#include "inband_module.inc"
    ;

hawser::server_options options_of(const echo_args& args) {
  hawser::server_options o;
  o.threads = args.threads;
  if (args.max_message) o.bounds.max_message = *args.max_message;
  set_fragments(o.bounds, args.max_fragments);
  o.close_timeout = std::chrono::seconds(4);
  if (args.max_per_ip) o.max_per_host = *args.max_per_ip;
  if (args.accept_rate) o.accept_rate = *args.accept_rate;
  o.allowed_origins = args.allowed_origins;
  o.max_per_host_on_loopback = args.max_per_ip.has_value();
  o.accept_rate_on_loopback = args.accept_rate.has_value();
  o.timings = args.metrics;
  o.inband_extensions = true;  // Only who offers that subprotocol by its name meets it.
  if (args.driver == "epoll") o.io = hawser::driver::epoll;
  if (args.busy_poll) o.busy_poll = std::chrono::microseconds(*args.busy_poll);
  return o;
}

// Shells allow 1,024 open files, so that programs which use select() live; this one is to take thousands of
// connections.
void allow_more_files() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  static_cast<void>(setrlimit(RLIMIT_NOFILE, &files));
}

// Those who connected to one path share a topic, which is called as their path.
void join_topic(hawser::connection c, const hawser::handshake& h) {
  auto path = std::make_unique<std::string>(h.path());
  if (c.subscribe(*path) == hawser::errc::invalid_argument)
    c.close(hawser::close_code::policy_violation, "the path is too long for a topic");
  else
    c.set_data(std::move(path));
}

void set_broadcast(hawser::route all, hawser::server& server) {
  all.on_message([&server](hawser::connection c, const hawser::message& m) {
    if (const auto* path = c.data<std::string>()) server.publish(*path, m);
  });
}

// A peer, for people: its address, and the number of its connection where several have one address.
std::string named(hawser::connection c, const hawser::net::address& peer) {
  const std::string at = peer.text();
  return at.empty() || peer.family() == net_address::kind::unix_path ? number_of(c.id()) : at;
}

void announce(hawser::connection c, const hawser::handshake& h, bool with_number) {
  const std::string who = named(c, h.remote) + ": ";
  const std::string number = with_number ? ", as " + number_of(c.id()) : std::string();
  say(who + "connected to " + shown_bytes(hawser::as_bytes(h.target)) + number);
  for (const std::string& line : negotiation_in_words(h))
    say(who + line);
}

void announce_end(hawser::connection c, hawser::close_code code, std::string_view reason) {
  const std::string who = named(c, c.remote_address().value_or(net_address()));
  std::string line = who + ": closed with " + std::to_string(static_cast<unsigned>(code));
  if (!reason.empty()) line += " and the reason '" + shown_bytes(hawser::as_bytes(reason)) + "'";
  say(line);
}

void set_verbose(hawser::route all) {
  all.on_close(announce_end).on_error([](hawser::connection c, const hawser::failure& f) {
    say(named(c, c.remote_address().value_or(net_address())) + ": " + f.what());
  });
}

// Why `text` cannot be listened on, and the exit status for that.
int refuse(const std::string& text, const std::string& why, int status) {
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
  const bool secured = !args.tls.certificate.empty();
  hawser::server_tls tls;
  std::string why;
  if (secured && !read_tls(args.tls, tls, why)) {
    say(why);
    return usage;
  }
  signal_waiter signals;
  allow_more_files();
  spoken_log log(hawser::log_level::warning);  // What is less is told by the handlers, who know of whom.
  hawser::server_options options = options_of(args);
  spoken_sightings passing(true);
  if (args.verbose > 0) options.log = &log;
  if (args.verbose > 1) options.watch = &passing;
  hawser::server server(options);
  if (!add_extensions(args.extensions, server.extensions(), why)) {
    say(why);
    return usage;
  }
  if (secured && !server.use_tls(tls, &why)) {
    say(refused_tls(args.tls, tls.identity, why));
    return usage;
  }
  wipe(tls.identity);
  hawser::route all = server.route("*");
  if (args.broadcast)
    set_broadcast(all, server);
  else
    all.on_message(echo).on_drain(echo_waiting);
  if (args.broadcast || args.verbose > 0)
    all.on_connect([&args](hawser::connection c, const hawser::handshake& h) {
      if (args.verbose > 0) announce(c, h, args.verbose > 1);
      if (args.broadcast) join_topic(c, h);
    });
  if (args.verbose > 0) {
    set_verbose(all);
    server.on_error([](const hawser::failure& f) {
      const bool origin = f.error() == hawser::errc::origin_denied;
      say("refused: " + f.what() + (origin ? " (Here that is --allow-origin.)" : ""));
    });
  }
  server.page("/", "text/html; charset=utf-8", page);
  server.page("/hawser-inband.mjs", "text/javascript; charset=utf-8", inband_module);
  if (args.metrics) server.metrics_page();
  if (args.listen.find("://") != std::string::npos)
    return refuse(args.listen, "write HOST:PORT, such as 127.0.0.1:9001, without ws://", usage);
  const hawser::result<net_address> asked = net_address::parse(args.listen, &why);
  if (!asked) return refuse(args.listen, why, usage);
  const hawser::result<net_address> at = server.listen(args.listen);
  if (!at) return refuse(args.listen, *asked, at.error());
  const bool file = at->family() == net_address::kind::unix_path;
  std::printf("listening on %s%s%s\n", secured ? "wss" : "ws", file ? "+" : "://", at->text().c_str());
  if (!flush_output()) return failed;
  signals.start([&server](int) { server.stop(); });
  const bool served = server.run().has_value();
  signals.leave();
  return served ? done : failed;
}

}  // namespace hawser_tool
