// The verdicts of stages and what becomes of the bytes: pipeline.h.
#include "core/pipeline_kit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace hawser {
namespace {

using core::pipeline;
using core::pipeline_limits;
using test::head_of;
using test::passed;
using test::send;
using test::stage_list;

/// What the stages of one test wrote down.
struct notes {
  std::string seen;
  int begins = 0;
  int dones = 0;
  int fins = 0;
  std::vector<const std::byte*> addresses;
  std::size_t most_room = 0;
};

/// Looks at every chunk; may own edges.
struct watcher {
  static constexpr unsigned hooks = hook::observe | hook::prefix | hook::suffix | hook::done;
  notes* log;
  std::uint8_t front = 0;
  std::uint8_t back = 0;
  std::string edges_in = {};

  verdict begin(direction, head&, context&) {
    ++log->begins;
    edges_in.clear();
    return verdict::observe.prefix(front).suffix(back);
  }
  void observe(direction, byte_view chunk, bool fin, context&) {
    log->seen.append(as_text(chunk));
    log->addresses.push_back(chunk.data());
    log->fins += fin ? 1 : 0;
  }
  void prefix(direction way, byte_span bytes, context& c) { edge(way, bytes, '<', c); }
  void suffix(direction way, byte_span bytes, context& c) { edge(way, bytes, '>', c); }
  void done(direction, context&) { ++log->dones; }

  static void edge(direction way, byte_span bytes, char mark, context& c) {
    if (way == direction::out) {
      std::ranges::fill(bytes, static_cast<std::byte>(mark));
      return;
    }
    for (const std::byte b : bytes)
      if (b != static_cast<std::byte>(mark)) return c.fail(close_code::invalid_payload, "edge");
  }
};

/// Adds `key` to every byte.
struct adder {
  static constexpr unsigned hooks = hook::in_place | hook::prefix | hook::suffix;
  int key = 1;
  std::uint8_t front = 0;
  std::uint8_t back = 0;

  verdict begin(direction, head&, context&) { return verdict::in_place.prefix(front).suffix(back); }
  void in_place(direction way, byte_span chunk, bool, context&) {
    for (std::byte& b : chunk)
      b = static_cast<std::byte>(std::to_integer<int>(b) + (way == direction::out ? key : -key));
  }
  void prefix(direction way, byte_span bytes, context& c) { watcher::edge(way, bytes, '(', c); }
  void suffix(direction way, byte_span bytes, context& c) { watcher::edge(way, bytes, ')', c); }
};

/// Says every byte twice outwards, once inwards; in steps of its own choice.
struct doubler {
  static constexpr unsigned hooks = hook::transform | hook::done;
  notes* log = nullptr;
  std::size_t most = 1000;  // Bytes taken in a step.
  bool second = false;      // One copy of the byte in hand was made, or read.

  verdict begin(direction, head&, context&) {
    second = false;
    if (log != nullptr) ++log->begins;
    return verdict::transform;
  }
  step transform(direction way, byte_view in, byte_span out, bool fin, context& c) {
    if (log != nullptr) log->most_room = std::max(log->most_room, out.size());
    step did;
    while (did.consumed < std::min(in.size(), most) && did.produced < out.size()) {
      if (way == direction::out) {
        out[did.produced++] = in[did.consumed];
        did.consumed += second ? 1U : 0U;
      } else {
        if (second)
          ++did.consumed;
        else
          out[did.produced++] = in[did.consumed++];
      }
      second = !second;
    }
    const bool all = did.consumed == in.size();
    if (all && fin && second) c.fail(close_code::invalid_payload, "half a byte");
    did.next = !all ? flow::full : fin ? flow::done : flow::more;
    return did;
  }
  void done(direction, context&) {
    if (log != nullptr) ++log->dones;
  }
};

/// Takes messages away and lets them go when `batch` of them are here, the last first.
struct holder {
  static constexpr unsigned hooks = hook::whole | hook::done;
  std::size_t batch = 1;
  notes* log = nullptr;
  std::vector<std::pair<head, buffer>> held = {};

  verdict begin(direction, head&, context&) {
    if (log != nullptr) ++log->begins;
    return verdict::whole;
  }
  void whole(direction way, const head& h, buffer body, context& c) {
    held.emplace_back(h, std::move(body));
    if (held.size() < batch) return;
    while (!held.empty()) {
      EXPECT_TRUE(c.forward(way, held.back().first, std::move(held.back().second)));
      held.pop_back();
    }
  }
  void done(direction, context&) {
    if (log != nullptr) ++log->dones;
  }
};

std::string doubled(std::string_view text) {
  std::string out;
  for (const char c : text)
    out.append(2, c);
  return out;
}

std::string text_of(std::size_t n) {
  std::string text(n, ' ');
  for (std::size_t i = 0; i < n; ++i)
    text[i] = static_cast<char>('a' + i % 26);
  return text;
}

struct pipeline_test : ::testing::Test {
  buffer_pool pool;
  notes log;
  pipeline_limits limits;
  std::unique_ptr<pipeline> p;

  pipeline& make(stage_list& stages, role side = role::server) {
    p = std::make_unique<pipeline>(stages.take(), side, pool, limits);
    p->open(test::at_time(0));
    return *p;
  }
  void end() {
    p->closed(close_code::normal, test::at_time(0));
    EXPECT_EQ(p->charged(), 0U);
    EXPECT_EQ(p->breaches(), 0U) << p->last_breach();
    EXPECT_EQ(pool.used_bytes(), 0U);
  }
};

constexpr claims plain{};
constexpr claims growing{.adds_max = claims::grows};  // As long again.

TEST_F(pipeline_test, without_stages_a_message_passes_as_it_is) {
  stage_list none;
  pipeline& empty = make(none);
  head h = head_of("hello");
  ASSERT_TRUE(empty.begin(direction::out, h, test::at_time(0)));
  EXPECT_TRUE(empty.bypassed(direction::out));
  EXPECT_FALSE(empty.writes(direction::out));
  passed out;
  test::feed(empty, direction::out, "hello", out, {.chunk = 2});
  EXPECT_EQ(out.bytes, "hello");
  EXPECT_TRUE(out.fin);
  end();
}

TEST_F(pipeline_test, a_bypassed_chunk_may_be_stashed_too) {
  stage_list none;
  pipeline& empty = make(none);
  head h = head_of("hello");
  ASSERT_TRUE(empty.begin(direction::in, h, test::at_time(0)));
  auto memory = std::make_unique<std::byte[]>(5);
  empty.push(direction::in, {memory.get(), 5}, true, test::at_time(0));
  memory[0] = std::byte{'x'};
  empty.stash(direction::in);
  memory = nullptr;
  passed in;
  test::pull_all(empty, direction::in, in);
  EXPECT_EQ(in.bytes, std::string("x\0\0\0\0", 5));
  end();
}

TEST_F(pipeline_test, a_watcher_of_a_whole_chunk_costs_no_copy) {
  stage_list stages;
  stages.add("x-a", plain, watcher{&log}).add("x-b", plain, watcher{&log}).add("x-c", plain, adder{0});
  pipeline& run = make(stages);
  std::string text = "hello";
  head h = head_of(text);
  ASSERT_TRUE(run.begin(direction::out, h, test::at_time(0)));
  EXPECT_FALSE(run.bypassed(direction::out));
  EXPECT_TRUE(run.writes(direction::out));
  byte_span chunk{reinterpret_cast<std::byte*>(text.data()), text.size()};
  run.push(direction::out, chunk, true, test::at_time(0));
  byte_span bytes;
  bool fin = false;
  ASSERT_EQ(run.pull(direction::out, bytes, fin), pipeline::pulled::piece);
  EXPECT_EQ(bytes.data(), chunk.data());
  EXPECT_EQ(bytes.size(), chunk.size());
  EXPECT_TRUE(fin);
  EXPECT_EQ(log.addresses, (std::vector<const std::byte*>{chunk.data(), chunk.data()}));
  EXPECT_EQ(run.pull(direction::out, bytes, fin), pipeline::pulled::more);
  EXPECT_EQ(pool.used_bytes(), 0U);
  end();
}

TEST_F(pipeline_test, inwards_the_edges_of_a_whole_chunk_are_cut_off_without_a_copy) {
  stage_list stages;
  stages.add("x-a", plain, watcher{&log, 2, 3});
  pipeline& run = make(stages);
  std::string text = "<<hello>>>";
  head h = head_of(text);
  ASSERT_TRUE(run.begin(direction::in, h, test::at_time(0)));
  EXPECT_EQ(h.size, 5U);
  run.push(direction::in, {reinterpret_cast<std::byte*>(text.data()), text.size()}, true, test::at_time(0));
  byte_span bytes;
  bool fin = false;
  ASSERT_EQ(run.pull(direction::in, bytes, fin), pipeline::pulled::piece);
  EXPECT_EQ(static_cast<void*>(bytes.data()), text.data() + 2);
  EXPECT_EQ(as_text(bytes), "hello");
  EXPECT_TRUE(fin);
  end();
}

TEST_F(pipeline_test, the_first_stage_of_the_answer_is_nearest_to_the_application_N_11) {
  stage_list stages;
  stages.add("x-a", plain, watcher{&log, 1, 1}).add("x-b", plain, adder{1, 1, 1});
  pipeline& run = make(stages);
  const passed out = send(run, direction::out, "abc");
  EXPECT_EQ(out.bytes, "(=bcd?)");  // b(a(x)): the adder changes the marks of the watcher as well
  EXPECT_EQ(out.h.size, 7U);
  const passed in = send(run, direction::in, out.bytes);
  EXPECT_EQ(in.bytes, "abc");
  EXPECT_EQ(in.h.size, 3U);
  EXPECT_EQ(log.begins, 2);
  EXPECT_EQ(log.dones, 2);
  end();
}

TEST_F(pipeline_test, edges_survive_every_cut) {
  for (std::size_t length = 0; length <= 40; ++length) {
    for (std::size_t chunk = 0; chunk <= 9; ++chunk) {
      for (const bool stash : {false, true}) {
        SCOPED_TRACE(testing::Message() << length << " bytes in chunks of " << chunk << " stash " << stash);
        log = {};
        stage_list stages;
        stages.add("x-a", plain, watcher{&log, 5, 7})
            .add("x-b", plain, adder{1, 3, 0})
            .add("x-c", plain, adder{2, 0, 9});
        pipeline& run = make(stages);
        const std::string text = text_of(length);
        const passed out = send(run, direction::out, text, {.chunk = chunk, .stash = stash});
        ASSERT_TRUE(out.fin);
        ASSERT_EQ(out.bytes.size(), length + 24);
        ASSERT_EQ(log.seen, text);
        const passed in = send(run, direction::in, out.bytes, {.chunk = chunk, .stash = stash});
        ASSERT_EQ(in.bytes, text);
        ASSERT_TRUE(in.fin);
        ASSERT_EQ(log.seen, text + text);
        ASSERT_EQ(log.fins, 2);
        end();
      }
    }
  }
}

TEST_F(pipeline_test, a_message_shorter_than_its_edges_is_1002_F_07) {
  for (std::size_t length = 0; length < 12; ++length) {
    for (const bool sized : {true, false}) {
      for (const std::size_t chunk : {0U, 1U, 5U}) {
        stage_list stages;
        stages.add("x-a", plain, watcher{&log, 5, 7});
        pipeline& run = make(stages);
        const std::string text = std::string("<<<<<>>>>>>>").substr(0, length);
        const passed in = send(run, direction::in, text, {.chunk = chunk}, head_of(text, 2, 0, sized));
        EXPECT_TRUE(in.failed) << length;
        EXPECT_EQ(run.fail_code(), close_code::protocol_error);
        EXPECT_FALSE(in.fin);
        run.closed(close_code::protocol_error, test::at_time(0));
        EXPECT_EQ(log.begins, log.dones);
      }
    }
  }
}

TEST_F(pipeline_test, a_wrong_suffix_stops_the_message_before_its_end) {
  stage_list stages;
  stages.add("x-a", plain, watcher{&log, 0, 2});
  pipeline& run = make(stages);
  const passed in = send(run, direction::in, "hello>!", {.chunk = 3});
  EXPECT_TRUE(in.failed);
  EXPECT_FALSE(in.fin);
  EXPECT_EQ(run.fail_code(), close_code::invalid_payload);
  EXPECT_EQ(run.fail_error(), errc::corrupt_data);
  EXPECT_EQ(run.fail_reason(), "edge");
  EXPECT_EQ(run.fail_extension(), "x-a");
  EXPECT_EQ(run.breaches(), 0U);
}

TEST_F(pipeline_test, a_transform_works_in_any_room_and_any_cut) {
  for (const std::size_t step : {1U, 2U, 3U, 7U, 64U, 16384U}) {
    for (const std::size_t chunk : {0U, 1U, 3U, 8U}) {
      for (const std::size_t most : {1U, 2U, 1000U}) {
        log = {};
        limits.step = step;
        stage_list stages;
        stages.add("x-a", growing, doubler{&log, most}).add("x-b", plain, adder{3}).add("x-c", growing, doubler{&log});
        pipeline& run = make(stages);
        const std::string text = text_of(23);
        const passed out = send(run, direction::out, text, {.chunk = chunk, .stash = true});
        ASSERT_EQ(out.bytes.size(), 4 * text.size());
        ASSERT_EQ(out.h.sized, 0);
        const passed in = send(run, direction::in, out.bytes, {.chunk = chunk, .stash = true});
        ASSERT_EQ(in.bytes, text);
        ASSERT_TRUE(in.fin);
        ASSERT_EQ(log.begins, log.dones);
        end();
      }
    }
  }
}

TEST_F(pipeline_test, output_buffers_are_held_only_while_a_message_is_half_way) {
  stage_list stages;
  stages.add("x-a", growing, doubler{});
  pipeline& run = make(stages);
  head h = head_of("abc");
  ASSERT_TRUE(run.begin(direction::out, h, test::at_time(0)));
  EXPECT_EQ(pool.used_bytes(), 0U);
  passed out;
  test::feed(run, direction::out, "abc", out, {.chunk = 1});
  EXPECT_EQ(pool.used_bytes(), 0U);
  end();
}

TEST_F(pipeline_test, an_echo_may_push_the_piece_that_it_pulled) {
  stage_list stages;
  stages.add("x-a", growing, doubler{});
  pipeline& run = make(stages);
  std::string wire = doubled("hello");
  head h = head_of(wire);
  ASSERT_TRUE(run.begin(direction::in, h, test::at_time(0)));
  run.push(direction::in, {reinterpret_cast<std::byte*>(wire.data()), wire.size()}, true, test::at_time(0));
  byte_span bytes;
  bool fin = false;
  ASSERT_EQ(run.pull(direction::in, bytes, fin), pipeline::pulled::piece);
  head back = head_of("hello");
  ASSERT_TRUE(run.begin(direction::out, back, test::at_time(0)));
  run.push(direction::out, bytes, true, test::at_time(0));
  passed out;
  test::pull_all(run, direction::out, out);
  EXPECT_EQ(out.bytes, wire);
  EXPECT_EQ(as_text(bytes), "hello");
  end();
}

// ---- limits

TEST_F(pipeline_test, the_limit_is_exact_after_a_transform_P_22) {
  for (const std::size_t step : {1U, 5U, 16384U}) {
    for (const std::size_t over : {0U, 1U}) {
      limits.step = step;
      limits.max_message_in = 20;
      stage_list stages;
      log = {};
      stages.add("x-a", plain, doubler{&log});
      pipeline& run = make(stages);
      const passed in = send(run, direction::in, doubled(text_of(20 + over)), {.chunk = 7});
      EXPECT_EQ(log.most_room, std::min<std::size_t>(step, 21));  // One byte too many is all that can ever be made.
      EXPECT_EQ(in.fin, over == 0);
      EXPECT_EQ(in.failed, over != 0);
      EXPECT_LE(in.bytes.size(), 20U);
      if (over != 0) {
        EXPECT_EQ(run.fail_code(), close_code::message_too_big);
        EXPECT_EQ(run.fail_error(), errc::message_too_big);
        EXPECT_EQ(run.fail_extension(), "x-a");
      }
    }
  }
}

TEST_F(pipeline_test, the_limit_holds_after_each_stage_in_both_directions) {
  limits.max_message_in = 20;
  limits.max_message_out = 30;
  {
    stage_list stages;  // Inwards the watcher at the network sees 30 bytes, more than the limit, though 15 arrive.
    stages.add("x-a", plain, doubler{}).add("x-b", plain, watcher{&log});
    const passed in = send(make(stages), direction::in, doubled(text_of(15)));
    EXPECT_TRUE(in.failed);
    EXPECT_EQ(p->fail_extension(), "x-b");
  }
  {
    stage_list stages;  // Outwards 16 bytes become 32 behind the first stage, whatever the second makes of them.
    stages.add("x-a", growing, doubler{}).add("x-b", plain, watcher{&log});
    const passed out = send(make(stages), direction::out, text_of(16));
    EXPECT_TRUE(out.failed);
    EXPECT_EQ(p->fail_extension(), "x-a");
    EXPECT_EQ(p->fail_code(), close_code::message_too_big);
  }
  {
    stage_list stages;
    stages.add("x-a", growing, doubler{}).add("x-b", plain, watcher{&log});
    EXPECT_TRUE(send(make(stages), direction::out, text_of(15)).fin);
  }
  {
    stage_list stages;  // A suffix counts: 29 + 2.
    stages.add("x-a", plain, watcher{&log, 0, 2});
    EXPECT_TRUE(send(make(stages), direction::out, text_of(29)).failed);
  }
}

TEST_F(pipeline_test, inwards_a_stage_may_give_on_what_the_next_ones_take_off_and_no_byte_more_P_22) {
  limits.max_message_in = 20;
  claims says_five;
  says_five.adds_max = 5;
  const auto first_to_fail = [&](std::size_t bytes, auto&& add_stages) {
    stage_list stages;
    add_stages(stages);
    pipeline& run = make(stages);
    std::string text = std::string(3, '<') + std::string(bytes - 5, 'a') + std::string(2, '>');
    const passed in = send(run, direction::in, text, {.chunk = 7});
    return in.failed ? std::string(run.fail_extension()) : in.fin ? std::string("arrived") : "gone";
  };
  const auto edges_of_a = [&](stage_list& to) {
    to.add("x-a", plain, watcher{&log, 3, 2}).add("x-b", plain, watcher{&log});
  };
  EXPECT_EQ(first_to_fail(25, edges_of_a), "arrived");  // Behind x-b 25 are allowed, behind x-a 20.
  EXPECT_EQ(first_to_fail(26, edges_of_a), "x-b");
  const auto claim_of_a = [&](stage_list& to) { to.add("x-a", says_five, doubler{}).add("x-b", plain, watcher{&log}); };
  EXPECT_EQ(first_to_fail(25, claim_of_a), "x-a");  // Half of them are no pairs: judged by x-a, not by the limit.
  EXPECT_EQ(first_to_fail(26, claim_of_a), "x-b");
  // Nobody knows yet what x-a will ask for: it has both edges, so 64 bytes more; x-b itself gets no more than that.
  const auto before_a_whole = [&](stage_list& to) {
    to.add("x-a", plain, watcher{&log, 3, 2}).add("x-b", plain, holder{2}).add("x-c", plain, watcher{&log});
  };
  EXPECT_EQ(first_to_fail(84, before_a_whole), "gone");
  EXPECT_EQ(first_to_fail(85, before_a_whole), "x-c");
}

// ---- trim

/// Puts "TAIL" after each message and takes it back: outwards nothing changes.
struct trimmer {
  static constexpr unsigned hooks = hook::transform;
  std::string_view tail = "TAIL";
  std::uint8_t trim = 4;
  std::size_t told = 0;

  verdict begin(direction, head&, context&) {
    told = 0;
    return verdict::transform;
  }
  step transform(direction, byte_view in, byte_span out, bool fin, context&) {
    step did;
    while (did.consumed < in.size() && did.produced < out.size())
      out[did.produced++] = in[did.consumed++];
    const bool all = did.consumed == in.size();
    while (all && fin && told < tail.size() && did.produced < out.size())
      out[did.produced++] = static_cast<std::byte>(tail[told++]);
    if (!all || (fin && told < tail.size()))
      did.next = flow::full;
    else if (fin)
      did = {did.consumed, did.produced, flow::done, trim};
    return did;
  }
};

TEST_F(pipeline_test, a_stage_may_take_back_the_last_bytes_it_made) {
  claims uses;
  uses.trim_max = 4;
  for (const std::size_t step : {1U, 2U, 3U, 4U, 5U, 9U, 16384U}) {
    for (std::size_t length = 0; length < 12; ++length) {
      limits.step = step;
      limits.max_message_out = 11;
      stage_list stages;
      stages.add("x-a", uses, trimmer{}).add("x-b", plain, watcher{&log});
      const std::string text = text_of(length);
      const passed out = send(make(stages), direction::out, text, {.chunk = 3, .stash = true});
      ASSERT_TRUE(out.fin) << p->fail_reason();
      ASSERT_EQ(out.bytes, text);
      end();
    }
  }
  stage_list stages;
  stages.add("x-a", uses, trimmer{});
  EXPECT_TRUE(send(make(stages), direction::out, text_of(12)).failed);
  EXPECT_EQ(p->fail_code(), close_code::message_too_big);
}

TEST_F(pipeline_test, to_take_back_more_than_claimed_or_made_breaks_the_contract) {
  claims uses;
  uses.trim_max = 3;
  stage_list stages;
  stages.add("x-a", uses, trimmer{});
  EXPECT_TRUE(send(make(stages), direction::out, "hello").failed);
  EXPECT_EQ(p->fail_code(), close_code::internal_error);
  EXPECT_EQ(p->fail_reason(), "x-a: its transform trims more than it claimed");

  uses.trim_max = 8;
  stage_list more;
  more.add("x-a", uses, trimmer{"T", 8});
  EXPECT_TRUE(send(make(more), direction::out, "hello").failed);
  EXPECT_EQ(p->fail_reason(), "x-a: its transform trims more than it made");
}

// ---- retain and whole

struct keeper {
  static constexpr unsigned hooks = hook::retained;
  std::vector<std::string>* kept;
  verdict begin(direction, head&, context&) { return verdict::retain; }
  void retained(direction, const head& h, buffer body, context&) {
    EXPECT_EQ(h.size, body.size());
    EXPECT_EQ(h.sized, 1);
    kept->emplace_back(as_text(body.view()));
  }
};

TEST_F(pipeline_test, a_retained_message_streams_on_and_is_kept_as_it_was) {
  for (const std::size_t chunk : {0U, 1U, 4U}) {
    std::vector<std::string> kept;
    stage_list stages;
    stages.add("x-a", plain, keeper{&kept}).add("x-b", plain, adder{1});
    pipeline& run = make(stages);
    EXPECT_EQ(send(run, direction::out, "hello", {.chunk = chunk}).bytes, "ifmmp");
    EXPECT_EQ(send(run, direction::out, "", {.chunk = chunk}).bytes, "");
    EXPECT_EQ(kept, (std::vector<std::string>{"hello", ""}));
    end();
  }
}

TEST_F(pipeline_test, a_held_message_goes_on_behind_its_stage) {
  for (const std::size_t chunk : {0U, 1U, 4U}) {
    log = {};
    stage_list stages;
    stages.add("x-a", plain, watcher{&log, 1, 0}).add("x-b", plain, holder{2, &log}).add("x-c", plain, adder{1});
    pipeline& run = make(stages);
    EXPECT_TRUE(test::send_all(run, direction::out, "one", {.chunk = chunk}).empty());
    const std::vector<passed> out = test::send_all(run, direction::out, "two", {.chunk = chunk});
    ASSERT_EQ(out.size(), 2U);
    EXPECT_EQ(out[0].bytes, "=uxp");
    EXPECT_EQ(out[1].bytes, "=pof");
    EXPECT_TRUE(out[0].fin && out[1].fin);
    EXPECT_EQ(log.begins, log.dones);
    end();
  }
}

TEST_F(pipeline_test, bits_of_stages_that_a_held_message_has_yet_to_meet_are_not_left_over_F_01) {
  claims third;
  third.rsv = 1;
  stage_list stages;
  stages.add("x-a", third, watcher{&log}).add("x-b", plain, holder{});
  pipeline& run = make(stages);
  EXPECT_EQ(send(run, direction::in, "abc", {}, head_of("abc", 2, 1)).h.rsv, 0);
  pipeline::work w;
  ASSERT_TRUE(run.next_work(w));
  EXPECT_EQ(w.message.rsv, 1);  // It meets them with its bits.
  EXPECT_EQ(send(run, direction::in, "abc", {}, head_of("abc", 2, 3)).h.rsv, 2);
}

TEST_F(pipeline_test, inwards_a_held_message_goes_on_towards_the_application) {
  stage_list stages;
  stages.add("x-a", plain, adder{1}).add("x-b", plain, holder{}).add("x-c", plain, adder{2});
  const std::vector<passed> in = test::send_all(make(stages), direction::in, "def");
  ASSERT_EQ(in.size(), 1U);
  EXPECT_EQ(in[0].bytes, "abc");
  end();
}

struct taker {
  static constexpr unsigned hooks = hook::whole;
  const std::byte** where;
  verdict begin(direction, head&, context&) { return verdict::whole; }
  void whole(direction, const head&, buffer body, context&) {
    *where = body.data();
    EXPECT_TRUE(body.sole_owner());
  }
};

TEST_F(pipeline_test, a_whole_owned_message_is_handed_over_without_a_copy) {
  const std::byte* where = nullptr;
  stage_list stages;
  stages.add("x-a", plain, taker{&where});
  pipeline& run = make(stages);
  buffer body = pool.take(5);
  const std::byte* address = body.data();
  head h = head_of("12345");
  ASSERT_TRUE(run.begin(direction::out, h, test::at_time(0)));
  run.push_owned(direction::out, std::move(body), test::at_time(0));
  passed out;
  test::pull_all(run, direction::out, out);
  EXPECT_TRUE(out.gone);
  EXPECT_EQ(where, address);
  end();
}

struct repeater {
  static constexpr unsigned hooks = hook::whole | hook::timer;
  head h = {};
  buffer kept = {};
  verdict begin(direction, head&, context&) { return verdict::whole; }
  void whole(direction way, const head& head_now, buffer body, context& c) {
    h = head_now;
    kept = body;
    EXPECT_TRUE(c.forward(way, h, std::move(body)));
    c.arm(c.now() + std::chrono::milliseconds(5));
  }
  void timer(context& c) { EXPECT_TRUE(c.forward(direction::out, h, std::move(kept))); }
};

TEST_F(pipeline_test, a_forwarded_body_that_is_also_kept_is_not_written_into) {
  stage_list stages;
  stages.add("x-a", plain, repeater{}).add("x-b", plain, adder{1});
  pipeline& run = make(stages);
  EXPECT_EQ(test::send_all(run, direction::out, "abc").at(0).bytes, "bcd");
  EXPECT_EQ(run.deadline(), test::at_time(5));
  run.on_timeout(test::at_time(5));
  EXPECT_EQ(run.deadline(), no_deadline);
  std::vector<passed> again;
  direction way{};
  ASSERT_TRUE(test::carry_out(run, again, way));
  EXPECT_EQ(again.at(0).bytes, "bcd");
  end();
}

// ---- who is asked

TEST_F(pipeline_test, interest_says_what_concerns_nobody) {
  claims compressing;
  compressing.rsv = 4;
  compressing.in_needs_rsv = true;
  compressing.out_min_size = 100;
  claims binary_only;
  binary_only.opcodes_of_interest = 1U << 2;
  binary_only.out_min_size = 50;
  binary_only.opcodes = 1U << 11;
  claims nothing;
  nothing.opcodes_of_interest = 0;
  stage_list stages;
  stages.add("x-a", compressing, adder{1}).add("x-b", binary_only, adder{1}).add("x-c", nothing, adder{1});
  const core::interest& wants = make(stages).wants();
  EXPECT_EQ(wants.in_opcodes, 1U << 2);
  EXPECT_EQ(wants.out_opcodes, 1U << 1 | 1U << 2);
  EXPECT_EQ(wants.out_min_size, 50U);
  EXPECT_EQ(wants.rsv, 4);
  EXPECT_EQ(wants.own_opcodes, 1U << 11);

  stage_list idle;
  idle.add("x-c", nothing, adder{1});
  EXPECT_EQ(make(idle).wants().out_opcodes, 0);
  EXPECT_EQ(make(idle).wants().in_opcodes, 0);
}

TEST_F(pipeline_test, a_message_of_no_interest_does_not_reach_begin) {
  claims uses;
  uses.rsv = 2;
  uses.in_needs_rsv = true;
  uses.out_min_size = 4;
  uses.opcodes_of_interest = 1U << 2;
  stage_list stages;
  stages.add("x-a", uses, watcher{&log});
  pipeline& run = make(stages);
  send(run, direction::out, "abc");
  send(run, direction::out, "abcd", {}, head_of("abcd", 1));
  send(run, direction::in, "abcd");
  EXPECT_EQ(log.begins, 0);
  send(run, direction::out, "abcd");
  send(run, direction::out, "abc", {}, head_of("abc", 2, 0, false));
  EXPECT_EQ(log.begins, 2);
  const passed in = send(run, direction::in, "abcd", {}, head_of("abcd", 2, 2));
  EXPECT_EQ(log.begins, 3);
  EXPECT_EQ(in.h.rsv, 2);  // Nobody cleared it: the connection sees the bit and fails with 1002 (F-01).
  end();
}

}  // namespace
}  // namespace hawser
