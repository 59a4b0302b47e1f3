// hawser echo --client: the usual exchange with a fuzzing server. It is asked for the number of cases, each case is one
// connection on which every message is echoed, and at the end it is told to write its report.

#include "commands.h"
#include "echo.h"
#include "extensions.h"
#include "signals.h"
#include "target.h"

#include <hawser/hawser.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace hawser_tool {

namespace {

// Generous where nothing was asked: a fuzzing server tries large things out.
hawser::client_options options_of(const echo_args& args, std::string unix_path) {
  hawser::client_options o;
  o.reconnect.enabled = false;
  o.bounds.max_message = args.max_message.value_or(std::uint64_t{64} << 20);
  set_fragments(o.bounds, args.max_fragments.value_or(std::uint32_t{1} << 20));
  o.unix_path = std::move(unix_path);
  if (args.driver == "epoll") o.io = hawser::driver::epoll;
  return o;
}

// The signal that ends the run, and what it finds at work.
class interruption {
 public:
  // Says so, and ends the visit; between two visits, and before the first, the program.
  void come(int number) {
    const std::lock_guard guard(lock_);
    number_ = number;
    std::fprintf(stderr, "hawser: interrupted %s\n", where_.c_str());
    if (at_work_ == nullptr) std::_Exit(status());
    // Waits for the peer's answer; on a thread of its own, so that a second signal is heard meanwhile.
    stopper_ = std::thread([c = at_work_] { c->stop(); });
  }
  void set_place(std::string where) {
    const std::lock_guard guard(lock_);
    where_ = std::move(where);
  }
  void set_client(hawser::client* c) {
    const std::lock_guard guard(lock_);
    if (stopper_.joinable()) stopper_.join();
    at_work_ = c;
  }
  [[nodiscard]] bool came() const { return number_ != 0; }
  // As a shell counts who ends by a signal.
  [[nodiscard]] int status() const { return 128 + number_; }

 private:
  std::atomic<int> number_{0};
  std::mutex lock_;
  std::string where_ = "before the first case";
  hawser::client* at_work_ = nullptr;
  std::thread stopper_;
};

// The visits to one server: they differ in what is asked and in what is done with the answer.
struct visitor {
  std::string server;
  hawser::client_options options;
  hawser::extension_list extensions;
  interruption& interrupted;

  using message_handler = hawser::function<void(hawser::connection, const hawser::message&)>;

  // Connects, hears `on_message`, and returns when the server has closed; the exit status of the client.
  [[nodiscard]] int visit(const std::string& resource, message_handler on_message, bool quiet) const;
};

int visitor::visit(const std::string& resource, message_handler on_message, bool quiet) const {
  hawser::client ws(server + resource, options);
  ws.extensions() = extensions;
  // A signal that came before the client ran has not stopped it.
  ws.on_connect([this](hawser::connection c, const hawser::handshake&) {
    if (interrupted.came()) c.close(hawser::close_code::going_away);
  });
  ws.on_message(std::move(on_message));
  ws.on_drain(echo_waiting);
  if (!quiet) ws.on_error([](const hawser::failure& f) { std::fprintf(stderr, "hawser: %s\n", f.what().c_str()); });
  interrupted.set_client(&ws);
  const int status = ws.run_forever();
  interrupted.set_client(nullptr);
  return status;
}

// Asks for the number of cases; returns an exit status.
int count_cases(const visitor& one, unsigned& cases) {
  std::string why;
  hawser::result<hawser::blocking_connection> ws =
      hawser::connect(one.server + "/getCaseCount", one.options, one.extensions, {}, &why);
  if (!ws) {
    std::fprintf(stderr, "hawser: %s\n", why.c_str());
    return ws.error() == hawser::fault::caller_mistake ? usage : failed;
  }
  const hawser::result<hawser::message> answer = ws->receive(std::chrono::seconds(10));
  if (answer) std::from_chars(answer->text().data(), answer->text().data() + answer->size(), cases);
  static_cast<void>(ws->close());
  if (cases != 0) return done;
  std::fprintf(stderr, "hawser: %s/getCaseCount gave no number of cases: is it a fuzzing server?\n",
               one.server.c_str());
  return failed;
}

// Runs them in turn, until an interruption; has the report written; returns an exit status.
int run_cases(const visitor& one, unsigned cases) {
  for (unsigned i = 1; i <= cases; ++i) {
    const std::string which = "case " + std::to_string(i) + " of " + std::to_string(cases);
    one.interrupted.set_place("in " + which);
    std::printf("%s\n", which.c_str());
    std::fflush(stdout);
    // A case may well end in a failure that it provoked: the server judges, not this end.
    static_cast<void>(one.visit("/runCase?case=" + std::to_string(i) + "&agent=hawser", echo, true));
    if (one.interrupted.came()) return one.interrupted.status();
  }
  one.interrupted.set_place("while the server writes its report");
  const int status = one.visit("/updateReports?agent=hawser", {}, false);
  return one.interrupted.came() ? one.interrupted.status() : status;
}

}  // namespace

int echo_client(const std::string& url, const echo_args& args) {
  interruption interrupted;
  signal_waiter signals;
  target to;
  std::string why;
  hawser::extension_list extensions;
  if (url.find('?') != std::string::npos)
    why = "--client takes the URL of a fuzzing server; leave out what begins with '?'";
  else if (read_target(url, to, why))
    add_extensions(args.extensions, extensions, why);
  if (!why.empty()) {
    std::fprintf(stderr, "hawser: %s\n", why.c_str());
    return usage;
  }
  while (to.url.ends_with('/'))
    to.url.pop_back();
  const visitor one{to.url, options_of(args, to.unix_path), std::move(extensions), interrupted};
  signals.start([&interrupted](int number) { interrupted.come(number); });
  unsigned cases = 0;
  if (const int asked = count_cases(one, cases); asked != done) return asked;
  return run_cases(one, cases);
}

}  // namespace hawser_tool
