// hawser::core under an Asio loop, in either role: bytes and time go in, events come out, then bytes and a deadline.
#pragma once

#include "stream.h"

#include <hawser/core/connection.h>
#include <hawser/core/extension.h>
#include <hawser/core/negotiate.h>
#include <hawser/net/random.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace embed {

// What the connections of one thread share. Outlives them, and so the io_context, whose handlers keep them.
struct common {
  hawser::buffer_pool pool;
  hawser::net::system_random random;
  hawser::core::resources shared{pool, random};
  hawser::core::settings settings;
  hawser::extension_list extensions;
  std::array<std::byte, 65536> input;  // Whose turn it is receives here; what comes is worked in before the turn ends.
};

class connection : public std::enable_shared_from_this<connection> {
 public:
  connection(common& with, stream socket, hawser::role side)
      : all_(with),
        socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        ws_(with.shared, with.settings, side, clock::now()) {}
  virtual ~connection() = default;

  void start() {
    give_time(std::chrono::seconds(10));
    turn([](hawser::tick) {});
  }

  // Everything that happens to a connection is a turn: something goes in, and all that comes of it goes out. Not within
  // another turn: what one connection has for another one is posted.
  template <class Act>
  void turn(Act&& act) {
    ws_.begin_turn();
    act(clock::now());
    do {
      for (hawser::core::kind k; (k = ws_.next()) != hawser::core::kind::none;) {
        on_event(k, ws_.current());
        if (ws_.pending() >= all_.settings.bounds.write_soft) write();
      }
      write();
    } while (ws_.is_ending());
    ws_.stash();
    std::vector<std::byte> rest(ws_.unconsumed().begin(), ws_.unconsumed().end());
    ws_.end_turn();  // What was sent and not written yet may lie in `rest_` until here.
    rest_ = std::move(rest);
    settle();
  }

 protected:
  // Bytes of the opening handshake, at least one. Answers with `ws().send_raw`, and then by `open` or `refuse`.
  virtual void opening(hawser::byte_span in, hawser::tick now) = 0;
  virtual void on_event(hawser::core::kind what, hawser::core::event& e) = 0;

  void open(std::vector<hawser::core::agreed_extension> stages, hawser::byte_span rest, hawser::tick now) {
    phase_ = phase::open;
    patience_ = hawser::no_deadline;
    ws_.attach(std::move(stages), now);
    ws_.receive(rest, now);
  }
  void refuse() {
    phase_ = phase::ending;
    give_time(all_.settings.close_timeout);
  }

  // Where the connection runs: some extensions are for paths only that nobody listens on.
  hawser::core::conditions where() {
    return {ws_.side(), socket_.is_secure() || socket_.remote_endpoint().address().is_loopback()};
  }
  bool is_secure() const noexcept { return socket_.is_secure(); }
  common& all() noexcept { return all_; }
  hawser::core::connection& ws() noexcept { return ws_; }

 private:
  enum class phase { opening, open, ending };

  // A handler that keeps the connection, and is a turn unless it is closed by then.
  auto then(void (connection::*act)(hawser::tick)) {
    return [self = shared_from_this(), act](const std::error_code& e) {
      if (!e && self->socket_.is_open()) self->turn([&](hawser::tick now) { (self.get()->*act)(now); });
    };
  }

  void readable(hawser::tick now) {
    reading_ = false;
    const hawser::byte_span area = ws_.receive_area();  // A large message that has begun to come wants the rest here.
    const bool straight = area.size() >= socket_.least_room();
    const hawser::byte_span into = straight ? area : hawser::byte_span(all_.input);
    std::error_code e;
    const std::size_t n = socket_.read_some(into, e);
    if (e == asio::error::would_block) return;
    peer_ended_ = e == asio::error::eof;
    if (peer_ended_) return ws_.end_of_input(now);
    if (e) return lose(e, now);
    if (phase_ == phase::opening) return opening(into.first(n), now);
    if (phase_ == phase::ending) return;
    straight ? ws_.received(n, now) : ws_.receive(into.first(n), now);
  }

  void write() {
    while (!blocked_ && !lost_ && socket_.has_to_write(ws_.pending())) {
      chunks_.clear();
      for (const hawser::byte_view chunk : ws_.output())
        chunks_.emplace_back(chunk.data(), chunk.size());
      std::error_code e;
      ws_.sent(socket_.write_some(chunks_, e));
      if (e == asio::error::would_block) return block();
      if (e) return lose(e, clock::now());
    }
  }

  // Who does not read what is sent is not read from either, for as long as a peer has to answer a ping.
  void block() {
    blocked_ = true;
    ws_.output_blocked(true);
    ws_.input_paused(true, clock::now());
    give_time(all_.settings.alive.pong_timeout);
    socket_.async_wait(tcp::socket::wait_write, then(&connection::writable));
  }
  void writable(hawser::tick now) {
    blocked_ = false;
    ws_.output_blocked(false);
    ws_.output_moved(now);
    write();
    if (blocked_) return;
    if (phase_ == phase::open) patience_ = hawser::no_deadline;
    ws_.input_paused(false, now);
    ws_.receive_again(rest_, now);
  }

  // What a turn leaves to wait for.
  void settle() {
    if (phase_ != phase::ending && ws_.is_over()) refuse();
    const bool done = phase_ == phase::ending && ws_.pending() == 0 && !blocked_;
    if (lost_ || (done && peer_ended_)) return close();
    if (done && (ws_.closes_first() || !ws_.is_over())) {
      socket_.shutdown_send();
      write();
    }
    if (!reading_ && !blocked_ && !peer_ended_) {
      reading_ = true;
      socket_.async_wait(tcp::socket::wait_read, then(&connection::readable));
    }
    const hawser::tick when = std::min(ws_.deadline(), patience_);
    if (when >= armed_) return;  // The timer is lazy: when it rings too early, it is set again.
    armed_ = when;
    timer_.expires_at(when);
    timer_.async_wait(then(&connection::rung));
  }
  void rung(hawser::tick now) {
    armed_ = hawser::no_deadline;
    now < patience_ ? ws_.on_timeout(now) : lose(hawser::errc::ping_timeout, now);
  }
  void give_time(hawser::ticks so_long) { patience_ = hawser::later(clock::now(), so_long); }
  void lose(const std::error_code& why, hawser::tick now) {
    lost_ = true;
    const bool ours = why.category() == hawser::error_category();
    const hawser::errc code = ours ? hawser::to_errc(why) : hawser::errc::connection_lost;
    if (socket_.why().empty()) return ws_.transport_failed(code, now);
    ws_.fail(hawser::close_code::abnormal, code, socket_.why(), now);  // `closed` brings these words.
  }
  void close() {
    socket_.close();
    timer_.cancel();
  }

  common& all_;
  stream socket_;
  asio::steady_timer timer_;
  hawser::core::connection ws_;
  phase phase_ = phase::opening;
  hawser::tick patience_ = hawser::no_deadline;  // Until when the peer must have gone on, whatever core says.
  hawser::tick armed_ = hawser::no_deadline;     // When the timer rings.
  bool reading_ = false;
  bool blocked_ = false;
  bool peer_ended_ = false;
  bool lost_ = false;
  std::vector<std::byte> rest_;  // Input that waits while the peer does not read.
  std::vector<asio::const_buffer> chunks_;
};

}  // namespace embed
