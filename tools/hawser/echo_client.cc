// hawser echo --client: the usual exchange with a fuzzing server. It is asked for the number of cases, each case is one
// connection on which every message is echoed, and at the end it is told to write its report.

#include "commands.h"
#include "echo.h"

#include <hawser/hawser.h>

#include <charconv>
#include <cstdio>
#include <string>

namespace hawser_tool {

namespace {

hawser::client_options options() {
  hawser::client_options o;
  o.reconnect.enabled = false;
  o.bounds.max_message = std::uint64_t{64} << 20;
  o.bounds.max_fragments = std::uint32_t{1} << 20;
  return o;
}

// Connects, hears `on_message`, and returns when the server has closed; the exit status of the client.
int visit(const std::string& url, hawser::function<void(hawser::connection, const hawser::message&)> on_message,
          bool quiet) {
  hawser::client ws(url, options());
  ws.on_message(std::move(on_message));
  ws.on_drain(echo_waiting);
  if (!quiet) ws.on_error([](const hawser::failure& f) { std::fprintf(stderr, "hawser: %s\n", f.what().c_str()); });
  return ws.run_forever();
}

}  // namespace

int echo_client(const std::string& url) {
  unsigned cases = 0;
  const int asked = visit(
      url + "/getCaseCount",
      [&cases](hawser::connection c, const hawser::message& m) {
        std::from_chars(m.text().data(), m.text().data() + m.size(), cases);
        c.close();
      },
      false);
  if (asked != done) return asked;
  if (cases == 0) {
    std::fprintf(stderr, "hawser: %s/getCaseCount gave no number of cases: is it a fuzzing server?\n", url.c_str());
    return failed;
  }
  for (unsigned i = 1; i <= cases; ++i) {
    std::printf("case %u of %u\n", i, cases);
    std::fflush(stdout);
    // A case may well end in a failure that it provoked: the server judges, not this end.
    visit(url + "/runCase?case=" + std::to_string(i) + "&agent=hawser", echo, true);
  }
  return visit(url + "/updateReports?agent=hawser", {}, false);
}

}  // namespace hawser_tool
