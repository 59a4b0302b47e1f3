// A stage on frames whose hooks a test writes, and frames with extension data as a strict reader sees them.
#pragma once

#include "core/connection_kit.h"
#include "core/pipeline_kit.h"
#include "support/pair.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hawser::test {

/// What a stage on frames does; what is not set does nothing.
struct frame_script {
  std::function<std::size_t(frame&, byte_view, context&)> in = {};
  std::function<std::size_t(const frame&, byte_span, context&)> out = {};
  std::function<std::uint64_t(const frame&, context&)> quota = {};
  std::function<std::uint32_t(const head&, context&)> urgency = {};
  std::function<void(std::uint8_t, byte_view, context&)> control = {};
  std::function<void(context&)> timer = {};
  std::function<void(context&)> open = {};
};

struct frame_scripted {
  static constexpr unsigned hooks =
      hook::frame | hook::quota | hook::urgency | hook::control | hook::timer | hook::open;
  std::shared_ptr<frame_script> s;

  verdict begin(direction, head&, context&) { return verdict::bypass; }
  std::size_t frame_in(frame& f, byte_view b, context& c) { return s->in ? s->in(f, b, c) : 0; }
  std::size_t frame_out(const frame& f, byte_span b, context& c) { return s->out ? s->out(f, b, c) : 0; }
  std::uint64_t frame_quota(const frame& f, context& c) { return s->quota ? s->quota(f, c) : f.size; }
  std::uint32_t frame_urgency(const head& h, context& c) { return s->urgency ? s->urgency(h, c) : 0; }
  void control(std::uint8_t op, byte_view b, context& c) {
    if (s->control) s->control(op, b, c);
  }
  void timer(context& c) {
    if (s->timer) s->timer(c);
  }
  void open(context& c) {
    if (s->open) s->open(c);
  }
};

/// The same without an urgency, for a stage that does not mix fragments.
struct frame_in_order {
  static constexpr unsigned hooks = hook::frame | hook::quota;
  std::shared_ptr<frame_script> s;

  verdict begin(direction, head&, context&) { return verdict::bypass; }
  std::size_t frame_in(frame& f, byte_view b, context& c) { return s->in ? s->in(f, b, c) : 0; }
  std::size_t frame_out(const frame& f, byte_span b, context& c) { return s->out ? s->out(f, b, c) : 0; }
  std::uint64_t frame_quota(const frame& f, context& c) { return s->quota ? s->quota(f, c) : f.size; }
};

inline claims on_frames(std::uint8_t ext_data, bool mixes = false, std::uint16_t opcodes = 0) {
  claims c;
  c.at = layer::frame;
  c.ext_data_max = ext_data;
  c.interleaves = mixes;
  c.opcodes = opcodes;
  c.opcodes_of_interest = 0;
  return c;
}

/// One byte in front of each frame says which message it belongs to, as a stage that mixes fragments would do it.
inline std::shared_ptr<frame_script> channels() {
  auto s = std::make_shared<frame_script>();
  s->in = [](frame& f, byte_view b, context& c) {
    if (b.empty()) return std::size_t{1};
    f.channel = std::to_integer<std::uint32_t>(b[0]);
    if (f.channel >= max_half_way) c.fail(close_code::protocol_error, "no such channel");
    return std::size_t{1};
  };
  s->out = [](const frame& f, byte_span b, context&) {
    b[0] = static_cast<std::byte>(f.channel);
    return std::size_t{1};
  };
  s->urgency = [](const head& h, context&) { return std::uint32_t{h.priority}; };
  return s;
}

inline std::vector<core::agreed_extension> mixing(const std::shared_ptr<frame_script>& s) {
  return stage_list().add("x-mix", on_frames(1, true, 1U << 11), frame_scripted{s}).take();
}

/// The payload of a frame on channel `n`.
inline std::string on_channel(unsigned n, std::string_view payload) {
  std::string all(1, static_cast<char>(n));
  return all.append(payload);
}

/// The frames that an end of role `from` sent. Only their form is looked at: what belongs to what is extension data.
inline std::vector<raw_frame> frames_in(byte_view in, bool masked) {
  std::vector<raw_frame> all;
  for (;;) {
    const auto h = detail::read_raw_header(in);
    if (!h || in.size() - h->size < h->length) return all;
    EXPECT_EQ(h->masked, masked);
    raw_frame f;
    f.first = std::to_integer<unsigned>(in[0]);
    for (std::size_t i = 0; i < h->length; ++i) {
      std::byte b = in[h->size + i];
      if (h->masked) b ^= in[h->size - 4 + i % 4];
      f.payload.push_back(static_cast<char>(b));
    }
    in = in.subspan(h->size + f.payload.size());
    all.push_back(std::move(f));
  }
}
inline std::vector<raw_frame> frames_of(core_end& end) { return frames_in(end.out, end->side() == role::client); }

/// As `in_every_cut`, for ends whose output has extension data in it.
template <class Prepare, class Check>
void in_every_framed_cut(role side, byte_view wire, const core::settings& obey, Prepare&& prepare, Check&& check) {
  loop_parts parts;
  in_every_cutting(
      wire,
      [&](std::span<const byte_span> pieces) {
        SCOPED_TRACE(name_of(side));
        core_end end(side, obey, &parts);
        end.use_area = true;
        prepare(end);
        end.receive_each(pieces);
        check(end);
        end.destroy();
        EXPECT_EQ(parts.pool.used_bytes(), 0U);
      },
      4);
}

}  // namespace hawser::test
