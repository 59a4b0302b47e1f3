// What the sessions of one loop share: memory, topics, and the end of each batch.
#pragma once

#include "net/loop.h"
#include "ws/slot_table.h"

#include <hawser/base/buffer.h>
#include <hawser/core/connection.h>
#include <hawser/core/opcode.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

HAWSER_BEGIN

/// A topic of one loop. Frames of a batch are collected once and shared by all subscribers; each is given its range at
/// the end of the batch, or before something is sent to it directly.
struct topic {
  std::string name;
  std::vector<session*> subscribers;
  buffer frames;               // Of this batch, framed for servers: unmasked.
  std::uint32_t messages = 0;  // In `frames`.
  bool dirty = false;
};

/// One subscription of a session: where in the topic's batch it stands.
struct subscription {
  topic* to = nullptr;
  std::size_t place = 0;  // In `to->subscribers`.
  std::size_t from = 0;   // Bytes of the batch already passed on.
  std::uint32_t from_messages = 0;
};

class worker final : public net::dirty {
 public:
  /// `loop` must outlive the worker.
  explicit worker(net::loop& on);
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  [[nodiscard]] net::loop& loop() noexcept { return loop_; }
  [[nodiscard]] core::resources& resources() noexcept { return resources_; }
  [[nodiscard]] mailbox& box() noexcept { return box_; }
  [[nodiscard]] const std::vector<session*>& sessions() const noexcept { return sessions_; }

  // ---- sessions
  /// Memory for one session, from blocks of many: no allocator's header, no holes between short-lived handshakes.
  void* take_session_memory(std::size_t size);
  void add(session& s);
  void remove(session& s) noexcept;
  /// Pumps and flushes `s` at the end of the batch.
  void mark(session& s);
  /// Destroys `s` at the end of the batch.
  void bury(session& s);

  /// Calls `what` once, when the last session has gone.
  void when_empty(function<void()> what) { when_empty_ = std::move(what); }
  /// No handler is called any more on this loop.
  void silence() noexcept;
  /// Destroys what is left, without the loop running.
  void end();

  // ---- topics
  /// Another loop of the same server: publications go there too.
  void add_sibling(worker& other) { siblings_.push_back(&other); }
  void publish_elsewhere(std::string_view name, opcode op, byte_view payload);
  void subscribe(session& s, std::string_view name);
  void unsubscribe(session& s, std::string_view name);
  void unsubscribe_all(session& s) noexcept;
  /// Sends to the subscribers of `name` on this loop, except one.
  void publish(std::string_view name, opcode op, byte_view payload, session* except);
  /// Passes on what the topics of `s` hold for it, so that what is sent next comes behind.
  void catch_up(session& s);
  [[nodiscard]] bool topics_waiting() const noexcept { return !dirty_topics_.empty(); }

  void on_batch_end() override;

 private:
  void flush(topic& t);
  void pass_on(session& s, subscription& sub);
  void drop_if_empty(topic& t);

  net::loop& loop_;
  mailbox& box_;
  core::resources resources_;
  union session_memory {
    session_memory* next;
  };
  std::vector<std::unique_ptr<std::byte[]>> session_blocks_;
  session_memory* free_sessions_ = nullptr;
  std::vector<session*> sessions_;
  std::vector<session*> marked_;
  std::vector<session*> dead_;
  std::unordered_map<std::string, std::unique_ptr<topic>> topics_;
  std::vector<topic*> dirty_topics_;
  std::vector<worker*> siblings_;
  function<void()> when_empty_;
};

HAWSER_END
