// What every driver promises. One suite for all of them: over sockets of the system, and in memory.

#include "net/driver_rig.h"
#include "support/recorder.h"
#include "support/seeded_random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hawser::test {
namespace {

using net::address;
using net::loop;
using namespace std::chrono_literals;

struct maker {
  const char* name;
  std::unique_ptr<rig> (*make)();
};

template <class Rig>
std::unique_ptr<rig> make() {
  return std::make_unique<Rig>();
}

class driver_suite : public ::testing::TestWithParam<maker> {
 protected:
  loop& l() { return rig_->l(); }
  net::driver& io() { return rig_->io(); }
  bool until(const std::function<bool()>& done) { return rig_->until(done); }

  struct pair {
    std::unique_ptr<recorder> a, b;
  };
  pair make_streams(bool read = true) {
    const auto [a, b] = rig_->make_pair();
    return {std::make_unique<recorder>(l(), a, read), std::make_unique<recorder>(l(), b, read)};
  }

  std::unique_ptr<rig> rig_ = GetParam().make();
};

std::string pattern(std::size_t size, std::uint64_t seed = 1) {
  seeded_random random(seed);
  std::string made(size, '\0');
  for (char& c : made)
    c = static_cast<char>(random.next());
  return made;
}

// ---- bytes

TEST_P(driver_suite, bytes_go_both_ways) {
  const auto s = make_streams();
  s.a->send("there");
  s.b->send("and back");
  EXPECT_TRUE(until([&] { return s.b->received == "there" && s.a->received == "and back"; }));
}

TEST_P(driver_suite, megabytes_arrive_whole_and_in_order_through_short_writes) {
  const auto s = make_streams();
  const std::string there = pattern(5'000'000, 1);
  const std::string back = pattern(3'000'000, 2);
  s.a->send(there);
  s.b->send(back);
  EXPECT_TRUE(until([&] { return s.b->received.size() == there.size() && s.a->received.size() == back.size(); }));
  EXPECT_TRUE(s.b->received == there);
  EXPECT_TRUE(s.a->received == back);
  EXPECT_FALSE(s.a->waiting);
}

TEST_P(driver_suite, an_echo_of_every_size_returns) {
  const auto s = make_streams();
  s.b->when_received = [&](byte_span bytes) { s.b->send(as_text(bytes)); };
  std::string sent;
  for (std::size_t size = 1; size < 300'000; size = size * 3 + 1) {
    const std::string message = pattern(size, size);
    sent += message;
    s.a->send(message);
    EXPECT_TRUE(until([&] { return s.a->received.size() == sent.size(); })) << size;
  }
  EXPECT_TRUE(s.a->received == sent);
}

TEST_P(driver_suite, received_bytes_may_be_changed_and_have_room_in_front) {
  const auto s = make_streams();
  int seen = 0;
  s.b->when_received = [&](byte_span bytes) {
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
    std::fill(bytes.data() - 16, bytes.data(), std::byte{0});
    seen += static_cast<int>(bytes.size());
  };
  s.a->send("0123456789");
  EXPECT_TRUE(until([&] { return seen == 10; }));
}

TEST_P(driver_suite, many_chunks_go_out_in_order_also_more_than_the_system_takes_at_once) {
  const auto s = make_streams();
  const std::string all = pattern(100'000);
  std::vector<byte_view> chunks;
  seeded_random random(77);
  for (std::size_t at = 0; at < all.size();) {
    // Some are empty.
    const std::size_t n = std::min<std::size_t>(random.below(40), all.size() - at);
    chunks.push_back(as_bytes(std::string_view(all).substr(at, n)));
    at += n;
  }
  ASSERT_GT(chunks.size(), 4096U);
  const net::write_result r = io().write(*s.a, chunks);
  EXPECT_EQ(r.error, errc::ok);
  EXPECT_EQ(r.pending, r.done < all.size());
  s.a->kept = all.substr(r.done);
  s.a->waiting = r.pending;
  EXPECT_TRUE(until([&] { return s.b->received.size() == all.size(); }));
  EXPECT_TRUE(s.b->received == all);
}

TEST_P(driver_suite, writing_nothing_does_nothing) {
  const auto s = make_streams();
  const byte_view empty;
  for (const std::span<const byte_view> chunks : {std::span<const byte_view>(), std::span(&empty, 1)}) {
    const net::write_result r = io().write(*s.a, chunks);
    EXPECT_EQ(r.done, 0U);
    EXPECT_FALSE(r.pending);
    EXPECT_EQ(r.error, errc::ok);
  }
  rig_->settle();
  EXPECT_EQ(s.b->events, "");
}

// ---- reading

TEST_P(driver_suite, nothing_is_heard_before_reading_starts) {
  const auto s = make_streams(false);
  s.a->send("early");
  rig_->settle();
  EXPECT_EQ(s.b->events, "");
  io().start_reading(*s.b);
  EXPECT_TRUE(until([&] { return s.b->received == "early"; }));
}

TEST_P(driver_suite, reading_stops_and_starts_again_without_loss) {
  const auto s = make_streams();
  const std::string all = pattern(1'000'000);
  s.b->when_received = [&](byte_span) { io().stop_reading(*s.b); };
  s.a->send(all);
  while (s.b->received.size() < all.size()) {
    const std::size_t before = s.b->sizes.size();
    ASSERT_TRUE(until([&] { return s.b->sizes.size() > before; }));
    rig_->settle();
    ASSERT_EQ(s.b->sizes.size(), before + 1) << "heard while it was stopped";
    io().start_reading(*s.b);
    io().start_reading(*s.b);
  }
  EXPECT_TRUE(s.b->received == all);
}

TEST_P(driver_suite, a_stopped_stream_hears_no_end_until_it_reads_again) {
  auto s = make_streams();
  io().stop_reading(*s.b);
  s.a->send("last words");
  s.a->close();
  rig_->settle();
  EXPECT_EQ(s.b->events, "");
  io().start_reading(*s.b);
  EXPECT_TRUE(until([&] { return s.b->events.ends_with('e'); }));
  EXPECT_EQ(s.b->received, "last words");
}

TEST_P(driver_suite, read_into_puts_bytes_at_their_place_once) {
  const auto s = make_streams();
  buffer into = l().pool().take(100);
  std::fill(into.data(), into.data() + 100, std::byte{'.'});
  const std::byte* where = into.data();
  io().read_into(*s.b, std::move(into), 10, 50);
  s.a->send(std::string(60, 'x'));
  std::size_t in_buffer = 0;
  s.b->when_received_into = [&] { in_buffer = s.b->into_size; };
  EXPECT_TRUE(until([&] { return in_buffer + s.b->received.size() == 60; }));
  EXPECT_EQ(s.b->events[0], 'i');
  EXPECT_EQ(std::count(s.b->events.begin(), s.b->events.end(), 'i'), 1);
  EXPECT_GE(in_buffer, 1U);
  EXPECT_LE(in_buffer, 50U);
  EXPECT_EQ(s.b->into.data(), where) << "its own buffer is given back";
  std::string expected(100, '.');
  expected.replace(10, in_buffer, in_buffer, 'x');
  EXPECT_EQ(as_text(s.b->into.view()), expected);
}

TEST_P(driver_suite, a_read_into_no_room_is_no_read) {
  const auto s = make_streams();
  io().read_into(*s.b, l().pool().take(10), 10, 0);
  s.a->send("bytes");
  EXPECT_TRUE(until([&] { return s.b->received == "bytes"; }));
  EXPECT_EQ(s.b->events.find_first_not_of('r'), std::string::npos) << s.b->events;
}

TEST_P(driver_suite, a_message_is_gathered_by_read_into_again_and_again) {
  const auto s = make_streams();
  const std::string all = pattern(2'000'000);
  buffer message = l().pool().take(all.size());
  std::size_t have = 0;
  s.b->when_received_into = [&] {
    have += s.b->into_size;
    if (have < all.size()) io().read_into(*s.b, std::move(s.b->into), have, all.size() - have);
  };
  io().read_into(*s.b, std::move(message), 0, all.size());
  s.a->send(all + "next");
  EXPECT_TRUE(until([&] { return s.b->received == "next"; }));
  EXPECT_EQ(have, all.size());
  EXPECT_TRUE(as_text(s.b->into.view()) == all);
}

TEST_P(driver_suite, a_buffer_that_was_lent_survives_the_end_of_its_stream) {
  for (const bool data_under_way : {false, true}) {
    const auto s = make_streams();
    buffer into = l().pool().take(1000);
    const buffer held = into;
    io().read_into(*s.b, std::move(into), 0, 1000);
    if (data_under_way) s.a->send("too late");
    s.b->close();
    rig_->settle();
    EXPECT_EQ(s.b->events, "");
    rig_->until([&] { return held.sole_owner(); });
    EXPECT_TRUE(held.sole_owner()) << "the driver gives it up in the end";
  }
}

// ---- the end

TEST_P(driver_suite, the_end_is_heard_once_behind_all_bytes) {
  const auto s = make_streams();
  s.a->send(pattern(100'000));
  ASSERT_TRUE(until([&] { return !s.a->waiting && s.a->kept.empty(); }));
  io().shutdown_write(*s.a);
  ASSERT_TRUE(until([&] { return s.b->events.ends_with('e'); }));
  EXPECT_EQ(s.b->received.size(), 100'000U);
  io().start_reading(*s.b);
  rig_->settle();
  EXPECT_EQ(std::count(s.b->events.begin(), s.b->events.end(), 'e'), 1);
  EXPECT_TRUE(s.b->is_open());
}

TEST_P(driver_suite, after_the_peers_end_writing_goes_on) {
  const auto s = make_streams();
  io().shutdown_write(*s.a);
  s.b->when_end = [&] { s.b->send(pattern(700'000)); };
  EXPECT_TRUE(until([&] { return s.a->received.size() == 700'000; }));
  io().shutdown_write(*s.b);
  EXPECT_TRUE(until([&] { return s.a->events.ends_with('e'); }));
  rig_->settle();
  EXPECT_EQ(s.a->error, errc::ok);
  EXPECT_EQ(s.b->error, errc::ok);
}

TEST_P(driver_suite, ended_streams_that_nobody_closes_cost_no_time) {
  const auto s = make_streams();
  io().shutdown_write(*s.a);
  io().shutdown_write(*s.b);
  ASSERT_TRUE(until([&] { return s.a->events == "e" && s.b->events == "e"; }));
  rig_->settle();
  const std::uint64_t before = io().calls().waits;
  const tick deadline = l().refresh_now() + 30ms;
  while (l().now() < deadline)
    l().run_once(deadline);
  EXPECT_LE(io().calls().waits - before, 3U) << "the loop spins";
}

TEST_P(driver_suite, closing_is_an_end_to_the_peer) {
  const auto s = make_streams();
  s.a->send("bye");
  ASSERT_TRUE(until([&] { return s.a->kept.empty(); }));
  s.a->close();
  EXPECT_FALSE(s.a->is_open());
  EXPECT_TRUE(until([&] { return s.b->events.ends_with('e'); }));
  EXPECT_EQ(s.b->received, "bye");
}

TEST_P(driver_suite, a_reset_is_an_error_to_the_peer) {
  const auto s = make_streams();
  s.a->close(true);
  ASSERT_TRUE(until([&] { return !s.b->events.empty(); }));
  rig_->settle();
  EXPECT_EQ(s.b->events, rig_->resets() ? "x" : "e") << "said once, also when nobody closes";
  EXPECT_EQ(s.b->error, rig_->resets() ? errc::connection_lost : errc::ok);
}

TEST_P(driver_suite, what_came_before_a_reset_is_heard_first) {
  const auto s = make_streams();
  io().stop_reading(*s.b);
  s.a->send("a last word");
  ASSERT_TRUE(until([&] { return s.a->kept.empty(); }));
  s.a->close(true);
  rig_->settle();
  io().start_reading(*s.b);
  ASSERT_TRUE(until([&] { return s.b->events.ends_with(rig_->resets() ? 'x' : 'e'); }));
  EXPECT_EQ(s.b->received, "a last word");
}

// No SIGPIPE: it would end the program here.
TEST_P(driver_suite, writing_to_a_peer_that_is_gone_is_an_error_and_no_signal) {
  const auto s = make_streams();
  s.a->close(true);
  io().stop_reading(*s.b);
  rig_->settle();
  for (int i = 0; i < 10 && s.b->write_error == errc::ok; ++i) {
    s.b->send(pattern(1000));
    rig_->settle();
  }
  EXPECT_EQ(s.b->write_error, errc::connection_lost);
  // In several chunks too.
  const std::vector<byte_view> chunks(3, as_bytes("chunk"));
  EXPECT_EQ(io().write(*s.b, chunks).error, errc::connection_lost);
}

TEST_P(driver_suite, a_write_that_waits_hears_when_the_peer_is_gone) {
  const auto s = make_streams();
  io().stop_reading(*s.a);
  io().stop_reading(*s.b);
  s.a->send(pattern(rig_->flood()));
  rig_->settle();
  ASSERT_TRUE(s.a->waiting);
  s.b->close(true);
  ASSERT_TRUE(until([&] { return s.a->write_error != errc::ok || s.a->error != errc::ok; }));
}

// ---- writing

TEST_P(driver_suite, a_pending_write_is_told_once_and_only_when_there_is_room) {
  const auto s = make_streams();
  io().stop_reading(*s.b);
  s.a->send(pattern(rig_->flood()));
  ASSERT_TRUE(until([&] {
    // Until the whole way to the peer is full.
    const std::string before = s.a->events;
    rig_->settle();
    return s.a->waiting && before == s.a->events;
  }));
  const std::uint64_t waits = io().calls().waits;
  const tick deadline = l().refresh_now() + 30ms;
  while (l().now() < deadline)
    l().run_once(deadline);
  EXPECT_LE(io().calls().waits - waits, 3U) << "a full stream makes the loop spin";
  io().start_reading(*s.b);
  EXPECT_TRUE(until([&] { return s.b->received.size() == rig_->flood(); }));
}

TEST_P(driver_suite, only_a_pending_write_is_followed_by_a_call) {
  const auto s = make_streams();
  int pending = 0;
  for (int i = 0; i < 10; ++i) {
    s.a->send("small");
    pending += s.a->waiting ? 1 : 0;
    ASSERT_TRUE(until([&] { return !s.a->waiting && s.a->kept.empty(); }));
  }
  ASSERT_TRUE(until([&] { return s.b->received.size() == 50; }));
  rig_->settle();
  const auto written = std::count(s.a->events.begin(), s.a->events.end(), 'w');
  EXPECT_GE(written, pending);
  EXPECT_EQ(written == 0, pending == 0);
}

// ---- closing in the middle

// H1: whatever is closed, in whatever call-back, nothing more is heard of it, not even what was on its way.
TEST_P(driver_suite, a_stream_may_close_itself_and_die_in_any_call_back) {
  for (const char where : {'r', 'i', 'e', 'w', 'x'}) {
    if (where == 'x' && !rig_->resets()) continue;
    SCOPED_TRACE(where);
    auto s = make_streams();
    recorder& b = *s.b;
    bool closed = false;
    const auto on = [&](char letter) {
      return [&, letter] {
        EXPECT_FALSE(closed) << letter << " was heard after the close";
        if (letter != where || closed) return;
        closed = true;
        b.close();
        l().bury(std::move(s.b));
      };
    };
    b.when_received = [heard = on('r')](byte_span) { heard(); };
    b.when_received_into = on('i');
    b.when_end = on('e');
    b.when_written = on('w');
    b.when_error = on('x');
    if (where == 'i') io().read_into(b, l().pool().take(10), 0, 10);
    if (where == 'w') {
      io().stop_reading(*s.a);
      b.send(pattern(rig_->flood()));
      io().start_reading(*s.a);
    }
    s.a->send("hello");
    s.a->send("hello again");
    if (where == 'e') io().shutdown_write(*s.a);
    if (where == 'x') s.a->close(true);
    EXPECT_TRUE(until([&] { return closed; }));
    rig_->settle();
  }
}

TEST_P(driver_suite, closing_another_stream_of_the_same_batch_silences_it) {
  constexpr std::size_t count = 40;
  std::vector<pair> pairs;
  for (std::size_t i = 0; i < count; ++i)
    pairs.push_back(make_streams());
  std::size_t heard = 0;
  std::size_t destroyed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    pairs[i].b->when_received = [&, i](byte_span) {
      ++heard;
      // Destroys all others at once, with what is in this batch for them.
      for (std::size_t j = 0; j < count; ++j)
        if (j != i && pairs[j].b) {
          pairs[j].b.reset();
          ++destroyed;
        }
    };
    pairs[i].a->send("x");
  }
  ASSERT_TRUE(until([&] { return heard != 0; }));
  rig_->settle();
  EXPECT_EQ(heard, 1U);
  EXPECT_EQ(destroyed, count - 1);
}

TEST_P(driver_suite, a_closed_stream_may_be_used_for_another_handle_at_once) {
  const auto first = make_streams();
  const auto second = make_streams(false);
  first.a->send("of the old one");
  const int handle = io().release(*second.b);
  first.b->close();
  io().adopt(*first.b, handle);
  io().start_reading(*first.b);
  second.a->send("of the new one");
  EXPECT_TRUE(until([&] { return first.b->received == "of the new one"; }));
}

TEST_P(driver_suite, close_may_be_called_from_any_state_and_twice) {
  for (int state = 0; state < 5; ++state) {
    const auto s = make_streams(state != 0);
    if (state == 2) io().shutdown_write(*s.a);
    if (state == 3) s.a->send(pattern(rig_->flood()));
    if (state == 4) {
      s.b->close();
      rig_->settle();
    }
    io().close(*s.a, state % 2 == 0);
    EXPECT_FALSE(s.a->is_open());
    io().close(*s.a);
    const std::string events = s.a->events;
    rig_->settle();
    EXPECT_EQ(s.a->events, events);
  }
}

TEST_P(driver_suite, a_handle_moves_to_another_stream_without_loss) {
  const auto s = make_streams();
  s.a->send("first ");
  ASSERT_TRUE(until([&] { return s.b->received == "first "; }));
  io().stop_reading(*s.b);
  s.a->send("second ");
  rig_->settle();
  const int handle = io().release(*s.b);
  EXPECT_FALSE(s.b->is_open());
  s.a->send("third");
  recorder heir(l(), handle);
  EXPECT_TRUE(until([&] { return heir.received == "second third"; }));
  EXPECT_EQ(s.b->received, "first ");
  heir.send("answer");
  EXPECT_TRUE(until([&] { return s.a->received == "answer"; }));
}

// ---- connecting and accepting

class host final : public net::acceptor {
 public:
  explicit host(loop& l) : loop_(l) {}
  void on_accepted(int handle, const address& peer) override {
    peers.push_back(peer);
    streams.push_back(std::make_unique<recorder>(loop_, handle));
    if (when_accepted) when_accepted();
  }
  std::vector<address> peers;
  std::vector<std::unique_ptr<recorder>> streams;
  std::function<void()> when_accepted;

 private:
  loop& loop_;
};

TEST_P(driver_suite, a_connect_reaches_who_listens_and_never_answers_within_the_call) {
  host server(l());
  address bound;
  ASSERT_EQ(io().listen(server, rig_->any_address(), {}, bound), errc::ok);
  recorder client(l());
  ASSERT_EQ(io().connect(client, bound), errc::ok);
  EXPECT_EQ(client.events, "");
  EXPECT_TRUE(client.is_open());
  ASSERT_TRUE(until([&] { return client.events == "c" && server.streams.size() == 1; }));
  EXPECT_EQ(io().remote_address(client), bound);
  EXPECT_EQ(io().local_address(*server.streams[0]), bound);
  EXPECT_EQ(server.peers[0].family(), bound.family());
  if (bound.family() != address::kind::unix_path) {
    EXPECT_NE(bound.port(), 0);
    EXPECT_EQ(server.peers[0], io().local_address(client));
    EXPECT_TRUE(server.peers[0].loopback());
  }
  io().start_reading(client);
  client.send("hello");
  server.streams[0]->send("welcome");
  EXPECT_TRUE(until([&] { return server.streams[0]->received == "hello" && client.received == "welcome"; }));
  io().stop_listening(server);
}

TEST_P(driver_suite, a_connect_to_nobody_is_refused) {
  address gone;
  {
    host server(l());
    ASSERT_EQ(io().listen(server, rig_->any_address(), {}, gone), errc::ok);
    io().stop_listening(server);
  }
  recorder client(l());
  const errc at_once = io().connect(client, gone);
  if (at_once == errc::ok) {
    EXPECT_EQ(client.events, "");
    ASSERT_TRUE(until([&] { return !client.events.empty(); }));
    EXPECT_EQ(client.events, "x");
    EXPECT_EQ(client.error, errc::connection_refused);
  } else {
    EXPECT_EQ(at_once, errc::connection_refused);
    EXPECT_FALSE(client.is_open());
    rig_->settle();
    EXPECT_EQ(client.events, "");
  }
}

TEST_P(driver_suite, a_connect_that_is_closed_is_never_heard_of) {
  host server(l());
  address bound;
  ASSERT_EQ(io().listen(server, rig_->any_address(), {}, bound), errc::ok);
  recorder client(l());
  ASSERT_EQ(io().connect(client, bound), errc::ok);
  client.close();
  rig_->settle();
  EXPECT_EQ(client.events, "");
  io().stop_listening(server);
}

TEST_P(driver_suite, an_address_is_taken_once) {
  host server(l());
  host second(l());
  address bound;
  address again;
  ASSERT_EQ(io().listen(server, rig_->any_address(), {}, bound), errc::ok);
  EXPECT_EQ(io().listen(second, bound, {}, again), errc::address_in_use);
  io().stop_listening(server);
}

TEST_P(driver_suite, an_acceptor_may_stop_and_go_from_its_call_back) {
  auto server = std::make_unique<host>(l());
  address bound;
  ASSERT_EQ(io().listen(*server, rig_->any_address(), {}, bound), errc::ok);
  bool gone = false;
  server->when_accepted = [&] {
    io().stop_listening(*server);
    gone = true;
  };
  std::vector<std::unique_ptr<recorder>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<recorder>(l()));
    ASSERT_EQ(io().connect(*clients.back(), bound), errc::ok);
  }
  ASSERT_TRUE(until([&] { return gone; }));
  EXPECT_EQ(server->streams.size(), 1U);
  server.reset();
  rig_->settle();
}

TEST_P(driver_suite, a_burst_of_connects_is_accepted_to_the_last) {
  host server(l());
  address bound;
  ASSERT_EQ(io().listen(server, rig_->any_address(), {}, bound), errc::ok);
  std::vector<std::unique_ptr<recorder>> clients;
  for (int i = 0; i < 300; ++i) {
    clients.push_back(std::make_unique<recorder>(l()));
    ASSERT_EQ(io().connect(*clients.back(), bound), errc::ok);
  }
  EXPECT_TRUE(until([&] { return server.streams.size() == 300; }));
  io().stop_listening(server);
}

INSTANTIATE_TEST_SUITE_P(all, driver_suite,
                         ::testing::Values(maker{"epoll_tcp", make<tcp_rig>}, maker{"epoll_unix", make<unix_rig>},
                                           maker{"fake", make<fake_rig>}, maker{"fake_late", make<late_rig>},
                                           maker{"fake_completing", make<completing_rig>}),
                         [](const auto& suite) { return suite.param.name; });

}  // namespace
}  // namespace hawser::test
