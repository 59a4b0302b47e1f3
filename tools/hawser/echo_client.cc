// hawser echo --client: the usual exchange with a fuzzing server. It is asked for the number of cases, each case is one
// connection on which every message is echoed, and at the end it is told to write its report.

#include "commands.h"
#include "echo.h"
#include "extensions.h"

#include <hawser/hawser.h>

#include <charconv>
#include <cstdio>
#include <string>

namespace hawser_tool {

namespace {

// Generous where nothing was asked: a fuzzing server tries large things out.
hawser::client_options options_of(const echo_args& args) {
  hawser::client_options o;
  o.reconnect.enabled = false;
  o.bounds.max_message = args.max_message.value_or(std::uint64_t{64} << 20);
  o.bounds.max_fragments = args.max_fragments.value_or(std::uint32_t{1} << 20);
  if (args.driver == "epoll") o.io = hawser::driver::epoll;
  return o;
}

// The visits to one server: they differ in what is asked and in what is done with the answer.
struct visitor {
  std::string server;
  hawser::client_options options;
  hawser::extension_list extensions;

  using message_handler = hawser::function<void(hawser::connection, const hawser::message&)>;

  // Connects, hears `on_message`, and returns when the server has closed; the exit status of the client.
  [[nodiscard]] int visit(const std::string& target, message_handler on_message, bool quiet) const;
};

int visitor::visit(const std::string& target, message_handler on_message, bool quiet) const {
  hawser::client ws(server + target, options);
  ws.extensions() = extensions;
  ws.on_message(std::move(on_message));
  ws.on_drain(echo_waiting);
  if (!quiet) ws.on_error([](const hawser::failure& f) { std::fprintf(stderr, "hawser: %s\n", f.what().c_str()); });
  return ws.run_forever();
}

}  // namespace

int echo_client(const std::string& url, const echo_args& args) {
  visitor one{url, options_of(args), {}};
  while (one.server.ends_with('/'))
    one.server.pop_back();
  std::string why;
  if (!add_extensions(args.extensions, one.extensions, why)) {
    std::fprintf(stderr, "hawser: %s\n", why.c_str());
    return usage;
  }
  unsigned cases = 0;
  const auto count = [&cases](hawser::connection c, const hawser::message& m) {
    std::from_chars(m.text().data(), m.text().data() + m.size(), cases);
    c.close();
  };
  if (const int asked = one.visit("/getCaseCount", count, false); asked != done) return asked;
  if (cases == 0) {
    std::fprintf(stderr, "hawser: %s/getCaseCount gave no number of cases: is it a fuzzing server?\n",
                 one.server.c_str());
    return failed;
  }
  for (unsigned i = 1; i <= cases; ++i) {
    std::printf("case %u of %u\n", i, cases);
    std::fflush(stdout);
    // A case may well end in a failure that it provoked: the server judges, not this end.
    static_cast<void>(one.visit("/runCase?case=" + std::to_string(i) + "&agent=hawser", echo, true));
  }
  return one.visit("/updateReports?agent=hawser", {}, false);
}

}  // namespace hawser_tool
