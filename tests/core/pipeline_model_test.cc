// Random stages, messages, cuts and output rooms against a model that works on whole strings.
#include "core/pipeline_kit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

namespace hawser {
namespace {

using core::pipeline;
using core::pipeline_limits;
using test::cuts;
using test::passed;
using test::seeded_random;
using test::stage_list;

enum class way_of_working : std::uint8_t { skip, watch, change, swell, keep, hold };

/// What one stage does, drawn at random and shared with the model.
struct plan {
  way_of_working what = way_of_working::skip;
  std::uint8_t front = 0;
  std::uint8_t back = 0;
  std::uint8_t key = 0;
  std::size_t most = 1;   // Bytes a step takes.
  std::uint8_t trim = 0;  // Bytes made too many outwards, and taken back.
  std::uint8_t rsv = 0;   // Bit that marks what it encoded.
  bool odd_only = false;  // Encodes messages of odd length only.
};

std::byte check_of(std::string_view text, std::uint8_t key) {
  unsigned sum = key;
  for (const char c : text)
    sum = sum * 31 + static_cast<unsigned char>(c);
  return static_cast<std::byte>(sum & 0xFF);
}

// ---- the model

bool concerns(const plan& p, std::string_view text) {
  return p.what != way_of_working::skip && (!p.odd_only || text.size() % 2 == 1);
}

std::string encoded(const plan& p, std::string text) {
  if (!concerns(p, text)) return text;
  switch (p.what) {
    case way_of_working::change: {
      for (char& c : text)
        c = static_cast<char>(static_cast<unsigned char>(c) ^ p.key);
      return std::string(p.front, '[') + text + std::string(p.back, ']');
    }
    case way_of_working::watch:
      return std::string(p.front, '<') + text + std::string(p.back, static_cast<char>(check_of(text, p.key)));
    case way_of_working::swell: {
      std::string out;
      for (const char c : text)
        out.append(static_cast<std::size_t>(static_cast<unsigned char>(c) % 3 + 1), c);
      return out;
    }
    default:
      return text;
  }
}

// ---- the stage

struct planned {
  static constexpr unsigned hooks = hook::observe | hook::in_place | hook::transform | hook::whole | hook::retained |
                                    hook::prefix | hook::suffix | hook::done;
  plan p;
  int* open_messages;
  std::vector<std::string>* kept;

  struct run {
    unsigned sum = 0;
    unsigned said = 0;  // Copies of the byte in hand, made or read.
    std::uint8_t extra = 0;
  };
  std::array<run, 2> runs = {};
  std::size_t length = 0;

  run& at(direction way) { return runs[static_cast<std::size_t>(way)]; }

  verdict begin(direction way, head& h, context&) {
    if (p.what == way_of_working::skip) return verdict::bypass;
    if (way == direction::out) {
      if (p.odd_only && h.size % 2 == 0) return verdict::bypass;
      h.rsv |= p.rsv;
    } else {
      if (p.rsv != 0 && (h.rsv & p.rsv) == 0) return verdict::bypass;
      h.rsv = static_cast<std::uint8_t>(h.rsv & ~p.rsv);
    }
    at(way) = {p.key, 0, 0};
    ++*open_messages;
    switch (p.what) {
      case way_of_working::watch:
        return verdict::observe.prefix(p.front).suffix(p.back);
      case way_of_working::change:
        return verdict::in_place.prefix(p.front).suffix(p.back);
      case way_of_working::swell:
        return verdict::transform;
      case way_of_working::keep:
        return verdict::retain;
      default:
        return verdict::whole;
    }
  }
  void observe(direction way, byte_view chunk, bool, context&) {
    for (const std::byte b : chunk)
      at(way).sum = at(way).sum * 31 + std::to_integer<unsigned>(b);
  }
  void in_place(direction, byte_span chunk, bool, context&) {
    for (std::byte& b : chunk)
      b ^= static_cast<std::byte>(p.key);
  }
  void prefix(direction way, byte_span bytes, context& c) {
    edge(way, bytes, p.what == way_of_working::watch ? '<' : '[', c);
  }
  void suffix(direction way, byte_span bytes, context& c) {
    const bool watches = p.what == way_of_working::watch;
    edge(way, bytes, watches ? static_cast<char>(at(way).sum & 0xFF) : ']', c);
  }
  static void edge(direction way, byte_span bytes, char mark, context& c) {
    if (way == direction::out) {
      std::ranges::fill(bytes, static_cast<std::byte>(mark));
      return;
    }
    for (const std::byte b : bytes)
      if (b != static_cast<std::byte>(mark)) return c.fail(close_code::invalid_payload, "edge");
  }
  step transform(direction way, byte_view in, byte_span out, bool fin, context&) {
    step did;
    run& r = at(way);
    while (did.consumed < std::min(in.size(), p.most)) {
      const std::byte b = in[did.consumed];
      const unsigned copies = std::to_integer<unsigned>(b) % 3 + 1;
      const bool makes = way == direction::out || r.said == 0;
      if (makes && did.produced == out.size()) break;
      if (makes) out[did.produced++] = b;
      const bool read = way == direction::in;
      did.consumed += read || r.said + 1 == copies ? 1U : 0U;
      r.said = r.said + 1 == copies ? 0 : r.said + 1;
    }
    const bool all = did.consumed == in.size();
    const std::uint8_t too_many = way == direction::out ? p.trim : 0;
    while (all && fin && r.extra < too_many && did.produced < out.size()) {
      out[did.produced++] = std::byte{'!'};
      ++r.extra;
    }
    if (!all || (fin && r.extra < too_many))
      did.next = flow::full;
    else if (fin)
      did = {did.consumed, did.produced, flow::done, too_many};
    return did;
  }
  void whole(direction way, const head& h, buffer body, context& c) { EXPECT_TRUE(c.forward(way, h, std::move(body))); }
  void retained(direction way, const head&, buffer body, context&) {
    if (way == direction::out) kept->emplace_back(as_text(body.view()));
  }
  void done(direction, context&) { --*open_messages; }
};

plan drawn(seeded_random& random, std::uint8_t rsv) {
  plan p;
  p.what = static_cast<way_of_working>(random.below(6));
  if (p.what == way_of_working::watch || p.what == way_of_working::change) {
    p.front = static_cast<std::uint8_t>(random.one_in(2) ? random.below(max_edge + 1) : 0);
    p.back = static_cast<std::uint8_t>(random.one_in(2) ? random.below(max_edge + 1) : 0);
  }
  p.key = static_cast<std::uint8_t>(random.below(256));
  p.most = random.between(1, 50);
  p.trim = static_cast<std::uint8_t>(random.below(9));
  p.rsv = rsv;
  // The length decides only where it is known: nothing before may have hidden it.
  p.odd_only = rsv != 0 && random.one_in(3);
  return p;
}

std::string drawn_text(seeded_random& random) {
  const std::size_t sizes[] = {0, 1, random.below(10), random.below(100), random.below(2000)};
  const std::vector<std::byte> bytes = random.bytes(sizes[random.below(5)]);
  return std::string(as_text(bytes));
}

struct round {
  explicit round(std::uint64_t seed) : random(seed) {
    const std::size_t count = random.between(0, 4);
    const std::uint8_t bits[] = {4, 2, 1, 0};
    for (std::size_t i = 0; i < count; ++i)
      plans.push_back(drawn(random, bits[i]));
    bool hidden = false;
    for (plan& p : plans) {
      if (hidden) p.odd_only = false;
      hidden = hidden || p.what == way_of_working::swell;
    }
    limits.step = random.one_in(2) ? random.between(1, 20) : 16384;
    out = make(role::client);
    in = make(role::server);
  }

  std::unique_ptr<pipeline> make(role side) {
    stage_list stages;
    for (const plan& p : plans) {
      claims uses;
      uses.rsv = p.rsv;
      uses.trim_max = p.trim;
      if (p.what == way_of_working::swell) uses.adds_max = claims::grows;
      stages.add("x-" + std::to_string(&p - plans.data()), uses, planned{p, &open_messages, &kept});
    }
    auto made = std::make_unique<pipeline>(stages.take(), side, pool, limits);
    made->open(test::at_time(0));
    return made;
  }

  cuts drawn_cuts() {
    cuts c;
    c.chunk = random.one_in(3) ? 0 : random.between(1, 40);
    c.stash = random.one_in(2);
    c.random = random.one_in(2) ? &random : nullptr;
    return c;
  }

  /// A whole message from one application to the other.
  void message() {
    const std::string text = drawn_text(random);
    std::string wire = text;
    for (const plan& p : plans)
      wire = encoded(p, wire);
    const std::vector<passed> sent = test::send_all(*out, direction::out, text, drawn_cuts());
    ASSERT_EQ(sent.size(), 1U) << out->fail_reason();
    ASSERT_TRUE(sent[0].fin) << out->fail_reason();
    ASSERT_EQ(sent[0].bytes, wire);
    ASSERT_TRUE(sent[0].h.sized == 0 || sent[0].h.size == wire.size());

    std::vector<passed> got;
    passed first = test::send(*in, direction::in, wire, drawn_cuts(), test::head_of(wire, 2, sent[0].h.rsv));
    if (!first.gone) got.push_back(std::move(first));
    direction went{};
    while (test::carry_out(*in, got, went)) {
    }
    ASSERT_EQ(got.size(), 1U) << in->fail_reason();
    ASSERT_TRUE(got[0].fin) << in->fail_reason();
    ASSERT_EQ(got[0].bytes, text);
    ASSERT_EQ(got[0].h.rsv, 0);
    ASSERT_EQ(open_messages, 0);
  }

  void end() {
    out->closed(close_code::normal, test::at_time(0));
    in->closed(close_code::normal, test::at_time(0));
    EXPECT_EQ(out->breaches() + in->breaches(), 0U) << out->last_breach() << in->last_breach();
    EXPECT_EQ(open_messages, 0);
    EXPECT_EQ(pool.used_bytes(), 0U);
  }

  seeded_random random;
  buffer_pool pool;
  pipeline_limits limits;
  std::vector<plan> plans;
  int open_messages = 0;
  std::vector<std::string> kept;
  std::unique_ptr<pipeline> out;
  std::unique_ptr<pipeline> in;
};

TEST(pipeline_model_test, any_stages_agree_with_the_model_in_any_cut_and_room) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    round r(seed);
    for (int i = 0; i < 4; ++i) {
      r.message();
      if (::testing::Test::HasFatalFailure()) return;
    }
    r.end();
  }
}

// A message that is cut off anywhere leaves nothing behind: done balances begin, buffers are home.
TEST(pipeline_model_test, a_connection_lost_in_the_middle_leaves_nothing_behind) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    round r(seed);
    const std::string text = drawn_text(r.random) + "x";
    head h = test::head_of(text, 2, 0, false);
    for (const plan& p : r.plans)
      if (p.odd_only) h.sized = 1;
    h.size = h.sized != 0 ? text.size() : 0;
    ASSERT_TRUE(r.out->begin(direction::out, h, test::at_time(0)));
    std::string half = text.substr(0, r.random.below(text.size()));
    r.out->push(direction::out, {reinterpret_cast<std::byte*>(half.data()), half.size()}, false, test::at_time(0));
    byte_span bytes;
    bool fin = false;
    for (std::size_t pulls = r.random.below(4); pulls > 0; --pulls)
      if (r.out->pull(direction::out, bytes, fin) != pipeline::pulled::piece) break;
    r.end();
  }
}

// Damaged input never gets past a limit or leaves a message open, and never counts as the stage's own fault.
TEST(pipeline_model_test, damaged_input_ends_well) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    round r(seed);
    r.in = nullptr;
    r.limits.max_message_in = r.random.below(300);
    r.in = r.make(role::server);
    const std::string wire = drawn_text(r.random);
    head h = test::head_of(wire, 2, static_cast<std::uint8_t>(r.random.below(8)));
    passed in;
    in.failed = !r.in->begin(direction::in, h, test::at_time(0));
    const bool staged = !r.in->bypassed(direction::in);
    test::feed(*r.in, direction::in, wire, in, r.drawn_cuts());
    EXPECT_EQ(in.failed, r.in->failed());
    EXPECT_TRUE(!staged || in.bytes.size() <= r.limits.max_message_in);
    EXPECT_TRUE(!staged || in.failed || in.gone || in.fin);
    r.end();
  }
}

}  // namespace
}  // namespace hawser
