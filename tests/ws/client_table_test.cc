// What an attempt of a client tells its user, for every way it can go, and whatever a handler does meanwhile.
// Generated: ways x handlers x actions, on a driver without a system and under a virtual clock.

#include "net/resolver.h"
#include "support/fake_driver.h"
#include "support/raw_frames.h"
#include "ws/access.h"
#include "ws/raw_peer.h"

#include <gtest/gtest.h>
#include <hawser/ws/client.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {
namespace {

/// How the peer behaves.
enum class way {
  refused,
  no_answer,
  http_404,
  http_503,
  bad_accept,
  extension_not_offered,
  mandatory_extension,
  silent_handshake,
  lost_in_handshake,
  peer_closes,
  we_close,
  close_unanswered,
  lost_with_reset,
  lost_with_end,
  protocol_failure,
  ping_unanswered,
  reads_late,
  closes_late_to_nobody,
};
constexpr way all_ways[] = {way::refused,
                            way::no_answer,
                            way::http_404,
                            way::http_503,
                            way::bad_accept,
                            way::extension_not_offered,
                            way::mandatory_extension,
                            way::silent_handshake,
                            way::lost_in_handshake,
                            way::peer_closes,
                            way::we_close,
                            way::close_unanswered,
                            way::lost_with_reset,
                            way::lost_with_end,
                            way::protocol_failure,
                            way::ping_unanswered,
                            way::reads_late,
                            way::closes_late_to_nobody};

enum class action { nothing, close, terminate, send, stop, destroy, throw_something, throw_int, pause };
constexpr action all_actions[] = {action::nothing, action::close,   action::terminate,       action::send,
                                  action::stop,    action::destroy, action::throw_something, action::throw_int,
                                  action::pause};

constexpr std::string_view all_handlers[] = {"connect", "message", "ping",  "pong",
                                             "drain",   "error",   "close", "disconnect"};

// The one fake driver that the client under test makes for itself, and who listens on it.
struct stage_of_test {
  net::acceptor* listener = nullptr;
  fake_driver* driver = nullptr;
  net::loop* loop = nullptr;
};
stage_of_test* the_stage = nullptr;

std::unique_ptr<net::driver> make_staged_driver(net::loop& owner) {
  auto made = std::make_unique<fake_driver>(owner);
  the_stage->driver = made.get();
  the_stage->loop = &owner;
  made->script.connect_to_nobody = [](const net::address& to) {
    return to.port() == 2 ? errc::ok : errc::connection_refused;
  };
  net::address bound;
  EXPECT_EQ(made->listen(*the_stage->listener, net::address::ip("127.0.0.1", 1).value(), {}, bound), errc::ok);
  return made;
}

/// The server: reacts inside the client's own loop.
class scripted_server final : public net::acceptor, public net::stream {
 public:
  explicit scripted_server(way how) : how_(how) {}

  void on_accepted(int handle, const net::address&) override {
    driver().adopt(*this, handle);
    driver().start_reading(*this);
  }
  void on_received(byte_span bytes) override {
    in_ += as_text(bytes);
    if (!answered_) {
      if (in_.find("\r\n\r\n") != std::string::npos) answer();
      return;
    }
    for (;;) {
      const stream_verdict seen = read_frames(as_bytes(in_), role::client);
      EXPECT_EQ(seen.fault, "");
      for (; frames_ < seen.frames.size(); ++frames_)
        if (seen.frames[frames_].op() == 8) return on_close(seen.frames[frames_]);
      return;
    }
  }
  void on_received_into(buffer&&, std::size_t) override {}
  void on_end() override { hang_up(false); }
  void on_written(std::size_t) override {}
  void on_error(errc) override { hang_up(false); }
  void on_timer(tick) override {
    if (how_ == way::reads_late) return driver().start_reading(*this);
    frame_writer out(role::server);
    out.close(1000);
    send(text_of(out.take()));
    hang_up(false);
  }

 private:
  static fake_driver& driver() { return *the_stage->driver; }
  void send(std::string_view text) {
    const byte_view chunk = as_bytes(text);
    static_cast<void>(driver().write(*this, {&chunk, 1}));
  }
  void hang_up(bool reset) {
    if (driver().is_open(*this)) driver().close(*this, reset);
  }

  void answer() {
    answered_ = true;
    const std::string head = in_;
    in_.clear();
    switch (how_) {
      case way::http_404:
        send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        return;
      case way::http_503:
        send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
        return;
      case way::bad_accept:
        send(raw_peer::agreement("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"));
        return;
      case way::extension_not_offered:
        send(raw_peer::agreement(head, "Sec-WebSocket-Extensions: x-other\r\n"));
        return;
      case way::silent_handshake:
        return;
      case way::lost_in_handshake:
        hang_up(false);
        return;
      default:
        break;
    }
    // What it does not read yet fills the way to it.
    if (how_ == way::reads_late) {
      driver().stop_reading(*this);
      the_stage->loop->timers().schedule(*this, later(the_stage->loop->now(), std::chrono::seconds(1)));
    }
    // Later than the client's handshake timeout, which is of no meaning any more.
    if (how_ == way::closes_late_to_nobody)
      the_stage->loop->timers().schedule(*this, later(the_stage->loop->now(), std::chrono::milliseconds(800)));
    frame_writer out(role::server);
    out.text("hello").ping("p").pong("q");
    if (how_ == way::peer_closes) out.close(1000, "done");
    if (how_ == way::protocol_failure) out.raw({0xF1, 0x00});
    send(raw_peer::agreement(head) + text_of(out.take()));
    if (how_ == way::lost_with_reset) hang_up(true);
    if (how_ == way::lost_with_end) hang_up(false);
  }

  void on_close(const raw_frame& f) {
    if (how_ == way::close_unanswered) return;
    if (how_ != way::peer_closes) {
      frame_writer out(role::server);
      out.close(close_code_of(f) == 1005 ? 1000 : close_code_of(f));
      send(text_of(out.take()));
    }
    hang_up(false);
  }

  way how_;
  bool answered_ = false;
  std::string in_;
  std::size_t frames_ = 0;
};

/// One case: a way, and what one handler does.
class attempt_case {
 public:
  attempt_case(way how, std::string_view where, action what) : how_(how), where_(where), what_(what), server_(how) {
    the_stage = &stage_;
    stage_.listener = &server_;
  }
  ~attempt_case() { the_stage = nullptr; }

  /// What the handlers saw, by their names.
  std::vector<std::string> run() {
    client_options options;
    options.reconnect.enabled = false;
    if (how_ == way::closes_late_to_nobody) options.handshake_timeout = std::chrono::milliseconds(500);
    std::string url = "ws://127.0.0.1:1/";
    if (how_ == way::refused) url = "ws://127.0.0.1:3/";
    if (how_ == way::no_answer) url = "ws://127.0.0.1:2/";
    it_ = std::make_unique<client>(url, options);
    client_access::loop(*it_).clock = &clock_;
    client_access::loop(*it_).make_driver = make_staged_driver;
    if (how_ == way::mandatory_extension) it_->extensions().require(nothing_factory());
    listen();
    status_ = it_->run_forever();
    it_.reset();
    return seen_;
  }
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] bool acted() const noexcept { return acted_; }

 private:
  struct nothing_stage {
    static constexpr unsigned hooks = 0;
    verdict begin(direction, head&, context&) { return verdict::bypass; }
  };
  struct nothing_factory {
    static std::string_view name() { return "x-nothing"; }
    static std::vector<params> offers() { return {params{}}; }
    static std::optional<accepted<nothing_stage>> accept(const std::vector<params>&) { return std::nullopt; }
    static std::optional<accepted<nothing_stage>> confirm(const params&) { return std::nullopt; }
  };

  void listen() {
    it_->on_connect([this](connection c, const handshake&) {
      conn_ = c;
      const bool closing = how_ == way::we_close || how_ == way::close_unanswered;
      see("connect", [&] {
        if (closing) {
          EXPECT_EQ(c.close(close_code::normal, "bye"), errc::ok);
        }
        if (how_ == way::reads_late) fill(c);
        if (how_ == way::closes_late_to_nobody) {
          stage_.driver->script.fail_at = stage_.driver->operations() + 1;
          EXPECT_EQ(c.send("to nobody"), errc::ok);
        }
      });
    });
    it_->on_message([this](connection, const message& m) { see("message", [&] { EXPECT_EQ(m.text(), "hello"); }); });
    it_->on_ping([this](connection, byte_view) { see("ping"); });
    it_->on_drain([this](connection c) { see("drain", [&] { EXPECT_EQ(c.close(), errc::ok); }); });
    it_->on_pong([this](connection, byte_view) { see("pong"); });
    it_->on_error([this](const failure& f) { see("error", [&] { EXPECT_FALSE(f.what().empty()); }); });
    it_->on_close([this](close_code, std::string_view) { see("close"); });
    it_->on_disconnect([this](const disconnect& d) {
      see("disconnect", [&] {
        EXPECT_FALSE(d.will_retry);
        EXPECT_EQ(d.was_open, !seen_.empty() && seen_.front() == "connect");
      });
    });
  }

  // Until it does not take more: `on_drain` is owed.
  static void fill(connection c) {
    const std::string much(64 * 1024, 'x');
    errc e = errc::ok;
    for (int i = 0; i < 1000 && e == errc::ok; ++i)
      e = c.send(as_bytes(much));
    EXPECT_EQ(e, errc::would_block);
  }

  template <class First>
  void see(std::string_view name, First first) {
    EXPECT_FALSE(destroyed_) << name << " was called after the client was destroyed";
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
      case action::pause:
        if (conn_.pause() == errc::ok) static_cast<void>(conn_.post([c = conn_] { static_cast<void>(c.resume()); }));
        return;
    }
  }

  way how_;
  std::string_view where_;
  action what_;
  manual_clock clock_;
  stage_of_test stage_;
  scripted_server server_;
  std::unique_ptr<client> it_;
  connection conn_;
  std::vector<std::string> seen_;
  int status_ = -1;
  bool acted_ = false;
  bool destroyed_ = false;
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

// The rules of the table that hold whatever happens.
void expect_table(const std::vector<std::string>& seen) {
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back(), "disconnect");
  EXPECT_EQ(times(seen, "disconnect"), 1U);
  EXPECT_LE(times(seen, "error"), 1U);
  EXPECT_LE(times(seen, "connect"), 1U);
  EXPECT_EQ(times(seen, "connect"), times(seen, "close"));
  if (times(seen, "connect") == 0) {
    EXPECT_LE(seen.size(), 2U);
    return;
  }
  EXPECT_EQ(seen.front(), "connect");
  EXPECT_EQ(seen[seen.size() - 2], "close");
  if (times(seen, "error") == 1) {
    EXPECT_EQ(seen[seen.size() - 3], "error");
  }
}

TEST(client_table, every_way_tells_its_row) {
  const auto row = [](way how) {
    attempt_case one(how, "", action::nothing);
    const std::string seen = joined(one.run());
    return seen + " " + std::to_string(one.status());
  };
  for (const way how :
       {way::refused, way::no_answer, way::http_404, way::http_503, way::bad_accept, way::extension_not_offered,
        way::mandatory_extension, way::silent_handshake, way::lost_in_handshake})
    EXPECT_EQ(row(how), "error disconnect 1") << static_cast<int>(how);
  EXPECT_EQ(row(way::peer_closes), "connect message ping pong close disconnect 0");
  EXPECT_EQ(row(way::reads_late), "connect message ping pong drain close disconnect 0");
  EXPECT_EQ(row(way::we_close), "connect message ping pong close disconnect 0");
  EXPECT_EQ(row(way::closes_late_to_nobody), "connect message ping pong close disconnect 0");
  for (const way how : {way::close_unanswered, way::lost_with_end, way::protocol_failure, way::ping_unanswered})
    EXPECT_EQ(row(how), "connect message ping pong error close disconnect 1") << static_cast<int>(how);
  EXPECT_TRUE(row(way::lost_with_reset).ends_with("error close disconnect 1"));
}

// On a real loop: a name is looked up on another thread, which no virtual clock waits for.
TEST(client_table, a_name_without_an_address_is_an_error_and_a_disconnect) {
  net::set_resolve_function(
      [](const std::string&, std::uint16_t) -> result<std::vector<net::address>> { return errc::name_not_found; });
  client_options options;
  options.reconnect.enabled = false;
  client it("ws://nowhere.test/", options);
  std::vector<std::string> seen;
  it.on_error([&](const failure& f) {
    seen.emplace_back(f.error() == errc::name_not_found ? "error" : "other");
    EXPECT_NE(f.what().find("nowhere.test"), std::string::npos) << f.what();
  });
  it.on_disconnect([&](const disconnect&) { seen.emplace_back("disconnect"); });
  EXPECT_EQ(it.run_forever(), 1);
  EXPECT_EQ(joined(seen), "error disconnect");
  net::set_resolve_function(nullptr);
}

// A throw is a failure of that connection only; what this end ends itself is none.
TEST(client_table, holds_whatever_a_handler_does) {
  std::size_t cases = 0;
  for (const way how : all_ways)
    for (const std::string_view where : all_handlers)
      for (const action what : all_actions) {
        SCOPED_TRACE("way " + std::to_string(static_cast<int>(how)) + ", in on_" + std::string(where) + " action " +
                     std::to_string(static_cast<int>(what)));
        attempt_case one(how, where, what);
        const std::vector<std::string> seen = one.run();
        ++cases;
        SCOPED_TRACE(joined(seen));
        if (what == action::destroy && one.acted()) {
          EXPECT_EQ(seen.back(), where) << "nothing follows the end of the client";
          continue;
        }
        expect_table(seen);
        const bool throws = what == action::throw_something || what == action::throw_int;
        const bool in_conversation =
            where == "connect" || where == "message" || where == "ping" || where == "pong" || where == "drain";
        if (!throws || !one.acted() || !in_conversation) continue;
        EXPECT_EQ(times(seen, "error"), 1U);
        EXPECT_EQ(one.status(), 1);
      }
  EXPECT_EQ(cases, std::size(all_ways) * std::size(all_handlers) * std::size(all_actions));
}

}  // namespace
}  // namespace hawser::test
