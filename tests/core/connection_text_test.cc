// Text is UTF-8, judged as it arrives: RFC 6455, 8.1; D4.
#include "core/connection_kit.h"
#include "core/pipeline_kit.h"

#include <gtest/gtest.h>

#include <optional>

namespace hawser {
namespace {

using namespace test;
using core::kind;
using core::settings;

// How many bytes of `text` can be the beginning of UTF-8; nullopt: all of them. By the table of RFC 3629, 4, one byte
// at a time: nothing here knows words or registers.
std::optional<std::size_t> first_bad_byte(std::string_view text) {
  unsigned need = 0;
  unsigned low = 0x80;
  unsigned high = 0xBF;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto b = static_cast<unsigned char>(text[i]);
    if (need > 0) {
      if (b < low || b > high) return i;
      --need;
      low = 0x80;
      high = 0xBF;
      continue;
    }
    if (b < 0x80) continue;
    if (b < 0xC2 || b > 0xF4) return i;
    need = b < 0xE0 ? 1 : b < 0xF0 ? 2 : 3;
    if (b == 0xE0) low = 0xA0;
    if (b == 0xED) high = 0x9F;
    if (b == 0xF0) low = 0x90;
    if (b == 0xF4) high = 0x8F;
  }
  return std::nullopt;
}

const std::vector<std::string>& bad_texts() {
  static const std::vector<std::string> texts = {
      "\x80",
      "\xBF",
      "\xC0\x80",
      "\xC1\xBF",
      "\xE0\x80\x80",
      "\xE0\x9F\xBF",
      "\xED\xA0\x80",
      "\xED\xBF\xBF",
      "\xF0\x80\x80\x80",
      "\xF0\x8F\xBF\xBF",
      "\xF4\x90\x80\x80",
      "\xF5\x80\x80\x80",
      "\xF8\x88\x80\x80\x80",
      "\xFE",
      "\xFF",
      "\xC3(",
      "\xE2\x82(",
      "\xF0\x9F\x98(",
      "\xE2(\xA1",
      "\xF0(\x8C\xBC",
      "\xC3\xC3",
  };
  return texts;
}

// A way for text to come in; the bytes of the message are a prefix of what follows `head`.
struct arrival {
  const char* name;
  settings obey;
  bool staged;
};

struct watcher {
  static constexpr unsigned hooks = hook::observe;
  verdict begin(direction, head&, context&) { return verdict::observe; }
  void observe(direction, byte_view, bool, context&) {}
};

struct copier {
  static constexpr unsigned hooks = hook::transform;
  verdict begin(direction, head&, context&) { return verdict::transform; }
  step transform(direction, byte_view in, byte_span out, bool fin, context&) {
    step did;
    did.consumed = did.produced = std::min(in.size(), out.size());
    std::copy_n(in.begin(), did.consumed, out.begin());
    did.next = did.consumed < in.size() ? flow::full : fin ? flow::done : flow::more;
    return did;
  }
};

void attach_stages(core_end& end) {
  claims first;
  claims second;
  second.ordered = false;
  end->attach(test::stage_list().add("x-watch", first, watcher{}).add("x-copy", second, copier{}).take(), end.now);
}

// The frame is announced longer than what is sent, so nothing but the bad byte itself can end it. F-11.
TEST(connection_text, fails_at_the_bad_byte_inside_an_unfinished_frame) {
  settings parts;
  parts.in_parts = true;
  const arrival ways[] = {
      {"whole", {}, false}, {"parts", parts, false}, {"staged", {}, true}, {"staged parts", parts, true}};
  for (const arrival& way : ways) {
    for (const role side : both_roles) {
      for (const std::string& bad : bad_texts()) {
        for (const std::size_t before : {0U, 1U, 7U, 70U, 300U}) {
          SCOPED_TRACE(testing::Message() << way.name << " at the " << test::name_of(side) << " before " << before);
          const std::string text = std::string(before, 'a') + bad;
          const std::size_t at = first_bad_byte(text).value();
          core_end end(side, way.obey);
          if (way.staged) attach_stages(end);
          frame_writer wire(other(side));
          wire.header(0x81, 5000);
          const std::size_t head = wire.bytes().size();
          wire.masked(text);
          end.receive(byte_view(wire.bytes()).first(head));
          for (std::size_t i = 0; i < at; ++i) {
            end.receive(byte_view(wire.bytes()).subspan(head + i, 1));
            ASSERT_TRUE(end->is_open()) << "byte " << i << " is good";
          }
          end.receive(byte_view(wire.bytes()).subspan(head + at, 1));
          expect_failed(end, errc::bad_utf8, close_code::invalid_payload);
          if (HasFailure()) return;
        }
      }
    }
  }
}

// The same in one read with good bytes behind it, and in a complete message: also 1007.
TEST(connection_text, bad_text_in_every_cut_and_fragmentation) {
  for (const role side : both_roles) {
    for (const std::string& bad : bad_texts()) {
      const std::string text = "caf\xC3\xA9 " + bad + " tail";
      expect_failure(side, frame_writer(other(side)).text(text).bytes(), errc::bad_utf8, close_code::invalid_payload);
      frame_writer wire(other(side));
      for (std::size_t i = 0; i < text.size(); ++i)
        wire.frame((i == 0 ? 0x01U : 0U) | (i + 1 == text.size() ? 0x80U : 0U), text.substr(i, 1));
      expect_failure(side, wire.bytes(), errc::bad_utf8, close_code::invalid_payload);
    }
  }
}

TEST(connection_text, a_character_cut_off_at_the_end_is_refused) {
  for (const role side : both_roles) {
    for (const char* cut : {"\xC3", "\xE2\x82", "\xE2", "\xF0\x9F\x98", "\xF0\x9F", "\xF0"}) {
      for (const std::string& before : {std::string(), std::string(200, 'x')}) {
        expect_failure(side, frame_writer(other(side)).text(before + cut).bytes(), errc::bad_utf8,
                       close_code::invalid_payload);
        expect_failure(side, frame_writer(other(side)).fragments(1, {before, cut, ""}).bytes(), errc::bad_utf8,
                       close_code::invalid_payload);
      }
    }
  }
}

// Characters of every length, cut by fragments at every byte, with a ping in the middle of each.
TEST(connection_text, characters_may_be_cut_by_fragments) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBF\xF4\x8F\xBF\xBFz";
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    for (std::size_t cut = 0; cut <= text.size(); ++cut)
      wire.frame(0x01, text.substr(0, cut)).ping().frame(0x80, text.substr(cut));
    in_every_cut(side, wire.bytes(), {}, [&](core_end& end) {
      ASSERT_EQ(end.events.size(), 2 * (text.size() + 1));
      for (std::size_t i = 1; i < end.events.size(); i += 2)
        EXPECT_EQ(end.events[i], seen_message(text));
    });
  }
}

TEST(connection_text, binary_messages_may_be_anything) {
  std::string all;
  for (int i = 255; i >= 0; --i)
    all.push_back(static_cast<char>(i));
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.frame(0x82, all).fragments(2, {all, "\xFF", all}).frame(0x82, "\xC3");
    in_every_cut(side, wire.bytes(), {}, [&](core_end& end) {
      EXPECT_EQ(end.events,
                (std::vector{seen_message(all, opcode::binary), seen_message(all + "\xFF" + all, opcode::binary),
                             seen_message("\xC3", opcode::binary)}));
    });
  }
}

// The state of one message does not leak into the next, whichever way it went.
TEST(connection_text, each_message_begins_anew) {
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.frame(0x02, "\xE2").frame(0x80, "x").text("\xE2\x82\xAC").fragments(1, {"\xE2", "\x82\xAC"}).text("ok");
    in_every_cut(side, wire.bytes(), {}, [&](core_end& end) {
      EXPECT_EQ(end.events, (std::vector{seen_message("\xE2x", opcode::binary), seen_message("\xE2\x82\xAC"),
                                         seen_message("\xE2\x82\xAC"), seen_message("ok")}));
    });
  }
}

// In parts: the pieces come as they arrive, marked first and last, and joined they are the message.
TEST(connection_text, parts_are_the_message_in_pieces) {
  settings obey;
  obey.in_parts = true;
  const std::string text = test::content(300) + "\xF0\x9F\x98\x80" + test::content(70000);
  for (const role side : both_roles) {
    frame_writer wire(other(side));
    wire.text("short").frame(0x01, text.substr(0, 302)).ping().frame(0x00, "").frame(0x80, text.substr(302)).text("");
    in_every_cut(side, wire.bytes(), obey, [&](core_end& end) {
      std::vector<std::string> messages(1);
      bool fresh = true;
      for (const test::seen_event& e : end.events) {
        if (e.what == kind::ping) continue;
        ASSERT_EQ(e.what, kind::part);
        EXPECT_EQ(e.first, fresh);
        fresh = e.fin;
        messages.back() += e.payload;
        if (e.fin) messages.emplace_back();
      }
      EXPECT_EQ(messages, (std::vector<std::string>{"short", text, "", ""}));
      EXPECT_EQ(end->stats().messages_in, 3U);
    });
  }
}

}  // namespace
}  // namespace hawser
