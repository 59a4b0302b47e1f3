// What a route of a server is told of a connection, for every way it can go, and whatever a handler does meanwhile.
// Generated: ways x handlers x actions, on a driver without a system and under a virtual clock.

#include "support/fake_driver.h"
#include "support/raw_frames.h"
#include "ws/access.h"
#include "ws/raw_peer.h"
#include "ws/worker.h"

#include <gtest/gtest.h>
#include <hawser/ws/server.h>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {
namespace {

using namespace std::chrono_literals;

/// How the connection goes. The first four are over before it is open.
enum class way {
  not_found,
  malformed,
  silent_handshake,
  lost_in_handshake,
  peer_closes,
  we_close,
  close_unanswered,
  lost_with_reset,
  lost_with_end,
  protocol_failure,
  ping_unanswered,
  server_stops,
  reads_late,
};
constexpr way all_ways[] = {way::not_found,     way::malformed,        way::silent_handshake, way::lost_in_handshake,
                            way::peer_closes,   way::we_close,         way::close_unanswered, way::lost_with_reset,
                            way::lost_with_end, way::protocol_failure, way::ping_unanswered,  way::server_stops,
                            way::reads_late};
constexpr bool opens(way how) noexcept { return how >= way::peer_closes; }

enum class action {
  nothing,
  close,
  terminate,
  send,
  stop,
  destroy,
  throw_something,
  throw_int,
  throw_in_a_posted_call,
  drop_data,
  pause
};
constexpr action all_actions[] = {action::nothing,
                                  action::close,
                                  action::terminate,
                                  action::send,
                                  action::stop,
                                  action::destroy,
                                  action::throw_something,
                                  action::throw_int,
                                  action::throw_in_a_posted_call,
                                  action::drop_data,
                                  action::pause};

constexpr std::string_view all_handlers[] = {"connect", "message", "ping", "pong", "drain", "error", "close"};

// The fake driver that the server under test makes for itself.
fake_driver* the_driver = nullptr;

std::unique_ptr<net::driver> make_table_driver(net::loop& owner) {
  auto made = std::make_unique<fake_driver>(owner);
  the_driver = made.get();
  return made;
}

/// The client: reacts inside the server's own loop.
class scripted_client final : public net::stream {
 public:
  explicit scripted_client(way how) : how_(how) {}

  void connect(const net::address& to) { EXPECT_EQ(the_driver->connect(*this, to), errc::ok); }

  void on_connected() override {
    if (how_ == way::silent_handshake) return send("GET / HTTP/1.1\r\n");
    if (how_ == way::malformed) return send("GET / HTTP/1.1\r\nHost : x\r\n\r\n");
    if (how_ == way::lost_in_handshake) {
      send("GET / HTTP/1.1\r\n");
      return hang_up(false);
    }
    send(raw_peer::request(how_ == way::not_found ? "/nowhere" : "/"));
    // What it does not read yet fills the way to it.
    if (how_ != way::reads_late) the_driver->start_reading(*this);
  }
  void on_received(byte_span bytes) override {
    in_ += as_text(bytes);
    if (!open_) {
      const std::size_t end = in_.find("\r\n\r\n");
      if (end == std::string::npos) return;
      in_.erase(0, end + 4);
      open_ = true;
      converse();
    }
    read_frames();
  }
  void on_received_into(buffer&&, std::size_t) override {}
  void on_end() override { hang_up(false); }
  void on_written(std::size_t) override {}
  void on_error(errc) override { hang_up(false); }
  void on_timer(tick) override {}

  void read_now() {
    if (the_driver->is_open(*this)) the_driver->start_reading(*this);
  }

 private:
  void send(std::string_view text) {
    const byte_view chunk = as_bytes(text);
    if (the_driver->is_open(*this)) static_cast<void>(the_driver->write(*this, {&chunk, 1}));
  }
  void hang_up(bool reset) {
    if (the_driver->is_open(*this)) the_driver->close(*this, reset);
  }

  void converse() {
    frame_writer out(role::client);
    out.text("hello").ping("p").pong("q");
    if (how_ == way::peer_closes) out.close(1000, "done");
    if (how_ == way::protocol_failure) out.raw({0xF1, 0x80, 0, 0, 0, 0});
    send(text_of(out.take()));
    if (how_ == way::lost_with_reset) hang_up(true);
    if (how_ == way::lost_with_end) hang_up(false);
  }

  void read_frames() {
    for (;;) {
      const auto h = detail::read_raw_header(as_bytes(in_));
      if (!h || in_.size() - h->size < h->length) return;
      raw_frame f;
      f.first = static_cast<unsigned char>(in_[0]);
      f.payload = in_.substr(h->size, static_cast<std::size_t>(h->length));
      in_.erase(0, h->size + f.payload.size());
      if (f.op() == 8) return on_close(f);
      if (f.op() == 9 && how_ != way::ping_unanswered) send(text_of(frame_writer(role::client).pong(f.payload).take()));
      if (f.op() == 1 && f.payload == "last") send(text_of(frame_writer(role::client).close(1000).take()));
    }
  }
  void on_close(const raw_frame& f) {
    if (how_ == way::close_unanswered) return;
    if (how_ != way::peer_closes)
      send(text_of(frame_writer(role::client).close(close_code_of(f) == 1005 ? 1000 : close_code_of(f)).take()));
    hang_up(false);
  }

  way how_;
  bool open_ = false;
  std::string in_;
};

/// Calls something when the virtual time has come.
struct later_call final : net::timed {
  std::function<void()> what;
  void on_timer(tick) override { what(); }
};

struct noted {
  explicit noted(bool& gone) : gone_(gone) {}
  ~noted() { gone_ = true; }
  noted(const noted&) = delete;
  noted& operator=(const noted&) = delete;

 private:
  bool& gone_;
};

/// One case: a way, and what one handler does.
class connection_case {
 public:
  connection_case(way how, std::string_view where, action what) : how_(how), where_(where), what_(what), peer_(how) {}

  /// What the handlers saw, by their names.
  std::vector<std::string> run() {
    server_options options;
    options.handshake_timeout = 10s;
    it_ = std::make_unique<server>(options);
    server_access::loops(*it_).clock = &clock_;
    server_access::loops(*it_).make_driver = make_table_driver;
    it_->on_error([this](const failure& f) {
      EXPECT_FALSE(destroyed_) << f.what();
      ++reports_;
    });
    listen();
    const result<net::address> at = it_->listen("127.0.0.1", 0);
    EXPECT_TRUE(at);
    worker& loop = server_access::loop(*it_);
    peer_.connect(*at);
    schedule(loop, reading_, 1s, [this] { peer_.read_now(); });
    schedule(loop, stopping_, how_ == way::server_stops ? 2s : 600s, [this] {
      ended_before_ = seen_.empty() ? "" : seen_.back();
      if (!destroyed_) it_->stop();
    });
    EXPECT_TRUE(it_->run());
    EXPECT_EQ(destroyed_, it_ == nullptr);
    it_.reset();
    return seen_;
  }
  [[nodiscard]] bool acted() const noexcept { return acted_; }
  [[nodiscard]] unsigned reports() const noexcept { return reports_; }
  [[nodiscard]] bool data_gone() const noexcept { return data_gone_; }
  /// The last handler that was called before the server was stopped by the case itself.
  [[nodiscard]] const std::string& last_before_the_stop() const noexcept { return ended_before_; }

 private:
  void schedule(worker& on, later_call& when, ticks after, std::function<void()> what) {
    when.what = std::move(what);
    on.loop().timers().schedule(when, later(clock_.now(), after));
  }

  void listen() {
    it_->route("/")
        .on_connect([this](connection c, const handshake&) {
          conn_ = c;
          EXPECT_EQ(c.set_data(std::make_unique<noted>(data_gone_)), errc::ok);
          see("connect", [&] {
            if (how_ == way::we_close || how_ == way::close_unanswered) {
              EXPECT_EQ(c.close(close_code::normal, "bye"), errc::ok);
            }
            if (how_ == way::reads_late) fill(c);
          });
        })
        .on_message([this](connection, const message& m) { see("message", [&] { EXPECT_EQ(m.text(), "hello"); }); })
        .on_ping([this](connection, byte_view) { see("ping"); })
        .on_pong([this](connection, byte_view) { see("pong"); })
        .on_drain([this](connection c) { see("drain", [&] { EXPECT_EQ(c.send("last"), errc::ok); }); })
        .on_error([this](connection, const failure& f) { see("error", [&] { EXPECT_FALSE(f.what().empty()); }); })
        .on_close([this](connection, close_code, std::string_view) { see("close"); });
  }

  // Until it does not take more: `on_drain` is owed.
  static void fill(connection c) {
    const std::string much(64 * 1024, 'x');
    errc e = errc::ok;
    for (int i = 0; i < 1000 && e == errc::ok; ++i)
      e = c.send(much);
    EXPECT_EQ(e, errc::would_block);
  }

  template <class First>
  void see(std::string_view name, First first) {
    EXPECT_FALSE(destroyed_) << name << " was called after the server was destroyed";
    if (destroyed_) return;
    first();
    seen_.emplace_back(name);
    if (name == where_ && !acted_) act();
  }
  void see(std::string_view name) {
    see(name, [] {});
  }

  void act() {
    acted_ = true;
    switch (what_) {
      case action::nothing:
        return;
      case action::close:
        static_cast<void>(conn_.close());
        return;
      case action::terminate:
        static_cast<void>(conn_.terminate());
        return;
      case action::send:
        static_cast<void>(conn_.send("something"));
        return;
      case action::stop:
        it_->stop();
        it_->stop();
        return;
      case action::destroy:
        destroyed_ = true;
        it_.reset();
        return;
      case action::throw_something:
        throw std::runtime_error("on purpose");
      case action::throw_int:
        throw 7;
      case action::throw_in_a_posted_call:
        static_cast<void>(conn_.post([]() -> void { throw std::runtime_error("on purpose"); }));
        return;
      case action::drop_data:
        EXPECT_EQ(conn_.set_data(std::unique_ptr<noted>()), errc::ok);
        return;
      case action::pause:
        if (conn_.pause() == errc::ok) static_cast<void>(conn_.post([c = conn_] { static_cast<void>(c.resume()); }));
        return;
    }
  }

  way how_;
  std::string_view where_;
  action what_;
  manual_clock clock_;
  scripted_client peer_;
  later_call reading_;
  later_call stopping_;
  std::unique_ptr<server> it_;
  connection conn_;
  std::vector<std::string> seen_;
  std::string ended_before_;
  unsigned reports_ = 0;
  bool acted_ = false;
  bool destroyed_ = false;
  bool data_gone_ = false;
};

std::size_t times(const std::vector<std::string>& in, std::string_view name) {
  std::size_t n = 0;
  for (const std::string& s : in)
    n += s == name ? 1U : 0U;
  return n;
}

std::string joined(const std::vector<std::string>& in) {
  std::string all;
  for (const std::string& s : in)
    all += (all.empty() ? "" : " ") + s;
  return all;
}

// The rules that hold whatever happens.
void expect_table(const std::vector<std::string>& seen) {
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.front(), "connect");
  EXPECT_EQ(seen.back(), "close");
  EXPECT_EQ(times(seen, "connect"), 1U);
  EXPECT_EQ(times(seen, "close"), 1U);
  EXPECT_LE(times(seen, "error"), 1U);
  if (times(seen, "error") == 1) {
    EXPECT_EQ(seen[seen.size() - 2], "error");
  }
}

TEST(server_table, every_way_tells_its_row) {
  const auto row = [](way how) {
    connection_case one(how, "", action::nothing);
    std::string seen = joined(one.run());
    EXPECT_EQ(one.data_gone(), opens(how));
    if (how != way::server_stops && opens(how)) {
      EXPECT_EQ(one.last_before_the_stop(), "close") << "only the server's stop ended it";
    }
    return seen + " " + std::to_string(one.reports());
  };
  // Of what never was open only the server's own handler hears, and not of who just goes.
  for (const way how : {way::not_found, way::malformed, way::silent_handshake})
    EXPECT_EQ(row(how), " 1") << static_cast<int>(how);
  EXPECT_EQ(row(way::lost_in_handshake), " 0");
  EXPECT_EQ(row(way::peer_closes), "connect message ping pong close 0");
  EXPECT_EQ(row(way::we_close), "connect message ping pong close 0");
  EXPECT_EQ(row(way::server_stops), "connect message ping pong close 0");
  EXPECT_EQ(row(way::reads_late), "connect message ping pong drain close 0");
  for (const way how : {way::close_unanswered, way::lost_with_end, way::protocol_failure, way::ping_unanswered})
    EXPECT_EQ(row(how), "connect message ping pong error close 0") << static_cast<int>(how);
  EXPECT_TRUE(row(way::lost_with_reset).ends_with("error close 0"));
}

// A throw is a failure of that connection only, and reported; what this end ends itself is none.
TEST(server_table, holds_whatever_a_handler_does) {
  std::size_t cases = 0;
  for (const way how : all_ways)
    for (const std::string_view where : all_handlers)
      for (const action what : all_actions) {
        SCOPED_TRACE("way " + std::to_string(static_cast<int>(how)) + ", in on_" + std::string(where) + " action " +
                     std::to_string(static_cast<int>(what)));
        connection_case one(how, where, what);
        const std::vector<std::string> seen = one.run();
        ++cases;
        SCOPED_TRACE(joined(seen));
        if (!opens(how)) {
          EXPECT_TRUE(seen.empty());
          continue;
        }
        EXPECT_TRUE(one.data_gone());
        if (what == action::destroy && one.acted()) {
          EXPECT_EQ(seen.back(), where) << "nothing follows the end of the server";
          continue;
        }
        expect_table(seen);
        const bool throws =
            what == action::throw_something || what == action::throw_int || what == action::throw_in_a_posted_call;
        if (!throws || !one.acted()) continue;
        EXPECT_EQ(one.reports(), 1U);
        if (where != "error" && where != "close") {
          EXPECT_EQ(times(seen, "error"), 1U);
        }
      }
  EXPECT_EQ(cases, std::size(all_ways) * std::size(all_handlers) * std::size(all_actions));
}

}  // namespace
}  // namespace hawser::test
