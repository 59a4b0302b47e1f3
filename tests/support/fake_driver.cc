#include "support/fake_driver.h"

#include <algorithm>
#include <cstring>

namespace hawser::test {

using net::address;
using net::stream;

namespace {

std::size_t size_of(std::span<const byte_view> chunks) {
  std::size_t size = 0;
  for (const byte_view chunk : chunks)
    size += chunk.size();
  return size;
}

}  // namespace

std::unique_ptr<net::loop> make_fake_loop(manual_clock& clock, ticks busy_poll) {
  net::loop_options options;
  options.busy_poll = busy_poll;
  options.clock = &clock;
  options.make_driver = [](net::loop& owner) -> std::unique_ptr<net::driver> {
    return std::make_unique<fake_driver>(owner);
  };
  return std::move(net::loop::create(options)).value();
}

fake_driver::fake_driver(net::loop& owner) : owner_(owner), clock_(dynamic_cast<manual_clock&>(owner.clock())) {}

int fake_driver::open_end() {
  const int handle = next_handle_++;
  ends_[handle] = {};
  return handle;
}

std::pair<int, int> fake_driver::make_pair() {
  const int a = open_end();
  const int b = open_end();
  ends_[a].peer = b;
  ends_[b].peer = a;
  return {a, b};
}

bool fake_driver::fails_now() { return ++operations_ == script.fail_at; }

// ---- the test's own end

void fake_driver::put(int own, byte_view bytes) { bring(own, std::string(as_text(bytes))); }

std::string fake_driver::take(int own) {
  end& e = ends_.at(own);
  std::string taken = std::exchange(e.inbox, {});
  if (e.peer >= 0) want_written(e.peer);
  return taken;
}

bool fake_driver::ended(int own) { return ends_.at(own).inbox_ended || broken(own); }

bool fake_driver::broken(int own) { return ends_.at(own).inbox_error != errc::ok; }

void fake_driver::finish(int own) { say_end(own); }

void fake_driver::hang_up(int own, bool reset) { close_handle(own, reset); }

// ---- what the loop asks for

void fake_driver::adopt(stream& s, int handle) {
  end& e = ends_.at(handle);
  e.owner = &s;
  handle_of(s) = handle;
}

int fake_driver::release(stream& s) noexcept {
  const int handle = std::exchange(handle_of(s), -1);
  end& e = ends_.at(handle);
  e.owner = nullptr;
  e.reading = false;
  e.into = {};
  return handle;
}

void fake_driver::discard(int handle) noexcept { close_handle(handle, false); }

errc fake_driver::connect(stream& s, const address& to) {
  if (fails_now()) return script.fail_with;
  const int handle = open_end();
  end& e = ends_.at(handle);
  e.owner = &s;
  e.connecting = true;
  e.remote = to;
  handle_of(s) = handle;
  const auto found = listeners_.find(to.text());
  if (found == listeners_.end()) {
    const errc answer = script.connect_to_nobody ? script.connect_to_nobody(to) : errc::connection_refused;
    if (answer != errc::ok) schedule({.what = kind::connected, .handle = handle, .error = answer, .kept = {}});
    return errc::ok;
  }
  const int other = open_end();
  end& mine = ends_.at(handle);
  end& its = ends_.at(other);
  mine.peer = other;
  its.peer = handle;
  its.local = to;
  its.remote = mine.local = to.family() == address::kind::unix_path ? to : *address::ip("127.0.0.1", next_port_++);
  schedule({.what = kind::connected, .handle = handle, .kept = {}});
  schedule({.what = kind::accepted, .handle = other, .heard_by = found->second.first, .kept = {}});
  return errc::ok;
}

void fake_driver::start_reading(stream& s) {
  end& e = ends_.at(handle_of(s));
  e.reading = !e.finished;
  want_receive(handle_of(s));
}

void fake_driver::stop_reading(stream& s) { ends_.at(handle_of(s)).reading = false; }

void fake_driver::read_into(stream& s, buffer into, std::size_t offset, std::size_t room) {
  end& e = ends_.at(handle_of(s));
  if (room == 0) return;
  e.into = std::move(into);
  e.offset = offset;
  e.into_room = room;
}

std::string fake_driver::taken_from(std::span<const byte_view> chunks, std::size_t most) {
  if (script.write_size) most = std::min(most, script.write_size());
  std::string taken;
  for (const byte_view chunk : chunks)
    taken.append(as_text(chunk.first(std::min(chunk.size(), most - taken.size()))));
  return taken;
}

net::write_result fake_driver::write(stream& s, std::span<const byte_view> chunks) {
  ++calls_.sends;
  const int handle = handle_of(s);
  end& e = ends_.at(handle);
  if (fails_now()) return {0, false, script.fail_with};
  if (e.peer < 0 || e.inbox_error != errc::ok) return {0, false, errc::connection_lost};
  const std::size_t wanted = size_of(chunks);
  const std::size_t held = ends_.at(e.peer).inbox.size();
  const std::size_t room = script.room > held ? script.room - held : 0;
  std::string taken = taken_from(chunks, room);
  if (script.late_writes && wanted != 0) {
    e.pending = true;
    e.in_flight = std::move(taken);
    want_written(handle);
    return {0, true, errc::ok};
  }
  const std::size_t done = taken.size();
  bring(handle, std::move(taken));
  if (done == wanted) return {done, false, errc::ok};
  e.pending = true;
  want_written(handle);
  return {done, true, errc::ok};
}

void fake_driver::shutdown_write(stream& s) noexcept {
  end& e = ends_.at(handle_of(s));
  if (e.in_flight.empty())
    say_end(handle_of(s));
  else
    e.end_wanted = true;
}

void fake_driver::close(stream& s, bool reset) noexcept {
  if (handle_of(s) >= 0) close_handle(std::exchange(handle_of(s), -1), reset);
}

address fake_driver::local_address(const stream& s) const { return ends_.at(handle_of(s)).local; }

address fake_driver::remote_address(const stream& s) const { return ends_.at(handle_of(s)).remote; }

std::size_t fake_driver::unsent(const stream& s) const noexcept {
  const auto at = ends_.find(handle_of(s));
  if (at == ends_.end()) return 0;
  const auto peer = ends_.find(at->second.peer);
  return at->second.in_flight.size() + (peer == ends_.end() ? 0 : peer->second.inbox.size());
}

void fake_driver::set_user_timeout(stream& s, ticks after) noexcept { ends_.at(handle_of(s)).user_timeout = after; }

errc fake_driver::listen(net::acceptor& a, const address& on, const net::listen_options& options, address& bound) {
  if (fails_now()) return script.fail_with;
  bound = on.family() != address::kind::unix_path && on.port() == 0 ? *address::ip(on.host(), next_port_++) : on;
  if (listeners_.contains(bound.text()) && !options.reuse_port) return errc::address_in_use;
  listeners_[bound.text()] = {&a, bound};
  return errc::ok;
}

void fake_driver::stop_listening(net::acceptor& a) noexcept {
  std::erase_if(listeners_, [&](const auto& l) { return l.second.first == &a; });
  for_each_completion([&](completion& c) {
    if (c.heard_by == &a) c.heard_by = nullptr;
  });
}

// ---- between the ends

// Bytes that one end sent arrive at the other.
void fake_driver::bring(int from, std::string bytes) {
  const int to = ends_.at(from).peer;
  if (to < 0 || bytes.empty()) return;
  ends_.at(to).inbox += bytes;
  want_receive(to);
}

void fake_driver::say_end(int from) {
  const int to = ends_.at(from).peer;
  if (to < 0) return;
  ends_.at(to).inbox_ended = true;
  want_receive(to);
}

void fake_driver::close_handle(int handle, bool reset) noexcept {
  const auto found = ends_.find(handle);
  if (found == ends_.end()) return;
  end& e = found->second;
  bring(handle, std::exchange(e.in_flight, {}));
  if (e.peer >= 0) {
    end& peer = ends_.at(e.peer);
    peer.peer = -1;
    peer.inbox_ended = true;
    if (reset) peer.inbox_error = errc::connection_lost;
    want_receive(e.peer);
    want_written(e.peer);
  }
  // A receive that is under way owns its buffer until it completes.
  for_each_completion([&](completion& c) {
    if (c.handle == handle && c.what == kind::receive) c.kept = std::move(e.into);
  });
  ends_.erase(found);
}

// ---- completions

void fake_driver::schedule(completion c) {
  const tick due = clock_.now() + (script.lateness ? script.lateness() : ticks::zero());
  completions_.emplace(due, std::move(c));
}

void fake_driver::for_each_completion(const std::function<void(completion&)>& f) {
  for (auto& [due, c] : completions_)
    f(c);
  for (completion& c : batch_)
    f(c);
}

void fake_driver::want_receive(int handle) {
  end& e = ends_.at(handle);
  const bool something = !e.inbox.empty() || e.inbox_ended || e.inbox_error != errc::ok;
  if (!e.reading || e.receiving || !something) return;
  e.receiving = true;
  schedule({.what = kind::receive, .handle = handle, .kept = {}});
}

void fake_driver::want_written(int handle) {
  end& e = ends_.at(handle);
  if (!e.pending || e.writing) return;
  const bool room = e.peer < 0 || ends_.at(e.peer).inbox.size() < script.room || !e.in_flight.empty();
  if (!room) return;
  e.writing = true;
  schedule({.what = kind::written, .handle = handle, .kept = {}});
}

bool fake_driver::wait(tick deadline) {
  ++calls_.waits;
  bool came = false;
  {
    std::unique_lock lock(wake_lock_);
    if (completions_.empty() && deadline == no_deadline) wake_condition_.wait(lock, [&] { return woken_; });
    const tick next = completions_.empty() ? deadline : std::min(deadline, completions_.begin()->first);
    if (!woken_ && next > clock_.now()) clock_.set(next);
    came = std::exchange(woken_, false);
  }
  owner_.refresh_now();
  while (!completions_.empty() && completions_.begin()->first <= clock_.now()) {
    batch_.push_back(std::move(completions_.begin()->second));
    completions_.erase(completions_.begin());
  }
  came = came || !batch_.empty();
  while (!batch_.empty()) {
    completion c = std::move(batch_.front());
    batch_.pop_front();
    deliver(std::move(c));
  }
  return came;
}

void fake_driver::wake() noexcept {
  calls_.wakes.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(wake_lock_);
  woken_ = true;
  wake_condition_.notify_one();
}

void fake_driver::deliver(completion c) {
  const auto found = ends_.find(c.handle);
  if (found == ends_.end()) {
    ++swallowed_;
    // As a kernel does that was told too late.
    if (c.kept) std::memset(c.kept.data(), 0xAA, c.kept.size());
    return;
  }
  end& e = found->second;
  switch (c.what) {
    case kind::accepted:
      if (c.heard_by == nullptr) return close_handle(c.handle, true);
      ++calls_.accepts;
      return c.heard_by->on_accepted(c.handle, e.remote);
    case kind::connected:
      e.connecting = false;
      return c.error == errc::ok ? e.owner->on_connected() : e.owner->on_error(c.error);
    case kind::receive:
      e.receiving = false;
      return receive(c.handle);
    case kind::written:
      e.writing = false;
      return written(c.handle);
  }
}

void fake_driver::receive(int handle) {
  end& e = ends_.at(handle);
  if (!e.reading) return;
  ++calls_.receives;
  const bool failed = fails_now();
  if (failed) e.inbox_error = script.fail_with;
  // As with a real one, what came before a reset is still there.
  if (failed || e.inbox.empty()) {
    e.reading = false;
    e.finished = true;
    return e.inbox_error != errc::ok ? e.owner->on_error(e.inbox_error) : e.owner->on_end();
  }
  std::size_t n = script.receive_size ? std::max<std::size_t>(script.receive_size(), 1) : e.inbox.size();
  n = std::min(n, e.inbox.size());
  if (e.into) {
    receive_into(e, std::min(n, e.into_room));
  } else {
    const byte_span area = owner_.receive_area();
    n = std::min(n, area.size());
    std::memcpy(area.data(), e.inbox.data(), n);
    e.inbox.erase(0, n);
    e.owner->on_received(area.first(n));
  }
  // The owner may have closed it.
  if (!ends_.contains(handle)) return;
  want_receive(handle);
  if (e.peer >= 0) want_written(e.peer);
}

void fake_driver::receive_into(end& e, std::size_t n) {
  buffer into = std::exchange(e.into, {});
  std::memcpy(into.data() + e.offset, e.inbox.data(), n);
  e.inbox.erase(0, n);
  e.owner->on_received_into(std::move(into), n);
}

void fake_driver::written(int handle) {
  end& e = ends_.at(handle);
  const std::size_t n = e.in_flight.size();
  bring(handle, std::exchange(e.in_flight, {}));
  if (std::exchange(e.end_wanted, false)) say_end(handle);
  e.pending = false;
  if (e.owner != nullptr) e.owner->on_written(n);
}

}  // namespace hawser::test
