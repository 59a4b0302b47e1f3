// What the sessions of one loop share: memory, topics, and the end of each batch.
#pragma once

#include "net/loop.h"
#include "ws/slot_table.h"

#include <hawser/base/buffer.h>
#include <hawser/base/log.h>
#include <hawser/core/connection.h>
#include <hawser/core/opcode.h>
#include <hawser/core/statistics.h>
#include <hawser/ws/metrics.h>
#include <hawser/ws/watch.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

HAWSER_BEGIN

class admission;
class failure;
class meter;
class secure_transport;

/// Whether `name` can name a topic: 1 to 255 bytes (D10).
constexpr bool names_topic(std::string_view name) noexcept { return !name.empty() && name.size() <= 255; }

/// What a loop counts of connections that come and go. What is there is added when somebody asks.
struct loop_counts {
  std::uint64_t opened = 0;
  std::uint64_t not_opened = 0;
  std::array<std::uint64_t, fault_count> closed{};  // By fault.
  core::statistics gone;                            // The sums of those that are gone.

  void leave(const core::statistics& one, bool was_open) noexcept {
    if (!was_open) ++not_opened;
    gone.bytes_in += one.bytes_in;
    gone.bytes_out += one.bytes_out;
    gone.messages_in += one.messages_in;
    gone.messages_out += one.messages_out;
  }
};

/// One subscriber of a topic, and how far it has come in the topic's batch: all that a publication asks about it, so
/// that many of them are walked through line by line.
struct subscriber {
  session* who = nullptr;
  std::size_t from = 0;  // Bytes of the batch already passed on.
  std::uint32_t from_messages = 0;
  std::uint32_t batch = 0;  // The batch that `from` is about; none of another one was passed on.
  std::uint32_t at = 0;     // Which of its subscriptions this is.
};

/// A topic of one loop. Frames of a batch are collected once and shared by all subscribers. Each is given what it
/// has not had yet at the end of the batch, or before something is sent to it directly.
struct topic {
  std::string name;
  std::vector<subscriber> subscribers;
  buffer frames;               // Of this batch, framed for clients: unmasked.
  std::uint32_t messages = 0;  // In `frames`.
  std::uint32_t batch = 0;     // Which `frames` these are.
  send_options how;            // What all of them were published with.
  bool dirty = false;          // Its subscribers are still to be marked.
  bool touched = false;        // It has frames of this batch.
};

/// One subscription of a session.
struct subscription {
  topic* to = nullptr;
  std::size_t place = 0;  // In `to->subscribers`.
};

class alignas(64) worker final : public net::dirty {
 public:
  /// `loop` must outlive the worker.
  explicit worker(net::loop& on);
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  [[nodiscard]] net::loop& loop() noexcept { return loop_; }
  [[nodiscard]] core::resources& resources() noexcept { return resources_; }
  [[nodiscard]] mailbox& box() noexcept { return box_; }
  /// The streams that have TLS; made when it is first asked for.
  [[nodiscard]] secure_transport& secure();
  [[nodiscard]] std::span<session* const> sessions() const noexcept { return {sessions_.data(), alive_}; }
  /// Calls `what` with each session. From the back: one that ends gives its place to one that had its call. None is
  /// left out, whichever end meanwhile; one may be called twice.
  template <class Call>
  void each_session(Call what) {
    for (std::size_t i = alive_; i-- > 0;)
      if (i < alive_) what(*sessions_[i]);
  }

  // ---- sessions
  /// Memory for one session, from blocks of many: no allocator's header, no holes between short-lived handshakes.
  void* take_session_memory(std::size_t size);
  void give_session_memory_back(void* memory) noexcept;
  /// Reserves what `add` and `bury` need for one more.
  void reserve_place();
  void add(session& s) noexcept;
  /// Pumps and flushes `s` at the end of the batch.
  void mark(session& s) noexcept;
  /// `s` is no longer among the sessions. Destroys it at the end of the batch. While it still has its slot.
  void bury(session& s) noexcept;

  /// Calls `what` once, when the last session has gone.
  void when_empty(function<void()> what) { when_empty_ = std::move(what); }
  /// No handler is called any more on this loop, for sessions there are or that are still to open.
  void silence() noexcept;
  [[nodiscard]] bool silent() const noexcept { return silent_; }
  /// Nothing is logged any more.
  void mute() noexcept { muted_ = true; }
  /// Destroys what is left. The loop does not run any more.
  void end();

  /// Where sessions say that they leave. Null for clients.
  void set_door(admission* door) noexcept { door_ = door; }
  [[nodiscard]] admission* door() const noexcept { return door_; }

  /// Measures, from now on, what sessions that start do.
  void measure();
  /// Null when nothing is measured.
  [[nodiscard]] meter* measures() const noexcept { return meter_.get(); }

  /// Tells `by` what passes, from now on, on sessions that open. Null: nobody watches.
  void watch(watcher* by) noexcept { watcher_ = by; }
  [[nodiscard]] watcher* watched_by() const noexcept { return watcher_; }

  /// What its sessions count by themselves: those that open, and those that go. The loop's thread.
  [[nodiscard]] loop_counts& counts() noexcept { return counts_; }
  /// All that was counted and measured on this loop. The loop's thread, or any one while it does not run.
  [[nodiscard]] metrics collect() const;

  /// What handlers throw is told to `how` as well, when it is not empty.
  void report_to(function<void(const failure&)> how) { report_ = std::move(how); }
  /// A handler threw.
  void report(const failure& what) noexcept;
  /// Whether `log` writes: what a line says need not be made otherwise.
  [[nodiscard]] bool logs() const noexcept { return loop_.log() != nullptr && !muted_; }
  /// Writes a line, if there is a log: at most `most_lines` of one level a second.
  void log(log_level level, std::string_view line) noexcept;

  // ---- topics
  /// Another loop of the same server: publications go there too.
  void add_sibling(worker& other) { siblings_.push_back(&other); }
  /// Sends to the subscribers of `name` on the other loops. `would_block`, and nothing is sent, when one is far behind.
  errc publish_elsewhere(std::string_view name, opcode op, byte_view payload, send_options how) {
    return post_publication(siblings_, name, op, payload, how);
  }
  /// The same for any loops, from any thread while they live.
  static errc post_publication(const std::vector<worker*>& to, std::string_view name, opcode op, byte_view payload,
                               send_options how);
  /// `too_many_subscriptions` when `s` has `most` already.
  errc subscribe(session& s, std::string_view name, std::size_t most);
  void unsubscribe(session& s, std::string_view name);
  void unsubscribe_all(session& s) noexcept;
  /// Sends to the subscribers of `name` on this loop, except one.
  void publish(std::string_view name, opcode op, byte_view payload, send_options how, session* except);
  /// Passes on what the topics of `s` hold for it, so that what is sent next comes behind.
  void catch_up(session& s);
  [[nodiscard]] bool topics_waiting() const noexcept { return !touched_topics_.empty(); }

  void on_batch_end() override;

 private:
  struct name_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>()(name); }
  };
  using topic_map = std::unordered_map<std::string, std::unique_ptr<topic>, name_hash, std::equal_to<>>;

  static constexpr std::size_t most_lines = 10;
  struct lines_of_second {
    std::chrono::seconds second{};
    std::size_t written = 0;
    std::size_t left_out = 0;
  };

  struct share {
    std::size_t from = 0;  // In the topic's frames, to their end.
    std::uint32_t messages = 0;
  };

  void serve_subscribers();
  void serve(topic& t, subscriber& to);
  static bool awaits_several(session& s);
  static share share_of(const topic& t, const subscriber& to) noexcept;
  static void note_given(const topic& t, subscriber& to) noexcept;
  void end_topics();
  void make_room(topic& t, std::size_t need, send_options how);
  void pass_on(topic& t, subscriber& to);
  static subscriber* find_subscriber(session& s, topic& t) noexcept;
  void leave(session& s, std::size_t at);
  void drop_if_empty(topic& t);
  void destroy(session& s) noexcept;
  bool admit_line(log_level level);

  net::loop& loop_;
  std::vector<topic*> touched_topics_;  // Asked about by every message that is sent.
  mailbox& box_;
  core::resources resources_;
  admission* door_ = nullptr;
  std::unique_ptr<meter> meter_;
  watcher* watcher_ = nullptr;
  loop_counts counts_;
  std::unique_ptr<secure_transport> secure_;
  union session_memory {
    session_memory* next;
  };
  std::vector<std::unique_ptr<std::byte[]>> session_blocks_;
  session_memory* free_sessions_ = nullptr;
  // Those alive, then the dead of this batch: one list, so that a death needs no room.
  std::vector<session*> sessions_;
  std::size_t alive_ = 0;
  std::vector<session*> marked_;
  std::vector<session*> marked_now_;  // Being worked off.
  topic_map topics_;
  std::vector<topic*> dirty_topics_;
  std::vector<worker*> siblings_;
  function<void()> when_empty_;
  function<void(const failure&)> report_;
  bool silent_ = false;
  bool muted_ = false;
  std::array<lines_of_second, 4> lines_{};  // By level.
  bool look_at_all_ = false;                // There was no memory to note who is marked.
};

HAWSER_END
