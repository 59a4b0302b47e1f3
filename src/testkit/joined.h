// Two whole connections that face each other: frames, masks, fragments and control frames, in any cut.
#pragma once

#include "testkit/line.h"
#include "testkit/seeded_random.h"

#include <hawser/base/random.h>
#include <hawser/core/connection.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

HAWSER_BEGIN
namespace testkit {

/// What the agreed extensions allow on the wire.
struct frame_rules {
  std::uint16_t opcodes = 0;  ///< Bit n: opcode n is theirs.
  std::uint8_t rsv = 0;
  std::uint8_t rsv_of_frames = 0;  ///< Those of frame stages: allowed on every data frame.
  bool unmasked = false;

  static frame_rules of(const std::vector<core::agreed_extension>& stages);
};

/// Reads the frames that an end sends, and finds what must not be among them.
class frame_watch {
 public:
  frame_watch(role sender, const frame_rules& rules) : sender_(sender), rules_(rules) {}
  /// The next bytes of the stream.
  void read(std::string_view bytes);
  /// The first thing that was wrong; empty for nothing.
  [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
  [[nodiscard]] std::size_t frames() const noexcept { return frames_; }

 private:
  void judge(const core::frame_header& h);
  void wrong(const std::string& what) {
    if (fault_.empty()) fault_ = what + ", frame " + std::to_string(frames_);
  }
  role sender_;
  frame_rules rules_;
  std::string head_;
  std::uint64_t skip_ = 0;
  bool closed_ = false;
  std::size_t frames_ = 0;
  std::string fault_;
};

/// How a connection is used.
struct usage {
  core::settings obey;
  bool cut = true;      ///< Bytes arrive in random pieces.
  bool parts = false;   ///< Some messages are sent in parts, with pings between.
  bool chokes = false;  ///< The system does not always take what it is offered.
  bool inband = false;  ///< The stages run over a subprotocol: what they do stands inside ordinary messages.
};

/// One end: a connection, and what became of it.
class joint {
 public:
  joint(std::vector<core::agreed_extension> stages, role side, const usage& how, const frame_rules& rules,
        std::uint64_t seed, tick now, meter& makes);
  joint(const joint&) = delete;
  joint& operator=(const joint&) = delete;

  /// One turn without input.
  template <class Act>
  void turn(Act&& act) {
    it_->begin_turn();
    act(*it_);
    drain();
    write();
    it_->end_turn();
  }
  void receive(std::string_view bytes, tick now);
  /// The system takes bytes again. False: it did all the time.
  bool unchoke();

  [[nodiscard]] core::connection& it() noexcept { return *it_; }
  [[nodiscard]] const core::connection& it() const noexcept { return *it_; }
  /// Bytes that are on the way to the other end.
  std::string out;
  std::vector<wire_item> arrived;
  std::size_t pongs = 0;
  std::size_t ends = 0;  ///< `closed` events.
  errc error = errc::ok;
  close_code code = close_code::normal;
  std::string words;  ///< Of the end.
  frame_watch watch;
  /// Destroys the connection; returns the bytes that its buffers still hold.
  std::size_t destroy();

 private:
  struct source final : random_source {
    explicit source(std::uint64_t seed) : random(seed) {}
    void fill(byte_span to) noexcept override;
    seeded_random random;
  };

  void drain();
  void put_out();
  void write();

  usage how_;
  buffer_pool pool_{0};
  source source_;
  core::resources shared_{pool_, source_};
  std::unique_ptr<core::connection> it_;
  seeded_random random_;
  meter& meter_;
  bool choked_ = false;
};

/// A connection between two applications, with its frames.
class joined {
 public:
  joined(std::vector<core::agreed_extension> client, std::vector<core::agreed_extension> server, const usage& how,
         std::uint64_t seed);

  /// Sends a message and carries. The number of pings that went with it.
  std::size_t send(role from, std::uint8_t opcode, std::string_view text);
  /// Carries until nothing moves.
  void carry();
  /// Lets time pass until no stage waits for it.
  void settle();
  void close(role by);

  joint& at(role side) noexcept { return side == role::client ? client_ : server_; }
  /// One end has ended, or the kit has given both up.
  [[nodiscard]] bool over() const noexcept { return client_.ends + server_.ends != 0 || restless(); }
  /// They made more than the kit takes: nothing is carried any more.
  [[nodiscard]] bool restless() const noexcept { return meter_.over(); }
  [[nodiscard]] meter& makes() noexcept { return meter_; }
  [[nodiscard]] std::string failure() const;
  seeded_random random;

 private:
  bool carry_one(joint& from, joint& to);
  bool pass_time();
  std::size_t send_parts(joint& from, std::uint8_t opcode, std::string_view text);

  usage how_;
  tick now_;
  frame_rules rules_;
  meter meter_;
  joint client_;
  joint server_;
};

}  // namespace testkit
HAWSER_END
