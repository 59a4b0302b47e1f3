// Two pipelines that face each other, with a wire, a clock and faults that a check controls.
#pragma once

#include "testkit/meter.h"
#include "testkit/seeded_random.h"

#include <hawser/core/pipeline.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

HAWSER_BEGIN
namespace testkit {

/// A message, or a control frame of an extension, as it stands on the wire.
struct wire_item {
  std::uint8_t opcode = 2;
  std::uint8_t rsv = 0;
  std::string bytes;
  bool operator==(const wire_item&) const = default;
};

/// How bytes are cut and how much is made at once.
struct handling {
  bool cut = true;    ///< Random chunks, some empty, some stashed; otherwise whole messages.
  bool sized = true;  ///< The head says how long a message is.
  core::pipeline_limits limits;
};

/// One end of a line: a pipeline, what arrived at its application, what it put on the wire.
class party {
 public:
  party(std::vector<core::agreed_extension> stages, role side, const handling& how, seeded_random& random,
        meter& makes);

  void open(tick now);
  void send(std::uint8_t opcode, std::string_view text);
  /// Lets a message begin and never end.
  void send_half(std::string_view text);
  void receive(const wire_item& item, std::deque<wire_item>* behind);
  void timeout(tick now);
  void flush();
  void close(close_code code);
  void give_up();

  std::deque<wire_item> wire;
  std::vector<wire_item> arrived;
  bool foreign_bits = false;  ///< A message came to the application's end with RSV bits still set (F-01).
  bool over_limit = false;    ///< A message that no stage wanted was longer than a connection takes.
  std::size_t most_used = 0;  ///< The most bytes of buffers that were in use at this end: what went back is kept.
  std::size_t delivered = 0;  ///< The most bytes of one message that came to the application's end, whole or not.
  [[nodiscard]] const core::pipeline& stages() const noexcept { return *pipeline_; }

 private:
  void run(direction way, head h, std::string_view text, bool forwarded, std::size_t stage,
           std::deque<wire_item>* behind = nullptr);
  bool pull(direction way, wire_item& into, bool& fin);
  void drain();
  void control(const wire_item& item);
  void change_stages();
  void end_another();
  void tell_room();
  void put(wire_item made);

  buffer_pool pool_;
  bool shared_;  // What follows serves other connections too, as these stages say that they may.
  bool flushed_ = false;
  std::unique_ptr<core::pipeline> pipeline_;
  std::unique_ptr<core::pipeline> other_;
  std::unique_ptr<core::pipeline> new_;  // Serves nobody: what the others are copies of.
  const handling& how_;
  seeded_random& random_;
  meter& meter_;
  tick now_{};
};

/// A connection between two applications.
class line {
 public:
  line(std::vector<core::agreed_extension> client, std::vector<core::agreed_extension> server, const handling& how,
       std::uint64_t seed);
  line(const line&) = delete;
  line& operator=(const line&) = delete;

  /// Sends and carries.
  void send(role from, std::uint8_t opcode, std::string_view text);
  /// Carries until nothing moves any more.
  void carry();
  /// Lets time pass until no stage waits for it, then lets both flush.
  void finish();
  /// Lets time pass until no stage waits for it.
  void wait();
  /// Lets both flush, at once, as before a close.
  void flush();
  /// Tells both ends that it is over. Afterwards every account is zero.
  void close(close_code code = close_code::normal);
  /// False and why, when a stage broke the contract; memory left on an account counts.
  bool clean(std::string& why) const;

  party& at(role side) noexcept { return side == role::client ? client_ : server_; }
  /// A stage failed, or the kit has given the connection up.
  [[nodiscard]] bool failed() const noexcept {
    return client_.stages().failed() || server_.stages().failed() || restless();
  }
  /// They made more than the kit takes: nothing is carried any more.
  [[nodiscard]] bool restless() const noexcept { return meter_.over(); }
  [[nodiscard]] const meter& makes() const noexcept { return meter_; }
  [[nodiscard]] std::string failure() const;
  /// Every message and control frame that was on the wire.
  std::vector<wire_item> sent[2];
  seeded_random random;
  bool timers_storm = false;  ///< Timers woke it more often than time passed.
  std::size_t wakes = 0;      ///< How often a timer was waited for.

 private:
  bool carry_one(party& from, party& to, std::vector<wire_item>& log);

  meter meter_;
  handling how_;
  party client_;
  party server_;
  tick now_{};
};

}  // namespace testkit
HAWSER_END
