// A connection with x-hawser-priority, either role, under frames right and wrong: a model that only counts says when it
// must fail, and judges every frame that goes out: channels, credit, memory. What waits goes when all is granted.
// at least 5,000 inputs

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
constexpr std::array<std::size_t, 8> sizes{0, 1, 20, 300, 4096, 5000, 12'288, 40'000};

/// One direction: docs/wire/priority.md once more.
struct rules {
  std::uint64_t credit = window;
  std::array<std::uint64_t, 4> passed{};
  std::array<bool, 4> open{};

  bool take(unsigned first, unsigned channel, std::uint64_t size) {
    const bool begins = (first & 15U) != 0;
    if (channel > 3 || size > credit || begins == open[channel]) return false;
    credit -= size;
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

class one_connection {
 public:
  explicit one_connection(tape& input)
      : input_(input), end_(input.below(2) == 0 ? role::server : role::client, obeyed(), &parts_) {
    const ext::priority how =
        ext::priority().window(static_cast<std::uint32_t>(window)).memory(static_cast<std::uint32_t>(memory));
    std::vector<core::agreed_extension> stages;
    stages.push_back({"x-hawser-priority", std::move(*any_factory(how).accept({how.offers().front()}))});
    end_->attach(std::move(stages), end_.now);
    end_.keep_events = false;
  }

  void run() {
    for (int i = 0; i < 24 && !input_.done() && !broken_; ++i) {
      one_action();
      read_output();
      require(end_.core().is_open() != broken_, "it fails when the peer breaks a rule, and only then");
    }
    if (!broken_) let_all_go();
    end_.takes = {};
    end_.end_of_input();
    require(end_->stages()->charged() == 0 && end_->stages()->breaches() == 0, "the account is settled");
    end_.destroy();
    require(parts_.pool.used_bytes() == 0, "no buffer stays behind");
  }

 private:
  static core::settings obeyed() {
    core::settings all;
    all.bounds.max_glitches = all.bounds.max_fragments = 1'000'000;
    all.bounds.write_soft = all.bounds.write_hard = std::size_t{1} << 30;
    all.alive.ping_interval = no_keepalive;
    return all;
  }

  void one_action() {
    switch (input_.below(8)) {
      case 0:
      case 1:
      case 2:
        return data_comes();
      case 3:
        return grant_comes();
      case 4:
        blocked_ = !blocked_;
        if (blocked_) end_.takes = [](std::size_t) { return std::size_t{0}; };
        if (!blocked_) end_.takes = {}, end_.writable();
        return end_.turn([](core::connection&) {});
      default:
        return send();
    }
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
    // What it has granted and not got rid of, a peer cannot know, nor the model.
    const bool wild = input_.below(8) == 7 && !blocked_;
    const auto channel = static_cast<unsigned>(input_.below(wild ? 5 : 4));
    unsigned first = input_.below(2) == 0 ? 0x80 : 0;
    if (wild ? input_.below(2) == 0 : !peer_.open[channel]) first |= 2;
    std::size_t size = sizes[input_.below(sizes.size())];
    if (!wild) size = std::min(size, static_cast<std::size_t>(peer_.credit));
    if (wild && input_.below(2) == 0) size = static_cast<std::size_t>(peer_.credit) + input_.below(2);
    const std::byte mark{static_cast<unsigned char>(channel)};
#ifdef HAWSER_PLANTED_BUG
    // A receiver that lets a byte more come than it has granted.
    if (size == peer_.credit + 1) ++peer_.credit;
#endif
    broken_ = !peer_.take(first, channel, size);
    frame_comes(first, {&mark, 1}, size + 1);
  }

  void grant_comes() {
    std::uint64_t more = sizes[input_.below(sizes.size())];
    if (input_.below(8) != 7) more = window - ours_.credit;
    if (input_.below(8) == 7) ++more;
    if (blocked_) more = std::min(more, window - ours_.credit);
    if (more == 0) return;
    std::array<std::byte, 4> payload;
    for (unsigned i = 0; i < 4; ++i)
      payload[i] = static_cast<std::byte>(more >> (24 - 8 * i) & 0xFFU);
    broken_ = more > window - ours_.credit;
    if (!broken_) ours_.credit += more;
    frame_comes(0x8F, payload, payload.size());
  }

  void send() {
    static const std::vector<std::byte> zeros(sizes.back());
    const std::size_t size = sizes[input_.below(sizes.size())];
    const auto priority = static_cast<std::uint8_t>(input_.below(4));
    end_.turn([&](core::connection& c) {
      if (c.send(opcode::binary, byte_view(zeros).first(size), {.priority = priority}) == errc::ok) ++sent_;
    });
  }

  // Judges what the system took since the last time.
  void read_output() {
    const byte_view all = end_.out;
    while (at_ + 2 <= all.size()) {
      core::frame_header h{};
      const byte_view rest = all.subspan(at_);
      if (core::parse_frame_header(rest, h) != core::parse_status::ok) return;
      const std::size_t header = core::frame_header_size(static_cast<std::size_t>(h.length), h.masked);
      if (rest.size() < header + h.length) return;
      std::array<std::byte, 4> key{};
      std::memcpy(key.data(), &h.masking_key, key.size());
      at_ += header + static_cast<std::size_t>(h.length);
      judge(h, rest.subspan(header), key);
    }
  }

  void judge(const core::frame_header& h, byte_view payload, const std::array<std::byte, 4>& key) {
    const unsigned op = h.first & 15U;
    if (op == 15) {
      std::uint64_t more = 0;
      for (std::size_t i = 0; i < 4; ++i)
        more = more << 8 | std::to_integer<std::uint64_t>(payload[i] ^ key[i]);
      peer_.credit += more;
      require(h.length == 4 && more != 0 && peer_.credit <= window, "a grant is of what has come");
    } else if (op < 8) {
      require(h.length > 0 && ours_.take(h.first, std::to_integer<unsigned>(payload[0] ^ key[0]), h.length - 1),
              "what goes out keeps the rules");
      if ((h.first & 0x80U) != 0) ++gone_;
    }
  }

  void let_all_go() {
    end_.takes = {};
    end_.writable();
    end_.turn([](core::connection&) {});
    read_output();
    for (int i = 0; i < 1000 && gone_ < sent_; ++i) {
      require(ours_.credit < window, "with all that may be granted something goes");
      std::array<std::byte, 4> payload{};
      const std::uint64_t more = window - ours_.credit;
      payload[2] = static_cast<std::byte>(more >> 8);
      payload[3] = static_cast<std::byte>(more & 0xFFU);
      ours_.credit = window;
      frame_comes(0x8F, payload, payload.size());
      read_output();
    }
    require(gone_ == sent_ && end_->queued() == 0, "everything goes in the end");
  }

  tape& input_;
  loop_parts parts_;
  core_end end_;
  rules peer_;
  rules ours_;
  std::size_t at_ = 0;
  std::size_t sent_ = 0;
  std::size_t gone_ = 0;
  bool broken_ = false;
  bool blocked_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tape input(data, size);
  one_connection(input).run();
  return 0;
}
