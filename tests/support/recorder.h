// A stream that writes down what it hears, and does what a test tells it to.
#pragma once

#include "net/driver.h"
#include "net/loop.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {

class recorder final : public net::stream, public net::mortal {
 public:
  explicit recorder(net::loop& l) : io_(l.io()) {}
  recorder(net::loop& l, int handle, bool read = true) : io_(l.io()) {
    l.io().adopt(*this, handle);
    if (read) io().start_reading(*this);
  }
  /// On a stream that `over` has taken or will take.
  explicit recorder(net::transport& over) : io_(over) {}
  ~recorder() override { close(); }

  void close(bool reset = false) {
    if (io().is_open(*this)) io().close(*this, reset);
  }
  [[nodiscard]] bool is_open() { return io().is_open(*this); }
  [[nodiscard]] net::transport& io() { return io_; }

  /// Sends, keeping what has no room; as a session does.
  void send(std::string_view bytes) {
    kept.append(bytes);
    if (!waiting) flush();
  }

  // What was heard.
  std::string received;
  std::vector<std::size_t> sizes;
  std::string events;  // One letter each: r(eceived) i(nto) e(nd) w(ritten) c(onnected) x (error)
  errc error = errc::ok;
  buffer into;
  std::size_t into_size = 0;
  // What is still to be sent, and how sending fared.
  std::string kept;
  bool waiting = false;
  errc write_error = errc::ok;
  // What to do when something is heard; nothing when empty.
  std::function<void(byte_span)> when_received;
  std::function<void()> when_received_into, when_end, when_written, when_connected, when_error, when_timer;

  void on_received(byte_span bytes) override {
    heard('r');
    received.append(as_text(bytes));
    sizes.push_back(bytes.size());
    if (when_received) when_received(bytes);
  }
  void on_received_into(buffer&& filled, std::size_t n) override {
    heard('i');
    into = std::move(filled);
    into_size = n;
    if (when_received_into) when_received_into();
  }
  void on_end() override { call(when_end, 'e'); }
  void on_written(std::size_t n) override {
    heard('w');
    waiting = false;
    kept.erase(0, n);
    if (when_written) when_written();
    if (!waiting && is_open()) flush();
  }
  void on_connected() override { call(when_connected, 'c'); }
  void on_error(errc what) override {
    error = what;
    call(when_error, 'x');
  }
  void on_timer(tick) override { call(when_timer, 't'); }

 private:
  void heard(char letter) { events += letter; }
  void call(const std::function<void()>& then, char letter) {
    heard(letter);
    if (then) then();
  }
  void flush() {
    if (kept.empty() || write_error != errc::ok) return;
    const byte_view chunk = as_bytes(kept);
    const net::write_result r = io().write(*this, {&chunk, 1});
    kept.erase(0, r.done);
    waiting = r.pending;
    write_error = r.error;
  }

  net::transport& io_;
};

}  // namespace hawser::test
