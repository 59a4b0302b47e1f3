// A driver without a system: streams in memory, time that a test owns, completions as late as a script wants them.
#pragma once

#include "net/driver.h"
#include "net/loop.h"
#include "support/manual_clock.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace hawser::test {

/// How the system behaves. Each function is asked once for each operation.
struct fake_script {
  /// How late a completion comes; null: in the next batch. Different answers put those of different streams out of
  /// order; those of one stream and direction keep theirs, as in any system.
  std::function<ticks()> lateness;
  /// At most how many bytes the next write takes, and the next receive brings; null: all of them.
  std::function<std::size_t()> write_size;
  std::function<std::size_t()> receive_size;
  /// Writes are taken later, as io_uring takes them: `pending` with nothing done, then `on_written(n)`.
  bool late_writes = false;
  /// Bytes that one direction holds before the writer has to wait.
  std::size_t room = std::size_t{256} << 10;
  /// What a connect to an address without a listener does: an error, or `errc::ok` for no answer at all.
  std::function<errc(const net::address&)> connect_to_nobody;
  /// Fails the n-th operation of all (write, receive, connect, listen), counted from 1; 0: none.
  std::uint64_t fail_at = 0;
  errc fail_with = errc::connection_lost;
};

/// A loop over a fake driver. The clock moves only when there is nothing to deliver: then to what comes next, or to the
/// deadline of the wait. With neither it blocks until it is woken.
std::unique_ptr<net::loop> make_fake_loop(manual_clock& clock, ticks busy_poll = {});

class fake_driver final : public net::driver {
 public:
  explicit fake_driver(net::loop& owner);

  /// The fake driver of a loop from `make_fake_loop`.
  static fake_driver& of(net::loop& l) { return static_cast<fake_driver&>(l.io()); }

  fake_script script;

  /// Two connected handles. Either may be adopted; one that is not is the test's own, to be driven by hand:
  std::pair<int, int> make_pair();
  void put(int own, byte_view bytes);  ///< Sends to the other end, however full it is.
  std::string take(int own);           ///< What the other end has sent since.
  [[nodiscard]] bool ended(int own);   ///< The other end sent its last byte or is gone ...
  [[nodiscard]] bool broken(int own);  ///< ... by a reset.
  void finish(int own);                ///< Sends the last byte.
  void hang_up(int own, bool reset);   ///< Closes the handle.

  /// Nothing waits for its delivery.
  [[nodiscard]] bool idle() const noexcept { return completions_.empty() && batch_.empty(); }
  /// Completions that came after their stream was closed, and went nowhere.
  [[nodiscard]] std::uint64_t swallowed() const noexcept { return swallowed_; }
  /// Operations so far that `fail_at` counts.
  [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
  /// Handles that are open.
  [[nodiscard]] std::size_t open_handles() const noexcept { return ends_.size(); }
  [[nodiscard]] ticks user_timeout(const net::stream& s) const { return ends_.at(handle_of(s)).user_timeout; }

  void adopt(net::stream& s, int handle) override;
  int release(net::stream& s) noexcept override;
  void discard(int handle) noexcept override;
  errc connect(net::stream& s, const net::address& to) override;
  void start_reading(net::stream& s) override;
  void stop_reading(net::stream& s) override;
  void read_into(net::stream& s, buffer into, std::size_t offset, std::size_t room) override;
  net::write_result write(net::stream& s, std::span<const byte_view> chunks) override;
  void shutdown_write(net::stream& s) noexcept override;
  void close(net::stream& s, bool reset = false) noexcept override;
  [[nodiscard]] bool is_open(const net::stream& s) const noexcept override { return handle_of(s) >= 0; }
  [[nodiscard]] net::address local_address(const net::stream& s) const override;
  [[nodiscard]] net::address remote_address(const net::stream& s) const override;
  void set_user_timeout(net::stream& s, ticks after) noexcept override;
  [[nodiscard]] std::size_t unsent(const net::stream& s) const noexcept override;
  errc listen(net::acceptor& a, const net::address& on, const net::listen_options& options,
              net::address& bound) override;
  void stop_listening(net::acceptor& a) noexcept override;
  bool wait(tick deadline) override;
  void wake() noexcept override;

 private:
  struct end {
    int peer = -1;  // The other end, while it is open.
    net::stream* owner = nullptr;
    std::string inbox;  // Came, not received yet.
    bool inbox_ended = false;
    errc inbox_error = errc::ok;
    bool reading = false;
    bool finished = false;   // The owner heard the end.
    bool receiving = false;  // A receive completion is under way.
    bool pending = false;    // The owner waits for on_written ...
    bool writing = false;    // ... and its completion is under way.
    bool connecting = false;
    bool end_wanted = false;  // FIN goes out behind `in_flight`.
    std::string in_flight;    // Taken from a late write, not out yet.
    buffer into;
    std::size_t offset = 0;
    std::size_t into_room = 0;
    net::address local;
    net::address remote;
    ticks user_timeout{};
  };
  enum class kind : std::uint8_t { receive, written, connected, accepted };
  struct completion {
    kind what;
    int handle;
    errc error = errc::ok;
    net::acceptor* heard_by = nullptr;
    buffer kept;  // Of a receive whose stream was closed: the system still writes to it.
  };

  int open_end();
  [[nodiscard]] bool fails_now();
  void schedule(completion c);
  void for_each_completion(const std::function<void(completion&)>& f);
  void deliver(completion c);
  void receive(int handle);
  void receive_into(end& e, std::size_t n);
  void written(int handle);
  void want_receive(int handle);
  void want_written(int handle);
  void bring(int from, std::string bytes);
  void say_end(int from);
  void close_handle(int handle, bool reset) noexcept;
  std::string taken_from(std::span<const byte_view> chunks, std::size_t most);

  net::loop& owner_;
  manual_clock& clock_;
  std::map<int, end> ends_;
  int next_handle_ = 1;
  std::multimap<tick, completion> completions_;
  std::deque<completion> batch_;  // Being delivered.
  std::map<std::string, std::pair<net::acceptor*, net::address>> listeners_;
  std::uint16_t next_port_ = 40000;
  std::uint64_t swallowed_ = 0;
  std::uint64_t operations_ = 0;

  std::mutex wake_lock_;
  std::condition_variable wake_condition_;
  bool woken_ = false;
};

}  // namespace hawser::test
