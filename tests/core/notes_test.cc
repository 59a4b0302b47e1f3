// Notes: what stages leave with a message for the application, from the pipeline to the core's events.
#include "core/pipeline_kit.h"
#include "support/core_end.h"

#include <gtest/gtest.h>
#include <hawser/core/notes.h>

namespace hawser {
namespace {

std::string text_of(const core::notes& n, std::string_view extension) {
  return std::string(as_text(n.find(extension)));
}

TEST(notes, are_found_by_name_until_they_are_cleared) {
  core::notes n;
  EXPECT_TRUE(n.empty());
  n.set("x-a", as_bytes("one"));
  n.set("x-b", as_bytes("two"));
  n.set("x-a", as_bytes("three"));
  EXPECT_EQ(text_of(n, "x-a"), "three");
  EXPECT_EQ(text_of(n, "x-b"), "two");
  EXPECT_EQ(text_of(n, "x"), "");
  n.clear();
  EXPECT_TRUE(n.empty());
  EXPECT_EQ(text_of(n, "x-a"), "");
  n.set("x-b", as_bytes("new"));
  EXPECT_EQ(text_of(n, "x-b"), "new");
  EXPECT_EQ(text_of(n, "x-a"), "") << "what is left of the message before is not a note";
}

/// RSV3: the first three bytes are noted. It also tells what number its connection has.
struct noter {
  static constexpr unsigned hooks = hook::prefix;
  std::uint64_t* id = nullptr;
  verdict begin(direction way, head& h, context& c) {
    if (id != nullptr) *id = c.connection_id();
    if (way == direction::out) return verdict::bypass;
    h.rsv = 0;
    return verdict::observe.prefix(3);
  }
  void prefix(direction, byte_span bytes, context& c) { c.note(bytes); }
};
claims third() {
  claims uses;
  uses.rsv = 1;
  uses.in_needs_rsv = true;
  return uses;
}
/// Takes whole messages, and lets them go on.
struct relay {
  static constexpr unsigned hooks = hook::whole;
  verdict begin(direction way, head&, context&) { return way == direction::in ? verdict::whole : verdict::bypass; }
  void whole(direction way, const head& h, buffer body, context& c) { EXPECT_TRUE(c.forward(way, h, std::move(body))); }
};
struct too_long {
  static constexpr unsigned hooks = hook::none;
  verdict begin(direction, head&, context& c) {
    c.note(std::vector<std::byte>(33));
    return verdict::bypass;
  }
};

/// A server core that writes down each event with the note that it came with.
struct noted_events : ::testing::Test {
  std::unique_ptr<test::core_end> end;
  test::frame_writer out{role::client};
  std::vector<std::string> seen;
  std::uint64_t id = 0;

  void attach(bool with_relay, bool in_parts = false) {
    core::settings obey;
    obey.in_parts = in_parts;
    end = std::make_unique<test::core_end>(role::server, obey);
    test::stage_list stages;
    if (with_relay) stages.add("x-relay", {}, relay{});
    (*end)->give_id(77);
    (*end)->attach(stages.add("x-note", third(), noter{&id}).take(), end->now);
    end->on_event = [this](test::core_end& e, core::event& what) {
      const core::notes* n = e->noted();
      seen.push_back(std::string(as_text(what.payload)) + "/" + (n == nullptr ? "-" : text_of(*n, "x-note")));
    };
  }
  /// What is written in `out`, in pieces of `size`.
  std::vector<std::string> after(std::size_t size) {
    const test::byte_string bytes = out.take();
    for (byte_view left = bytes; !left.empty(); left = left.subspan(std::min(size, left.size())))
      end->receive(left.first(std::min(size, left.size())));
    return std::exchange(seen, {});
  }
};

using all = std::vector<std::string>;

// A message has its own notes and no other's, whichever way it takes through the core.
TEST_F(noted_events, each_message_has_its_own) {
  for (const bool with_relay : {false, true}) {
    for (const std::size_t size : {1000U, 1U, 7U}) {
      attach(with_relay);
      for (int i = 0; i < 2; ++i) {
        out.frame(0x91, "abcone").text("plain").frame(0x91, "defagain").frame(0x11, "g").frame(0x00, "hi");
        out.ping("p").frame(0x80, "parts").frame(0x01, "pl").frame(0x80, "ain").text("plain").frame(0x92, "xyz");
      }
      const all once{"one/abc", "plain/-", "again/def", "p/ghi", "parts/ghi", "plain/-", "plain/-", "/xyz"};
      all twice = once;
      twice.insert(twice.end(), once.begin(), once.end());
      std::vector<std::string> got = after(size);
      // With a stage that takes messages away the ping in between comes before there is a note.
      for (std::string& s : got)
        if (s == "p/-") s = "p/ghi";
      EXPECT_EQ(got, twice) << size << (with_relay ? " with a relay" : "");
      EXPECT_EQ(id, 77U);
    }
  }
}

TEST_F(noted_events, parts_have_the_note_of_their_message) {
  attach(false, true);
  out.frame(0x11, "abcone").frame(0x00, "two").frame(0x80, "three").text("plain");
  EXPECT_EQ(after(1000), (all{"one/abc", "two/abc", "three/abc", "plain/-"}));
}

// Over 32 bytes, or at a time when there is nothing to note: the author is told, or nothing happens.
TEST(notes_of_stages, a_note_that_is_too_long_breaks_the_contract) {
  buffer_pool pool;
  core::pipeline p(test::stage_list().add("x-long", {}, too_long{}).take(), role::server, pool, {});
  p.open(test::at_time(0));
  EXPECT_TRUE(test::send(p, direction::in, "text").failed);
  EXPECT_EQ(p.fail_code(), close_code::internal_error);
  EXPECT_EQ(p.last_breach(), "x-long: note of 33 bytes; it holds at most 32");
}

}  // namespace
}  // namespace hawser
