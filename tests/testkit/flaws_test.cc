// The mistakes that libraries with an interface for extensions have made, each in a small extension that makes it
// again. The kit must find it, under the name of the check that is meant for it. What no extension can do wrong here,
// because the library does it for all, is at the end.
#include "testkit/flawed.h"

#include <hawser/core/negotiate.h>
#include <hawser/core/pipeline.h>
#include <hawser/ext/message_extension.h>

#include <array>
#include <map>
#include <memory>
#include <stdexcept>

namespace hawser {
namespace {

using namespace test;

// ---- negotiation

// Jetty keeps parameters in a HashMap, so a doubled one cannot be declined (RFC 7692, 7).
TEST(flaws, jetty_loses_doubled_parameters_in_a_map) {
  flawed f;
  f.alternatives = {{{"level", "1"}}};
  f.on_accept = [](const flawed& self, const std::vector<params>& all) {
    for (const params& p : all) {
      std::map<std::string, std::optional<std::string>> by_name;
      for (const param& one : p)
        by_name[one.name] = one.value;
      if (by_name.size() == 1 && by_name.count("level") == 1) return self.agreed({{"level", by_name["level"]}});
    }
    return answer_t{};
  };
  expect_found(f, "a parameter twice is declined");
}

// wsproto asks for each acceptable offer again, and the last one wins (RFC 7692, 5: the first is preferred).
TEST(flaws, wsproto_lets_the_last_offer_win) {
  flawed f;
  f.alternatives = {{{"level", "9"}}, {{"level", "1"}}};
  f.on_accept = [](const flawed& self, const std::vector<params>& all) {
    answer_t last;
    for (const params& p : all)
      if (self.sound(p)) last = self.agreed(p);
    return last;
  };
  expect_found(f, "the first acceptable offer wins");
}

// wsproto again: accept changes the extension, so what it says depends on what it was asked before.
TEST(flaws, wsproto_changes_the_extension_when_it_accepts) {
  flawed f;
  f.on_accept = [used = std::make_shared<int>(0)](const flawed& self, const std::vector<params>& all) {
    for (const params& p : all)
      if (self.sound(p)) return self.agreed({{"session", std::to_string(++*used)}});
    return answer_t{};
  };
  f.on_confirm = [](const flawed& self, const params& p) {
    return p.size() == 1 && p[0].name == "session" ? self.agreed(p) : answer_t{};
  };
  expect_found(f, "the same offer gets the same answer");
}

// Tyrus, Netty and gobwas hand over one offer at a time; Java-WebSocket the first only.
TEST(flaws, others_look_at_the_first_offer_only) {
  flawed f;
  f.on_accept = [](const flawed& self, const std::vector<params>& all) {
    return !all.empty() && self.sound(all.front()) ? self.agreed(all.front()) : answer_t{};
  };
  expect_found(f, "a bad offer does not spoil a good one");
}

// libsoup fails the whole handshake for a bad parameter in an offer, where the offer is to be declined (P-11).
TEST(flaws, libsoup_fails_the_handshake_for_a_bad_offer) {
  flawed f;
  f.on_accept = [](const flawed& self, const std::vector<params>& all) -> answer_t {
    for (const params& p : all)
      if (!self.sound(p)) throw std::invalid_argument("bad parameter");
    return all.empty() ? answer_t{} : self.agreed(all.front());
  };
  expect_found(f, "an unknown parameter is declined");
  expect_found(f, "no offer makes it throw");
}

// tungstenite and soketto do not look at what a response holds (P-12).
TEST(flaws, tungstenite_takes_any_answer) {
  flawed f;
  f.on_confirm = [](const flawed& self, const params& p) { return self.agreed(p); };
  expect_found(f, "an unknown parameter in an answer fails");
}

TEST(flaws, an_answer_without_parameters_makes_it_throw) {
  flawed f;
  f.alternatives = {{{"level", "1"}}};
  f.on_confirm = [](const flawed& self, const params& p) {
    return p.at(0).name == "level" && self.sound(p) ? self.agreed(p) : answer_t{};
  };
  expect_found(f, "no answer makes it throw");
}

// Values outside of what is allowed: taken by the server, refused by the client of the same library (P-15).
TEST(flaws, the_two_roles_check_values_differently) {
  flawed f;
  f.alternatives = {{{"bits", "8"}}};
  const auto up_to = [](const params& p, std::size_t digits) {
    return p.size() == 1 && p[0].name == "bits" && p[0].value && p[0].value->size() <= digits &&
           p[0].value->find_first_not_of("0123456789") == std::string::npos;
  };
  f.on_accept = [up_to](const flawed& self, const std::vector<params>& all) {
    for (const params& p : all)
      if (up_to(p, 3)) return self.agreed(p);
    return answer_t{};
  };
  f.on_confirm = [up_to](const flawed& self, const params& p) { return up_to(p, 1) ? self.agreed(p) : answer_t{}; };
  expect_found(f, "what it answers to any offer it confirms");
}

// Jetty skips a conflicting extension at the client although the server has it on: the two ends disagree.
TEST(flaws, jetty_switches_it_off_at_one_end) {
  flawed f;
  f.on_confirm = [](const flawed& self, const params& p) {
    answer_t a = self.sound(p) ? self.agreed(p) : answer_t{};
    if (a) a->uses = {};
    return a;
  };
  expect_found(f, "both sides claim the same");
}

// ---- bits and opcodes

// Netty with allowExtensions, Python websockets, Tyrus, ktor: nobody owns a bit.
TEST(flaws, netty_lets_unclaimed_bits_pass) {
  flawed f;
  f.uses.rsv = 0;
  expect_found(f, "the contract is kept");
}

// libsoup checks what is left over behind its chain; others deliver with the bit on.
TEST(flaws, a_bit_is_left_set) {
  flawed f;
  f.stage.begin = [](direction way, head& h, context&) {
    if (way == direction::out) h.rsv |= 2;
    return verdict::bypass;
  };
  expect_found(f, "no bit is left for the application");
}

// libwebsockets' allow_unknown_opcode: an opcode that no extension was negotiated for.
TEST(flaws, libwebsockets_sends_opcodes_that_nobody_negotiated) {
  flawed f;
  f.stage.open = [](context& c) { c.emit_control(12, as_bytes("hi")); };
  expect_found(f, "the contract is kept");
}

// RFC 6455, 5.5: 125 bytes are the most, for the control frames of extensions too.
TEST(flaws, a_control_frame_of_126_bytes) {
  flawed f;
  f.uses.opcodes = 1U << 11;
  f.stage.open = [](context& c) { c.emit_control(11, as_bytes(std::string(126, 'x'))); };
  expect_found(f, "the contract is kept");
}

// ---- the bytes

// soketto calls decode with the first fragment, and again at the end.
TEST(flaws, soketto_decodes_the_first_fragment_as_if_it_were_all) {
  flawed f;
  f.stage.in_place = [](direction, byte_span b, context&) { std::reverse(b.begin(), b.end()); };
  expect_found(f, "messages arrive as they were");
}

// Netty's handler is found by its class: one object for several connections.
TEST(flaws, netty_shares_one_object_between_connections) {
  flawed f;
  f.stage.begin = [count = std::make_shared<std::uint8_t>(std::uint8_t{0})](direction way, head& h, context&) {
    if (way == direction::in && (h.rsv & 2) == 0) return verdict::bypass;
    h.rsv = static_cast<std::uint8_t>(h.rsv ^ 2U);
    ++*count;
    return verdict::in_place;
  };
  auto key = std::make_shared<std::uint8_t>(std::uint8_t{0});
  f.stage.in_place = [key](direction, byte_span b, context&) {
    for (std::byte& x : b)
      x ^= static_cast<std::byte>(++*key);
  };
  expect_found(f, "messages arrive as they were");
}

// Counts from message to message, and says that it keeps nothing and is as good as any other.
struct keeps_secretly {
  struct work {
    static constexpr unsigned hooks = hook::in_place;
    std::array<std::uint8_t, 2> count{};
    bool operator==(const work&) const noexcept { return true; }
    verdict begin(direction way, head& h, context&) {
      h.rsv ^= 2;
      ++count[static_cast<std::size_t>(way)];
      return verdict::in_place;
    }
    void in_place(direction way, byte_span bytes, bool, context&) const {
      for (std::byte& b : bytes)
        b ^= std::byte{count[static_cast<std::size_t>(way)]};
    }
  };
  using agreed = std::optional<accepted<work>>;

  bool idle_state = false;
  static std::string_view name() { return "x-keeps"; }
  static std::vector<params> offers() { return {{}}; }
  agreed accept(const std::vector<params>& all) const {
    return std::ranges::find(all, params{}) == all.end() ? std::nullopt : confirm({});
  }
  agreed confirm(const params& p) const {
    if (!p.empty()) return std::nullopt;
    claims uses;
    uses.rsv = 2;
    uses.in_needs_rsv = true;
    uses.idle_state = idle_state;
    uses.ordered = idle_state;
    return accepted<work>{{}, uses, {}};
  }
};

TEST(flaws, what_is_kept_secretly_between_messages) {
  expect_found(keeps_secretly{}, "messages arrive as they were");
  const testkit::report honest = testkit::run(keeps_secretly{true}, test::quick());
  const testkit::check* c = honest.find("messages arrive as they were");
  ASSERT_NE(c, nullptr);
  EXPECT_TRUE(c->passed) << honest.text();
}

/// Turns bytes by a key, and says that it keeps nothing; `Work` says where the key is and what becomes of it.
template <class Work>
struct keyed {
  using agreed = std::optional<accepted<Work>>;
  static std::string_view name() { return "x-keyed"; }
  static std::vector<params> offers() { return {{}}; }
  agreed accept(const std::vector<params>& all) const {
    return std::ranges::find(all, params{}) == all.end() ? std::nullopt : confirm({});
  }
  agreed confirm(const params& p) const {
    if (!p.empty()) return std::nullopt;
    claims uses;
    uses.rsv = 2;
    uses.in_needs_rsv = true;
    uses.idle_state = false;
    return accepted<Work>{{}, uses, {}};
  }
};

void turn(byte_span bytes, unsigned key) {
  for (std::byte& b : bytes)
    b ^= static_cast<std::byte>(key);
}

// What the copies of a stage share is gone for all of them when one connection ends.
struct closed_for_all {
  static constexpr unsigned hooks = hook::in_place | hook::closed;
  std::shared_ptr<unsigned> key = std::make_shared<unsigned>(0x55);
  bool operator==(const closed_for_all&) const noexcept { return true; }
  verdict begin(direction, head& h, context&) const {
    h.rsv ^= 2;
    return verdict::in_place;
  }
  void in_place(direction, byte_span bytes, bool, context&) const { turn(bytes, *key); }
  void closed(close_code, context&) { *key = 0; }
};

// The same in `flush`.
struct flushed_for_all : closed_for_all {
  static constexpr unsigned hooks = hook::in_place | hook::flush | hook::closed;
  bool operator==(const flushed_for_all&) const noexcept { return true; }
  void flush(context&) { *key = 0; }
  void closed(close_code, context&) {}
};

// Its key comes with the first message that the object sees, and goes on from there.
struct begins_with_the_first {
  static constexpr unsigned hooks = hook::in_place;
  std::array<unsigned, 2> key{};
  bool operator==(const begins_with_the_first&) const noexcept { return true; }
  verdict begin(direction way, head& h, context&) {
    h.rsv ^= 2;
    unsigned& mine = key[static_cast<std::size_t>(way)];
    mine = mine == 0 ? 0x55 : 0x2A;
    return verdict::in_place;
  }
  void in_place(direction way, byte_span bytes, bool, context&) const {
    turn(bytes, key[static_cast<std::size_t>(way)]);
  }
};

// Its key comes with `open`: right, since the library makes no more of such a stage.
struct begins_with_open {
  static constexpr unsigned hooks = hook::in_place | hook::open;
  unsigned key = 0;
  bool operator==(const begins_with_open&) const noexcept { return true; }
  void open(context&) { key = 0x55; }
  verdict begin(direction, head& h, context& c) const {
    h.rsv ^= 2;
    if (key == 0) c.fail(close_code::internal_error, "served without open");
    return verdict::in_place;
  }
  void in_place(direction, byte_span bytes, bool, context&) const { turn(bytes, key); }
};

TEST(flaws, the_end_of_one_connection_spoils_another) {
  expect_found(keyed<closed_for_all>{}, "messages arrive as they were");
  expect_found(keyed<flushed_for_all>{}, "messages arrive as they were");
}

TEST(flaws, an_object_counts_on_the_first_message) {
  expect_found(keyed<begins_with_the_first>{}, "messages arrive as they were");
}

TEST(flaws, a_stage_with_open_serves_its_own_connection) {
  const testkit::report r = testkit::run(keyed<begins_with_open>{}, test::quick());
  EXPECT_TRUE(r.passed()) << r.text();
}

TEST(flaws, a_message_is_forwarded_twice) {
  flawed f;
  f.stage.what = verdict::whole;
  f.stage.whole = [](direction way, const head& h, buffer b, context& c) {
    buffer again = b;
    if (!c.forward(way, h, std::move(again)) || !c.forward(way, h, std::move(b)))
      c.fail(close_code::policy_violation, "no room");
  };
  expect_found(f, "messages arrive as they were");
}

TEST(flaws, full_without_progress) {
  flawed f;
  f.stage.what = verdict::transform;
  f.stage.transform = [](direction, byte_view, byte_span, bool, context&) { return step{0, 0, flow::full}; };
  expect_found(f, "the contract is kept");
}

/// Marks each message with RSV2 and takes it as a whole; `inwards` makes another one of what arrives.
flawed whole_with(std::function<buffer(buffer, context&)> outwards, std::function<buffer(buffer, context&)> inwards) {
  flawed f;
  f.stage.what = verdict::whole;
  f.stage.whole = [outwards, inwards](direction way, const head& h, buffer b, context& c) {
    buffer made = way == direction::out ? outwards(std::move(b), c) : inwards(std::move(b), c);
    if (!c.forward(way, h, std::move(made))) c.fail(close_code::policy_violation, "no room");
  };
  return f;
}

buffer with_sum(buffer b, context& c) {
  buffer made = c.take_buffer(b.size() + 1);
  unsigned sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i)
    sum += std::to_integer<unsigned>(made.data()[i] = b.data()[i]);
  made.data()[b.size()] = static_cast<std::byte>(sum & 0xFFU);
  return made;
}

bool sum_is_right(const buffer& b) {
  unsigned sum = 0;
  for (std::size_t i = 0; i + 1 < b.size(); ++i)
    sum += std::to_integer<unsigned>(b.data()[i]);
  return !b.empty() && std::to_integer<unsigned>(b.data()[b.size() - 1]) == (sum & 0xFFU);
}

// Tyrus logs an exception and passes the frame on unmodified: a failing decryption would deliver ciphertext.
TEST(flaws, tyrus_passes_on_what_it_could_not_decode) {
  flawed f = whole_with(with_sum, [](buffer b, context&) {
    try {
      if (!sum_is_right(b)) throw std::runtime_error("damaged");
      b.resize(b.size() - 1);
    } catch (const std::exception&) {  // "logged"
    }
    return b;
  });
  f.uses.adds_max = 1;
  testkit::options how = quick();
  how.detects_damage = true;
  expect_found(f, "damage is not delivered", how);
}

// The same without a catch: the library fails the connection with 1011, and the kit says whose fault it was.
TEST(flaws, an_exception_for_damaged_data_is_the_authors_fault) {
  flawed f = whole_with(with_sum, [](buffer b, context&) {
    if (!sum_is_right(b)) throw std::runtime_error("damaged");
    b.resize(b.size() - 1);
    return b;
  });
  f.uses.adds_max = 1;
  expect_found(f, "damage is the peer's fault");
}

// faye closes with 1010 whatever goes wrong in an extension; that code is for the handshake (N-24).
TEST(flaws, faye_closes_with_1010) {
  flawed f = whole_with(with_sum, [](buffer b, context& c) {
    if (!sum_is_right(b))
      c.fail(close_code::mandatory_extension, "damaged");
    else
      b.resize(b.size() - 1);
    return b;
  });
  f.uses.adds_max = 1;
  expect_found(f, "damage is the peer's fault");
  expect_found(f, "the contract is kept");
}

// ---- limits

buffer with_count(const buffer& b, context& c) {
  const bool same = std::all_of(b.data(), b.data() + b.size(), [&](std::byte x) { return x == *b.data(); });
  const bool runs = same && b.size() > 8;
  buffer made = c.take_buffer(runs ? 6 : b.size() + 1);
  made.data()[0] = static_cast<std::byte>(runs);
  if (runs) {
    for (std::size_t i = 0; i < 4; ++i)
      made.data()[1 + i] = static_cast<std::byte>(b.size() >> (8 * i) & 0xFFU);
    made.data()[5] = *b.data();
  } else {
    std::copy_n(b.data(), b.size(), made.data() + 1);
  }
  return made;
}

// wsproto makes 200 MB of 194 kB and leaves limits to its caller; faye and, for long, websocketpp did the same.
TEST(flaws, wsproto_inflates_without_a_limit) {
  flawed f =
      whole_with([](buffer b, context& c) { return b.empty() ? with_count(c.take_buffer(0), c) : with_count(b, c); },
                 [](buffer b, context& c) {
                   if (b.empty()) return b;
                   if (*b.data() != std::byte{1} || b.size() != 6) return b.slice(1, b.size() - 1);
                   std::size_t n = 0;
                   for (std::size_t i = 0; i < 4; ++i)
                     n |= std::to_integer<std::size_t>(b.data()[1 + i]) << (8 * i);
                   buffer all = c.take_buffer(std::min<std::size_t>(n, std::size_t{16} << 20));
                   std::fill_n(all.data(), all.size(), b.data()[5]);
                   return all;
                 });
  f.uses.adds_max = 1;
  expect_found(f, "a bomb takes no memory");
}

// A message over the limit is refused, not cut (P-22).
TEST(flaws, what_is_over_the_limit_is_cut) {
  flawed f = whole_with([](buffer b, context&) { return b; },
                        [](buffer b, context& c) {
                          b.resize(static_cast<std::size_t>(std::min<std::uint64_t>(b.size(), c.limit(direction::in))));
                          return b;
                        });
  f.uses.adds_max = 0xFFFF;
  expect_found(f, "a byte over the limit is 1009");
}

// What is put on a message and not claimed counts against the peer's limit.
TEST(flaws, it_adds_more_than_it_says) {
  flawed f = whole_with(with_sum, [](buffer b, context& c) {
    if (!sum_is_right(b)) c.fail(close_code::invalid_payload, "damaged");
    if (!b.empty()) b.resize(b.size() - 1);
    return b;
  });
  f.uses.adds_max = 0;
  expect_found(f, "a message of exactly the limit passes beside another extension");
}

// ---- held messages, acknowledgements, timers

/// Keeps every outgoing message until told.
struct held {
  std::vector<std::pair<head, buffer>> all;
  void let_go(context& c) {
    for (auto& [h, b] : all)
      if (!c.forward(direction::out, h, std::move(b))) c.fail(close_code::policy_violation, "no room");
    all.clear();
  }
};

flawed holding(direction way) {
  flawed f;
  f.stage.begin = [way](direction w, head&, context&) { return w == way ? verdict::whole : verdict::bypass; };
  return f;
}

TEST(flaws, it_holds_messages_for_ever) {
  flawed f = holding(direction::out);
  f.stage.whole = [](direction, const head&, buffer, context&) {};
  expect_found(f, "messages arrive as they were");
  expect_found(f, "messages cross a connection as they were");
}

// faye-websocket: a message that was still compressed is overtaken by the close.
TEST(flaws, faye_lets_the_close_overtake_a_message) {
  struct one_each {  // Each stage needs a list of its own: made in `open`.
    std::map<role, held> by_side;
  };
  flawed f = holding(direction::out);
  auto lists = std::make_shared<one_each>();
  f.stage.open = [lists](context& c) { lists->by_side[c.side()] = {}; };
  f.stage.closed = [lists](context& c) { lists->by_side[c.side()] = {}; };
  f.stage.whole = [lists](direction, const head& h, buffer b, context& c) {
    lists->by_side[c.side()].all.emplace_back(h, std::move(b));
    c.arm(c.now() + std::chrono::milliseconds(20));
  };
  f.stage.timer = [lists](context& c) { lists->by_side[c.side()].let_go(c); };
  expect_found(f, "a close does not overtake messages");
  f.stage.flush = f.stage.timer;
  const testkit::report mended = testkit::run(f, quick());
  const testkit::check* c = mended.find("a close does not overtake messages");
  ASSERT_NE(c, nullptr);
  EXPECT_TRUE(c->passed) << c->detail;
}

// What a peer withholds must not make us keep what it sends in its place: nobody else counts it.
TEST(flaws, it_keeps_what_it_did_not_charge) {
  flawed f = holding(direction::in);
  auto kept = std::make_shared<std::vector<buffer>>();
  auto first = std::make_shared<bool>(true);
  f.stage.open = [kept, first](context& c) {
    if (c.side() == role::server) *first = true;
    kept->clear();
  };
  f.stage.closed = [kept](context&) { kept->clear(); };
  f.stage.whole = [kept](direction way, const head& h, buffer b, context& c) {
    kept->push_back(b);
    if (!c.forward(way, h, std::move(b))) c.fail(close_code::policy_violation, "no room");
  };
  expect_found(f, "what a peer withholds is bounded");
}

TEST(flaws, it_keeps_messages_when_the_connection_is_gone) {
  flawed f = holding(direction::in);
  auto kept = std::make_shared<std::vector<buffer>>();
  f.stage.open = [kept](context&) { kept->clear(); };  // Those of the connection before.
  f.stage.whole = [kept](direction way, const head& h, buffer b, context& c) {
    kept->push_back(b);
    if (!c.forward(way, h, std::move(b))) c.fail(close_code::policy_violation, "no room");
  };
  expect_found(f, "no buffer stays behind a connection");
}

TEST(flaws, it_cannot_be_closed) {
  flawed f;
  f.stage.flush = [](context& c) { c.fail(close_code::policy_violation, "not now"); };
  expect_found(f, "a connection closes cleanly");
}

TEST(flaws, it_answers_each_message_with_many_acknowledgements) {
  flawed f;
  f.uses.opcodes = 1U << 11;
  f.stage.begin = [](direction way, head&, context& c) {
    for (int i = 0; way == direction::in && i < 8; ++i)
      c.emit_control(11, as_bytes("ack"));
    return verdict::bypass;
  };
  expect_found(f, "control frames do not storm");
}

TEST(flaws, it_answers_each_acknowledgement_with_another_one) {
  flawed f;
  f.uses.opcodes = 1U << 11;
  f.stage.begin = [](direction way, head&, context& c) {
    if (way == direction::in) c.emit_control(11, as_bytes("ack"));
    return verdict::bypass;
  };
  f.stage.control = [](byte_view b, context& c) { c.emit_control(11, b); };
  expect_found(f, "it comes to rest");
}

TEST(flaws, its_timer_never_lets_time_pass) {
  flawed f;
  f.stage.open = [](context& c) { c.arm(c.now()); };
  f.stage.timer = [](context& c) { c.arm(c.now()); };
  expect_found(f, "timers do not storm");
}

TEST(flaws, a_beat_is_no_storm) {
  flawed f;
  f.stage.open = [](context& c) { c.arm(c.now() + std::chrono::seconds(1)); };
  f.stage.timer = f.stage.open;
  const testkit::report r = testkit::run(f, quick());
  EXPECT_TRUE(r.passed()) << r.text();
}

// ---- ends

TEST(flaws, memory_is_kept_after_closed) {
  flawed f;
  f.stage.open = [](context& c) { c.charge(100); };
  expect_found(f, "the contract is kept");
}

// permessage-deflate-node asked whether callbacks may come after close. Here nothing that is asked for then is done.
TEST(flaws, what_is_asked_for_after_the_close_is_not_done) {
  flawed f;
  f.uses.opcodes = 1U << 11;
  auto done = std::make_shared<int>(0);
  f.stage.closed = [done](context& c) {
    *done += c.emit_control(11, as_bytes("late")) ? 1 : 0;
    c.arm(c.now());
  };
  const testkit::report r = testkit::run(f, quick());
  EXPECT_TRUE(r.passed()) << r.text();
  EXPECT_EQ(*done, 0);
}

// ---- what no extension can do wrong, because it is done for it

core::conditions local(role side) { return {side, true}; }

// Jetty, wsproto and Tyrus work in reversed order, ktor, libsoup, soketto and libwebsockets in the same at both ends.
TEST(flaws, the_order_of_work_is_the_order_of_the_answer_in_both_roles) {
  const auto adding = [](const char* name, char mark) {
    return ext::message_extension(name)
        .encode([mark](byte_view in, ext::byte_sink& out) {
          return out.append(in) && out.append(static_cast<std::byte>(mark));
        })
        .decode([mark](byte_view in, ext::byte_sink& out) {
          if (in.empty() || in.back() != static_cast<std::byte>(mark)) return false;
          return out.append(in.first(in.size() - 1));
        })
        .adds(1);
  };
  extension_list list;
  list.add(adding("foo", 'F')).add(adding("bar", 'B'));
  std::string why;
  auto answer =
      core::answer_extensions(core::offer_extensions(list, local(role::client)), list, local(role::server), why);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->header, "foo, bar");
  auto confirmed = core::confirm_extensions(answer->header, list, local(role::client), why);
  ASSERT_TRUE(confirmed);
  for (core::negotiation* n : {&*answer, &*confirmed}) {
    buffer_pool pool;
    core::pipeline line(std::move(n->agreed), n == &*answer ? role::server : role::client, pool, {});
    line.open({});
    head h;
    h.opcode = 2;
    ASSERT_TRUE(line.begin(direction::out, h, {}));
    std::string x = "x";
    line.push(direction::out, {reinterpret_cast<std::byte*>(x.data()), 1}, true, {});
    byte_span piece;
    bool fin = false;
    std::string wire;
    while (line.pull(direction::out, piece, fin) == core::pipeline::pulled::piece)
      wire += as_text(piece);
    for (core::pipeline::work w; line.next_work(w);) {
      ASSERT_TRUE(line.begin_behind(w.stage, w.way, w.message, {}));
      if (line.bypassed(w.way)) {
        wire += as_text(w.body.view());
        continue;
      }
      line.push_owned(w.way, std::move(w.body), {});
      while (line.pull(direction::out, piece, fin) == core::pipeline::pulled::piece)
        wire += as_text(piece);
    }
    EXPECT_EQ(wire, "xFB");
    line.closed(close_code::normal, {});
  }
}

// Netty, soketto and tungstenite split the header at commas and semicolons inside quotes.
TEST(flaws, quotes_are_read_before_anything_is_split) {
  flawed f;
  f.alternatives = {{{"level", "1"}}};
  extension_list list;
  list.add(f);
  std::string why;
  const auto quoted = core::answer_extensions("x-flawed; level=\"1\"", list, local(role::server), why);
  ASSERT_TRUE(quoted);
  EXPECT_EQ(quoted->header, "x-flawed; level=1");
  EXPECT_EQ(core::answer_extensions("x-flawed; level=\"1,x-flawed;level=1\"", list, local(role::server), why).error(),
            errc::extension_header_malformed);
}

// ktor's check for conflicts never finds one, Jetty and faye drop the later extension in silence.
TEST(flaws, a_conflict_is_found_and_told) {
  flawed f;
  f.uses.rsv = 7;
  testkit::options how = quick();
  how.company = testkit::shipped();
  const testkit::report r = testkit::run(f, how);
  const testkit::check* told = nullptr;
  for (const testkit::check& c : r.all())
    if (c.name.rfind("a conflict with ", 0) == 0) told = &c;
  ASSERT_NE(told, nullptr) << r.text();
  EXPECT_TRUE(told->passed);
}

}  // namespace
}  // namespace hawser
