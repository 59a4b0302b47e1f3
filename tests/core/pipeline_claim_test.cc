// What a transform makes of a message outwards, against what its claims say that it adds.
#include "core/scripted_stage.h"

namespace hawser {
namespace {

struct pipeline_claim_test : test::scripted_test {
  /// Takes as much as it is given and makes `times` as many bytes of it, and `more` in front.
  void multiplies(std::size_t times, std::size_t more) {
    a->begin = [](direction, head&, context&) { return verdict::transform; };
    a->transform = [=, front = more, owed = std::size_t{0}](direction, byte_view in, byte_span out, bool fin,
                                                            context&) mutable {
      step did;
      did.consumed = in.size();
      owed += times * in.size() + std::exchange(front, 0);
      did.produced = std::min(owed, out.size());
      std::fill_n(out.begin(), did.produced, std::byte{'m'});
      owed -= did.produced;
      did.next = owed != 0 ? flow::full : fin ? flow::done : flow::more;
      return did;
    };
  }

  test::passed sent(std::size_t size, std::size_t chunk, direction way = direction::out) {
    make();
    const test::passed out = test::send(*p, way, std::string(size, 'x'), {.chunk = chunk});
    p->closed(close_code::normal, test::at_time(0));
    return out;
  }
};

TEST_F(pipeline_claim_test, a_transform_may_add_what_it_claimed_and_no_byte_more) {
  for (const std::size_t step : {1U, 7U, 16384U}) {
    for (const std::size_t chunk : {0U, 1U, 3U}) {
      limits.step = step;
      uses.adds_max = 20;
      multiplies(1, 20);
      const test::passed exact = sent(50, chunk);
      EXPECT_TRUE(exact.fin) << p->last_breach();
      EXPECT_EQ(exact.bytes.size(), 70U);
      EXPECT_EQ(p->breaches(), 0U) << p->last_breach();
      multiplies(1, 21);
      EXPECT_TRUE(sent(50, chunk).failed);
      EXPECT_EQ(p->fail_code(), close_code::internal_error);
      EXPECT_EQ(p->fail_error(), errc::extension_threw);
    }
  }
}

TEST_F(pipeline_claim_test, the_line_for_the_author_says_how_much_and_what_to_do) {
  multiplies(2, 0);
  EXPECT_TRUE(sent(6, 0).failed);
  EXPECT_EQ(p->last_breach(),
            "x-a: its transform made 12 bytes of 6, its adds_max of 0 allows 6: claim what it adds, or end");
}

// One that makes and makes has nothing else that ends it: no message limit holds outwards by default.
TEST_F(pipeline_claim_test, a_transform_that_never_ends_fails_before_it_takes_memory) {
  for (const std::uint16_t adds : {std::uint16_t{0}, std::uint16_t{300}, claims::grows}) {
    for (const bool takes : {false, true}) {
      uses.adds_max = adds;
      a->begin = [](direction, head&, context&) { return verdict::transform; };
      a->transform = [takes](direction, byte_view in, byte_span out, bool, context&) {
        std::fill(out.begin(), out.end(), std::byte{'m'});
        return step{takes ? in.size() : 0, out.size(), flow::full, 0};
      };
      const test::passed out = sent(1000, 0);
      EXPECT_TRUE(out.failed);
      EXPECT_EQ(p->fail_code(), close_code::internal_error);
      EXPECT_LE(out.bytes.size(), claims::most_made(adds, takes ? 1000 : 0));
    }
  }
}

TEST_F(pipeline_claim_test, what_grows_with_the_message_may_be_eight_times_as_long_and_65535_bytes_more) {
  uses.adds_max = claims::grows;
  multiplies(8, 65535);
  EXPECT_EQ(sent(1000, 100).bytes.size(), 8000U + 65535);
  multiplies(8, 65536);
  EXPECT_TRUE(sent(1000, 100).failed);
  EXPECT_EQ(p->fail_code(), close_code::internal_error);
  EXPECT_EQ(claims::most_made(claims::grows, ~std::uint64_t{0}), (std::uint64_t{1} << 61) + 65535) << "no overflow";
}

TEST_F(pipeline_claim_test, bytes_that_are_taken_back_are_not_counted) {
  uses.trim_max = 4;
  a->begin = [](direction, head&, context&) { return verdict::transform; };
  a->transform = [](direction, byte_view in, byte_span out, bool fin, context&) {
    std::copy(in.begin(), in.end(), out.begin());
    return step{in.size(), in.size() + (fin ? 4U : 0U), fin ? flow::done : flow::more,
                static_cast<std::uint8_t>(fin ? 4 : 0)};
  };
  for (const std::size_t chunk : {0U, 1U, 5U}) {
    EXPECT_EQ(sent(12, chunk).bytes.size(), 12U) << p->last_breach();
    EXPECT_EQ(p->breaches(), 0U);
  }
}

// Inwards `adds_max` bounds nothing but the limit does, to the byte.
TEST_F(pipeline_claim_test, inwards_a_transform_that_never_ends_is_over_the_limit) {
  limits.max_message_in = 100'000;
  a->begin = [](direction, head&, context&) { return verdict::transform; };
  a->transform = [](direction, byte_view, byte_span out, bool, context&) {
    std::fill(out.begin(), out.end(), std::byte{'m'});
    return step{0, out.size(), flow::full, 0};
  };
  const test::passed in = sent(10, 0, direction::in);
  EXPECT_TRUE(in.failed);
  EXPECT_LE(in.bytes.size(), 100'000U);
  EXPECT_EQ(p->fail_code(), close_code::message_too_big);
}

TEST_F(pipeline_claim_test, a_transform_without_progress_breaks_the_contract_both_ways) {
  for (const direction way : {direction::out, direction::in}) {
    for (const flow says : {flow::full, flow::more}) {
      a->begin = [](direction, head&, context&) { return verdict::transform; };
      a->transform = [says](direction, byte_view, byte_span, bool, context&) { return step{0, 0, says, 0}; };
      EXPECT_TRUE(sent(10, 0, way).failed);
      EXPECT_EQ(p->fail_code(), close_code::internal_error);
      EXPECT_EQ(p->fail_reason(), says == flow::full ? "x-a: its transform said full without progress"
                                                     : "x-a: its transform wants more and left input behind");
    }
  }
}

}  // namespace
}  // namespace hawser
