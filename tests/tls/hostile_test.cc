// What does not belong into a stream of TLS: cuts and damage at every byte, garbage, alerts of all codes. Each ends
// that one connection with one clear line, in both roles.

#include "pair.h"
#include "raw_end.h"
#include "support/sanitizers.h"
#include "support/seeded_random.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>

namespace hawser::test {
namespace {

struct hostile : ::testing::Test {
  authority root = authority::root();
  authority own = root.issue(certificate_wish("example.org"));
  tls::context of_client = make_client();
  tls::context of_server = make_server();

  tls::context make_client() const {
    client_tls how;
    how.ca = pem::text(root.certificate());
    how.tickets = false;  // Every handshake is a whole one.
    return client_context(how);
  }
  tls::context make_server() const {
    server_tls how;
    how.identity = own.identity();
    return server_context(how);
  }
  [[nodiscard]] std::unique_ptr<tls_pair> pair() const {
    return std::make_unique<tls_pair>(of_client, of_server, "example.org");
  }
};

// An error is one of TLS, and is said in one line of reasonable length.
void expect_clear(const tls::filter& f) {
  EXPECT_TRUE(f.error() == errc::tls_failed || f.error() == errc::certificate_refused) << f.why();
  EXPECT_FALSE(f.why().empty());
  EXPECT_LT(f.why().size(), 600U) << f.why();
  EXPECT_EQ(f.why().find('\n'), std::string::npos) << f.why();
  EXPECT_EQ(f.why().find("no reason"), std::string::npos) << f.why();
  EXPECT_EQ(f.why().back(), '.') << f.why();
}

// Every stream from end to end, in pieces that `cut` makes of it: it is given the offset and what is left.
std::size_t exchange(tls_pair& p, const std::function<std::size_t(bool to_server, std::size_t at)>& piece) {
  std::array<std::size_t, 2> offset = {};
  for (;;) {
    if (!p.client.is_open()) p.client.handshake(p.to_server);
    bool moved = false;
    for (const bool to_server : {true, false}) {
      tls::record_sink& wire = to_server ? p.to_server : p.to_client;
      const tls::record_sink bytes = std::exchange(wire, {});
      for (std::size_t from = 0; from < bytes.size();) {
        std::size_t& at = offset[to_server ? 1 : 0];
        const std::size_t n = std::min(bytes.size() - from, piece(to_server, at));
        p.give(to_server ? p.server : p.client, byte_view(bytes).subspan(from, n),
               to_server ? p.to_client : p.to_server, to_server ? p.at_server : p.at_client);
        from += n;
        at += n;
        moved = true;
      }
    }
    if (!moved) return std::max(offset[0], offset[1]);
  }
}

TEST_F(hostile, records_cut_in_two_at_every_byte) {
  const auto all = pair();
  const std::size_t length = exchange(*all, [](bool, std::size_t) { return SIZE_MAX; });
  ASSERT_GT(length, 500U);
  for (std::size_t cut = 1; cut <= length + 40; cut += under_sanitizer ? 7 : 1) {
    const auto p = pair();
    const auto piece = [&](bool, std::size_t at) { return at < cut ? cut - at : SIZE_MAX; };
    exchange(*p, piece);
    ASSERT_TRUE(p->client.is_open() && p->server.is_open()) << cut;
    ASSERT_TRUE(p->client.write(as_bytes("to the server"), p->to_server));
    ASSERT_TRUE(p->server.write(as_bytes("to the client"), p->to_client));
    exchange(*p, [&](bool, std::size_t at) { return at < cut % 40 ? cut % 40 - at : SIZE_MAX; });
    EXPECT_EQ(p->at_server + p->at_client, "to the serverto the client") << cut;
  }
}

// One byte of one direction is another one. Both ends stop, or it was a byte that does not matter and both agree.
TEST_F(hostile, every_byte_of_the_handshake_damaged) {
  const auto whole = pair();
  exchange(*whole, [](bool, std::size_t) { return SIZE_MAX; });
  seeded_random random(6066);
  for (const bool to_server : {true, false}) {
    std::size_t refused = 0;
    std::size_t tried = 0;
    for (std::size_t at = 0; at < 4000; at += under_sanitizer ? 11 : 1) {
      const auto p = pair();
      std::size_t offset = 0;
      bool damaged = false;
      const auto damage = [&](const tls::record_sink& wire) {
        const bool here = !damaged && offset <= at && at < offset + wire.size();
        offset += wire.size();
        damaged = damaged || here;
        return here ? at - (offset - wire.size()) : SIZE_MAX;
      };
      for (int turns = 0; turns < 10; ++turns) {
        if (!p->client.is_open()) p->client.handshake(p->to_server);
        bool moved = false;
        for (const bool there : {true, false}) {
          tls::record_sink& wire = there ? p->to_server : p->to_client;
          const std::size_t hit = there == to_server ? damage(wire) : SIZE_MAX;
          if (hit != SIZE_MAX) wire[hit] ^= static_cast<std::byte>(1U << random.below(8));
          moved |= there ? p->hand_over(wire, p->server, p->to_client, p->at_server)
                         : p->hand_over(wire, p->client, p->to_server, p->at_client);
        }
        if (!moved) break;
      }
      if (!damaged) break;
      ++tried;
      for (const tls::filter* f : {&p->client, &p->server})
        if (f->error() != errc::ok) expect_clear(*f);
      if (!p->client.is_open() || !p->server.is_open()) ++refused;
      EXPECT_EQ(p->at_server + p->at_client, "");
    }
    EXPECT_GT(tried, 20U);
    EXPECT_GE(refused + 8, tried) << "only the versions of the first records do not matter (RFC 8446, 5.1)";
  }
}

// Whole flights that were said before, swapped, or from another connection.
TEST_F(hostile, what_was_recorded_is_of_no_use) {
  const auto one = pair();
  one->client.handshake(one->to_server);
  const tls::record_sink hello = one->to_server;
  one->hand_over(one->to_server, one->server, one->to_client, one->at_server);
  const tls::record_sink answer = one->to_client;
  one->settle();
  ASSERT_TRUE(one->client.is_open());

  const auto other = pair();
  other->client.handshake(other->to_server);
  other->give(other->client, answer, other->to_server, other->at_client);
  expect_clear(other->client);

  const auto mirrored = pair();
  mirrored->client.handshake(mirrored->to_server);
  const tls::record_sink own_hello = mirrored->to_server;
  mirrored->give(mirrored->client, own_hello, mirrored->to_server, mirrored->at_client);
  expect_clear(mirrored->client);

  const auto twice = pair();
  twice->give(twice->server, hello, twice->to_client, twice->at_server);
  twice->give(twice->server, hello, twice->to_client, twice->at_server);
  expect_clear(twice->server);

  one->give(one->server, hello, one->to_client, one->at_server);
  expect_clear(one->server);
}

TEST_F(hostile, garbage_instead_of_tls) {
  const std::vector<std::string> garbage = {
      std::string(3000, '\0'),
      std::string(3000, '\xFF'),
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "SSH-2.0-OpenSSH_9.2\r\n",
      "HTTP/1.1 400 Bad Request\r\n\r\n",
      std::string("\x80\x2E\x01\x00\x02\x00\x15\x00\x00\x00\x10", 11) + std::string(40, 'x'),  // SSL 2.0
      std::string("\x16\x03\x00\x00\x05\x01\x00\x00\x01\x00", 10),                             // SSL 3.0
      std::string("\x16\x03\x01\xFF\xFF", 5) + std::string(70000, 'x'),                        // A record too long.
      std::string("\x16\x03\x01\x00\x05hello", 10),
      std::string("\x17\x03\x03\x00\x05hello", 10),  // Data before the handshake.
      std::string("\x16\x03\x01\x00\x04\x01\xFF\xFF\xFF", 9) + std::string("\x16\x03\x01\x40\x00", 5) +
          std::string(16384, 'x'),  // A message of 16 MiB is announced.
      std::string("\x14\x03\x01\x00\x01\x01", 6) + std::string("\x14\x03\x01\x00\x01\x01", 6),
  };
  for (const std::string& bytes : garbage) {
    const auto p = pair();
    p->give(p->server, as_bytes(bytes), p->to_client, p->at_server);
    expect_clear(p->server);
    p->client.handshake(p->to_server);
    p->give(p->client, as_bytes(bytes), p->to_server, p->at_client);
    expect_clear(p->client);
  }
  // Records of the right shape without end, and empty ones.
  for (const char* const record : {"\x16\x03\x01\x00\x00", "\x17\x03\x03\x00\x00", "\x15\x03\x03\x00\x00"}) {
    const auto p = pair();
    std::string bytes;
    for (int i = 0; i < 1000; ++i)
      bytes.append(record, 5);
    p->give(p->server, as_bytes(bytes), p->to_client, p->at_server);
    expect_clear(p->server);
  }
  seeded_random random(8446);
  for (int i = 0; i < (under_sanitizer ? 100 : 1000); ++i) {
    std::string bytes(1 + random.below(2000), '\0');
    for (char& c : bytes)
      c = static_cast<char>(random.below(256));
    if (i % 2 == 0)
      bytes.replace(0, std::min<std::size_t>(3, bytes.size()), std::string("\x16\x03\x03", 3), 0,
                    std::min<std::size_t>(3, bytes.size()));
    const auto p = pair();
    p->give(p->server, as_bytes(bytes), p->to_client, p->at_server);
    p->client.handshake(p->to_server);
    p->give(p->client, as_bytes(bytes), p->to_server, p->at_client);
    for (const tls::filter* f : {&p->client, &p->server}) {
      EXPECT_FALSE(f->is_open());
      if (f->error() != errc::ok) expect_clear(*f);
    }
  }
}

TEST_F(hostile, versions_that_are_refused_are_named) {
  for (const tls_version least : {tls_version::v1_2, tls_version::v1_3}) {
    server_tls how;
    how.identity = own.identity();
    how.least = least;
    tls::filter server(server_context(how), {});
    raw_end client(false, least == tls_version::v1_3 ? TLS1_2_VERSION : TLS1_1_VERSION);
    client.talk(server);
    EXPECT_EQ(client.alert(), SSL_AD_PROTOCOL_VERSION);
    EXPECT_EQ(
        server.why(),
        least == tls_version::v1_3
            ? "The client offers no version of TLS that is allowed here, which is 1.3 alone (tls.least). It must be "
              "updated, or tls.least set to 1.2."
            : "The client offers no version of TLS that is allowed here, which is 1.2 and 1.3. It must be updated.");
  }
}

std::array<std::byte, 7> alert_of(unsigned level, unsigned code) {
  return {std::byte{21},
          std::byte{3},
          std::byte{3},
          std::byte{0},
          std::byte{2},
          static_cast<std::byte>(level),
          static_cast<std::byte>(code)};
}

// Who is told by the other end that no version suits hears which are allowed here, and what mends it.
TEST_F(hostile, versions_that_the_other_end_refuses_are_named) {
  for (const tls_version least : {tls_version::v1_2, tls_version::v1_3}) {
    client_tls asks;
    asks.ca = pem::text(root.certificate());
    server_tls answers;
    answers.identity = own.identity();
    asks.least = answers.least = least;
    tls_pair p(client_context(asks), server_context(answers), "example.org");
    p.client.handshake(p.to_server);
    p.hand_over(p.to_server, p.server, p.to_client, p.at_server);
    p.give(p.server, alert_of(2, 70), p.to_client, p.at_server);
    p.give(p.client, alert_of(2, 70), p.to_server, p.at_client);
    const std::string said =
        " gave up with the TLS alert \"protocol version\" (70): the two have no version of TLS in common; here it is ";
    const std::string here = least == tls_version::v1_3
                                 ? "1.3 alone (tls.least). It must be updated, or tls.least set to 1.2."
                                 : "1.2 and 1.3. It must be updated.";
    EXPECT_EQ(p.client.why(), "The server" + said + here);
    EXPECT_EQ(p.server.why(), "The client" + said + here);
  }
}

// RFC 8446, 6.2: at any time of the handshake, to either end.
TEST_F(hostile, alerts_of_all_codes_end_it_with_a_clear_line_in_both_roles) {
  // The first is a close_notify with the level that it has.
  for (unsigned turn = 0; turn <= 256; ++turn) {
    const unsigned level = turn == 0 ? 1 : 2;
    const unsigned code = turn == 0 ? 0 : turn - 1;
    for (const bool to_server : {true, false}) {
      const auto p = pair();
      p->client.handshake(p->to_server);
      tls::filter& hears = to_server ? p->server : p->client;
      tls::record_sink answers;
      std::string got;
      if (to_server) p->hand_over(p->to_server, p->server, p->to_client, p->at_server);
      p->give(hears, alert_of(level, code), answers, got);
      // RFC 8446, 6.1: user_canceled only announces close_notify.
      if (code == 90 && hears.error() == errc::ok) p->give(hears, alert_of(1, 0), answers, got);
      expect_clear(hears);
      if (code == 90) continue;
      const std::string number = "(" + std::to_string(code) + ")";
      EXPECT_NE(hears.why().find(code == 0 ? "close_notify" : number), std::string::npos) << hears.why();
      EXPECT_EQ(hears.why().find(to_server ? "The client " : "The server "), 0U) << hears.why();
    }
  }
}

// A peer that will not renegotiate, which nobody has asked it for: as a warning, too.
TEST_F(hostile, a_refused_renegotiation_is_named) {
  const auto p = pair();
  p->client.handshake(p->to_server);
  p->hand_over(p->to_server, p->server, p->to_client, p->at_server);
  p->give(p->server, alert_of(1, 100), p->to_client, p->at_server);
  EXPECT_NE(p->server.why().find("will not renegotiate"), std::string::npos) << p->server.why();
}

// Warnings: a few are passed over or end it, as the version has it; none opens it, and there is an end of them.
TEST_F(hostile, alerts_of_all_levels_and_many_of_them) {
  for (const bool to_server : {true, false}) {
    for (unsigned level = 0; level < 256; ++level) {
      const auto p = pair();
      p->client.handshake(p->to_server);
      tls::filter& hears = to_server ? p->server : p->client;
      tls::record_sink answers;
      std::string got;
      for (int i = 0; i < 10 && hears.error() == errc::ok; ++i)
        p->give(hears, alert_of(level, 90), answers, got);
      EXPECT_FALSE(hears.is_open());
      expect_clear(hears);
    }
  }
}

}  // namespace
}  // namespace hawser::test
