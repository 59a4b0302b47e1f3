// hawser connect: lines in, messages out, and the other way round.

#include "commands.h"
#include "extensions.h"

#include <fcntl.h>
#include <hawser/hawser.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

namespace hawser_tool {

namespace {

constexpr hawser::ticks for_ever = std::chrono::hours(24 * 365);

void say(const std::string& line) { std::fprintf(stderr, "hawser: %s\n", line.c_str()); }

// Prints messages until there are no more: one a line; on a terminal marked, and the prompt again.
class printer {
 public:
  explicit printer(bool terminal) : terminal_(terminal) {}

  void prompt() const {
    if (!terminal_) return;
    std::fputs("> ", stdout);
    std::fflush(stdout);
  }
  void print(const hawser::message& m) const {
    if (terminal_) std::fputs(m.is_text() ? "\r< " : "\r< (binary) ", stdout);
    std::fwrite(m.bytes().data(), 1, m.size(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);
    prompt();
  }

 private:
  bool terminal_;
};

// Why reading of lines ended.
enum class lines_end { input, connection, interrupted };

// Sends each line of standard input, until it ends, the connection does, or a signal comes.
lines_end send_lines(hawser::blocking_connection& ws, int over, int signals, const printer& out) {
  std::string line;
  std::array<char, 65536> piece;
  for (;;) {
    std::array<pollfd, 3> wait{{{STDIN_FILENO, POLLIN, 0}, {over, POLLIN, 0}, {signals, POLLIN, 0}}};
    if (::poll(wait.data(), wait.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return lines_end::interrupted;
    }
    if (wait[1].revents != 0) return lines_end::connection;
    if (wait[2].revents != 0) return lines_end::interrupted;
    if (wait[0].revents == 0) continue;
    const ssize_t n = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    const std::string_view got(piece.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    std::size_t from = 0;
    for (std::size_t end; (end = got.find('\n', from)) != std::string_view::npos; from = end + 1) {
      line += got.substr(from, end - from);
      const hawser::result<void> sent = ws.send(line, for_ever);
      if (!sent && sent.error() == hawser::errc::invalid_utf8) say("this line is not UTF-8 and was not sent");
      line.clear();
      out.prompt();
    }
    line += got.substr(from);
    if (n > 0) continue;
    if (!line.empty()) static_cast<void>(ws.send(line, for_ever));
    return lines_end::input;
  }
}

void describe(const hawser::handshake& agreed, const std::string& url) {
  say("connected to " + url + " (" + agreed.remote.text() + ")");
  say(agreed.subprotocol.empty() ? "no subprotocol" : "subprotocol: " + agreed.subprotocol);
  if (agreed.extensions.empty()) say("no extensions");
  for (const hawser::core::negotiation_note& note : agreed.extensions)
    say("extension " + note.text);
}

int pipe_of_signals() {
  // SIGINT and SIGTERM become something to poll: a clean close instead of a cut line.
  static std::atomic<int> handle{-1};
  handle = ::eventfd(0, EFD_CLOEXEC);
  struct sigaction action {};
  action.sa_handler = [](int) {
    const int saved = errno;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(handle.load(), &one, sizeof one);
    errno = saved;
  };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  return handle;
}

bool split_header(const std::string& text, hawser::headers& to, std::string& why) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) {
    why = "-H wants 'Name: value', not '" + text + "'";
    return false;
  }
  std::string_view value = std::string_view(text).substr(colon + 1);
  while (!value.empty() && value.front() == ' ')
    value.remove_prefix(1);
  if (to.add(std::string_view(text).substr(0, colon), value)) return true;
  why = "-H: this name or value cannot stand in a header";
  return false;
}

}  // namespace

int connect(const connect_args& args) {
  hawser::client_options options;
  options.subprotocols = args.subprotocols;
  hawser::headers headers;
  hawser::extension_list extensions;
  std::string why;
  for (const std::string& h : args.headers) {
    if (split_header(h, headers, why)) continue;
    say(why);
    return usage;
  }
  if (!add_extensions(args.extensions, extensions, why)) {
    say(why);
    return usage;
  }
  const int signals = pipe_of_signals();
  hawser::result<hawser::blocking_connection> made = hawser::connect(args.url, options, extensions, headers, &why);
  if (!made) {
    say(why);
    return made.error() == hawser::fault::caller_mistake ? usage : failed;
  }
  hawser::blocking_connection& ws = *made;
  if (args.verbose) describe(ws.agreed(), args.url);

  const printer out(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1);
  const int over = ::eventfd(0, EFD_CLOEXEC);
  std::error_code ended;
  std::thread reader([&] {
    for (;;) {
      hawser::result<hawser::message> m = ws.receive(for_ever);
      if (!m) {
        ended = m.error();
        break;
      }
      out.print(*m);
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(over, &one, sizeof one);
  });
  out.prompt();
  const lines_end why_ended = send_lines(ws, over, signals, out);
  // Not `ws.close`, which drops what nobody reads: the reader goes on until the peer has answered, and prints it all.
  if (why_ended != lines_end::connection)
    static_cast<void>(
        ws.handle().close(why_ended == lines_end::input ? hawser::close_code::normal : hawser::close_code::going_away));
  reader.join();
  ::close(over);
  if (ended == hawser::errc::closed) {
    if (args.verbose || why_ended == lines_end::connection) say(ws.farewell());
    return done;
  }
  say(ws.farewell());
  return failed;
}

}  // namespace hawser_tool
