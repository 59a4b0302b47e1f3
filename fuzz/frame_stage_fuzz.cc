// A connection with x-hawser-priority, either role, under frames right and wrong: a model that only counts says when it
// must fail, and judges every frame that goes out: channels, credit, memory, and which message it is of. Whoever
// closes: all that was taken to be sent goes, in order within its urgency, then the close frame, then nothing. at least
// 10,000 inputs

#include "support/core_end.h"
#include "support/require.h"
#include "support/tape.h"

#include <hawser/core/frame.h>
#include <hawser/ext/priority.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

using namespace hawser;
using namespace hawser::test;
using hawser::fuzz::require;
using hawser::fuzz::tape;

namespace {

constexpr std::uint64_t window = 16'384;
constexpr std::uint64_t memory = 65'536;
constexpr std::uint64_t uncounted = 16'384;  // Of each message half-way.
constexpr std::array<std::size_t, 8> sizes{0, 1, 20, 300, 4096, 5000, 12'288, 20'000};

/// One direction: docs/wire/priority.md once more.
struct rules {
  std::uint64_t credit = window;
  std::array<std::uint64_t, 4> passed{};
  std::array<bool, 4> open{};

  bool free = false;  // One has closed: no credit is needed.

  bool take(unsigned first, unsigned channel, std::uint64_t size) {
    const bool begins = (first & 15U) != 0;
    if (channel > 3 || (size > credit && !free) || begins == open[channel]) return false;
    credit -= std::min(size, credit);
    open[channel] = (first & 0x80U) == 0;
    passed[channel] = open[channel] ? passed[channel] + size : 0;
    std::uint64_t all = 0;
    std::uint64_t largest = 0;
    for (const std::uint64_t n : passed) {
      const std::uint64_t counts = n > uncounted ? n - uncounted : 0;
      all += counts;
      largest = std::max(largest, counts);
    }
    return all - largest <= memory;
  }
};

/// A message that was taken to be sent. Each of its bytes is its number.
struct sent_message {
  unsigned urgency = 0;
  std::uint64_t size = 0;
  std::uint64_t gone = 0;
  bool complete = false;
};

/// What must come out of what was taken.
class ledger {
 public:
  unsigned begin(unsigned urgency) {
    waiting_.at(urgency).push_back(static_cast<unsigned>(all_.size()));
    all_.push_back({urgency});
    return static_cast<unsigned>(all_.size() - 1);
  }
  sent_message& at(unsigned number) { return all_.at(number); }
  /// The last one was not taken.
  void forget(unsigned number) {
    waiting_.at(at(number).urgency).pop_back();
    all_.pop_back();
  }

  /// A frame of a message that begins, of one of these urgencies if its payload does not tell which.
  unsigned begun(unsigned urgency_of_empty, bool is_empty, unsigned marked) {
    const unsigned urgency = is_empty ? urgency_of_empty : at(marked).urgency;
    require(!waiting_.at(urgency).empty(), "only what was sent goes");
    const unsigned number = waiting_.at(urgency).front();
    require(is_empty || number == marked, "those of one urgency are begun in order");
    waiting_.at(urgency).pop_front();
    return number;
  }
  [[nodiscard]] bool all_gone() const {
    return std::all_of(all_.begin(), all_.end(),
                       [](const sent_message& m) { return m.gone == m.size + (m.complete ? 1 : 0); });
  }

 private:
  std::vector<sent_message> all_;
  std::array<std::deque<unsigned>, 8> waiting_;
};

/// One for all inputs: its block of output is dear to make.
loop_parts& shared_parts() {
  static loop_parts all;
  return all;
}

class one_connection {
 public:
  explicit one_connection(tape& input)
      : input_(input), end_(input.below(2) == 0 ? role::server : role::client, obeyed(), &shared_parts()) {
    const ext::priority how =
        ext::priority().window(static_cast<std::uint32_t>(window)).memory(static_cast<std::uint32_t>(memory));
    std::vector<core::agreed_extension> stages;
    stages.push_back({"x-hawser-priority", std::move(*any_factory(how).accept({how.offers().front()}))});
    end_->attach(std::move(stages), end_.now);
    end_.keep_events = false;
    end_.on_event = [this](core_end&, core::event& e) {
      if (e.op == opcode::close) ended_with_ = e.error, ++ends_;
    };
  }

  void run() {
    for (int i = 0; i < 32 && !input_.done() && !broken_ && !lost_; ++i) {
      one_action();
      read_output();
      require(end_->is_open() == !(broken_ || lost_ || we_closed_ || peer_closed_),
              "it fails when the peer breaks a rule, and only then");
    }
    if (!broken_ && !lost_) let_all_go();
    unblock();
    read_output();
    end_.end_of_input();
    require(ends_ == 1, "it ends once");
    require((ended_with_ == errc::ok) == (peer_closed_ && !broken_ && !lost_), "cleanly when the peer has closed");
    require(end_->stages()->charged() == 0 && end_->stages()->breaches() == 0, "the account is settled");
    end_.destroy();
    require(shared_parts().pool.used_bytes() == 0, "no buffer stays behind");
  }

 private:
  static core::settings obeyed() {
    core::settings all;
    all.bounds.max_glitches = all.bounds.max_fragments = 1'000'000;
    all.bounds.write_soft = 24'000;
    all.bounds.write_hard = 40'000;
    all.alive.ping_interval = no_keepalive;
    return all;
  }

  void one_action() {
    switch (input_.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return data_comes();
      case 4:
      case 5:
        return grant_comes();
      case 6:
      case 7:
        if (blocked_) return unblock();
        blocked_ = true;
        end_.takes = [](std::size_t) { return std::size_t{0}; };
        return end_.turn([](core::connection&) {});
      case 8:
      case 9:
      case 10:
        return part_is_sent();
      case 11:
        return close_is_sent();
      case 12:
        return close_comes();
      case 13:
        return input_ends();
      default:
        return send();
    }
  }

  void unblock() {
    blocked_ = false;
    end_.takes = {};
    end_.writable();
    end_.turn([](core::connection&) {});
  }

  void frame_comes(unsigned first, byte_view begins, std::size_t size) {
    std::vector<std::byte> bytes(core::max_frame_header + size);
    const bool masked = end_->side() == role::server;
    const auto byte = static_cast<std::uint8_t>(first);
    const std::size_t header = masked ? core::write_frame_header(bytes.data(), byte, size, 0)
                                      : core::write_frame_header(bytes.data(), byte, size);
    std::copy(begins.begin(), begins.end(), bytes.begin() + static_cast<std::ptrdiff_t>(header));
    const byte_view wire = byte_view(bytes).first(header + size);
    const std::size_t cut = std::min(wire.size(), std::size_t{input_.next()} % 12);
    end_.receive(wire.first(cut));
    end_.receive(wire.subspan(cut));
  }

  void data_comes() {
    // What it has granted and not got rid of, a peer cannot know, nor the model. Behind its close it says nothing.
    const bool wild = input_.below(8) == 7 && !blocked_ && (!we_closed_ || close_gone_);
    const auto channel = static_cast<unsigned>(input_.below(wild ? 5 : 4));
    unsigned first = input_.below(2) == 0 ? 0x80 : 0;
    if (wild ? input_.below(2) == 0 : !peer_.open[channel]) first |= 2;
    std::size_t size = sizes[input_.below(sizes.size())];
    if (!wild && !peer_.free) size = std::min(size, static_cast<std::size_t>(peer_.credit));
    if (wild && input_.below(2) == 0) size = static_cast<std::size_t>(peer_.credit) + input_.below(2);
    const std::byte mark{static_cast<unsigned char>(channel)};
#ifdef HAWSER_PLANTED_BUG
    // A receiver that lets a byte more come than it has granted.
    if (size == peer_.credit + 1) ++peer_.credit;
#endif
    if (!peer_closed_) broken_ = !peer_.take(first, channel, size);
    frame_comes(first, {&mark, 1}, size + 1);
  }

  void grant_comes() {
    std::uint64_t more = sizes[input_.below(sizes.size())];
    if (input_.below(8) != 7) more = window - ours_.credit;
    if (input_.below(8) == 7) ++more;
    if (blocked_) more = std::min(more, window - ours_.credit);
    if (more == 0) return;
    if (!peer_closed_) broken_ = more > window - ours_.credit;
    if (!broken_ && !peer_closed_) ours_.credit += more;
    grant(more);
  }
  void grant(std::uint64_t more) {
    std::array<std::byte, 4> payload;
    for (unsigned i = 0; i < 4; ++i)
      payload[i] = static_cast<std::byte>(more >> (24 - 8 * i) & 0xFFU);
    frame_comes(0x8F, payload, payload.size());
  }

  byte_view marked(unsigned number, std::size_t size) {
    content_.assign(size, static_cast<std::byte>(number));
    return content_;
  }

  // Taken when nothing waits; refused by what waits, or because there is a close.
  bool judge_answer(errc e, bool nothing_waited) {
    if (we_closed_ || peer_closed_)
      require(e == errc::closed, "nothing is taken behind a close");
    else
      require(e == errc::ok || (e == errc::would_block && !nothing_waited), "what nothing waits before is taken");
    return e == errc::ok;
  }

  // Without a payload it does not say which it is: then it is urgent.
  void send() {
    const std::size_t size = sizes[input_.below(sizes.size())];
    const auto priority = static_cast<std::uint8_t>(size == 0 ? 3 : input_.below(4));
    if (parts_) return;
    const unsigned number = log_.begin(priority * 2U + (size <= 4096 ? 1U : 0U));
    end_.turn([&](core::connection& c) {
      const bool idle = c.queued() == 0;
      const errc e = c.send(opcode::binary, marked(number, size), {.priority = priority});
      if (!judge_answer(e, idle)) return log_.forget(number);
      log_.at(number).size = size;
      log_.at(number).complete = true;
    });
  }

  // Messages in parts are texts of priority 2, one at a time, and of at most 50,000 bytes: then none is so long that it
  // stands in the way of others when it is never ended.
  void part_is_sent() {
    const std::size_t size = sizes[input_.below(sizes.size())];
    const bool fin = input_.below(4) == 0;
    end_.turn([&](core::connection& c) {
      const bool idle = c.queued() == 0;
      if (!parts_) {
        const unsigned number = log_.begin(4);
        if (!judge_answer(c.begin_message(opcode::text, {.priority = 2}), idle)) return log_.forget(number);
        parts_ = true;
        part_of_ = number;
      }
      sent_message& m = log_.at(part_of_);
      if (m.size + size > 50'000) return;
      if (!judge_answer(c.send_part(marked(part_of_, size), fin), c.queued() == 0)) return;
      m.size += size;
      m.complete = fin;
      parts_ = !fin;
    });
  }

  void close_is_sent() {
    end_.turn([&](core::connection& c) {
      const errc e = c.close(close_code::normal, {}, end_.now);
      require(e == (we_closed_ || peer_closed_ ? errc::closed : errc::ok), "one close is taken");
    });
    we_closed_ = true;
  }

  void close_comes() {
    constexpr std::array<std::byte, 2> code{std::byte{3}, std::byte{0xE8}};
    frame_comes(0x88, code, code.size());
    peer_closed_ = ours_.free = true;
  }

  // Behind a close it is no news.
  void input_ends() {
    if (input_.below(4) != 0) return;
    end_.end_of_input();
    lost_ = !peer_closed_;
  }

  // Judges what the system took since the last time.
  void read_output() {
    const byte_view all = end_.out;
    std::size_t at = 0;
    while (at + 2 <= all.size()) {
      core::frame_header h{};
      const byte_view rest = all.subspan(at);
      if (core::parse_frame_header(rest, h) != core::parse_status::ok) break;
      const std::size_t header = core::frame_header_size(static_cast<std::size_t>(h.length), h.masked);
      if (rest.size() < header + h.length) break;
      std::array<std::byte, 4> key{};
      std::memcpy(key.data(), &h.masking_key, key.size());
      at += header + static_cast<std::size_t>(h.length);
      judge(h, rest.subspan(header, static_cast<std::size_t>(h.length)), key);
    }
    end_.out.erase(end_.out.begin(), end_.out.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void judge(const core::frame_header& h, byte_view payload, const std::array<std::byte, 4>& key) {
    const unsigned op = h.first & 15U;
    require(!close_gone_, "nothing goes behind a close frame");
    if (op == 15) {
      std::uint64_t more = 0;
      for (std::size_t i = 0; i < 4; ++i)
        more = more << 8 | std::to_integer<std::uint64_t>(payload[i] ^ key[i]);
      peer_.credit += more;
      require(h.length == 4 && more != 0 && peer_.credit <= window, "a grant is of what has come");
    } else if (op == 8) {
      close_gone_ = peer_.free = true;
      require(broken_ || ((we_closed_ || peer_closed_) && log_.all_gone()), "a close goes behind all that was sent");
    } else {
      require(h.length > 0, "each frame says which message it belongs to");
      judge_data(h.first, std::to_integer<unsigned>(payload[0] ^ key[0]), payload, key);
    }
  }

  void judge_data(unsigned first, unsigned channel, byte_view payload, const std::array<std::byte, 4>& key) {
    const std::size_t size = payload.size() - 1;
    require(ours_.take(first, channel, size), "what goes out keeps the rules");
    const std::size_t last = payload.size() - 1;
    const unsigned mark = std::to_integer<unsigned>(payload[last] ^ key[last % 4]);
    if ((first & 15U) != 0) on_[channel] = log_.begun((first & 15U) == 1 ? 4 : 7, size == 0, mark);
    sent_message& m = log_.at(on_[channel]);
    require(size == 0 || (mark == on_[channel] && std::to_integer<unsigned>(payload[1] ^ key[1]) == mark),
            "its bytes are its own");
    m.gone += size + ((first & 0x80U) != 0 ? 1 : 0);
    require(m.gone <= m.size + (m.complete ? 1 : 0), "and no more than were sent");
  }

  // What a peer that reads and grants brings to its end.
  void let_all_go() {
    unblock();
    read_output();
    for (int i = 0; i < 1000 && !log_.all_gone(); ++i) {
      require(!peer_closed_ && ours_.credit < window, "with all that may be granted something goes");
      const std::uint64_t more = window - std::exchange(ours_.credit, window);
      grant(more);
      read_output();
    }
    require(log_.all_gone() && end_->queued() == 0, "everything goes in the end");
    require(close_gone_ == (we_closed_ || peer_closed_), "and then the close");
    if (we_closed_ && !peer_closed_) close_comes();
  }

  tape& input_;
  core_end end_;
  rules peer_;
  rules ours_;
  ledger log_;
  std::array<unsigned, 4> on_{};  // Which message goes out on a channel.
  std::vector<std::byte> content_;
  unsigned part_of_ = 0;
  int ends_ = 0;
  errc ended_with_ = errc::ok;
  bool parts_ = false;
  bool we_closed_ = false;
  bool peer_closed_ = false;
  bool close_gone_ = false;
  bool broken_ = false;
  bool lost_ = false;
  bool blocked_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tape input(data, size);
  one_connection(input).run();
  return 0;
}
