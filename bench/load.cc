// A load generator for WebSocket servers: one thread, epoll, frames masked beforehand, so that the server and not the
// generator is what a run measures. It shares no code with the library. See bench/README.md.

#include "support/accept_key.h"
#include "support/batch.h"
#include "support/channel.h"
#include "support/compressed_json.h"
#include "support/histogram.h"
#include "support/load_options.h"
#include "support/server_meter.h"
#include "support/upgrade.h"
#include "support/window.h"
#include "support/wire.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using enum bench::exit_status;
using bench::fail;
using bench::fail_errno;
using bench::load_deflate;
using bench::load_mode;
using bench::steady;
using bench::window;
using byte_span = std::span<const std::uint8_t>;

struct connection {
  enum class phase : std::uint8_t { connecting, securing, upgrading, ending, open };
  int fd = -1;
  bench::channel wire;  // over `fd`
  phase now = phase::connecting;
  bool wants_write = false;
  std::uint32_t topic = 0;
  std::uint32_t awaited = 0;  // messages of the batch in flight that have not come back
  byte_span unsent;           // rest of that batch
  std::uint64_t turn = 0;     // batches sent
  steady::time_point sent_at;
  std::size_t message_size = 0;    // of the message that is coming in
  std::string head;                // response head until it is whole; later the payload of a control frame
  std::vector<std::uint8_t> late;  // pongs that wait for the batch in front of them
  bench::server_stream stream;
};

// What one publisher and its subscribers are at.
struct topic_state {
  connection* publisher = nullptr;
  std::uint32_t members = 0;      // the publisher too
  std::uint64_t outstanding = 0;  // deliveries of the batch in flight that have not come
};

class generator {
 public:
  explicit generator(const bench::load_options& options)
      : options_(options),
        meter_(options.pid, options.server_core),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        area_(std::size_t{1} << 20U) {
    if (epoll_ < 0) fail_errno("epoll_create1");
    resolve();
    if (options_.deflate != load_deflate::off)
      json_.emplace(options_.size, options_.deflate == load_deflate::takeover);
    else
      batch_ = bench::make_batch(options_);
    if (options_.tls) prepare_tls();
    for (unsigned i = 0; i < options_.topics; ++i)
      requests_.push_back(
          bench::upgrade_request(options_, options_.path + (options_.topics > 1 ? std::to_string(i) : "")));
  }

  void run() {
    verify();
    switch (options_.mode) {
      case load_mode::echo:
      case load_mode::fanout:
        run_messages();
        break;
      case load_mode::idle:
        run_idle();
        break;
      case load_mode::churn:
      case load_mode::secure:
        run_churn();
        break;
    }
  }

 private:
  using figures = std::vector<std::pair<const char*, double>>;

  void resolve();
  void prepare_tls();
  void verify();
  void run_messages();
  void run_idle();
  void answer_pings(steady::time_point until);
  void run_churn();

  void choose_source(int fd) const;
  void begin_connect(connection& c, std::uint32_t topic = 0);
  void open_all(std::size_t count);
  bool advance_opening(connection& c, std::uint32_t events);
  void connected(connection& c);
  void advance_tls(connection& c);
  void request_upgrade(connection& c);
  bool advance_end(connection& c);
  bool take_response_head(connection& c, byte_span in);
  void check_agreed(std::string_view head) const;
  void exchange(connection& c);
  void compare(std::size_t next, const std::string& message) const;

  void watch(connection& c, int operation, std::uint32_t events);
  byte_span receive(connection& c);
  bool send_from(connection& c, byte_span& bytes);
  bool flush(connection& c);
  void send_batch(connection& c, steady::time_point now);
  unsigned take(connection& c, byte_span in);
  void take_control(connection& c);
  void on_events(connection& c, std::uint32_t events, window& measured);
  void count_fanout(topic_state& topic, unsigned done, bool measuring);
  void begin_topics();

  void print(const char* mode, const figures& values) const;
  void print_messages(const char* mode, const window& measured, const figures& more = {}) const;

  const bench::load_options& options_;
  bench::server_meter meter_;
  int epoll_;
  std::vector<std::uint8_t> area_;
  sockaddr_storage address_{};
  socklen_t address_size_ = 0;
  std::vector<std::string> requests_;  // one for each topic
  std::string accept_ = bench::accept_key(bench::handshake_key);
  std::optional<bench::tls_settings> tls_;
  bench::message_batch batch_;
  std::optional<bench::compressed_json> json_;  // instead of the batch, with --deflate
  std::deque<connection> connections_;
  std::vector<topic_state> topics_;
  std::uint64_t issued_ = 0;       // messages sent in the measured run
  std::uint64_t outstanding_ = 0;  // messages that have to come back yet
  std::uint64_t counted_ = 0;      // messages that came back inside the window
  std::uint64_t taken_ = 0;        // messages that came back at all
  std::uint64_t received_ = 0;     // their bytes on the wire
  bench::histogram latency_;
};

// ---- what is sent

void generator::resolve() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(options_.host.c_str(), std::to_string(options_.port).c_str(), &hints, &found))
    fail(failed, options_.host + ": " + gai_strerror(error));
  std::memcpy(&address_, found->ai_addr, found->ai_addrlen);
  address_size_ = found->ai_addrlen;
  freeaddrinfo(found);
}

void generator::prepare_tls() {
  if (!bench::tls_settings::available) fail(usage, "--tls: TLS was left out of this build");
  if (!tls_.emplace(options_.mode == load_mode::idle).good()) fail(failed, "OpenSSL cannot do what --tls wants");
}

// ---- sockets

void generator::watch(connection& c, int operation, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &c;
  if (epoll_ctl(epoll_, operation, c.fd, &event) != 0) fail_errno("epoll_ctl");
}

byte_span generator::receive(connection& c) {
  const ssize_t n = c.wire.receive(area_);
  if (n < 0 && errno == EAGAIN) return {};
  if (n < 0) fail_errno("recv");
  if (n == 0) fail(failed, "the server ended a connection");
  return byte_span(area_).first(static_cast<std::size_t>(n));
}

bool generator::send_from(connection& c, byte_span& bytes) {
  while (!bytes.empty()) {
    const ssize_t n = c.wire.transmit(bytes);
    if (n < 0 && errno == EAGAIN) return false;
    if (n < 0) fail_errno("send");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

// True when nothing is left to send.
bool generator::flush(connection& c) {
  bool done = send_from(c, c.unsent);
  if (done && !c.late.empty()) {
    byte_span late(c.late);
    done = send_from(c, late);
    c.late.erase(c.late.begin(), c.late.end() - static_cast<std::ptrdiff_t>(late.size()));
  }
  if (done == c.wants_write) {
    c.wants_write = !done;
    watch(c, EPOLL_CTL_MOD, done ? EPOLLIN : EPOLLIN | EPOLLOUT);
  }
  return done;
}

void generator::send_batch(connection& c, steady::time_point now) {
  if (options_.count != 0 && issued_ >= options_.count) return;
  issued_ += options_.pipeline;
  std::uint64_t awaited = options_.pipeline;
  if (options_.mode == load_mode::fanout) {
    awaited *= topics_[c.topic].members;
    topics_[c.topic].outstanding += awaited;
  }
  outstanding_ += awaited;
  c.awaited = options_.pipeline;
  c.unsent = json_ ? json_->frame(c.turn++) : byte_span(batch_.wire);
  c.sent_at = now;
  flush(c);
}

// ---- opening

// Past half of the ports of one pair of addresses the system looks long for a free one: thousands of connections on
// this machine come from several addresses of it.
void generator::choose_source(int fd) const {
  constexpr std::size_t from_one_address = 8192;
  const std::size_t number = connections_.size() / from_one_address;
  if (number == 0 || address_.ss_family != AF_INET) return;
  sockaddr_in source{};
  std::memcpy(&source, &address_, sizeof source);
  const std::uint32_t host = ntohl(source.sin_addr.s_addr);
  if (host >> 24U != IN_LOOPBACKNET) return;
  source.sin_port = 0;
  source.sin_addr.s_addr = htonl(host + static_cast<std::uint32_t>(number));
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) fail_errno("bind");
}

void generator::begin_connect(connection& c, std::uint32_t topic) {
  c = connection{};
  c.topic = topic;
  c.sent_at = steady::now();
  c.fd = socket(address_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c.fd < 0) fail_errno("socket");
  c.wire.open(c.fd);
  const int on = 1;
  setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  choose_source(c.fd);
  if (connect(c.fd, reinterpret_cast<const sockaddr*>(&address_), address_size_) != 0 && errno != EINPROGRESS)
    fail_errno("connect");
  watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

bool generator::take_response_head(connection& c, byte_span in) {
  c.head.append(in.begin(), in.end());
  const std::size_t end = c.head.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (c.head.size() > 16384) fail(protocol_error, "the response head is longer than 16 KiB");
    return false;
  }
  if (!c.head.starts_with("HTTP/1.1 101") || c.head.find(accept_) > end)
    fail(not_an_echo, "the server did not upgrade:\n" + c.head.substr(0, end));
  check_agreed(std::string_view(c.head).substr(0, end));
  const std::string rest = c.head.substr(end + 4);
  c.head = std::string();
  c.now = connection::phase::open;
  take(c, byte_span(reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size()));
  return true;
}

// A server that does not compress, or otherwise than asked, gives no figure.
void generator::check_agreed(std::string_view head) const {
  if (!json_) return;
  const bool agreed = head.find("permessage-deflate") != head.npos;
  const bool asked = options_.deflate == load_deflate::no_takeover;
  if (!agreed || (head.find("client_no_context_takeover") != head.npos) != asked ||
      (head.find("server_no_context_takeover") != head.npos) != asked)
    fail(not_an_echo, "the server did not agree to the compression that was asked for:\n" + std::string(head));
}

void generator::connected(connection& c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) fail(failed, "connect: " + std::system_category().message(error));
  watch(c, EPOLL_CTL_MOD, EPOLLIN);
  if (!tls_) return request_upgrade(c);
  if (!c.wire.secure(*tls_)) fail(failed, "OpenSSL has nothing for another connection");
  c.now = connection::phase::securing;
  advance_tls(c);
}

void generator::advance_tls(connection& c) {
  const int step = c.wire.handshake();
  if (step < 0) fail(failed, "the TLS handshake failed");
  if (step == 0) return;
  if (options_.mode != load_mode::secure) return request_upgrade(c);
  c.wire.end();
  c.now = connection::phase::ending;
}

void generator::request_upgrade(connection& c) {
  const std::string& text = requests_[c.topic];
  byte_span request(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  if (!send_from(c, request)) fail(failed, "an upgrade request did not fit into the socket");
  c.now = connection::phase::upgrading;
}

// True when the server has ended what we ended, by close_notify or only by the stream's end.
bool generator::advance_end(connection& c) {
  const ssize_t n = c.wire.receive(area_);
  if (n > 0) fail(protocol_error, "a server that was asked for nothing has sent something");
  if (n < 0 && errno == EPROTO) fail(protocol_error, "TLS broke down at its end");
  return n == 0 || errno != EAGAIN;
}

// Moves a connection that is not open yet along; true when it has just opened, or with `secure` ended.
bool generator::advance_opening(connection& c, std::uint32_t events) {
  if (c.now == connection::phase::connecting) return connected(c), false;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return false;
  if (c.now == connection::phase::securing) return advance_tls(c), false;
  if (c.now == connection::phase::ending) return advance_end(c);
  const byte_span in = receive(c);
  return !in.empty() && take_response_head(c, in);
}

void generator::open_all(std::size_t count) {
  constexpr std::size_t at_once = 128;  // keeps the server's accept queue short
  std::array<epoll_event, 256> events;
  std::size_t open = 0;
  while (open < count) {
    while (connections_.size() < count && connections_.size() - open < at_once) {
      // Subscribers are dealt out; those who come after them publish, one to a topic.
      const std::size_t index = connections_.size() % options_.connections;
      begin_connect(connections_.emplace_back(), static_cast<std::uint32_t>(index % options_.topics));
    }
    const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 5000);
    if (n < 0 && errno != EINTR) fail_errno("epoll_wait");
    if (n == 0) fail(stalled, "only " + std::to_string(open) + " of " + std::to_string(count) + " connections opened");
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      auto& c = *static_cast<connection*>(event.data.ptr);
      if (c.now != connection::phase::open && advance_opening(c, event.events)) ++open;
    }
  }
}

// ---- what comes back

void generator::take_control(connection& c) {
  if (c.stream.frame().opcode() == bench::opcode_ping)
    bench::append_client_frame(c.late, bench::opcode_pong, c.head, 0x5A17C3E9);
  c.head.clear();
}

// Returns how many messages ended in these bytes.
unsigned generator::take(connection& c, byte_span in) {
  using found = bench::server_stream::found;
  const bool as_expected = c.message_size == 0 && !json_;
  auto done = static_cast<unsigned>(as_expected ? c.stream.skip_whole(in, batch_.reply_header, options_.size) : 0);
  while (!in.empty() || c.stream.at_frame_end()) {
    const found what = c.stream.step(in);
    const bench::server_frame& frame = c.stream.frame();
    if (what == found::header) {
      if (c.stream.masked()) fail(protocol_error, "the server masked a frame");
      if (frame.control() && frame.length > 125) fail(protocol_error, "the server sent a long control frame");
      if (frame.opcode() == bench::opcode_close) fail(protocol_error, "the server sent a close frame");
      continue;
    }
    const byte_span payload = c.stream.payload();
    if (frame.control())
      c.head.append(payload.begin(), payload.end());
    else
      c.message_size += payload.size();
    if (what != found::payload_end) continue;
    if (frame.control())
      take_control(c);
    else if (frame.final()) {
      if (!json_ && c.message_size != options_.size)
        fail(protocol_error, "an echo has another size than what was sent");
      received_ += std::exchange(c.message_size, 0);
      ++done;
    }
  }
  return done;
}

void generator::compare(std::size_t next, const std::string& message) const {
  const bool asked_for = json_ || next < batch_.messages.size();
  if (!asked_for || message != (json_ ? json_->message(next) : batch_.messages[next]))
    fail(not_an_echo, "message " + std::to_string(next) + " came back changed");
}

// Sends the batch on one connection and compares every byte that comes back.
void generator::exchange(connection& c) {
  const std::size_t rounds = options_.mode == load_mode::idle ? 1 : bench::compressed_json::frames;
  const std::size_t awaited = json_ ? rounds : batch_.messages.size();
  c.unsent = json_ ? json_->first(rounds) : byte_span(batch_.wire);
  std::optional<bench::decompressor> inflate;
  if (json_) inflate.emplace();
  bool compressed = false;
  std::string message;
  for (std::size_t next = 0; next < awaited;) {
    pollfd ready{c.fd, static_cast<short>(c.unsent.empty() ? POLLIN : POLLIN | POLLOUT), 0};
    if (poll(&ready, 1, 10000) <= 0) fail(not_an_echo, "no echo came back within 10 s");
    if ((ready.revents & POLLOUT) != 0) send_from(c, c.unsent);
    if ((ready.revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    byte_span in = receive(c);
    while (!in.empty() || c.stream.at_frame_end()) {
      const auto what = c.stream.step(in);
      const bench::server_frame& frame = c.stream.frame();
      if (frame.control()) continue;
      if (what == bench::server_stream::found::header) {
        if (frame.opcode() != 0) compressed = (frame.first & bench::rsv1_bit) != 0;
        continue;
      }
      message.append(c.stream.payload().begin(), c.stream.payload().end());
      if (what != bench::server_stream::found::payload_end || !frame.final()) continue;
      compare(next, compressed && inflate ? inflate->decompress(std::move(message), options_.size + 1) : message);
      message.clear();
      ++next;
    }
  }
}

// A figure for a server that does not do the work is worth nothing: one connection proves that it echoes.
void generator::verify() {
  if (options_.mode == load_mode::secure) return;
  open_all(1);
  exchange(connections_.front());
  close(connections_.front().fd);
  connections_.clear();
}

// ---- the modes

void generator::begin_topics() {
  topics_.resize(options_.topics);
  for (connection& c : connections_)
    ++topics_[c.topic].members;
  const auto first = static_cast<std::ptrdiff_t>(connections_.size() - topics_.size());
  for (auto c = connections_.begin() + first; c != connections_.end(); ++c)
    topics_[c->topic].publisher = &*c;
  for (const topic_state& topic : topics_)
    send_batch(*topic.publisher, steady::now());
}

void generator::count_fanout(topic_state& topic, unsigned done, bool measuring) {
  const std::uint64_t delivered = std::min<std::uint64_t>(done, topic.outstanding);
  topic.outstanding -= delivered;
  outstanding_ -= delivered;
  if (topic.outstanding != 0) return;
  connection& publisher = *topic.publisher;
  const steady::time_point now = steady::now();
  if (measuring) latency_.add(static_cast<std::uint64_t>((now - publisher.sent_at).count()), options_.pipeline);
  send_batch(publisher, now);
}

void generator::on_events(connection& c, std::uint32_t events, window& measured) {
  if ((events & EPOLLOUT) != 0) flush(c);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  const unsigned done = take(c, receive(c));
  if (!c.late.empty()) flush(c);
  if (done == 0) return;
  taken_ += done;
  if (measured.measuring()) counted_ += done;
  if (options_.mode == load_mode::fanout) return count_fanout(topics_[c.topic], done, measured.measuring());
  if (done > c.awaited) fail(protocol_error, "more messages came back than were sent");
  c.awaited -= done;
  outstanding_ -= done;
  if (c.awaited != 0) return;
  const steady::time_point now = steady::now();
  if (measured.measuring()) latency_.add(static_cast<std::uint64_t>((now - c.sent_at).count()), options_.pipeline);
  send_batch(c, now);
}

void generator::run_messages() {
  const bool fanout = options_.mode == load_mode::fanout;
  const std::uint64_t resident = meter_.resident_bytes();
  open_all(options_.connections + (fanout ? options_.topics : 0));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));

  window measured(options_, meter_);
  measured.tick(steady::now(), true);
  if (fanout)
    begin_topics();
  else
    for (connection& c : connections_)
      send_batch(c, steady::now());
  std::array<epoll_event, 512> events;
  while (outstanding_ != 0) {
    const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), options_.spin ? 0 : 1000);
    if (n < 0 && errno != EINTR) fail_errno("epoll_wait");
    const steady::time_point now = steady::now();
    measured.tick(now, n > 0);
    if (measured.over(now)) break;
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      on_events(*static_cast<connection*>(event.data.ptr), event.events, measured);
    }
  }
  measured.finish();
  const double growth = static_cast<double>(meter_.resident_bytes()) - static_cast<double>(resident);
  figures more{{"topics", options_.topics}, {"bytes_per_conn", growth / static_cast<double>(connections_.size())}};
  if (json_ && received_ != 0)
    more.emplace_back("ratio", static_cast<double>(taken_ * options_.size) / static_cast<double>(received_));
  print_messages(fanout ? "fanout" : "echo", measured, more);
}

// Lets time pass as a peer that has nothing to say. What has come before is answered in any case.
void generator::answer_pings(steady::time_point until) {
  using std::chrono::milliseconds;
  std::array<epoll_event, 512> events;
  for (bool over = false; !over;) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady::now());
    over = left <= milliseconds::zero();
    const int n =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), over ? 0 : static_cast<int>(left.count()));
    if (n < 0 && errno != EINTR) fail_errno("epoll_wait");
    for (int i = 0; i < n; ++i) {
      auto& c = *static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (take(c, receive(c)) != 0) fail(protocol_error, "a message came that nobody had asked for");
      if (!c.late.empty() || c.wants_write) flush(c);
    }
  }
}

void generator::run_idle() {
  const std::uint64_t before = meter_.resident_bytes();
  open_all(options_.connections);
  for (connection& c : connections_)
    exchange(c);
  // What the server frees or trims a moment after an echo is not the price of an idle connection.
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  const std::uint64_t after = meter_.resident_bytes();
  const bench::cpu_sample cpu_before = meter_.cpu();
  answer_pings(steady::now() +
               std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(options_.seconds)));
  const bench::cpu_sample cpu_after = meter_.cpu();
  const double growth = static_cast<double>(after) - static_cast<double>(before);
  print("idle", {{"conns", options_.connections},
                 {"size", static_cast<double>(options_.size)},
                 {"bytes_per_conn", growth / options_.connections},
                 {"rss_before", static_cast<double>(before)},
                 {"rss_after", static_cast<double>(after)},
                 {"cpu_ms_per_s",
                  options_.seconds > 0 ? (cpu_after.threads - cpu_before.threads) * 1000 / options_.seconds : 0}});
}

void generator::run_churn() {
  const char* const name = options_.mode == load_mode::secure ? "secure" : "churn";
  window measured(options_, meter_);
  for (unsigned i = 0; i < options_.connections; ++i)
    begin_connect(connections_.emplace_back());
  std::array<epoll_event, 256> events;
  for (steady::time_point now = steady::now(); !measured.over(now);) {
    const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 1000);
    if (n < 0 && errno != EINTR) fail_errno("epoll_wait");
    now = steady::now();
    measured.tick(now, n > 0);
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      auto& c = *static_cast<connection*>(event.data.ptr);
      if (!advance_opening(c, event.events)) continue;
      if (measured.measuring()) {
        ++counted_;
        latency_.add(static_cast<std::uint64_t>((steady::now() - c.sent_at).count()), 1);
      }
      if (options_.count != 0 && ++issued_ >= options_.count) return measured.finish(), print_messages(name, measured);
      const linger reset{1, 0};  // a reset leaves no TIME_WAIT behind, so the ports last
      setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      close(c.fd);
      begin_connect(c);
    }
  }
  measured.finish();
  print_messages(name, measured);
}

// ---- the report

void generator::print(const char* mode, const figures& values) const {
  std::printf(options_.json ? "{\"mode\": \"%s\"" : "mode=%s", mode);
  for (const auto& [name, value] : values)
    std::printf(options_.json ? ", \"%s\": %.10g" : " %s=%.10g", name, value);
  std::printf(options_.json ? "}\n" : "\n");
}

void generator::print_messages(const char* mode, const window& measured, const figures& more) const {
  if (latency_.empty())
    fail(stalled,
         "not once came all back that was awaited: the server does not do this work, or the time was too short");
  const bench::cpu_sample& from = measured.before();
  const bench::cpu_sample& to = measured.after();
  const double messages = static_cast<double>(counted_);
  const double threads = to.threads - from.threads;
  const double softirq = to.softirq - from.softirq;
  const double ticks = to.user - from.user + to.system - from.system;
  figures values{{"conns", options_.connections},
                 {"size", static_cast<double>(options_.size)},
                 {"pipeline", options_.pipeline},
                 {"messages", static_cast<double>(counted_)},
                 {"rate", static_cast<double>(counted_) / measured.seconds()},
                 {"p50_us", latency_.percentile_us(0.50)},
                 {"p99_us", latency_.percentile_us(0.99)}};
  if (options_.pid != 0) {
    values.insert(values.end(), {{"cpu_us", (threads + softirq) / messages * 1e6},
                                 {"softirq_us", softirq / messages * 1e6},
                                 {"user_share", ticks > 0 ? (to.user - from.user) / ticks : 0},
                                 {"server_busy", (threads + softirq) / measured.seconds()}});
  }
  values.insert(values.end(), more.begin(), more.end());
  print(mode, values);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  bench::load_options options;
  try {
    options = bench::parse_load_options(argc, argv);
  } catch (const std::invalid_argument& wrong) {
    std::fprintf(stderr, "load: %s\n%.*s", wrong.what(), static_cast<int>(bench::load_usage.size()),
                 bench::load_usage.data());
    return usage;
  }
  if (options.pid != 0 && ::kill(options.pid, 0) != 0)
    fail(usage, "--pid " + std::to_string(options.pid) + ": there is no such process, or it is another user's");
  // Whatever hangs, the run ends: SIGALRM's default action is the watchdog.
  alarm(static_cast<unsigned>(options.warmup + options.seconds) + (options.count != 0 ? 600 : 60));
  raise_descriptor_limit();
  generator(options).run();
}
