// The extension of docs/tutorial.md: runs of one byte, such as the zeros of a sparse frame, are sent as that byte and a
// count. On the wire `byte n` stands for n of them, n from 1 to 255; every other byte for itself. RSV2 marks a message
// that is written so.
#pragma once

#include <hawser/core/extension.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tutorial {

constexpr auto mark = static_cast<std::uint8_t>(hawser::rsv::two);

class runs_stage {
 public:
  static constexpr unsigned hooks = hawser::hook::transform;

  explicit runs_stage(std::uint8_t byte) : byte_{byte} {}

  hawser::verdict begin(hawser::direction way, hawser::head& h, hawser::context&) {
    h.rsv ^= mark;  // Set on the way out; it was set when a message comes here on its way in.
    (way == hawser::direction::out ? out_ : in_) = {};
    return hawser::verdict::transform;
  }

  hawser::step transform(hawser::direction way, hawser::byte_view in, hawser::byte_span out, bool fin,
                         hawser::context& c) {
    return way == hawser::direction::out ? encode(in, out, fin) : decode(in, out, fin, c);
  }

 private:
  // What is left over between two steps.
  struct state {
    std::uint8_t run = 0;    // Out: how long the run is so far. In: how much of it is to be written.
    std::uint8_t count = 0;  // Out: the byte is written, its count is not.
    bool counted = false;    // In: the byte has come, its count has not.
  };

  hawser::step encode(hawser::byte_view in, hawser::byte_span out, bool fin) {
    std::size_t used = 0;
    std::size_t made = 0;
    for (;;) {
      const bool at_end = used == in.size();
      const bool repeats = !at_end && in[used] == byte_;
      if (repeats && out_.count == 0 && out_.run < 255) {
        ++out_.run;
        ++used;
        continue;
      }
      const bool run_ends = out_.run != 0 && (!at_end || fin);
      if (at_end && !run_ends && out_.count == 0) return {used, made, fin ? hawser::flow::done : hawser::flow::more};
      if (made == out.size()) return {used, made, hawser::flow::full};
      if (out_.count != 0) {
        out[made++] = std::byte{std::exchange(out_.count, std::uint8_t{0})};
      } else if (run_ends) {
        out[made++] = byte_;
        out_.count = std::exchange(out_.run, std::uint8_t{0});
      } else {
        const std::size_t n = copy_others(in.subspan(used), out.subspan(made));
        used += n;
        made += n;
      }
    }
  }

  hawser::step decode(hawser::byte_view in, hawser::byte_span out, bool fin, hawser::context& c) {
    std::size_t used = 0;
    std::size_t made = 0;
    for (;;) {
      const std::size_t repeat = std::min<std::size_t>(in_.run, out.size() - made);
      std::fill_n(out.data() + made, repeat, byte_);
      made += repeat;
      in_.run = static_cast<std::uint8_t>(in_.run - repeat);
      if (in_.run == 0 && used == in.size()) break;
      if (made == out.size()) return {used, made, hawser::flow::full};
      if (in_.counted) {
        in_.counted = false;
        in_.run = std::to_integer<std::uint8_t>(in[used++]);
        if (in_.run == 0) return wrong(c, "a run of no bytes", used, made);
      } else if (in[used] == byte_) {
        in_.counted = true;
        ++used;
      } else {
        const std::size_t n = copy_others(in.subspan(used), out.subspan(made));
        used += n;
        made += n;
      }
    }
    if (fin && in_.counted) return wrong(c, "the message ends before the count of a run", used, made);
    return {used, made, fin ? hawser::flow::done : hawser::flow::more};
  }

  // Copies what comes before the next byte of the kind that repeats, as far as there is room.
  std::size_t copy_others(hawser::byte_view in, hawser::byte_span out) const {
    const std::size_t most = std::min(in.size(), out.size());
    const void* repeated = std::memchr(in.data(), std::to_integer<int>(byte_), most);
    const std::size_t n =
        repeated == nullptr ? most : static_cast<std::size_t>(static_cast<const std::byte*>(repeated) - in.data());
    std::memcpy(out.data(), in.data(), n);
    return n;
  }

  static hawser::step wrong(hawser::context& c, std::string_view why, std::size_t used, std::size_t made) {
    c.fail(hawser::close_code::invalid_payload, why);
    return {used, made, hawser::flow::error};
  }

  std::byte byte_;
  state out_;
  state in_;
};

// x-runs; byte=N: the client proposes the byte that repeats in what both will talk about, the server's answer names it.
class runs {
 public:
  using agreed = std::optional<hawser::accepted<runs_stage>>;

  explicit runs(std::uint8_t byte = 0) : byte_(byte) {}

  static std::string_view name() { return "x-runs"; }

  std::vector<hawser::params> offers() const { return {{{"byte", std::to_string(byte_)}}}; }

  agreed confirm(const hawser::params& terms) const {
    const std::optional<std::uint8_t> byte = read(terms);
    return byte ? agree(*byte) : std::nullopt;
  }

 private:
  static std::optional<std::uint8_t> read(const hawser::params& p) {
    if (p.size() != 1 || p[0].name != "byte" || !p[0].value) return std::nullopt;
    const std::string& text = *p[0].value;
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), byte);
    const bool plain = error == std::errc() && text == std::to_string(byte);  // No sign, no 007.
    return plain ? std::optional(byte) : std::nullopt;
  }

  static agreed agree(std::uint8_t byte) {
    hawser::claims uses;
    uses.rsv = mark;
    uses.in_needs_rsv = true;               // Messages without the mark are none of its business,
    uses.out_min_size = 16;                 // nor are those too short to be worth it.
    uses.idle_state = false;                // Nothing is kept between messages.
    uses.adds_max = hawser::claims::grows;  // A byte of its kind that stands alone becomes two.
    return hawser::accepted<runs_stage>{{{"byte", std::to_string(byte)}}, uses, runs_stage(byte)};
  }

  std::uint8_t byte_;
};

}  // namespace tutorial
