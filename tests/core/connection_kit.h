// What the tests of connection.h have in common.
#pragma once

#include "support/core_end.h"
#include "support/cutter.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {

constexpr role both_roles[] = {role::server, role::client};

constexpr role other(role side) noexcept { return side == role::server ? role::client : role::server; }
inline const char* name_of(role side) noexcept { return side == role::server ? "server" : "client"; }

/// Text that differs at every position that matters.
inline std::string content(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

/// Feeds `wire` to a fresh core in every cutting, once through the loop's area and once into message buffers; `check`
/// looks at what became of it, `prepare` at the core before. Always true: nothing but frames goes out, nothing follows
/// a close, one `closed` at most and last, and all memory is back when the core is gone.
template <class Prepare, class Check>
void in_every_cut(role side, byte_view wire, const core::settings& obey, Prepare&& prepare, Check&& check,
                  int random_cuts = 6) {
  loop_parts parts;
  for (const bool area : {false, true}) {
    in_every_cutting(
        wire,
        [&](std::span<const byte_span> pieces) {
          SCOPED_TRACE(name_of(side));
          core_end end(side, obey, &parts);
          end.use_area = area;
          prepare(end);
          end.receive_each(pieces);
          check(end);
          EXPECT_EQ(end.sent().fault, "");
          for (std::size_t i = 0; i + 1 < end.events.size(); ++i)
            EXPECT_NE(end.events[i].what, core::kind::closed) << "events after the last one";
          end.destroy();
          EXPECT_EQ(parts.pool.used_bytes(), 0U);
        },
        random_cuts);
  }
}

template <class Check>
void in_every_cut(role side, byte_view wire, const core::settings& obey, Check&& check) {
  in_every_cut(
      side, wire, obey, [](core_end&) {}, check);
}

/// The connection failed with this error, and told the peer so in one close frame, the last one it sent.
inline void expect_failed(core_end& end, errc why, close_code code) {
  const seen_event* last = end.closed();
  ASSERT_NE(last, nullptr) << "it did not end";
  EXPECT_EQ(last->error, why) << describe(last->error);
  EXPECT_EQ(last->code, code);
  EXPECT_TRUE(end->is_over());
  EXPECT_TRUE(end->closes_first());
  EXPECT_EQ(end->deadline(), no_deadline);
  const stream_verdict sent = end.sent();
  ASSERT_EQ(sent.count(8), 1U);
  EXPECT_EQ(close_code_of(sent.frames.back()), static_cast<unsigned>(code));
  EXPECT_GT(sent.frames.back().payload.size(), 2U) << "no reason for people";
  EXPECT_EQ(sent.rest, 0U);
}

/// Feeds `wire` in every cut and expects that failure, after `before` and nothing else.
inline void expect_failure(role side, byte_view wire, errc why, close_code code,
                           const std::vector<seen_event>& before = {}, const core::settings& obey = {}) {
  in_every_cut(side, wire, obey, [&](core_end& end) {
    expect_failed(end, why, code);
    if (!end.events.empty()) end.events.pop_back();
    EXPECT_EQ(end.events, before);
  });
}

}  // namespace hawser::test
