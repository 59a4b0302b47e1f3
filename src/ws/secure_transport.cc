#include "ws/secure_transport.h"

#include <algorithm>
#include <new>
#include <utility>

HAWSER_BEGIN

namespace {

constexpr std::size_t record_size = std::size_t{16} << 10;
constexpr std::size_t most_at_once = 4 * record_size;  // Encrypted before the system is asked, and so much waits here.

/// Where a write has come to in its chunks.
class plain_cursor {
 public:
  explicit plain_cursor(std::span<const byte_view> chunks) noexcept : left_(chunks) { skip_empty(); }
  [[nodiscard]] bool at_end() const noexcept { return left_.empty(); }
  /// The next bytes that lie together, at most `most`.
  byte_view take(std::size_t most) noexcept {
    const byte_view rest = left_.front().subspan(at_);
    const byte_view taken = rest.first(std::min(most, rest.size()));
    at_ += taken.size();
    skip_empty();
    return taken;
  }

 private:
  void skip_empty() noexcept {
    while (!left_.empty() && at_ == left_.front().size()) {
      left_ = left_.subspan(1);
      at_ = 0;
    }
  }
  std::span<const byte_view> left_;
  std::size_t at_ = 0;
};

}  // namespace

/// The records of one turn of one stream: whatever happens, the next stream finds none of another's.
class secure_transport::own_records {
 public:
  explicit own_records(secure_transport& home) noexcept : home_(home) {}
  ~own_records() { home_.records_.clear(); }
  own_records(const own_records&) = delete;
  own_records& operator=(const own_records&) = delete;

 private:
  secure_transport& home_;
};

/// The stream below a session's.
class secure_transport::link final : public net::stream, public net::mortal {
 public:
  link(secure_transport& home, net::stream& owner, const tls::context& how, std::string_view name, std::uint16_t port)
      : home_(home), owner_(&owner), filter_(how, name, port) {}

  void begin();
  void start_reading();
  void stop_reading();
  void read_into(buffer into, std::size_t offset, std::size_t room) { large_ = {std::move(into), offset, room}; }
  net::write_result write(std::span<const byte_view> chunks);
  void shutdown_write();
  /// Nothing is told any more.
  void leave(bool reset) noexcept;
  [[nodiscard]] const tls::filter& filter() const noexcept { return filter_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size() - sent_; }

  void on_received(byte_span bytes) override;
  void on_received_into(buffer&&, std::size_t) override {}  // Never asked for.
  void on_end() override;
  void on_written(std::size_t n) override;
  void on_error(errc what) override;
  void on_timer(tick) override { conclude(); }

 private:
  struct large_read {
    buffer into;
    std::size_t offset = 0;
    std::size_t room = 0;
  };

  [[nodiscard]] net::driver& io() const noexcept { return home_.loop_.io(); }
  void work_in(byte_span bytes);
  void deliver(std::size_t fed);
  void conclude();
  std::size_t encrypt(plain_cursor& from);
  net::write_result encrypt_and_send(std::span<const byte_view> chunks);
  errc send_records() noexcept;
  void tell(errc what);

  secure_transport& home_;
  net::stream* owner_;  // Null once it has left.
  tls::filter filter_;
  large_read large_;
  std::vector<std::byte> waiting_;  // Encrypted; the system has it up to `sent_`.
  std::size_t sent_ = 0;
  bool blocked_ = false;      // The system will say when there is room.
  bool owner_waits_ = false;  // To be told so in turn.
  bool fin_wanted_ = false;
  bool reading_ = false;  // The owner wants to hear.
  bool ended_ = false;    // It knows of the end ...
  bool failed_ = false;   // ... and of an error.
};

void secure_transport::link::begin() {
  const own_records mine(home_);
  filter_.handshake(home_.records_);
  static_cast<void>(send_records());
}

// ---- in

void secure_transport::link::on_received(byte_span bytes) {
  try {
    return work_in(bytes);
  } catch (const std::bad_alloc&) {
    tell(errc::out_of_resources);
  }
}

void secure_transport::link::work_in(byte_span bytes) {
  if (failed_) return;
  const own_records mine(home_);
  filter_.feed(bytes, home_.loop_.now());
  if (!filter_.is_open()) {
    filter_.handshake(home_.records_);
    const errc sent = send_records();
    if (filter_.error() != errc::ok) return tell(filter_.error());
    if (sent != errc::ok) return tell(sent);
    if (!filter_.is_open()) return;
    if (!blocked_ && std::exchange(owner_waits_, false)) owner_->on_written(0);
    if (owner_ == nullptr) return;
  }
  deliver(bytes.size());
}

// All at once: there is room for more than can have come, so nothing plain stays behind.
void secure_transport::link::deliver(std::size_t fed) {
  large_read large = std::exchange(large_, {});
  const bool straight = large.room >= fed + 2 * record_size;
  const byte_span to = straight ? byte_span(large.into.data() + large.offset, large.room) : home_.plain_;
  const std::size_t n = filter_.read(to, home_.records_);
  const errc sent = send_records();
  if (n > 0 && straight)
    owner_->on_received_into(buffer(large.into), n);
  else if (n > 0)
    owner_->on_received(to.first(n));
  if (owner_ == nullptr) return;
  if (n == 0 && !large_.into) large_ = large;
  conclude();
  if (sent != errc::ok) tell(sent);
}

// What TLS ended with, behind the last bytes. Not to an owner that does not read: they may still wait with it.
void secure_transport::link::conclude() {
  if (owner_ == nullptr || !reading_) return;
  if (filter_.error() != errc::ok) return tell(filter_.error());
  if (filter_.peer_ended() && !std::exchange(ended_, true)) owner_->on_end();
}

// An end that waited is told from the loop, not from within this call.
void secure_transport::link::start_reading() {
  reading_ = true;
  io().start_reading(*this);
  if (filter_.error() != errc::ok || filter_.peer_ended()) home_.loop_.timers().schedule(*this, home_.loop_.now());
}

void secure_transport::link::stop_reading() {
  reading_ = false;
  io().stop_reading(*this);
}

// Whoever ends the stream of the system before TLS has ended may have cut something off (RFC 8446, 6.1). The system
// says this once: who is told of an error that waited hears of the end behind it here, or never.
void secure_transport::link::on_end() {
  const bool cut_off = filter_.is_open() && !filter_.peer_ended();
  const errc wrong = cut_off ? errc::truncated : filter_.error();
  if (wrong != errc::ok) tell(wrong);
  if (owner_ != nullptr && !std::exchange(ended_, true)) owner_->on_end();
}

// Whoever was told that TLS has failed may still wait for the end.
void secure_transport::link::on_error(errc what) {
  if (!failed_) return tell(what);
  if (!std::exchange(ended_, true)) owner_->on_end();
}

void secure_transport::link::tell(errc what) {
  if (owner_ != nullptr && !std::exchange(failed_, true)) owner_->on_error(what);
}

// ---- out

net::write_result secure_transport::link::write(std::span<const byte_view> chunks) {
  try {
    return encrypt_and_send(chunks);
  } catch (const std::bad_alloc&) {
    return {0, false, errc::out_of_resources};  // What was encrypted is gone, and with it the stream.
  }
}

net::write_result secure_transport::link::encrypt_and_send(std::span<const byte_view> chunks) {
  if (filter_.error() != errc::ok) return {0, false, filter_.error()};
  const own_records mine(home_);
  net::write_result r;
  plain_cursor from(chunks);
  if (filter_.is_open()) {
    while (!blocked_ && !from.at_end()) {
      r.done += encrypt(from);
      r.error = filter_.error() != errc::ok ? filter_.error() : send_records();
      if (r.error != errc::ok) return r;
    }
  }
  r.pending = owner_waits_ = !from.at_end();
  return r;
}

// Small pieces go into one record; long ones are encrypted where they lie.
std::size_t secure_transport::link::encrypt(plain_cursor& from) {
  std::vector<std::byte>& small = home_.gathered_;
  small.clear();
  std::size_t done = 0;
  bool good = true;
  while (good && !from.at_end() && done < most_at_once) {
    const byte_view piece = from.take(small.empty() ? most_at_once - done : record_size - small.size());
    done += piece.size();
    const bool alone = small.empty() && (piece.size() >= record_size || from.at_end());
    if (alone) {
      good = filter_.write(piece, home_.records_);
      continue;
    }
    small.insert(small.end(), piece.begin(), piece.end());
    if (small.size() < record_size && !from.at_end()) continue;
    good = filter_.write(small, home_.records_);
    small.clear();
  }
  if (good && !small.empty()) static_cast<void>(filter_.write(small, home_.records_));
  return done;
}

// To the system, and what it does not take to what waits.
errc secure_transport::link::send_records() noexcept {
  tls::record_sink& made = home_.records_;
  if (made.empty()) return errc::ok;
  const own_records mine(home_);
  std::size_t taken = 0;
  if (!blocked_) {
    const byte_view all(made);
    const net::write_result r = io().write(*this, {&all, 1});
    if (r.error != errc::ok) return r.error;
    taken = r.done;
    blocked_ = r.pending;
  }
  try {
    waiting_.insert(waiting_.end(), made.begin() + static_cast<std::ptrdiff_t>(taken), made.end());
  } catch (const std::bad_alloc&) {
    return errc::out_of_resources;
  }
  return errc::ok;
}

void secure_transport::link::on_written(std::size_t n) {
  blocked_ = false;
  sent_ += n;
  if (waiting() > 0) {
    const byte_view rest = byte_view(waiting_).subspan(sent_);
    const net::write_result r = io().write(*this, {&rest, 1});
    if (r.error != errc::ok) return tell(r.error);
    sent_ += r.done;
    blocked_ = r.pending;
    if (blocked_) return;
  }
  waiting_ = {};  // A connection that waits for nothing keeps nothing.
  sent_ = 0;
  if (fin_wanted_) {
    io().shutdown_write(*this);
    if (owner_ != nullptr) owner_->on_written(0);
    return;
  }
  if (owner_ != nullptr && filter_.is_open() && std::exchange(owner_waits_, false)) owner_->on_written(0);
}

void secure_transport::link::shutdown_write() {
  filter_.close(home_.records_);
  static_cast<void>(send_records());
  fin_wanted_ = blocked_;
  if (!fin_wanted_) io().shutdown_write(*this);
}

void secure_transport::link::leave(bool reset) noexcept {
  owner_ = nullptr;
  home_.loop_.timers().cancel(*this);
  if (!reset && !blocked_) {
    const own_records mine(home_);
    filter_.close(home_.records_);
    const byte_view last(home_.records_);
    if (!last.empty()) static_cast<void>(io().write(*this, {&last, 1}));
  }
  io().close(*this, reset);
}

// ---- the transport

secure_transport::secure_transport(net::loop& on) noexcept : loop_(on) {}
secure_transport::~secure_transport() = default;

void secure_transport::adopt(net::stream& s, int handle, const tls::context& how, std::string_view name,
                             std::uint16_t port) {
  if (plain_.empty()) {
    const std::size_t size = loop_.receive_area().size() + 2 * record_size;
    plain_memory_ = std::make_unique_for_overwrite<std::byte[]>(net::loop::area_headroom + size);
    plain_ = {plain_memory_.get() + net::loop::area_headroom, size};
  }
  if (free_.empty()) {
    if (links_.size() == links_.capacity()) links_.reserve(std::max<std::size_t>(2 * links_.size(), 16));
    free_.reserve(links_.capacity());
    free_.push_back(static_cast<int>(links_.size()));
    links_.emplace_back();
  }
  const auto place = static_cast<std::size_t>(free_.back());
  links_[place] = std::make_unique<link>(*this, s, how, name, port);
  loop_.io().adopt(*links_[place], handle);
  handle_of(s) = free_.back();
  free_.pop_back();
  links_[place]->begin();
}

secure_transport::link& secure_transport::link_of(const net::stream& s) const noexcept {
  return *links_[static_cast<std::size_t>(handle_of(s))];
}

const tls::filter& secure_transport::filter_of(const net::stream& s) const noexcept { return link_of(s).filter(); }

void secure_transport::start_reading(net::stream& s) {
  if (is_open(s)) link_of(s).start_reading();
}

void secure_transport::stop_reading(net::stream& s) { link_of(s).stop_reading(); }

void secure_transport::read_into(net::stream& s, buffer into, std::size_t offset, std::size_t room) {
  link_of(s).read_into(std::move(into), offset, room);
}

net::write_result secure_transport::write(net::stream& s, std::span<const byte_view> chunks) {
  return link_of(s).write(chunks);
}

void secure_transport::shutdown_write(net::stream& s) noexcept { link_of(s).shutdown_write(); }

void secure_transport::close(net::stream& s, bool reset) noexcept {
  if (!is_open(s)) return;
  const int place = std::exchange(handle_of(s), -1);
  std::unique_ptr<link> gone = std::move(links_[static_cast<std::size_t>(place)]);
  gone->leave(reset);
  loop_.bury(std::move(gone));
  free_.push_back(place);
}

net::address secure_transport::local_address(const net::stream& s) const {
  return loop_.io().local_address(link_of(s));
}

net::address secure_transport::remote_address(const net::stream& s) const {
  return loop_.io().remote_address(link_of(s));
}

void secure_transport::set_user_timeout(net::stream& s, ticks after) noexcept {
  loop_.io().set_user_timeout(link_of(s), after);
}

bool secure_transport::holds(const net::stream& s) const noexcept { return link_of(s).waiting() > 0; }

std::size_t secure_transport::unsent(const net::stream& s) const noexcept {
  const link& l = link_of(s);
  return loop_.io().unsent(l) + l.waiting();
}

HAWSER_END
