// hawser connect: lines in, messages out, and the other way round.

#include "commands.h"
#include "extensions.h"
#include "sightings.h"
#include "target.h"
#include "terminal.h"
#include "times.h"
#include "tls_files.h"
#include "words.h"

#include <fcntl.h>
#include <hawser/hawser.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

namespace hawser_tool {

namespace {

constexpr hawser::ticks for_ever = std::chrono::hours(24 * 365);

// Prints messages, one a line; on a terminal marked, without controls, and the prompt again.
class printer {
 public:
  explicit printer(bool terminal) : terminal_(terminal) {}

  void prompt() {
    const std::lock_guard guard(lock_);
    show_prompt();
  }
  // False, after a line about it, when it cannot be written.
  [[nodiscard]] bool print(const hawser::message& m) {
    const std::lock_guard guard(lock_);
    if (terminal_) {
      const std::string shown = m.is_text() ? shown_text(m.text()) : "(binary) " + shown_bytes(m.bytes());
      std::fprintf(stdout, "%s< %s", line_start_, shown.c_str());
    } else {
      std::fwrite(m.bytes().data(), 1, m.size(), stdout);
    }
    std::fputc('\n', stdout);
    if (!flush_output()) return false;
    show_prompt();
    return true;
  }
  // No more prompts: ends the line of the last one.
  void finish() {
    const std::lock_guard guard(lock_);
    if (!prompting_) return;
    std::fputc('\n', stdout);
    std::fflush(stdout);
    prompting_ = false;
  }
  // Tells a person why nothing happens when there is still nothing on `over` a second after the close went out.
  void explain_wait(int over) {
    finish();
    pollfd wait{over, POLLIN, 0};
    if (terminal_ && ::poll(&wait, 1, 1000) == 0) say("waiting for the peer to close, for 5 s at most; Ctrl-C ends it");
  }

 private:
  void show_prompt() const {
    if (!prompting_) return;
    std::fputs("> ", stdout);
    std::fflush(stdout);
  }

  // To the start of the line, without what is being typed there where a terminal can do that.
  static const char* clearing() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
    const char* kind = std::getenv("TERM");
    return kind == nullptr || std::string_view(kind) == "dumb" ? "\r" : "\r\x1B[K";
  }

  std::mutex lock_;
  const bool terminal_;
  const char* const line_start_ = clearing();
  bool prompting_ = terminal_;
};

// Why reading of lines ended.
enum class lines_end { input, connection };

// False for a line that cannot be sent.
bool send_line(hawser::blocking_connection& ws, const std::string& line) {
  const hawser::result<void> sent = ws.send(line, for_ever);
  if (sent || sent.error() != hawser::errc::invalid_utf8) return true;
  say("this line is not UTF-8 and was not sent");
  return false;
}

// Sends each line of standard input, until it ends or the connection does. `all_sent` becomes false with a line that
// could not be, or not read.
lines_end send_lines(hawser::blocking_connection& ws, int over, printer& out, bool& all_sent) {
  std::string line;
  std::array<char, 65536> piece;
  for (;;) {
    std::array<pollfd, 2> wait{{{STDIN_FILENO, POLLIN, 0}, {over, POLLIN, 0}}};
    if (::poll(wait.data(), wait.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return lines_end::input;
    }
    if (wait[1].revents != 0) return lines_end::connection;
    const ssize_t n = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) {
      say("standard input cannot be read: " + std::system_category().message(errno));
      all_sent = false;
    }
    const std::string_view got(piece.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    std::size_t from = 0;
    for (std::size_t end; (end = got.find('\n', from)) != std::string_view::npos; from = end + 1) {
      line += got.substr(from, end - from);
      all_sent &= send_line(ws, line);
      line.clear();
      out.prompt();
    }
    line += got.substr(from);
    if (n > 0) continue;
    if (!line.empty()) all_sent &= send_line(ws, line);
    return lines_end::input;
  }
}

void describe(const hawser::handshake& agreed, const std::string& url) {
  const std::string remote = agreed.remote.text();
  say("connected to " + url + (url.find(remote) == std::string::npos ? " (" + remote + ")" : ""));
  for (const std::string& line : negotiation_in_words(agreed))
    say(line);
}

void post(int event) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(event, &one, sizeof one);
}

// SIGINT and SIGTERM close the connection in place of cutting it, also while a line waits for the peer to read. A
// second one, or one after `leave`, ends the program as ever.
class closing_on_signal {
 public:
  closing_on_signal(hawser::connection c, printer& out) {
    came = ::eventfd(0, EFD_CLOEXEC);
    waiter_ = std::thread([this, c, &out] {
      std::array<pollfd, 2> wait{{{came.load(), POLLIN, 0}, {stop_, POLLIN, 0}}};
      while (::poll(wait.data(), wait.size(), -1) < 0 && errno == EINTR) {
      }
      if (wait[0].revents == 0) return;
      c.close(hawser::close_code::going_away);
      out.explain_wait(stop_);
    });
    for (const int number : {SIGINT, SIGTERM})
      listen_to(number);
  }
  closing_on_signal(const closing_on_signal&) = delete;
  closing_on_signal& operator=(const closing_on_signal&) = delete;
  ~closing_on_signal() {
    post(stop_);
    waiter_.join();
    ::close(stop_);
  }
  static void leave() {
    for (const int number : {SIGINT, SIGTERM}) {
      struct sigaction now {};
      ::sigaction(number, nullptr, &now);
      if (now.sa_handler == on_signal) ::signal(number, SIG_DFL);
    }
  }

 private:
  static void on_signal(int) {
    const int saved = errno;
    post(came.load());
    errno = saved;
  }
  static void listen_to(int number) {
    struct sigaction before {};
    ::sigaction(number, nullptr, &before);
    if (before.sa_handler == SIG_IGN) return;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    ::sigaction(number, &action, nullptr);
  }

  // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): a signal handler sees nothing else
  static inline std::atomic<int> came{-1};  // For the handler, to the end of the program.
  int stop_ = ::eventfd(0, EFD_CLOEXEC);
  std::thread waiter_;
};

// Codes that end a connection as one would wish; an application's own (3000 and above) are for it to judge.
bool peaceful(hawser::close_code code) {
  return code == hawser::close_code::normal || code == hawser::close_code::going_away ||
         code == hawser::close_code::no_status || static_cast<unsigned>(code) >= 3000;
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

// Prints what comes until nothing more does. False when it could not be written.
bool print_all(hawser::blocking_connection& ws, printer& out, std::error_code& ended) {
  bool written = true;
  for (;;) {
    const hawser::result<hawser::message> m = ws.receive(for_ever);
    if (!m) {
      ended = m.error();
      return written;
    }
    if (!written || out.print(*m)) continue;
    written = false;
    ws.handle().close(hawser::close_code::going_away);
  }
}

void say_times(const hawser::timings& times) {
  for (const std::string& line : times_in_words(times))
    say(line);
}

// Lines out, messages in, until either end has had enough. Returns the exit status.
int converse(hawser::blocking_connection& ws, const connect_args& args) {
  const bool terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  if (args.verbose != 0)
    describe(ws.agreed(), args.url);
  else if (terminal)
    say("connected to " + args.url + "; each line is sent, Ctrl-D closes");
  printer out(terminal);
  const int over = ::eventfd(0, EFD_CLOEXEC);
  std::error_code ended;
  bool written = true;
  bool all_sent = true;
  lines_end why_ended = lines_end::input;
  {
    const closing_on_signal interrupts(ws.handle(), out);
    out.prompt();
    std::thread reader([&] {
      written = print_all(ws, out, ended);
      post(over);
    });
    why_ended = send_lines(ws, over, out, all_sent);
    // Not `ws.close`, which drops what nobody reads: the reader goes on until the peer has answered, and prints it all.
    if (why_ended == lines_end::input) {
      closing_on_signal::leave();
      ws.handle().close();
      out.explain_wait(over);
    }
    reader.join();
  }
  ::close(over);
  out.finish();
  const hawser::result<hawser::close_code> code = ws.close();  // It is over already: this says how.
  const bool good = ended == hawser::errc::closed && code && peaceful(*code);
  if (args.verbose != 0 || (written && (!good || why_ended == lines_end::connection))) say(ws.farewell());
  if (args.timings)
    if (const hawser::result<hawser::timings> times = ws.timings()) say_times(*times);
  return good && written && all_sent ? done : failed;
}

// Read as the library reads it: a scheme may be written in capitals (RFC 3986, 3.1).
bool is_secure(std::string_view url) { return url.size() > 3 && strncasecmp(url.data(), "wss:", 4) == 0; }

bool is_given(const tls_args& args) {
  return !args.certificate.empty() || !args.key.empty() || !args.passphrase_file.empty() || !args.ca.empty() ||
         !args.server_name.empty() || args.any_certificate;
}

}  // namespace

int connect(const connect_args& args) {
  hawser::client_options options;
  options.subprotocols = args.subprotocols;
  options.timings = args.timings;
  options.inband_extensions = args.inband;
  spoken_sightings passing(false);
  if (args.verbose > 1) options.watch = &passing;
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
  target to;
  if (!read_target(args.url, to, why)) {
    say(why);
    return usage;
  }
  if (!is_secure(to.url) && is_given(args.tls)) {
    say("what was said of certificates is for TLS, and " + args.url + " is without: write wss:// in the URL");
    return usage;
  }
  if (is_given(args.tls) && !read_tls(args.tls, options.tls, why)) {
    say(why);
    return usage;
  }
  options.unix_path = to.unix_path;
  hawser::timings times;
  hawser::result<hawser::blocking_connection> made =
      hawser::connect(to.url, options, extensions, headers, &why, &times);
  if (!made) {
    say(refused_tls(args.tls, options.tls.identity, why));
    if (times.error.total()) say_times(times);
    return made.error() == hawser::fault::caller_mistake ? usage : failed;
  }
  wipe(options.tls.identity);
  return converse(*made, args);
}

}  // namespace hawser_tool
