// The floor: what epoll, recv and send cost for a WebSocket server that is written by hand for one job and knows
// nothing else. It checks nothing, limits nothing and closes nothing; every real server is measured as a ratio to it.
//   echo   frames go back as they come, unmasked in place, one send for each receive
//   fan    the same bytes go to every connection that asked for the same path, a number
//   msg    whole messages: a frame that one receive did not bring is received into the message's own pooled buffer

#include "support/accept_key.h"
#include "support/unmask.h"
#include "support/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

enum class work { echo, fan, msg };

[[noreturn]] void fail_errno(const char* call) {
  std::fprintf(stderr, "floor: %s: %s\n", call, std::system_category().message(errno).c_str());
  std::_Exit(1);
}

// Room for one whole message with the longest reply header in front of it.
struct message_buffer {
  std::unique_ptr<std::uint8_t[]> bytes;
  std::size_t capacity = 0;
};

struct assembly {
  message_buffer buffer;
  std::size_t length = 0;
  std::size_t have = 0;
  std::uint8_t first = 0;
};

// What the system has not taken yet: a whole message in its own buffer, and copies of what came behind it.
struct unsent {
  message_buffer message;
  std::size_t from = 0;  // of `message`
  std::size_t to = 0;
  std::string copies;
};

struct connection {
  int fd = -1;
  bool open = false;
  bool wants_write = false;
  std::uint8_t spilled = 0;  // bytes of a header that the last receive cut
  std::array<std::uint8_t, bench::longest_client_header> spill;
  std::uint32_t key = 0;  // turned so that its first byte is for the next payload byte
  std::uint32_t topic = 0;
  std::uint64_t left = 0;  // payload bytes of the frame that has begun
  std::unique_ptr<assembly> message;
  std::unique_ptr<unsent> backlog;
};

struct client_frame {
  std::uint8_t first;
  std::uint8_t header_size;
  std::uint32_t key;
  std::uint64_t length;
};

// False when the header is not complete.
inline bool read_header(const std::uint8_t* at, std::size_t available, client_frame& frame) {
  if (available < 6) return false;
  const unsigned low = at[1] & 0x7FU;
  const std::size_t extra = bench::length_bytes(low);
  if (available < 6 + extra) return false;
  frame.first = at[0];
  frame.header_size = static_cast<std::uint8_t>(6 + extra);
  frame.length = extra == 0 ? low : bench::read_big_endian(at + 2, extra);
  std::memcpy(&frame.key, at + 2 + extra, sizeof frame.key);
  return true;
}

// Copies a header without its masking key to the same place or before; returns its new size. Each length has its own
// line because a copy of known size is one move.
inline std::size_t move_header(std::uint8_t* to, const std::uint8_t* from, std::size_t size) {
  if (size == 6)
    std::memmove(to, from, 2);
  else if (size == 8)
    std::memmove(to, from, 4);
  else
    std::memmove(to, from, 10);
  to[1] &= 0x7F;
  return size - 4;
}

// False when the connection has ended.
bool send_some(int fd, const std::uint8_t* bytes, std::size_t size, std::size_t& sent) {
  if (size == 0) return true;
  const ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN;
  sent = static_cast<std::size_t>(n);
  return true;
}

class floor_server {
 public:
  floor_server(work job, const sockaddr_in& address);
  /// Serves for ever; `spin`: without sleeping.
  [[noreturn]] void run(bool spin);

 private:
  struct output {
    const std::uint8_t* bytes;
    std::size_t size;
  };

  void accept_all();
  void on_readable(connection& c);
  bool upgrade(connection& c, std::size_t size);
  void join_topic(connection& c, std::string_view request);
  output transform(connection& c, std::size_t size);
  void begin_message(connection& c, const client_frame& frame, const std::uint8_t* payload, std::size_t size);
  bool receive_message(connection& c);
  bool send_or_keep(connection& c, const std::uint8_t* bytes, std::size_t size);
  bool send_message(connection& c, message_buffer& buffer, std::size_t from, std::size_t to);
  unsent& keep(connection& c);
  bool send_backlog(connection& c);
  void watch(connection& c, int operation, std::uint32_t events);
  void drop(connection& c);
  message_buffer take_buffer(std::size_t capacity);

  static constexpr std::size_t area_size = std::size_t{512} * 1024;
  static constexpr std::size_t headroom = 64;  // a spilled header is put back in front of what follows it

  work job_;
  int epoll_;
  int listener_;
  std::unique_ptr<std::uint8_t[]> area_;
  std::vector<std::vector<connection*>> topics_;  // fan only
  std::vector<message_buffer> pool_;              // fresh pages cost more than the copy into them
};

floor_server::floor_server(work job, const sockaddr_in& address)
    : job_(job),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      area_(new std::uint8_t[headroom + area_size]) {
  const int on = 1;
  if (epoll_ < 0 || listener_ < 0) fail_errno("socket");
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail_errno("bind");
  if (listen(listener_, 4096) != 0) fail_errno("listen");
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);

  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &size);
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &bound.sin_addr, text.data(), text.size());
  std::printf("listening on ws://%s:%d\n", text.data(), ntohs(bound.sin_port));
  std::fflush(stdout);
}

void floor_server::run(bool spin) {
  std::array<epoll_event, 1024> events;
  for (;;) {
    const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), spin ? 0 : -1);
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr) {
        accept_all();
        continue;
      }
      auto& c = *static_cast<connection*>(event.data.ptr);
      if ((event.events & EPOLLOUT) != 0 && !send_backlog(c)) {
        drop(c);
        continue;
      }
      if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) on_readable(c);
    }
  }
}

void floor_server::watch(connection& c, int operation, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &c;
  epoll_ctl(epoll_, operation, c.fd, &event);
}

void floor_server::accept_all() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto* c = new connection;
    c->fd = fd;
    watch(*c, EPOLL_CTL_ADD, EPOLLIN);
  }
}

void floor_server::drop(connection& c) {
  if (c.message != nullptr) pool_.push_back(std::move(c.message->buffer));
  if (c.backlog != nullptr && c.backlog->from < c.backlog->to) pool_.push_back(std::move(c.backlog->message));
  close(c.fd);
  if (job_ == work::fan && c.open) std::erase(topics_[c.topic], &c);
  delete &c;
}

void floor_server::on_readable(connection& c) {
  if (c.message != nullptr) {
    if (!receive_message(c)) drop(c);
    return;
  }
  const ssize_t n = recv(c.fd, area_.get() + headroom, area_size, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return drop(c);
  if (!c.open) {
    if (!upgrade(c, static_cast<std::size_t>(n))) drop(c);
    return;
  }
  const output out = transform(c, static_cast<std::size_t>(n));
  if (out.size == 0) return;
  if (job_ == work::fan)
    for (connection* other : topics_[c.topic])
      send_or_keep(*other, out.bytes, out.size);  // who has gone is seen at the next read
  else if (!send_or_keep(c, out.bytes, out.size))
    drop(c);
}

bool floor_server::upgrade(connection& c, std::size_t size) {
  constexpr std::string_view name = "Sec-WebSocket-Key: ";
  const std::string_view request(reinterpret_cast<const char*>(area_.get() + headroom), size);
  const std::size_t at = request.find(name);
  if (at == std::string_view::npos) return false;
  const std::string reply =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
      bench::accept_key(request.substr(at + name.size(), 24)) + "\r\n\r\n";
  c.open = true;
  if (job_ == work::fan) join_topic(c, request);
  return send_or_keep(c, reinterpret_cast<const std::uint8_t*>(reply.data()), reply.size());
}

void floor_server::join_topic(connection& c, std::string_view request) {
  constexpr std::size_t number_at = std::string_view("GET /").size();
  std::from_chars(request.data() + number_at, request.data() + request.size(), c.topic);
  if (c.topic >= topics_.size()) topics_.resize(c.topic + 1U);
  topics_[c.topic].push_back(&c);
}

// Turns what came into what goes back, in the same place: each reply is four bytes shorter than its frame.
floor_server::output floor_server::transform(connection& c, std::size_t size) {
  std::uint8_t* in = area_.get() + headroom - c.spilled;
  std::memcpy(in, c.spill.data(), c.spilled);
  const std::uint8_t* const end = in + c.spilled + size;
  c.spilled = 0;
  std::uint8_t* const begin = in;
  std::uint8_t* out = in;
  for (;;) {
    if (c.left != 0) {
      const std::size_t n = std::min<std::uint64_t>(c.left, static_cast<std::uint64_t>(end - in));
      bench::unmask(out, in, n, c.key);
      c.key = bench::turn_key(c.key, n);
      c.left -= n;
      in += n;
      out += n;
    }
    const auto available = static_cast<std::size_t>(end - in);
    client_frame frame;
    if (!read_header(in, available, frame)) {
      std::memcpy(c.spill.data(), in, available);
      c.spilled = static_cast<std::uint8_t>(available);
      return {begin, static_cast<std::size_t>(out - begin)};
    }
    if (job_ == work::msg && frame.length > available - frame.header_size) {
      begin_message(c, frame, in + frame.header_size, available - frame.header_size);
      return {begin, static_cast<std::size_t>(out - begin)};
    }
    out += move_header(out, in, frame.header_size);
    in += frame.header_size;
    c.key = frame.key;
    c.left = frame.length;
  }
}

message_buffer floor_server::take_buffer(std::size_t capacity) {
  const auto fit = std::find_if(pool_.begin(), pool_.end(), [&](const auto& b) { return b.capacity == capacity; });
  if (fit == pool_.end()) return {std::unique_ptr<std::uint8_t[]>(new std::uint8_t[capacity]), capacity};
  std::swap(*fit, pool_.back());
  message_buffer found = std::move(pool_.back());
  pool_.pop_back();
  return found;
}

void floor_server::begin_message(connection& c, const client_frame& frame, const std::uint8_t* payload,
                                 std::size_t size) {
  c.message = std::make_unique<assembly>();
  c.message->buffer = take_buffer(bench::longest_server_header + frame.length);
  c.message->length = frame.length;
  c.message->have = size;
  c.message->first = frame.first;
  bench::unmask(c.message->buffer.bytes.get() + bench::longest_server_header, payload, size, frame.key);
  c.key = bench::turn_key(frame.key, size);
}

// False when the connection has ended.
bool floor_server::receive_message(connection& c) {
  assembly& m = *c.message;
  std::uint8_t* const payload = m.buffer.bytes.get() + bench::longest_server_header;
  const ssize_t n = recv(c.fd, payload + m.have, m.length - m.have, 0);
  if (n < 0 && errno == EAGAIN) return true;
  if (n <= 0) return false;
  const auto size = static_cast<std::size_t>(n);
  bench::unmask(payload + m.have, payload + m.have, size, c.key);
  c.key = bench::turn_key(c.key, size);
  m.have += size;
  if (m.have < m.length) return true;

  std::array<std::uint8_t, bench::longest_server_header> header;
  const std::size_t header_size = bench::write_header(header.data(), m.first, 0, m.length);
  std::memcpy(payload - header_size, header.data(), header_size);
  const std::size_t from = bench::longest_server_header - header_size;
  const bool alive = send_message(c, m.buffer, from, bench::longest_server_header + m.length);
  c.message = nullptr;
  return alive;
}

unsent& floor_server::keep(connection& c) {
  if (c.backlog == nullptr) {
    c.backlog = std::make_unique<unsent>();
    watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
  return *c.backlog;
}

// False when the connection has ended.
bool floor_server::send_or_keep(connection& c, const std::uint8_t* bytes, std::size_t size) {
  std::size_t sent = 0;
  if (c.backlog == nullptr && !send_some(c.fd, bytes, size, sent)) return false;
  if (sent < size) keep(c).copies.append(reinterpret_cast<const char*>(bytes) + sent, size - sent);
  return true;
}

// The same for a whole message, which waits where it is.
bool floor_server::send_message(connection& c, message_buffer& buffer, std::size_t from, std::size_t to) {
  std::size_t sent = 0;
  bool alive = true;
  if (c.backlog != nullptr)
    alive = send_or_keep(c, buffer.bytes.get() + from, to - from);
  else if ((alive = send_some(c.fd, buffer.bytes.get() + from, to - from, sent)) && sent < to - from) {
    unsent& rest = keep(c);
    rest.from = from + sent;
    rest.to = to;
    rest.message = std::move(buffer);
    return true;
  }
  pool_.push_back(std::move(buffer));
  return alive;
}

bool floor_server::send_backlog(connection& c) {
  if (c.backlog == nullptr) return true;
  unsent& rest = *c.backlog;
  std::size_t sent = 0;
  if (rest.from < rest.to) {
    if (!send_some(c.fd, rest.message.bytes.get() + rest.from, rest.to - rest.from, sent)) return false;
    rest.from += sent;
    if (rest.from < rest.to) return true;
    pool_.push_back(std::move(rest.message));
    sent = 0;
  }
  if (!send_some(c.fd, reinterpret_cast<const std::uint8_t*>(rest.copies.data()), rest.copies.size(), sent))
    return false;
  rest.copies.erase(0, sent);
  if (!rest.copies.empty()) return true;
  c.backlog = nullptr;
  watch(c, EPOLL_CTL_MOD, EPOLLIN);
  return true;
}

bool parse_listen(std::string_view text, sockaddr_in& address) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  char* end = nullptr;
  const std::string port(text.substr(colon + 1));
  const long number = std::strtol(port.c_str(), &end, 10);
  if (port.empty() || *end != '\0' || number < 0 || number > 65535) return false;
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(number));
  return inet_pton(AF_INET, std::string(text.substr(0, colon)).c_str(), &address.sin_addr) == 1;
}

}  // namespace

int main(int argc, char** argv) {
  const bool spin = argc > 2 && std::string_view(argv[argc - 1]) == "--spin";
  if (spin) --argc;
  const std::string_view job = argc > 1 ? argv[1] : "";
  const std::string_view option = argc > 2 ? argv[2] : "--listen";
  sockaddr_in address{};
  const bool understood = (job == "echo" || job == "fan" || job == "msg") && option == "--listen" && argc != 3 &&
                          argc <= 4 && parse_listen(argc > 3 ? argv[3] : "127.0.0.1:0", address);
  if (!understood) {
    std::fprintf(stderr, "usage: floor echo|fan|msg [--listen IPV4:PORT] [--spin]\n");
    return 2;
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  floor_server(job == "fan" ? work::fan : job == "msg" ? work::msg : work::echo, address).run(spin);
}
