#include "net/epoll_driver.h"

#include "net/address_access.h"
#include "net/system_error.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <limits>

HAWSER_BEGIN
namespace net {

namespace {

// The driver's word in a stream.
constexpr std::uint32_t reading = 1;      // The owner wants bytes.
constexpr std::uint32_t pending = 2;      // The owner waits for room.
constexpr std::uint32_t connecting = 4;   // A connect is under way.
constexpr std::uint32_t ended = 8;        // Nothing more will be received.
constexpr std::uint32_t watched = 16;     // epoll knows the descriptor ...
constexpr std::uint32_t watched_in = 32;  // ... and waits for bytes, for room.
constexpr std::uint32_t watched_out = 64;
constexpr std::uint32_t armed = 128;  // A read_into waits; its index is in the bits above.
constexpr unsigned armed_shift = 8;

constexpr std::uint32_t broken_events = EPOLLERR | EPOLLHUP;
constexpr std::uint64_t wake_tag = 2;
constexpr std::uint64_t tag_bits = 3;

std::uint32_t wanted_events(std::uint32_t state) noexcept {
  return ((state & reading) != 0 ? std::uint32_t{EPOLLIN} : 0) |
         ((state & (pending | connecting)) != 0 ? std::uint32_t{EPOLLOUT} : 0);
}

std::uint32_t watched_events(std::uint32_t state) noexcept {
  return ((state & watched_in) != 0 ? std::uint32_t{EPOLLIN} : 0) |
         ((state & watched_out) != 0 ? std::uint32_t{EPOLLOUT} : 0);
}

void set_watched(std::uint32_t& state, std::uint32_t events) noexcept {
  state &= ~(watched_in | watched_out);
  state |= watched | ((events & EPOLLIN) != 0 ? watched_in : 0) | ((events & EPOLLOUT) != 0 ? watched_out : 0);
}

std::uint64_t tag_of(const void* target) noexcept { return reinterpret_cast<std::uintptr_t>(target); }

// Rounded up, so that a wait never ends just before its deadline, only to be begun again.
int milliseconds_until(tick deadline, tick now) noexcept {
  if (deadline == no_deadline) return -1;
  if (deadline <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<int>(std::min<decltype(left)>(left, std::numeric_limits<int>::max()));
}

write_result failed_write(std::size_t done) noexcept {
  if (errno == EAGAIN) return {done, true, errc::ok};
  return {done, false, errc_of(errno)};
}

// Apart, so that its 16 KiB of stack do not push the usual write out of the lines that are warm.
[[gnu::noinline]] write_result send_many(const hot_calls& system, int fd, std::span<const byte_view> chunks,
                                         call_counts& calls) noexcept {
  std::array<iovec, IOV_MAX> parts;
  write_result all;
  while (!chunks.empty()) {
    const std::size_t count = std::min(chunks.size(), parts.size());
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
      // The system only reads, but its structure is also that of a read.
      parts[i] = {const_cast<std::byte*>(chunks[i].data()), chunks[i].size()};
      bytes += chunks[i].size();
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t n = system.send(fd, message, MSG_NOSIGNAL | (count < chunks.size() ? MSG_MORE : 0));
    ++calls.sends;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed_write(all.done);
    all.done += static_cast<std::size_t>(n);
    if (static_cast<std::size_t>(n) < bytes) {
      all.pending = true;
      return all;
    }
    chunks = chunks.subspan(count);
  }
  return all;
}

}  // namespace

std::unique_ptr<driver> make_epoll_driver(loop& owner) {
  auto made = std::make_unique<epoll_driver>(owner);
  if (!made->usable()) return nullptr;
  return made;
}

// The wake-up is edge-triggered and never read: each write to the counter is an event of its own.
epoll_driver::epoll_driver(loop& owner)
    : owner_(owner),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      spare_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  if (!usable() || !control(EPOLL_CTL_ADD, wake_.get(), EPOLLIN | EPOLLET, wake_tag)) epoll_.reset();
}

epoll_driver::~epoll_driver() = default;

inline void epoll_driver::receive(stream& s) {
  const byte_span area = owner_.receive_area();
  const ssize_t n = system_.receive(handle_of(s), area.data(), area.size());
  ++calls_.receives;
  if (n > 0) [[likely]]
    s.on_received(area.first(static_cast<std::size_t>(n)));
  else
    end_reading(s, n);
}

// A tag of nothing belongs to a stream that was closed earlier in this batch.
inline void epoll_driver::deliver(const epoll_event& event) {
  const std::uint64_t tag = event.data.u64;
  const std::uint64_t target = tag & ~tag_bits;
  if (target == 0) return;
  if ((tag & listener_tag) != 0) return reinterpret_cast<epoll_listener*>(target)->on_ready();
  stream& s = *reinterpret_cast<stream*>(target);
  // Nearly always: bytes for one that waits for nothing else.
  const bool plain = event.events == EPOLLIN && (state_of(s) & (reading | connecting | armed)) == reading;
  if (!plain) return dispatch(s, event.events);
  receive(s);
  if ((state_of(s) & reading) == 0) relax(s);
}

bool epoll_driver::wait(tick deadline) {
  const int timeout = broken_.empty() ? milliseconds_until(deadline, owner_.now()) : 0;
  event_count_ = system_.wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout);
  ++calls_.waits;
  owner_.refresh_now();
  const bool came = event_count_ > 0;
  for (next_event_ = 0; next_event_ < event_count_;)
    deliver(events_[static_cast<std::size_t>(next_event_++)]);
  event_count_ = 0;
  if (!broken_.empty()) deliver_broken();
  if (listener_stopped_) {
    listener_stopped_ = false;
    std::erase_if(listeners_, [](const auto& l) { return l->stopped(); });
  }
  return came;
}

void epoll_driver::wake() noexcept {
  calls_.wakes.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  // Cannot fail but by a full counter, and then there is a wake-up already.
  if (::write(wake_.get(), &one, sizeof one) < 0) return;
}

// Reading first: the answer to what came then leaves together with what waited for room, and a peer's last words are
// heard before the error that follows them.
void epoll_driver::dispatch(stream& s, std::uint32_t events) {
  const std::uint32_t& state = state_of(s);
  if ((state & connecting) != 0) {
    finish_connect(s);
  } else {
    if ((events & (EPOLLIN | broken_events)) != 0 && (state & reading) != 0) {
      if ((state & armed) != 0)
        receive_into(s);
      else
        receive(s);
    }
    if ((events & (EPOLLOUT | broken_events)) != 0 && (state & pending) != 0) {
      state_of(s) &= ~pending;
      s.on_written(0);
    }
  }
  if (events != EPOLLIN || (state & reading) == 0) relax(s);
}

void epoll_driver::receive_into(stream& s) {
  armed_read& a = armed_[state_of(s) >> armed_shift];
  const ssize_t n = system_.receive(handle_of(s), a.into.data() + a.offset, a.room);
  ++calls_.receives;
  if (n > 0)
    s.on_received_into(disarm(s).into, static_cast<std::size_t>(n));
  else
    end_reading(s, n);
}

void epoll_driver::end_reading(stream& s, ssize_t result) {
  if (result < 0) {
    if (errno != EAGAIN && errno != EINTR) fail(s, errc_of(errno));
    return;
  }
  state_of(s) = (state_of(s) | ended) & ~reading;
  s.on_end();
}

void epoll_driver::fail(stream& s, errc what) {
  state_of(s) = (state_of(s) | ended) & ~(reading | pending | connecting);
  s.on_error(what);
}

void epoll_driver::finish_connect(stream& s) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(handle_of(s), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return fail(s, connect_errc_of(error));
  if (connected_to_itself(handle_of(s))) return fail(s, errc::connection_refused);
  state_of(s) &= ~connecting;
  s.on_connected();
}

void epoll_driver::deliver_broken() {
  while (!broken_.empty()) {
    stream& s = *broken_.back();
    broken_.pop_back();
    fail(s, errc::out_of_resources);
  }
}

void epoll_driver::adopt(stream& s, int handle) {
  handle_of(s) = handle;
  state_of(s) = 0;
}

int epoll_driver::release(stream& s) noexcept {
  const int handle = handle_of(s);
  detach(s);
  return handle;
}

void epoll_driver::discard(int handle) noexcept { unique_fd(handle).reset(); }

errc epoll_driver::connect(stream& s, const address& to) {
  unique_fd made = make_socket(to);
  if (!made) return connect_errc_of(errno);
  const system_address system = address_access::to_system(to);
  if (::connect(made.get(), system.get(), system.size) != 0 && errno != EINPROGRESS && errno != EINTR)
    return connect_errc_of(errno);
  // Also when it is connected already: that the socket has room says so in the next batch.
  handle_of(s) = made.get();
  state_of(s) = connecting;
  if (!watch(s)) {
    detach(s);
    return errc::out_of_resources;
  }
  static_cast<void>(made.release());
  return errc::ok;
}

void epoll_driver::start_reading(stream& s) {
  std::uint32_t& state = state_of(s);
  if ((state & (reading | ended)) != 0 || !is_open(s)) return;
  state |= reading;
  if (!watch(s)) broken_.push_back(&s);
}

// What is watched is left as it is: most pauses end before the next event, which would change it back.
void epoll_driver::stop_reading(stream& s) { state_of(s) &= ~reading; }

void epoll_driver::read_into(stream& s, buffer into, std::size_t offset, std::size_t room) {
  if (room == 0) return;
  disarm(s);
  if (free_armed_.empty()) {
    free_armed_.push_back(static_cast<std::uint32_t>(armed_.size()));
    armed_.emplace_back();
  }
  const std::uint32_t index = free_armed_.back();
  free_armed_.pop_back();
  armed_[index] = {std::move(into), offset, room};
  state_of(s) |= armed | (index << armed_shift);
}

epoll_driver::armed_read epoll_driver::disarm(stream& s) noexcept {
  std::uint32_t& state = state_of(s);
  if ((state & armed) == 0) return {};
  const std::uint32_t index = state >> armed_shift;
  state &= armed - 1;
  free_armed_.push_back(index);
  return std::exchange(armed_[index], {});
}

write_result epoll_driver::write(stream& s, std::span<const byte_view> chunks) {
  if (chunks.size() == 1) {
    const ssize_t n = system_.send(handle_of(s), chunks[0].data(), chunks[0].size(), MSG_NOSIGNAL);
    ++calls_.sends;
    const auto done = static_cast<std::size_t>(n);
    if (done == chunks[0].size()) [[likely]]
      return {done, false, errc::ok};
    if (n >= 0) return after_send(s, {done, true, errc::ok});
    if (errno != EINTR) return after_send(s, failed_write(0));
  }
  return after_send(s, send_many(system_, handle_of(s), chunks, calls_));
}

write_result epoll_driver::after_send(stream& s, write_result r) {
  if (!r.pending) return r;
  state_of(s) |= pending;
  if (watch(s)) return r;
  state_of(s) &= ~pending;
  return {r.done, false, errc::out_of_resources};
}

void epoll_driver::shutdown_write(stream& s) noexcept { ::shutdown(handle_of(s), SHUT_WR); }

void epoll_driver::close(stream& s, bool reset) noexcept {
  const unique_fd handle(handle_of(s));
  if (!handle) return;
  detach(s);
  const linger at_once{1, 0};
  if (reset) ::setsockopt(handle.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

// Removed by hand before it is closed: a forked child that has not yet called exec keeps the socket open, and epoll
// would go on to report it.
void epoll_driver::detach(stream& s) noexcept {
  disarm(s);
  if ((state_of(s) & watched) != 0) control(EPOLL_CTL_DEL, handle_of(s), 0, 0);
  forget_events(&s);
  if (!broken_.empty()) std::erase(broken_, &s);
  handle_of(s) = -1;
  state_of(s) = 0;
}

// Adds what is wanted and not watched yet.
bool epoll_driver::watch(stream& s) noexcept {
  std::uint32_t& state = state_of(s);
  const std::uint32_t wanted = wanted_events(state);
  if ((wanted & ~watched_events(state)) == 0) return true;
  const int operation = (state & watched) != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (!control(operation, handle_of(s), wanted, tag_of(&s))) return false;
  set_watched(state, wanted);
  return true;
}

// After an event: takes away what nobody wants any more. Errors are always reported, so a stream that wants nothing is
// removed altogether.
void epoll_driver::relax(stream& s) noexcept {
  std::uint32_t& state = state_of(s);
  if ((state & watched) == 0) return;
  const std::uint32_t wanted = wanted_events(state);
  if (wanted == 0) {
    control(EPOLL_CTL_DEL, handle_of(s), 0, 0);
    state &= ~(watched | watched_in | watched_out);
  } else if (wanted != watched_events(state)) {
    if (control(EPOLL_CTL_MOD, handle_of(s), wanted, tag_of(&s))) set_watched(state, wanted);
  }
}

bool epoll_driver::control(int operation, int fd, std::uint32_t events, std::uint64_t tag) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  ++calls_.controls;
  return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

// There is one event for each at most in a batch. Who ends in the turn that its own event began has none to come: so
// when a thousand peers leave at a time, not each of them looks through the events of the others.
void epoll_driver::forget_events(const void* target) noexcept {
  if (next_event_ > 0) {
    const epoll_event& current = events_[static_cast<std::size_t>(next_event_ - 1)];
    if ((current.data.u64 & ~tag_bits) == tag_of(target)) return;
  }
  for (int i = next_event_; i < event_count_; ++i) {
    epoll_event& event = events_[static_cast<std::size_t>(i)];
    if ((event.data.u64 & ~tag_bits) == tag_of(target)) event.data.u64 = 0;
  }
}

void epoll_driver::set_user_timeout(stream& s, ticks after) noexcept { net::set_user_timeout(handle_of(s), after); }

std::size_t epoll_driver::unsent(const stream& s) const noexcept {
  int bytes = 0;
  return ::ioctl(handle_of(s), SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

errc epoll_driver::listen(acceptor& a, const address& on, const listen_options& options, address& bound) {
  unique_fd socket;
  const errc error = make_listener(on, options, socket, bound);
  if (error != errc::ok) return error;
  auto made = std::make_unique<epoll_listener>(*this, a, std::move(socket));
  if (!made->start()) return errc::out_of_resources;
  listeners_.push_back(std::move(made));
  return errc::ok;
}

void epoll_driver::stop_listening(acceptor& a) noexcept {
  for (const auto& l : listeners_)
    if (&l->heard_by() == &a) {
      l->stop();
      listener_stopped_ = true;
    }
}

}  // namespace net
HAWSER_END
