// A page whose content the loops have to be asked for is answered like one that is at hand.

#include "ws/asked_page.h"

#include <gtest/gtest.h>

#include <string>

namespace hawser::test {
namespace {

constexpr std::string_view good = "HTTP/1.1 200 OK\r\n";

TEST(late_answer, comes_when_it_is_known) {
  asked_page p;
  const int peer = p.ask();
  ASSERT_EQ(p.asked.size(), 1U);
  EXPECT_EQ(p.l.take(peer), "");
  p.answer();
  const std::string got = p.l.take(peer);
  EXPECT_TRUE(got.starts_with(good)) << got;
  EXPECT_NE(got.find("hawser_connections 0"), std::string::npos);
  EXPECT_TRUE(p.l.driver().ended(peer));
  p.answer();
  EXPECT_EQ(p.l.take(peer), "") << "once";
}

TEST(late_answer, comes_from_another_thread_too) {
  asked_page p;
  const int peer = p.ask();
  mailbox* mine = std::exchange(current_mailbox, nullptr);
  p.asked.at(0)(metrics{});
  current_mailbox = mine;
  EXPECT_EQ(p.l.take(peer), "");
  p.l.turn();
  EXPECT_TRUE(p.l.take(peer).starts_with(good));
}

// The peer has its answer and does not hang up: it is no opening handshake any more.
TEST(late_answer, gives_its_place_among_the_handshakes_back) {
  asked_page p;
  p.ask();
  const int second = p.ask();
  EXPECT_TRUE(p.l.take(second).starts_with("HTTP/1.1 503 ")) << "one handshake at a time: this shows nothing";
  p.answer();
  p.ask();
  EXPECT_EQ(p.asked.size(), 2U);
}

// A peer that has said all it has to say may end its side (RFC 9112, 9.6).
TEST(late_answer, comes_to_a_peer_that_has_ended_its_side) {
  for (const std::size_t room : {std::size_t{100}, std::size_t{100'000}}) {
    asked_page p;
    const int peer = p.ask();
    p.l.driver().finish(peer);
    p.l.turn();
    p.l.driver().script.room = room;
    ASSERT_EQ(p.l.work.sessions().size(), 1U);
    p.answer();
    std::string got;
    for (int i = 0; i < 100 && !p.l.driver().ended(peer); ++i)
      got += p.l.take(peer);
    got += p.l.take(peer);
    EXPECT_TRUE(got.starts_with(good)) << got;
    EXPECT_TRUE(got.ends_with("hawser_sent_bytes_total 0\n")) << got;
    EXPECT_TRUE(p.l.driver().ended(peer));
    EXPECT_FALSE(p.l.driver().broken(peer));
    EXPECT_TRUE(p.l.work.sessions().empty()) << "there is nobody to wait for";
  }
}

TEST(late_answer, is_of_no_use_to_a_peer_that_is_gone) {
  asked_page p;
  const int peer = p.ask();
  p.l.driver().hang_up(peer, true);
  p.l.turn();
  EXPECT_TRUE(p.l.work.sessions().empty());
  p.answer();
}

// The request was complete, so it is not to be blamed for the time.
TEST(late_answer, that_does_not_come_in_time_is_this_ends_fault) {
  for (const bool ended : {false, true}) {
    asked_page p;
    const int peer = p.ask();
    if (ended) p.l.driver().finish(peer);
    p.l.clock.advance(asked_page::patience + 1s);
    p.l.turn();
    const std::string got = p.l.take(peer);
    EXPECT_TRUE(got.starts_with("HTTP/1.1 503 ")) << got;
    EXPECT_NE(got.find("\r\nRetry-After: "), std::string::npos) << got;
    EXPECT_EQ(got.find("was not complete"), std::string::npos) << got;
    p.answer();
    EXPECT_EQ(p.l.take(peer), "") << "it is too late";
    EXPECT_EQ(p.l.work.sessions().empty(), ended);
  }
}

}  // namespace
}  // namespace hawser::test
