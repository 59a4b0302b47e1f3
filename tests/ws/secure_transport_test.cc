// TLS over the fake driver: records cut anywhere, writes that the system takes late or in part, ends in any order.
#include "ws/secure_transport.h"

#include "support/authority.h"
#include "support/fake_driver.h"
#include "support/recorder.h"
#include "support/sanitizers.h"
#include "support/seeded_random.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace hawser::test {
namespace {

struct secured : ::testing::Test {
  manual_clock clock;
  std::unique_ptr<net::loop> loop = make_fake_loop(clock);
  fake_driver& io = fake_driver::of(*loop);
  authority root = authority::root();
  std::unique_ptr<secure_transport> over = std::make_unique<secure_transport>(*loop);
  std::unique_ptr<recorder> client;
  std::unique_ptr<recorder> server;

  void TearDown() override {
    client.reset();
    server.reset();
    run();
    over.reset();
  }

  void begin(std::string_view host = "example.org") {
    const auto [a, b] = io.make_pair();
    client_tls trust;
    trust.ca = pem::text(root.certificate());
    server_tls own;
    own.identity = root.issue(certificate_wish("example.org")).identity();
    client = std::make_unique<recorder>(*over);
    server = std::make_unique<recorder>(*over);
    over->adopt(*client, a, *tls::context::client(trust), host, 443);
    over->adopt(*server, b, *tls::context::server(own), {}, 0);
    over->start_reading(*client);
    over->start_reading(*server);
    server->when_error = [this] { server->close(); };
    client->when_error = [this] { client->close(); };
  }

  void run() {
    loop->run_once(loop->now());
    while (!io.idle())
      loop->run_once(loop->now() + std::chrono::seconds(1));
  }
};

TEST_F(secured, what_is_sent_before_tls_is_there_waits_for_it) {
  begin();
  client->send("hello");
  EXPECT_TRUE(client->waiting);
  run();
  EXPECT_EQ(server->received, "hello");
  server->send("and back");
  run();
  EXPECT_EQ(client->received, "and back");
}

TEST_F(secured, records_cut_at_every_byte) {
  io.script.receive_size = [] { return std::size_t{1}; };
  begin();
  client->send("hello");
  run();
  EXPECT_EQ(server->received, "hello");
}

TEST_F(secured, writes_that_are_taken_in_part_or_late) {
  for (const bool late : {false, true}) {
    seeded_random random(6455);
    io.script.late_writes = late;
    io.script.write_size = [&] { return std::size_t{1} + random.below(40'000); };
    io.script.receive_size = [&] { return std::size_t{1} + random.below(40'000); };
    begin();
    std::string sent;
    for (int i = 0; i < 20; ++i) {
      const std::string piece(random.below(200'000), static_cast<char>('a' + i));
      sent += piece;
      client->send(piece);
      server->send(piece);
      if (i % 3 == 0) run();
    }
    run();
    EXPECT_EQ(server->received, sent);
    EXPECT_EQ(client->received, sent);
    client.reset();
    server.reset();
    run();
  }
}

TEST_F(secured, a_large_buffer_is_filled_directly) {
  begin();
  client->send("x");
  run();
  server->received.clear();
  server->events.clear();
  buffer into = loop->pool().take(2 << 20);
  over->read_into(*server, into, 10, (2 << 20) - 10);
  client->send(std::string(100'000, 'y'));
  run();
  EXPECT_EQ(server->events.find_first_not_of("ir"), std::string::npos) << server->events;
  EXPECT_EQ(server->events.front(), 'i');
  EXPECT_EQ(server->into_size + server->received.size(), 100'000U);
}

// A client whose bytes the test moves by hand.
struct by_hand {
  by_hand(secured& world, tls::context how) : io(world.io), filter(how, "example.org", 443) {
    const auto [a, b] = io.make_pair();
    own = a;
    server_tls identity;
    identity.identity = world.root.issue(certificate_wish("example.org")).identity();
    world.server = std::make_unique<recorder>(*world.over);
    world.over->adopt(*world.server, b, *tls::context::server(identity), {}, 0);
    world.over->start_reading(*world.server);
    while (!filter.is_open()) {
      filter.handshake(sink);
      send();
      world.run();
      heard = io.take(own);
      filter.feed(as_bytes(heard), {});
      if (filter.error() != errc::ok) throw std::runtime_error(filter.why());
    }
    send();
    world.run();
  }
  void send() {
    io.put(own, sink);
    sink.clear();
  }

  fake_driver& io;
  tls::filter filter;
  tls::record_sink sink;
  std::string heard;
  int own = -1;
};

TEST_F(secured, I5_who_ends_without_close_notify_truncates) {
  client_tls trust;
  trust.ca = pem::text(root.certificate());
  for (const std::size_t cut : {0U, 1U, 4U, 5U, 6U, 20U}) {
    by_hand peer(*this, *tls::context::client(trust));
    peer.filter.write(as_bytes("whole"), peer.sink);
    peer.send();
    peer.filter.write(as_bytes("cut off"), peer.sink);
    peer.sink.resize(cut);
    peer.send();
    io.finish(peer.own);
    run();
    EXPECT_EQ(server->received, "whole");
    EXPECT_EQ(server->error, errc::truncated) << cut;
    server.reset();
    run();
    io.hang_up(peer.own, false);
  }
}

TEST_F(secured, an_end_that_is_said_is_no_error) {
  begin();
  client->send("hello");
  run();
  over->shutdown_write(*client);
  run();
  EXPECT_EQ(server->received, "hello");
  EXPECT_EQ(server->events.back(), 'e') << server->events;
  EXPECT_EQ(server->error, errc::ok);
}

// `stop_reading`: nothing is heard, not even the end. What came with it may wait with the owner.
TEST_F(secured, an_end_waits_for_who_does_not_read) {
  client_tls trust;
  trust.ca = pem::text(root.certificate());
  for (const bool damaged : {false, true}) {
    by_hand peer(*this, *tls::context::client(trust));
    server->when_received = [this](byte_span) { over->stop_reading(*server); };
    peer.filter.write(as_bytes("last words"), peer.sink);
    if (damaged) {
      peer.filter.write(as_bytes("damaged"), peer.sink);
      peer.sink.back() ^= std::byte{1};
    } else {
      peer.filter.close(peer.sink);
    }
    peer.send();
    run();
    EXPECT_EQ(server->received, "last words");
    EXPECT_EQ(server->events, "r");
    over->start_reading(*server);
    EXPECT_EQ(server->events, "r") << "not within the call";
    loop->run_once(loop->now() + std::chrono::seconds(1));
    EXPECT_EQ(server->events, damaged ? "rx" : "re");
    EXPECT_EQ(server->error, damaged ? errc::tls_failed : errc::ok);
    server.reset();
    run();
    io.hang_up(peer.own, false);
  }
}

// The system's end may come before the loop has told the error that waited. Who lets its alert go out then hears of
// both; behind a reset no alert goes out.
TEST_F(secured, an_error_that_waited_and_the_end_behind_it_are_told) {
  client_tls trust;
  trust.ca = pem::text(root.certificate());
  for (const bool reset : {false, true}) {
    by_hand peer(*this, *tls::context::client(trust));
    server->when_received = [this](byte_span) { over->stop_reading(*server); };
    peer.filter.write(as_bytes("last words"), peer.sink);
    peer.filter.write(as_bytes("damaged"), peer.sink);
    peer.sink.back() ^= std::byte{1};
    peer.send();
    run();
    EXPECT_EQ(server->events, "r");
    io.hang_up(peer.own, reset);
    over->start_reading(*server);
    run();
    EXPECT_EQ(server->events, reset ? "rx" : "rxe");
    EXPECT_EQ(server->error, reset ? errc::connection_lost : errc::tls_failed);
    server.reset();
    run();
  }
}

// Who was told that TLS has failed lets its alert go out, and hears of the end of that.
TEST_F(secured, an_end_behind_an_error_is_told) {
  client_tls trust;
  trust.ca = pem::text(root.certificate());
  for (const bool reset : {false, true}) {
    by_hand peer(*this, *tls::context::client(trust));
    peer.filter.write(as_bytes("damaged"), peer.sink);
    peer.sink.back() ^= std::byte{1};
    peer.send();
    run();
    EXPECT_EQ(server->events, "x");
    EXPECT_EQ(server->error, errc::tls_failed);
    over->shutdown_write(*server);
    io.hang_up(peer.own, reset);
    run();
    EXPECT_EQ(server->events, "xe");
  }
}

// As behind a plain stream: who still writes hears that nobody takes it any more.
TEST_F(secured, a_reset_behind_the_end_is_told) {
  client_tls trust;
  trust.ca = pem::text(root.certificate());
  by_hand peer(*this, *tls::context::client(trust));
  peer.filter.close(peer.sink);
  peer.send();
  run();
  EXPECT_EQ(server->events, "e");
  server->send(std::string(1 << 20, 'x'));
  EXPECT_TRUE(server->waiting);
  io.hang_up(peer.own, true);
  run();
  EXPECT_EQ(server->events, "ex");
  EXPECT_EQ(server->error, errc::connection_lost);
}

TEST_F(secured, F1_a_certificate_for_another_host_comes_as_an_error) {
  begin("example.com");
  client->send("secret");
  run();
  EXPECT_EQ(client->error, errc::certificate_refused);
  EXPECT_EQ(server->received, "");
  EXPECT_EQ(server->error, errc::tls_failed);
}

// One end over the fake driver, the other by hand: its stream is cut in two behind `cut` bytes, and there the test does
// something.
struct cut_stream {
  cut_stream(secured& of, bool hand_is_client, std::size_t at, const tls::context& hand_context,
             const tls::context& other_context)
      : world(of), cut(at), hand(hand_context, hand_is_client ? "example.org" : "", 443), other(*of.over) {
    const auto [a, b] = world.io.make_pair();
    own = a;
    world.over->adopt(other, b, other_context, hand_is_client ? "" : "example.org", 443);
    world.over->start_reading(other);
    other.when_error = [this] { other.close(); };
  }

  /// The handshake, and a message each way. Ends early when `at_cut` has ended the stream.
  void play() {
    while (!ended && !(hand.is_open() && said)) {
      hand.handshake(sink);
      if (hand.is_open() && !std::exchange(said, true)) hand.write(as_bytes("by hand"), sink);
      send();
      hear();
    }
    if (ended) return;
    other.send("in answer");
    world.run();
    hear();
  }

  std::function<void()> at_cut = [this] { world.run(); };
  secured& world;
  std::size_t cut;
  tls::filter hand;
  recorder other;
  tls::record_sink sink;
  std::string heard;
  std::string received;
  std::size_t offset = 0;
  int own = -1;
  bool said = false;
  bool ended = false;

 private:
  void send() {
    const byte_view all(sink);
    const bool here = offset <= cut && cut < offset + all.size();
    const std::size_t first = here ? cut - offset : all.size();
    world.io.put(own, all.first(first));
    if (here) at_cut();
    if (!ended && here) world.io.put(own, all.subspan(first));
    world.run();
    offset += all.size();
    sink.clear();
  }
  void hear() {
    if (ended) return;
    heard = world.io.take(own);
    hand.feed(as_bytes(heard), {});
    hand.handshake(sink);
    std::byte room[1000];
    while (const std::size_t n = hand.read(room, sink))
      received.append(as_text(byte_view(room, n)));
  }
};

struct cut_streams : secured, ::testing::WithParamInterface<bool> {
  tls::context of_client = [this] {
    client_tls how;
    how.ca = pem::text(root.certificate());
    how.tickets = false;
    return *tls::context::client(how);
  }();
  tls::context of_server = [this] {
    server_tls how;
    how.identity = root.issue(certificate_wish("example.org")).identity();
    return *tls::context::server(how);
  }();

  std::unique_ptr<cut_stream> at(std::size_t cut) {
    const bool by_client = GetParam();
    return std::make_unique<cut_stream>(*this, by_client, cut, by_client ? of_client : of_server,
                                        by_client ? of_server : of_client);
  }
  // How long the stream is at least: signatures differ by a byte or two.
  std::size_t length() {
    const auto whole = at(SIZE_MAX);
    whole->play();
    EXPECT_EQ(whole->received, "in answer");
    return whole->offset - 8;
  }
};

TEST_P(cut_streams, in_two_at_every_byte) {
  const std::size_t all = length();
  ASSERT_GT(all, 300U);
  for (std::size_t cut = 0; cut < all; cut += under_sanitizer ? 5 : 1) {
    const auto s = at(cut);
    s->play();
    ASSERT_TRUE(s->hand.is_open()) << cut << s->hand.why();
    EXPECT_EQ(s->other.received + s->received, "by handin answer") << cut;
    EXPECT_EQ(s->other.error, errc::ok) << cut;
  }
}

// I5: FIN or RST at every byte. Nobody is told that all is well.
TEST_P(cut_streams, I5_ended_at_every_byte) {
  const std::size_t all = length();
  for (std::size_t cut = 0; cut < all; cut += under_sanitizer ? 5 : 1) {
    for (const bool reset : {false, true}) {
      const auto s = at(cut);
      bool open = false;
      s->at_cut = [&] {
        run();
        open = over->filter_of(s->other).is_open();
        if (reset)
          io.hang_up(s->own, true);
        else
          io.finish(s->own);
        s->ended = true;
        run();
      };
      s->play();
      EXPECT_TRUE(s->ended);
      EXPECT_EQ(s->other.received, "") << cut;
      const std::string& events = s->other.events;
      EXPECT_TRUE(!events.empty() && (events.back() == 'x' || (!reset && events.back() == 'e')))
          << cut << " " << events;
      if (reset) {
        EXPECT_EQ(s->other.error, errc::connection_lost) << cut;
        continue;
      }
      // Behind the handshake an end that nobody said is a truncation; before, it is an end without anything.
      EXPECT_EQ(s->other.error, open ? errc::truncated : errc::ok) << cut;
      io.hang_up(s->own, false);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(by_hand, cut_streams, ::testing::Bool(),
                         [](const auto& client) { return client.param ? "client" : "server"; });

}  // namespace
}  // namespace hawser::test
